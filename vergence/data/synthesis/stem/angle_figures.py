"""Figures about angles: triangles, parallel lines, circles."""

from __future__ import annotations

import math
import random
from fractions import Fraction

from vergence.data.synthesis.stem.deduction import Linear, Relation
from vergence.data.synthesis.stem.figure import Figure, add_up_to, are_equal, degrees, on_circle, sine_of


def cevian(rng: random.Random) -> Figure:
    """Triangle ABC with D on BC, E beyond C; AD may bisect the angle, or a triangle may be isosceles."""
    form = rng.choice(("plain", "bisector", "isosceles", "inner"))
    b, c = rng.randint(32, 72), rng.randint(32, 72)
    if form == "isosceles":
        c = b
    if form == "bisector":
        c += (180 - b - c) % 2
    a = 180 - b - c
    left = a // 2 if form == "bisector" else rng.randint(max(18, round(0.3 * a)), max(19, round(0.7 * a)))
    if form == "inner":
        left = b if a - b >= 16 else a // 2
        if left != b:
            form = "plain"
    right, adb = a - left, 180 - b - left
    ab = sine_of(c) / sine_of(a)
    points = {"A": (ab * math.cos(math.radians(b)), ab * sine_of(b)), "B": (0.0, 0.0), "C": (1.0, 0.0)}
    points["D"] = (ab * sine_of(left) / sine_of(adb), 0.0)
    values = degrees(ABC=b, ACB=c, BAC=a, BAD=left, CAD=right, ADB=adb, ADC=180 - adb)
    relations: list[Relation] = [
        add_up_to("triangle", "∠ABC ∠ACB ∠BAC", 180, "ABC"),
        add_up_to("triangle", "∠ABC ∠BAD ∠ADB", 180, "ABD"),
        add_up_to("triangle", "∠ACB ∠CAD ∠ADC", 180, "ACD"),
        add_up_to("straight", "∠ADB ∠ADC", 180, "D"),
        Linear("parts", (("∠BAC", 1), ("∠BAD", -1), ("∠CAD", -1)), 0, ("AD",)),
        Linear("exterior", (("∠ADC", 1), ("∠ABC", -1), ("∠BAD", -1)), 0, ("ABD",)),
    ]
    facts, equal = [("D lies on BC", "点D在BC上")], []
    if form == "bisector":
        relations += [
            are_equal("bisector", "∠BAD", "∠CAD", "AD"),
            Linear("bisector", (("∠BAC", 1), ("∠BAD", -2)), 0, ("AD",)),
        ]
        facts.append(("AD bisects ∠BAC", "AD平分∠BAC"))
    elif form == "isosceles":
        relations += [
            are_equal("isosceles", "∠ABC", "∠ACB", "ABC"),
            Linear("apex", (("∠BAC", 1), ("∠ABC", 2)), 180, ("ABC",)),
        ]
        facts.append(("AB = AC", "AB = AC"))
        equal.append(["AB", "AC"])
    elif form == "inner":
        relations += [
            are_equal("isosceles", "∠ABC", "∠BAD", "ABD"),
            Linear("apex", (("∠ADB", 1), ("∠ABC", 2)), 180, ("ABD",)),
        ]
        facts.append(("AD = BD", "AD = BD"))
        equal.append(["AD", "BD"])
    segments = ["AB", "AC", "BC", "AD"]
    if rng.random() < 0.5:
        points["E"] = (1.35, 0.0)
        segments.append("CE")
        values["∠ACE"] = Fraction(180 - c)
        relations += [
            add_up_to("straight", "∠ACB ∠ACE", 180, "C"),
            Linear("exterior", (("∠ACE", 1), ("∠ABC", -1), ("∠BAC", -1)), 0, ("ABC",)),
        ]
        facts.append(("BC is extended to E", "BC延长至点E"))
    names = list(values)
    return Figure(f"cevian-{form}", points, segments, values, relations, names, names, facts, equal=equal)


def parallels(rng: random.Random) -> Figure:
    """Lines AB and CD, parallel, cut by EF at G and H, and a second line from G to K on CD."""
    t = rng.choice((1, -1)) * rng.randint(10, 35) + 90
    second = t + rng.choice((1, -1)) * rng.randint(28, 50)
    if not 32 <= second <= 148:
        second = 2 * t - second
    height = 0.62
    g, h = (height / math.tan(math.radians(t)), height), (0.0, 0.0)
    k = (g[0] - height / math.tan(math.radians(second)), 0.0)
    reach = 0.35
    left, right = min(g[0], k[0], 0) - 0.42, max(g[0], k[0], 0) + 0.42
    e = (g[0] + reach * math.cos(math.radians(t)), height + reach * sine_of(t))
    f = (-reach * math.cos(math.radians(t)), -reach * sine_of(t))
    points = {"A": (left, height), "B": (right, height), "C": (left, 0.0), "D": (right, 0.0)}
    points |= {"E": e, "F": f, "G": g, "H": h, "K": k}
    o = 180 - t
    values = degrees(BGE=t, AGE=o, AGH=t, BGH=o, DHG=t, CHG=o, CHF=t, DHF=o)
    relations: list[Relation] = [
        are_equal("vertical", "∠BGE", "∠AGH"),
        are_equal("vertical", "∠AGE", "∠BGH"),
        are_equal("vertical", "∠DHG", "∠CHF"),
        are_equal("vertical", "∠CHG", "∠DHF"),
        add_up_to("straight", "∠AGE ∠BGE", 180, "G"),
        add_up_to("straight", "∠CHF ∠DHF", 180, "H"),
        are_equal("corresponding", "∠BGE", "∠DHG"),
        are_equal("corresponding", "∠AGE", "∠CHG"),
        are_equal("corresponding", "∠AGH", "∠CHF"),
        are_equal("corresponding", "∠BGH", "∠DHF"),
        are_equal("alternate", "∠AGH", "∠DHG"),
        are_equal("alternate", "∠BGH", "∠CHG"),
        add_up_to("interior", "∠BGH ∠DHG", 180),
        add_up_to("interior", "∠AGH ∠CHG", 180),
    ]
    # The triangle GHK: its angle at H is one of EF's, its angle at K is alternate to one at G.
    if k[0] > 0:
        at_h, at_k, beside, whole, inner = "∠DHG", "∠CKG", "∠BGK", "∠BGH", 180 - second
    else:
        at_h, at_k, beside, whole, inner = "∠CHG", "∠DKG", "∠AGK", "∠AGH", second
    values |= {at_k: Fraction(inner), beside: Fraction(inner), "∠HGK": values[whole] - inner}
    relations += [
        are_equal("alternate", beside, at_k),
        add_up_to("triangle", f"{at_h} ∠HGK {at_k}", 180, "GHK"),
        Linear("parts", ((whole, 1), ("∠HGK", -1), (beside, -1)), 0, ("GK",)),
    ]
    names = list(values)
    facts = [("AB ∥ CD", "AB∥CD"), ("EF meets AB at G and CD at H", "EF分别交AB、CD于点G、H")]
    segments = ["AB", "CD", "EF", "GK"]
    return Figure("parallels", points, segments, values, relations, names, names, facts, parallel=["AB", "CD"])


def zigzag(rng: random.Random) -> Figure:
    """AB and CD, parallel, and a bend B-P-D between them."""
    upper, lower = rng.randint(24, 66), rng.randint(24, 66)
    points = {"P": (0.0, 0.0)}
    long, short = rng.uniform(0.55, 0.75), rng.uniform(0.55, 0.75)
    # P lies to the right; both arms go to the left from B and D as the parallels do.
    points["B"] = (-long * math.cos(math.radians(upper)), long * sine_of(upper))
    points["D"] = (-short * math.cos(math.radians(lower)), -short * sine_of(lower))
    end = 0.25
    points["A"], points["C"] = (end, points["B"][1]), (end, points["D"][1])
    values = degrees(ABP=upper, CDP=lower, BPD=upper + lower)
    relations: list[Relation] = [Linear("zigzag", (("∠BPD", 1), ("∠ABP", -1), ("∠CDP", -1)), 0, ("P",))]
    names = list(values)
    return Figure(
        "zigzag",
        points,
        ["AB", "CD", "BP", "DP"],
        values,
        relations,
        names,
        names,
        [("AB ∥ CD", "AB∥CD")],
        parallel=["BA", "DC"],
    )


def inscribed(rng: random.Random) -> Figure:
    """A circle with a chord AB, C and perhaps D on the far arc, and the radii to A and B."""
    half = rng.randint(28, 72)
    turn = rng.randint(-25, 25) - 90
    far = 360 - 2 * half
    c = turn + half + far * rng.uniform(0.2, 0.42)
    points = {"O": (0.0, 0.0), "A": on_circle(turn - half), "B": on_circle(turn + half), "C": on_circle(c)}
    base = 90 - half
    values = degrees(AOB=2 * half, ACB=half, OAB=base, OBA=base)
    relations: list[Relation] = [
        Linear("central", (("∠AOB", 1), ("∠ACB", -2))),
        are_equal("isosceles", "∠OAB", "∠OBA", "OAB"),
        Linear("apex", (("∠AOB", 1), ("∠OAB", 2)), 180, ("OAB",)),
    ]
    segments = ["AB", "OA", "OB", "AC", "BC"]
    facts = [("O is the centre of the circle", "O是圆心")]
    if rng.random() < 0.5:
        points["D"] = on_circle(turn + half + far * rng.uniform(0.58, 0.8))
        segments += ["AD", "BD"]
        values["∠ADB"] = Fraction(half)
        relations.append(are_equal("same_arc", "∠ADB", "∠ACB"))
    names = list(values)
    return Figure("inscribed", points, segments, values, relations, names, names, facts, circle=("O", 1.0))


def semicircle(rng: random.Random) -> Figure:
    """A circle with diameter AB, C on one side and D on the other."""
    b = rng.randint(25, 65)
    turn = rng.randint(-20, 20)
    # The arc AC is twice the angle at B; D divides the other half.
    arc = rng.randint(30, 70) * 2
    points = {"O": (0.0, 0.0), "A": on_circle(180 + turn), "B": on_circle(turn)}
    points["C"], points["D"] = on_circle(180 + turn - 2 * b), on_circle(180 + turn + arc)
    values = degrees(ACB=90, ABC=b, BAC=90 - b, ADC=b, BAD=90 - arc // 2, ACD=arc // 2, CAD=180 - b - arc // 2)
    relations: list[Relation] = [
        Linear("thales", (("∠ACB", 1),), 90),
        add_up_to("triangle", "∠ACB ∠ABC ∠BAC", 180, "ABC"),
        are_equal("same_arc", "∠ADC", "∠ABC"),
        Linear("parts", (("∠CAD", 1), ("∠BAC", -1), ("∠BAD", -1)), 0, ("AB",)),
        add_up_to("triangle", "∠CAD ∠ADC ∠ACD", 180, "ACD"),
    ]
    segments = ["AB", "AC", "BC", "AD", "CD"]
    names = [name for name in values if name != "∠ACB"]
    facts = [("AB is a diameter of circle O", "AB是⊙O的直径")]
    return Figure("semicircle", points, segments, values, relations, names, names, facts, circle=("O", 1.0))


def cyclic(rng: random.Random) -> Figure:
    """A quadrilateral ABCD in a circle, one side of which is extended to E."""
    arcs = [rng.randint(30, 60) * 2 for _ in range(3)]
    arcs.append(360 - sum(arcs))
    if not 50 <= arcs[3] <= 150:
        arcs = [80, 100, 70, 110]
    starts = [rng.randint(0, 40) + 130]
    for arc in arcs[:3]:
        starts.append(starts[-1] + arc)
    points = dict(zip("ABCD", map(on_circle, starts), strict=True))
    a = (arcs[1] + arcs[2]) // 2
    b = (arcs[2] + arcs[3]) // 2
    (bx, by), (cx, cy) = points["B"], points["C"]
    points["E"] = (cx + 0.45 * (cx - bx), cy + 0.45 * (cy - by))
    points["O"] = (0.0, 0.0)
    values = degrees(BAD=a, BCD=180 - a, ABC=b, ADC=180 - b, DCE=a)
    values["∠BOD"] = Fraction(min(2 * a, 360 - 2 * a))
    relations: list[Relation] = [
        add_up_to("cyclic", "∠BAD ∠BCD", 180),
        add_up_to("cyclic", "∠ABC ∠ADC", 180),
        add_up_to("straight", "∠BCD ∠DCE", 180, "C"),
        add_up_to("quadrilateral", "∠BAD ∠BCD ∠ABC ∠ADC", 360, "ABCD"),
        Linear("central", (("∠BOD", 1), ("∠BAD" if a < 90 else "∠BCD", -2))),
    ]
    segments = ["AB", "BC", "CD", "AD", "CE"]
    if a == 90 or rng.random() < 0.5:
        del values["∠BOD"]
        relations.pop()
    else:
        segments += ["OB", "OD"]
    facts = [("ABCD lies on circle O", "四边形ABCD内接于⊙O"), ("BC is extended to E", "BC延长至点E")]
    names = list(values)
    return Figure("cyclic", points, segments, values, relations, names, names, facts, circle=("O", 1.0))


def tangents(rng: random.Random) -> Figure:
    """Two tangents PA and PB of a circle, and C on the far arc."""
    half = rng.randint(48, 68)
    points = {"O": (0.0, 0.0), "P": (1 / math.cos(math.radians(half)), 0.0)}
    points["A"], points["B"] = on_circle(half), on_circle(-half)
    points["C"] = on_circle(180 + rng.randint(-40, 40))
    values = degrees(AOB=2 * half, APB=180 - 2 * half, ACB=half, OAP=90, OBP=90, OAB=90 - half, PAB=half, PBA=half)
    relations: list[Relation] = [
        Linear("tangent", (("∠OAP", 1),), 90),
        Linear("tangent", (("∠OBP", 1),), 90),
        add_up_to("quadrilateral", "∠OAP ∠OBP ∠AOB ∠APB", 360, "OAPB"),
        Linear("central", (("∠AOB", 1), ("∠ACB", -2))),
        Linear("apex", (("∠AOB", 1), ("∠OAB", 2)), 180, ("OAB",)),
        Linear("apex", (("∠APB", 1), ("∠PAB", 2)), 180, ("PAB",)),
        are_equal("isosceles", "∠PAB", "∠PBA", "PAB"),
    ]
    names = [name for name in values if name not in ("∠OAP", "∠OBP")]
    segments = ["PA", "PB", "OA", "OB", "AB", "AC", "BC"]
    facts = [("PA and PB are tangents of circle O at A and B", "PA、PB是⊙O的切线，A、B为切点")]
    return Figure("tangents", points, segments, values, relations, names, names, facts, circle=("O", 1.0))
