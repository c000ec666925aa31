"""Differences, matrices, counts, jigsaws: labels are found again in pixels, by other enumerations and geometry."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, permutations, product

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.processing.coordinates import iou
from vergence.processing.media import decode_image
from vergence.verifiers.ground_truth import verify

ndimage = pytest.importorskip("scipy.ndimage")


def samples(kind, count, **settings):
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    config = generator.Config(**settings)
    return [make_sample(kind, generator, config, 11, index) for index in range(count)]


def checked(sample):
    messages, checks = sample.messages, sample.metadata["checks"]
    return [(messages[2 * n].text, messages[2 * n + 1].text, check) for n, check in enumerate(checks)]


def pair_of(sample):
    """Both pictures of a sample as arrays, cut from one where they stand side by side; and the offset of the second."""
    pictures = [np.asarray(decode_image(picture), np.int16) for picture in sample.images]
    offset = sample.metadata["truth"]["offset"]
    if len(pictures) == 1:
        width = pictures[0].shape[1] - offset
        return pictures[0][:, :width], pictures[0][:, offset:], offset
    return pictures[0], pictures[1], 0


def test_difference_boxes_are_those_of_the_pixels():
    seen = set()
    for sample in samples("find-the-difference", 60):
        first, second, offset = pair_of(sample)
        labels, _ = ndimage.label(np.abs(first - second).max(axis=2) > 0, structure=np.ones((3, 3)))
        parts = [(s[1].start, s[0].start, s[1].stop, s[0].stop) for s in ndimage.find_objects(labels)]
        differences = sample.metadata["truth"]["differences"]
        boxes = [
            (left - offset, top, right - offset, bottom)
            for left, top, right, bottom in (difference["box"] for difference in differences)
        ]
        found = [[] for _ in boxes]
        for part in parts:
            inside = [
                number
                for number, box in enumerate(boxes)
                if box[0] <= part[0] and box[1] <= part[1] and part[2] <= box[2] and part[3] <= box[3]
            ]
            assert len(inside) == 1, "every changed pixel lies in the box of one difference"
            found[inside[0]].append(part)
        for difference, box, inside in zip(differences, boxes, found, strict=True):
            assert inside, difference
            union = (
                min(part[0] for part in inside),
                min(part[1] for part in inside),
                max(part[2] for part in inside),
                max(part[3] for part in inside),
            )
            seen.add(difference["change"])
            if difference["change"] in ("missing", "extra", "colour", "moved"):
                assert union == box, difference
            else:  # what both pictures share may reach the border of the box, most of all where a thing is mirrored
                assert iou(union, box) > (0.25 if difference["change"] == "mirrored" else 0.5), difference
    assert seen == {"missing", "extra", "colour", "larger", "smaller", "mirrored", "moved", "replaced"}


def test_what_was_replaced_is_not_said_to_be_missing():
    tried = 0
    for sample in samples("find-the-difference", 120, language="en", turns=1):
        for _, _, check in checked(sample):
            texts = check.get("choices", ["", ""])
            if texts[check.get("target", 0) if check["verifier"] == "choice" else 0].startswith("It was replaced"):
                tried += 1
                assert "It is missing." not in texts
    assert tried > 4


def test_difference_answers_follow_from_the_changes():
    for sample in samples("find-the-difference", 40):
        truth, regions = sample.metadata["truth"], sample.metadata["regions"]
        assert [region["box"] for region in regions] == [[float(v) for v in d["box"]] for d in truth["differences"]]
        for _, _, check in checked(sample):
            if check["verifier"] == "count":
                assert check["target"] == len(truth["differences"])
            if check["verifier"] == "boxes":
                assert check["targets"] == [[float(v) for v in d["box"]] for d in truth["differences"]]
                assert verify(check, "<bbox>0 0 999 999</bbox>") < 1
            if check["verifier"] == "exact":
                gone = {d["old"]["name"] for d in truth["differences"] if not d["new"]}
                assert len(gone) == 1
                assert verify(check, "a unicycle") == 0
        names = [thing["name"] for thing in truth["things"]]
        assert len(set(names)) == len(names)


def matrix_values(sample, attribute):
    truth = sample.metadata["truth"]
    cells = [cell[attribute] for cell in truth["cells"]]
    return [cells[:3], cells[3:6], cells[6:]], [option[attribute] for option in truth["options"]]


def agrees(attribute, lines):
    """Whether three lines follow one of the rules, told by what values do rather than by a third from two."""
    if all(a == b == c for a, b, c in lines):
        return True
    if len({frozenset(line) for line in lines}) == 1 and len(set(lines[0])) == 3:
        return True
    turn = 8 if attribute == "dot" else 10**6
    steps = {((b - a) % turn, (c - b) % turn) for a, b, c in lines}
    limit = 3 if attribute == "dot" else 1
    allowed = [step % turn for size in range(1, limit + 1) for step in (size, -size)]
    if attribute in ("size", "count", "dot") and len(steps) == 1:
        [(one, two)] = steps
        if one == two and one in allowed:
            return True
    counts = [[value + 1 for value in line] for line in lines]
    return attribute == "count" and (all(a + b == c for a, b, c in counts) or all(a - b == c for a, b, c in counts))


def test_one_option_alone_follows_the_rules():
    """Each option is put into the gap: it is right if every attribute then follows a rule, along rows or columns."""
    plain = [s for s in samples("pattern-matrix", 80) if not s.metadata["truth"]["overlay"]]
    assert len(plain) > 40
    for sample in plain:
        fitting = set(range(len(sample.metadata["truth"]["options"])))
        for attribute in ("shape", "colour", "size", "count", "dot"):
            grid, options = matrix_values(sample, attribute)
            if grid[0][0] < 0:
                continue
            values = range({"shape": 6, "colour": 6, "size": 4, "count": 5, "dot": 8}[attribute])
            filled = [(value, [*grid[:2], [*grid[2][:2], value]]) for value in values]
            possible = {
                v for v, rows in filled if agrees(attribute, rows) or agrees(attribute, list(zip(*rows, strict=True)))
            }
            assert possible == {grid[2][2]}, attribute
            fitting -= {number for number, option in enumerate(options) if option not in possible}
        assert fitting == {sample.metadata["truth"]["right"]}


def test_the_right_option_is_not_the_one_with_the_most_frequent_values():
    """Without the matrix each value is as frequent among the options as every other that is there."""
    for sample in samples("pattern-matrix", 60, options=[4, 6, 8]):
        options = sample.metadata["truth"]["options"]
        if sample.metadata["truth"]["overlay"]:
            continue
        for attribute in options[0]:
            assert len(set(Counter(option[attribute] for option in options).values())) == 1


def test_one_overlay_alone_follows_the_operations():
    """The same with sets of lines: an operation is a table of what becomes of two bits."""
    named = {"union": (0, 1, 1, 1), "common": (0, 0, 0, 1), "either": (0, 1, 1, 0), "without": (0, 0, 1, 0)}
    found = [s for s in samples("pattern-matrix", 120) if s.metadata["truth"]["overlay"]]
    assert len(found) > 12
    for sample in found:
        truth = sample.metadata["truth"]
        cells = truth["cells"]
        fitting = set()
        for number, option in enumerate(truth["options"]):
            grid = np.array([*cells[:8], option]).reshape(3, 3)
            for lines in (grid, grid.T):
                for table in named.values():
                    if all(
                        (c >> bit & 1) == table[2 * (a >> bit & 1) + (b >> bit & 1)]
                        for a, b, c in lines.tolist()
                        for bit in range(8)
                    ):
                        fitting.add(number)
        assert fitting == {truth["right"]}
        assert truth["options"][truth["right"]] == cells[8]


def test_options_look_different_and_the_box_is_that_of_the_right_one():
    for sample in samples("pattern-matrix", 25):
        image = np.asarray(decode_image(sample.images[0]), np.int16)
        truth, regions = sample.metadata["truth"], sample.metadata["regions"]
        shown = [
            image[round(b[1]) + 3 : round(b[1]) + 75, round(b[0]) + 3 : round(b[0]) + 75]
            for b in (r["box"] for r in regions)
        ]
        for a, b in combinations(shown, 2):
            assert np.abs(a - b).max(axis=2).sum() > 1000
        for _, _, check in checked(sample):
            if check["verifier"] == "box":
                assert check["target"] == regions[truth["right"]]["box"]


def drawn_sides(truth):
    """Unit sides as pairs of lattice points."""
    sides = set()
    for row, line in enumerate(truth["across"]):
        sides |= {((row, c), (row, c + 1)) for c, drawn in enumerate(line) if drawn}
    for row, line in enumerate(truth["down"]):
        sides |= {((row, c), (row + 1, c)) for c, drawn in enumerate(line) if drawn}
    return sides


def test_rectangles_by_four_corners_and_their_sides():
    for sample in samples("count-squares", 40, forms=["lattice"]):
        truth = sample.metadata["truth"]
        sides = drawn_sides(truth)
        points = sorted({point for side in sides for point in side})
        found = []
        for (top, left), (bottom, right) in product(points, points):
            if top >= bottom or left >= right:
                continue
            around = [((r, c), (r, c + 1)) for r in (top, bottom) for c in range(left, right)]
            around += [((r, c), (r + 1, c)) for c in (left, right) for r in range(top, bottom)]
            if sides.issuperset(around):
                found.append([top, left, bottom - top, right - left])
        assert sorted(found) == sorted(truth["rectangles"])
        squares = [f for f in found if f[2] == f[3]]
        for question, _, check in checked(sample):
            if "边长为" in question or "side of" in question:
                side = int("".join(c for c in question.split("个单位")[0].split(" are in")[0] if c.isdigit()))
                assert check["target"] == sum(f[2] == side for f in squares)
            elif "长方形" in question or "rectangles" in question:
                assert check["target"] == len(found)
            else:
                assert check["target"] == len(squares)


def test_a_lattice_is_drawn_as_it_is():
    for sample in samples("count-squares", 12, forms=["lattice"]):
        truth = sample.metadata["truth"]
        image = decode_image(sample.images[0])
        cell = (image.width - 36) / len(truth["across"][0])
        paper = image.getpixel((3, 3))

        def inked(x, y, image=image, paper=paper):
            return sum(abs(a - b) for a, b in zip(image.getpixel((round(x), round(y))), paper, strict=True)) > 150

        for row, line in enumerate(truth["across"]):
            assert [inked(18 + (c + 0.5) * cell, 18 + row * cell) for c in range(len(line))] == line
        for row, line in enumerate(truth["down"]):
            assert [inked(18 + c * cell, 18 + (row + 0.5) * cell) for c in range(len(line))] == line


@pytest.mark.parametrize("form", ["fan", "polygon"])
def test_triangles_by_what_is_drawn_between_points(form):
    """Three points are a triangle if they aren't in a line and all between each two of them is drawn."""
    for sample in samples("count-squares", 25, forms=[form]):
        truth = sample.metadata["truth"]
        points = np.array(truth["points"])

        def on(point, line, points=points):
            a, b = points[line[0]], points[line[-1]]
            across = (b[0] - a[0]) * (point[1] - a[1]) - (b[1] - a[1]) * (point[0] - a[0])
            return abs(across) < 1e-9 and np.dot(point - a, point - b) < 1e-9

        def joined(i, j, truth=truth, points=points, on=on):
            return any(on(points[i], line) and on(points[j], line) for line in truth["lines"])

        def area(i, j, k, points=points):
            (ax, ay), (bx, by), (cx, cy) = points[[i, j, k]]
            return abs((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

        pairs = {pair: joined(*pair) for pair in combinations(range(len(points)), 2)}
        found = [
            [i, j, k]
            for i, j, k in combinations(range(len(points)), 3)
            if pairs[i, j] and pairs[i, k] and pairs[j, k] and area(i, j, k) > 1e-9
        ]
        assert found == sorted(truth["triangles"])
        for question, _, check in checked(sample):
            if "三角形？" in question or "How many triangles" in question:
                assert check["target"] == len(found)


def test_the_points_of_a_polygon_are_all_crossings():
    """No two lines cross but in one of the points."""
    for sample in samples("count-squares", 20, forms=["polygon"]):
        truth = sample.metadata["truth"]
        points = np.array(truth["points"])
        for first, second in combinations(truth["lines"], 2):
            a, b, c, d = points[[first[0], first[-1], second[0], second[-1]]]
            matrix = np.column_stack([b - a, c - d])
            if abs(np.linalg.det(matrix)) < 1e-12:
                continue
            s, t = np.linalg.solve(matrix, c - a)
            if -1e-9 <= s <= 1 + 1e-9 and -1e-9 <= t <= 1 + 1e-9:
                assert set(first) & set(second), "a crossing without a point"


def jigsaw_pieces(sample):
    image = np.asarray(decode_image(sample.images[0]), np.float32)
    regions = sample.metadata["regions"]
    return {
        int(r["label"]): image[int(r["box"][1]) : int(r["box"][3]), int(r["box"][0]) : int(r["box"][2])]
        for r in regions
    }


def test_jigsaws_by_all_arrangements_of_the_pieces_in_the_picture():
    """Small ones only: the order of the answer has the least misfit of all permutations of what is drawn."""
    tried = 0
    for sample in samples("jigsaw", 40, difficulty={"max": 0.6}):
        truth, pieces = sample.metadata["truth"], jigsaw_pieces(sample)
        rows, columns = truth["rows"], truth["columns"]
        if rows * columns > 6:
            continue
        tried += 1
        beside = {(a, b): np.abs(pieces[a][:, -1] - pieces[b][:, 0]).mean() for a, b in permutations(pieces, 2)}
        below = {(a, b): np.abs(pieces[a][-1] - pieces[b][0]).mean() for a, b in permutations(pieces, 2)}

        def misfit(order, rows=rows, columns=columns, beside=beside, below=below):
            cost = sum(beside[order[p], order[p + 1]] for p in range(rows * columns) if (p + 1) % columns)
            return cost + sum(below[order[p], order[p + columns]] for p in range((rows - 1) * columns))

        costs = sorted((misfit(order), order) for order in permutations(pieces))
        assert list(costs[0][1]) == truth["order"]
        assert costs[1][0] > 1.03 * costs[0][0], "JPEG blurs seams a little, no more"
        for _, _, check in checked(sample):
            if check["verifier"] == "puzzle":
                swapped = [truth["order"][1], truth["order"][0], *truth["order"][2:]]
                assert verify(check, " ".join(map(str, swapped))) <= 0.5
                assert verify(check, " ".join(map(str, truth["order"]))) == 1
    assert tried > 15


def test_a_jigsaw_asks_nothing_after_the_steps_that_solve_it():
    for sample in samples("jigsaw", 40, turns=3, reasoning=0.5):
        answers = [answer for _, answer, _ in checked(sample)]
        assert len(answers) == 1 or all("Answer:" not in a and "答案：" not in a for a in answers)


def test_a_jigsaw_asks_for_what_lies_beside_a_piece():
    for sample in samples("jigsaw", 40, language="en"):
        truth = sample.metadata["truth"]
        grid = np.array(truth["order"]).reshape(truth["rows"], truth["columns"])
        for question, _, check in checked(sample):
            words = question.splitlines()[0].split()
            if "right of piece" in question or "below piece" in question:
                row, column = (int(v[0]) for v in np.where(grid == int(words[words.index("whole") - 3])))
                step = (0, 1) if "right" in question else (1, 0)
                assert check["target"] == grid[row + step[0], column + step[1]]


def test_a_side_is_told_in_squares_that_are_there():
    asked = 0
    for sample in samples("count-squares", 120, language="en", forms=["lattice"]):
        for question, answer, _ in checked(sample):
            if "The smallest square" in question:
                asked += 1
                truth = sample.metadata["truth"]
                sides, places = drawn_sides(truth), product(range(len(truth["down"])), range(len(truth["across"][0])))
                units = [
                    {
                        ((r, c), (r, c + 1)),
                        ((r + 1, c), (r + 1, c + 1)),
                        ((r, c), (r + 1, c)),
                        ((r, c + 1), (r + 1, c + 1)),
                    }
                    for r, c in places
                ]
                assert any(unit <= sides for unit in units)
            if "Answer:" in answer:
                assert not any(line.startswith("Together") and "+" not in line for line in answer.splitlines())
    assert asked > 10
