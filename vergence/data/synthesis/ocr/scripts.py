"""The scripts that pages and lines are written in, with their words and with real text of a book in many languages.

Words are this project's own lists of names of months, days, numbers, countries and plain things (`words/SCRIPT.txt`;
Latin text takes `words.txt`). Held out are words, and the pages of the book. A text is a sequence of *tokens*, which
are drawn, boxed and kept whole: words where the script has spaces, a word in Thai, a character in Chinese and Japanese.
"""

from __future__ import annotations

import html
import random
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, NamedTuple

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder
from vergence.data.synthesis.ocr.fonts import Typeface, covers
from vergence.data.synthesis.text import words as english_words
from vergence.errors import DataError, UsageError

ScriptName = Literal[
    "latin",
    "cyrillic",
    "greek",
    "han",
    "japanese",
    "korean",
    "arabic",
    "hebrew",
    "devanagari",
    "thai",
    "bengali",
    "tamil",
]
Corpus = Literal["words", "book"]
BOOK = "debian-handbook"
BOOK_LICENCE = "GPL-2.0-or-later OR CC-BY-SA-3.0"


class Script(NamedTuple):
    """How a script is written: its language tag, direction, what stands between tokens, its marks and its letters."""

    name: ScriptName
    language: str
    comma: str
    stop: str
    letters: str
    """A class of characters of a regular expression."""
    joiner: str = " "
    direction: Literal["ltr", "rtl"] = "ltr"
    books: tuple[str, ...] = ()
    """Folders of the book in this script."""

    def join(self, tokens: Sequence[str]) -> str:
        """The tokens as running text."""
        return self.joiner.join(tokens)


SCRIPTS: dict[str, Script] = {
    script.name: script
    for script in (
        Script(
            "latin", "en", ",", ".", "A-Za-z", books=("en-US", "fr-FR", "de-DE", "es-ES", "it-IT", "pt-BR", "nb-NO")
        ),
        Script("cyrillic", "ru", ",", ".", "Ѐ-ӿ", books=("ru-RU",)),
        Script("greek", "el", ",", ".", "Ͱ-Ͽ", books=("el-GR",)),
        Script("han", "zh", "，", "。", "一-鿿", joiner="", books=("zh-CN",)),
        Script("japanese", "ja", "、", "。", "一-鿿぀-ヿ", joiner="", books=("ja-JP",)),
        Script("korean", "ko", ",", ".", "가-힣", books=("ko-KR",)),
        Script("arabic", "ar", "،", ".", "؀-ۿ", direction="rtl", books=("ar-MA", "fa-IR")),
        Script("hebrew", "he", ",", ".", "֐-׿", direction="rtl"),
        Script("devanagari", "hi", ",", "।", "ऀ-ॿ"),
        Script("thai", "th", "", "", "฀-๿", joiner=""),
        Script("bengali", "bn", ",", "।", "ঀ-৿"),
        Script("tamil", "ta", ",", ".", "஀-௿"),
    )
}
_TOKEN = {
    # Closing marks stay with the character before them and opening ones with the one behind; ASCII stays whole.
    "": re.compile(r"[（《“『「\[(]*(?:[!-~]+(?: [!-~]+)*|[^\s])[，。、；：！？）》”』」％ー々\])ゃゅょっャュョッ]*"),
    " ": re.compile(r"\S+"),
}
LONGEST_TOKEN = 20
OPEN_MARKS = ",;:([，、；：（《“『「،؛"
"""Marks with which no text ends."""
END_MARKS = ".!?…。！？؟।)]）》”』」"


@cache
def script_words(name: str, split: Split) -> tuple[str, ...]:
    """The words of a script on a side of the split."""
    if name == "latin":
        return english_words(split, 14)
    text = files("vergence.data.synthesis.ocr").joinpath(f"words/{name}.txt").read_text(encoding="utf-8")
    return tuple(word for word in text.split() if split_of(f"word:{word}") == split)


@cache
def writable_words(name: str, split: Split, typefaces: tuple[Typeface, ...]) -> tuple[str, ...]:
    """Those of a script's words that all typefaces can write; English ones always can be."""
    found = script_words(name, split)
    if name == "latin":
        return found
    return tuple(word for word in found if all(covers(typeface, word) for typeface in typefaces))


def tokens_of(text: str, script: Script) -> tuple[str, ...]:
    """Running text cut into its tokens; `Script.join` puts them together again."""
    if script.name == "thai":
        raise ValueError("Thai isn't cut into words here: join words instead")
    return tuple(_TOKEN[script.joiner].findall(text))


def one_way(tokens: Sequence[str]) -> bool:
    """Whether words and numbers of a right-to-left text that stand together from left to right have no marks: where
    those belong depends on what is around the run, so such a text isn't made of tokens of one direction."""
    latin = [re.search("[A-Za-z]", token) is not None for token in tokens]
    other = [latin[n] or tokens[n][:1].isdecimal() for n in range(len(tokens))]
    together = [n for n in range(len(tokens) - 1) if latin[n] and other[n + 1]]
    return all(tokens[n].isalnum() and tokens[n + 1].isalnum() for n in together)


class Writer:
    """Writes text of a script from the words or the book, in characters that a typeface has."""

    def __init__(
        self, script: Script, split: Split, corpus: Corpus, typefaces: Sequence[Typeface], rng: random.Random
    ) -> None:
        self.script = script
        self.split = split
        self.corpus = corpus
        self.rng = rng
        self.sources: dict[str, SourceItem] = {}
        self._words = writable_words(script.name, split, tuple(typefaces))
        self.typefaces = tuple(typefaces)
        if corpus == "book" and not script.books:
            raise UsageError(f"the book isn't written in {script.name}; use text=words")
        self.language = rng.choice(script.books) if corpus == "book" else script.language

    def word(self) -> str:
        """One word of the script's list."""
        return self.rng.choice(self._words)

    def number(self) -> str:
        """A number as it stands in running text: a count, a year, a price, a share."""
        rng = self.rng
        forms = (
            lambda: str(rng.randint(2, 999)),
            lambda: str(rng.randint(1900, 2060)),
            lambda: f"{rng.randint(1, 99)}.{rng.randint(0, 99):02d}",
            lambda: f"{rng.randint(1, 100)}%",
        )
        return rng.choice(forms)()

    def words(self, count: int) -> tuple[str, ...]:
        """Tokens of `count` words without marks, as in a title; Latin ones are capitalised in one way."""
        found = [self.word() for _ in range(count)]
        if self.script.name == "latin":
            found = [word.title() for word in found] if self.rng.random() < 0.5 else [found[0].title(), *found[1:]]
        return self._cut(found)

    def paragraph(self, count: int) -> tuple[str, ...]:
        """About `count` tokens of sentences, never fewer than one."""
        if self.corpus == "book":
            return self._from_book(count)
        found: list[str] = []
        while len(found) < count:
            found += self.sentence()
        return tuple(found[: max(count, 1)])

    def sentence(self) -> tuple[str, ...]:
        """Tokens of a sentence of 5 to 13 words or numbers, in no grammar, with its marks."""
        rng, script = self.rng, self.script
        length = rng.randint(5, 13)
        found: list[str] = []
        after_number = not script.stop
        for _ in range(length):
            # Two numbers in a row would read as one where nothing stands between tokens.
            after_number = rng.random() < 0.06 and not after_number
            found.append(self.number() if after_number else self.word())
        if length > 7 and script.comma:
            found[rng.randint(2, length - 3)] += script.comma
        found[-1] += script.stop
        if script.name in ("latin", "cyrillic", "greek"):
            found[0] = found[0][0].upper() + found[0][1:]
        return self._cut(found)

    def ended(self, tokens: Sequence[str]) -> tuple[str, ...]:
        """Tokens that are cut off somewhere, with a full stop behind the last of them unless it has a mark."""
        last = tokens[-1].rstrip(OPEN_MARKS)
        if not last:
            return tuple(tokens)
        return (*tokens[:-1], last if last[-1] in END_MARKS else last + self.script.stop)

    def _cut(self, words: Sequence[str]) -> tuple[str, ...]:
        if self.script.joiner or self.script.name == "thai":
            return tuple(words)
        return tokens_of("".join(words), self.script)

    def _from_book(self, count: int) -> tuple[str, ...]:
        """Tokens of paragraphs that follow each other, from a random page of this text's language on."""
        pages = _pages(self.script, self.language, self.split)
        place, found = self.rng.randrange(len(pages)), list[str]()
        for number in range(len(pages)):
            item, paragraphs = _paragraphs(pages[(place + number) % len(pages)], self.script)
            fit = [tokens for tokens in paragraphs if self._can_write(tokens)]
            start = self.rng.randrange(len(fit)) if fit else 0
            for tokens in fit[start:]:
                self.sources.setdefault(item.item, item)
                found += tokens
                if len(found) >= count:
                    return tuple(found[: max(count, 1)])
        if not found:
            raise DataError(f"the book has no {self.language} text in the characters of {self.typefaces[0].family}")
        return tuple(found)

    def _can_write(self, tokens: Sequence[str]) -> bool:
        text = "".join(tokens)
        return all(text.isascii() or covers(typeface, text) for typeface in self.typefaces)


@cache
def _pages(script: Script, language: str, split: Split) -> tuple[Path, ...]:
    """The book's pages in a language; a page lies on one side of the split in all languages."""
    folder = package_folder(BOOK) / "usr" / "share" / "doc" / "debian-handbook" / "html" / language
    pages = tuple(path for path in sorted(folder.glob("*.html")) if split_of(f"book:{path.stem}") == split)
    if not pages:
        raise DataError(f"{folder} holds no page of the book: fetch {BOOK} again")
    return pages


@lru_cache(maxsize=512)
def _paragraphs(path: Path, script: Script) -> tuple[SourceItem, tuple[tuple[str, ...], ...]]:
    """A page's paragraphs of which most is in the script (untranslated ones are English), as tokens."""
    data = path.read_bytes()
    letters = re.compile(f"[{script.letters}]")
    found = []
    for part in re.findall(r'<div class="para">(.*?)</div>', data.decode("utf-8"), re.DOTALL):
        text = " ".join(html.unescape(re.sub(r"<[^>]+>", "", part)).split())
        if len(text) > 60 and len(letters.findall(text)) > 0.6 * len(text.replace(" ", "")):
            tokens = tokens_of(text, script)
            if max(map(len, tokens)) <= LONGEST_TOKEN and (script.direction == "ltr" or one_way(tokens)):
                found.append(tokens)
    return source_item(BOOK, f"{path.parent.name}/{path.stem}", data, BOOK_LICENCE), tuple(found)
