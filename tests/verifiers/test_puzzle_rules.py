"""Any solution of a puzzle is right, a near miss isn't, and no text makes a rule raise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vergence.verifiers.ground_truth import verify
from vergence.verifiers.puzzles.board_2048 import slide
from vergence.verifiers.puzzles.reading import (
    cell_name,
    read_block_moves,
    read_cells,
    read_moves,
    read_numbers,
)
from vergence.verifiers.puzzles.rules import PUZZLES, solves
from vergence.verifiers.puzzles.sliding_blocks import slide_block, slide_tiles
from vergence.verifiers.puzzles.word_game import clue_of, fits

# Three cells in a ring of four: both ways round lead from one corner to the opposite one.
RING = [[6, 12], [3, 9]]
CHECKS = {
    "maze": {"open": RING, "start": [0, 0], "goal": [1, 1], "most": 2},
    "sliding-tiles": {"board": [[1, 2, 3], [4, 0, 5]], "goal": [[1, 2, 3], [4, 5, 0]], "most": 3},
    "sliding-blocks": {
        "blocks": {"X": [1, 0, 1, 2], "A": [0, 2, 2, 1]},
        "size": [4, 4],
        "target": "X",
        "goal": [1, 2],
        "lengthwise": True,
    },
    "2048-moves": {"board": [[2, 2], [4, 0]], "tile": 8, "most": 2},
    "2048-board": {"board": [[2, 2], [4, 0]], "move": "right"},
    "jigsaw": {"order": [3, 1, 4, 2]},
    "colour-grid": {
        "grid": [["red", "blue"], ["blue", "red"]],
        "start": [0, 0],
        "goal": [1, 1],
        "cycle": ["red", "blue"],
    },
    "colour-graph": {
        "lines": [["A", "B", "red"], ["B", "D", "blue"], ["A", "C", "red"], ["C", "D", "blue"], ["A", "D", "blue"]],
        "start": "A",
        "goal": "D",
        "cycle": ["red", "blue"],
    },
    "word-search": {"grid": ["cat", "axo", "cab"], "word": "cat"},
    "guess-from-clues": {"clues": [["stone", "BYBBG"]], "words": ["table", "tulip"]},
    "guess-letters": {"pattern": "_oo_", "wrong": ["m"], "words": ["book", "boom", "noon", "foot"]},
}
RIGHT = {
    "maze": [
        "RD",
        "DR",
        "right, down",
        "向右1格，向下1格",
        "→↓",
        "down 1 then right 1",
        "<think>UU</think>Answer: R D",
    ],
    "sliding-tiles": ["5", "5, 5, 5", "[5]"],
    "sliding-blocks": ["A down 2, X right 2", "A 向下 2 格，X 向右 2 格", "a: down 2; x: right 1; X r 1"],
    "2048-moves": ["left, up", "L U", "左，上", "right then up", "→ ↑"],
    "2048-board": ["0 4\n0 4", "[[0, 4], [0, 4]]", "0 4 / 0 4"],
    "jigsaw": ["3 1\n4 2", "3, 1, 4, 2", "3、1\n4、2"],
    "colour-grid": ["A1 B1 B2", "A1, A2, B2", "A1→B1→B2", "a1 b1 b2"],
    "colour-graph": ["A B D", "ACD", "A -> C -> D", "A to B to D", "A、B、D"],
    "word-search": ["A1 C1", "A1 to C1", "从 A1 到 C1"],
    "guess-from-clues": ["table", "TABLE.", "“table”"],
    "guess-letters": ["book", "Book", "noon", "foot"],
}
WRONG = {
    "maze": ["RR", "R", "RDLR", "the way is RD", "", "RDUD"],
    "sliding-tiles": ["4", "5 5", "5 5 5 5 5", "", "0", "tile five"],
    "sliding-blocks": [
        "X right 2",
        "A down 2",
        "A down 3, X right 2",
        "A right 1, A down 2",
        "A down 2, X right 2, Q up 1",
    ],
    "2048-moves": ["left", "down", "up left", "left, left", "left up down", ""],
    "2048-board": ["4 0 4 0", "0 4 0", "zero four"],
    "jigsaw": ["1 2 3 4", "3 1 4", "3 1 4 2 2", "3 1 4 5", "3 1 2 4"],
    "colour-grid": ["A1 B2", "A1 B1", "B1 B2", "A1 B1 A1 B2", "A1 C1 B2", "A1"],
    "colour-graph": ["A D", "A B", "B D", "A B C D", "a b d", "Any of them", "AD"],
    "word-search": ["A1 B1", "C1 A1", "A1", "A1 C1 A3", "A3 C3", "Z9 Z11"],
    "guess-from-clues": ["tulip", "stale", ""],
    "guess-letters": ["boom", "mood", "food", "foot cook"],
}


def check(puzzle):
    return {"verifier": "puzzle", "puzzle": puzzle, **CHECKS[puzzle]}


@pytest.mark.parametrize(("puzzle", "answer"), [(p, a) for p, answers in RIGHT.items() for a in answers])
def test_any_solution_is_right(puzzle, answer):
    assert verify(check(puzzle), answer) == 1


@pytest.mark.parametrize(("puzzle", "answer"), [(p, a) for p, answers in WRONG.items() for a in answers])
def test_what_does_not_solve_it_is_wrong(puzzle, answer):
    assert verify(check(puzzle), answer) < 1


def test_every_puzzle_has_examples():
    assert set(PUZZLES) == set(CHECKS) == set(RIGHT) == set(WRONG)


def test_an_unknown_puzzle_is_refused():
    with pytest.raises(ValueError, match="known are maze"):
        solves({"puzzle": "sudoku"}, "1")


PIECES = st.sampled_from(
    [*"URDL urdl上下左右↑→ABX129,、\n", "up", "right", "A1", "B2", "and", "x2", "向", "格", "<bbox>", "["]
)


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(), st.lists(PIECES, max_size=12).map("".join), st.lists(PIECES, max_size=12).map(" ".join)))
def test_no_text_raises(text):
    for puzzle in PUZZLES:
        assert 0 <= solves(check(puzzle), text) <= 1
    for read in (read_moves, read_block_moves, read_numbers, read_cells):
        read(text)


@given(st.lists(st.sampled_from(["up", "down", "left", "right"]), min_size=1, max_size=30))
def test_moves_are_read_in_every_writing(moves):
    letters = "".join(move[0].upper() for move in moves)
    chinese = "，".join("向" + {"up": "上", "down": "下", "left": "左", "right": "右"}[move] for move in moves)
    runs: list[list] = []
    for move in moves:
        if runs and runs[-1][0] == move:
            runs[-1][1] += 1
        else:
            runs.append([move, 1])
    counted = ", ".join(f"{move} {count}" for move, count in runs)
    for text in (letters, letters.lower(), " ".join(letters), ", ".join(moves), chinese, counted):
        assert read_moves(text) == moves, text


@given(st.integers(0, 25), st.integers(0, 98))
def test_a_cell_is_read_as_it_is_written(column, row):
    assert read_cells(f"from {cell_name(row, column)} on") == [(row, column)]


def test_huge_counts_are_not_unrolled():
    assert read_moves("R999 " * 1000) is None


def game_2048(board, direction):
    """The rules told otherwise: tiles step by step, one cell at a time, those made before marked."""
    size = len(board)
    cells = [list(row) for row in board]
    made = [[False] * size for _ in cells]
    down, right = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}[direction]
    points = 0
    order = sorted(
        ((r, c) for r in range(size) for c in range(size)), key=lambda cell: -(cell[0] * down + cell[1] * right)
    )
    for row, column in order:
        while cells[row][column]:
            r, c = row + down, column + right
            if not (0 <= r < size and 0 <= c < size):
                break
            if cells[r][c] == 0:
                cells[r][c], cells[row][column] = cells[row][column], 0
                row, column = r, c
            elif cells[r][c] == cells[row][column] and not made[r][c]:
                cells[r][c] *= 2
                cells[row][column] = 0
                made[r][c] = True
                points += cells[r][c]
                break
            else:
                break
    return tuple(map(tuple, cells)), points


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 5).flatmap(
        lambda size: st.lists(
            st.lists(st.sampled_from([0, 0, 2, 4, 8]), min_size=size, max_size=size), min_size=size, max_size=size
        )
    ),
    st.sampled_from(["up", "down", "left", "right"]),
)
def test_a_slide_is_that_of_the_game(board, direction):
    assert slide(board, direction) == game_2048(board, direction)


@given(st.permutations(range(9)), st.lists(st.integers(0, 9), max_size=12))
def test_tiles_slide_into_the_gap_only(tiles, moves):
    board = [list(tiles[start : start + 3]) for start in (0, 3, 6)]
    flat = list(tiles)
    legal = True
    for tile in moves:
        if tile not in flat or tile == 0:
            legal = False
            break
        a, b = flat.index(tile), flat.index(0)
        if (a // 3, a % 3) not in {(b // 3 + 1, b % 3), (b // 3 - 1, b % 3), (b // 3, b % 3 + 1), (b // 3, b % 3 - 1)}:
            legal = False
            break
        flat[a], flat[b] = flat[b], flat[a]
    found = slide_tiles(board, moves)
    assert found == ([flat[start : start + 3] for start in (0, 3, 6)] if legal else None)


def test_blocks_do_not_jump_or_turn():
    blocks = {"X": (0, 0, 1, 1), "A": (0, 1, 1, 1)}
    assert slide_block(blocks, (1, 4), "X", "right", 2, lengthwise=False) is None
    assert slide_block(blocks, (1, 4), "A", "right", 2, lengthwise=False) == {"X": (0, 0, 1, 1), "A": (0, 3, 1, 1)}
    assert slide_block(blocks, (1, 4), "A", "right", 3, lengthwise=False) is None
    assert slide_block({"X": (0, 0, 1, 2)}, (3, 3), "X", "down", 1, lengthwise=True) is None


@given(st.text("abcd", min_size=4, max_size=4), st.text("abcd", min_size=4, max_size=4))
def test_clues_count_letters_as_the_game_does(guess, word):
    clue = clue_of(guess, word)
    for place in range(4):
        assert (clue[place] == "G") == (guess[place] == word[place])
    for letter in "abcd":
        marked = sum(mark in "GY" for mark, own in zip(clue, guess, strict=True) if own == letter)
        assert marked == min(guess.count(letter), word.count(letter))


def test_a_pattern_shows_a_letter_wherever_it_stands():
    assert fits("noon", "_oo_", [])
    assert not fits("oboe", "_o__", [])
    assert not fits("book", "b__k", ["o"])


def test_walls_and_diagonals_stop_a_path():
    """Answers that would arrive if walls were open, or if cells that share a corner only were neighbours."""
    walled = {"verifier": "puzzle", "puzzle": "maze", "open": [[4, 4], [3, 9]], "start": [0, 0], "goal": [1, 1]}
    assert verify(walled, "DR") == 1
    assert verify(walled, "RD") == 0
    plain = {"grid": [["red", "red"], ["red", "red"]], "start": [0, 0], "goal": [1, 1], "cycle": ["red"]}
    assert verify({"verifier": "puzzle", "puzzle": "colour-grid", **plain}, "A1 B1 B2") == 1
    assert verify({"verifier": "puzzle", "puzzle": "colour-grid", **plain}, "A1 B2") == 0
    assert verify({"verifier": "puzzle", "puzzle": "colour-grid", **plain}, "A1 C1 C2 B2") == 0
