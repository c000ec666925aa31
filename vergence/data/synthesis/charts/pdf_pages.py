"""Real pages of the PDF manuals of TeX packages: words with boxes, lines and blocks to read, headings, counts.

The pictures are rendered by PDFium, and so are the words and boxes read by it: nobody annotated them. Held out are
packages: no page of a package is on both sides. A manual is used only where TeX Live's list gives its licence.
"""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path
from typing import Literal

from pydantic import Field

from vergence.data.formats import short_turn
from vergence.data.generator import Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.pictures import Box
from vergence.data.synthesis.charts.pdf_manuals import SOURCE, manual_item, manuals, misread
from vergence.data.synthesis.charts.pdf_text import Line, Page, Word, read_page, union
from vergence.data.synthesis.ocr.turns import untold
from vergence.errors import DataError
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES = ("pypdfium2",)
STOP_WORDS = {
    "en": frozenset(["the", "of", "and", "to", "is", "in", "that", "for", "with", "be", "are", "this", "by"]),
    "de": frozenset(["der", "die", "und", "das", "ist", "von", "mit", "den", "zu", "im", "auf", "ein", "eine", "wird"]),
    "fr": frozenset(["le", "la", "les", "des", "est", "une", "et", "du", "pour", "dans", "que", "qui", "sur", "par"]),
    "es": frozenset(["el", "los", "las", "del", "una", "que", "por", "para", "con", "se", "es", "como"]),
    "it": frozenset(["il", "di", "che", "per", "una", "del", "con", "della", "gli", "è", "sono", "nel"]),
}
_CLEAN = re.compile(r"^[“‘(\"']*[A-Za-z0-9][A-Za-z0-9’'/+-]*[.,;:!?)”’\"']*$")
_PLAIN = re.compile(r"[A-Za-z]+")


class Config(GeneratorConfig):
    """The settings of `pdf-page`."""

    language: Literal["en", "zh", "mix"] = Field("mix", description="language of the questions")
    turns: int = Field(3, ge=1, le=8, description="most questions about one page")
    scale: tuple[float, float] = Field((1.1, 1.9), description="least and most pixels a point; 1 is 72 dots an inch")
    tasks: tuple[Literal["line", "block", "word", "count", "heading", "present", "page"], ...] = Field(
        ("line", "block", "word", "count", "heading", "present", "page"), min_length=1, description="what is asked for"
    )


def generate(rng: random.Random, config: Config) -> Draft:
    """Open a manual, render one of its pages, and ask about its words. Raises `DataError` where none can be asked."""
    path, licence, number, page = _draw_page(rng, config)
    spoken = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    turns = [turn for task in config.tasks for turn in [_ASK[task](page, rng, spoken)] if turn]
    if not turns:
        raise DataError(f"page {number} of {path.name} can be asked none of {', '.join(config.tasks)}")
    rng.shuffle(turns)
    turns = untold(_different_words(turns), config.turns)
    messages, checks = dialogue((page.image,), turns)
    words = page.words
    return Draft(
        messages,
        checks,
        truth={
            "file": path.name,
            "page": number,
            "words": [[word.text, *(round(value, 1) for value in word.box)] for word in words],
            "lines": [line.text for line in page.lines],
        },
        capability="ocr/document/reading",
        domain="computing",
        difficulty=min(1.0, 0.2 + 0.5 * min(len(words), 700) / 700 + 0.3 * _small(page)),
        language=spoken,
        licence=licence,
        source=SOURCE,
        sources=(manual_item(path, licence),),
        regions=tuple(Region(line.text, line.box, order=order) for order, line in enumerate(page.lines)),
        tags={"page_language": page_language(words)},
    )


def _different_words(turns: list[Turn]) -> list[Turn]:
    """The turns without those about a word that an earlier question names: that it is there is told then."""
    found: list[Turn] = []
    named: set[str] = set()
    for turn in turns:
        words = {word.casefold() for word in re.findall("“([A-Za-z]+)”", turn.question)}
        if not words & named:
            found.append(turn)
        named |= words
    return found


def _small(page: Page) -> float:
    """How small the letters of the median line are: 1 at 8 pixels or less, 0 at 20 and more."""
    heights = sorted(line.box[3] - line.box[1] for line in page.lines)
    return min(1.0, max(0.0, (20 - heights[len(heights) // 2]) / 12))


def _draw_page(rng: random.Random, config: Config) -> tuple[Path, str, int, Page]:
    """A page with enough words that are words; up to 20 are tried."""
    import pypdfium2

    for _ in range(20):
        path, licence = rng.choice(manuals(config.split))
        scale = rng.uniform(*config.scale)
        if misread(path):
            continue
        document = pypdfium2.PdfDocument(path)
        try:
            number = rng.randrange(len(document))
            if max(document[number].get_size()) * scale > 2400:
                continue
            page = read_page(document[number], scale)
        finally:
            document.close()
        if page is None or len(page.words) < 25:
            continue
        if page_language(page.words) != "en":  # accents of other languages are often read apart from their letters
            continue
        clean = sum(map(_clean, page.words)) / len(page.words)
        if clean > 0.7:
            return path, licence, number + 1, page
    raise DataError("no page with enough plain words among 20")


def page_language(words: list[Word]) -> str:
    """The language whose commonest words are most often on a page; "und" where there are few."""
    texts = [word.text.lower() for word in words]
    counts = {name: sum(text in common for text in texts) for name, common in STOP_WORDS.items()}
    best = max(counts, key=lambda name: counts[name])
    return best if counts[best] >= 0.08 * len(texts) else "und"


def _clean(word: Word) -> bool:
    """Whether a word has one right transcription."""
    return word.plain and bool(_CLEAN.match(word.text))


def _readable(line: Line) -> bool:
    """Whether a line is prose that has one right transcription."""
    letters = sum(character.isalpha() for character in line.text)
    return letters > 0.7 * len(line.text.replace(" ", "")) and all(map(_clean, line.words))


def _line(page: Page, rng: random.Random, language: str) -> Turn | None:
    lines = [line for line in page.lines if len(line.words) >= 3 and _readable(line)]
    if not lines:
        return None
    line = rng.choice(lines)
    place = format_box(line.box, *page.image.size)
    question = f"请读出{place}中的这一行文字。" if language == "zh" else f"Read the line of text in {place}."
    return Turn(question, line.text, {"verifier": "text", "target": line.text})


def _block(page: Page, rng: random.Random, language: str) -> Turn | None:
    """Two to six lines one below the other."""
    runs: list[list[Line]] = []
    for line in page.lines:
        if not _readable(line):
            runs.append([])
        elif runs and runs[-1] and _below(runs[-1][-1], line):
            runs[-1].append(line)
        else:
            runs.append([line])
    runs = [run for run in runs if len(run) >= 2]
    if not runs:
        return None
    run = rng.choice(runs)
    count = rng.randint(2, min(6, len(run)))
    start = rng.randrange(len(run) - count + 1)
    chosen = run[start : start + count]
    place = format_box(union([line.box for line in chosen]), *page.image.size)
    text = "\n".join(line.text for line in chosen)
    question = f"请逐行转写{place}中的文字。" if language == "zh" else f"Transcribe the text in {place}, line by line."
    return Turn(question, text, {"verifier": "text", "target": text})


def _below(first: Line, second: Line) -> bool:
    """Whether a line is the next of a paragraph: close below, over a shared width, of one size."""
    (left, _, right, bottom), (start, top, end, _) = first.box, second.box
    height = first.box[3] - first.box[1]
    return -0.4 * height < top - bottom < 1.2 * height and min(right, end) - max(left, start) > 0.4 * min(
        right - left, end - start
    )


def _bare(text: str) -> str:
    return text.strip(".,;:!?()[]{}“”‘’\"'").casefold()


def _candidates(page: Page) -> dict[str, list[Box]]:
    """Plain words of four letters and more that stand only by themselves, never inside of another word."""
    found: dict[str, list[Box]] = {}
    for word in page.words:
        text = _bare(word.text)
        if word.plain and len(text) >= 4 and _PLAIN.fullmatch(text):
            found.setdefault(text, []).append(word.box)
    # The rest of a word that was broken at the end of a line is no word.
    rests = {_bare(word.text) for before, word in pairwise(page.words) if before.text.endswith("-")}
    found = {text: boxes for text, boxes in found.items() if text not in rests}
    everything = " ".join(_bare(word.text) for word in page.words)
    return {text: boxes for text, boxes in found.items() if everything.count(text) == len(boxes)}


def _word(page: Page, rng: random.Random, language: str) -> Turn | None:
    once = sorted(text for text, boxes in _candidates(page).items() if len(boxes) == 1)
    shown = [word for word in page.words if word.text.isalpha() and _bare(word.text) in once]
    if not shown:
        return None
    word = rng.choice(shown)
    question = f"请给出单词“{word.text}”的边界框。" if language == "zh" else f"Give the box of the word “{word.text}”."
    check = {"verifier": "box", "target": [round(v, 2) for v in word.box], "size": list(page.image.size)}
    return Turn(question, format_box(word.box, *page.image.size), check)


def _count(page: Page, rng: random.Random, language: str) -> Turn | None:
    words = {text: boxes for text, boxes in _candidates(page).items() if len(boxes) <= 6}
    if not words:
        return None
    count = rng.choice(sorted({len(boxes) for boxes in words.values()}))
    text = rng.choice(sorted(text for text, boxes in words.items() if len(boxes) == count))
    question = (
        f"单词“{text}”在这一页出现了几次（不区分大小写）？"
        if language == "zh"
        else f"How many times does the word “{text}” occur on this page? Ignore case."
    )
    return short_turn(question, str(count), {"verifier": "count", "target": count}, language)


def _heading(page: Page, rng: random.Random, language: str) -> Turn | None:
    """The one line in the largest letters."""
    sizes = sorted({round(line.size, 1) for line in page.lines})
    largest = [line for line in page.lines if line.size >= sizes[-1] - 0.6]
    median = sorted(line.size for line in page.lines)[len(page.lines) // 2]
    if len(largest) != 1 or sizes[-1] < 1.15 * median or not all(map(_head_word, largest[0].words)):
        return None
    text = largest[0].text
    question = (
        "这一页上字号最大的一行写的是什么？" if language == "zh" else "What does the line in the largest letters say?"
    )
    return Turn(question, text, {"verifier": "text", "target": text})


def _head_word(word: Word) -> bool:
    return _clean(word) or (word.plain and bool(re.fullmatch(r"[0-9.]+", word.text)))


def _present(page: Page, rng: random.Random, language: str) -> Turn | None:
    """Whether a word stands on the page; those that don't are from other pages of this kind of manual."""
    words = _candidates(page)
    absent = [word for word in COMMON.split() if word not in " ".join(_bare(word.text) for word in page.words)]
    present = rng.random() < 0.5
    choices = sorted(words) if present else absent
    if not choices:
        return None
    text = rng.choice(choices)
    question = f"这一页上有单词“{text}”吗？" if language == "zh" else f"Does the word “{text}” occur on this page?"
    answer = ("有" if present else "没有") if language == "zh" else ("Yes" if present else "No")
    return short_turn(question, answer, {"verifier": "exact", "target": answer}, language)


COMMON = (
    "package option command document macro figure table symbol example section default version define "
    "argument environment number letter standard output chapter reference language author library support "
    "install license equation vector matrix theorem formula spacing font upper lower arrow value unit "
    "index physics algorithm"
)
"""Words that are on many pages of such manuals."""


def _page(page: Page, rng: random.Random, language: str) -> Turn | None:
    """All of a short page of prose."""
    if len(page.words) > 160 or sum(map(_readable, page.lines)) < 0.75 * len(page.lines):
        return None
    text = "\n".join(line.text for line in page.lines)
    question = "请逐行转写这一页的全部文字。" if language == "zh" else "Transcribe the whole page, line by line."
    return Turn(question, text, {"verifier": "text", "target": text})


_ASK = {
    "line": _line,
    "block": _block,
    "word": _word,
    "count": _count,
    "heading": _heading,
    "present": _present,
    "page": _page,
}
