"""What the tables of docs/seed-bench.md say about the code."""

from __future__ import annotations

import re
from pathlib import Path

from vergence.evaluation.seed_bench.dimensions import DIMENSIONS, EDITIONS
from vergence.evaluation.seed_bench.layout import FOLDERS, QUESTION_FILES
from vergence.evaluation.seed_bench.presets import DEFAULT, PRESETS

PAGE = (Path(__file__).parents[3] / "docs" / "seed-bench.md").read_text(encoding="utf-8")


def rows(head: str) -> list[list[str]]:
    """The cells, without backticks, of the table whose first heading is that."""
    lines = PAGE[PAGE.index(f"\n| {head} |") + 1 :].partition("\n\n")[0].splitlines()
    return [[cell.strip().replace("`", "") for cell in line.split("|")[1:-1]] for line in lines[2:]]


def test_the_editions_are_those_of_the_code():
    expected = []
    for edition in EDITIONS:
        counts = [dimension.count for dimension in DIMENSIONS[edition].values()]
        total = "not published" if None in counts else f"{sum(filter(None, counts)):,}"
        expected.append([f"seed-bench-{edition}", str(len(counts)), total, QUESTION_FILES[edition][0]])
    assert [[name, *rest] for name, _, *rest in rows("task")] == expected


def test_the_folders_are_those_of_the_code():
    assert [tuple(names.split(", ")) for _, names in rows("what")] == list(FOLDERS.values())


def test_the_presets_are_those_of_the_code():
    table = {name: rest for name, *rest in rows("preset")}
    assert list(table) == list(PRESETS)
    for name, (candidate, prompt, end, reduction) in table.items():
        preset = PRESETS[name]
        letter = f" ({preset.letter.replace('{letter}', 'A')})" if preset.candidate == "letter" else ""
        chat = " in the chat template" if preset.template == "chat" else ""
        assert candidate == preset.candidate + letter
        assert prompt.replace("⏎", "\n") == preset.prompt + chat
        assert (end == "scored", reduction) == (preset.end, preset.reduction)
    default = re.search(r"the\s+default is `([\w.-]+)`", PAGE)
    assert default
    assert default[1] == DEFAULT
