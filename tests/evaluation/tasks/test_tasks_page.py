"""What docs/tasks.md says about the code: its tables, its example, and what harnesses make of the same answers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from vergence.conversation import ImagePart
from vergence.evaluation.metrics.registry import METRICS
from vergence.evaluation.task import LETTERS, Sample
from vergence.evaluation.tasks import declaration as sections
from vergence.evaluation.tasks.catalogue import available, suites
from vergence.verifiers.choice import DECISION_TABLE, ChoiceReading, read_choice

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tasks.md").read_text(encoding="utf-8")
ANIMALS = ("dog", "rabbit", "cat", "horse")


def rows(heading: str, first: str) -> list[list[str]]:
    """The cells of the table below a heading whose head begins with that cell."""
    below = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    head = below.index(f"\n| {first} |") + 1
    lines = below[head:].partition("\n\n")[0].splitlines()
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


def names(text: str) -> list[str]:
    """What is in backticks."""
    return re.findall(r"`([^`]+)`", text)


def paragraph(start: str) -> str:
    """The only paragraph that begins so."""
    (found,) = [text for text in PAGE.split("\n\n") if text.startswith(start)]
    return found


def test_the_decision_table_is_that_of_the_code():
    table = [[cell.strip("`") for cell in row] for row in rows("Which option an answer names", "rule")]
    assert table == [[rule.name, rule.reads, rule.example.replace("\n", "⏎")] for rule in DECISION_TABLE]
    read = [read_choice(example.replace("⏎", "\n"), ANIMALS[:3]) for _, _, example in table]
    assert read == [ChoiceReading(1, name) for name, _, _ in table]


def test_the_metric_table_has_every_metric_once_with_its_parameters():
    table = rows("Metrics", "metric")
    listed = [name for row in table for name in names(row[0])]
    assert sorted(listed) == sorted(METRICS)
    assert [row for row in table if not row[1] or not row[2]] == []
    places, judge = (
        set(names(paragraph(start))) for start in ("`box`, `boxes` and `click` also take", "A judge is named")
    )
    for metric in METRICS.values():
        (row,) = [row for row in table if metric.name in names(row[0])]
        more = judge if metric.judges else places if metric.name in ("box", "boxes", "click") else set()
        assert set(metric.parameters.model_fields) - set(names(row[1])) - more == set(), metric.name


def test_the_keys_of_a_declaration_are_all_described():
    described: dict[str, list[str]] = {}
    section = ""
    for first, keys, meaning in rows("A task of one's own", "section"):
        section = first.strip("`") or section
        described.setdefault(section, []).extend(names(keys))
        assert meaning
    expected = {
        "data": sections.DataSection,
        "fields": sections.FieldsSection,
        "fields.media": sections.MediaSection,
        "prompt": sections.PromptSection,
        "options": sections.OptionsSection,
        "likelihood": sections.LikelihoodSection,
        "frames": sections.FramesSection,
        "metric": sections.MetricSection,
        "report": sections.ReportSection,
    }
    keys = {name: set(model.model_fields) for name, model in expected.items()}
    keys["fields"].remove("media")  # a section of its own
    assert {name: set(found) for name, found in described.items()} == keys
    assert [found for found in described.values() if len(found) != len(set(found))] == []
    above = set(names(paragraph("With `--method likelihood`"))) & sections.Declaration.model_fields.keys()
    assert above | {name for name in expected if "." not in name} == sections.Declaration.model_fields.keys()


def test_the_example_is_the_shipped_one():
    shown = re.search(r"```yaml\n(task: colours\n.*?)```", PAGE, re.DOTALL)
    shipped = ROOT / "examples" / "evaluation" / "colours.yaml"
    lines = [line for line in shipped.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert shown
    assert shown[1].splitlines() == lines


def test_what_can_t_be_run_is_named_and_so_are_the_suites():
    told = names(paragraph("Some benchmarks of the reports can't be run."))
    assert sorted(told) == [task.name for task in available() if task.reason]
    assert [name for name in suites() if name not in PAGE] == []


HARNESSES = ("official", "lmms-eval", "vlmevalkit")
TAGS = {"vsi_bench": {"type": "object_counting"}, "ovo_bench": {"task": "EPM"}}
LISTS = {"mathvista": {"answer": "[2007, 2008]", "question_type": "free_form", "answer_type": "list"}}


def reference_of(metric: str, right: str) -> Any:
    """The cell of a row that a row of the table means."""
    if metric in LISTS:
        return LISTS[metric]
    (value,) = names(right)
    if value in "ABCD":
        return LETTERS.index(value)
    return [value] * 10 if right.endswith("ten times") else value


@pytest.mark.parametrize("row", rows("Beside other harnesses", "metric"), ids=lambda row: f"{row[1]} {row[2]}")
def test_harnesses_differ_as_the_table_says(row):
    name, benchmark, answer, right, ours, *theirs = row
    metric = METRICS[name.strip("`")]
    parameters = metric.parameters(**({"compat": benchmark.strip("`")} if benchmark else {}))
    cell = reference_of(metric.name, right)
    picture = (ImagePart(Image.new("RGB", (1920, 1080))),) if metric.name == "click" else ()
    choices = ANIMALS if isinstance(cell, int) else ()
    sample = Sample("1", "Which is it?", picture, None, choices, TAGS.get(metric.name, {}))
    sample = replace(sample, reference=metric.reference(cell, sample, parameters))
    verdict = metric.score(sample, "" if answer == "(empty)" else answer.strip("`"), parameters)
    score = next(iter(verdict.scores.values()))
    assert ("invalid" if not verdict.valid else f"{score:g}") == ours
    told = {harness: value for harness, value in zip(HARNESSES, theirs, strict=True) if value not in ("-", "left out")}
    assert {harness: f"{value:g}" for harness, value in verdict.compat.items()} == told
