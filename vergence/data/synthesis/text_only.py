"""Real text without pictures, in twelve languages: reading on, orders, translations of a handbook's paragraphs.

Text keeps a model's language in training on pictures. The pages of the Debian handbook have the same blocks in every
language where all of it is translated, which makes pairs of paragraphs; a paragraph that is still English is left out.
"""

from __future__ import annotations

import random
from typing import Literal

from pydantic import Field

from vergence.conversation import Message, assistant, user
from vergence.data.formats import LETTERS, choice_turn
from vergence.data.generator import Check, Draft, GeneratorConfig, source_item
from vergence.data.sources.manuals import MANUALS, Page, as_text, pages_of, read_page
from vergence.errors import DataError

VERSION = 1
PACKAGES = ()

MANUAL = "debian-handbook"
TRIES = 60
Form = Literal["mix", "document", "continue", "order", "translate", "language"]
FORMS: tuple[Form, ...] = ("document", "document", "continue", "order", "translate", "language")
NAMES = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "nb": "Norwegian", "ru": "Russian", "ja": "Japanese", "zh": "Chinese", "ar": "Arabic",
}  # fmt: skip


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
        if first.sort == "paragraph" and first.text != second.text and 40 <= len(first.text) <= 900
    ]


def _own_words(page: Page) -> list[str]:
    """Paragraphs that are in the page's language: those that don't stand on the English page too."""
    english = set()
    if page.language != "en":
        english = {block.text for block in read_page(page.manual, page.name, "en").blocks}
    return [b.text for b in page.blocks if b.sort == "paragraph" and b.text not in english and len(b.text) >= 40]


def _make(form: str, rng: random.Random, page: Page, characters: int) -> Made | None:
    if form == "translate":
        return _translate(rng, page)
    if form == "document":
        return _document(page, characters)
    paragraphs = _own_words(page)
    if len(paragraphs) < 4:
        return None
    if form == "language":
        name = NAMES[page.language]
        others = rng.sample([other for other in NAMES.values() if other != name], 3)
        turn = choice_turn(f"{rng.choice(paragraphs)[:300]}\n\nWhich language is this?", name, others, rng)
        return (user(turn.question), assistant(turn.answer)), (turn.check,), 0.1
    start = rng.randrange(len(paragraphs) - 3)
    if form == "continue":
        before, after = "\n\n".join(paragraphs[start : start + 2]), paragraphs[start + 2]
        question = f"Continue this text with its next paragraph.\n\n{before}"
        return (user(question), assistant(after)), ({"verifier": "open", "target": after},), 0.6
    right = paragraphs[start : start + 4]
    if len(set(right)) < 4:
        return None
    mixed = rng.sample(right, 4)
    letters = [LETTERS[mixed.index(text)] for text in right]
    listed = "\n".join(f"{LETTERS[number]}. {text}" for number, text in enumerate(mixed))
    question = f"Put these paragraphs into the right order. Answer with their letters, separated by commas.\n\n{listed}"
    return (user(question), assistant(", ".join(letters))), ({"verifier": "sequence", "target": letters},), 0.7


def _document(page: Page, characters: int) -> Made | None:
    """The page's title from the user, its text from the assistant."""
    if len(_own_words(page)) < 3:
        return None
    taken, length = [], 0
    for block in page.blocks:
        if length > characters:
            break
        taken.append(block)
        length += len(block.text)
    title = next((b.text for b in taken if b.sort == "heading"), page.name)
    text = as_text(taken[1:] if taken[0].sort == "heading" and taken[0].text == title else taken)
    if len(text) < 200:
        return None
    return (user(f"# {title}\n\n"), assistant(text)), ({"verifier": "open", "target": text},), 0.3


def _translate(rng: random.Random, page: Page) -> Made | None:
    pairs = translated(page) if page.language != "en" else []
    if not pairs:
        return None
    english, other = rng.choice(pairs)
    name = NAMES[page.language]
    source, target, wanted = (english, other, name) if rng.random() < 0.5 else (other, english, "English")
    question = f"Translate into {wanted}:\n\n{source}"
    return (user(question), assistant(target)), ({"verifier": "open", "target": target},), 0.5
