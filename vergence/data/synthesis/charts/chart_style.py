"""How charts look: palettes, sizes, grids, frames; drawn once for a chart."""

from __future__ import annotations

import random
from dataclasses import dataclass

PALETTES: tuple[tuple[str, ...], ...] = (
    ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"),
    ("#4e79a7", "#f28e2b", "#e15759", "#76b7b2", "#59a14f", "#edc948", "#b07aa1", "#9c755f"),
    ("#264653", "#2a9d8f", "#e9c46a", "#f4a261", "#e76f51", "#8ab17d", "#6d597a", "#b56576"),
    ("#003f5c", "#58508d", "#bc5090", "#ff6361", "#ffa600", "#7a9e9f", "#4f6367", "#b8d8d8"),
    ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#000000"),
    ("#66c2a5", "#fc8d62", "#8da0cb", "#e78ac3", "#a6d854", "#ffd92f", "#e5c494", "#b3b3b3"),
    ("#335c67", "#9e2a2b", "#e09f3e", "#540b0e", "#7f9172", "#567568", "#a3b18a", "#c9ada7"),
)
HEAT = ("viridis", "Blues", "YlOrRd", "Greens", "magma", "PuBuGn", "coolwarm")
MARKERS = "osD^vP"
DASHES = ("-", "--", "-.", ":")
HATCHES = ("//", "..", "xx", "\\\\", "++", "oo")


@dataclass(frozen=True, slots=True)
class Style:
    """One look. Sizes in inches at 100 dots; `ink` is the colour of all text and lines."""

    colours: tuple[str, ...]
    width: float
    height: float
    font_size: int
    grid: bool
    frame: bool
    dark: bool
    face: str
    ink: str
    bold_title: bool
    title_left: bool
    hatched: bool
    outside_legend: bool

    @property
    def title_words(self) -> str:
        """The keyword arguments of the title, as code."""
        return "".join(
            (
                f", fontsize={self.font_size + 2}",
                ', fontweight="bold"' if self.bold_title else "",
                ', loc="left"' if self.title_left else "",
                f', color="{self.ink}"' if self.dark else "",
            )
        )


def draw_style(rng: random.Random, series: int) -> Style:
    """A look for a chart with so many series."""
    palette = list(rng.choice(PALETTES))
    if rng.random() < 0.5:
        rng.shuffle(palette)
    dark = rng.random() < 0.12
    if dark:
        palette = [colour for colour in palette if sum(bytes.fromhex(colour[1:])) > 240]
    while len(palette) < 8:
        palette.append(rng.choice(("#9ecae1", "#fdae6b", "#a1d99b", "#bcbddc")))
    return Style(
        colours=tuple(palette),
        width=rng.choice((5.2, 5.6, 6.0, 6.4, 7.0)) + (0.8 if series > 2 else 0),
        height=rng.choice((3.6, 4.0, 4.2, 4.8)),
        font_size=rng.choice((9, 10, 10, 11)),
        grid=rng.random() < 0.6,
        frame=rng.random() < 0.5,
        dark=dark,
        face="#22262e" if dark else rng.choice(("#ffffff", "#ffffff", "#ffffff", "#f7f7f4", "#eef2f7")),
        ink="#e6e6e6" if dark else "#222222",
        bold_title=rng.random() < 0.4,
        title_left=rng.random() < 0.25,
        hatched=rng.random() < 0.12,
        outside_legend=rng.random() < 0.4,
    )
