"""The plan of the offline suite: which capability is asked how often, in which form and about which pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from vergence.data.sources.emoji_grid import PLACES
from vergence.data.synthesis import shapes
from vergence.data.synthesis.palette import COLOURS

Form = Literal["open", "choice"]


@dataclass(frozen=True, slots=True)
class Part:
    """One row of the suite: `count` questions of a catalogue task about pictures with one `variation` ("" for none).

    `words` restricts the answers to one word ("one") or several ("several"). `letter` is the letter of the choice form.
    """

    capability: str
    task: str
    count: int
    variation: str = ""
    form: Form = "open"
    words: Literal["any", "one", "several"] = "any"

    @property
    def name(self) -> str:
        """What the ids of its samples begin with; unlike every other part's."""
        extent = "lines" if self.words == "several" else ""
        return "-".join(filter(None, (self.task, extent, self.variation, "choice" if self.form == "choice" else "")))

    @property
    def pictures(self) -> str:
        """What its pictures are drawn by: a choice is asked about the pictures of the open question."""
        return replace(self, form="open").name


COLOUR = "perception/recognition/colour/object"
SHAPE = "perception/recognition/shape/geometric"
DIGIT = "perception/recognition/digit/handwritten"
EMOJI = "perception/recognition/pictogram/kind"
COUNT = "perception/counting/thing/scattered"
BARS = "perception/counting/mark/chart"
WORD = "reading/text/printed/word"
LINE = "reading/text/printed/line"
NUMBER = "reading/text/handwritten/number"
TABLE = "reading/table/cell/lookup"
CHART = "reading/chart/bar/extreme"
POSITION = "spatial/relation/pair/direction"
FIND = "spatial/relation/layout/corner"
BOX = "spatial/grounding/box/described"
POINT = "spatial/grounding/point/described"

PARTS: tuple[Part, ...] = (
    Part(COLOUR, "colour", 60),
    Part(COLOUR, "colour", 40, form="choice"),
    Part(COLOUR, "colour", 30, "noisy"),
    Part(COLOUR, "colour", 30, "striped"),
    Part(SHAPE, "shape", 60),
    Part(SHAPE, "shape", 40, form="choice"),
    Part(SHAPE, "shape", 30, "striped"),
    Part(SHAPE, "shape", 30, "enlarged"),
    Part(DIGIT, "digit", 60),
    Part(DIGIT, "digit", 40, form="choice"),
    Part(DIGIT, "digit", 30, "rotated"),
    Part(DIGIT, "digit", 30, "inverted"),
    Part(EMOJI, "emoji", 60),
    Part(EMOJI, "emoji", 40, form="choice"),
    Part(EMOJI, "emoji", 30, "grey"),
    Part(EMOJI, "emoji", 30, "striped"),
    Part(COUNT, "count", 60),
    Part(COUNT, "count", 40, form="choice"),
    Part(COUNT, "count", 40, "crowd"),
    Part(BARS, "bars", 60),
    Part(BARS, "bars", 40, "many-bars"),
    Part(WORD, "text", 60, words="one"),
    Part(WORD, "text", 40, "slanted", words="one"),
    Part(WORD, "text", 40, "long-word", words="one"),
    Part(LINE, "text", 40, words="several"),
    Part(LINE, "text", 30, "noisy", words="several"),
    Part(NUMBER, "number", 60),
    Part(NUMBER, "number", 40, "long-number"),
    Part(TABLE, "table", 60),
    Part(TABLE, "table", 40, form="choice"),
    Part(TABLE, "table", 40, "inverted"),
    Part(CHART, "chart", 60),
    Part(CHART, "chart", 40, form="choice"),
    Part(CHART, "chart", 40, "many-bars"),
    Part(POSITION, "position", 60),
    Part(POSITION, "position", 40, form="choice"),
    Part(POSITION, "position", 30, "enlarged"),
    Part(FIND, "find", 60),
    Part(FIND, "find", 40, form="choice"),
    Part(FIND, "find", 30, "grey"),
    Part(BOX, "box", 60),
    Part(BOX, "box", 30, "enlarged"),
    Part(POINT, "point", 60),
    Part(POINT, "point", 30, "striped"),
)

KINDS_OF_EMOJI = ("face", "hand", "person", "animal", "food", "vehicle", "flag", "symbol")
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "colour": tuple(COLOURS),
    "shape": shapes.SHAPES,
    "digit": tuple(map(str, range(10))),
    "emoji": KINDS_OF_EMOJI,
    "count": ("1", "2", "3", "4"),
    "chart": tuple(COLOURS),
    "position": ("left", "right", "above", "below"),
    "find": PLACES,
}
"""The answers of a task where they are a closed set: the wrong options of a choice are drawn from them."""

PLACE = "with whole numbers from 0 to 999 of the picture's width and height."
INSTRUCTIONS: Mapping[str, str] = {
    "count": "Answer with one number.",
    "bars": "Answer with one number.",
    "number": "Answer with the digits only.",
    "table": "Answer with the number only.",
    "text": "Answer with the text only, with a space between lines.",
    "box": f"Answer as <bbox>x1 y1 x2 y2</bbox> {PLACE}",
    "point": f"Answer as <point>x y</point> {PLACE}",
}
"""What the preset "instructed" says of the form of an answer; a closed set is spelled out instead."""
