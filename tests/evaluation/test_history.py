"""What is read from `metrics.jsonl`, also of runs that were killed and resumed."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.history import read_metrics, scores_of, smooth, stages_of, thin
from vergence.evaluation.report.charts import Band, Curve, Scale, interval_strip, line_chart, scale_of
from vergence.evaluation.scores import Score
from vergence.evaluation.wording import compact, duration, percent, scientific, short

FLOATS = st.floats(-1e6, 1e6)


def train(stage: str, step: int, **fields) -> dict:
    return {"kind": "train", "stage": stage, "step": step, "tokens": 100 * step, "loss": 1.0 / step, **fields}


def test_a_truncated_last_line_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [json.dumps(train("a", step)) for step in (1, 2, 3)]
    whole = "\n".join(lines) + "\n"
    for end in range(len(whole)):
        path.write_bytes(whole.encode()[:end])
        records = read_metrics(path)
        assert [r["step"] for r in records] == [1, 2, 3][: len(records)]
        assert len(records) >= whole[:end].count("\n")


def test_lines_that_are_no_objects_are_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'\n[1]\n"x"\n\xff\xfe\n{"kind": "train"}\n{"kind": "other"}')
    assert read_metrics(path) == [{"kind": "train"}, {"kind": "other"}]
    assert read_metrics(tmp_path / "none.jsonl") == []


def test_after_a_resume_the_line_written_last_counts():
    first = [train("a", step, lr=1.0) for step in (1, 2, 3, 4)]
    again = [train("a", step, lr=2.0) for step in (3, 4, 5)]
    (stage,) = stages_of([*first, *again])
    assert stage.curve("lr") == [(100, 1.0), (200, 1.0), (300, 2.0), (400, 2.0), (500, 2.0)]


def test_stages_keep_their_order_and_their_own_records():
    records = [
        train("encoder", 1),
        {"kind": "heldout", "stage": "encoder", "step": 1, "tokens": 100, "loss": 3.0},
        {"kind": "skipped", "stage": "encoder", "reason": "too long", "count": 2},
        {"kind": "skipped", "stage": "encoder", "reason": "too long", "count": 5},
        {"kind": "skipped", "stage": "encoder", "reason": "broken", "count": 0},
        train("align", 1, loss=None),
        {"kind": "note", "stage": "other"},
    ]
    encoder, align = stages_of(records)
    assert (encoder.name, align.name) == ("encoder", "align")
    assert encoder.curve("loss", heldout=True) == [(100, 3.0)]
    assert encoder.skipped == {"too long": 5}
    assert align.curve("loss") == []
    assert align.last("loss") is None
    assert align.mean("loss") is None
    assert stages_of([]) == []


@pytest.mark.parametrize("value", [None, "1", math.nan, math.inf, True, [1]])
def test_what_is_no_finite_number_is_no_point(value):
    (stage,) = stages_of([train("a", 1, loss=value), train("a", 2)])
    assert stage.curve("loss") == [(200, 0.5)]


def test_scores_of_the_file_replace_those_of_the_same_stage():
    early, late = Score("digit", True, 60, 0.5, 0.4, 0.6), Score("digit", True, 300, 0.6, 0.5, 0.7)
    records = [
        {"kind": "scores", "stage": "align", "scores": [early.to_json("align")]},
        {"kind": "scores", "stage": "instruct", "scores": [early.to_json("instruct"), {"task": "broken"}, 3]},
        {"kind": "scores", "stage": "empty", "scores": []},
    ]
    measured = scores_of(records, [late.to_json("instruct")])
    assert {stage: [s["n"] for s in scores] for stage, scores in measured.items()} == {"align": [60], "instruct": [300]}
    assert list(measured) == ["align", "instruct"]


@given(st.lists(st.tuples(FLOATS, FLOATS), min_size=1, max_size=50), st.integers(1, 20))
def test_thinning_keeps_the_range_and_the_number(points, most):
    thinned = thin(points, most)
    assert len(thinned) == min(len(points), most)
    assert min(y for _, y in points) - 1e-6 <= min(y for _, y in thinned)
    assert max(y for _, y in thinned) <= max(y for _, y in points) + 1e-6


@given(FLOATS, st.integers(1, 60), st.floats(1, 30))
def test_the_average_of_a_constant_is_the_constant(value, count, span):
    smoothed = smooth([(float(x), value) for x in range(count)], span)
    assert [y for _, y in smoothed] == pytest.approx([value] * count)


def test_an_average_over_one_point_changes_nothing():
    points = [(0.0, 3.0), (1.0, -2.0), (2.0, 5.0)]
    assert smooth(points, 1) == points


@given(st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=30), st.booleans(), st.booleans())
def test_an_axis_holds_its_values_and_its_ticks(values, log, zero):
    axis = scale_of(values, log=log, zero=zero)
    assert axis.low < axis.high
    assert all(axis.low <= value <= axis.high for value in values)
    assert all(0 <= axis.share(value) <= 1 for value in [*values, *axis.ticks()])
    assert 1 <= len(axis.ticks()) <= 12


def test_ticks_are_round():
    assert Scale(0, 1).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Scale(0.05, 6, log=True).ticks() == pytest.approx([0.1, 0.3, 1, 3])
    assert Scale(0.3, 6, log=True).ticks() == pytest.approx([0.5, 1, 2, 5])


def test_a_chart_without_points_is_nothing():
    assert line_chart("Loss", [], []) == ""
    assert line_chart("Loss", [Curve("training", "blue", [[]])], [Band("1 a", 0, 10)]) == ""


def test_a_chart_is_broken_between_stages_and_says_what_it_shows():
    curve = Curve("training", "blue", [[(0, 4.0), (10, 2.0)], [(10, 3.0), (20, 1.0)]])
    chart = line_chart("Loss", [curve], [Band("1 a", 0, 10), Band("2 <b>", 10, 20)])
    assert 'aria-label="Loss over tokens: training from 4 to 1"' in chart
    assert chart.count("M0.0") == 1
    assert chart.count("M500.0") == 1
    assert "2 &lt;b&gt;" in chart


def test_a_strip_places_its_marks_in_percent():
    strip = interval_strip([("blue", 0.9, 0.85, 0.95)], "digit: 90%")
    assert 'cx="90.00%"' in strip
    assert 'x1="85.00%" x2="95.00%"' in strip
    assert 'aria-label="digit: 90%"' in strip


@pytest.mark.parametrize(
    ("number", "long", "brief"),
    [(0, "0", "0"), (7, "7", "7"), (999.4, "999", "999"), (999.9, "1.00 k", "1 k"), (12345, "12.3 k", "12.3 k"),
     (2_000_000, "2.00 M", "2 M"), (531_600_000, "532 M", "532 M"), (3.1e9, "3.10 G", "3.1 G"),
     (-1500, "-1.50 k", "-1.5 k")],
)  # fmt: skip
def test_counts(number, long, brief):
    assert (compact(number), short(number)) == (long, brief)


def test_shares_durations_and_small_numbers():
    assert [percent(x) for x in (0, 1e-6, 0.5, 0.9999, 1)] == ["0.0%", "0.1%", "50.0%", "99.9%", "100.0%"]
    assert [duration(x) for x in (0, 59.6, 120, 5400, 7500)] == ["0 s", "60 s", "2.0 min", "90.0 min", "2 h 05 min"]
    assert [scientific(x) for x in (0, 1e-3, 2.5e-4)] == ["0", "1e-3", "2.5e-4"]
