"""Figures about lengths and areas: right and similar triangles, quadrilaterals."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from vergence.data.synthesis.stem.deduction import Linear, Product, Pythagoras, Relation
from vergence.data.synthesis.stem.figure import Figure, are_equal

TRIPLES = ((3, 4, 5), (5, 12, 13), (8, 15, 17), (7, 24, 25), (20, 21, 29))


def right_altitude(rng: random.Random) -> Figure:
    """A right triangle ABC with its altitude CD on the hypotenuse."""
    a, b, c = rng.choice(TRIPLES[:3])
    if rng.random() < 0.5:
        a, b = b, a
    k = Fraction(rng.choice((1, 1, 2, c, 2 * c)), rng.choice((1, 1, 2)))
    bc, ac, ab = a * k, b * k, c * k
    cd, bd, ad = bc * ac / ab, bc * bc / ab, ac * ac / ab
    points = {"A": (0.0, 0.0), "B": (float(ab), 0.0), "C": (float(ad), float(cd)), "D": (float(ad), 0.0)}
    values = {"AB": ab, "BC": bc, "AC": ac, "CD": cd, "BD": bd, "AD": ad, "S△ABC": ac * bc / 2}
    relations: list[Relation] = [
        Pythagoras(("AC", "BC"), "AB", ("ABC",)),
        Pythagoras(("CD", "BD"), "BC", ("BCD",)),
        Pythagoras(("CD", "AD"), "AC", ("ACD",)),
        Linear("segment", (("AB", 1), ("AD", -1), ("BD", -1)), 0, ("D",)),
        Product("triangle_area", ("AC", "BC"), ("S△ABC",), Fraction(1, 2)),
        Product("triangle_area", ("AB", "CD"), ("S△ABC",), Fraction(1, 2)),
        Product("two_areas", ("AC", "BC"), ("AB", "CD"), about=("ABC",)),
    ]
    facts = [("∠ACB = 90°", "∠ACB = 90°"), ("CD ⊥ AB at D", "CD⊥AB于点D")]
    givens = ["AB", "BC", "AC", "CD", "BD", "AD"]
    segments = ["AB", "BC", "AC", "CD"]
    return Figure(
        "right-altitude", points, segments, values, relations, givens, list(values), facts, right=["ACB", "CDB"]
    )


def right_triangle(rng: random.Random) -> Figure:
    """A right triangle, or two that share a side, with legs that are whole numbers; roots may come out."""
    one, two, third = rng.randint(3, 12), rng.randint(3, 12), rng.randint(3, 12)
    points = {"A": (0.0, float(one)), "B": (float(two), 0.0), "C": (0.0, 0.0), "D": (-float(third), 0.0)}
    values = {"AC": Fraction(one), "BC": Fraction(two), "CD": Fraction(third)}
    values |= {
        "BD": values["BC"] + values["CD"],
        "S△ABC": Fraction(one * two, 2),
        "S△ABD": one * (values["BC"] + third) / 2,
    }
    relations: list[Relation] = [
        Pythagoras(("AC", "BC"), "AB", ("ABC",)),
        Pythagoras(("AC", "CD"), "AD", ("ACD",)),
        Linear("segment", (("BD", 1), ("BC", -1), ("CD", -1)), 0, ("C",)),
        Product("triangle_area", ("AC", "BC"), ("S△ABC",), Fraction(1, 2)),
        Product("triangle_area", ("AC", "BD"), ("S△ABD",), Fraction(1, 2)),
    ]
    facts = [("AC ⊥ BD at C", "AC⊥BD于点C")]
    targets = ["AB", "AD", *values]
    segments = ["AB", "AD", "BD", "AC"]
    return Figure("right-triangle", points, segments, values, relations, list(values), targets, facts, right=["ACB"])


def similar(rng: random.Random) -> Figure:
    """Triangle ABC cut by DE parallel to BC, or two triangles that meet in O like a bow tie."""
    ratio = Fraction(rng.choice((1, 1, 2, 3, 2, 3)), rng.choice((2, 3, 3, 4, 5, 5)))
    if not Fraction(1, 4) <= ratio <= Fraction(4, 5):
        ratio = Fraction(2, 3)
    below = ratio.denominator
    ab, ac, bc = (Fraction(below * rng.randint(2, 5), rng.choice((1, 1, 2))) for _ in range(3))
    if max(ab, ac, bc) * Fraction(5, 4) > ab + ac + bc - max(ab, ac, bc):
        ab, ac, bc = (Fraction(below * k) for k in (4, 3, 5))
    x = float(ab * ab - ac * ac + bc * bc) / float(2 * bc)
    a = (x, math.sqrt(float(ab) ** 2 - x * x))
    if rng.random() < 0.6:
        points = {"A": a, "B": (0.0, 0.0), "C": (float(bc), 0.0)}
        for name, end in (("D", "B"), ("E", "C")):
            points[name] = tuple(a[i] + float(ratio) * (points[end][i] - a[i]) for i in (0, 1))  # type: ignore[assignment]
        values = {"AB": ab, "AC": ac, "BC": bc, "AD": ab * ratio, "AE": ac * ratio, "DE": bc * ratio}
        values |= {"BD": ab - ab * ratio, "CE": ac - ac * ratio}
        about = ("ADE", "ABC")
        relations: list[Relation] = [
            Product("similar", ("AD", "BC"), ("AB", "DE"), about=about),
            Product("similar", ("AD", "AC"), ("AB", "AE"), about=about),
            Product("similar", ("AE", "BC"), ("AC", "DE"), about=about),
            Linear("segment", (("AB", 1), ("AD", -1), ("BD", -1)), 0, ("D",)),
            Linear("segment", (("AC", 1), ("AE", -1), ("CE", -1)), 0, ("E",)),
        ]
        facts = [("DE ∥ BC", "DE∥BC")]
        segments, parallel, name = ["AB", "AC", "BC", "DE"], ["DE", "BC"], "similar-cut"
    else:
        points = {"O": (0.0, 0.0), "A": (-a[0], a[1]), "B": (float(bc) - a[0], a[1])}
        points |= {"C": (a[0] - float(bc), -a[1]), "D": (a[0], -a[1])}
        points |= {n: (points[n][0] * float(ratio), points[n][1] * float(ratio)) for n in "CD"}
        values = {"OA": ab, "OB": ac, "AB": bc, "OD": ab * ratio, "OC": ac * ratio, "CD": bc * ratio}
        values |= {"AD": ab + ab * ratio, "BC": ac + ac * ratio}
        about = ("OAB", "ODC")
        relations = [
            Product("similar", ("OD", "AB"), ("OA", "CD"), about=about),
            Product("similar", ("OD", "OB"), ("OA", "OC"), about=about),
            Product("similar", ("OC", "AB"), ("OB", "CD"), about=about),
            Linear("segment", (("AD", 1), ("OA", -1), ("OD", -1)), 0, ("O",)),
            Linear("segment", (("BC", 1), ("OB", -1), ("OC", -1)), 0, ("O",)),
        ]
        facts = [("AB ∥ CD", "AB∥CD"), ("AD and BC meet at O", "AD与BC交于点O")]
        segments, parallel, name = ["AB", "CD", "AD", "BC"], ["AB", "CD"], "similar-bow"
    return Figure(name, points, segments, values, relations, list(values), list(values), facts, parallel=parallel)


def quadrilateral(rng: random.Random) -> Figure:
    """A parallelogram or trapezoid with its height DE, whose leg is the hypotenuse of a triple."""
    foot, height, leg = (Fraction(side) for side in rng.choice(TRIPLES[:3]))
    if rng.random() < 0.5 and height < 3 * foot:
        foot, height = height, foot
    top = Fraction(rng.randint(4, 14)) + foot
    trapezoid = rng.random() < 0.5
    bottom = top + foot + rng.randint(0, 6) if trapezoid else top
    points = {"A": (0.0, 0.0), "B": (float(bottom), 0.0), "C": (float(foot + top), float(height))}
    points |= {"D": (float(foot), float(height)), "E": (float(foot), 0.0)}
    values = {"AB": bottom, "CD": top, "DE": height, "AD": leg, "AE": foot, "BE": bottom - foot}
    relations: list[Relation] = [
        Pythagoras(("AE", "DE"), "AD", ("ADE",)),
        Linear("segment", (("AB", 1), ("AE", -1), ("BE", -1)), 0, ("E",)),
    ]
    if trapezoid:
        # The area needs the sum of the parallel sides, which stands as a quantity of its own.
        values |= {"AB + CD": bottom + top, "S(ABCD)": (bottom + top) * height / 2}
        relations += [
            Linear("segment_sum", (("AB + CD", 1), ("AB", -1), ("CD", -1))),
            Product("trapezoid_area", ("AB + CD", "DE"), ("S(ABCD)",), Fraction(1, 2)),
        ]
        facts = [("ABCD is a trapezoid with AB ∥ CD", "四边形ABCD是梯形，AB∥CD")]
    else:
        values["S(ABCD)"] = bottom * height
        relations += [
            are_equal("opposite_sides", "AB", "CD"),
            Product("parallelogram_area", ("AB", "DE"), ("S(ABCD)",)),
        ]
        facts = [("ABCD is a parallelogram", "四边形ABCD是平行四边形")]
    facts.append(("DE ⊥ AB at E", "DE⊥AB于点E"))
    givens = [name for name in values if name.isalpha()]
    return Figure(
        "trapezoid" if trapezoid else "parallelogram",
        points,
        ["AB", "BC", "CD", "AD", "DE"],
        values,
        relations,
        givens,
        [*givens, "S(ABCD)"],
        facts,
        parallel=["AB", "DC"],
        right=["DEA"],
    )
