"""What both kinds of scenes share: their settings, what is seen of each thing, and the sample made of it."""

from __future__ import annotations

import io
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, SourceItem, dialogue
from vergence.data.synthesis.scenes.geometry import SAMPLES, Camera, box_around
from vergence.data.synthesis.scenes.questions import CAPABILITIES, METRIC, ask_about
from vergence.data.synthesis.scenes.render import SKY, Hits
from vergence.data.synthesis.scenes.views import Mark, Thing, View
from vergence.errors import DataError
from vergence.verifiers.boxes_3d import Box3D

LETTERS = "ABCDE"
_QUALITY = 90


class SceneConfig(GeneratorConfig):
    """The settings of scenes."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="of the questions; mix: two in three are English")
    width: int = Field(448, ge=160, le=1280, description="pixels of the picture")
    height: int = Field(336, ge=120, le=960, description="pixels of the picture")
    turns: int = Field(4, ge=1, description="most questions about a scene")
    marks: float = Field(0.4, ge=0, le=1, description="share of pictures with lettered points")

    def choose_language(self, rng: random.Random) -> str:
        """English or Chinese."""
        return self.language if self.language != "mix" else rng.choice(("en", "en", "zh"))


def see_things(hits: Hits, camera: Camera, boxes: Sequence[Box3D], names: Sequence[str]) -> list[Thing] | None:
    """What is seen of each thing, numbered from 1 in the map; None where one isn't seen at all."""
    things = []
    for number, (box, name) in enumerate(zip(boxes, names, strict=True), 1):
        mask = hits.ids == number
        around = box_around(mask)
        if around is None:
            return None
        nearest = float(hits.depth[mask].min())
        things.append(Thing(name, box, around, float(mask.sum()) / SAMPLES**2, nearest))
    return things


def draft_of(
    view: View,
    picture: Image.Image,
    hits: Hits,
    config: SceneConfig,
    forms: Sequence[str],
    truth: Mapping[str, Any],
    licence: str = OURS,
    source: str = "vergence, rendered",
    sources: tuple[SourceItem, ...] = (),
) -> Draft:
    """The sample: marks are drawn for a share of the pictures, then questions are asked.

    Raises `DataError` where the scene has no question of these forms.
    """
    marks: list[Mark] = []
    if view.rng.random() < config.marks and len(view.points) >= 3:
        chosen = view.points[: view.rng.randint(3, min(len(LETTERS), len(view.points)))]
        chosen = view.rng.sample(chosen, len(chosen))
        marks = [replace(point, letter=letter) for point, letter in zip(chosen, LETTERS, strict=False)]
        draw_marks(picture, marks)
    view = replace(view, marks=marks)
    asked = ask_about(view, forms, config.turns)
    if not asked:
        raise DataError("the scene has no clear question")
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY)
    messages, checks = dialogue((file.getvalue(),), [turn for _, turn in asked])
    return Draft(
        messages,
        checks,
        truth={**_truth(view, hits), **truth, "forms": [form for form, _ in asked]},
        capability=CAPABILITIES[asked[0][0]],
        domain="rendered",
        difficulty=_difficulty(view, [form for form, _ in asked]),
        language=view.language,
        licence=licence,
        source=source,
        sources=sources,
        regions=(
            *(Region(thing.name or "thing", thing.box_2d) for thing in view.things),
            *(Region(mark.letter, points=((mark.x, mark.y),)) for mark in marks),
        ),
    )


def _truth(view: View, hits: Hits) -> dict[str, Any]:
    """The camera, the depth map's quantiles, and everything about things and points."""
    seen = np.sort(hits.depth[hits.ids != SKY])
    shares = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
    return {
        "camera": view.camera.as_truth(),
        "depth": {
            "quantiles": {str(share): round(float(seen[round(share * (seen.size - 1))]), 4) for share in shares},
            "mean": round(float(seen.mean()), 4),
            "sky": round(1 - seen.size / hits.depth.size, 4),
        },
        "things": [
            {
                "name": thing.name,
                "box_3d": [round(number, 5) for number in thing.box.numbers],
                "box_2d": list(thing.box_2d),
                "pixels": thing.pixels,
                "depth": round(thing.depth, 4),
                "nearest": round(thing.nearest, 4),
                "distance": round(thing.distance, 4),
            }
            for thing in view.things
        ],
        "points": [
            {"letter": mark.letter, "point": [mark.x, mark.y], "depth": round(mark.depth, 4), "on": mark.what}
            for mark in (view.marks or view.points)
        ],
    }


def _difficulty(view: View, forms: Sequence[str]) -> float:
    """More things, questions for metres and things that are hardly seen are harder."""
    crowd = min(1.0, len(view.things) / 10)
    metric = sum(form in METRIC for form in forms) / len(forms)
    smallest = min(thing.pixels for thing in view.things) / (view.camera.width * view.camera.height)
    return min(1.0, 0.1 + 0.3 * crowd + 0.35 * metric + 0.25 * max(0.0, 1 - smallest / 0.01))


@cache
def _font(size: int) -> Any:
    return ImageFont.load_default(size)


def draw_marks(picture: Image.Image, marks: Sequence[Mark]) -> None:
    """A red dot with a white rim at each point, and its letter on a white disc beside it."""
    unit = max(1.0, picture.width / 448)
    pen = ImageDraw.Draw(picture)
    for mark in marks:
        x, y, dot, disc = mark.x, mark.y, 3 * unit, 8 * unit
        right = x + 12 * unit if x + 22 * unit < picture.width else x - 12 * unit
        above = y - 11 * unit if y > 22 * unit else y + 11 * unit
        pen.ellipse((right - disc, above - disc, right + disc, above + disc), fill="white", outline="black")
        pen.text((right, above), mark.letter, fill="black", font=_font(round(12 * unit)), anchor="mm")
        pen.ellipse((x - dot, y - dot, x + dot, y + dot), fill=(220, 30, 30), outline="white")
