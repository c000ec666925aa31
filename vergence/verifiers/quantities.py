"""The numbers that a text mentions: digits, English number words, Chinese numerals, with a unit where one is written.

A mention is a quantity: list markers ("2. the dog"), ordinals ("2nd", "第二"), times, dates, fractions, vague amounts
("dozens", "十几个") and numbers inside words ("R2D2") aren't mentions. "2,5" is neither two and a half nor two numbers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Rule = Literal["last", "first", "only"]
"""Which of several mentioned numbers is the answer; "only" reads nothing unless all of them are equal."""


@dataclass(frozen=True, slots=True)
class Mention:
    """A number in a text: its exact value, where it stands with its unit in the NFKC form, and the unit's symbol."""

    value: Fraction
    start: int
    end: int
    written: str
    unit: str = ""


_UNITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_WORDS = {word: value for value, word in enumerate(_UNITS + _TEENS)}
_WORDS |= {word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)}
_TIMES = {"dozen": 12, "hundred": 100, "thousand": 1000}

_SPACE = r"[\s-]+"
_UNDER_10 = f"(?:{'|'.join(_UNITS[1:])})"
_UNDER_100 = rf"(?:(?:{'|'.join(_TENS)})(?:{_SPACE}{_UNDER_10})?|{'|'.join(_TEENS)}|{_UNDER_10})"
_UNDER_10000 = rf"(?:(?:{_UNDER_100}|an?){_SPACE}hundred(?:{_SPACE}(?:and{_SPACE})?{_UNDER_100})?|{_UNDER_100})"
_ENGLISH = re.compile(
    rf"(?<![A-Za-z0-9_])(?:(?:{_UNDER_10000}|an?){_SPACE}thousand(?:,?{_SPACE}(?:and{_SPACE})?{_UNDER_10000})?"
    rf"|(?:{_UNDER_100}|an?){_SPACE}dozen|{_UNDER_10000}|zero|none)(?![A-Za-z0-9_])",
    re.IGNORECASE,
)

UNITS: dict[str, tuple[str, Fraction]] = {
    "mm": ("length", Fraction(1, 1000)),
    "cm": ("length", Fraction(1, 100)),
    "m": ("length", Fraction(1)),
    "km": ("length", Fraction(1000)),
    "in": ("length", Fraction(254, 10000)),
    "ft": ("length", Fraction(3048, 10000)),
    "cm2": ("area", Fraction(1, 10000)),
    "m2": ("area", Fraction(1)),
    "ft2": ("area", Fraction(3048, 10000) ** 2),
    "s": ("time", Fraction(1)),
    "min": ("time", Fraction(60)),
    "h": ("time", Fraction(3600)),
    "%": ("share", Fraction(1, 100)),
}
"""Units by their symbol: what they measure and how many metres, square metres or seconds (or wholes) they are."""

_UNIT_NAMES = {
    "mm": "mm millimeter millimeters millimetre millimetres 毫米",
    "cm": "cm centimeter centimeters centimetre centimetres 厘米 公分",
    "m": "m meter meters metre metres 米",
    "km": "km kilometer kilometers kilometre kilometres 公里 千米",
    "in": "inch inches 英寸",
    "ft": "ft foot feet 英尺",
    "cm2": "cm2 cm^2 sqcm 平方厘米",
    "m2": "m2 m^2 sqm 平方米 平米",
    "ft2": "ft2 ft^2 sqft 平方英尺",
    "s": "s sec secs second seconds 秒",
    "min": "min mins minute minutes 分钟",
    "h": "h hr hrs hour hours 小时",
    "%": "% percent",
}
_SYMBOLS = {name: symbol for symbol, names in _UNIT_NAMES.items() for name in names.split()}
_SQUARE = {"meter": "m2", "metre": "m2", "m": "m2", "foot": "ft2", "feet": "ft2", "ft": "ft2", "centimeter": "cm2"}
_LONGEST_FIRST = "|".join(map(re.escape, sorted(_SYMBOLS, key=len, reverse=True)))
_UNIT = re.compile(
    rf"[\s-]?(?:(?:sq\.?|square)\s+(?P<square>{'|'.join(_SQUARE)})s?\b"
    rf"|(?P<latin>{_LONGEST_FIRST})(?![A-Za-z0-9_^])|(?P<chinese>平方厘米|平方英尺|平方米|平米|毫米|厘米|公分|公里|千米|英寸|英尺|分钟|小时|米|秒))",
    re.IGNORECASE,
)

_DIGITS = re.compile(r"(?<![A-Za-z0-9_.,:/^])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(?![0-9_]|[.,:/]\d)")
_LONGEST = 30
"""Characters of the longest number that is read; what is longer is a repetition, not a quantity."""
_CONTEXT = 60
"""Characters before a number that are looked at to understand it."""

_MARKER = re.compile(r"^[ \t]*(?:[-*•][ \t]+)?\d+[.)][ \t]+(?=\S)", re.MULTILINE)

_CHINESE_DIGITS = {"零": 0, "〇": 0, "两": 2, "兩": 2} | {
    character: n for n, character in enumerate("一二三四五六七八九", 1)
}
_CHINESE_TIMES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile(r"(?<!第)[零〇一二两兩三四五六七八九十百千万萬]+")
# What may stand behind a numeral, so that 一 in 一起 ("together") isn't one.
_MEASURE_WORDS = (
    "个個只隻条條张張辆輛朵棵件块塊片头頭匹位名颗顆座把杯瓶盒袋支枝双對对套台架艘栋間间扇根串层"
    "種种群组組幅本封口株盏盘碗顶节人"
)
_AFTER_CHINESE = re.compile(
    rf"\s*(?:$|[{_MEASURE_WORDS}]|[，。、；：！？,.;:!?)）\]\n]|平方|平米|[米秒]|厘米|毫米|公里|公分|分钟|小时)"
)


def mentions(text: str) -> list[Mention]:
    """The numbers that a text mentions, in its order. Full-width digits and other compatibility forms count."""
    plain = unicodedata.normalize("NFKC", text)
    blank = _MARKER.sub(lambda found: " " * len(found.group()), plain)
    found = [*_in_digits(blank), *_in_english(blank), *_in_chinese(blank)]
    return sorted(found, key=lambda mention: mention.start)


def _in_digits(text: str) -> Iterator[Mention]:
    for match in _DIGITS.finditer(text):
        if len(match.group()) > _LONGEST:
            continue
        value = Fraction(match.group(1).replace(",", "") + (match.group(2) or ""))
        unit, end = _unit(text, match.end())
        if end == match.end() and re.match("[A-Za-z^]", text[end : end + 1]):
            continue  # an ordinal, a name, an exponent
        start = match.start()
        # A minus sign stands before a number and not between two of them.
        before = text[max(0, start - _CONTEXT) : start]
        if before.endswith(("-", "−")) and not re.search(r"[\w)\]][ \t]*$", before[:-1]):
            value, start = -value, start - 1
        yield Mention(value, start, end, text[start : match.end()], unit)


def _in_english(text: str) -> Iterator[Mention]:
    for match in _ENGLISH.finditer(text):
        total = current = 0
        for word in re.findall("[a-z]+", match.group().lower()):
            if word == "thousand":
                total, current = total + max(current, 1) * 1000, 0
            elif word in _TIMES:
                current = max(current, 1) * _TIMES[word]
            else:
                current += _WORDS.get(word, 0)  # "and", "a" and "none" add nothing
        unit, end = _unit(text, match.end())
        yield Mention(Fraction(total + current), match.start(), end, match.group(), unit)


def _in_chinese(text: str) -> Iterator[Mention]:
    for match in _CHINESE.finditer(text):
        value = chinese_number(match.group())
        if value is not None and _AFTER_CHINESE.match(text, match.end()):
            unit, end = _unit(text, match.end())
            yield Mention(Fraction(value), match.start(), end, match.group(), unit)


def _unit(text: str, position: int) -> tuple[str, int]:
    """The unit that stands at a position, and where it ends; "" and the position where there is none."""
    match = _UNIT.match(text, position)
    if match is None:
        return "", position
    square = match.group("square")
    symbol = _SQUARE[square.lower()] if square else _SYMBOLS[(match.group("latin") or match.group("chinese")).lower()]
    return symbol, match.end()


def chinese_number(numeral: str) -> int | None:
    """The value of a Chinese numeral below a hundred million, 一百二十三 as well as 二〇二四; None if it isn't one.

    Two digits in a row are "three or four" (三四) unless a zero says that they are written one by one. 一百二 isn't
    read: spoken it is 120, by the rules 102 would be 一百零二.
    """
    if not set(numeral) & set("十百千万萬"):
        if (
            not numeral
            or not set(numeral) <= set(_CHINESE_DIGITS)
            or (len(numeral) > 1 and not set(numeral) & set("零〇"))
        ):
            return None
        return int("".join(str(_CHINESE_DIGITS[character]) for character in numeral))
    total = section = 0
    digit: int | None = None
    below = 10_000  # what the next 十, 百 or 千 has to stay under
    for character in numeral:
        if character in _CHINESE_DIGITS:
            if digit:
                return None
            digit = _CHINESE_DIGITS[character]
        elif character in _CHINESE_TIMES:
            times = _CHINESE_TIMES[character]
            if times >= below or digit == 0:
                return None
            section, digit, below = section + (1 if digit is None else digit) * times, None, times
        elif character in "万萬" and total == 0 and section + (digit or 0):
            total, section, digit, below = (section + (digit or 0)) * 10_000, 0, None, 10_000
        else:
            return None
    if digit and below > 10 and not set(numeral[-2:]) & set("零〇"):
        return None
    return total + section + (digit or 0)


def number_in_words(text: str) -> Fraction | None:
    """The number that a whole text is, in words or numerals without a unit ("twenty-one", "三"); None for any other.

    Digits are `vergence.verifiers.text.read_number`'s.
    """
    text = text.strip(" .")
    found = mentions(text) if len(text) < 40 else []
    whole = len(found) == 1 and (found[0].start, found[0].end) == (0, len(text)) and not found[0].unit
    return found[0].value if whole and not text[:1].isdigit() else None


def chosen(found: list[Mention], rule: Rule) -> Mention | None:
    """The mention that a rule takes; None where there is none."""
    if not found or (rule == "only" and len({(mention.value, mention.unit) for mention in found}) > 1):
        return None
    return found[0] if rule == "first" else found[-1]


_RANGE = re.compile(r"\s*(?:-|–|—|~|to|or|至|到|或)\s*", re.IGNORECASE)


def in_range(text: str, mention: Mention, found: list[Mention]) -> bool:
    """Whether a mention is an end of a range ("3-4", "three or four", "between 3 and 4"), which states no number."""
    plain = unicodedata.normalize("NFKC", text)
    index = found.index(mention)
    for left, right in zip(found[max(0, index - 1) : index + 1], found[max(1, index) : index + 2], strict=False):
        if left is right:
            continue
        between = plain[left.end : right.start]
        if _RANGE.fullmatch(between):
            return True
        if between.strip().lower() == "and" and re.search(
            r"\bbetween\s*$", plain[max(0, left.start - _CONTEXT) : left.start], re.I
        ):
            return True
    return False


def read_quantity(text: str, unit: str | None = None, rule: Rule = "last") -> float | None:
    """The number that an answer states, in `unit` (a key of `UNITS`) if a unit is asked for and one is written.

    "2.5 m" in "cm" is 250. None where no number is mentioned, a range is ("2 to 3 m"), or the unit measures something
    else. A number without a unit is taken to be in the unit asked for. Raises `ValueError` for an unknown unit.
    """
    if unit is not None and unit not in UNITS:
        raise ValueError(f"unknown unit {unit!r}; it can be {', '.join(UNITS)}")
    found = mentions(text)
    mention = chosen(found, rule)
    if mention is None or in_range(text, mention, found):
        return None
    if unit is None or not mention.unit:
        return float(mention.value)
    (kind, factor), (asked, asked_factor) = UNITS[mention.unit], UNITS[unit]
    return float(mention.value * factor / asked_factor) if kind == asked else None
