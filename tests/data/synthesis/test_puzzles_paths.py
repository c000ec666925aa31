"""Mazes, sliding puzzles, 2048 and colour paths: what generators say is searched again here in another way."""

from __future__ import annotations

import heapq
import re
from itertools import product

import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.puzzles import sliding_trays
from vergence.data.synthesis.puzzles.sliding_search import solve_tiles
from vergence.verifiers.ground_truth import verify

networkx = pytest.importorskip("networkx")


def samples(kind, count, **settings):
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    config = generator.Config(**settings)
    return [make_sample(kind, generator, config, 7, index) for index in range(count)]


def checked(sample):
    """The question, answer and check of each turn."""
    messages, checks = sample.messages, sample.metadata["checks"]
    return [(messages[2 * n].text, messages[2 * n + 1].text, check) for n, check in enumerate(checks)]


KINDS = (
    "maze sliding-blocks board-2048 colour-path count-squares pattern-matrix word-game rebus jigsaw find-the-difference"
)


@pytest.mark.parametrize("kind", KINDS.split())
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.3), (0.6, 0.85)])
def test_a_range_of_difficulty_is_honoured(kind, low, high):
    for sample in samples(kind, 6, difficulty={"min": low, "max": high}):
        assert low <= sample.metadata["difficulty"] <= high


@pytest.mark.parametrize("kind", ["maze", "sliding-blocks", "board-2048", "colour-path", "pattern-matrix", "jigsaw"])
def test_the_language_is_that_of_the_settings(kind):
    for language in ("en", "zh"):
        for sample in samples(kind, 4, language=language):
            assert sample.metadata["tags"]["language"] == language
            texts = "".join(message.text for message in sample.messages)
            assert any("一" <= character <= "鿿" for character in texts) == (language == "zh")


@pytest.mark.parametrize("kind", KINDS.split())
def test_a_puzzle_asks_for_its_solution_once(kind):
    """No answer in lines of moves, paths or words is asked for twice, and no opening is said twice."""
    for sample in samples(kind, 25, turns=6, reasoning=0.0):
        turns = checked(sample)
        solved = [answer for _, answer, check in turns if check["verifier"] == "puzzle"]
        assert len(solved) == len(set(solved))
        starts = [question.partition("\n")[0][:60] for question, _, _ in turns if len(question) > 60]
        assert len(starts) == len(set(starts)), starts


def test_no_other_short_text_solves_a_puzzle():
    """An answer to another sample is wrong here: the state decides."""
    found = {kind: samples(kind, 25) for kind in ("maze", "sliding-blocks", "colour-path", "board-2048")}
    for made in found.values():
        answers = [
            (check, answer) for sample in made for _, answer, check in checked(sample) if check["verifier"] == "puzzle"
        ]
        wrong = [verify(check, other) < 1 for check, own in answers for _, other in answers if other != own]
        assert sum(wrong) >= 0.93 * len(wrong)


def maze_graph(truth):
    graph = networkx.Graph()
    for row, line in enumerate(truth["open"]):
        for column, sides in enumerate(line):
            graph.add_node((row, column))
            if sides & 2:
                graph.add_edge((row, column), (row, column + 1))
                assert line[column + 1] & 8
            if sides & 4:
                graph.add_edge((row, column), (row + 1, column))
                assert truth["open"][row + 1][column] & 1
    return graph


def test_mazes_by_graph_search_and_by_pixels():
    for sample in samples("maze", 40):
        truth = sample.metadata["truth"]
        graph, start = maze_graph(truth), tuple(truth["start"])
        reached = {name for name, cell in truth["exits"].items() if networkx.has_path(graph, start, tuple(cell))}
        assert reached == {truth["reached"]}
        goal = tuple(truth["exits"][truth["reached"]])
        length = networkx.shortest_path_length(graph, start, goal)
        assert length == len(truth["path"])
        for question, answer, check in checked(sample):
            if check["verifier"] == "count":
                assert check["target"] == length
            if check.get("puzzle") == "maze":
                assert ("shortest" in question or "最短" in question) == ("most" in check)
                assert check.get("most", length) == length
                moves = answer.splitlines()[-1]
                assert verify(check, f"{moves}, up, down") < 1 or "most" not in check


def test_a_maze_is_drawn_as_it_is():
    """The middle of each side between cells shows a wall exactly where one is."""
    from vergence.processing.media import decode_image

    for sample in samples("maze", 12):
        truth, [picture] = sample.metadata["truth"], sample.images
        image = decode_image(picture)
        rows, columns = len(truth["open"]), len(truth["open"][0])
        cell = (image.width - 28) / columns
        assert cell == (image.height - 28) / rows
        paper = image.getpixel((4, 4))
        for row, column in product(range(rows), range(columns - 1)):
            x, y = round(14 + (column + 1) * cell), round(14 + (row + 0.5) * cell)
            wall = sum(abs(a - b) for a, b in zip(image.getpixel((x, y)), paper, strict=True)) > 200
            assert wall == (not truth["open"][row][column] & 2)


def tile_distance(board, goal):
    """Moves from a board to the goal by a breadth-first search from both ends."""
    rows, columns = len(board), len(board[0])
    ends = [tuple(tile for row in grid for tile in row) for grid in (board, goal)]
    seen = [{ends[0]: 0}, {ends[1]: 0}]
    edge = [[ends[0]], [ends[1]]]
    if ends[0] == ends[1]:
        return 0
    while edge[0] and edge[1]:
        side = int(len(edge[1]) < len(edge[0]))
        after, best = [], None
        for state in edge[side]:
            gap = state.index(0)
            for step in (-columns, columns, -1, 1):
                at = gap + step
                if not 0 <= at < rows * columns or (abs(step) == 1 and at // columns != gap // columns):
                    continue
                cells = list(state)
                cells[gap], cells[at] = cells[at], 0
                new = tuple(cells)
                if new in seen[side]:
                    continue
                seen[side][new] = seen[side][state] + 1
                if new in seen[1 - side]:
                    total = seen[side][new] + seen[1 - side][new]
                    best = total if best is None else min(best, total)
                after.append(new)
        if best is not None:
            return best
        edge[side] = after
    return None


def test_tiles_by_a_search_from_both_ends():
    for sample in samples("sliding-blocks", 30, games=["tiles"]):
        truth = sample.metadata["truth"]
        assert len(truth["solution"]) == tile_distance(truth["board"], truth["goal"])
        for _, answer, check in checked(sample):
            if check.get("puzzle") == "sliding-tiles":
                assert verify(check, answer.splitlines()[-1] + ", 1, 1") == float(
                    "most" not in check and truth["solution"][-1] == 1
                )


def test_a_board_that_cannot_be_solved_has_no_solution():
    assert solve_tiles((2, 1, 3, 4, 5, 0), (1, 2, 3, 4, 5, 0), 3) is None
    assert solve_tiles((1, 2, 3, 4, 5, 0), (1, 2, 3, 4, 5, 0), 3) == []


def block_distance(state):
    """Fewest slides by uniform-cost search over sets of cells, without states that count as alike."""
    rows, columns = state["size"]
    names = sorted(state["blocks"])
    shapes = {name: state["blocks"][name][2:] for name in names}
    start = tuple(tuple(state["blocks"][name][:2]) for name in names)
    target = names.index("X")

    def covered(name, at):
        height, width = shapes[name]
        return {(at[0] + r, at[1] + c) for r in range(height) for c in range(width)}

    # Blocks of one shape are told apart here only where each has its own line.
    def key(places):
        if state["lengthwise"]:
            return places
        return (
            places[target],
            tuple(sorted((tuple(shapes[n]), p) for n, p in zip(names, places, strict=True) if n != "X")),
        )

    queue, seen = [(0, start)], {key(start)}
    while queue:
        steps, places = heapq.heappop(queue)
        if list(places[target]) == state["goal"]:
            return steps
        cells = [covered(name, at) for name, at in zip(names, places, strict=True)]
        for number, name in enumerate(names):
            others = set().union(*(c for other, c in enumerate(cells) if other != number))
            for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if state["lengthwise"] and (shapes[name][0] > shapes[name][1]) != bool(down):
                    continue
                row, column = places[number]
                while True:
                    row, column = row + down, column + right
                    if not (0 <= row <= rows - shapes[name][0] and 0 <= column <= columns - shapes[name][1]):
                        break
                    if covered(name, (row, column)) & others:
                        break
                    after = (*places[:number], (row, column), *places[number + 1 :])
                    if key(after) not in seen:
                        seen.add(key(after))
                        heapq.heappush(queue, (steps + 1, after))
    return None


@pytest.mark.parametrize("game", ["cars", "blocks"])
def test_blocks_by_another_search(game):
    for sample in samples("sliding-blocks", 14, games=[game]):
        truth = sample.metadata["truth"]
        assert len(truth["solution"]) == block_distance(truth["state"])
        for question, answer, check in checked(sample):
            if check["verifier"] == "count" and "空着" not in question and "empty" not in question:
                assert check["target"] == len(truth["solution"])
            if check.get("puzzle") == "sliding-blocks":
                moves = answer.splitlines()[-1]
                assert verify(check, moves.rpartition("，" if "，" in moves else ", ")[0]) == 0


def test_the_trays_of_the_list_are_as_it_says():
    lines = sliding_trays.LIST.read_text(encoding="utf-8").splitlines()
    assert len(lines) == len(set(lines)) > 300
    for line in lines:
        entry = sliding_trays.entry_of(line)
        assert entry.line() == line
        for tray in (entry, sliding_trays.mirrored(entry)):
            cells = [cell for row in filled(tray) for cell in row]
            assert sum(cell >= 0 for cell in cells) == sum(h * w for h, w in tray.tray.shapes)
    split = {
        name: {e.line() for game in ("cars", "blocks") for e in sliding_trays.entries(game, name)}
        for name in ("train", "heldout")
    }
    assert not split["train"] & split["heldout"]
    assert min(len(sliding_trays.entries(game, name)) for game in ("cars", "blocks") for name in split) > 20


def filled(entry):
    from vergence.data.synthesis.puzzles.sliding_search import fill

    return fill(entry.tray.rows, entry.tray.columns, entry.state, entry.tray.shapes)


def column_slide(line):
    """Towards its start, by strings: zeros out, then the first equal pair, from the start, once each."""
    tiles = [tile for tile in line if tile]
    made = []
    while tiles:
        first = tiles.pop(0)
        if tiles and tiles[0] == first:
            first += tiles.pop(0)
        made.append(first)
    return made + [0] * (len(line) - len(made))


def slid(board, direction):
    size = range(len(board))
    if direction == "left":
        return [column_slide(board[r]) for r in size]
    if direction == "right":
        return [column_slide(board[r][::-1])[::-1] for r in size]
    columns = [[board[r][c] for r in size] for c in size]
    columns = [column_slide(c) if direction == "up" else column_slide(c[::-1])[::-1] for c in columns]
    return [[columns[c][r] for c in size] for r in size]


def test_2048_by_all_slides():
    ways = ("up", "down", "left", "right")
    chinese = dict(zip("上下左右", ways, strict=True))
    for sample in samples("board-2048", 40, sizes=[3, 4]):
        truth = sample.metadata["truth"]
        board = truth["board"]
        best, fewest = max(map(max, board)), None
        for length in (1, 2, 3):
            for way in product(ways, repeat=length):
                after, moved = board, True
                for name in way:
                    following = slid(after, name)
                    moved, after = moved and following != after, following
                if moved and max(map(max, after)) > best:
                    best, fewest = max(map(max, after)), length
        assert (best, fewest) == (truth["tile"], len(truth["ways"][0]))
        points = {way: merged_points(board, slid(board, way)) for way in ways}
        for question, answer, check in checked(sample):
            named = [w for w in ways if f"sliding {w}" in question] + [
                w for c, w in chinese.items() if f"向{c}滑动" in question
            ]
            if check["verifier"] == "count" and named:
                assert check["target"] == points[named[0]]
            if check.get("puzzle") == "2048-board":
                last = answer.rpartition("答案：")[2].rpartition("Answer: ")[2]
                assert list(map(int, last.split())) == [tile for row in slid(board, named[0]) for tile in row]
            if "a single slide" in question or "滑动一次最多" in question:
                assert check["target"] == max(points.values())


def merged_points(before, after):
    """Points by what tiles are worth: a tile 2^n built of twos has brought 2^n (n - 1) points in all."""
    worth = lambda board: sum(tile * (tile.bit_length() - 1) for row in board for tile in row if tile)  # noqa: E731
    return worth(after) - worth(before)


def colour_graph(truth):
    graph = networkx.DiGraph()
    cycle = truth["cycle"]
    if truth["puzzle"] == "colour-grid":
        grid = truth["grid"]
        cells = {(r, c): colour for r, row in enumerate(grid) for c, colour in enumerate(row)}
        for (r, c), colour in cells.items():
            for other in ((r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)):
                for n in range(len(cycle)):
                    following = (n + 1) % len(cycle)
                    if other in cells and colour == cycle[n] and cells[other] == cycle[following]:
                        graph.add_edge(((r, c), n), (other, following))
        return graph, (tuple(truth["start"]), 0), tuple(truth["goal"])
    for first, second, colour in truth["lines"]:
        for a, b in ((first, second), (second, first)):
            for n in range(len(cycle)):
                if colour == cycle[n]:
                    graph.add_edge((a, n), (b, (n + 1) % len(cycle)))
    return graph, (truth["start"], 0), truth["goal"]


def test_colour_paths_by_a_graph_of_states():
    for sample in samples("colour-path", 50):
        truth = sample.metadata["truth"]
        graph, start, goal = colour_graph(truth)
        lengths = networkx.single_source_shortest_path_length(graph, start)
        ends = {state: length for state, length in lengths.items() if state[0] == goal}
        shortest = min(ends.values())
        assert shortest == len(truth["path"]) - 1
        count = sum(
            len(list(networkx.all_shortest_paths(graph, start, state)))
            for state, length in ends.items()
            if length == shortest
        )
        assert count == truth["shortest"]
        for _, _, check in checked(sample):
            if check["verifier"] == "puzzle" and "most" in check:
                assert check["most"] == shortest + (truth["puzzle"] == "colour-grid")


def test_no_way_is_asked_for_after_steps_that_tell_it():
    asked = 0
    for sample in samples("maze", 60, language="en"):
        turns = checked(sample)
        for number, (question, _, _) in enumerate(turns[1:], 1):
            if " way " in question:
                asked += 1
                assert "The shortest way there" not in turns[number - 1][1]
    assert asked > 5


def test_the_moves_that_are_told_are_not_those_of_the_solution():
    """Moves whose result is asked are random ones: seldom the beginning of the solution that is asked for next."""
    began = told = 0
    for sample in samples("sliding-blocks", 100, language="en", games=["tiles"], difficulty={"min": 0.3}):
        for question, _, _ in checked(sample):
            found = re.match(r"After tiles? ([\d, ]+) ha(?:ve|s) moved", question)
            if found and "," in found[1]:
                told += 1
                assert question.startswith("After tiles ")
                moves = [int(tile) for tile in found[1].split(",")]
                began += moves == sample.metadata["truth"]["solution"][: len(moves)]
    assert told > 20
    assert began < told / 2
