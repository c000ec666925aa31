"""Is a text the right answer: pure functions on plain strings.

Where a benchmark's authors define its score, that definition is what we report (`anls`, `relaxed_accuracy`,
`vqa_accuracy`, `ocrbench_match`); where a reading of our own is fairer (`relaxed_number_match`), it stands beside it.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vergence.verifiers.vqa import evalai_normalise, strip_punctuation, vqa_normalise

ANLS_THRESHOLD = 0.5
RELAXED_TOLERANCE = 0.05


def exact(answer: str, expected: str) -> bool:
    """Equality after Unicode case folding, with runs of white space read as one space and none at the ends.

    Nothing else is forgiven: "red." is not "red", and "the red one" isn't either.
    """
    return _folded(answer) == _folded(expected)


def _folded(text: str) -> str:
    return " ".join(text.split()).casefold()


def contains(prediction: str, references: Sequence[str], *, words: bool = False) -> bool:
    """Whether one of the references stands in the prediction, after case folding and with single spaces.

    With `words` it must not be a part of a longer word or number ("12" isn't in "120"). An empty reference is nowhere.
    """
    text = _folded(prediction)
    for reference in filter(None, map(_folded, references)):
        pattern = rf"(?<!\w){re.escape(reference)}(?!\w)"
        if re.search(pattern, text) if words else reference in text:
            return True
    return False


def ocrbench_match(prediction: str, references: Sequence[str], *, formula: bool = False) -> bool:
    """OCRBench's rule: whether one of the references is a substring of the prediction.

    In lower case with line breaks as spaces; for `formula` (the dataset HME100k, handwritten mathematics) with all
    spaces removed and the case kept. An empty reference, which would be in anything, matches nothing. Source: Liu et
    al. 2023 (arXiv 2305.07895), github.com/Yuliang-Liu/MultimodalOCR, OCRBench/example.py.
    """

    def read(text: str) -> str:
        line = text.strip().replace("\n", " ")
        return line.replace(" ", "") if formula else line.lower()

    return any(reference in read(prediction) for reference in filter(None, map(read, references)))


def levenshtein(first: str, second: str) -> int:
    """The least number of inserted, deleted and replaced characters that turns one text into the other."""
    return _distance()(first, second)


@functools.cache
def _distance() -> Callable[[str, str], int]:
    """rapidfuzz's distance where it is installed, because it is a hundred times as fast."""
    try:
        from rapidfuzz.distance import Levenshtein
    except ImportError:
        return _levenshtein
    return Levenshtein.distance


def _levenshtein(first: str, second: str) -> int:
    """Wagner and Fischer 1974, one row at a time."""
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, 1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(second, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


def anls(prediction: str, references: Sequence[str], *, threshold: float = ANLS_THRESHOLD) -> float:
    """The similarity of a prediction to the closest reference, in 0..1: one sample of ANLS.

    max over references a of s(a, p), s = 1 - NL if NL < 0.5 else 0, NL = lev(a, p) / max(|a|, |p|), on texts in lower
    case with single spaces. Source: Biten et al. 2019, "Scene Text Visual Question Answering" (arXiv 1905.13648).
    The script of the Robust Reading Competition, which its copies follow, divides by the lengths before
    normalisation, so that blanks raise the score, and keeps a similarity of exactly 0.5: see
    `vergence.evaluation.compat.text`. Raises `ValueError` without references.
    """
    _require(references)
    answer = _lowered(prediction)
    return max(_similarity(answer, _lowered(reference), threshold) for reference in references)


def _lowered(text: str) -> str:
    return " ".join(text.lower().split())


def _similarity(first: str, second: str, threshold: float) -> float:
    longest = max(len(first), len(second))
    distance = levenshtein(first, second) / longest if longest else 0.0
    return 1 - distance if distance < threshold else 0.0


def relaxed_accuracy(prediction: str, target: str, *, tolerance: float = RELAXED_TOLERANCE) -> bool:
    """ChartQA's rule: numbers within 5% of the target, anything else equal but for case.

    |p - t| / |t| <= 0.05 if both are numbers and t isn't 0, where "x%" is x / 100. So "0.0" is not "0", "1,000" is not
    "1000", and the year 2009 is 2010. Sources: Masry et al. 2022 (arXiv 2203.10244), section 5.1; its usual form is
    `relaxed_correctness` of github.com/google-research/pix2struct, pix2struct/metrics.py.
    """
    predicted, expected = _python_number(prediction), _python_number(target)
    if predicted is not None and expected:
        return abs(predicted - expected) / abs(expected) <= tolerance
    return prediction.lower() == target.lower()


def _python_number(text: str) -> float | None:
    """What Python's `float` reads, a percentage as its hundredth."""
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


@dataclass(frozen=True, slots=True)
class WrittenNumber:
    """A number as a text writes it: its exact value, whether a percent sign follows, whether it is digits alone."""

    value: Fraction
    percent: bool
    plain: bool


_SCALES = {"thousand": 3, "million": 6, "billion": 9, "trillion": 12, "k": 3, "K": 3, "M": 6, "B": 9, "bn": 9}
_NUMBER = re.compile(
    r"(?P<sign>[-+−]?)\s*(?:US\$|[$€£¥₹])?\s*(?P<minus>-?)"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d*)?|\.\d+)(?P<exponent>[eE][-+]?\d{1,3})?"
    r"\s*(?P<scale>(?:(?i:thousand|million|billion|trillion)|bn|k|K|M|B)?)(?![A-Za-z])"
    r"\s*(?P<percent>(?:%|(?i:percent|per\s+cent))?)"
    r"\s*(?i:dollars?|euros?|pounds?|usd|eur|gbp)?\s*\.?"
)
_LONGEST_NUMBER = 60


def read_number(text: str) -> WrittenNumber | None:
    """The number that a whole answer is; None where the answer is anything else, or says more.

    Read are signs, decimals, commas between thousands, exponents, a currency, a percent sign, and thousand to trillion
    (also K, M, B, bn): "$1,250.50", "-3", "45 %", "2.5 million". "1,00" and "12 apples" are not numbers.
    """
    text = text.strip()
    found = _NUMBER.fullmatch(text) if len(text) <= _LONGEST_NUMBER else None
    if found is None or (found["sign"] and found["minus"]):
        return None
    value = Fraction(found["digits"].replace(",", "") + (found["exponent"] or ""))
    value *= 10 ** _SCALES.get(found["scale"], _SCALES.get(found["scale"].lower(), 0))
    negative = found["sign"] in {"-", "−"} or bool(found["minus"])
    return WrittenNumber(-value if negative else value, bool(found["percent"]), text.isdecimal())


def relaxed_number_match(prediction: str, target: str, *, tolerance: float = RELAXED_TOLERANCE) -> bool:
    """ChartQA's rule with numbers read as people write them; ours, reported beside `relaxed_accuracy`.

    Numbers are read by `read_number`, so "1,000" is 1000 and "$5" is 5. A percentage equals the same number without the
    sign and also its hundredth ("10%": "10", "0.1"). A target of 0 wants 0, and a target that looks like a year (four
    digits, 1900 to 2099) wants exactly that number. What isn't a number wants `exact` equality, a last full stop apart.
    """
    predicted, expected = read_number(prediction), read_number(target)
    if predicted is None or expected is None:
        return exact(prediction.strip().removesuffix("."), target.strip().removesuffix("."))
    if expected.plain and 1900 <= expected.value <= 2099 and len(target.strip()) == 4:
        return predicted.value == expected.value and not predicted.percent
    candidates = [predicted.value]
    if predicted.percent != expected.percent:
        candidates.append(predicted.value / 100 if predicted.percent else predicted.value * 100)
    # The tolerance as it is written, not as binary rounds it: 95 is within 5% of 100.
    allowed = abs(expected.value) * Fraction(str(tolerance))
    return any(abs(candidate - expected.value) <= allowed for candidate in candidates)


def vqa_accuracy(prediction: str, answers: Sequence[str], *, rule: Literal["textvqa", "vqav2"] = "textvqa") -> float:
    """VQA accuracy against the answers of (usually ten) people, in 0..1.

    The mean over leaving out each answer in turn of min(1, matches among the others / 3). "textvqa" normalises
    everything as EvalAI does; "vqav2" normalises the prediction, and the answers' punctuation only if they aren't all
    the same. Sources: Antol et al. 2015 (arXiv 1505.00468) and the code that `vergence.verifiers.vqa` names. Raises
    `ValueError` for fewer than four answers, with which nothing could be fully right.
    """
    if len(answers) < 4:
        raise ValueError(f"VQA accuracy needs at least 4 answers, got {len(answers)}")
    if rule == "textvqa":
        return leave_one_out(evalai_normalise(prediction), [evalai_normalise(answer) for answer in answers])
    return leave_one_out(vqa_normalise(prediction), vqav2_answers(answers))


def vqav2_answers(answers: Sequence[str]) -> list[str]:
    """The answers as VQA v2's script compares them: without punctuation, unless all are the same."""
    return [strip_punctuation(answer) for answer in answers] if len(set(answers)) > 1 else list(answers)


def leave_one_out(prediction: str, answers: Sequence[str]) -> float:
    """The mean over leaving out each answer of min(1, matches among the others / 3); all texts already normalised.

    With m matches among n answers: m times the left-out one matches, n - m times it doesn't.
    """
    matches, total = sum(answer == prediction for answer in answers), len(answers)
    return (matches * min(1.0, (matches - 1) / 3) + (total - matches) * min(1.0, matches / 3)) / total


def _require(references: Sequence[str]) -> None:
    if not references:
        raise ValueError("there is no reference to compare with")
