"""The figures of plane geometry by topic."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from vergence.data.synthesis.stem.angle_figures import (
    cevian,
    cyclic,
    inscribed,
    parallels,
    semicircle,
    tangents,
    zigzag,
)
from vergence.data.synthesis.stem.figure import Figure
from vergence.data.synthesis.stem.length_figures import quadrilateral, right_altitude, right_triangle, similar

FIGURES: Mapping[str, Callable[[random.Random], Figure]] = {
    "cevian": cevian,
    "parallels": parallels,
    "zigzag": zigzag,
    "inscribed": inscribed,
    "semicircle": semicircle,
    "cyclic": cyclic,
    "tangents": tangents,
    "right-altitude": right_altitude,
    "right-triangle": right_triangle,
    "similar": similar,
    "quadrilateral": quadrilateral,
}
"""Name of a topic -> its figure."""
