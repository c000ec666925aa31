"""The numbers that a text mentions."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.quantities import UNITS, chinese_number, mentions, read_quantity


def spelt(number: int) -> str:
    """An English number below a million, written by the rules of any grammar book."""
    ones = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    ones += ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
    tens = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if number < 20:
        return ones[number] or "zero"
    if number < 100:
        return tens[number // 10] + (f"-{ones[number % 10]}" if number % 10 else "")
    if number < 1000:
        return f"{ones[number // 100]} hundred" + (f" and {spelt(number % 100)}" if number % 100 else "")
    return f"{spelt(number // 1000)} thousand" + (f" {spelt(number % 1000)}" if number % 1000 else "")


def in_chinese(number: int) -> str:
    """A Chinese numeral below ten thousand."""
    digits, text, zero = "零一二三四五六七八九", "", False
    for unit, times in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit, number = divmod(number, times)
        if digit:
            text += ("零" if zero and text else "") + digits[digit] + unit
        zero = not digit
    return text.removeprefix("一") if text.startswith("一十") else text or "零"


@given(st.integers(0, 999_999))
def test_english_numbers(number):
    for text in (
        spelt(number),
        spelt(number).title(),
        f"There are {spelt(number)}.",
        f"({spelt(number).replace('-', ' ')})",
    ):
        assert [mention.value for mention in mentions(text)] == [number]


@given(st.integers(0, 9_999))
def test_chinese_numbers(number):
    numeral = in_chinese(number)
    assert chinese_number(numeral) == number
    assert [mention.value for mention in mentions(f"图中有{numeral}个")] == [number]


@given(st.integers(0, 10**9), st.integers(0, 999))
def test_digits(whole, part):
    assert [m.value for m in mentions(f"{whole}.{part:03d}")] == [whole + Fraction(part, 1000)]
    assert [m.value for m in mentions(f"about {whole:,} of them")] == [whole]
    assert [m.value for m in mentions(f"-{whole}")] == [-whole]


@pytest.mark.parametrize(
    ("numeral", "value"),
    [
        ("一万二千三百", 12300),
        ("一万零五", 10005),
        ("二〇二四", 2024),
        ("两千", 2000),
        ("百", 100),
        ("十", 10),
        ("三万", 30000),
    ],
)
def test_more_chinese_numerals(numeral, value):
    assert chinese_number(numeral) == value


@pytest.mark.parametrize("numeral", ["", "三四", "十十", "百千", "一百二", "一万二", "零十", "一三百", "x", "一二"])
def test_no_chinese_numerals(numeral):
    assert chinese_number(numeral) is None


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a dozen eggs, two dozen", [12, 24]),
        ("fifteen hundred", [1500]),
        ("a hundred and a thousand", [100, 1000]),
        ("３ and ⑤", [3, 5]),
        ("3 - 4", [3, 4]),
        ("(-3)", [-3]),
        ("1,000,000", [1_000_000]),
        ("2.5 m", [Fraction(5, 2)]),
        ("none", [0]),
        ("1. the dog\n2) the cat\n- 3. three birds", [3]),
    ],
)
def test_what_is_a_mention(text, values):
    assert [mention.value for mention in mentions(text)] == values


@pytest.mark.parametrize(
    "text",
    ["2nd", "R2D2", "12:30", "2024/05/01", "1/2", "2,5", "dozens", "hundreds", "anyone", "phone", "一起", "第三个",
     "十几个", "三十多", "3x", "1e5", "v1.2.3", "", "weight", "often", "tenth"],
)  # fmt: skip
def test_what_is_none(text):
    assert mentions(text) == []


def test_where_a_mention_stands():
    text = "it is 12 m wide"
    (mention,) = mentions(text)
    assert (text[mention.start : mention.end], mention.written, mention.unit) == ("12 m", "12", "m")


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2.5 m", "m", 2.5),
        ("2.5 m", "cm", 250),
        ("250cm", "m", 2.5),
        ("about 3 feet", "m", 0.9144),
        ("12 inches", "ft", 1),
        ("1.5米", "cm", 150),
        ("20 square meters", "m2", 20),
        ("20 sq. ft", "ft2", 20),
        ("20 m^2", "cm2", 200_000),
        ("20 m²", "m2", 20),
        ("20平方米", "m2", 20),
        ("two minutes", "s", 120),
        ("5", "cm", 5),
        ("5%", None, 5),
        ("the sofa is 2 m, the table 80 cm", "m", 0.8),
    ],
)
def test_quantities_with_units(text, unit, value):
    assert read_quantity(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["", "unknown", "2-3 m", "2 to 3", "between 2 m and 3 m", "two or three", "20 square meters"]
)
def test_no_quantity(text):
    assert read_quantity(text, "m") is None


def test_rules_for_several_numbers():
    text = "first 2, then 3"
    assert [read_quantity(text, rule=rule) for rule in ("first", "last", "only")] == [2, 3, None]
    assert read_quantity("2 and again 2", rule="only") == 2
    with pytest.raises(ValueError, match="unknown unit 'light years'"):
        read_quantity("2", "light years")


def test_every_unit_is_read_by_its_symbol():
    for symbol in UNITS:
        assert read_quantity(f"7 {symbol}", symbol) == 7


@pytest.mark.parametrize(
    "text", ["one " * 10_000, "1" * 30_000, "twenty " * 10_000, "一" * 30_000, "1,111" * 5_000, "-" * 30_000]
)
def test_repetitions_take_no_time(text):
    started = time.process_time()
    read_quantity(text)
    assert time.process_time() - started < 2
