"""Word games: word search, crossword, guessing by coloured clues or by letters, and crossing Chinese idioms."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from PIL import ImageFont
from pydantic import Field

from vergence.data.generator import Draft, Region, SourceItem, Turn, dialogue
from vergence.data.pictures import Split
from vergence.data.synthesis.ocr.fonts import face, families, font_item
from vergence.data.synthesis.puzzles.drawing import SMOOTHING, Canvas, Look, look, png
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    between,
    graded,
    language_of,
    share,
)
from vergence.data.synthesis.puzzles.word_pictures import draw_clues, draw_crossword, draw_letters, draw_search
from vergence.data.synthesis.puzzles.word_questions import (
    clues_turns,
    crossword_turns,
    idioms_turns,
    letters_turns,
    search_turns,
)
from vergence.data.synthesis.puzzles.word_rules import (
    DIRECTIONS,
    Slot,
    agreeing,
    clues_for,
    crossed,
    fillings,
    fitting,
    hidden,
)
from vergence.data.synthesis.puzzles.words import common_words, idioms

VERSION = 2

PACKAGES = ()

Game = Literal["search", "crossword", "clues", "letters", "idioms"]

Draw = Callable[[Mapping[str, Any], Look], tuple[Canvas, tuple[Region, ...]]]

Ask = Callable[[random.Random, PuzzleConfig, Language, Mapping[str, Any]], list[Turn]]


class Config(PuzzleConfig):
    """Which games."""

    games: tuple[Game, ...] = Field(
        ("search", "crossword", "clues", "letters", "idioms"),
        min_length=1,
        description="games to draw from; idioms are asked in Chinese only",
    )


@dataclass(frozen=True)
class Puzzle:
    """A game: what it draws and knows (`facts`), and how hard it is."""

    game: Game
    facts: Mapping[str, Any]
    difficulty: float


def make_search(split: Split, rng: random.Random, level: float) -> Puzzle | None:
    """Words hidden in a grid of letters, each of them once."""
    size, count = between(level, 6, 12), rng.randint(3, 5)
    words = rng.sample([word for word in common_words(split) if 4 <= len(word) <= min(6, size)], count)
    ways = DIRECTIONS[: rng.choice((2, 3) if level < 0.35 else (4, 8) if level < 0.7 else (8,))]
    made = hidden(rng, words, size, ways)
    if made is None:
        return None
    grid, places = made
    difficulty = 0.6 * share(size, 6, 12) + 0.4 * share(len(ways), 2, 8)
    return Puzzle("search", {"grid": grid, "words": words, "places": places}, difficulty)


def make_crossword(split: Split, rng: random.Random, level: float) -> Puzzle | None:
    """Crossing words of which some letters are given; the list of words fills it in one way only."""
    most = between(level, 3, 8)
    words = rng.sample([word for word in common_words(split) if 3 <= len(word) <= 6], 30)
    placed = crossed(rng, words, most)
    if len(placed) < 3:
        return None
    top, left = (min(getattr(slot, axis) for slot, _ in placed) for axis in ("row", "column"))
    slots = [Slot(slot.row - top, slot.column - left, slot.down, slot.length) for slot, _ in placed]
    answers = [word for _, word in placed]
    letters = {
        cell: letter
        for slot, word in zip(slots, answers, strict=True)
        for cell, letter in zip(slot.cells, word, strict=True)
    }
    if max(row for row, _ in letters) > 12 or max(column for _, column in letters) > 12:
        return None
    shown = rng.sample(sorted(letters), rng.randint(0, 1 + round((1 - level) * 3)))
    given = {cell: letters[cell] for cell in shown}
    if fillings(slots, answers, given) != 1:
        return None
    difficulty = 0.7 * share(len(slots), 3, 8) + 0.3 * (1 - share(len(given), 0, 4))
    return Puzzle("crossword", {"slots": slots, "answers": answers, "given": given}, difficulty)


def make_clues(split: Split, rng: random.Random, level: float) -> Puzzle | None:
    """Guesses with coloured clues that leave one word of a list."""
    length = rng.choice((4, 5, 5, 6))
    words = [word for word in common_words(split) if len(word) == length]
    secret = rng.choice(words)
    clues = clues_for(rng, secret, words, rng.randint(2, 4))
    rivals = [word for word in words if word != secret and word not in dict(clues)]
    # The more clues a rival meets, the harder it is to rule out.
    rivals.sort(key=lambda word: (sum(bool(agreeing([word], [clue])) for clue in clues), rng.random()))
    count = between(level, 3, 9)
    near = rivals[-count:] if level > 0.5 else rng.sample(rivals, min(count, len(rivals)))
    listed = [secret, *near]
    rng.shuffle(listed)
    if agreeing(listed, clues) != [secret]:
        return None
    met = sum(bool(agreeing([word], [clue])) for word in near for clue in clues) / (len(near) * len(clues))
    difficulty = 0.55 * share(len(listed), 4, 10) + 0.25 * share(met, 0, 0.5) + 0.2 * share(length, 4, 6)
    return Puzzle("clues", {"secret": secret, "clues": clues, "listed": listed}, difficulty)


def make_letters(split: Split, rng: random.Random, level: float) -> Puzzle | None:
    """A word with some letters shown and some guessed in vain, which leave one word of a list."""
    length = rng.randint(4, 6)
    words = [word for word in common_words(split) if len(word) == length]
    secret = rng.choice(words)
    shown = rng.sample(sorted(set(secret)), rng.randint(1, max(1, round((1 - level) * 2))))
    pattern = "".join(letter if letter in shown else "_" for letter in secret)
    wrong = rng.sample([c for c in "abcdefghijklmnopqrstuvwxyz" if c not in secret], rng.randint(2, 5))
    count = between(level, 3, 9)
    rivals = [word for word in words if word != secret and word not in fitting([word], pattern, wrong)]
    # Those that miss by the wrong letters only come last.
    rivals.sort(key=lambda word: (sum(a == b for a, b in zip(word, secret, strict=True)), rng.random()))
    near = rivals[-count:] if level > 0.5 else rng.sample(rivals, min(count, len(rivals)))
    if len(near) < count:
        return None
    listed = [secret, *near]
    rng.shuffle(listed)
    if fitting(listed, pattern, wrong) != [secret]:
        return None
    difficulty = 0.6 * share(len(listed), 4, 10) + 0.4 * share(pattern.count("_") / length, 0.3, 0.85)
    return Puzzle("letters", {"secret": secret, "pattern": pattern, "wrong": wrong, "listed": listed}, difficulty)


def make_idioms(split: Split, rng: random.Random, level: float) -> Puzzle | None:
    """Two idioms that cross in a character; one of their characters may be hidden too."""
    known = idioms(split)
    first = rng.choice(known)
    ways = [
        (place, other, number)
        for place, character in enumerate(first)
        for other in known
        if other != first
        for number, own in enumerate(other)
        if own == character
    ]
    if not ways:
        return None
    place, second, number = rng.choice(ways)
    slots = [Slot(number, 0, False, 4), Slot(0, place, True, 4)]
    cells = {
        cell: c
        for slot, word in zip(slots, (first, second), strict=True)
        for cell, c in zip(slot.cells, word, strict=True)
    }
    asked = (number, place)
    masked = rng.sample([cell for cell in sorted(cells) if cell != asked], between(level, 0, 1))
    given = {cell: c for cell, c in cells.items() if cell not in masked and cell != asked}
    everything = (*idioms("train"), *idioms("heldout"))
    fitting_characters = {
        one[place]
        for one in everything
        for two in everything
        if one[place] == two[number] and _agrees(one, slots[0], given) and _agrees(two, slots[1], given)
    }
    if fitting_characters != {cells[asked]}:
        return None
    difficulty = 0.3 + 0.3 * len(masked) + 0.1 * (place not in (0, 3)) + 0.1 * (number not in (0, 3))
    facts = {"slots": slots, "answers": [first, second], "given": given, "asked": asked, "character": cells[asked]}
    return Puzzle("idioms", facts, difficulty)


def _agrees(word: str, slot: Slot, given: Mapping[tuple[int, int], str]) -> bool:
    return all(given.get(cell, character) == character for cell, character in zip(slot.cells, word, strict=True))


MAKERS = {
    "search": make_search,
    "crossword": make_crossword,
    "clues": make_clues,
    "letters": make_letters,
    "idioms": make_idioms,
}


def generate(rng: random.Random, config: Config) -> Draft:
    """A word game with its questions."""
    language = language_of(rng, config)
    games = [game for game in config.games if game != "idioms" or language == "zh"] or list(config.games)
    makers = [partial(MAKERS[game], config.split) for game in games]

    def make(chance: random.Random, level: float) -> Puzzle | None:
        return chance.choice(makers)(chance, level)

    puzzle = graded(rng, config, make)
    language = "zh" if puzzle.game == "idioms" else language
    style = look(rng)
    letters: ImageFont.FreeTypeFont | None = None
    items: tuple[SourceItem, ...] = ()
    if puzzle.game == "idioms":
        typeface = rng.choice(rng.choice(families("han", "print", config.split)))
        letters, items = face(typeface.files[0], 34 * SMOOTHING), (font_item(typeface),)
    games_drawn: Mapping[Game, tuple[Draw, Ask]] = {
        "search": (draw_search, search_turns),
        "crossword": (draw_crossword, crossword_turns),
        "clues": (draw_clues, clues_turns),
        "letters": (draw_letters, letters_turns),
        "idioms": (partial(draw_crossword, letters=letters), idioms_turns),
    }
    draw, ask_about = games_drawn[puzzle.game]
    canvas, regions = draw(puzzle.facts, style)
    messages, checks = dialogue((png(canvas.finish()),), ask_about(rng, config, language, puzzle.facts))
    return Draft(
        messages,
        checks,
        truth={"game": puzzle.game, **_plain(puzzle.facts)},
        capability="reasoning/puzzles/words",
        domain="language",
        difficulty=puzzle.difficulty,
        language=language,
        sources=items,
        regions=regions,
    )


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a puzzle, as JSON has it."""
    found: dict[str, Any] = {}
    for name, value in facts.items():
        if name == "slots":
            value = [[slot.row, slot.column, "down" if slot.down else "across", slot.length] for slot in value]
        elif name == "given":
            value = [[row, column, letter] for (row, column), letter in sorted(value.items())]
        elif name == "places":
            value = {word: [row, column, list(step)] for word, (row, column, step) in value.items()}
        elif name in ("clues", "asked"):
            value = [list(item) if isinstance(item, tuple) else item for item in value]
        found[name] = value
    return found
