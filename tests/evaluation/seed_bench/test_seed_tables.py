"""The leaderboard's CSV files and the page over many results."""

from __future__ import annotations

import csv
import io
import re

import pytest

from vergence.errors import UsageError
from vergence.evaluation.seed_bench.leaderboard import leaderboard_page
from vergence.evaluation.seed_bench.scores import Count, summary
from vergence.evaluation.seed_bench.tables import columns, csv_text, scores_row, write_tables


def result(edition, counts, **model):
    return {"task": f"seed-bench-{edition}", "model": model, **summary(edition, counts), "problems": []}


FIRST = result("2", {1: Count(3, 2), 5: Count(8, 7), 23: Count(9, 4)}, name="<b>First", language_model="LM-7B")
SECOND = result("2", {1: Count(4, 1)}, name="Second", evaluation_method="Generate")
OLD = result("1", {"image": Count(10, 6), "video": Count(5, 1)}, name="Old", type="Other", evaluation_method="PPL")


def rows(text):
    return list(csv.DictReader(io.StringIO(text)))


def test_a_row_a_model_in_the_official_order():
    text = csv_text([FIRST, SECOND])
    assert text.splitlines()[0] == ",".join(columns("2"))
    first, second = rows(text)
    assert first["Model"] == "<b>First"
    assert (first["Avg. Single"], first["Avg. P2"], first["Avg. P3"], first["Scene Understanding"]) == (
        *("81.8", "44.4", ""),
        "66.7",
    )
    assert (first["Evaluation Method"], second["Evaluation Method"]) == ("NG", "Generate")
    assert rows(csv_text([FIRST], "task"))[0]["Avg. Single"] == "77.1"  # of 66.7 and 87.5
    assert csv_text([FIRST], "task").splitlines()[0] == text.splitlines()[0]


def test_the_zero_switch_fills_cells_and_counts_in_task_averages():
    row = scores_row(FIRST, "task", zero=True)
    assert row["Avg. P2"] == 22.2  # 44.4 and 0
    assert row["Avg. Single"] == round((66.7 + 87.5) / 16, 1)
    assert (row["Avg. P3"], row["Text-Image Creation"]) == (0.0, 0.0)
    assert scores_row(FIRST, "all", zero=True)["Avg. P2"] == 44.4


def test_all_official_files_are_written(tmp_path):
    written = write_tables(tmp_path / "tables", [FIRST, OLD, SECOND])
    assert [path.name for path in written] == ["result.csv", "result_task.csv", "result_v2.csv", "result_v2_task.csv"]
    (old,) = rows(written[0].read_text())
    assert (old["Model Type"], old["Avg. All"], old["Avg. Img"], old["Avg. Video"]) == ("Other", "46.7", "60.0", "20.0")
    assert old["Scene Understanding"] == ""
    assert len(rows(written[2].read_text())) == 2


def test_editions_are_not_mixed():
    with pytest.raises(UsageError, match="one SEED-Bench, not of 1, 2"):
        csv_text([FIRST, OLD])
    with pytest.raises(UsageError, match="none"):
        csv_text([])


def test_the_page_holds_everything_and_asks_for_nothing():
    broken = {**SECOND, "problems": [{"kind": "duplicate <id>", "count": 8, "examples": []}]}
    html = leaderboard_page([FIRST, broken, OLD])
    assert "<b>First" not in html
    assert "&lt;b&gt;First" in html
    assert "duplicate &lt;id&gt;" in html
    assert not re.search(r"(?:src|href)\s*=|https?://|@import|url\(", html)
    for piece in (
        "SEED-Bench-1",
        "SEED-Bench-2",
        "data-sortable",
        "Instances Counting",
        "not evaluated",
        "81.8",
        "2 of 3",
    ):
        assert piece in html, piece
    assert html.count('class="heat"') == 1  # the old result tells no dimensions
    assert "prefers-color-scheme" in html
    assert "22.2" in leaderboard_page([FIRST], zero=True)
    assert "Language model" not in leaderboard_page([SECOND])
    assert "without dimensions 24" in html
    assert re.search(r">44\.4\*<", html)  # an average that lacks a dimension says so
