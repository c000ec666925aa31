"""Logic circuits: a tree of gates over inputs that are used once each, its truth table, and its drawing."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product

from vergence.data.pictures import Box
from vergence.data.synthesis.stem.drawing import XY, Canvas, Style

GATES: Mapping[str, Callable[[list[int]], int]] = {
    "AND": lambda bits: int(all(bits)),
    "OR": lambda bits: int(any(bits)),
    "XOR": lambda bits: sum(bits) % 2,
    "NAND": lambda bits: int(not all(bits)),
    "NOR": lambda bits: int(not any(bits)),
    "XNOR": lambda bits: 1 - sum(bits) % 2,
    "NOT": lambda bits: 1 - bits[0],
}
"""Name of a gate -> its output."""

CHINESE: Mapping[str, str] = {
    "AND": "与门",
    "OR": "或门",
    "XOR": "异或门",
    "NAND": "与非门",
    "NOR": "或非门",
    "XNOR": "同或门",
    "NOT": "非门",
}


@dataclass(slots=True)
class Node:
    """An input (`gate` is "") or a gate over nodes; `name` is the input's letter or G1, G2, ..."""

    name: str
    gate: str = ""
    inputs: tuple[Node, ...] = ()
    at: XY = (0.0, 0.0)
    box: Box = field(default=(0.0, 0.0, 0.0, 0.0))

    def walk(self) -> Iterator[Node]:
        """Its nodes, each after its inputs, and itself."""
        for node in self.inputs:
            yield from node.walk()
        yield self

    def value(self, given: Mapping[str, int]) -> int:
        """The output for the values of the inputs."""
        if not self.gate:
            return given[self.name]
        return GATES[self.gate]([node.value(given) for node in self.inputs])

    def formula(self) -> str:
        """The function as text: "(A AND B) OR (NOT C)"."""
        if not self.gate:
            return self.name
        parts = [node.formula() if not node.gate else f"({node.formula()})" for node in self.inputs]
        return f"NOT {parts[0]}" if self.gate == "NOT" else f" {self.gate} ".join(parts)

    def depth(self) -> int:
        """Gates on the longest way from an input."""
        return 1 + max(node.depth() for node in self.inputs) if self.gate else 0


def choose_circuit(rng: random.Random, inputs: int) -> Node:
    """A random circuit over `inputs` inputs, each used once; its gates are numbered from the inputs on."""
    letters = iter("ABCDE")

    def grow(size: int) -> Node:
        if size == 1:
            leaf = Node(next(letters))
            return Node("", "NOT", (leaf,)) if rng.random() < 0.3 else leaf
        cut = rng.randint(1, size - 1)
        first, second = grow(cut), grow(size - cut)
        node = Node("", rng.choice(("AND", "OR", "AND", "OR", "XOR", "NAND", "NOR", "XNOR")), (first, second))
        return Node("", "NOT", (node,)) if rng.random() < 0.1 else node

    root = grow(inputs)
    gates = sorted((node for node in root.walk() if node.gate), key=lambda node: node.depth())
    for number, node in enumerate(gates, 1):
        node.name = f"G{number}"
    return root


def truth_table(root: Node) -> list[tuple[tuple[int, ...], int]]:
    """Each combination of the inputs, counting up in binary, with the output."""
    letters = [node.name for node in root.walk() if not node.gate]
    rows = product((0, 1), repeat=len(letters))
    return [(bits, root.value(dict(zip(letters, bits, strict=True)))) for bits in rows]


_COLUMN, _ROW = 92, 52
_SIGNS = {"AND": "&", "OR": "≥1", "XOR": "=1", "NAND": "&", "NOR": "≥1", "XNOR": "=1", "NOT": "1"}


def draw_circuit(style: Style, root: Node, *, boxes: bool) -> Canvas:
    """Draw a circuit from its inputs on the left to its output Y; gates are boxes with signs, or have the shapes that
    IEEE 91 calls distinctive. Sets the place and box of each node. Raises `CrowdedError`."""
    leaves = [node for node in root.walk() if not node.gate]
    depth = root.depth()
    canvas = Canvas(70 + depth * _COLUMN + 60, 40 + len(leaves) * _ROW, style)
    for number, leaf in enumerate(leaves):
        leaf.at = (36.0, 20 + (number + 0.5) * _ROW)
    for node in root.walk():
        if node.gate:
            y = sum(inner.at[1] for inner in node.inputs) / len(node.inputs)
            node.at = (36 + node.depth() * _COLUMN, y)
    for node in root.walk():
        for number, inner in enumerate(node.inputs):
            _connect(canvas, inner, node, number)
    for node in root.walk():
        if node.gate:
            _draw_gate(canvas, node, boxes)
    end = (root.at[0] + 62, root.at[1])
    canvas.line((root.at[0] + 20 + _bubble(root), root.at[1]), end)
    canvas.text((end[0] + 11, end[1]), "Y", slanted=True)
    for leaf in leaves:
        canvas.text((leaf.at[0] - 12, leaf.at[1]), leaf.name, slanted=True)
    return canvas


def name_gates(canvas: Canvas, root: Node) -> None:
    """Write G1, G2, ... above or below the gates. Raises `CrowdedError`."""
    for node in root.walk():
        if node.gate:
            x, y = node.at
            spots = [(x, y - 27), (x, y + 27), (x + 22, y - 24), (x + 22, y + 24), (x - 18, y - 28), (x - 18, y + 28)]
            canvas.place(spots, node.name, 12)


def _bubble(node: Node) -> float:
    return 8.0 if node.gate in ("NAND", "NOR", "XNOR", "NOT") else 0.0


def _connect(canvas: Canvas, inner: Node, node: Node, number: int) -> None:
    """The wire from an output (or an input's letter) to a gate's input."""
    start = (inner.at[0] + (20 + _bubble(inner) if inner.gate else 0), inner.at[1])
    y = node.at[1] + (0 if len(node.inputs) == 1 else 9 * (2 * number - 1))
    # An input of a gate with curved back ends a little inside of its box.
    inside = 5.0 if node.gate in ("OR", "NOR", "XOR", "XNOR") else 0.0
    elbow = node.at[0] - 36
    canvas.curve([start, (elbow, start[1]), (elbow, y), (node.at[0] - 20 + inside, y)])


def _draw_gate(canvas: Canvas, node: Node, boxes: bool) -> None:
    (x, y), kind, paper = node.at, node.gate, canvas.style.paper
    left, right, high = x - 20, x + 20, 18
    bubble = _bubble(node)
    if boxes:
        canvas.polygon(
            [(left, y - high - 2), (right, y - high - 2), (right, y + high + 2), (left, y + high + 2)], paper
        )
        canvas.text((x, y), _SIGNS[kind], canvas.style.letter - 2)
    elif kind == "NOT":
        canvas.polygon([(left, y - 15), (right, y), (left, y + 15)], paper)
    elif kind in ("AND", "NAND"):
        bow = _bow((x, y - high), (right, y - high), (right, y)) + _bow((right, y), (right, y + high), (x, y + high))
        canvas.polygon([(left, y - high), *bow, (left, y + high)], paper)
    else:
        upper = _bow((left, y - high), (x + 4, y - high), (right, y))
        lower = _bow((right, y), (x + 4, y + high), (left, y + high))
        canvas.polygon([*upper, *lower, *_bow((left, y + high), (left + 10, y), (left, y - high))], paper)
        if kind in ("XOR", "XNOR"):
            canvas.curve(_bow((left - 6, y + high), (left + 4, y), (left - 6, y - high)))
    if bubble:
        canvas.circle((right + 4, y), 4, paper)
    node.box = (left - 6, y - high - 2, right + bubble, y + high + 2)


def _bow(start: XY, corner: XY, end: XY) -> list[XY]:
    """A quadratic Bézier curve."""
    points = []
    for step in range(17):
        t = step / 16
        weights = ((1 - t) ** 2, 2 * t * (1 - t), t * t)
        points.append(
            (
                sum(w * p[0] for w, p in zip(weights, (start, corner, end), strict=True)),
                sum(w * p[1] for w, p in zip(weights, (start, corner, end), strict=True)),
            )
        )
    return points
