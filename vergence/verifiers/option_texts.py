"""Which options an answer gives by their texts instead of their letters."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction

from vergence.verifiers.labels import LATIN
from vergence.verifiers.quantities import mentions, number_in_words
from vergence.verifiers.text import exact, read_number

LONGEST = 300
"""Characters in which the texts of options are looked for at a time."""

_ARTICLE = re.compile(r"(?:the|an?)\s+")
_IS = r"(?:is|are|was|seems|looks|can)"
# Chinese writes no spaces: 红色 in 粉红色 is another colour, and 是 in 不是 is denied.
_CHINESE = r"[\u4e00-\u9fff]"
_BEFORE_CHINESE = rf"(?:(?<!{_CHINESE})|(?<=[是为為有在的只个個条條张張辆輛朵件头頭匹位名棵座把架艘种種选選]))"
_AFTER_CHINESE = rf"(?=的?(?!{_CHINESE}))"
_BEFORE = rf"(?<![{LATIN}])(?<![{LATIN}][.,-])"
_AFTER = rf"(?![{LATIN}]|[.,]\d|-(?!hand|most|colou?red)[{LATIN}])"
_DENIED = re.compile(
    r"(?:\bnot?|\bcannot|n['’]t|\bnever)(?:\s+(?!(?:but|so|then|because|since|and|it|he|she|they)\b)[\w'’]+){0,4}\s*$"
    r"|\b(?:neither|nor|without|rather\s+than|instead\s+of|unlike|except)(?:\s+(?:an?|the|any))?\s*$"
    r"|\bif\b[^,.;:!?]*$|(?:不是|没有|沒有|并非|非)\s*(?:一?[只个個条條张張辆輛])?$"
)
_WRONG = re.compile(
    rf"(?:\s+option)?\s+(?:{_IS}\s+(?:wrong|incorrect|impossible|unlikely|absent|ruled\s+out|excluded)"
    rf"|{_IS}(?:n['’]t|\s*not)\s+(?:be\b|correct|right|possible|there|visible|present|shown|seen|the\s+(?:answer|correct|right)))"
)
_ASKED = re.compile(r"[^.!?]*\?")
# Words that options are often made of, and that mean something else here. "No" before a noun denies the noun.
_IDIOMS = re.compile(
    r"\b(?:no\s+(?!(?:because|since|as|there|it|its|the|this|that|these|those|he|she|they|i|we|you|not|and|or|but)\b)(?=\w)|(?:you|that|all|quite)(?:['’]s|['’]re|\s+is|\s+are)?\s+right\b|(?:be|come|get|go)\s+(?:right\s+)?back\b"
    r"|right\s+(?:answer|choice|option|one|now|away)\b|correct\s+(?:answer|choice|option|one)\b|left\s+with\b"
    r"|(?P<kept>(?:the|this|that|which|each|every|any|another|no|some)\s+(?:\w+\s+)?)one\b)"
)


def _blank(idiom: re.Match[str]) -> str:
    return (idiom["kept"] or "").ljust(len(idiom[0]))


def folded(text: str) -> str:
    """The text in lower case and compatibility form, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def without_letters(text: str, choices: Sequence[str]) -> str:
    """The text with the options' own texts crossed out that have a capital in them: "Vitamin C" names no option C."""
    for choice in choices:
        if len(choice.strip()) > 1 and re.search(rf"(?<![{LATIN}])[A-Z](?![{LATIN}])", choice):
            text = re.sub(re.escape(choice.strip(" .")), lambda at: "×" * len(at[0]), text, flags=re.IGNORECASE)
    return text


def whole_text(text: str, choices: Sequence[str]) -> list[int]:
    """The options that a text is, up to case, an article, quotation marks and a full stop; or the numbers they are."""
    return [index for index, choice in enumerate(choices) if _same(text, choice)]


def _same(text: str, choice: str) -> bool:
    one, other = (_ARTICLE.sub("", folded(each).strip("\"“”'‘’() ."), count=1) for each in (text, choice))
    if (one and one == other) or exact(text, choice):
        return bool(text)
    number = _number(text.strip(" ."))
    return number is not None and number == _number(choice.strip(" ."))


def _number(text: str) -> tuple[Fraction, bool] | None:
    """The number that a whole text is, in digits or words, and whether it is a percentage."""
    written = read_number(text)
    if written is not None:
        return written.value, written.percent
    fraction = re.fullmatch(r"(-?\d{1,9})\s?/\s?([1-9]\d{0,8})", text)
    if fraction:
        return Fraction(int(fraction[1]), int(fraction[2])), False
    word = number_in_words(text)
    return None if word is None else (word, False)


def texts_in(text: str, choices: Sequence[str]) -> list[int]:
    """The options whose texts stand in the text as words of their own, not within a longer option's, and not denied."""
    text, found = folded(text), []
    if any(_is_letter(choice) for choice in choices):
        return []  # an option that is a letter ("a", "I") would be in any text
    for index in sorted(range(len(choices)), key=lambda index: -len(choices[index])):
        pattern = _pattern(choices[index])
        if pattern is None:
            continue
        # An idiom isn't blanked where it is a part of this option ("no one", "right now").
        plain = (
            text
            if _IDIOMS.search(folded(choices[index]))
            else _IDIOMS.sub(lambda at: (at["kept"] or "").ljust(len(at[0])), text)
        )
        places = [at for at in pattern.finditer(plain) if not _ASKED.match(plain, at.end())]
        if any(not _DENIED.search(text[: at.start()]) and not _WRONG.match(plain, at.end()) for at in places):
            found.append(index)
        text = pattern.sub(" ", text)
    return found or _numbers_in(text, choices)


def _is_letter(choice: str) -> bool:
    return re.fullmatch("[A-Za-z]", choice.strip(" .")) is not None


def _pattern(choice: str) -> re.Pattern[str] | None:
    option = folded(choice).rstrip(".")
    if not option or _is_letter(option):
        return None
    before = _BEFORE_CHINESE if re.match(_CHINESE, option) else _BEFORE
    after = _AFTER_CHINESE if re.match(_CHINESE, option[-1]) else _AFTER
    return re.compile(f"{before}{re.escape(option)}{after}")


def _numbers_in(text: str, choices: Sequence[str]) -> list[int]:
    """The options that are numbers which the text mentions in words ("there are three"); "one" may be a pronoun."""
    numbers = [_number(choice.strip(" .")) for choice in choices]
    if None in numbers:
        return []
    found = [m for m in mentions(text) if not m.unit and m.written.casefold() not in ("one", "none", "一")]
    said = {(m.value, False) for m in found if not re.search(r"\b(?:minus|negative)\s+$", text[: m.start])}
    return [index for index, number in enumerate(numbers) if number in said]


_LEAD = re.compile(r"[\s\"“'‘(]*(?:(?:it\s+is|it['’]s|that\s+of|that)\s+)?[\"“'‘]*(?:(?:the|an?)\s+)?")


def _is_idiom(text: str, start: int, end: int) -> bool:
    idiom = _IDIOMS.match(text, start)
    return idiom is not None and idiom.end() > end


_CALCULATED = re.compile(r"\s*[+*/×÷=^<>]|\s+[-−]\s")
_LIST = re.compile(r"[\"”'’]*\s*(?:,?\s*\b(?:and|or|then|followed\s+by)\b|,|/|&|、|和|或)\s*(?:(?:the|an?|maybe)\s+)?")


def leading_texts(text: str, choices: Sequence[str]) -> list[int]:
    """The option whose text begins the text, the longest that does, with those that are listed behind it ("red, blue").

    A number that a calculation begins with is none: "2 + 3 = 5".
    """
    text = folded(text)
    lead = _LEAD.match(text)
    first, end = _begins(text, choices, {0, lead.end() if lead else 0})
    if first is None or _CALCULATED.match(text, end):
        return []
    found = [first]
    while more := _LIST.match(text, end):
        another, end = _begins(text, choices, {more.end()})
        if another is None:
            break
        found.append(another)
    return found


def _begins(text: str, choices: Sequence[str], starts: set[int]) -> tuple[int | None, int]:
    """The longest option that stands at one of these places, and where it ends there."""
    best, longest, end = None, 0, 0
    for index, choice in enumerate(choices):
        pattern = _pattern(choice)
        for start in starts:
            at = pattern.match(text, start) if pattern else None
            if at and len(at[0]) > longest and not _is_idiom(text, start, at.end()):
                best, longest, end = index, len(at[0]), at.end()
    return best, end
