"""What is asked about sliding puzzles."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

from vergence.data.generator import Turn
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    reply,
    some_turns,
)
from vergence.data.synthesis.puzzles.sliding_puzzles import BlockPuzzle, TilePuzzle, block_name, block_state, rows_of
from vergence.data.synthesis.puzzles.sliding_search import Slides, fill
from vergence.verifiers.puzzles.sliding_blocks import slide_tiles

CHINESE = {"up": "上", "down": "下", "left": "左", "right": "右"}


def tile_turns(rng: random.Random, config: PuzzleConfig, language: Language, puzzle: TilePuzzle) -> list[Turn]:
    """The questions about a board of tiles."""
    zh, count = language == "zh", len(puzzle.moves)
    board = rows_of(puzzle.board, puzzle.columns)
    state = {
        "verifier": "puzzle",
        "puzzle": "sliding-tiles",
        "board": board,
        "goal": rows_of(puzzle.goal, puzzle.columns),
    }
    answer = ", ".join(map(str, puzzle.moves))
    goal = (
        "目标是从左到右、从上到下依次排成 1、2、3……，空格在右下角。"
        if zh
        else "The goal is 1, 2, 3, ... row by row with the gap in the lower right corner."
    )
    form = "按顺序写出要移动的数字，用逗号分隔。" if zh else "List the tiles to move in order, separated by commas."
    steps = _states(board, puzzle.moves, language)
    part = _some_moves(board, rng)
    after = slide_tiles(board, part)
    assert after is not None, "they are moves"
    row, column = rng.choice([(r, c) for r, line in enumerate(after) for c, tile in enumerate(line) if tile])
    found = after[row][column]
    listed = "、".join(map(str, part)) if zh else ", ".join(map(str, part))
    result = (
        f"{'依次' if len(part) > 1 else ''}移动数字 {listed} 之后，第{row + 1}行第{column + 1}列是哪个数字？"
        if zh
        else f"After {f'tiles {listed} have' if len(part) > 1 else f'tile {listed} has'} moved into the gap"
        f"{' in this order' if len(part) > 1 else ''}, which tile lies in row {row + 1}, column {column + 1}?"
    )
    solve = ("把数字移入空格，解开这个滑块拼图。", f"用最少的步数解开这个滑块拼图（{count} 步）。") if zh else (
        "Solve this sliding puzzle by moving tiles into the gap.",
        f"Solve this sliding puzzle in as few moves as possible ({count}).",
    )  # fmt: skip
    gap = "" if zh else " "
    fewest = (
        f"这个滑块拼图最少要移动几步？{goal}"
        if zh
        else f"What is the least number of moves that solves this sliding puzzle? {goal}"
    )
    return some_turns(
        rng,
        config,
        [
            lambda: reply(
                rng,
                config,
                language,
                result,
                str(found),
                {"verifier": "exact", "target": str(found)},
                _states(board, part, language),
            ),
            [
                lambda: reply(rng, config, language, fewest, str(count), {"verifier": "count", "target": count}, steps),
                lambda: reply(rng, config, language, gap.join((solve[0], goal, form)), answer, state, steps, "plain"),
                lambda: reply(
                    rng,
                    config,
                    language,
                    gap.join((solve[1], goal, form)),
                    answer,
                    {**state, "most": count},
                    steps,
                    "plain",
                ),
            ],
        ],
    )


def _some_moves(board: Sequence[Sequence[int]], rng: random.Random) -> list[int]:
    """One to four moves at random, none of which takes back the one before: not those of a solution."""
    tiles = [tile for row in board for tile in row if tile]
    moves: list[int] = []
    for _ in range(rng.randint(1, 4)):
        movable = [tile for tile in tiles if tile not in moves[-1:] and slide_tiles(board, [*moves, tile]) is not None]
        moves.append(rng.choice(movable))
    return moves


def _states(board: Sequence[Sequence[int]], moves: Sequence[int], language: Language) -> list[str]:
    """The board, and the board after each of the moves."""
    steps = [_board_text(board, language)]
    for number, tile in enumerate(moves, 1):
        after = slide_tiles(board, moves[:number])
        assert after is not None, "only tiles that lie beside the gap are moved"
        steps.append(
            f"第{number}步移动 {tile}：{_written(after)}"
            if language == "zh"
            else f"Move {number}, tile {tile}: {_written(after)}"
        )
    return steps


def _written(board: Sequence[Sequence[int]]) -> str:
    return " / ".join(" ".join(str(tile) if tile else "_" for tile in row) for row in board)


def _board_text(board: Sequence[Sequence[int]], language: Language) -> str:
    return (
        f"开始时（_ 为空格）：{_written(board)}"
        if language == "zh"
        else f"The board, with _ for the gap: {_written(board)}"
    )


CARS: Mapping[Language, str] = {
    "zh": "每辆车只能沿车身方向前后滑动。把红车 X 移到最右边的出口处；一次滑动任意格数算一步。",
    "en": "Each car moves only forwards and backwards along its length. Bring the red car X to the exit at the "
    "right edge; a slide over any number of cells is one move. ",
}
BLOCKS: Mapping[Language, str] = {
    "zh": "方块可以向上下左右滑动，不能旋转或重叠。把红色方块 X 移到底边的出口处；沿一个方向滑动任意格数算一步。",
    "en": "Blocks slide up, down, left and right and never turn or overlap. Bring the red block X to the exit at the "
    "bottom edge; a slide in one direction over any number of cells is one move. ",
}


def block_turns(rng: random.Random, config: PuzzleConfig, language: Language, puzzle: BlockPuzzle) -> list[Turn]:
    """The questions about a tray of cars or blocks."""
    rules = (CARS if puzzle.tray.lengthwise else BLOCKS)[language]
    makers: list[Callable[[], Turn] | list[Callable[[], Turn]]] = [
        *_piece_questions(rng, config, language, puzzle, rules),
        _solution_questions(rng, config, language, puzzle, rules),
    ]
    return some_turns(rng, config, makers, rules)


def _piece_questions(
    rng: random.Random, config: PuzzleConfig, language: Language, puzzle: BlockPuzzle, rules: str
) -> list[Callable[[], Turn]]:
    """Which pieces can move, and how many cells are empty."""
    zh, tray = language == "zh", puzzle.tray
    cells, total = fill(tray.rows, tray.columns, puzzle.state, tray.shapes), tray.rows * tray.columns
    empty = sum(cell < 0 for row in cells for cell in row)
    movable = sorted({block_name(block) for block, *_ in Slides(tray).moves(puzzle.state)})
    can = (
        "现在哪些方块可以移动？用逗号列出它们的字母。"
        if zh
        else "Which pieces can move right now? List their letters, separated by commas."
    )
    how_many = "图中有几个空着的方格？" if zh else "How many cells of the grid are empty?"
    step = (
        f"共 {tray.rows}×{tray.columns} = {total} 格，方块占了 {total - empty} 格。"
        if zh
        else f"There are {tray.rows} x {tray.columns} = {total} cells; the pieces cover {total - empty} of them."
    )
    count = {"verifier": "count", "target": empty}
    return [
        lambda: Turn(rules + can, ", ".join(movable), {"verifier": "set", "target": movable}),
        lambda: reply(rng, config, language, how_many, str(empty), count, [step]),
    ]


def _solution_questions(
    rng: random.Random, config: PuzzleConfig, language: Language, puzzle: BlockPuzzle, rules: str
) -> list[Callable[[], Turn]]:
    """A solution, a shortest one, and its number of moves."""
    zh, count = language == "zh", len(puzzle.moves)
    moves = [
        f"{block_name(block)} 向{CHINESE[way]} {cells} 格" if zh else f"{block_name(block)} {way} {cells}"
        for block, way, cells in puzzle.moves
    ]
    answer = ("，" if zh else ", ").join(moves)
    form = "请按“A 向右 2 格，B 向上 1 格”的形式作答。" if zh else ' Answer in the form "A right 2, B up 1".'
    explain = [
        _blockers(puzzle, language),
        *(f"第{number}步：{move}" if zh else f"Move {number}: {move}" for number, move in enumerate(moves, 1)),
        "X 到达出口。" if zh else "X is at the exit.",
    ]
    fewest = rules + ("最少需要几步？" if zh else "How many moves does it take at least?")
    some = rules + ("写出一种解法。" if zh else "Find a solution.") + form
    short = (
        rules + (f"写出步数最少的解法（{count} 步）。" if zh else f"Find a shortest solution ({count} moves).") + form
    )
    check = {"verifier": "puzzle", "puzzle": "sliding-blocks", **block_state(puzzle)}
    least, number = {**check, "most": count}, {"verifier": "count", "target": count}
    return [
        lambda: reply(rng, config, language, fewest, str(count), number, explain),
        lambda: reply(rng, config, language, some, answer, check, explain, "plain"),
        lambda: reply(rng, config, language, short, answer, least, explain, "plain"),
    ]


def _blockers(puzzle: BlockPuzzle, language: Language) -> str:
    """What lies at the exit, or between the red car and it."""
    tray = puzzle.tray
    cells = fill(tray.rows, tray.columns, puzzle.state, tray.shapes)
    (row, column), (height, width) = divmod(puzzle.goal, tray.columns), tray.shapes[0]
    columns = range(puzzle.state[0] % tray.columns if tray.lengthwise else column, column + width)
    names = sorted({block_name(cells[r][c]) for r in range(row, row + height) for c in columns if cells[r][c] > 0})
    if not names:
        return "出口处没有别的方块。" if language == "zh" else "Nothing else lies at the exit."
    listed = "、".join(names) if language == "zh" else ", ".join(names)
    return f"挡住 X 的有：{listed}。" if language == "zh" else f"In the way of X: {listed}."
