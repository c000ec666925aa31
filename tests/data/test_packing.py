"""Best-fit packing: every sample whole, once, inside the budget; and little of the budget wasted."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.data.packing import BestFitPacker, Row, utilisation

BUDGET = 40
LENGTHS = st.lists(st.integers(1, BUDGET), max_size=80)
OPEN_ROWS = st.integers(1, 6)


def pack_all(packer: BestFitPacker[int], lengths: list[int]) -> list[Row[int]]:
    """Add the items 0, 1, ... and return all rows, finished ones first."""
    rows = [row for i, length in enumerate(lengths) if (row := packer.add(i, length)) is not None]
    return rows + packer.flush()


@given(LENGTHS, OPEN_ROWS)
def test_nothing_is_lost_doubled_or_split_and_the_budget_holds(lengths, open_rows):
    rows = pack_all(BestFitPacker(BUDGET, open_rows), lengths)
    assert sorted(i for row in rows for i in row.items) == list(range(len(lengths)))
    for row in rows:
        assert row.items, "no row is empty"
        assert row.lengths == [lengths[i] for i in row.items]
        assert row.tokens == sum(row.lengths) <= BUDGET


@given(LENGTHS, OPEN_ROWS)
def test_an_item_goes_where_it_fits_best(lengths, open_rows):
    packer: BestFitPacker[int] = BestFitPacker(BUDGET, open_rows)
    for i, length in enumerate(lengths):
        before = [(row, row.tokens) for row in packer.rows]
        room = [tokens for _, tokens in before if tokens + length <= BUDGET]
        finished = packer.add(i, length)
        (home,) = [row for row in packer.rows if i in row.items]
        if room:
            assert finished is None, "no row leaves while there is room"
            assert home.tokens - length == max(room), "the fullest row that still has room"
        else:
            assert home.items == [i], "a new row"
            assert (finished is not None) == (len(before) == open_rows)
        if finished is not None:
            assert finished.tokens == max(tokens for _, tokens in before), "the fullest row leaves"
            assert all(finished is not row for row in packer.rows)
        assert len(packer.rows) <= open_rows


@given(LENGTHS, OPEN_ROWS)
def test_the_same_items_give_the_same_rows(lengths, open_rows):
    one, two = (pack_all(BestFitPacker(BUDGET, open_rows), lengths) for _ in range(2))
    assert one == two


def test_flush_empties_the_packer_fullest_row_first():
    packer: BestFitPacker[str] = BestFitPacker(10, 3)
    for name, length in (("a", 6), ("b", 9), ("c", 7)):
        assert packer.add(name, length) is None
    assert [row.items for row in packer.flush()] == [["b"], ["c"], ["a"]]
    assert packer.flush() == []


@pytest.mark.parametrize("seed", range(3))
def test_utilisation_reaches_97_percent_on_realistic_lengths(seed):
    """Pictures of 84 to 224 pixels with dialogues of one to four turns, in rows of 2,048 and of 1,024 tokens."""
    rng = random.Random(seed)

    def length() -> int:
        image = rng.randint(3, 8) * (rng.randint(3, 8) + 1) + 2 if rng.random() < 0.85 else 0
        return 2 + image + sum(round(rng.lognormvariate(2.9, 0.6)) + 6 for _ in range(rng.randint(1, 4)))

    lengths = [length() for _ in range(4000)]
    for budget in (1024, 2048):
        packer: BestFitPacker[int] = BestFitPacker(budget)
        finished = [row for i, n in enumerate(lengths) if (row := packer.add(i, n)) is not None]
        assert len(finished) > 50
        assert utilisation(finished, budget) >= 0.97


def test_utilisation_is_the_share_that_holds_tokens():
    assert utilisation([Row([1, 2], [3, 4]), Row([3], [8])], 10) == 0.75
    assert utilisation([], 10) == 0.0


@pytest.mark.parametrize("length", [0, -1, 11])
def test_an_item_that_no_row_can_hold_is_refused_and_changes_nothing(length):
    packer: BestFitPacker[str] = BestFitPacker(10)
    packer.add("a", 4)
    with pytest.raises(ValueError, match=f"an item of {length} tokens doesn't fit a row of 10"):
        packer.add("b", length)
    assert [row.items for row in packer.rows] == [["a"]]


@pytest.mark.parametrize(("budget", "open_rows"), [(0, 1), (5, 0)])
def test_impossible_settings_are_refused(budget, open_rows):
    with pytest.raises(ValueError, match="must be positive"):
        BestFitPacker(budget, open_rows)
