"""The evaluation dimensions of SEED-Bench-1, -2, 2-Plus and H as data.

Numbers, names, sources: DATASET.md and README.md of github.com/AILab-CVC/SEED-Bench. Column names and groups: the
leaderboard's constants.py (space AILab-CVC/SEED-Bench_Leaderboard). Counts of version 1: its DATA_NUM; of version 2:
the published GPT-4V predictions and, for dimensions 12, 17, 19 and 25 to 27, the paper (arXiv 2311.17092); together
24,371.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from vergence.config import nearest
from vergence.errors import UsageError

Edition = Literal["1", "2", "2-plus", "h"]
"""Which SEED-Bench; the task is called `seed-bench-` and this."""

EDITIONS: tuple[Edition, ...] = get_args(Edition)

SINGLE = "Single-Image & Text Comprehension"
MULTIPLE = "Multiple-Images & Text Comprehension"
VIDEO = "Video & Text Comprehension"
INTERLEAVED = "Interleaved Image & Text Comprehension"
IMAGE_OUT = "Image Generation"
TEXT_IMAGE_OUT = "Image & Text Generation"
PARTS = (SINGLE, MULTIPLE, VIDEO, INTERLEAVED, IMAGE_OUT, TEXT_IMAGE_OUT)
LEVELS = ("L1", "L2", "L3")


@dataclass(frozen=True, slots=True)
class Dimension:
    """One evaluation dimension of an edition.

    `column` is its heading on the leaderboard. `level` L1 (images and text in, text out), L2 (interleaved in) or L3
    (images out) and `part` are empty where nothing published says them. `count` is the published number of questions,
    None where it isn't published. `other` is its number in version 1 for version 2, and the reverse. `frames` tells a
    video's official frames: "decord" of the whole file, "decord-seconds" of a segment in seconds, "pyav-15fps" of one
    in frames, or "published" for 8 pictures that come with the data.
    """

    id: int
    name: str
    column: str
    level: str
    part: str
    source: str
    count: int | None = None
    other: int | None = None
    frames: str = ""

    @property
    def answers_with_image(self) -> bool:
        """Whether the model has to make a picture."""
        return self.level == "L3"


def _v2(
    number: int,
    name: str,
    column: str,
    count: int,
    source: str,
    part: str = SINGLE,
    level: str = "L1",
    other: int | None = None,
) -> Dimension:
    frames = "published" if part == VIDEO else ""
    return Dimension(number, name, column or name, level, part, source, count, other, frames)


_CC3M = "CC3M"
VERSION_2: tuple[Dimension, ...] = (
    _v2(1, "Scene Understanding", "", 3158, _CC3M, other=1),
    _v2(2, "Instance Identity", "", 1831, _CC3M, other=2),
    _v2(3, "Instance Attributes", "Instance Attribute", 4649, _CC3M, other=3),
    _v2(4, "Instance Location", "", 978, _CC3M, other=4),
    _v2(5, "Instances Counting", "Instance Counting", 2447, _CC3M, other=5),
    _v2(6, "Spatial Relation", "", 657, _CC3M, other=6),
    _v2(7, "Instance Interaction", "", 97, _CC3M, other=7),
    _v2(8, "Visual Reasoning", "", 331, _CC3M, other=8),
    _v2(9, "Text Understanding", "Text Recognition", 435, "CC3M, ICDAR 2003 and 2013, IIIT5k, SVT", other=9),
    _v2(10, "Celebrity Recognition", "", 330, "MME, MMBench"),
    _v2(11, "Landmark Recognition", "", 500, "Google Landmarks v2"),
    _v2(12, "Chart Understanding", "", 501, "PlotQA"),
    _v2(13, "Visual Referring Expression", "", 199, "VCR"),
    _v2(14, "Science Knowledge", "", 277, "ScienceQA"),
    _v2(15, "Emotion Recognition", "", 501, "FER2013"),
    _v2(16, "Visual Mathematics", "", 132, "MME, web"),
    _v2(17, "Difference Spotting", "", 501, "MIMIC-IT", MULTIPLE),
    _v2(18, "Meme Comprehension", "", 159, "web", MULTIPLE),
    _v2(19, "Global Video Understanding", "", 1594, "Charades, 8 frames", VIDEO),
    _v2(20, "Action Recognition", "", 1509, "Something-Something v2, 8 frames", VIDEO, other=10),
    # Spelled so in the leaderboard's columns.
    _v2(21, "Action Prediction", "Action Predicion", 1225, "EPIC-Kitchens-100, 8 frames", VIDEO, other=11),
    _v2(22, "Procedure Understanding", "", 1023, "Breakfast, 8 frames", VIDEO, other=12),
    _v2(23, "In-Context Captioning", "", 120, _CC3M, INTERLEAVED, "L2"),
    _v2(24, "Interleaved Image-Text Analysis", "", 49, "web", INTERLEAVED, "L2"),
    _v2(25, "Text-to-Image Generation", "", 1008, "CC-500, ABC-6K, pictures of Stable Diffusion XL", IMAGE_OUT, "L3"),
    _v2(26, "Next Image Prediction", "", 81, "EPIC-Kitchens-100", IMAGE_OUT, "L3"),
    _v2(27, "Text-Image Creation", "", 79, "web", TEXT_IMAGE_OUT, "L3"),
)

# Version 1 has no levels and parts of its own: these are the ones that the same dimensions have in version 2.
VERSION_1: tuple[Dimension, ...] = (
    *(
        replace(dimension, count=85 if dimension.id == 9 else dimension.count, source=_CC3M)
        for dimension in VERSION_2[:9]
    ),
    Dimension(10, *("Action Recognition",) * 2, "L1", VIDEO, "Something-Something v2", 1740, 20, "decord"),
    Dimension(11, *("Action Prediction",) * 2, "L1", VIDEO, "EPIC-Kitchens-100", 2077, 21, "decord-seconds"),
    Dimension(12, *("Procedure Understanding",) * 2, "L1", VIDEO, "Breakfast", 1192, 22, "pyav-15fps"),
)

# 2-Plus tells its three by words (`PLUS_TYPES`); the numbers are ours.
VERSION_2_PLUS: tuple[Dimension, ...] = (
    Dimension(1, "Charts", "Chart", "L1", SINGLE, "web", 810),
    Dimension(2, "Maps", "Map", "L1", SINGLE, "web", 807),
    Dimension(3, "Webs", "Web", "L1", SINGLE, "web", 660),
)
PLUS_TYPES = {"chart": 1, "map": 2, "web": 3}

# The README counts 34 dimensions; the JSON numbers 33 and has no Visual Story Comprehension. The leaderboard has no H.
VERSION_H: tuple[Dimension, ...] = (
    *(replace(dimension, count=None) for dimension in VERSION_2),
    Dimension(28, *("Few-shot Segmentation",) * 2, "", "", "SEED-Bench-H"),
    Dimension(29, *("Few-shot Keypoint",) * 2, "", "", "SEED-Bench-H"),
    Dimension(30, *("Few-shot Depth",) * 2, "", "", "SEED-Bench-H"),
    Dimension(31, *("Few-shot Object Detection",) * 2, "", "", "SEED-Bench-H"),
    Dimension(32, *("Image to Latex",) * 2, "L1", SINGLE, "SEED-Bench-H"),
    Dimension(33, *("Text-Rich Visual Comprehension",) * 2, "L1", SINGLE, "SEED-Bench-2-Plus"),
    Dimension(34, *("Visual Story Comprehension",) * 2, "", "", "SEED-Bench-H"),
)

_ALL: dict[Edition, tuple[Dimension, ...]] = {
    "1": VERSION_1,
    "2": VERSION_2,
    "2-plus": VERSION_2_PLUS,
    "h": VERSION_H,
}
DIMENSIONS: dict[Edition, dict[int, Dimension]] = {
    edition: {dimension.id: dimension for dimension in dimensions} for edition, dimensions in _ALL.items()
}

_UP_TO_P3 = {
    "Avg. Single": tuple(range(1, 17)),
    "Avg. Multi": (17, 18),
    "Avg. Video": tuple(range(19, 23)),
    "Avg. P1": tuple(range(1, 23)),
    "Avg. P2": (23, 24),
    "Avg. P3": (25, 26, 27),
}
AVERAGES: dict[Edition, dict[str, tuple[int, ...]]] = {
    "1": {"Avg. All": tuple(range(1, 13)), "Avg. Img": tuple(range(1, 10)), "Avg. Video": (10, 11, 12)},
    "2": _UP_TO_P3,
    "2-plus": {"Avg. All": (1, 2, 3)},
    "h": {"Avg. All": tuple(range(1, 35)), **_UP_TO_P3},
}
"""The averages of each edition in the leaderboard's order; those of 2-Plus and H, which it doesn't list, are ours."""


def edition_of(name: str) -> Edition:
    """The edition that a task name (`seed-bench-2`) or its end (`2`) means. Raises `UsageError` for another name."""
    short = name.lower().removeprefix("seed-bench-")
    for edition in EDITIONS:
        if short == edition:
            return edition
    names = [f"seed-bench-{edition}" for edition in EDITIONS]
    near = nearest(name, names)
    raise UsageError(f"{name!r} is not a SEED-Bench{f'; did you mean {near!r}?' if near else ''} ({', '.join(names)})")


def at_level(edition: Edition, level: str) -> tuple[int, ...]:
    """The dimensions up to a level: L2 is L1 and L2, L3 is all of the three (filter_questions of the official eval.py).

    Dimensions of H whose level isn't published belong to none.
    """
    upto = LEVELS[: LEVELS.index(level) + 1]
    return tuple(number for number, dimension in DIMENSIONS[edition].items() if dimension.level in upto)
