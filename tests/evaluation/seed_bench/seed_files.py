"""Small question files of every edition of SEED-Bench with their media, for the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.evaluation.seed_bench.dimensions import DIMENSIONS, Edition

LOWER = "abcd"


def picture(path: Path, colour: tuple[int, int, int] = (90, 120, 30), size: tuple[int, int] = (32, 28)) -> Path:
    """A PNG of one colour, whatever the file is called."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, "PNG")
    return path


def v1_question(number: int, dimension: int = 5, **changes: Any) -> dict[str, Any]:
    video = dimension > 9
    question = {
        "answer": "ABCD"[number % 4],
        **{f"choice_{letter}": f"{letter} choice of {number}" for letter in LOWER},
        "data_id": {10: f"{number}.webm", 11: f"P03/P03_{number}.MP4", 12: f"P06/cam01/{number}.avi"}.get(
            dimension, f"1454426_{number // 2}"
        ),
        "data_type": "video" if video else "image",
        "question": f"Question {number}?",
        "question_id": f"v{100 * dimension + number}" if video else str(100000 + number),
        "question_type_id": dimension,
    }
    if dimension == 11:
        question["segment"] = [1.0, 3.5]
    if dimension == 12:
        question["segment"] = [3, 21]
    return {**question, **changes}


def v2_question(number: int, dimension: int = 5, **changes: Any) -> dict[str, Any]:
    described = DIMENSIONS["h"][dimension]
    base: dict[str, Any] = {
        "answer": "ABCD"[number % 4],
        **{f"choice_{letter}": f"{letter} choice of {dimension}_{number}" for letter in LOWER},
        "data_id": f"task{dimension}/{number}.png",
        "data_source": "SEED-Bench v2",
        "data_type": "Single Image",
        "level": described.level,
        "question": f"Question {dimension}_{number}?",
        "question_id": f"{dimension}_{number}",
        "question_type_id": dimension,
        "subpart": described.part,
        "version": "v2",
    }
    folder = f"task{dimension}/{number}"
    if dimension <= 8:
        base |= {"data_id": f"1454426_{number // 2}", "data_source": "cc3m", "version": "v1"}
    elif dimension in (17, 18):
        base |= {"data_id": [f"{folder}_1.png", f"{folder}_2.png"], "data_type": "Multiple Images"}
    elif 19 <= dimension <= 22:
        base |= {"data_id": [f"{folder}/{frame}.png" for frame in range(1, 9)], "data_type": "Video"}
    elif dimension in (23, 24):
        names = [f"{folder}/{image}.jpg" for image in range(1, 4)]
        base |= {"data_id": names, "data_type": "Interleaved Image", "question": "<img>: one. <img>: two. <img>:"}
    elif dimension in (25, 26):
        context = [f"{folder}/context{image}.png" for image in range(3)] if dimension == 26 else []
        base |= {"data_id": [*context, *(f"{folder}/{i}.jpg" for i in range(1, 5))], "data_type": "Image Generation"}
        base |= {f"choice_{letter}": f"{i}.jpg" for i, letter in enumerate(LOWER, 1)}
        if dimension == 25:
            base["question"] = "Which picture below better fits the description: A brown purse."
    elif dimension == 27:
        base |= {"data_id": [f"{folder}/{i}.jpg" for i in range(1, 5)], "data_type": "Image & Text Generation"}
    return {**base, **changes}


def plus_question(number: int, kind: str = "chart", **changes: Any) -> dict[str, Any]:
    return {
        "data_id": f"text_rich/{number}.png",
        "question_id": f"text_rich_{number}",
        "question_image_type": kind,
        "question_image_subtype": f"{kind}_1",
        "question": f"Question {number}?",
        **{f"choice_{letter.upper()}": f"{letter} choice of {number}" for letter in LOWER},
        "answer": "ABCD"[number % 4],
        "data_source": "SEED-Bench-2-plus",
        "data_type": "Single Image",
        "level": "L1",
        "subpart": "Single-Image & Text Comprehension",
        "version": "v2",
        **changes,
    }


NAMES: dict[Edition, str] = {
    "1": "SEED-Bench.json",
    "2": "SEED-Bench_v2_level1_2_3.json",
    "2-plus": "SEED-Bench-2-plus-text-rich.json",
    "h": "SEED-Bench-H.json",
}


def write(folder: Path, edition: Edition, questions: list[Any], *, names: dict[str, int] | None = None) -> Path:
    """The question file of an edition in a data folder."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / NAMES[edition]
    known = {d.name: d.id for d in DIMENSIONS[edition].values()} if names is None else names
    whole: Any = questions if edition == "2-plus" else {"questions": questions, "question_type": known}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def media(folder: Path, questions: list[dict[str, Any]]) -> None:
    """The pictures of version 2's questions in the published folders."""
    for question in questions:
        names = question["data_id"] if isinstance(question["data_id"], list) else [question["data_id"]]
        place = folder / ("cc3m-image" if question["data_source"] == "cc3m" else "SEED-Bench-2-image")
        for index, name in enumerate(names):
            picture(place / name, (20 * index, 255 - 20 * index, 60 * (index % 4)))
