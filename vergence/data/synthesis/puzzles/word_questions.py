"""What is asked about word games."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from vergence.data.formats import choice_turn
from vergence.data.generator import Turn
from vergence.data.synthesis.puzzles.puzzle import (
    Language,
    PuzzleConfig,
    reply,
    some_turns,
)
from vergence.data.synthesis.puzzles.word_pictures import last_cell, numbers_of
from vergence.data.synthesis.puzzles.word_rules import (
    Slot,
    agreeing,
    occurrences,
)
from vergence.data.synthesis.puzzles.words import common_words, idioms
from vergence.verifiers.puzzles.reading import cell_name

CLUE_NAMES = {"G": ("green", "绿"), "Y": ("yellow", "黄"), "B": ("grey", "灰")}


def search_turns(rng: random.Random, config: PuzzleConfig, language: Language, facts: Mapping[str, Any]) -> list[Turn]:
    """Where a word lies, and which word isn't there."""
    zh, gap = language == "zh", "" if language == "zh" else " "
    word = rng.choice(facts["words"])
    place = facts["places"][word]
    first, last = cell_name(*place[:2]), cell_name(*last_cell(word, place))
    grid = facts["grid"]
    question = (
        f"单词 {word.upper()} 藏在字母方阵中（可横、竖、斜，也可反向）。写出它第一个和最后一个字母所在的格子，例如 A1 "
        f"D1（字母表示列，数字表示行）。"
        if zh
        else f"The word {word.upper()} is hidden in the grid, in a straight line in any direction. Give the cells of "
        f"its first and its last letter, such as A1 D1 (letter for the column, number for the row)."
    )
    cells = [cell_name(place[0] + n * place[2][0], place[1] + n * place[2][1]) for n in range(len(word))]
    steps = [
        f"从 {first} 开始沿直线依次是："
        + "、".join(f"{letter.upper()}（{at}）" for letter, at in zip(word, cells, strict=True))
        + "。"
        if zh
        else f"From {first} on in a line: "
        + ", ".join(f"{letter.upper()} ({at})" for letter, at in zip(word, cells, strict=True))
        + "."
    ]
    check = {"verifier": "puzzle", "puzzle": "word-search", "grid": grid, "word": word}
    alike = [other for other in common_words(config.split) if len(other) == len(word)]
    missing = next(other for other in rng.sample(alike, len(alike)) if not occurrences(grid, other))
    present = rng.sample(facts["words"], 3)
    letter = rng.choice(word)
    row = rng.randrange(len(grid))
    return some_turns(
        rng,
        config,
        [
            lambda: reply(rng, config, language, question, f"{first} {last}", check, steps, "plain"),
            lambda: choice_turn(
                "下面哪个单词不在字母方阵中？" if zh else "Which of these words is not in the grid?",
                missing.upper(),
                [other.upper() for other in present],
                rng,
                language,
            ),
            lambda: reply(
                rng,
                config,
                language,
                f"第{row + 1}行有几个字母 {letter.upper()}？"
                if zh
                else f"How many times does the letter {letter.upper()} appear in row {row + 1}?",
                str(grid[row].count(letter)),
                {"verifier": "count", "target": grid[row].count(letter)},
                [
                    f"第{row + 1}行：{gap.join(grid[row].upper())}。"
                    if zh
                    else f"Row {row + 1} reads {' '.join(grid[row].upper())}."
                ],
            ),
        ],
    )


def crossword_turns(
    rng: random.Random, config: PuzzleConfig, language: Language, facts: Mapping[str, Any]
) -> list[Turn]:
    """Which word goes where, and how many letters there are."""
    zh, slots, answers = language == "zh", facts["slots"], facts["answers"]
    numbers = numbers_of(slots)
    order = sorted(range(len(slots)), key=lambda n: (numbers[slots[n].row, slots[n].column], slots[n].down))
    listed = ", ".join(word.upper() for word in sorted(answers))

    def named(slot: Slot) -> str:
        number = numbers[slot.row, slot.column]
        if zh:
            return f"{number} 号{'竖' if slot.down else '横'}行"
        return f"{number} {'down' if slot.down else 'across'}"

    asked = rng.randrange(len(slots))
    intro = (
        f"把下列单词填入纵横字谜，每个单词用一次：{listed}。"
        if zh
        else f"These words fill the crossword, each once: {listed}."
    )
    question = f"{named(slots[asked])}应填哪个单词？" if zh else f"Which word is {named(slots[asked])}?"
    steps = [
        f"{named(slots[n])}有 {slots[n].length} 格：{answers[n].upper()}。"
        if zh
        else f"{named(slots[n])} has {slots[n].length} cells: {answers[n].upper()}."
        for n in order
    ]
    steps.insert(0, "按长度和交叉处的字母逐一确定：" if zh else "By their lengths and the letters where words cross:")
    word = answers[asked].upper()
    all_cells = len({cell for slot in slots for cell in slot.cells})
    gap = "" if zh else " "
    given = len(facts["given"])
    return some_turns(
        rng,
        config,
        [
            lambda: reply(
                rng,
                config,
                language,
                "这个字谜一共有多少个格子？" if zh else "How many cells does the crossword have?",
                str(all_cells),
                {"verifier": "count", "target": all_cells},
                [
                    f"空格 {all_cells - given} 个，已填 {given} 个，共 {all_cells} 个。"
                    if zh
                    else f"Empty cells: {all_cells - given}; cells with a letter: {given}; together {all_cells}."
                ],
            ),
            [
                lambda: reply(
                    rng, config, language, intro + gap + question, word, {"verifier": "exact", "target": word}, steps
                ),
                lambda: choice_turn(
                    intro + gap + question,
                    word,
                    [other.upper() for other in answers if other.upper() != word],
                    rng,
                    language,
                ),
            ],
        ],
    )


def clues_turns(rng: random.Random, config: PuzzleConfig, language: Language, facts: Mapping[str, Any]) -> list[Turn]:
    """Which word of the list it is, and what a clue says."""
    zh, gap = language == "zh", "" if language == "zh" else " "
    secret, clues, listed = facts["secret"], facts["clues"], facts["listed"]
    rule = (
        "猜单词游戏：绿色表示字母和位置都对，黄色表示单词中有这个字母但位置不对，灰色表示单词中没有（更多的）这个字母。"
        if zh
        else "In this guessing game green means the right letter in the right place, yellow a letter that stands "
        "elsewhere in the word, grey a letter that the word doesn't have (or not once more)."
    )
    shown = "、".join(listed) if zh else ", ".join(listed)
    question = f"答案是下列单词之一：{shown}。是哪个？" if zh else f"The word is one of these: {shown}. Which one?"
    steps = []
    for word in listed:
        if word == secret:
            continue
        guess, clue = next(pair for pair in clues if not agreeing([word], [pair]))
        steps.append(
            f"{word} 与 {guess.upper()} 一行的颜色不符。"
            if zh
            else f"{word} disagrees with the colours of {guess.upper()}."
        )
    steps.append(f"{secret} 与每一行都相符。" if zh else f"{secret} agrees with every row.")
    check = {
        "verifier": "puzzle",
        "puzzle": "guess-from-clues",
        "clues": [list(pair) for pair in clues],
        "words": listed,
    }
    row = rng.randrange(len(clues))
    guess, clue = clues[row]
    at = rng.randrange(len(guess))
    colour = CLUE_NAMES[clue[at]][zh]
    greens = sum(pair[1].count("G") for pair in clues)
    return some_turns(
        rng,
        config,
        [
            lambda: (
                reply(
                    rng,
                    config,
                    language,
                    f"第{row + 1}行第{at + 1}个字母的格子是什么颜色？"
                    if zh
                    else f"What colour is the cell of letter {at + 1} in row {row + 1}?",
                    colour + ("色" if zh else ""),
                    {
                        "verifier": "exact",
                        "target": colour + ("色" if zh else ""),
                        "accepted": [colour] if zh else ["gray"] if colour == "grey" else [],
                    },
                )
                if rng.random() < 0.5
                else reply(
                    rng,
                    config,
                    language,
                    "图中一共有几个绿色格子？" if zh else "How many green cells are there?",
                    str(greens),
                    {"verifier": "count", "target": greens},
                    [
                        f"第{n}行 {pair[1].count('G')} 个。" if zh else f"Row {n}: {pair[1].count('G')}."
                        for n, pair in enumerate(clues, 1)
                    ],
                )
            ),
            [
                lambda: reply(rng, config, language, rule + gap + question, secret, check, steps),
                lambda: choice_turn(
                    rule + gap + ("答案是哪个单词？" if zh else "Which word is it?"),
                    secret,
                    [word for word in listed if word != secret],
                    rng,
                    language,
                ),
            ],
        ],
    )


def letters_turns(rng: random.Random, config: PuzzleConfig, language: Language, facts: Mapping[str, Any]) -> list[Turn]:
    """Which word of the list it is, and how many letters are hidden."""
    zh, gap = language == "zh", "" if language == "zh" else " "
    secret, pattern, wrong, listed = facts["secret"], facts["pattern"], facts["wrong"], facts["listed"]
    rule = (
        "猜词游戏：猜中的字母会在单词中所有出现的位置显示，“Wrong”后面是单词中没有的字母。"
        if zh
        else "In this game a letter that was guessed is shown wherever the word has it; the word has none of the "
        "wrong letters."
    )
    shown = "、".join(listed) if zh else ", ".join(listed)
    question = f"答案是下列单词之一：{shown}。是哪个？" if zh else f"The word is one of these: {shown}. Which one?"
    steps = []
    for word in listed:
        bad = [letter for letter in word if letter in wrong]
        if word == secret:
            continue
        if bad:
            steps.append(
                f"{word} 含有猜错的字母 {bad[0].upper()}。" if zh else f"{word} has the wrong letter {bad[0].upper()}."
            )
        else:
            steps.append(f"{word} 与已显示的字母不符。" if zh else f"{word} doesn't fit the letters shown.")
    steps.append(f"{secret} 符合所有条件。" if zh else f"{secret} fits.")
    check = {"verifier": "puzzle", "puzzle": "guess-letters", "pattern": pattern, "wrong": wrong, "words": listed}
    gaps = pattern.count("_")
    return some_turns(
        rng,
        config,
        [
            lambda: reply(
                rng,
                config,
                language,
                "单词中还有几个字母没有显示？" if zh else "How many letters of the word are still hidden?",
                str(gaps),
                {"verifier": "count", "target": gaps},
            ),
            [
                lambda: reply(rng, config, language, rule + gap + question, secret, check, steps),
                lambda: choice_turn(
                    rule + gap + ("答案是哪个单词？" if zh else "Which word is it?"),
                    secret,
                    [word for word in listed if word != secret],
                    rng,
                    language,
                ),
            ],
        ],
    )


def idioms_turns(rng: random.Random, config: PuzzleConfig, language: Language, facts: Mapping[str, Any]) -> list[Turn]:
    """Which character completes both idioms, and what they are."""
    character, (across, down) = facts["character"], facts["answers"]
    steps = [f"横向的成语是“{across}”，竖向的成语是“{down}”，交叉处是“{character}”。"]
    others = sorted({c for idiom in idioms(config.split) for c in idiom} - set(across) - set(down))
    asked = "横" if rng.random() < 0.5 else "竖"
    idiom = across if asked == "横" else down
    question = "横竖两条成语在问号处交叉，问号处应填什么字？"
    check = {"verifier": "exact", "target": character}
    return some_turns(
        rng,
        config,
        [
            lambda: (
                reply(rng, config, "zh", question, character, check, steps)
                if rng.random() < 0.7
                else choice_turn(question, character, rng.sample(others, 3), rng, "zh")
            ),
            lambda: reply(
                rng, config, "zh", f"图中{asked}向的成语是什么？", idiom, {"verifier": "exact", "target": idiom}, steps
            ),
        ],
    )
