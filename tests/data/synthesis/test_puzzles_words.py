"""Rebuses and word games: answers are found again by trying every word, every line of letters, every filling."""

from __future__ import annotations

import random
import re
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.synthesis.puzzles import rebus
from vergence.data.synthesis.puzzles.word_rules import hidden
from vergence.data.synthesis.puzzles.words import common_words, idioms
from vergence.processing.media import decode_image
from vergence.verifiers.ground_truth import verify


def samples(kind, count, **settings):
    if reason := why_unavailable(kind):
        pytest.skip(reason)
    generator = load_generator(kind)
    config = generator.Config(**settings)
    return [make_sample(kind, generator, config, 3, index) for index in range(count)]


def checked(sample):
    messages, checks = sample.messages, sample.metadata["checks"]
    return [(messages[2 * n].text, messages[2 * n + 1].text, check) for n, check in enumerate(checks)]


def test_no_two_rebuses_show_the_same_pictures():
    for language in ("en", "zh"):
        shown = [
            tuple(part.code for part in parts)
            for side in ("train", "heldout")
            for _, parts in rebus.facts(language, side)
        ]
        assert len(shown) == len(set(shown)) > 60
        answers = [answer for side in ("train", "heldout") for answer, _ in rebus.facts(language, side)]
        assert len(answers) == len(set(answers))


def test_every_emoji_is_drawn_in_both_sets():
    if reason := why_unavailable("rebus"):
        pytest.skip(reason)
    codes = {
        part.code
        for lang in ("en", "zh")
        for side in ("train", "heldout")
        for _, parts in rebus.facts(lang, side)
        for part in parts
    }
    codes |= {part.code for part in rebus.things()}
    for code in sorted(codes):
        for side in ("train", "heldout"):
            assert rebus.emoji_file(code, side).is_file()


@pytest.mark.parametrize("split", ["train", "heldout"])
def test_rebuses_spell_their_answers(split):
    names = {part.text for part in rebus.things()}
    for sample in samples("rebus", 40, split=split):
        truth = sample.metadata["truth"]
        texts = [text for text, _ in truth["parts"]]
        if truth["form"] == "compound":
            assert "".join(texts) == truth["answer"]
        else:
            assert set(texts) <= names
            assert "".join(text[0 if truth["form"] == "first" else len(text) - 1] for text in texts) == truth["answer"]
        for region, text in zip(sample.metadata["regions"], texts, strict=True):
            assert region["label"] == text
        for _, answer, check in checked(sample):
            if check["verifier"] == "choice":
                assert check["choices"][check["target"]] == truth["answer"]
                assert len(check["choices"]) == len(set(check["choices"])) == 4
            if check["verifier"] == "exact":
                assert answer.endswith(truth["answer"])
                assert verify(check, truth["answer"][:-1]) == 0
            if check["verifier"] == "box":
                assert check["target"] in [region["box"] for region in sample.metadata["regions"]]


def test_the_boxes_of_a_rebus_hold_all_of_its_ink():
    """Outside of the boxes are only the paper, signs and numbers; each box has colours of its own."""
    for sample in samples("rebus", 12):
        image = np.asarray(decode_image(sample.images[0]), np.int16)
        paper = image[2, 2]
        for region in sample.metadata["regions"]:
            left, top, right, bottom = map(int, region["box"])
            inside = np.abs(image[top:bottom, left:right] - paper).max(axis=2) > 40
            assert inside.mean() > 0.03, region["label"]
            assert not np.abs(image[1:12, left:right] - paper).max() > 0


def test_train_and_heldout_share_neither_words_nor_pictures():
    assert not set(common_words("train")) & set(common_words("heldout"))
    assert not set(idioms("train")) & set(idioms("heldout"))
    for language in ("en", "zh"):
        sides = [{answer for answer, _ in rebus.facts(language, side)} for side in ("train", "heldout")]
        assert not sides[0] & sides[1]
        assert min(map(len, sides)) >= 8


def lines_of(grid):
    """Every straight run of a grid as (letters, cells), in all eight directions, by turning arrays."""
    letters = np.array([list(row) for row in grid])
    rows, columns = np.indices(letters.shape)
    found = []
    for turns in range(4):
        turned = [np.rot90(a, turns) for a in (letters, rows, columns)]
        size = len(turned[0])
        for n in range(size):
            found.append([a[n] for a in turned])
        for n in range(-size + 1, size):
            found.append([a.diagonal(n) for a in turned])
    return [("".join(word), list(zip(r.tolist(), c.tolist(), strict=True))) for word, r, c in found]


def test_words_stand_once_in_their_grid():
    for sample in samples("word-game", 30, games=["search"]):
        truth = sample.metadata["truth"]
        lines = lines_of(truth["grid"])
        for word in truth["words"]:
            runs = [
                cells[m.start() : m.start() + len(word)]
                for text, cells in lines
                for m in re.finditer(f"(?={word})", text)
            ]
            places = {(run[0], run[-1]) for run in runs}
            if word != word[::-1]:
                assert len(places) == 1, (word, places)
            row, column, step = truth["places"][word]
            last = (row + step[0] * (len(word) - 1), column + step[1] * (len(word) - 1))
            assert ((row, column), last) in places
        for question, answer, check in checked(sample):
            if check.get("puzzle") == "word-search":
                first, second = re.findall(r"[A-Z]\d+", answer)[-2:]
                assert check["word"].upper() in question
                assert verify(check, f"{second} {first}") == float(check["word"] == check["word"][::-1])
            if check["verifier"] == "choice":
                hidden = check["choices"][check["target"]].lower()
                assert not any(hidden in text for text, _ in lines)
                assert all(
                    any(other.lower() in text for text, _ in lines)
                    for other in check["choices"]
                    if other.lower() != hidden
                )


def test_a_word_that_reads_two_ways_is_not_hidden():
    """A palindrome stands twice in its own line, so that its first cell can't be asked for."""
    assert hidden(random.Random(0), ["level"], 6, ((0, 1),)) is None
    assert hidden(random.Random(0), ["levels"], 8, ((0, 1),)) is not None
    assert hidden(random.Random(0), ["toolong"], 6, ((0, 1),)) is None


def test_a_crossword_has_one_filling_of_all_orders_of_its_words():
    for sample in samples("word-game", 25, games=["crossword"], difficulty={"max": 0.75}):
        truth = sample.metadata["truth"]
        slots, answers = truth["slots"], truth["answers"]
        if len(answers) > 6:
            continue
        given = {(row, column): letter for row, column, letter in truth["given"]}
        fitting = []
        for order in permutations(answers):
            letters = {}
            good = True
            for (row, column, way, length), word in zip(slots, order, strict=True):
                good = good and length == len(word)
                for n, letter in enumerate(word):
                    cell = (row + n, column) if way == "down" else (row, column + n)
                    good = good and letters.setdefault(cell, given.get(cell, letter)) == letter
            if good:
                fitting.append(list(order))
        assert fitting == [answers]


def colours_of(guess, word):
    """Clues by striking letters out, greens first."""
    rest, colours = list(word), ["B"] * len(word)
    for n, (a, b) in enumerate(zip(guess, word, strict=True)):
        if a == b:
            colours[n] = "G"
            rest[n] = None
    for n, a in enumerate(guess):
        if colours[n] == "B" and a in rest:
            colours[n] = "Y"
            rest[rest.index(a)] = None
    return "".join(colours)


def test_clues_leave_one_word_of_the_list():
    for sample in samples("word-game", 40, games=["clues"]):
        truth = sample.metadata["truth"]
        left = [w for w in truth["listed"] if all(colours_of(g, w) == c for g, c in truth["clues"])]
        assert left == [truth["secret"]]
        for question, answer, check in checked(sample):
            if check.get("puzzle") == "guess-from-clues":
                assert all(word in question for word in truth["listed"])
                assert [word for word in truth["listed"] if verify(check, word) == 1] == left
            if check["verifier"] == "exact":
                numbers = [int(n) for n in re.findall(r"\d+", question)]
                row, place = (numbers[1], numbers[0]) if "letter" in question else numbers[:2]
                mark = truth["clues"][row - 1][1][place - 1]
                assert answer in {"G": ("green", "绿色"), "Y": ("yellow", "黄色"), "B": ("grey", "灰色")}[mark]


def test_clues_are_drawn_in_their_colours():
    names = {"G": (70, 150, 88), "Y": (214, 168, 48), "B": (120, 126, 134)}
    for sample in samples("word-game", 10, games=["clues"]):
        image = decode_image(sample.images[0])
        for row, (guess, clue) in enumerate(sample.metadata["truth"]["clues"]):
            for column, mark in enumerate(clue):
                pixel = image.getpixel((20 + column * 54 + 10, 20 + row * 54 + 27))
                assert (
                    min(names, key=lambda n: sum(abs(a - b) for a, b in zip(names[n], pixel, strict=True))) == mark
                ), guess


def test_letters_leave_one_word_of_the_list():
    for sample in samples("word-game", 40, games=["letters"]):
        truth = sample.metadata["truth"]
        hidden = "".join(sorted({*truth["wrong"], *truth["pattern"].replace("_", "")}))
        pattern = re.compile(truth["pattern"].replace("_", f"[^{hidden}]"))
        left = [word for word in truth["listed"] if pattern.fullmatch(word)]
        assert left == [truth["secret"]]
        for _, _, check in checked(sample):
            if check["verifier"] == "count":
                assert check["target"] == truth["pattern"].count("_")


def test_the_character_where_idioms_cross_is_the_only_one():
    for sample in samples("word-game", 30, games=["idioms"]):
        truth = sample.metadata["truth"]
        known = sorted({*idioms("train"), *idioms("heldout")})
        patterns = []
        for row, column, way, length in truth["slots"]:
            cells = [[row + n, column] if way == "down" else [row, column + n] for n in range(length)]
            given = {(r, c): character for r, c, character in truth["given"]}
            patterns.append(
                (
                    [given.get(tuple(cell), ".") for cell in cells],
                    cells.index(truth["asked"]),
                )
            )
        found = [{idiom[at] for idiom in known if re.fullmatch("".join(pattern), idiom)} for pattern, at in patterns]
        assert found[0] & found[1] == {truth["character"]}


def test_the_facts_are_whole():
    text = Path(rebus.FACTS).read_text(encoding="utf-8")
    for line in text.splitlines():
        if not line.startswith("#"):
            language, answer, *parts = line.split()
            assert language in ("en", "zh")
            assert "".join(part.split("=")[0] for part in parts) == answer
    assert all(len(idiom) == 4 for side in ("train", "heldout") for idiom in idioms(side))
