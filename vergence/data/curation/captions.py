"""Rules for the text of a picture and its caption: is this a description, and in a language that is wanted?

The rules are those that DataComp, LAION and Data-Juicer apply to alt text (length, language, addresses, stock phrases,
repetition), each of which answers with its reason. They read the caption alone; a score of how well picture and caption
fit comes from a model (`vergence.data.curation.similarity`).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import Field

from vergence.config import Section
from vergence.errors import UsageError

_URL = re.compile(r"(?:https?://|www\.)\S+|\b[\w-]+\.(?:com|org|net|info|htm|html|php|de|fr|uk|it)\b", re.IGNORECASE)
_MAIL = re.compile(r"\S+\s*(?:@|\(at\)|\[at\]| at (?=\w+\.\w+))\s*\S+\.\w+", re.IGNORECASE)
_FILE = re.compile(r"\b[\w-]+\.(?:jpe?g|png|gif|svgz?|webp|bmp|tiff?|eps|ai|xcf|psd|pdf)\b", re.IGNORECASE)
_CAMERA = re.compile(r"\b(?:IMG|DSC[NF]?|PICT?|DCIM|SAM|P)[ _-]?\d{3,}\b")
# Places and thoughts are written in tags, too; they are no slip of whoever wrote the caption.
_MARKUP = re.compile(
    r"</?(?!(?:bbox|point|polygon|text|think|answer)>)[a-z][^>]*>|&[a-z]+;|\[/?[a-z]+\]|\{\{|\}\}", re.IGNORECASE
)
_STOCK = re.compile(
    r"\b(?:all rights reserved|copyright|\(c\)|©|licen[sc]ed?|public domain|creative commons|gpl|royalty.free|"
    r"click (?:here|to)|read more|sign up|log ?in|subscribe|add to cart|free (?:download|shipping)|buy now|for sale|"
    r"cookies?|privacy policy|terms of (?:use|service)|untitled|no (?:description|image)|"
    r"image not available|thumbnail|placeholder|lorem ipsum|test (?:image|file)|feel free|"
    r"please (?:rate|comment|let me know)|"
    r"(?:created|made|drawn|traced|vectori[sz]ed|exported|converted|edited|modified|uploaded) "
    r"(?:by|in|with|using|from)|"
    r"inkscape|adobe|illustrator|photoshop|coreldraw|sodipodi|xfig|open ?clip ?art|clip ?art|svg|"
    r"wikimedia|wikipedia)\b",
    re.IGNORECASE,
)
_HAN = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


class CaptionRules(Section):
    """What a caption must be; a rule whose limit is null or false isn't applied."""

    min_words: int = Field(2, ge=0, description="words; of Chinese, Japanese and Korean two characters count as one")
    max_words: int = Field(256, ge=1)
    min_letters: float = Field(0.6, ge=0, le=1, description="least share of letters among what isn't white space")
    max_repetition: float = Field(
        0.5, ge=0, le=1, description="largest share of the most frequent word, from 8 words on"
    )
    max_capitals: float = Field(
        0.8, ge=0, le=1, description="largest share of capitals among Latin letters, from 16 on"
    )
    addresses: bool = Field(False, description="whether URLs and mail addresses may be in it")
    file_names: bool = Field(False, description="whether names of files and cameras' numbers may be in it")
    markup: bool = Field(False, description="whether HTML, entities and the like may be in it")
    stock_phrases: bool = Field(False, description="whether notices, licences, tools and calls to click may be in it")
    languages: tuple[str, ...] = Field((), description="ISO 639-1 codes; empty: any. Needs py3langid")
    min_language: float = Field(0.5, ge=0, le=1, description="least probability of the language, where it is checked")


def caption_problem(caption: str, rules: CaptionRules) -> str | None:
    """The first rule that a caption breaks, as a reason; None for one that is fine."""
    text = " ".join(unicodedata.normalize("NFKC", caption).split())
    for reason, broken in _RULES.items():
        if broken(text, rules):
            return reason
    return None


def word_count(text: str) -> int:
    """Words between white space; characters of Chinese, Japanese and Korean count half a word each."""
    others = _HAN.sub(" ", text).split()
    return len(others) + -(-len(_HAN.findall(text)) // 2)


def _few_letters(text: str, rules: CaptionRules) -> bool:
    marks = [c for c in text if not c.isspace()]
    return sum(unicodedata.category(c)[0] in "LM" for c in marks) < rules.min_letters * len(marks)


def _repetitive(text: str, rules: CaptionRules) -> bool:
    words = text.casefold().split()
    return len(words) >= 8 and Counter(words).most_common(1)[0][1] > rules.max_repetition * len(words)


def _shouting(text: str, rules: CaptionRules) -> bool:
    letters = [c for c in text if c.isalpha() and c.upper() != c.lower()]
    return len(letters) >= 16 and sum(c.isupper() for c in letters) > rules.max_capitals * len(letters)


def _other_language(text: str, rules: CaptionRules) -> bool:
    if not rules.languages:
        return False
    language, probability = _identifier().classify(text)
    return language not in rules.languages and probability >= rules.min_language


@cache
def _identifier() -> Any:
    """py3langid's classifier of 97 languages with probabilities, whose model is in the package."""
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError:
        raise UsageError("captions' languages are told apart by py3langid: pip install 'vergence[curation]'") from None
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


_RULES: dict[str, Callable[[str, CaptionRules], bool]] = {
    "empty": lambda text, _: not text,
    "markup": lambda text, rules: not rules.markup and bool(_MARKUP.search(text)),
    "address": lambda text, rules: not rules.addresses and bool(_URL.search(text) or _MAIL.search(text)),
    "file name": lambda text, rules: not rules.file_names and bool(_FILE.search(text) or _CAMERA.search(text)),
    "stock phrase": lambda text, rules: not rules.stock_phrases and bool(_STOCK.search(text)),
    "too few words": lambda text, rules: word_count(text) < rules.min_words,
    "too many words": lambda text, rules: word_count(text) > rules.max_words,
    "few letters": _few_letters,
    "repetitive": _repetitive,
    "capitals": _shouting,
    "language": _other_language,
}
"""Reason -> whether a caption is broken by it; the first counts."""
