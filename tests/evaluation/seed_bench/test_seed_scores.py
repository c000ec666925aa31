"""Averages and their rounding, and the difference between not evaluated and zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.seed_bench.dimensions import AVERAGES, DIMENSIONS
from vergence.evaluation.seed_bench.scores import Count, average, counts_of, groups, summary
from vergence.evaluation.statistics import wilson

COUNTS = st.dictionaries(
    st.integers(1, 27),
    st.integers(1, 5000).flatmap(lambda n: st.builds(Count, st.just(n), st.integers(0, n))),
    max_size=27,
)


@given(COUNTS)
def test_averages_equal_the_leaderboards_formulas(counts):
    found = summary("2", counts)["averages"]
    for name, dimensions in AVERAGES["2"].items():
        there = [counts[d] for d in dimensions if d in counts]
        if not there:
            assert found[name]["micro"] is found[name]["leaderboard_all"] is found[name]["leaderboard_task"] is None
            continue
        right, total = sum(c.correct for c in there), sum(c.n for c in there)
        assert found[name]["leaderboard_all"] == round(100 * right / total, 1)
        rounded = [round(100 * c.correct / c.n, 1) for c in there]
        assert found[name]["leaderboard_task"] == round(sum(rounded) / len(rounded), 1)
        assert found[name]["micro"] == pytest.approx(100 * right / total)
        assert found[name]["macro"] == pytest.approx(sum(100 * c.correct / c.n for c in there) / len(there))


@given(COUNTS)
def test_the_zero_switch_counts_what_was_not_evaluated(counts):
    for name, dimensions in AVERAGES["2"].items():
        found = average(counts, dimensions, zero=True)
        rounded = [round(100 * counts[d].correct / counts[d].n, 1) if d in counts else 0.0 for d in dimensions]
        assert found.task == round(sum(rounded) / len(rounded), 1), name
        assert found.all is not None


def test_task_average_is_of_rounded_accuracies():
    counts = {23: Count(3, 1), 24: Count(7, 3)}  # 33.333 and 42.857 -> 33.3 and 42.9
    found = average(counts, (23, 24))
    assert (found.task, found.all) == (38.1, 40.0)
    assert found.macro == pytest.approx((100 / 3 + 300 / 7) / 2)


def test_not_evaluated_is_not_zero():
    counts = {23: Count(4, 0)}
    without, with_zero = summary("2", counts), summary("2", counts, zero=True)
    by = {d["id"]: d for d in without["dimensions"]}
    assert (by[23]["leaderboard"], by[24]["leaderboard"]) == (0.0, None)
    assert {d["id"]: d["leaderboard"] for d in with_zero["dimensions"]}[24] == 0.0
    assert without["averages"]["Avg. P2"]["not_evaluated"] == [24]
    assert without["averages"]["Avg. P3"]["leaderboard_all"] is None
    assert with_zero["averages"]["Avg. P3"]["leaderboard_all"] == 0.0


def test_intervals_are_wilsons():
    (found,) = [d for d in summary("2", {5: Count(50, 20)})["dimensions"] if d["id"] == 5]
    low, high = wilson(20, 50)
    assert (found["low"], found["high"]) == (100 * low, 100 * high)


def test_groups_are_parts_levels_and_the_leaderboards():
    found = groups("2")
    assert found["up to L2"] == tuple(range(1, 25))
    assert found["Video & Text Comprehension"] == (19, 20, 21, 22)
    assert found["Avg. All"] == tuple(DIMENSIONS["2"])
    assert list(groups("2-plus")) == ["Avg. All"]


def test_kinds_count_for_their_groups_without_a_mean_over_dimensions():
    counts = {"image": Count(10, 6), "video": Count(5, 1)}
    found = summary("1", counts)
    assert [found["averages"][name]["leaderboard_all"] for name in AVERAGES["1"]] == [46.7, 60.0, 20.0]
    assert all(found["averages"][name]["macro"] is None for name in AVERAGES["1"])
    assert counts_of(found) == counts


@given(COUNTS)
def test_a_summary_tells_its_counts(counts):
    assert counts_of(summary("2", counts)) == counts
