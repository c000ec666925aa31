"""One to four printed lines in many fonts and twelve scripts, to be read, and words of them to be found.

Held out are font families and words (and pages of the book).
"""

from __future__ import annotations

import random
from itertools import takewhile
from typing import Literal

from PIL import Image, ImageDraw
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import OURS, Draft, GeneratorConfig, Region, Turn, dialogue
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.fonts import families, font_item
from vergence.data.synthesis.ocr.page import line_truth
from vergence.data.synthesis.ocr.scripts import BOOK_LICENCE, SCRIPTS, Corpus, ScriptName, Writer
from vergence.data.synthesis.ocr.shaping import Colour, Line, Style, line_width, set_line, wrap
from vergence.data.synthesis.ocr.turns import untold
from vergence.data.synthesis.palette import COLOURS, ink_and_paper, jitter
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ()

SCRIPT_NAMES = {
    "latin": ("Latin", "拉丁文"),
    "cyrillic": ("Cyrillic", "西里尔文"),
    "greek": ("Greek", "希腊文"),
    "han": ("Chinese characters", "汉字"),
    "japanese": ("Japanese", "日文"),
    "korean": ("Hangul", "谚文"),
    "arabic": ("Arabic", "阿拉伯文"),
    "hebrew": ("Hebrew", "希伯来文"),
    "devanagari": ("Devanagari", "天城文"),
    "thai": ("Thai", "泰文"),
    "bengali": ("Bengali", "孟加拉文"),
    "tamil": ("Tamil", "泰米尔文"),
}
"""Script -> its names in English and Chinese."""
MARKS = ",.;:،、，。"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Config(GeneratorConfig):
    """What lines look like and in which languages they are asked about."""

    scripts: tuple[ScriptName, ...] = Field(("latin",), description="scripts; one is drawn for each picture")
    text: Corpus = Field("words", description="words from this project's lists, or real text of the book, once fetched")
    language: Literal["en", "zh", "mix"] = Field("mix", description="language of questions and answers")
    lines: int = Field(4, ge=1, le=12, description="most lines in a picture")
    min_size: int = Field(14, ge=8, description="least size of the letters in pixels")
    max_size: int = Field(64, le=400, description="largest size of the letters in pixels")
    turns: int = Field(3, ge=1, description="questions about one picture")


def generate(rng: random.Random, config: Config) -> Draft:
    """Draw and question lines. Raises `UsageError` where fonts of a script, or the book, aren't fetched."""
    script = SCRIPTS[rng.choice(config.scripts)]
    typeface = rng.choice(rng.choice(families(script.name, "print", config.split)))
    size = rng.randint(config.min_size, max(config.min_size, config.max_size))
    style = Style(typeface, size, script)
    writer = Writer(script, config.split, config.text, (typeface,), rng)
    count = rng.choices(range(1, config.lines + 1), [1 / n for n in range(1, config.lines + 1)])[0]
    lines, picture = draw(style, writer, count, rng)
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    messages, checks = dialogue(
        (effects.jpeg(picture, rng.randint(70, 95)),), questions(lines, picture.size, language, config, rng)
    )
    return Draft(
        messages,
        checks,
        truth={
            "script": script.name,
            "font": typeface.family,
            "size": size,
            "lines": [line_truth(line) for line in lines],
        },
        capability="ocr/lines",
        domain="printed text",
        difficulty=min(1.0, 0.05 + 0.1 * len(lines) + 4 / size + 0.2 * (script.name != "latin")),
        language=language,
        licence=BOOK_LICENCE if writer.sources else OURS,
        sources=(font_item(typeface), *writer.sources.values()),
        regions=tuple(Region("line", line.box, order=number) for number, line in enumerate(lines)),
        tags={"script": script.name},
    )


def draw(style: Style, writer: Writer, count: int, rng: random.Random) -> tuple[list[Line], Image.Image]:
    """`count` lines at most, in a picture around them."""
    width = rng.uniform(7, 26) * style.size if count == 1 else rng.uniform(10, 24) * style.size
    tokens = writer.paragraph(round(width * count / style.size / (3 if style.script.joiner else 1)) + 2)
    rows = wrap(tokens, style, width)[:count]
    width = max(line_width(row, style) for row in rows)
    leading = style.size * rng.uniform(1.25, 1.8)
    up, down = style.heights
    side, edge = round(style.size * rng.uniform(0.3, 1.2)), round(style.size * rng.uniform(0.2, 0.8))
    align = rng.choice(("start", "start", "centre"))
    ink, ground = line_colours(rng)
    lines = [
        set_line(row, style, side, edge + up + n * leading, width, align, ink)  # type: ignore[arg-type]
        for n, row in enumerate(rows)
    ]
    size = (round(width) + 2 * side, round(up + down + (len(rows) - 1) * leading) + 2 * edge)
    boxes = [line.box for line in lines]
    size = (max(size[0], int(max(box[2] for box in boxes)) + 2), max(size[1], int(max(box[3] for box in boxes)) + 2))
    sheet = effects.paper(size, ground, rng, rng.randint(4, 20) if rng.random() < 0.4 else 0)
    if rng.random() < 0.12:
        pen = ImageDraw.Draw(sheet)
        for n, row in enumerate(lines):
            y = edge + up + n * leading + max(2, style.size * 0.13)
            pen.line((row.box[0], y, row.box[2], y), fill=ink, width=max(1, style.size // 18))
    for line in lines:
        line.draw(sheet)
    if rng.random() < 0.4:
        sheet = effects.noisy(sheet, rng.randint(2, 14), rng)
    if rng.random() < 0.2:
        sheet = effects.blurred(sheet, style.size * rng.uniform(0.01, 0.03))
    return lines, sheet


def line_colours(rng: random.Random) -> tuple[Colour, Colour]:
    """Ink and ground: mostly dark on light, else light on dark or one of both in a strong colour."""
    ink, ground = ink_and_paper(rng)
    if rng.random() < 0.3:
        strong = jitter(rng, rng.choice([COLOURS[name] for name in ("red", "green", "blue", "purple", "black")]), 25)
        return rng.choice(((ground, strong), (strong, ground), (ground, ink)))
    return ink, ground


def questions(
    lines: list[Line], size: tuple[int, int], language: str, config: Config, rng: random.Random
) -> list[Turn]:
    """Questions about words, a line and the script, and in most pictures all of the text at the end."""
    makers = [nth_word, locate, which_script, count_words, read_line]
    rng.shuffle(makers)
    others = [turn for make in makers if (turn := make(lines, size, language, rng)) is not None]
    whole = read(lines, language, rng) if rng.random() < 0.85 or not others else None
    return untold(others, config.turns, whole)


def read(lines: list[Line], language: str, rng: random.Random) -> Turn:
    """All lines, one a line."""
    text = "\n".join(line.text for line in lines)
    wordings = {
        "en": ("What does the text say?", "Read the text in the picture, line by line.", "Transcribe the text."),
        "zh": ("图中的文字是什么？", "请逐行读出图中的文字。", "请转录图片里的文字。"),
    }
    return Turn(rng.choice(wordings[language]), text, {"verifier": "text", "target": text})


def nth_word(lines: list[Line], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """A word, or a character, by its number in a line."""
    number = rng.randrange(len(lines))
    line = lines[number]
    # Whether a number counts as a word is anybody's guess, so no number stands before the word.
    words = takewhile(lambda n: line.words[n].text.rstrip(MARKS).isalpha(), range(min(len(line.words), len(ORDINALS))))
    places = [n for n in words if line.words[n].text.isalpha()]
    if not places or line.script.name in ("han", "japanese", "thai", "devanagari", "bengali", "tamil"):
        return None
    at = rng.choice(places)
    if language == "zh":
        where = f"第{number + 1}行的" if len(lines) > 1 else "图中"
        question = f"{where}第{at + 1}个单词是什么？"
    else:
        where = f" of line {number + 1}" if len(lines) > 1 else ""
        question = f"What is the {ORDINALS[at]} word{where}?"
    text = line.words[at].text
    return short_turn(question, text, {"verifier": "exact", "target": text}, language)


def locate(lines: list[Line], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """The box of a word that stands in the picture once; of a line where no word does."""
    words = [word for line in lines for word in line.words]
    texts = [word.text for word in words]
    single = [word for word in words if sum(word.text in text for text in texts) == 1 and len(word.text) > 1]
    if not single:
        return None
    word = rng.choice(single)
    wordings = {
        "en": ("Where is “{text}”? Give its box.", "Give the bounding box of “{text}”."),
        "zh": ("“{text}”在哪里？请给出边界框。", "请框出“{text}”。"),
    }
    check = {"verifier": "box", "target": [float(value) for value in word.box], "size": list(size)}
    return Turn(rng.choice(wordings[language]).format(text=word.text), format_box(word.box, *size), check)


def which_script(lines: list[Line], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """The script, among four."""
    names = {name: both[language == "zh"] for name, both in SCRIPT_NAMES.items()}
    script = lines[0].script.name
    if script == "latin" and rng.random() < 0.7:
        return None
    # Japanese text may show nothing but Chinese characters.
    unlike = [name for name in names if name != script and {name, script} != {"han", "japanese"}]
    others = [names[name] for name in rng.sample(unlike, 3)]
    question = "这段文字用的是哪种文字？" if language == "zh" else "In which script is this text written?"
    return choice_turn(question, names[script], others, rng, language)


def count_words(lines: list[Line], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """How many words there are, line by line, where words have spaces between them."""
    if not lines[0].script.joiner:
        return None
    counts = [len(line.words) for line in lines]
    if language == "zh":
        steps = [f"第{n + 1}行：{line.text}（{len(line.words)}个）" for n, line in enumerate(lines)]
        question = "图中一共有多少个以空格分开的词（数字也算一个词）？"
    else:
        steps = [f"Line {n + 1}: {line.text} ({len(line.words)})" for n, line in enumerate(lines)]
        question = "How many words and numbers, separated by spaces, are there in the picture?"
    total = sum(counts)
    if len(counts) > 1:
        steps.append(f"{' + '.join(map(str, counts))} = {total}")
    return thought_turn(question, steps, str(total), {"verifier": "count", "target": total}, language)


def read_line(lines: list[Line], size: tuple[int, int], language: str, rng: random.Random) -> Turn | None:
    """One of several lines, by its number."""
    if len(lines) < 2:
        return None
    number = rng.randrange(len(lines))
    question = f"请读出第{number + 1}行。" if language == "zh" else f"Read line {number + 1}."
    text = lines[number].text
    return Turn(question, text, {"verifier": "text", "target": text})
