"""Draws the three pictures and writes the twelve questions of colours.yaml: python make_colours.py"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent / "colours"
SIZE = 112
COLOURS = {"red": (204, 32, 32), "blue": (32, 64, 204), "green": (24, 140, 48), "yellow": (232, 196, 24)}
# Of each picture: colour and shape on the left, colour and shape on the right.
SCENES = [
    ("red", "circle", "blue", "square"),
    ("green", "square", "yellow", "square"),
    ("blue", "circle", "red", "circle"),
]


def draw(scene: tuple[str, str, str, str]) -> Image.Image:
    """Two shapes beside each other on white."""
    image = Image.new("RGB", (SIZE, SIZE), (255, 255, 255))
    pen = ImageDraw.Draw(image)
    for left, colour, shape in ((10, *scene[:2]), (62, *scene[2:])):
        box = (left, 36, left + 40, 76)
        (pen.ellipse if shape == "circle" else pen.rectangle)(box, fill=COLOURS[colour])
    return image


def questions(number: int, scene: tuple[str, str, str, str]) -> list[dict[str, object]]:
    """Four questions about one picture, each with its options and the letter of the right one."""
    left, left_shape, right, right_shape = scene
    circles = (left_shape, right_shape).count("circle")
    colours = list(COLOURS)
    asked = [
        ("left", "colour", "What colour is the left shape?", colours, colours.index(left)),
        ("right", "colour", "What colour is the right shape?", colours, colours.index(right)),
        (
            "shape",
            "shape",
            "What is the left shape?",
            ["a square", "a circle", "a triangle"],
            int(left_shape == "circle"),
        ),
        ("count", "count", "How many circles are there?", ["none", "one", "two"], circles),
    ]
    return [
        {
            "id": f"{number}-{name}",
            "picture": f"{number}.png",
            "skill": skill,
            "hint": "A triangle has three corners." if skill == "shape" else "",
            "question": question,
            "options": options,
            "answer": "ABCD"[place],
        }
        for name, skill, question, options, place in asked
    ]


def main() -> None:
    """Write the files; they are the same each time."""
    FOLDER.mkdir(exist_ok=True)
    rows = []
    for number, scene in enumerate(SCENES, start=1):
        draw(scene).save(FOLDER / f"{number}.png")
        rows += questions(number, scene)
    (FOLDER / "questions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


if __name__ == "__main__":
    main()
