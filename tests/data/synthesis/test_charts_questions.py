"""Every question about a table is answered again by pandas, from the words of the question alone."""

from __future__ import annotations

import random
import re
from decimal import Decimal

import pandas as pd
import pytest

from vergence.data.synthesis.charts.data_tables import MEASURES, POOLS, draw_table, measures
from vergence.data.synthesis.charts.flow_graph import processes
from vergence.data.synthesis.charts.questions import TASKS, turn_of
from vergence.data.synthesis.charts.series_questions import TRENDS
from vergence.data.synthesis.charts.table_reader import Reader, plain
from vergence.verifiers.ground_truth import verify

TABLES = 150


def frame(table):
    """Rows by series, as floats."""
    return pd.DataFrame(
        {name: [float(v) for v in values] for name, values in zip(table.series, table.values, strict=True)},
        index=list(table.rows),
    )


def tables(language, count=TABLES):
    for seed in range(count):
        rng = random.Random(seed)
        series = (1, 1) if seed % 3 else (2, 4)
        table = draw_table(rng, "train" if seed % 4 else "heldout", language, series=series)
        yield table, Reader(table, rng, language, 2 * table.step, table.step)


def named(question, names):
    """The names that stand in a question, in its order; a longer name hides the shorter ones in it."""
    pattern = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    return re.findall(rf"(?<!\d)(?:{pattern})(?!\d)", question)


def column(table, question):
    found = named(question, table.series)
    return found[0] if len(table.series) > 1 else table.series[0]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_answers_are_those_of_pandas(language):
    seen = dict.fromkeys(TASKS, 0)
    for table, read in tables(language):
        data = frame(table)
        for task, ask in TASKS.items():
            asked = ask(read)
            if asked is None:
                continue
            question, answer = asked.question, asked.answer
            seen[task] += 1
            highest = "highest" in question or "最高" in question
            if task == "value":
                [row] = named(question, table.rows)
                assert float(answer) == data.loc[row, column(table, question)]
            elif task == "extreme":
                values = data[column(table, question)]
                assert answer == (values.idxmax() if highest else values.idxmin())
            elif task == "difference":
                rows, columns = named(question, table.rows), named(question, table.series)
                columns = columns if len(table.series) > 1 else [table.series[0]] * 2
                first, second = (data.loc[r, c] for r, c in zip(rows, columns, strict=True))
                assert float(answer) == pytest.approx(abs(first - second))
            elif task == "sum":
                values = data[column(table, question)]
                rows = named(question, table.rows)
                assert float(answer) == pytest.approx((values[rows] if rows else values).sum())
            elif task == "average":
                assert float(answer) == pytest.approx(data[column(table, question)].mean(), abs=0.00501)
            elif task == "count":
                limit = float(re.search(r"(?:above|below|高于|低于)([ \d.]+)", question)[1].rstrip("."))
                values = data[column(table, question)]
                over = "above" in question or "高于" in question
                assert int(answer) == ((values > limit) if over else (values < limit)).sum()
            elif task == "trend":
                signs = (data[column(table, question)].diff().dropna() > 0).tolist()
                runs = [sign for i, sign in enumerate(signs) if i == 0 or sign != signs[i - 1]]
                shape = {(True,): "rising", (False,): "falling", (True, False): "peak", (False, True): "valley"}.get(
                    tuple(runs), "mixed"
                )
                assert answer == TRENDS[shape][int(language == "zh")]
            elif task == "jump":
                changes = data[column(table, question)].diff()
                assert answer == (changes.idxmax() if "rise" in question or "上升" in question else changes.idxmin())
            elif task == "ranking":
                order = data[column(table, question)].nlargest(3).index
                assert re.split(", |，", answer) == list(order)
            elif task == "total":
                assert answer == data.sum().idxmax()
                assert ("higher" in question or "更高" in question) == (data.shape[1] == 2)
            elif task == "entries":
                assert int(answer) == data.shape[int("series" in question or "系列" in question)]
    assert all(count > TABLES / 20 for task, count in seen.items() if task != "comparison"), seen


@pytest.mark.parametrize("language", ["en", "zh"])
def test_comparisons_hold(language):
    kinds = set()
    for table, read in tables(language):
        asked = TASKS["comparison"](read)
        if asked is None:
            continue
        first, second = (frame(table).iloc[r, s] for s, r in asked.cells)
        if asked.answer in ("Yes", "No", "是", "否"):
            more = "higher" in asked.question or "高于" in asked.question
            assert (asked.answer in ("Yes", "是")) == (first > second if more else first < second)
        else:
            (s, r), (t, q) = asked.cells
            names = (table.series[s], table.series[t]) if r == q else (table.rows[r], table.rows[q])
            assert asked.answer == names[int(first < second)]
            assert named(asked.question, names)[-2:] == list(names)
        kinds.add(asked.answer in ("Yes", "No", "是", "否"))
    assert kinds == {True, False}


def test_every_form_is_right_by_its_check_and_a_wrong_answer_is_not():
    for table, read in tables("en", 60):
        for ask in TASKS.values():
            asked = ask(read)
            if asked is None:
                continue
            turn = turn_of(asked, read.rng, "en")
            assert verify(turn.check, turn.answer) == 1, turn
            if turn.check["verifier"] == "number":
                wrong = plain(Decimal(asked.answer) + 5 * len(table.rows) * table.step + 1)
                assert verify(turn.check, wrong) == 0, turn


def test_values_are_steps_and_the_splits_share_no_measure():
    assert {m.key for m in measures("train")} | {m.key for m in measures("heldout")} == {m.key for m in MEASURES}
    assert len(measures("heldout")) >= 4
    for table, _ in tables("en"):
        assert all(value % table.step == 0 and value > 0 for values in table.values for value in values)
        assert table.key in {m.key for m in measures("train")} | {m.key for m in measures("heldout")}
    assert "\u56de" not in str((MEASURES, POOLS, processes("heldout"))), "the held-out Chinese font has a square for it"
    for measure in MEASURES:
        assert set(measure.rows) | set(measure.series) <= set(POOLS)
