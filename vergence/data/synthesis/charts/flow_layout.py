"""Draws a flow chart with Pillow at twice its size and scales it down: shapes, arrows with right angles, labels."""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from vergence.data.pictures import Box
from vergence.data.synthesis.charts.chart_fonts import ChartFont
from vergence.data.synthesis.charts.flow_graph import Edge, Flow, Node
from vergence.data.synthesis.charts.table_layout import face_of

Colour = tuple[int, int, int]
Point = tuple[float, float]

THEMES: tuple[tuple[Colour, Colour, dict[str, Colour]], ...] = (
    ((255, 255, 255), (40, 40, 40), {}),
    (
        (255, 255, 255),
        (52, 73, 110),
        {"terminal": (214, 228, 250), "decision": (255, 236, 200), "data": (222, 242, 222)},
    ),
    (
        (255, 255, 255),
        (60, 50, 90),
        {"terminal": (232, 222, 248), "process": (236, 236, 255), "decision": (255, 224, 230)},
    ),
    (
        (250, 248, 242),
        (80, 60, 40),
        {"process": (245, 232, 208), "decision": (240, 212, 190), "terminal": (224, 232, 208)},
    ),
    (
        (240, 244, 248),
        (30, 60, 80),
        {"process": (255, 255, 255), "decision": (255, 250, 214), "terminal": (200, 228, 220), "data": (255, 255, 255)},
    ),
    (
        (32, 36, 44),
        (220, 224, 230),
        {"process": (52, 60, 76), "decision": (92, 66, 50), "terminal": (46, 84, 74), "data": (60, 60, 92)},
    ),
)
"""Background, ink, fill of each role (the background's where none is given)."""

SUPER = 2


@dataclass(frozen=True, slots=True)
class Look:
    """How a chart is drawn; sizes in pixels of the final picture."""

    theme: int
    across: bool
    size: int
    line: int
    gap: int
    margin: int


def draw_look(rng: random.Random, short: bool) -> Look:
    """A look; only a short chart may run from left to right."""
    return Look(
        theme=rng.randrange(len(THEMES)),
        across=short and rng.random() < 0.5,
        size=rng.choice((14, 15, 16, 17)),
        line=rng.choice((1, 2, 2)),
        gap=rng.randint(30, 42),
        margin=rng.randint(16, 40),
    )


def draw_chart(flow: Flow, look: Look, font: ChartFont) -> tuple[Image.Image, list[Box], list[list[Point]]]:
    """The picture, the boxes of the nodes and the corners of the arrows, in pixels."""
    face = face_of(font.regular, look.size * SUPER)
    boxes, size = _place(flow, look, face)
    back, ink, _ = THEMES[look.theme]
    image = Image.new("RGB", (size[0] * SUPER, size[1] * SUPER), back)
    pen = ImageDraw.Draw(image)
    ways = [_way(edge, flow, boxes, look) for edge in flow.edges]
    for way in ways:
        _arrow(pen, way, ink, look)
    for node, box in zip(flow.nodes, boxes, strict=True):
        _shape(pen, node, box, look)
        _text(pen, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2), node.text, face, ink)
    small = face_of(font.regular, (look.size - 1) * SUPER)
    for edge, way in zip(flow.edges, ways, strict=True):
        if edge.label:
            _label(pen, way, edge.label, small, look)
    return image.reduce(SUPER), boxes, ways


def _place(flow: Flow, look: Look, face: ImageFont.FreeTypeFont) -> tuple[list[Box], tuple[int, int]]:
    """The boxes of all nodes and the size of the picture. Rows go down, or from left to right."""
    low, high = look.size * 2.4, look.size * 4.2
    lengths = [face.getlength(node.text) / SUPER for node in flow.nodes]
    wide = max(length for length, node in zip(lengths, flow.nodes, strict=True) if node.role != "decision")
    sizes = [
        (length * 1.35 + 3 * look.size, high)
        if node.role == "decision"
        else ((length if look.across else wide) + 2 * look.size, low)
        for length, node in zip(lengths, flow.nodes, strict=True)
    ]
    along, aside = (0, 1) if look.across else (1, 0)
    rows = _centres(
        {node.row for node in flow.nodes}, [n.row for n in flow.nodes], [s[along] for s in sizes], _space(look, along)
    )
    columns = _centres(
        {node.column for node in flow.nodes},
        [n.column for n in flow.nodes],
        [s[aside] for s in sizes],
        _space(look, aside),
    )
    # Arrows that run beside the main column need room at both sides.
    shift = [float(look.margin), float(look.margin)]
    shift[aside] += look.gap
    boxes: list[Box] = []
    for node, (width, height) in zip(flow.nodes, sizes, strict=True):
        middle = [0.0, 0.0]
        middle[along], middle[aside] = rows[node.row], columns[node.column]
        x, y = (round(value + offset) for value, offset in zip(middle, shift, strict=True))
        boxes.append((x - round(width / 2), y - round(height / 2), x + round(width / 2), y + round(height / 2)))
    right, bottom = max(box[2] for box in boxes), max(box[3] for box in boxes)
    pad = [look.margin, look.margin]
    pad[aside] += look.gap
    return boxes, (round(right) + pad[0], round(bottom) + pad[1])


def _space(look: Look, axis: int) -> float:
    """The space between neighbours along the x axis (0), where labels stand above arrows, or the y axis (1)."""
    return look.gap + (look.size * 1.6 if axis == 0 else 0)


def _centres(places: set[int], at: list[int], extents: list[float], space: float) -> dict[int, float]:
    """The middle of each row or column: as wide as the largest of its nodes, with space between."""
    found: dict[int, float] = {}
    edge = 0.0
    for place in sorted(places):
        extent = max(extent for own, extent in zip(at, extents, strict=True) if own == place)
        found[place] = edge + extent / 2
        edge += extent + space
    return found


def _way(edge: Edge, flow: Flow, boxes: list[Box], look: Look) -> list[Point]:
    """The corners of an arrow, in coordinates along the rows and across the columns, turned for the picture."""
    turned = [(b[1], b[0], b[3], b[2]) if look.across else b for b in boxes]
    a, b = turned[edge.start], turned[edge.end]
    first, last = flow.nodes[edge.start], flow.nodes[edge.end]
    ax, ay, bx, by = (a[0] + a[2]) / 2, (a[1] + a[3]) / 2, (b[0] + b[2]) / 2, (b[1] + b[3]) / 2
    if first.column == last.column == 0 and last.row == first.row + 1:
        way = [(ax, a[3]), (bx, b[1])]
    elif first.column == 0 and last.column:
        way = [(a[2] if last.column > 0 else a[0], ay), (b[0] if last.column > 0 else b[2], by)]
    elif first.column:  # from a node beside the main column back into it
        edge_x = b[2] if first.column > 0 else b[0]
        way = [(ax, a[3] if by > ay else a[1]), (ax, by), (edge_x, by)]
    else:
        side = edge.side
        main = [box for box, node in zip(turned, flow.nodes, strict=True) if node.column == 0]
        lane = (max(box[2] for box in main) if side > 0 else min(box[0] for box in main)) + side * look.gap * 0.8
        way = [(a[2] if side > 0 else a[0], ay), (lane, ay), (lane, by), (b[2] if side > 0 else b[0], by)]
    return [(y, x) for x, y in way] if look.across else way


def _direction(first: Point, second: Point) -> tuple[int, int]:
    """The direction of a part of an arrow: one of right, left, down, up."""
    dx, dy = second[0] - first[0], second[1] - first[1]
    return ((dx > 0) - (dx < 0), 0) if abs(dx) > abs(dy) else (0, (dy > 0) - (dy < 0))


def _arrow(pen: ImageDraw.ImageDraw, way: list[Point], ink: Colour, look: Look) -> None:
    points = [(x * SUPER, y * SUPER) for x, y in way]
    x2, y2 = points[-1]
    long = 9 * SUPER
    dx, dy = _direction(way[-2], way[-1])
    neck = (x2 - dx * long, y2 - dy * long)
    pen.line([*points[:-1], neck], fill=ink, width=look.line * SUPER, joint="curve")
    half = 4.5 * SUPER
    pen.polygon(
        [(x2, y2), (neck[0] + dy * half, neck[1] + dx * half), (neck[0] - dy * half, neck[1] - dx * half)], fill=ink
    )


def _shape(pen: ImageDraw.ImageDraw, node: Node, box: Box, look: Look) -> None:
    back, ink, fills = THEMES[look.theme]
    fill = fills.get(node.role, back)
    x1, y1, x2, y2 = (value * SUPER for value in box)
    width = look.line * SUPER
    if node.role == "terminal":
        pen.rounded_rectangle((x1, y1, x2, y2), (y2 - y1) / 2, fill=fill, outline=ink, width=width)
    elif node.role == "process":
        pen.rectangle((x1, y1, x2, y2), fill=fill, outline=ink, width=width)
    elif node.role == "decision":
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        pen.polygon([(x, y1), (x2, y), (x, y2), (x1, y)], fill=fill, outline=ink, width=width)
    else:
        slant = 8 * SUPER
        pen.polygon([(x1 + slant, y1), (x2, y1), (x2 - slant, y2), (x1, y2)], fill=fill, outline=ink, width=width)


def _text(pen: ImageDraw.ImageDraw, middle: Point, text: str, face: ImageFont.FreeTypeFont, ink: Colour) -> None:
    left, _, right, _ = face.getbbox(text)
    _, high, _, low = face.getbbox("Ag国"[: 2 if text.isascii() else 3])
    pen.text((middle[0] * SUPER - (left + right) / 2, middle[1] * SUPER - (high + low) / 2), text, fill=ink, font=face)


def _label(pen: ImageDraw.ImageDraw, way: list[Point], text: str, face: ImageFont.FreeTypeFont, look: Look) -> None:
    """A label beside the first part of an arrow, near its start."""
    x1, y1 = way[0]
    width = face.getlength(text) / SUPER
    dx, dy = _direction(way[0], way[1])
    if dx:
        middle = (x1 + dx * (width / 2 + 4), y1 - look.size * 0.75)
    else:
        middle = (x1 + width / 2 + 5, y1 + dy * look.size * 0.75)
    _text(pen, middle, text, face, THEMES[look.theme][1])
