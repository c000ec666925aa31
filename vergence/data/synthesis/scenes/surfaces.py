"""Floors and walls by formula: tiles, planks and plain paint. Colours are linear light, 0..1, arrays (3, N)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from vergence.data.synthesis.scenes.geometry import Array

Pattern = Literal["plain", "tiles", "checker", "planks", "stripes", "paint"]
Colour = tuple[float, float, float]

_NOISE = 64
_PALES: tuple[Colour, ...] = (
    (0.72, 0.70, 0.66), (0.62, 0.66, 0.70), (0.70, 0.64, 0.55), (0.60, 0.68, 0.60), (0.74, 0.72, 0.72),
    (0.66, 0.60, 0.58), (0.55, 0.62, 0.68),
)  # fmt: skip
_WOODS: tuple[Colour, ...] = ((0.46, 0.30, 0.17), (0.56, 0.40, 0.25), (0.36, 0.23, 0.14), (0.62, 0.50, 0.36))
_STONES: tuple[Colour, ...] = ((0.60, 0.58, 0.55), (0.50, 0.52, 0.55), (0.66, 0.62, 0.54), (0.42, 0.42, 0.44))


@dataclass(frozen=True)
class Surface:
    """A painted plane: its pattern, two colours, and the edge of a tile or the width of a plank in metres."""

    pattern: Pattern
    first: Colour
    second: Colour
    edge: float
    noise: Array

    def colours(self, x: Array, y: Array) -> Array:
        """Its colours (3, N) at places (x, y) on the plane, in metres."""
        if self.pattern == "paint":
            return np.stack([np.full(x.shape, value) for value in self.first])
        if self.pattern == "stripes":
            odd = np.floor(x / self.edge) % 2 == 1
            return _mixed(self.first, self.second, odd, np.ones_like(x))
        if self.pattern == "planks":
            return self._planks(x, y)
        grain = self._grain(x * 2.3, y * 2.3)
        if self.pattern == "checker":
            odd = (np.floor(x / self.edge) + np.floor(y / self.edge)) % 2 == 1
            return _mixed(self.first, self.second, odd, 0.97 + 0.06 * grain)
        if self.pattern == "tiles":
            u, v = x / self.edge, y / self.edge
            joint = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v))) * self.edge < 0.008
            tone = 0.92 + 0.10 * self._cell(np.floor(u), np.floor(v)) + 0.06 * grain
            return _mixed(self.first, self.second, joint, tone)
        return _mixed(self.first, self.first, np.zeros(x.shape, dtype=bool), 0.97 + 0.06 * grain)

    def _planks(self, x: Array, y: Array) -> Array:
        """Planks along Y, each with its own shade and a fine grain; ends are staggered."""
        row = np.floor(x / self.edge)
        along = y + 2.4 * self._cell(row, np.zeros_like(row))
        board = np.floor(along / 1.8)
        side = np.abs(x / self.edge - np.round(x / self.edge)) * self.edge
        end = np.abs(along / 1.8 - np.round(along / 1.8)) * 1.8
        joint = np.minimum(side, end) < 0.004
        shade = 0.80 + 0.30 * self._cell(row, board) + 0.14 * self._grain(x * 40 + 7 * row, y * 1.5)
        return _mixed(self.first, self.second, joint, shade)

    def _cell(self, column: Array, row: Array) -> Array:
        """A number in 0..1 for each cell of a grid."""
        return np.asarray(self.noise[row.astype(np.int64) % _NOISE, column.astype(np.int64) % _NOISE], dtype=float)

    def _grain(self, x: Array, y: Array) -> Array:
        """Smooth noise in 0..1: a grid of random numbers, interpolated."""
        column, row = np.floor(x), np.floor(y)
        u, v = x - column, y - row
        left, top = column.astype(np.int64) % _NOISE, row.astype(np.int64) % _NOISE
        right, bottom = (left + 1) % _NOISE, (top + 1) % _NOISE
        upper = self.noise[top, left] * (1 - u) + self.noise[top, right] * u
        lower = self.noise[bottom, left] * (1 - u) + self.noise[bottom, right] * u
        return np.asarray(upper * (1 - v) + lower * v, dtype=float)


def _mixed(first: Colour, second: Colour, where: np.ndarray, tone: Array) -> Array:
    return np.stack([np.where(where, other, one) * tone for one, other in zip(first, second, strict=True)])


def floor(rng: random.Random, patterns: Sequence[Pattern] = ("plain", "tiles", "checker", "planks")) -> Surface:
    """A floor of one of the patterns."""
    pattern = rng.choice(patterns)
    noise = _noise(rng)
    if pattern == "planks":
        wood = rng.choice(_WOODS)
        return Surface(pattern, wood, _darker(wood, 0.35), rng.choice((0.10, 0.14, 0.18)), noise)
    stone = rng.choice(_STONES)
    if pattern == "checker":
        pale = _darker(rng.choice(_PALES), 0.95)
        return Surface(pattern, pale, _darker(stone, rng.uniform(0.3, 0.7)), rng.choice((0.4, 0.5, 0.6)), noise)
    return Surface(pattern, stone, _darker(stone, rng.choice((0.6, 1.35))), rng.choice((0.4, 0.5, 0.6)), noise)


def wall(rng: random.Random) -> Surface:
    """A wall: paint, sometimes with wide stripes."""
    paint = rng.choice(_PALES)
    pattern: Pattern = rng.choice(("paint", "paint", "stripes"))
    return Surface(pattern, paint, _darker(paint, 0.93), rng.choice((0.15, 0.3)), _noise(rng))


def _darker(colour: Colour, share: float) -> Colour:
    red, green, blue = (min(1.0, value * share) for value in colour)
    return red, green, blue


def _noise(rng: random.Random) -> Array:
    return np.random.Generator(np.random.PCG64(rng.getrandbits(64))).random((_NOISE, _NOISE))
