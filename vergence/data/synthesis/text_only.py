"""Real text without pictures, in twelve languages: reading on, orders, translations of a handbook's paragraphs.

Text keeps a model's language in training on pictures. The pages of the Debian handbook have the same blocks in every
language where all of it is translated, which makes pairs of paragraphs; a paragraph that is still English is left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

from pydantic import Field

from vergence.conversation import Message, assistant, user
from vergence.data.formats import LETTERS, choice_turn
from vergence.data.generator import Check, Draft, GeneratorConfig, source_item
from vergence.data.pictures import wording
from vergence.data.sources.manuals import MANUALS, Block, Page, as_text, pages_of, read_page
from vergence.data.synthesis.interleaved import in_a_row
from vergence.errors import DataError

VERSION = 2
PACKAGES = ()

MANUAL = "debian-handbook"
TRIES = 60
Form = Literal["mix", "document", "continue", "order", "translate", "language"]
FORMS: tuple[Form, ...] = ("document", "document", "continue", "order", "translate", "language")
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "nb": "Norwegian", "ru": "Russian", "ja": "Japanese", "zh": "Chinese", "ar": "Arabic",
}  # fmt: skip
SCRIPTS = {"ru": "Ѐ-ӿ", "ja": "぀-ヿ一-鿿", "zh": "一-鿿", "ar": "؀-ۿ"}
"""The letters of the languages that aren't written in Latin ones."""
ENGLISH = frozenset(
    ("the", "and", "that", "with", "which", "this", "are", "from", "by", "can", "will", "you", "your", "has", "have",
     "been", "not", "only", "also")
)  # fmt: skip
"""Frequent words of English that the other languages don't share."""
ASKED: Mapping[str, Mapping[str, Sequence[str]]] = {
    "continue": {
        "en": ("Continue this text with its next paragraph.", "Write the next paragraph of this text."),
        "zh": ("请续写这段文字的下一段。", "请写出下文的下一段。"),
    },
    "order": {
        "en": ("Put these paragraphs into the right order. Answer with their letters, separated by commas.",
               "These paragraphs have been mixed up. Give their letters in the right order, separated by commas."),
        "zh": ("请把以下段落排成正确的顺序，用逗号分隔的字母作答。",
               "以下段落的顺序被打乱了。请按正确顺序给出字母，用逗号分隔。"),
    },
    "translate": {
        "en": ("Translate into {wanted}:", "What is this in {wanted}?", "Give a translation into {wanted}:"),
        "zh": ("请翻译成{wanted}：", "请把下面这段话译为{wanted}。"),
    },
}  # fmt: skip
"""Form -> language -> wordings; a Chinese text is asked about in Chinese, the others in English."""


class Config(GeneratorConfig):
    """What a page is made into."""

    form: Form = Field("mix", description="a document for pre-training, or a task about its text; mix: all of them")
    language: Literal["mix", "en", "de", "fr", "es", "it", "pt", "nl", "nb", "ru", "ja", "zh", "ar"] = Field(
        "mix", description="of the text; mix: any, English a third of the time"
    )
    characters: int = Field(2000, ge=200, le=20000, description="about how long a document is")


Made = tuple[tuple[Message, ...], tuple[Check, ...], float]


def generate(rng: random.Random, config: Config) -> Draft:
    """Take paragraphs of a page. Raises `DataError` where no page has what the form needs."""
    form = rng.choice(FORMS) if config.form == "mix" else config.form
    for _ in range(TRIES):
        language: str = config.language
        if language == "mix":
            others = [other for other in NAMES if other != "en" or form != "translate"]
            language = "en" if rng.random() < 1 / 3 and form != "translate" else rng.choice(others)
        try:
            page = read_page(MANUAL, rng.choice(pages_of(MANUAL, config.split)), language)
            made = _make(form, rng, page, config.characters)
        except DataError:
            continue
        if made is not None:
            licence = MANUALS[MANUAL].licence
            return Draft(
                *made[:2],
                truth={"form": form, "manual": MANUAL, "page": page.name},
                capability=f"text/{'document' if form == 'document' else form}",
                domain="computing",
                difficulty=made[2],
                language=language,
                licence=licence,
                source=f"{MANUAL}, page {page.name}, {page.path.parent.name} ({licence})",
                sources=(source_item(MANUAL, page.path.name, page.path.read_bytes(), licence),),
            )
    raise DataError(f"text-document: none of {TRIES} pages has what the form {form} needs in {config.language}")


def translated(page: Page) -> list[tuple[str, str]]:
    """Pairs (English, the page's language) of the same paragraph; none where the blocks don't match one by one."""
    english = read_page(page.manual, page.name, "en")
    if [block.sort for block in english.blocks] != [block.sort for block in page.blocks]:
        return []
    return [
        (first.text, second.text)
        for first, second in zip(english.blocks, page.blocks, strict=True)
        if first.sort == "paragraph"
        and first.text != second.text
        and 40 <= len(first.text) <= 900
        and not still_english(second.text, page.language)
    ]


def still_english(text: str, language: str) -> bool:
    """Whether a text of a translated page has been left in English, perhaps in an older wording than today's."""
    if language == "en":
        return False
    if language in SCRIPTS:
        letters = [letter for letter in text if letter.isalpha()]
        own = len(re.findall(f"[{SCRIPTS[language]}]", text))
        return own < 0.25 * len(letters)
    words = re.findall(r"\w+", text.lower())
    return sum(word in ENGLISH for word in words) >= 0.05 * len(words)


def _own_words(page: Page) -> list[list[str]]:
    """Stretches of paragraphs in the page's language that follow each other."""
    english = set()
    if page.language != "en":
        english = {block.text for block in read_page(page.manual, page.name, "en").blocks}
    blocks = [
        replace(b, sort="code") if b.text in english or still_english(b.text, page.language) else b for b in page.blocks
    ]
    return in_a_row(blocks)


def _make(form: str, rng: random.Random, page: Page, characters: int) -> Made | None:
    if form == "translate":
        return _translate(rng, page)
    if form == "document":
        return _document(page, characters)
    stretches = [found for found in _own_words(page) if form == "language" or len(found) >= 3]
    if not stretches:
        return None
    paragraphs = rng.choice(stretches)
    asked = "zh" if page.language == "zh" else "en"
    if form == "language":
        name = NAMES[page.language]
        # The script alone doesn't tell.
        alike = [other for other in NAMES if (other in SCRIPTS) == (page.language in SCRIPTS)]
        others = rng.sample([NAMES[other] for other in alike if other != page.language], 3)
        turn = choice_turn(f"{_beginning(rng.choice(paragraphs))}\n\nWhich language is this?", name, others, rng)
        return (user(turn.question), assistant(turn.answer)), (turn.check,), 0.1
    count = min(len(paragraphs), 4 if form == "order" else 3)
    start = rng.randrange(len(paragraphs) - count + 1)
    if form == "continue":
        before, after = "\n\n".join(paragraphs[start : start + 2]), paragraphs[start + 2]
        question = f"{wording(rng, ASKED[form][asked])}\n\n{before}"
        return (user(question), assistant(after)), ({"verifier": "open", "target": after},), 0.6
    right = paragraphs[start : start + count]
    if len(set(right)) < count:
        return None
    mixed = rng.sample(right, count)
    if mixed == right:
        mixed = right[::-1]
    letters = [LETTERS[mixed.index(text)] for text in right]
    listed = "\n".join(f"{LETTERS[number]}. {text}" for number, text in enumerate(mixed))
    question = f"{wording(rng, ASKED[form][asked])}\n\n{listed}"
    return (user(question), assistant(", ".join(letters))), ({"verifier": "sequence", "target": letters},), 0.7


def _beginning(text: str, most: int = 300) -> str:
    """The text, or as much of it as ends with a whole word."""
    if len(text) <= most:
        return text
    cut = text[:most]
    return (cut.rpartition(" ")[0] if " " in cut[-40:] else cut) + "…"


def _document(page: Page, characters: int) -> Made | None:
    """The page's title from the user, its text from the assistant: the longest stretch with no English left in it."""
    stretches: list[list[Block]] = [[]]
    for block in page.blocks:
        if block.sort in ("paragraph", "item") and len(block.text) >= 40 and still_english(block.text, page.language):
            stretches.append([])
        else:
            stretches[-1].append(block)
    taken, length = [], 0
    for block in max(stretches, key=lambda stretch: sum(len(block.text) for block in stretch)):
        if length > characters:
            break
        taken.append(block)
        length += len(block.text)
    while taken and taken[0].sort == "code":
        taken.pop(0)
    while taken and taken[-1].sort == "heading":
        taken.pop()
    title = next((b.text for b in page.blocks if b.sort == "heading"), page.name)
    text = as_text(taken[1:] if taken and taken[0].sort == "heading" and taken[0].text == title else taken)
    if len(text) < 200 or sum(block.sort == "paragraph" for block in taken) < 3:
        return None
    return (user(f"# {title}\n\n"), assistant(text)), ({"verifier": "open", "target": text},), 0.3


def _translate(rng: random.Random, page: Page) -> Made | None:
    pairs = translated(page) if page.language != "en" else []
    if not pairs:
        return None
    english, other = rng.choice(pairs)
    name = NAMES[page.language]
    source, target, wanted = (english, other, name) if rng.random() < 0.5 else (other, english, "English")
    asked = "zh" if page.language == "zh" else "en"
    if asked == "zh":
        wanted = {"English": "英文", "Chinese": "中文"}[wanted]
    question = f"{wording(rng, ASKED['translate'][asked], wanted=wanted)}\n\n{source}"
    return (user(question), assistant(target)), ({"verifier": "open", "target": target},), 0.5
