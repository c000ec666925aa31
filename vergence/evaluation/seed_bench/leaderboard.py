"""A leaderboard of one's own: one HTML page over many results, without any request to the network.

For each edition a table that sorts, with both averages and their intervals, and a heat map of dimensions by models.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vergence.evaluation.report.html import NOT_EVALUATED, Cell, HeatRow, heat_map, page, section, table, text
from vergence.evaluation.seed_bench.dimensions import AVERAGES, DIMENSIONS, EDITIONS, Edition
from vergence.evaluation.seed_bench.problems import Problem
from vergence.evaluation.seed_bench.scores import Count, counts_of, summary
from vergence.evaluation.seed_bench.tables import method_of
from vergence.evaluation.wording import interval

_TITLES = {"1": "SEED-Bench-1", "2": "SEED-Bench-2", "2-plus": "SEED-Bench-2-Plus", "h": "SEED-Bench-H"}
_KINDS = {"leaderboard_all": "All average", "leaderboard_task": "Task average"}


def leaderboard_page(results: Sequence[Mapping[str, Any]], *, zero: bool = False) -> str:
    """The whole page. With `zero` what was not evaluated counts as 0 in the tables, as on the public leaderboard.

    The heat maps always show it as not evaluated.
    """
    body = f"<h1>SEED-Bench</h1><p>{text(_introduction(zero))}</p>"
    for edition in EDITIONS:
        of_edition = [result for result in results if result["edition"] == edition]
        if of_edition:
            shown = [{**result, **summary(edition, counts_of(result), zero=zero)} for result in of_edition]
            body += section(_TITLES[edition], _tables(edition, shown) + _heat(edition, shown) + _problems(shown))
    return page("SEED-Bench leaderboard", body, wide=True)


def _introduction(zero: bool) -> str:
    absent = "counts as 0, as on the public leaderboard" if zero else "is left out of the averages"
    return (
        "Accuracy in percent. All: right answers over all answers of a group; Task: mean of the dimensions' accuracies "
        f"rounded to one decimal. A dimension that was not evaluated {absent}; an average with a star lacks some, "
        "which its tooltip names, as it does Wilson's interval at 95%. A click on a heading sorts."
    )


def _tables(edition: Edition, results: Sequence[Mapping[str, Any]]) -> str:
    """One table of each kind of average, in the public leaderboard's order of columns."""
    names = list(AVERAGES[edition])
    known = any(result["model"].get("language_model") for result in results)
    headings = ["Model", *(["Language model"] if known else []), "Method", "Answers", *names]
    body = ""
    for key, title in _KINDS.items():
        rows: list[list[Cell | str]] = [
            [
                str(result["model"].get("name", "")),
                *([str(result["model"].get("language_model", ""))] if known else []),
                method_of(result),
                _answers(edition, result),
                *(_average(result["averages"][name], key) for name in names),
            ]
            for result in results
        ]
        label = f"{_TITLES[edition]}: {title} by model"
        body += section(title, table(headings, rows, label=label, left=range(headings.index("Answers"))), level=3)
    return body


def _answers(edition: Edition, result: Mapping[str, Any]) -> Cell:
    """How many answers a row counts; over it, how many questions are published."""
    n = result["averages"]["Avg. All"]["n"]
    published = [dimension.count for dimension in DIMENSIONS[edition].values()]
    over = f' title="of {sum(filter(None, published)):,} questions"' if None not in published else ""
    return Cell(f"<span{over}>{n:,}</span>", n)


def _average(found: Mapping[str, Any], key: str) -> Cell:
    value = found[key]
    if value is None:
        return NOT_EVALUATED
    over = f"{found['correct']} of {found['n']}"
    if found["low"] is not None and key == "leaderboard_all":
        over += f", {interval(found['low'] / 100, found['high'] / 100)}"
    star = "*" if found["not_evaluated"] else ""
    if star:
        over += f", without dimensions {', '.join(map(str, found['not_evaluated']))}"
    return Cell(f'<span title="{over}">{value:.1f}{star}</span>', value)


def _heat(edition: Edition, results: Sequence[Mapping[str, Any]]) -> str:
    """Parts and their dimensions by models; nothing where no result tells its dimensions."""
    if not any(found["n"] for result in results for found in result["dimensions"]):
        return ""
    rows: list[HeatRow] = []
    cells: list[list[Count]] = []
    counts = [counts_of(result) for result in results]
    dimensions = DIMENSIONS[edition]
    for part in dict.fromkeys(dimension.part for dimension in dimensions.values()):
        members = [number for number, dimension in dimensions.items() if dimension.part == part]
        rows.append(HeatRow(part or "Few-shot and others"))
        cells.append([sum((found.get(number, Count()) for number in members), Count()) for found in counts])
        for number in members:
            rows.append(HeatRow(f"{number} {dimensions[number].name}", 1))
            cells.append([found.get(number, Count()) for found in counts])
    heat = heat_map(
        rows,
        [str(result["model"].get("name", "")) for result in results],
        [[None if count.accuracy is None else count.accuracy / 100 for count in line] for line in cells],
        label=f"{_TITLES[edition]}: dimensions by model",
        corner="Dimension",
        scale=(0.0, 1.0),
        titles=[[_title(count) for count in line] for line in cells],
    )
    return section("Parts and dimensions", heat, level=3)


def _title(count: Count) -> str:
    if count.interval is None:
        return "not evaluated"
    low, high = count.interval
    return f"{count.correct} of {count.n}, {interval(low / 100, high / 100)}"


def _problems(results: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(
        f"<li>{text(result['model'].get('name', ''))}: {text(_line(problem))}</li>"
        for result in results
        for problem in result.get("problems", ())
    )
    return section("What was wrong with the files", f"<ul>{items}</ul>", level=3) if items else ""


def _line(problem: Mapping[str, Any]) -> str:
    """A problem on one line; that of a run is a text which counts by itself."""
    if problem["count"] is None:
        return str(problem["kind"])
    return str(Problem(problem["kind"], problem["count"], tuple(problem["examples"])))
