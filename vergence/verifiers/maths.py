"""Mathematical answers: what a response gives as its answer, and whether that equals the reference.

Whether two expressions are equal is decided by exact arithmetic where both are numbers, and otherwise by math-verify
(github.com/huggingface/Math-Verify) on top of sympy. Computer algebra may take for ever ("9^9^9^9"), so it runs in
worker processes with a time limit.
"""

from __future__ import annotations

import importlib
import logging
import re
from fractions import Fraction

from vergence.errors import UsageError
from vergence.verifiers.pool import Pool, WorkerCrashed
from vergence.verifiers.quantities import UNITS, mentions
from vergence.verifiers.text import read_number

SECONDS = 5.0
"""How long one comparison may take."""

LONGEST_ANSWER = 400
"""Characters of the longest answer that is read as mathematics; what is longer is a text."""

LONGEST_LINE = 2000
"""Characters at the end of a last line that are looked at."""

_MATH = re.compile(r"\$\$(.+?)\$\$|\$([^$\n]+)\$|\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_TAG = re.compile(r"<(?P<close>/?)answer>", re.IGNORECASE)
# An escaped brace is no brace.
_BRACES = re.compile(r"(?P<box>\\f?box(?:ed)?\s*\{)|\\.|(?P<open>\{)|(?P<close>\})", re.DOTALL)
_PHRASE = re.compile(
    r"(?:\banswer\s*(?:is|are|was|should\s+be|would\s+be|:|=|：)|答案\s*(?:是|为|為|：|:)|^\s*####)\s*[:：]?",
    re.IGNORECASE | re.MULTILINE,
)
_SENTENCE_END = re.compile(r"\.(?=\s|$)|[。！!;；]")
_EMPHASIS = re.compile(r"(?<![\w)}\]])\*\*|\*\*(?![\w({\[\\])")
_LAST_PART = re.compile(r".*(?:=|≈|\\approx|:|：|\b(?:is|are|was|equals|gives)\b)", re.DOTALL)
_FEW_WORDS = 4


def boxed(text: str) -> str | None:
    """What stands in the last `\\boxed{...}` (or `\\fbox{...}`) that is closed; None where there is none."""
    opened: list[int | None] = []  # for each brace that is open, where the content of its box begins, if it is one
    found: tuple[int, int] | None = None
    for token in _BRACES.finditer(text):
        if token["box"] or token["open"]:
            opened.append(token.end() if token["box"] else None)
        elif token["close"] and opened:
            start = opened.pop()
            if start is not None and (found is None or start > found[0]):
                found = start, token.start()
    return text[slice(*found)].strip() if found else None


def marked_answer(response: str) -> str | None:
    """What a response marks as its answer; "" where the mark is followed by nothing, None where there is no mark.

    The first of these that there is: the last `<answer>` element (in it the same again), the last closed `\\boxed{}`,
    what the last "the answer is", "Answer:", "答案是" or "####" says, to the end of the sentence.
    """
    response = _EMPHASIS.sub("", response).strip()
    element = tagged(response)
    if element is not None:
        inner = marked_answer(element)
        return _bare(element) if inner is None else inner
    inside = boxed(response)
    if inside is not None:
        return inside
    said = list(_PHRASE.finditer(response))
    if not said:
        return None
    lines = [line for line in response[said[-1].end() :].split("\n") if line.strip()]
    return _bare(_sentence(lines[0])) if lines else ""


def tagged(text: str) -> str | None:
    """The content of the last `<answer>` element that is closed and not empty."""
    start, found = None, None
    for tag in _TAG.finditer(text):
        if not tag["close"]:
            start = tag.end()
        elif start is not None:
            found, start = text[start : tag.start()].strip() or found, None
    return found


def final_answer(response: str) -> str | None:
    """What a response gives as its answer; None where that can't be told.

    `marked_answer`, and where nothing is marked, the first of these that there is: the last formula of the last line,
    what its last "=", ":" or "is" says, the last line itself; the latter two only if they have at most four words.
    """
    marked = marked_answer(response)
    if marked is not None:
        return marked or None
    lines = [line for line in _EMPHASIS.sub("", response).split("\n") if line.strip()]
    if not lines:
        return None
    last = lines[-1][-LONGEST_LINE:]
    formulas = _MATH.findall(last)
    if formulas:
        return _bare("".join(formulas[-1])) or None
    said = _LAST_PART.match(last)
    for candidate in (last[said.end() :] if said else "", last):
        if 0 < len(_bare(candidate).split()) <= _FEW_WORDS:
            return _bare(candidate)
    return None


def _sentence(line: str) -> str:
    """A line up to the end of its first sentence that isn't in the midst of a formula."""
    for end in _SENTENCE_END.finditer(line):
        if line[: end.start()].count("$") % 2 == 0 and line[: end.start()].strip():
            return line[: end.start()]
    return line


def _bare(text: str) -> str:
    """Without the signs around a formula, white space and full stops at its ends."""
    text = text.strip().rstrip(".。,，").strip()
    whole = _MATH.fullmatch(text)
    return "".join(group or "" for group in whole.groups()).strip().rstrip(".") if whole else text


_WRITTEN_SAME = [
    (re.compile(r"(?<=\d)(?:\{,\}|,\\!)(?=\d{3}(?!\d))"), ","),
    (re.compile(r"\\(?:left|right|displaystyle|!|,|;|:| |quad\b)(?![A-Za-z])"), " "),
    (re.compile(r"\\[dt]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\^\s*(?:\\circ|\{\s*\\circ\s*\})|°"), ""),
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf|operatorname)\s*\{([^{}]*)\}"), r" \1 "),
    (re.compile(r"\\([%$#])"), r"\1"),
    (re.compile(r"\*\*"), "^"),
    (re.compile(r"√\s*\(([^()]*)\)"), r"\\sqrt{\1}"),
    (re.compile(r"√\s*(\w+(?:\.\d+)?)"), r"\\sqrt{\1}"),
    (re.compile(r"(?<![\\A-Za-z])pi(?![A-Za-z])|π"), r"\\pi "),
    (re.compile("∞"), r"\\infty "),
    (re.compile("[×✕]"), r"\\times "),
    (re.compile("[−–]"), "-"),
    (re.compile("²"), "^2"),
    (re.compile("³"), "^3"),
    (re.compile(r"\s*\b(?:degrees?|units?|square units?)\s*$", re.IGNORECASE), ""),
]


def clean(answer: str) -> str:
    """An answer in one way of writing: no dollar signs, sizes, degree signs; `\\frac`, `\\sqrt`, `\\pi` as in LaTeX."""
    text = _bare(answer)
    for pattern, replacement in _WRITTEN_SAME:
        text = pattern.sub(replacement, text)
    return " ".join(text.replace("$", "").split())


_LATEX_FRACTION = re.compile(r"(-?)\s*\\frac\s*(?:\{\s*(-?\d+)\s*\}|(\d))\s*(?:\{\s*(\d+)\s*\}|(\d))")
_FRACTION = re.compile(r"(-?\s*\d+)\s*/\s*(\d+)")
_WITH_WORDS = re.compile(r"(-?[\d.,]+)\s+([A-Za-z]{2,}(?:\s+[A-Za-z]+)?)")
_NO_UNITS = {"or", "and", "to", "times", "over", "plus", "minus", "if", "mod"}


def number(answer: str) -> tuple[Fraction, str] | None:
    """The number that a whole answer is, exactly, and its unit: "%", a unit or thing in words, or "".

    Read are "-1,234.5", "3/4", "\\frac{3}{4}", "$5", "50%", "12 cm", "12 apples". None for anything else.
    """
    text = clean(answer) if len(answer) <= LONGEST_ANSWER else ""
    fraction = _LATEX_FRACTION.fullmatch(text) or _FRACTION.fullmatch(text)
    if fraction:
        parts = [part for part in fraction.groups() if part]
        sign = -1 if parts[0] == "-" else 1
        above, below = (int(part.replace(" ", "")) for part in parts[-2:])
        return (Fraction(sign * above, below), "") if below else None
    written = read_number(text)
    if written is not None:
        return written.value, "%" if written.percent else ""
    measures = mentions(text)
    if len(measures) == 1 and measures[0].unit and (measures[0].start, measures[0].end) == (0, len(text)):
        return measures[0].value, measures[0].unit
    words = _WITH_WORDS.fullmatch(text)
    if words and (written := read_number(words[1])) and not _NO_UNITS & set(words[2].lower().split()):
        return written.value, words[2].lower()
    return None


def equal(answer: str, reference: str, *, decimals: int | None = None, seconds: float = SECONDS) -> bool | None:
    """Whether an answer equals the reference mathematically; None where that can't be decided.

    Numbers are equal up to 1e-6, or after rounding to `decimals`. A unit or percent sign
    may be missing on one side; 50% also equals 0.5. Everything else (expressions, equations, intervals, sets, tuples,
    matrices) is math-verify's to decide; a value equals an equation that gives a variable that value. None for an
    answer that is empty, longer than `LONGEST_ANSWER`, prose, unreadable as mathematics, or takes more than `seconds`.
    Raises `UsageError` if math-verify is needed and not installed.
    """
    left, right = clean(answer), clean(reference)
    if not left or not right:
        return None
    if left.replace(" ", "") == right.replace(" ", ""):
        return True
    first, second = number(answer), number(reference)
    if first is not None and second is not None:
        return _same_quantity(first, second, decimals)
    if max(len(left), len(right)) > LONGEST_ANSWER or _is_prose(left):
        return None
    try:
        return _POOL.call(_verify, (left, right, decimals), seconds)
    except ImportError:
        raise UsageError("comparing formulas needs math-verify: pip install 'vergence[eval]'") from None
    except (TimeoutError, WorkerCrashed, MemoryError, RecursionError):
        return None


def _same_quantity(first: tuple[Fraction, str], second: tuple[Fraction, str], decimals: int | None) -> bool:
    (left, left_unit), (right, right_unit) = first, second
    if left_unit in UNITS and right_unit in UNITS:
        if UNITS[left_unit][0] != UNITS[right_unit][0]:
            return False
        return _close(left * UNITS[left_unit][1] / UNITS[right_unit][1], right, decimals)
    if left_unit and right_unit and left_unit.rstrip("s") != right_unit.rstrip("s"):
        return False
    if "%" in (left_unit, right_unit):
        part = left / 100 if left_unit else left * 100
        return _close(left, right, decimals) or _close(part, right, decimals)
    return _close(left, right, decimals)


def _close(left: Fraction, right: Fraction, decimals: int | None) -> bool:
    if decimals is not None:
        return round(left, decimals) == round(right, decimals)
    return abs(left - right) <= Fraction(1, 10**6)


_NOT_PROSE = re.compile(
    r"\\[A-Za-z]+|(?<![A-Za-z])(?:a(?:rc)?(?:sin|cos|tan)h?|sin|cos|tan|cot|sec|csc|sqrt|log|ln|exp|max|min|gcd|lcm|mod"
    r"|and|or|pi|infty|[pb]?matrix|cases|begin|end)(?![A-Za-z])"
)


def _is_prose(text: str) -> bool:
    """Whether words are left, three letters or more, without LaTeX's commands and the functions' names."""
    return re.search(r"[^\W\d_]{3,}", _NOT_PROSE.sub(" ", text)) is not None


def _prepare() -> None:
    """In a worker, once: what is slow to import."""
    importlib.import_module("math_verify")
    logging.disable()  # it warns that nobody limits its time; the pool does


_POOL = Pool(workers=2, memory=3 * 2**30, prepare=_prepare)


def _verify(answer: str, reference: str, decimals: int | None) -> bool | None:
    """In a worker: math-verify's verdict; None where it can't parse one of the two.

    Its own time limits use alarms and are switched off.
    """
    math_verify, sympy = importlib.import_module("math_verify"), importlib.import_module("sympy")
    found = math_verify.parse(f"${answer}$", parsing_timeout=None)
    wanted = math_verify.parse(f"${reference}$", parsing_timeout=None)
    if not all(len(parsed) and not isinstance(parsed[0], str) for parsed in (found, wanted)):
        return None
    if decimals is not None:
        values = [parsed[0] for parsed in (found, wanted)]
        if all(isinstance(value, sympy.Expr) and value.is_number and value.is_real for value in values):
            left, right = (round(float(value), decimals) for value in values)
            return left == right
    return bool(math_verify.verify(wanted, found, allow_set_relation_comp=True, timeout_seconds=None))
