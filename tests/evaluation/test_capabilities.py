"""The capability tree: its file, its tags, and scores rolled up in it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vergence.errors import DataError
from vergence.evaluation.capabilities import GAP, capability_text, check_samples, heat_map, load_tree, roll_up
from vergence.evaluation.comparison import unpaired_difference
from vergence.evaluation.statistics import mean_interval, proportion_interval, wilson
from vergence.evaluation.task import Answer, Record, Sample, Verdict

COLOUR = "perception/recognition/colour/object"
SHAPE = "perception/recognition/shape/geometric"
COUNT = "perception/counting/thing/scattered"
BOX = "spatial/grounding/box/described"


def record(name, score, capability=None, *, ood=None, cluster=None, metric="accuracy"):
    given = {"capability": capability, "ood": ood, "cluster": cluster}
    tags = {key: value for key, value in given.items() if value is not None}
    verdict = None if score is None else Verdict({metric: score, "other": 0.0})
    return Record(Sample(str(name), "?", tags=tags), Answer(), verdict)


def found(measures):
    return {(m.metric, m.group): m for m in measures}


def test_the_shipped_tree_has_four_levels_and_says_what_is_asked():
    tree = load_tree()
    assert len(tree.leaves) >= 60
    assert all(leaf.count("/") == 3 for leaf in tree.leaves)
    assert all(text.endswith(".") and len(text) > 10 for text in tree.leaves.values())
    nodes = tree.nodes()
    assert len(nodes) == len(set(nodes))
    for place, node in enumerate(nodes):
        if "/" in node:
            parent = node.rsplit("/", 1)[0]
            assert parent in nodes[:place]
            # Nothing but the parent's own descendants stands between them.
            assert all(other.startswith(parent) for other in nodes[nodes.index(parent) : place])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: {b: {c: A sentence.}}", "a.b.c: expected names below it, 4 levels"),
        ("a: {b: {c: {d: {e: A sentence.}}}}", "a.b.c.d: expected a sentence"),
        ("a: {b: {c: {d: ''}}}", "a.b.c.d: expected a sentence"),
        ("a: {b: {}}", "a.b: expected names below it"),
        ("A: {b: {c: {d: x}}}", "'A' is not a name"),
        ("a: {b/x: {c: {d: x}}}", "a: 'b/x' is not a name"),
    ],
)
def test_another_form_is_refused(tmp_path, text, message):
    file = tmp_path / "tree.yaml"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        load_tree(file)


def test_ones_own_tree_is_used(tmp_path):
    (tmp_path / "tree.yaml").write_text("b: {x: {y: {z: Asks z.}}}\na: {x: {y: {z: Asks z., w: Asks w.}}}\n")
    tree = load_tree(tmp_path / "tree.yaml")
    assert list(tree.leaves) == ["b/x/y/z", "a/x/y/z", "a/x/y/w"]
    measures = roll_up([record(1, 1.0, "a/x/y/w"), record(2, 0.0, "b/x/y/z")], tree=tree)
    groups = [m.group for m in measures if m.group]
    assert groups[:2] == ["capability=b", "capability=b/x"]
    assert groups[-1] == "capability=a/x/y/w"
    with pytest.raises(DataError, match="not a leaf"):
        roll_up([record(1, 1.0, COLOUR)], tree=tree)


def test_wrong_tags_are_refused():
    check_samples([Sample("a", "?"), Sample("b", "?", tags={"capability": COLOUR, "ood": True})])
    with pytest.raises(DataError, match=f"sample a: capability .*did you mean '{COLOUR}'"):
        check_samples([Sample("a", "?", tags={"capability": "perception/recognition/color/object"})])
    with pytest.raises(DataError, match="not a leaf"):
        check_samples([Sample("a", "?", tags={"capability": "perception/recognition"})])
    with pytest.raises(DataError, match="not a leaf"):
        check_samples([Sample("a", "?", tags={"capability": 3})])
    with pytest.raises(DataError, match="ood 'yes' is not true or false"):
        check_samples([Sample("a", "?", tags={"ood": "yes"})])


def test_scores_are_rolled_up_at_every_level():
    records = [
        *[record(f"c{i}", float(i < 6), COLOUR) for i in range(8)],
        *[record(f"s{i}", float(i < 1), SHAPE) for i in range(4)],
        *[record(f"n{i}", float(i < 3), COUNT) for i in range(6)],
        *[record(f"b{i}", 1.0, BOX) for i in range(2)],
        *[record(f"u{i}", 0.0) for i in range(5)],
        record("failed", None, COLOUR),
    ]
    measures = roll_up(records)
    by_group = found(measures)
    assert measures[0] == by_group["accuracy", ""]

    def of(node):
        measure = by_group["accuracy", f"capability={node}"]
        return round(measure.value * measure.n), measure.n

    assert of("perception") == (10, 18)
    assert of("perception/recognition") == (7, 12)
    assert of("perception/recognition/colour") == of(COLOUR) == (6, 8)
    assert of("perception/counting") == (3, 6)
    assert of("spatial") == of(BOX) == (2, 2)
    assert (measures[0].n, round(measures[0].value * 25)) == (25, 12)
    leaf = by_group["accuracy", f"capability={COLOUR}"]
    assert (leaf.low, leaf.high) == pytest.approx(wilson(6, 8))
    mean = by_group["mean of capabilities", ""]
    assert mean.value == pytest.approx((6 / 8 + 1 / 4 + 3 / 6 + 1) / 4)
    assert not any("reading" in m.group or m.metric == GAP for m in measures)
    order = [m.group for m in measures if m.metric == "accuracy"]
    assert (
        order.index("capability=perception") < order.index(f"capability={COLOUR}") < order.index("capability=spatial")
    )


def test_intervals_respect_what_questions_share():
    rng = np.random.default_rng(0)
    difficulty = rng.beta(1, 1, 30)
    answers = (rng.random((30, 4)) < difficulty[:, None]).astype(float)
    records = [record(f"{p}-{q}", answers[p, q], COLOUR, cluster=f"picture {p}") for p in range(30) for q in range(4)]
    clusters = [f"picture {p}" for p in range(30) for _ in range(4)]
    expected = proportion_interval(answers.ravel(), clusters)
    leaf = found(roll_up(records))["accuracy", f"capability={COLOUR}"]
    assert (leaf.value, leaf.stderr, leaf.low, leaf.high) == pytest.approx(
        (expected.mean, expected.stderr, expected.low, expected.high)
    )
    plain = wilson(int(answers.sum()), 120)
    assert leaf.high - leaf.low > plain[1] - plain[0]

    graded = [record(f"g{i}", score, COLOUR, cluster=i // 2) for i, score in enumerate([0.1, 0.2, 0.9, 0.8, 0.4, 0.5])]
    leaf = found(roll_up(graded))["accuracy", f"capability={COLOUR}"]
    expected = mean_interval([0.1, 0.2, 0.9, 0.8, 0.4, 0.5], [0, 0, 1, 1, 2, 2])
    assert (leaf.low, leaf.high) == pytest.approx((expected.low, expected.high))


def test_a_single_cluster_has_no_interval_and_none_is_infinite():
    records = [record(i, score, COLOUR, cluster="one") for i, score in enumerate([0.25, 0.5])]
    records += [record(9, 0.75, COLOUR, ood=True)]
    for measure in roll_up(records):
        assert all(v is None or math.isfinite(v) for v in (measure.low, measure.high, measure.stderr))


def test_out_of_distribution_is_set_apart():
    records = [
        *[record(f"in{i}", float(i < 45), COLOUR, ood=False) for i in range(50)],
        *[record(f"untagged{i}", 1.0, COLOUR) for i in range(5)],
        *[record(f"out{i}", float(i < 10), COLOUR, ood=True) for i in range(20)],
        *[record(f"count{i}", 1.0, COUNT) for i in range(10)],
        *[record(f"box{i}", 0.0, BOX, ood=True) for i in range(10)],
    ]
    by_group = found(roll_up(records))
    assert by_group["accuracy", f"capability={COLOUR},ood=true"].value == 0.5
    gap = by_group[GAP, f"capability={COLOUR}"]
    inside, outside = (proportion_interval([1] * r + [0] * (n - r)) for r, n in ((50, 55), (10, 20)))
    expected = unpaired_difference(inside, outside)
    assert (gap.value, gap.low, gap.high, gap.n) == pytest.approx((expected.mean, expected.low, expected.high, 75))
    assert gap.high < 0
    whole = by_group["accuracy", "ood=false"], by_group["accuracy", "ood=true"]
    assert [(round(m.value * m.n), m.n) for m in whole] == [(60, 65), (10, 30)]
    assert by_group[GAP, ""].value == pytest.approx(10 / 30 - 60 / 65)
    for node in (COUNT, BOX):  # of one sort only: nothing to compare
        assert (GAP, f"capability={node}") not in by_group
        assert ("accuracy", f"capability={node},ood=true") not in by_group


def test_the_metric_is_the_first_or_the_one_asked_for():
    records = [record(1, 0.5, COLOUR, metric="iou"), record(2, 1.0, SHAPE, metric="iou")]
    assert roll_up(records)[0].metric == "iou"
    assert roll_up(records)[0].value == 0.75
    assert roll_up(records, "other")[0].value == 0
    assert roll_up(records, "missing")[0].value is None
    assert [(m.metric, m.value, m.n) for m in roll_up([])] == [("accuracy", None, 0)]


def test_the_table_and_the_heat_map():
    good = [record(f"{c}{i}", 1.0, c, ood=i % 2 == 0) for c in (COLOUR, BOX) for i in range(4)]
    bad = [record(f"{c}{i}", 0.0, c) for c in (COLOUR, COUNT) for i in range(4)]
    models = {"good": roll_up(good), "bad": roll_up(bad)}
    lines = capability_text(models["good"]).splitlines()
    assert lines[0].split() == ["n", "accuracy", "95%", "out", "of", "distribution", "gap"]
    assert lines[1].split() == ["all", "8", "1.000", "0.676-1.000", "1.000", "+0.000"]
    assert [line.split()[0] for line in lines[2:6]] == ["perception", "recognition", "colour", "object"]
    assert [len(line) - len(line.lstrip()) for line in lines[2:6]] == [2, 4, 6, 8]
    chart = heat_map(models, level=2)
    assert chart.rows == ("perception/recognition", "perception/counting", "spatial/grounding")
    assert chart.columns == ("good", "bad")
    values = [[cell and cell.value for cell in row] for row in chart.cells]
    assert values == [[1, 0], [None, 0], [1, None]]
    assert heat_map(models, level=1).rows == ("perception", "spatial")
    assert heat_map(models, level=4).rows == (COLOUR, COUNT, BOX)
    with pytest.raises(ValueError, match="levels 1 to 4"):
        heat_map(models, level=5)
