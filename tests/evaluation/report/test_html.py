"""The building blocks: a page that may load nothing, tables that sort, heat maps that can be read and told apart."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.evaluation.report.html import (
    BLANK,
    NOT_EVALUATED,
    STEPS,
    Cell,
    HeatRow,
    facts,
    heat_map,
    page,
    resource,
    script_data,
    section,
    shade,
    span,
    table,
)

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(1)>\"'\u2028\x00"
SHARES = st.floats(0, 1)


def cells(html: str) -> list[tuple[str, str]]:
    """The (attributes, content) of every <td>."""
    return re.findall(r"<td([^>]*)>(.*?)</td>", html)


def test_a_page_may_load_nothing_and_run_only_its_own_script():
    quiet = page("A <b>", "<p>text</p>")
    assert "<title>A &lt;b&gt;</title>" in quiet
    assert "<script" not in quiet
    assert "script-src" not in quiet
    loud = page("t", table(["a"], [["1"]], label="l"), "let own = 1;")
    scripts = re.findall(r"<script>(.*?)</script>", loud, re.DOTALL)
    assert len(scripts) == 1
    assert scripts[0].endswith("let own = 1;")
    assert "data-sortable" in scripts[0]
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', loud)
    assert policy is not None
    assert policy[1] == f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


@given(st.recursive(st.text() | st.just(EVIL), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_data_for_a_script_can_t_end_its_element(data):
    html = script_data("d", data)
    opening, closing = '<script type="application/json" id="d">', "</script>"
    inside = html.removeprefix(opening).removesuffix(closing)
    assert "<" not in inside
    assert ">" not in inside
    assert json.loads(inside) == data
    assert inside.encode()


def test_half_a_surrogate_pair_can_be_written():
    assert "\\ud800" in script_data("d", "\ud800").encode().decode()


def test_a_number_that_json_does_not_have_is_refused():
    with pytest.raises(ValueError, match="JSON"):
        script_data("d", float("nan"))


def test_tables_sort_by_values_and_not_by_what_is_written():
    rows = [["one", Cell("<b>9.0</b>", 0.09), NOT_EVALUATED], [EVIL, Cell("10.0", 0.1, "best"), Cell("x", EVIL)]]
    html = table(["name", "value", EVIL], rows, label=EVIL)
    assert "<table data-sortable>" in html
    assert html.count('<button type="button">') == 3
    assert '<td data-sort="0.09"><b>9.0</b></td>' in html
    assert '<td class="best" data-sort="0.1">10.0</td>' in html
    assert '<td class="missing" data-sort=""><span title="not evaluated">n/a</span></td>' in html
    assert html.count('<th scope="row">') == 2
    assert "<script>alert" not in html
    assert "<img" not in html
    assert '<th scope="col" class="left">' in html
    still = table(["name"], [["one"]], label="l", sortable=False)
    assert "button" not in still
    assert "data-sortable" not in still


def test_not_evaluated_does_not_look_like_zero_or_like_nothing():
    html = heat_map(["a"], ["x", "y", "z"], [[0.0, None, BLANK]], label="l")
    zero, missing, blank = cells(html)
    assert zero == (' class="h0" data-sort="0.0"', "0.0")
    assert missing == (' class="missing" data-sort="" title="not evaluated"', "<span>n/a</span>")
    assert blank == (' class="blank" data-sort=""', "")
    assert "not evaluated" in html.split("</table>")[1]
    assert "not evaluated" not in heat_map(["a"], ["x"], [[0.0]], label="l")


def test_the_legend_says_what_the_ends_of_the_colours_are():
    html = heat_map(["a", "b"], ["x"], [[0.234], [0.678]], label="l")
    assert ">20.0 <span" in html
    assert "</span> 70.0<" in html
    html = heat_map(["a", "b"], ["x"], [[3.0], [12.0]], label="l", form="{:.0f} m".format, lower_is_better=True)
    assert ">12 m <span" in html
    assert "</span> 3 m<" in html
    assert "lower is better" in html
    assert [attributes.split('"')[1] for attributes, _ in cells(html)] == ["h8", "h0"]


def test_a_map_of_levels_folds_and_one_without_sorts():
    rows = [HeatRow("top"), HeatRow("below", 1, "OOD", EVIL), HeatRow("other")]
    html = heat_map(rows, ["x"], [[0.1], [0.2], [0.3]], label="l", sortable=True)
    assert "data-folds" in html
    assert "data-sortable" not in html
    assert html.count('class="fold" aria-expanded="true"') == 1
    assert re.findall(r'<tr data-level="(\d)">', html) == ["0", "1", "0"]
    assert '<th scope="row" class="level1">' in html
    assert 'data-depth="2"' in html
    assert "<img" not in html
    assert "<abbr" in html
    flat = heat_map(["a"], ["x"], [[0.1]], label="l", corner="name", sortable=True)
    assert "data-sortable" in flat
    assert "data-folds" not in flat
    assert heat_map(["a"], ["x"], [[0.1]], label="l").count("button") == 0


def test_what_stands_over_and_in_a_cell_is_text():
    html = heat_map([EVIL], [EVIL], [[0.5]], label=EVIL, titles=[[EVIL]], form=lambda _: EVIL, corner=EVIL)
    assert "<img" not in html
    assert "<script" not in html
    assert "\x00" not in html


@given(SHARES, SHARES)
def test_shades_follow_values(a, b):
    steps = [shade(value, 0, 1) for value in (a, b)]
    assert all(0 <= step < STEPS for step in steps)
    assert (steps[0] <= steps[1]) is (a <= b) or steps[0] == steps[1]
    assert {shade(-5, 0, 1), shade(7, 0, 1)} == {0, STEPS - 1}
    assert shade(a, 0.5, 0.5) == STEPS // 2


@given(st.lists(st.none() | st.just(BLANK) | SHARES))
def test_the_ends_of_the_colours_are_around_the_values(values):
    low, high = span(values)
    known = [value for value in values if value is not None and value == value]
    assert low < high
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in known)
    assert not known or (low >= -1e-9 and high <= 1 + 1e-9)


def test_sections_and_facts_without_content_are_left_out():
    assert section("Title", "") == ""
    assert section("A & B", "x", level=3) == "<section><h3><bdi>A &amp; B</bdi></h3>x</section>\n"
    assert facts({"runs": ""}) == ""
    assert facts({"runs": "3", "tasks": ""}).count("<div>") == 1


CLICKS = """
  const seen = [];
  const column = () => [...document.querySelectorAll("[data-sortable] tbody th")].map((cell) => cell.textContent);
  const shown = (row) => row.hidden ? "0" : "1";
  const levels = () => [...document.querySelectorAll("[data-folds] tbody tr")].map(shown).join("");
  const [first, second] = document.querySelectorAll("[data-sortable] thead button");
  for (const button of [second, second, second, first]) {
    button.click();
    seen.push([...column(), button.closest("th").getAttribute("aria-sort")]);
  }
  const fold = document.querySelectorAll("button.fold");
  for (const button of [fold[1], fold[0], fold[0], fold[1], ...document.querySelectorAll("[data-depth]")]) {
    button.click();
    seen.push(levels());
  }
  document.body.append(Object.assign(document.createElement("pre"), { textContent: JSON.stringify(seen) }));
"""


def test_a_browser_sorts_and_folds(tmp_path, dom):
    values = {"b": 0.5, "c": None, "a": 0.25, "d": 10.0}
    rows = [[name, NOT_EVALUATED if value is None else Cell(str(value), value)] for name, value in values.items()]
    tree = [HeatRow("top"), HeatRow("middle", 1), HeatRow("leaf", 2), HeatRow("other", 1)]
    body = table(["name", "value"], rows, label="l") + heat_map(tree, ["x"], [[0.1]] * 4, label="m")
    (tmp_path / "page.html").write_text(page("t", body, CLICKS), encoding="utf-8")
    found = re.search(r"<pre>(.*?)</pre>", dom(tmp_path / "page.html"))
    assert found is not None
    assert json.loads(found[1]) == [
        ["d", "b", "a", "c", "descending"],
        ["a", "b", "d", "c", "ascending"],
        ["b", "c", "a", "d", None],
        ["d", "c", "b", "a", "descending"],
        "1101", "1000", "1101", "1111",
        "1000", "1101", "1111",
    ]  # fmt: skip


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb (WCAG 2.2)."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", [0, 1])
def test_every_shade_can_be_read_and_told_from_the_next_without_seeing_colour(scheme):
    """Text at least 4.5 to 1 (WCAG 2.2, 1.4.3); the shades' luminance alone orders them, in steps that show."""
    block = re.findall(r":root \{(.*?)\}", resource("report.css"), re.DOTALL)[scheme]
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block))
    levels = [luminance(colours[f"h{step}"]) for step in range(STEPS)]
    inks = [luminance(colours[f"i{step}"]) for step in range(STEPS)]
    for back, front in zip(levels, inks, strict=True):
        light, dark = max(back, front), min(back, front)
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    steps = [(max(a, b) + 0.05) / (min(a, b) + 0.05) for a, b in pairwise(levels)]
    assert levels == sorted(levels, reverse=scheme == 0)
    assert min(steps) > 1.2
