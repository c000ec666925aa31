"""Reading of tables in three languages, against pandas where it reads them, and the share of equal cells."""

from __future__ import annotations

import io
import random
import string

import pytest

from vergence.verifiers.ground_truth import verify
from vergence.verifiers.tables import read_table, table_score

ROWS = [["City", "Visitors", "Share"], ["Oslo", "1,200", "40%"], ["Lima", "900", "60%"]]
MARKDOWN = "| City | Visitors | Share |\n|---|---:|:-:|\n| Oslo | 1,200 | 40% |\n| Lima | 900 | 60% |"
HTML = (
    "<table><thead><tr><th>City</th><th>Visitors</th><th>Share</th></tr></thead><tbody>"
    "<tr><td>Oslo</td><td>1,200</td><td>40%</td></tr><tr><td>Lima<td>900<td>60%</tr></tbody></table>"
)
LATEX = (
    r"\begin{tabular}{l|r@{\,}r} \toprule City & \textbf{Visitors} & Share \\ \midrule Oslo & 1,200 & 40\% \\"
    "\n"
    r"Lima & $900$ & 60\% \\[2pt] \bottomrule \end{tabular}"
)


@pytest.mark.parametrize("text", [MARKDOWN, HTML, LATEX, f"Here it is:\n```\n{MARKDOWN}\n```\nDone | not a row"])
def test_a_table_is_read_in_every_language(text):
    assert read_table(text) == ROWS
    assert table_score(text, ROWS) == 1
    assert verify({"verifier": "table", "target": ROWS}, text) == 1


def test_wrong_missing_and_added_cells_cost_their_share():
    assert table_score(MARKDOWN.replace("900", "901"), ROWS) == pytest.approx(8 / 9)
    assert table_score("\n".join(MARKDOWN.splitlines()[:3]), ROWS) == pytest.approx(6 / 9)
    assert table_score(MARKDOWN + "\n| Rome | 1 | 2 |", ROWS) == pytest.approx(9 / 12)
    swapped = [ROWS[0], ROWS[2], ROWS[1]]
    assert table_score(MARKDOWN, swapped) == pytest.approx(3 / 9)
    assert table_score("no table at all", ROWS) == 0
    assert table_score("", ROWS) == 0


def test_numbers_may_differ_by_the_tolerance_only():
    off = MARKDOWN.replace("900", "936")
    assert table_score(off, ROWS, 0.05) == 1
    assert table_score(off, ROWS, 0.03) == pytest.approx(8 / 9)
    assert verify({"verifier": "table", "target": ROWS, "tolerance": 0.05}, off) == 1
    assert table_score(MARKDOWN.replace("1,200", "1200"), ROWS) == 1, "a thousands separator changes no number"
    assert table_score(MARKDOWN.replace("900", "-900"), ROWS, 0.05) == pytest.approx(8 / 9)
    assert table_score(MARKDOWN.replace("Oslo", "Osla"), ROWS, 0.5) == pytest.approx(8 / 9)


def test_spanned_cells_stand_in_all_that_they_cover():
    expected = [["Name", "Plan", "Plan"], ["Name", "a", "b"], ["x", "1", "2"]]
    html = (
        '<table><tr><th rowspan="2">Name</th><th colspan=2>Plan</th></tr><tr><th>a</th><th>b</th></tr>'
        "<tr><td>x</td><td>1</td><td>2</td></tr></table>"
    )
    latex = (
        r"\begin{tabular}{lrr}\multirow{2}{*}{Name} & \multicolumn{2}{c}{Plan} \\ \cmidrule(lr){2-3} & a & b \\"
        r" x & 1 & 2 \\ \end{tabular}"
    )
    assert read_table(html) == expected
    assert read_table(latex) == expected
    at_end = '<table><tr><td>a</td><td rowspan="3">b</td></tr><tr><td>c</td></tr><tr><td>d</td></tr></table>'
    assert read_table(at_end) == [["a", "b"], ["c", "b"], ["d", "b"]]


def test_entities_escapes_and_breaks():
    assert read_table("<table><tr><td>a &amp; b<br>c</td></tr></table>") == [["a & b c"]]
    assert read_table(r"\begin{tabular}{l} a \& b \\ \end{tabular}") == [["a & b"]]
    assert read_table(r"\begin{tabular}{l} \$5\_0 \\ \end{tabular}") == [["$5_0"]]
    assert read_table("| a \\| b | c |\n|---|---|") == [["a | b", "c"]]


def test_random_html_is_read_as_pandas_reads_it():
    """With spans: pandas repeats spanned cells, too."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("lxml")
    for seed in range(60):
        rng = random.Random(seed)
        height, width = rng.randint(1, 5), rng.randint(1, 5)
        free = {(r, c) for r in range(height) for c in range(width)}
        lines = []
        for r in range(height):
            cells = []
            for c in range(width):
                if (r, c) not in free:
                    continue
                down, across = rng.randint(1, min(2, height - r)), rng.randint(1, min(2, width - c))
                block = {(r + i, c + j) for i in range(down) for j in range(across)}
                if not block <= free:
                    down = across = 1
                    block = {(r, c)}
                free -= block
                text = "".join(rng.choices(string.ascii_letters, k=5))
                cells.append(f'<td rowspan="{down}" colspan="{across}">{text}</td>')
            lines.append(f"<tr>{''.join(cells)}</tr>")
        html = f"<table>{''.join(lines)}</table>"
        if "<tr></tr>" in html:  # a row that only spans fill: pandas drops it
            continue
        [frame] = pandas.read_html(io.StringIO(html), header=None, keep_default_na=False)
        assert read_table(html) == frame.astype(str).values.tolist(), html


def test_garbage_is_read_without_an_error():
    rng = random.Random(0)
    pieces = [
        "<table>",
        "</td>",
        "<tr>",
        '<td rowspan="9999999999">',
        "|",
        "-",
        "\n",
        r"\\",
        "&",
        "{",
        "}",
        "x",
        "<",
        ">",
    ]
    pieces += [r"\begin{tabular}", r"\end{tabular}", r"\multicolumn{3}{c}{", r"\multirow", "²", "٣", '<td colspan="x">']
    for _ in range(400):
        text = "".join(rng.choices(pieces, k=rng.randint(0, 25)))
        assert 0 <= table_score(text, ROWS) <= 1
