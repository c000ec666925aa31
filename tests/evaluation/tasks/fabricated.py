"""Tiny data in the columns that a declaration names, and models that know the right answers to them."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.evaluation.task import LETTERS, Answer, Prompt, Record, Task
from vergence.evaluation.tasks.declaration import PLACEHOLDER, Declaration

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))
from video_writer import write_video

ROWS = 3
CHOICES = ("a red kite", "two boats", "no clouds", "four grey hills")
RIGHT = 1
"""The place of the right one of the choices."""


@dataclass(frozen=True)
class Case:
    """What a metric's rows hold and what the right answer to them is; `values` are its columns by tag or answer key."""

    answer: Any = None
    text: str = ""
    headline: float = 1.0
    choices: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)


CHOICE = Case(text="The answer is (B).", choices=True)
CASES: dict[str, Case] = {
    "choice": CHOICE,
    "choice_or_open": CHOICE,
    "choice_or_rouge": CHOICE,
    "streaming_bench": CHOICE,
    "ovbench": CHOICE,
    "ovo_bench": Case(text="The answer is (B).", choices=True, values={"task": "EPM"}),
    "vsi_bench": Case(text="The answer is (B).", choices=True, values={"type": "route_planning"}),
    "visualwebbench": Case(text="The answer is (B).", choices=True, values={"task": "action_prediction"}),
    "exact": Case(["seven"], "seven"),
    "anls": Case(["seven days"], "seven days"),
    "vqa": Case(["blue"] * 10, "blue"),
    "relaxed": Case("3.14", "3.14"),
    "ocrbench": Case(["EXIT"], "It says exit.", 1000.0, values={"type": "Regular Text Recognition", "dataset": "x"}),
    "mathvista": Case(
        "7",
        r"It is \boxed{7}.",
        values={"question_type": "free_form", "answer_type": "integer", "precision": None},
    ),
    "mathvision": Case(text=r"So it is \boxed{B}.", choices=True),
    "mathverse": Case(text=r"So it is \boxed{B}.", choices=True, values={"version": "Vision Only"}),
    "formula": Case(["7"], r"So it is \boxed{7}."),
    "count": Case(5, "There are 5."),
    "count_error": Case(5, "There are 5.", 0.0),
    "pope": Case("yes", "Yes, there is."),
    "hallusion_bench": Case("1", "Yes."),
    "box": Case([10.0, 10.0, 20.0, 10.0], "<bbox>250 250 750 500</bbox>"),
    "boxes": Case([[10.0, 10.0, 30.0, 20.0]], "<bbox>250 250 750 500</bbox>"),
    "click": Case([10.0, 10.0, 30.0, 20.0], "<point>500 375</point>"),
    "depth": Case(2.5, "2.5 m", 0.0),
    "nearer": Case(text="point1"),
    "span": Case([3.0, 9.0], "from 3.0 to 9.0 seconds"),
    "tempcompass": Case("yes", "Yes."),
    "judged_correct": Case(["a red kite"], "It is a red kite."),
    "mm_vet": Case("a red kite", "It is a red kite.", values={"capability": "rec,ocr"}),
    "llava_bench": Case("a red kite", "It is a red kite."),
    "tempcompass_captioning": Case("B. two boats", "Two boats.", values={"question": "What?\nA. x\nB. two boats"}),
    "dream_1k": Case(text="A man runs.", values={"description": "A man runs.", "events": ["A man runs."]}),
    "mme": Case(text="Yes."),
}
TASK_CASES = {
    "tempcompass-mc": Case("B. two boats", "B. two boats"),
    "tempcompass-matching": Case("Caption B: two boats", "Caption B"),
}
SIZE = (40, 40)  # of the fabricated pictures, which the boxes above are in


def case_of(declaration: Declaration) -> Case:
    """What is known of a benchmark's rows."""
    return TASK_CASES.get(declaration.task, CASES[declaration.metric.name])


@cache
def png() -> bytes:
    """A grey picture."""
    file = io.BytesIO()
    Image.new("RGB", SIZE, (90, 90, 90)).save(file, "PNG")
    return file.getvalue()


def first(column: str, skip: Sequence[str] = ()) -> str:
    """The first name of `a | b`, without those inside the columns `skip` if there is another."""
    names = [name.strip() for name in column.split("|")]
    return next((name for name in names if name.partition(".")[0] not in skip), names[0])


def put(row: dict[str, Any], column: str, value: Any) -> None:
    """Set a column; `outer.inner` inside a mapping. What is there stays."""
    outer, dot, inner = column.partition(".")
    if dot:
        put(row.setdefault(outer, {}), inner, value)
    else:
        row.setdefault(outer, value)


def make_row(declaration: Declaration, case: Case, number: int, suffix: str, config: str) -> dict[str, Any]:
    """One row with every column that the declaration names."""
    fields, explode = declaration.fields, declaration.data.explode
    row: dict[str, Any] = {}

    def column(name: str) -> str:
        return first(name, explode)

    for section in fields.media:
        if not section.optional or len(fields.media) == 1:
            put(row, column(section.column), medium(section.kind, suffix, number))
        for cut in filter(None, [section.start, section.end]):
            put(row, column(cut), {True: 0.1, False: 0.5}[cut == section.start])
    if isinstance(fields.answer, dict):
        for name, where in fields.answer.items():
            put(row, column(where), case.values.get(name, case.answer if name == "answer" else f"v{number}"))
    question = f"What is in picture {number}?"
    if declaration.task == "tempcompass-matching":
        question += "\nCaption A: a red kite\nCaption B: two boats"
    if case.choices:
        question = add_choices(declaration, row, question, column)
    if isinstance(fields.answer, str):
        value = answer_cell(declaration, case) if case.choices else case.answer
        # A list column that is made into rows, of which the question takes each.
        put(row, column(fields.answer), value)
    if fields.question and fields.question not in explode:
        put(row, column(fields.question), question)
    for name, where in fields.tags.items():
        if not where.startswith("_config"):
            put(row, column(where), case.values.get(name, "t1"))
    for where in fields.placeholders.values():
        put(row, column(where), "")
    for name in PLACEHOLDER.findall(fields.id) if "{" in fields.id else [fields.id] if fields.id else []:
        if name not in ("_config", "_part", "_key"):
            put(row, column(name), number if name in declaration.data.below else f"id{number}")
    if fields.cluster not in ("media", "none"):
        put(row, column(fields.cluster), "c1")
    for name in explode:
        if name in row and not isinstance(row[name], list):
            row[name] = [row[name]]
        elif name == fields.question:
            row[name] = [f"phrase {number}a", f"phrase {number}b"]
    return row


def medium(kind: str, suffix: str, number: int) -> Any:
    """A picture as the format holds it; the name of a video."""
    if kind == "image":
        encoded = base64.b64encode(png()).decode()
        return {"bytes": png(), "path": "a.png"} if suffix == ".parquet" else encoded
    return f"clip{number}"


def add_choices(declaration: Declaration, row: dict[str, Any], question: str, column: Any) -> str:
    """Put the choices where the declaration looks for them; the question, with them in it if need be."""
    fields = declaration.fields
    if fields.choices_in_question:
        lines = [f"{LETTERS[place]}. {text}" for place, text in enumerate(CHOICES)]
        return "\n".join([question, "Options:", *lines])
    if isinstance(fields.choices, str):
        put(row, column(fields.choices), list(CHOICES))
    else:
        for name, text in zip(fields.choices, CHOICES, strict=False):
            put(row, first(name) if "|" not in name else name.split("|")[-1].strip(), text)
    return question


def answer_cell(declaration: Declaration, case: Case) -> Any:
    """The right one of the choices, as the declaration says it is written."""
    rule = declaration.fields.answer_as
    texts = declaration.fields.fixed_choices or CHOICES
    return {"letter": "B", "index": RIGHT, "number": RIGHT + 1, "text": texts[RIGHT], "value": texts[RIGHT]}[rule]


def special_rows(name: str, folder: Path) -> list[dict[str, Any]] | dict[str, Any] | None:
    """Rows of the benchmarks whose rows belong together."""
    if name == "mme":
        image = {"bytes": png(), "path": "a.png"}
        return [
            {"question_id": f"count/{i}.png", "question": "Is it?", "image": image, "answer": a, "category": "count"}
            for i in range(2)
            for a in ("Yes", "No")
        ]
    if name == "da-2k":
        (folder / "images").mkdir(parents=True)
        (folder / "images" / "a.png").write_bytes(png())
        pair = {"point1": [5, 6], "point2": [20, 30], "closer_point": "point1"}
        return {"images/a.png": [pair, {**pair, "point2": [8, 9]}]}
    return None


def fabricate(declaration: Declaration, folder: Path) -> list[dict[str, Any]]:
    """Write the file that the declaration's first pattern names below a folder, and the rows in it."""
    data = declaration.data
    config = data.configs[0] if data.configs else "RefCOCO_val"
    path = folder / data.files[0].replace("{config}", config).replace("**/", "").replace("*", "00000-of-00001")
    path.parent.mkdir(parents=True, exist_ok=True)
    case = case_of(declaration)
    rows = special_rows(declaration.task, folder)
    if rows is None:
        rows = [make_row(declaration, case, number, path.suffix, config) for number in range(ROWS)]
        if any(section.kind == "video" for section in declaration.fields.media):
            put_video(declaration, folder, rows, config)
    write_rows(path, rows)
    return rows if isinstance(rows, list) else []


def put_video(declaration: Declaration, folder: Path, rows: list[dict[str, Any]], config: str) -> None:
    """A short video at the first place where the declaration looks for that of the first row."""
    section = next(one for one in declaration.fields.media if one.kind == "video")
    for row in rows:
        outer, _, inner = first(section.column).partition(".")
        cell = row[outer][0][inner] if inner else row[outer]
        pattern = (section.path or ["{}"])[0]
        for name, value in {**row, "_config": config, "_part": 0}.items():
            pattern = pattern.replace(f"{{{name}}}", str(value))
        path = folder / declaration.data.media / pattern.replace("{}", str(cell))
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(clip())


@cache
def clip() -> bytes:
    """A video of one second."""
    file = io.BytesIO()
    write_video(file, 10, container="mp4", size=(32, 32))
    return file.getvalue()


def write_rows(path: Path, rows: Any) -> None:
    """Rows in the format of the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), encoding="utf-8")
    else:
        import csv

        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows(rows)


class StubJudge:
    """A judge that is content with any answer that has the word it looks for."""

    name, batch, independent = "stub", 1, True

    def description(self) -> Mapping[str, Any]:
        return {"kind": "stub"}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        for index, prompt in enumerate(prompts):
            yield index, Answer(self.reply(prompt.conversation.messages[-1].text))

    def reply(self, text: str) -> str:
        if "List the events" in text:
            return json.dumps({"events": ["A man runs."]})
        if "Events:" in text:
            return json.dumps({"events": [{"event": "A man runs.", "relationship": "entailment"}]})
        if "from the description alone" in text:
            return "Answer: B. two boats"
        if "10 could not be better" in text:
            return "[[8]]"
        return "[[1]]"


def run(task: Task, answers: Mapping[str, str] | str) -> list[Record]:
    """Ask a task with answers by sample id, or the same one for all."""
    records = []
    for sample in task.samples():
        task.prompt(sample)
        answer = Answer(answers if isinstance(answers, str) else answers[sample.id])
        records.append(Record(sample, answer, task.score(sample, answer)))
    return records


def right_answers(task: Any) -> dict[str, str]:
    """The right answer to each sample, of whatever order its choices are in."""
    case = case_of(task.declaration)
    found = {}
    for sample in task.samples():
        text = case.text
        if case.choices and isinstance(sample.reference, int):
            text = text.replace("B", LETTERS[sample.reference])
        elif task.name == "mme":
            text = "Yes." if sample.reference else "No."
        elif task.name == "da-2k":
            text = f"point{sample.reference}"
        found[sample.id] = text
    return found
