"""Pages with a title, columns, headings, lists, figures and captions: what they say, where, and in which order.

The truth has every block, line and word with its box; a page that a camera sees has each word's four corners instead.
Held out are font families and words (and pages of the book).
"""

from __future__ import annotations

import random
from typing import Any, Literal

from PIL import Image
from pydantic import Field

from vergence.data.formats import choice_turn, short_turn, thought_turn
from vergence.data.generator import OURS, Draft, GeneratorConfig, Turn, dialogue
from vergence.data.synthesis.ocr import effects
from vergence.data.synthesis.ocr.fonts import font_item
from vergence.data.synthesis.ocr.layout import Composer, choose_setting
from vergence.data.synthesis.ocr.page import Block, Page, draw_figure, unique_openings
from vergence.data.synthesis.ocr.scripts import BOOK_LICENCE, SCRIPTS, Corpus, ScriptName, Writer
from vergence.data.synthesis.ocr.turns import untold
from vergence.processing.coordinates import format_box

VERSION = 2
PACKAGES: tuple[str, ...] = ()

NAMES = {
    "en": {"paragraph": "paragraphs", "heading": "section headings", "list item": "list items", "figure": "figures"},
    "zh": {"paragraph": "段正文", "heading": "个小标题", "list item": "个列表项", "figure": "幅插图"},
}


class Config(GeneratorConfig):
    """What pages look like and in which languages they are asked about."""

    scripts: tuple[ScriptName, ...] = Field(("latin",), description="scripts of the text; one is drawn for each page")
    text: Corpus = Field("words", description="words from this project's lists, or real text of the book, once fetched")
    language: Literal["en", "zh", "mix"] = Field("mix", description="language of questions and answers")
    min_width: int = Field(640, ge=320, description="least width of a page in pixels")
    max_width: int = Field(960, le=4096, description="largest width of a page in pixels")
    camera: float = Field(0.3, ge=0, le=1, description="share of pages that are photographed at an angle")
    turns: int = Field(3, ge=1, description="questions about one page")


def generate(rng: random.Random, config: Config) -> Draft:
    """Set, draw and question a page.

    Raises `UsageError` where fonts of a script, or the book, aren't fetched.
    """
    script = SCRIPTS[rng.choice(config.scripts)]
    page, picture, writer, fonts, quality = make_page(rng, config, script.name)
    language = rng.choice(("en", "zh")) if config.language == "mix" else config.language
    turns = questions(page, language, config.turns, rng)
    messages, checks = dialogue((effects.jpeg(picture, quality),), turns)
    words = sum(len(line.words) for block in page.blocks for line in block.lines)
    return Draft(
        messages,
        checks,
        truth={"script": script.name, **page.truth()},
        capability="ocr/documents",
        domain="document",
        difficulty=min(1.0, 0.1 + min(words, 600) / 1200 + 0.08 * (page.columns - 1) + 0.15 * page.bent),
        language=language,
        licence=BOOK_LICENCE if writer.sources else OURS,
        sources=(*fonts, *writer.sources.values()),
        regions=page.regions(),
        tags={"script": script.name},
    )


def make_page(
    rng: random.Random, config: Config, script: str
) -> tuple[Page, Image.Image, Writer, tuple[Any, ...], int]:
    """A page, its picture, who wrote it, its fonts, and the JPEG quality to store it with."""
    width = rng.randint(config.min_width, max(config.min_width, config.max_width))
    size = (width, round(width * rng.uniform(1.15, 1.45)))
    setting = choose_setting(SCRIPTS[script], config.split, width, rng)
    most = 1 + (width / setting.size > 38) + (width / setting.size > 54)
    columns = rng.choices((1, 2, 3), (45, 40 * (most > 1), 25 * (most > 2)))[0]
    typefaces = (setting.body, setting.display)
    writer = Writer(SCRIPTS[script], config.split, config.text, typefaces, rng)
    page = Composer(setting, size, columns, writer, rng).compose(rng.choice((1.0, 1.0, rng.uniform(0.4, 1.0))))
    texture = rng.randint(4, 16) if rng.random() < 0.5 else 0
    sheet = effects.paper(size, page.paper, rng, texture)
    for figure in page.figures:
        draw_figure(sheet, figure, rng)
    page.draw(sheet)
    quality = rng.randint(75, 92)
    picture = spoil(page, sheet, config.camera, rng)
    fonts = tuple(dict.fromkeys(font_item(typeface) for typeface in typefaces))
    return page, picture, writer, fonts, quality


def spoil(page: Page, sheet: Image.Image, share: float, rng: random.Random) -> Image.Image:
    """The sheet as a clean file, a scan, or a photograph (a `share` of pages), whose boxes are bent with it."""
    if rng.random() < share:
        size, matrix = effects.camera(page.size, rng, rng.uniform(0.02, 0.09))
        sheet = effects.photographed(sheet, effects.surface(size, rng), matrix)
        page.bend(matrix, size)
        sheet = effects.noisy(effects.lit(sheet, rng), rng.randint(2, 8), rng)
    elif rng.random() < 0.5:
        sheet = effects.noisy(sheet, rng.randint(2, 10), rng)
        if rng.random() < 0.3:
            sheet = effects.blurred(sheet, rng.uniform(0.3, 0.7))
    return sheet


def questions(page: Page, language: str, most: int, rng: random.Random) -> list[Turn]:
    """Different questions about a page, `most` at the most; each kind comes once, and all of the text at the end."""
    asked = _Questions(page, language, rng)
    makers = [asked.read_box, asked.locate, asked.follows, asked.title, asked.count, asked.order]
    makers += [asked.locate_figure, asked.column, asked.opens_with]
    rng.shuffle(makers)
    turns = [turn for make in makers if (turn := make()) is not None]
    # As often as any other of ten questions.
    whole = asked.read_all() if rng.random() < min(most, 10) / 10 else None
    return untold(turns, most, whole)


class _Questions:
    """Questions of one page in one language; each method returns a turn, or None where the page has no such thing."""

    def __init__(self, page: Page, language: str, rng: random.Random) -> None:
        self.page = page
        self.language = language
        self.zh = language == "zh"
        self.rng = rng
        spaced = bool(page.blocks[0].lines[0].script.joiner)
        thai = page.blocks[0].lines[0].script.name == "thai"
        self.openings = unique_openings(page.blocks, 3 if spaced or thai else 6, 8 if spaced else 14)
        self.quoted = [(page.blocks[number], opening) for number, opening in self.openings.items()]

    def _say(self, english: tuple[str, ...], chinese: tuple[str, ...], **names: Any) -> str:
        return self.rng.choice(chinese if self.zh else english).format(**names)

    def read_all(self) -> Turn:
        """All text, block by block."""
        question = self._say(
            (
                "Transcribe all text of this page in reading order, one line for each block.",
                "Read the whole page from top to bottom, column by column. Write each block on its own line.",
                "What does this page say? Give all of its text in reading order, block by block.",
            ),
            ("请按阅读顺序转录本页的全部文字，每个文本块占一行。", "请把这一页的文字从头到尾逐块抄录下来，每块一行。"),
        )
        text = "\n".join(block.text for block in self.page.blocks)
        return Turn(question, text, {"verifier": "text", "target": text})

    def read_box(self) -> Turn:
        """The text of a block or line, given its box."""
        block = self.rng.choice(self.page.blocks)
        part = block if self.rng.random() < 0.5 else self.rng.choice(block.lines)
        box = format_box(part.box, *self.page.size)
        question = self._say(
            ("What does the text in {box} say?", "Read the text in {box}.", "Transcribe what is written in {box}."),
            ("{box} 中的文字是什么？", "请读出 {box} 里的文字。", "请转录 {box} 区域内的文字。"),
            box=box,
        )
        return Turn(question, part.text, {"verifier": "text", "target": part.text})

    def locate(self) -> Turn | None:
        """The box of a block, given how it begins."""
        if not self.quoted:
            return None
        block, opening = self.rng.choice(self.quoted)
        question = self._say(
            (
                "Where is the text block that begins with “{text}”? Give its box.",
                "Give the box of the block starting “{text}”.",
            ),
            ("以“{text}”开头的文本块在哪里？请给出它的边界框。", "请框出以“{text}”开头的文本块。"),
            text=opening,
        )
        return self._box_turn(question, block)

    def _box_turn(self, question: str, block: Block) -> Turn:
        box = [float(value) for value in block.box]
        check = {"verifier": "box", "target": box, "size": list(self.page.size)}
        return Turn(question, format_box(box, *self.page.size), check)

    def follows(self) -> Turn | None:
        """How the block begins that comes after another in reading order."""
        known = self.openings
        pairs = [number for number in known if number + 1 in known]
        if not pairs:
            return None
        number = self.rng.choice(pairs)
        question = self._say(
            ("In reading order, which block comes right after the one that begins with “{text}”? Say how it begins.",),
            ("按阅读顺序，紧接在以“{text}”开头的文本块之后的是哪一块？请写出它的开头。",),
            text=known[number],
        )
        others = [opening for other, opening in known.items() if other not in (number, number + 1)]
        if len(others) >= 3:
            return choice_turn(question, known[number + 1], self.rng.sample(others, 3), self.rng, self.language)
        return None

    def title(self) -> Turn:
        """The title."""
        question = self._say(
            ("What is the title of this page?", "Read the page's title."),
            ("这一页的标题是什么？", "请读出本页的大标题。"),
        )
        text = self.page.of("title")[0].text
        return short_turn(question, text, {"verifier": "exact", "target": text}, self.language)

    def count(self) -> Turn | None:
        """How many blocks of a kind there are, by listing them."""
        kind = self.rng.choice(("paragraph", "heading", "list item", "figure"))
        name = NAMES[self.language][kind]
        question = self._say(("How many {name} does this page have?",), ("这一页有多少{name}？",), name=name)
        if kind == "figure":
            count = len(self.page.figures)
            boxes = [format_box(box, *self.page.size) for box in self.page.figures]
            steps = [f"插图 {n + 1}：{box}" if self.zh else f"Figure {n + 1}: {box}" for n, box in enumerate(boxes)]
        else:
            blocks = self.page.of(kind)  # type: ignore[arg-type]
            count = len(blocks)
            steps = [self._step(number, block) for number, block in enumerate(blocks)]
        if not count:
            return None
        return thought_turn(question, steps, str(count), {"verifier": "count", "target": count}, self.language)

    def _step(self, number: int, block: Block) -> str:
        words = [word.text for word in block.lines[0].words][:6]
        text = block.lines[0].script.join(words)
        if self.zh:
            return f"{number + 1}. 第{block.column + 1}栏：“{text}”"
        return f"{number + 1}. Column {block.column + 1}: “{text}”"

    def order(self) -> Turn | None:
        """Block openings put into reading order."""
        # Marks that part the items of an answer, or that a verifier takes off its end, would make it ambiguous.
        plain = [
            item for item in self.openings.items() if not set(item[1]) & set(",;，、；") and item[1][-1] not in ".。"
        ]
        if len(plain) < 3:
            return None
        chosen = sorted(self.rng.sample(plain, min(len(plain), self.rng.randint(3, 5))))
        right = [opening for _, opening in chosen]
        mixed = self.rng.sample(right, len(right))
        question = self._say(
            ("Put the blocks that begin as follows into reading order, separated by commas:\n{items}",),
            ("下面是几个文本块的开头，请按阅读顺序排列，用逗号分隔：\n{items}",),
            items="\n".join(f"- {text}" for text in mixed),
        )
        joint = "，" if self.zh else ", "
        return Turn(question, joint.join(right), {"verifier": "sequence", "target": right})

    def locate_figure(self) -> Turn | None:
        """The boxes of all figures."""
        if not self.page.figures:
            return None
        question = self._say(
            ("Find every figure on this page and give its box.", "Give the boxes of all figures."),
            ("请找出本页的所有插图，并给出边界框。",),
        )
        boxes = [[float(value) for value in box] for box in self.page.figures]
        answer = " ".join(format_box(box, *self.page.size) for box in boxes)
        return Turn(question, answer, {"verifier": "boxes", "targets": boxes, "size": list(self.page.size)})

    def column(self) -> Turn:
        """How many columns the text is set in."""
        question = self._say(("In how many columns is the body text set?",), ("正文分为几栏？",))
        count = len({block.column for block in self.page.blocks if block.column >= 0})
        return short_turn(question, str(count), {"verifier": "count", "target": count}, self.language)

    def opens_with(self) -> Turn:
        """The first line of the first paragraph."""
        block = next((block for block in self.page.blocks if block.kind == "paragraph"), self.page.blocks[-1])
        text = block.lines[0].text
        if block.kind != "paragraph":
            return self.title()
        question = self._say(
            ("Read the first line of the first paragraph.", "What does the first line of body text say?"),
            ("正文第一段的第一行写的是什么？", "请读出第一段的首行。"),
        )
        return Turn(question, text, {"verifier": "text", "target": text})
