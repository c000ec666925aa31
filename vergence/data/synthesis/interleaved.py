"""Real pages of manuals with their pictures in place: documents to read on, captions, gaps and orders to restore.

A document is a dialogue whose pictures are user messages and whose text is assistant messages, in reading order: text
carries loss, pictures never do, and every chat template can hold it. A stage of pre-training that renders samples
plainly sees the page as it was; the first message is the page's title, from the user.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from vergence.conversation import Message, assistant, user
from vergence.data.formats import LETTERS, ask, choice_turn
from vergence.data.generator import Check, Draft, GeneratorConfig, SourceItem, source_item
from vergence.data.sources.manuals import MANUALS, Block, Page, as_text, pages_of, read_page
from vergence.errors import DataError

VERSION = 2
PACKAGES = ()

TRIES = 60
WEIGHTS = {"gimp-help": 8, "kstars": 2, "debian-handbook": 1}
"""How often a manual is looked into; about the share of pictures in it."""
Form = Literal["mix", "document", "caption", "choose-caption", "choose-picture", "order"]
FORMS: tuple[Form, ...] = ("document", "document", "caption", "choose-caption", "choose-picture", "order")

WORDS = {
    "caption": {"en": "Write the caption of the last picture.", "zh": "请用英文为最后一张图片写出图注。"},
    "choose-caption": {
        "en": "Which caption belongs to the last picture?", "zh": "哪一个图注属于最后一张图片？"
    },
    "choose-picture": {
        "en": "A picture is missing at [PICTURE] in the following text. Which one belongs there?",
        "zh": "下文中 [PICTURE] 处缺少一张图片。应该放哪一张？",
    },
    "order": {
        "en": "The picture and these paragraphs are from one page, but the paragraphs are out of order. Give the "
        "letters in the right order, separated by commas.",
        "zh": "这张图片和以下段落来自同一页面，但段落顺序被打乱了。请按正确顺序给出字母，用逗号分隔。",
    },
}  # fmt: skip


class Config(GeneratorConfig):
    """What a page is made into."""

    form: Form = Field("mix", description="a document for pre-training, or a task about one; mix: all of them")
    blocks: int = Field(16, ge=4, le=100, description="most blocks of a page in a sample")
    language: Literal["en", "zh", "mix"] = Field("mix", description="of the questions; the pages are English")


def generate(rng: random.Random, config: Config) -> Draft:
    """Take a stretch of a page. Raises `DataError` where no page has what the form needs."""
    form = rng.choice(FORMS) if config.form == "mix" else config.form
    language = config.language if config.language != "mix" else rng.choice(("en", "en", "en", "zh"))
    for _ in range(TRIES):
        manual = rng.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        names = pages_of(manual, config.split)
        page = read_page(manual, rng.choice(names), "en")
        blocks = _stretch(rng, page.blocks, config.blocks)
        made = _FORMS[form](rng, page, blocks, language)
        if made is not None:
            return _draft(form, page, blocks, *made, language)
    raise DataError(f"interleaved: none of {TRIES} pages has what the form {form} needs")


Made = tuple[tuple[Message, ...], tuple[Check, ...], list[Block], float]
"""Messages, checks, the pictures in them, and the difficulty."""


def _draft(
    form: str,
    page: Page,
    blocks: Sequence[Block],
    messages: tuple[Message, ...],
    checks: tuple[Check, ...],
    pictures: Sequence[Block],
    difficulty: float,
    language: str,
) -> Draft:
    manual = MANUALS[page.manual]
    truth = {
        "form": form,
        "manual": page.manual,
        "page": page.name,
        "blocks": [
            {"sort": b.sort, "text": b.text, **({"file": b.file.name} if b.file else {})} for b in blocks
        ],
    }  # fmt: skip
    return Draft(
        messages,
        checks,
        truth=truth,
        capability="interleaved/document" if form == "document" else "interleaved/context",
        domain="computing" if page.manual != "kstars" else "astronomy",
        difficulty=difficulty,
        language="en" if form == "document" else language,
        licence=manual.licence,
        source=f"{page.manual}, page {page.name} ({manual.licence})",
        sources=_sources(page, pictures),
    )


def _sources(page: Page, pictures: Sequence[Block]) -> tuple[SourceItem, ...]:
    licence = MANUALS[page.manual].licence
    items = {page.path.name: page.path, **{p.file.name: p.file for p in pictures if p.file}}
    return tuple(source_item(page.manual, name, path.read_bytes(), licence) for name, path in items.items())


def _stretch(rng: random.Random, blocks: Sequence[Block], most: int) -> list[Block]:
    """At most `most` blocks in a row, with a picture among them where the page has one."""
    if len(blocks) <= most:
        return _ended(blocks, cut=False)
    pictures = [number for number, block in enumerate(blocks) if block.sort == "image"]
    middle = rng.choice(pictures) if pictures else rng.randrange(len(blocks))
    start = min(max(0, middle - rng.randint(0, most - 1)), len(blocks) - most)
    return _ended(blocks[start : start + most], cut=start + most < len(blocks))


def _ended(blocks: Sequence[Block], cut: bool) -> list[Block]:
    """The blocks without an end that says nothing: a picture that no word follows and, where a page has been cut, a
    heading or the name of an option whose text is gone."""
    taken = list(blocks)
    while taken:
        last = taken[-1]
        bare = last.sort == "image" and not last.text
        headless = cut and (last.sort == "heading" or (last.sort == "item" and last.text[-1:] not in ".!?:;)”"))
        if not bare and not headless:
            break
        taken.pop()
        cut = True
    return taken


def _picture(block: Block) -> bytes:
    assert block.file is not None
    return block.file.read_bytes()


def _document(rng: random.Random, page: Page, blocks: Sequence[Block], language: str) -> Made | None:
    """The stretch as it is: runs of pictures from the user, runs of text from the assistant."""
    pictures = [block for block in blocks if block.sort == "image"]
    if not pictures or len(as_text(blocks)) < 200:
        return None
    title = next((block.text for block in page.blocks if block.sort == "heading"), page.name)
    if blocks[0].sort == "heading" and blocks[0].text == title:
        blocks = blocks[1:]
    messages: list[Message] = []
    runs: list[list[Block]] = []
    for block in blocks:
        if runs and (runs[-1][0].sort == "image") == (block.sort == "image"):
            runs[-1].append(block)
        else:
            runs.append([block])
    if runs[-1][0].sort == "image":
        # The text after a picture is what is learned about it; without any, its caption is.
        runs.append([])
    opening = [f"# {title}\n\n"]
    if runs[0][0].sort != "image":
        messages.append(user(*opening))
        opening = []
    for run in runs:
        if run and run[0].sort == "image":
            messages.append(user(*opening, *(_picture(block) for block in run)))
            opening = []
        else:
            # The captions of pictures stand where they do on a page: right below them.
            above = runs[runs.index(run) - 1] if runs.index(run) else []
            # The title of a figure of several pictures is written once.
            captions = dict.fromkeys(block.text for block in above if block.sort == "image" and block.text)
            text = "\n\n".join([*(f"*{caption}*" for caption in captions), *([as_text(run)] if run else [])])
            messages.append(assistant(text + "\n\n" if run is not runs[-1] else text))
    answers = [message.text for message in messages if message.role == "assistant"]
    checks = tuple({"verifier": "open", "target": text} for text in answers)
    return tuple(messages), checks, pictures, min(1.0, 0.2 + 0.1 * len(pictures))


def _captioned(blocks: Sequence[Block]) -> list[int]:
    """Where pictures with a telling caption stand."""
    return [n for n, b in enumerate(blocks) if b.sort == "image" and len(b.text) >= 8 and " " in b.text]


def _context(blocks: Sequence[Block], last: int) -> list[str | bytes]:
    """What stands before and up to picture number `last`, captions of earlier pictures included."""
    parts: list[str | bytes] = []
    for number, block in enumerate(blocks[: last + 1]):
        if block.sort == "image":
            parts.append(_picture(block))
            if number < last and block.text:
                parts.append(f"*{block.text}*\n\n")
        else:
            parts.append(as_text([block]) + "\n\n")
    return parts


def _caption(rng: random.Random, page: Page, blocks: Sequence[Block], language: str) -> Made | None:
    places = [place for place in _captioned(blocks) if place]
    if not places:
        return None
    place = rng.choice(places)
    first = max(0, place - 5)
    used = blocks[first : place + 1]
    parts = _context(used, len(used) - 1)
    messages = (user(*parts, WORDS["caption"][language]), assistant(blocks[place].text))
    check = {"verifier": "open", "target": blocks[place].text}
    return messages, (check,), [b for b in used if b.sort == "image"], 0.5


def _choose_caption(rng: random.Random, page: Page, blocks: Sequence[Block], language: str) -> Made | None:
    captions = list(dict.fromkeys(page.blocks[place].text for place in _captioned(page.blocks)))
    places = _captioned(blocks)
    if len(captions) < 3 or not places:
        return None
    place = rng.choice(places)
    right = blocks[place].text
    own = {block.text.casefold() for block in page.images if block.file == blocks[place].file}
    others = [caption for caption in captions if caption.casefold() not in own]
    if len({caption.casefold() for caption in others}) < 2:
        return None
    others = rng.sample(sorted({caption.casefold(): caption for caption in others}.values()), min(3, len(others), 2))
    used = blocks[max(0, place - 2) : place + 1]
    told = as_text(used) + "\n".join(block.text for block in used[:-1] if block.sort == "image")
    if any(caption.casefold() in told.casefold() for caption in (right, *others)):
        return None
    turn = choice_turn(WORDS["choose-caption"][language], right, others, rng, language)
    parts = _context(used, len(used) - 1)
    pictures = [b for b in used if b.sort == "image"]
    return (user(*parts, turn.question), assistant(turn.answer)), (turn.check,), pictures, 0.4


def _choose_picture(rng: random.Random, page: Page, blocks: Sequence[Block], language: str) -> Made | None:
    pictures = list({block.file: block for block in page.images}.values())
    # Without a caption, a picture before a step and one after it may both seem to fit.
    places = [n for n in _captioned(blocks) if 0 < n < len(blocks) - 1]
    if len({_picture(block) for block in pictures}) < max(2, len(pictures)) or not places:
        return None
    place = rng.choice(places)
    right = blocks[place]
    others = [
        block for block in pictures if block.file != right.file and block.text.casefold() != right.text.casefold()
    ]
    if not others:
        return None
    others = rng.sample(others, min(2, len(others)))
    options = [right, *others]
    rng.shuffle(options)
    before, after = blocks[max(0, place - 3) : place], blocks[place + 1 : place + 3]
    caption = f"*{right.text}*\n\n" if right.text else ""
    text = f"{as_text(before)}\n\n[PICTURE]\n\n{caption}{as_text(after)}"
    if len(text) < 150:
        return None
    listed = [part for n, b in enumerate(options) for part in (f"{LETTERS[n]}. ", _picture(b), "\n")]
    question = ask(f"{WORDS['choose-picture'][language]}\n\n{text}", "letter", language)
    number = options.index(right)
    check = {"verifier": "choice", "target": number, "choices": list(LETTERS[: len(options)])}
    return (user(*listed, question), assistant(LETTERS[number])), (check,), options, 0.3 + 0.1 * len(options)


def in_a_row(blocks: Sequence[Block]) -> list[list[str]]:
    """Paragraphs that follow each other with nothing but pictures between them; each ends a sentence, and none leads
    from a box beside the text back to the text."""
    runs: list[list[str]] = [[]]
    aside = False
    for block in blocks:
        if block.sort != "image" and block.aside != aside:
            runs.append([])
            aside = block.aside
        if block.sort == "paragraph" and 60 <= len(block.text) <= 700 and block.text[-1] in ".!?。！？؟":
            runs[-1].append(block.text)
        elif block.sort != "image":
            runs.append([])
    return [run for run in runs if run]


def _order(rng: random.Random, page: Page, blocks: Sequence[Block], language: str) -> Made | None:
    pictures = [block for block in blocks if block.sort == "image"]
    stretches = [found for found in in_a_row(blocks) if len(found) >= 3 and len(set(found)) == len(found)]
    if not pictures or not stretches:
        return None
    paragraphs = rng.choice(stretches)
    count = min(len(paragraphs), rng.choice((3, 4, 4, 5)))
    start = rng.randrange(len(paragraphs) - count + 1)
    right = paragraphs[start : start + count]
    mixed = rng.sample(right, count)
    if mixed == right:
        mixed = right[::-1]
    listed = "\n".join(f"{LETTERS[number]}. {text}" for number, text in enumerate(mixed))
    letters = [LETTERS[mixed.index(text)] for text in right]
    question = f"{WORDS['order'][language]}\n\n{listed}"
    check = {"verifier": "sequence", "target": letters}
    shown = pictures[:1]
    messages = (user(_picture(shown[0]), question), assistant(", ".join(letters)))
    return messages, (check,), shown, 0.4 + 0.1 * count


_FORMS = {
    "document": _document,
    "caption": _caption,
    "choose-caption": _choose_caption,
    "choose-picture": _choose_picture,
    "order": _order,
}
