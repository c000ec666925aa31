"""Does an answer solve a puzzle: one rule for each puzzle, which plays the answer on the state that the check holds.

So any solution is right, not only the one that a generator found. Questions with one short answer (a count, an option)
need no rule of their own: `vergence.verifiers.ground_truth` has theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from vergence.verifiers.puzzles.board_2048 import board_2048, moves_2048
from vergence.verifiers.puzzles.colour_path import colour_graph, colour_grid
from vergence.verifiers.puzzles.jigsaw import jigsaw
from vergence.verifiers.puzzles.maze import maze
from vergence.verifiers.puzzles.sliding_blocks import sliding_blocks, sliding_tiles
from vergence.verifiers.puzzles.word_game import guess_from_clues, guess_letters, word_search

PUZZLES: Mapping[str, Callable[[Mapping[str, Any], str], float | bool]] = {
    "maze": maze,
    "sliding-tiles": sliding_tiles,
    "sliding-blocks": sliding_blocks,
    "2048-moves": moves_2048,
    "2048-board": board_2048,
    "jigsaw": jigsaw,
    "colour-grid": colour_grid,
    "colour-graph": colour_graph,
    "word-search": word_search,
    "guess-from-clues": guess_from_clues,
    "guess-letters": guess_letters,
}
"""Puzzle -> its rule."""


def solves(check: Mapping[str, Any], answer: str) -> float:
    """How well an answer solves the puzzle of a check, in 0..1; no text raises.

    Raises `ValueError` for an unknown puzzle and `KeyError` for a check that lacks something.
    """
    rule = PUZZLES.get(check["puzzle"])
    if rule is None:
        raise ValueError(f"unknown puzzle {check['puzzle']!r}; known are {', '.join(PUZZLES)}")
    return float(rule(check, answer))
