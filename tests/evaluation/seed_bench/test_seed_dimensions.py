"""The dimensions' table: published counts, the leaderboard's columns, levels, and what is a SEED-Bench."""

from __future__ import annotations

import pytest

from vergence.errors import UsageError
from vergence.evaluation.seed_bench.dimensions import (
    AVERAGES,
    DIMENSIONS,
    LEVELS,
    PARTS,
    VERSION_1,
    VERSION_2,
    VERSION_2_PLUS,
    at_level,
    edition_of,
)
from vergence.evaluation.seed_bench.tables import columns


def test_counts_are_the_published_sums():
    assert sum(d.count for d in VERSION_1) == 19242
    assert sum(d.count for d in VERSION_1[:9]) == 14233
    assert sum(d.count for d in VERSION_2) == 24371
    assert sum(d.count for d in VERSION_2_PLUS) == 2277


def test_numbers_are_consecutive_and_lead_to_the_other_version():
    assert [d.id for d in VERSION_1] == list(range(1, 13))
    assert [d.id for d in VERSION_2] == list(range(1, 28))
    assert list(DIMENSIONS["h"]) == list(range(1, 35))
    for dimension in VERSION_1:
        other = DIMENSIONS["2"][dimension.other]
        assert (other.name, other.other) == (dimension.name, dimension.id)
    assert [d.other for d in VERSION_2 if d.other is None].__len__() == 27 - 12


def test_columns_stand_in_the_leaderboards_order():
    assert columns("1")[:7] == [
        *("Model Type", "Model", "Language Model", "Evaluation Method"),
        *("Avg. All", "Avg. Img", "Avg. Video"),
    ]
    assert columns("1")[7:] == [
        *("Scene Understanding", "Instance Identity", "Instance Attribute", "Instance Location", "Instance Counting"),
        *("Spatial Relation", "Instance Interaction", "Visual Reasoning", "Text Recognition", "Action Recognition"),
        *("Action Prediction", "Procedure Understanding"),
    ]
    assert columns("2")[:9] == [
        *("Model", "Language Model", "Evaluation Method"),
        *("Avg. Single", "Avg. Multi", "Avg. Video", "Avg. P1", "Avg. P2", "Avg. P3"),
    ]
    assert len(columns("2")) == 9 + 27
    assert columns("2")[9 + 20] == "Action Predicion"


def test_levels_are_cumulative_and_averages_cover_the_parts():
    assert at_level("2", "L1") == AVERAGES["2"]["Avg. P1"]
    assert at_level("2", "L2") == tuple(range(1, 25))
    assert at_level("2", "L3") == tuple(range(1, 28))
    assert {d.part for d in VERSION_2} == set(PARTS)
    assert {d.level for d in VERSION_2} == set(LEVELS)
    assert [d.id for d in VERSION_2 if d.answers_with_image] == [25, 26, 27]


@pytest.mark.parametrize(("name", "edition"), [("seed-bench-2", "2"), ("2-PLUS", "2-plus"), ("SEED-Bench-H", "h")])
def test_an_edition_is_found_by_its_name(name, edition):
    assert edition_of(name) == edition


def test_another_name_is_refused_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'seed-bench-2-plus'"):
        edition_of("seed-bench-2plus")
