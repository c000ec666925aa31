"""What other harnesses make of VSI-Bench, written anew, their slips included.

The official code (thinking-in-space), lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20) without a judge. They differ
in how a number or letter is found in an answer, hardly in the score. None stands where the original raises an error.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from vergence.evaluation.metrics.spatial import VSI_DIRECTIONS, VSI_NUMBERS


def float_mra(error: float) -> float:
    """The share of ten thresholds t, as floats from 0.5 to 0.95, with a relative error <= 1 - t in floating point.

    int((0.95 - 0.5) / 0.05 + 2) is 10, since the division gives a little less than 9. Source: thinking-in-space,
    vsibench/utils.py, and with it lmms-eval and VLMEvalKit's spatial_bench/cal_scores.py.
    """
    thresholds = np.linspace(0.5, 0.95, int((0.95 - 0.5) / 0.05 + 2))
    return float((error <= 1 - thresholds).mean())


def first_word(prediction: str) -> str:
    """The text up to the first blank, without full stops at its end."""
    return prediction.split(" ")[0].rstrip(".").strip()


def _float(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError, OverflowError):
        return None


def _relative(predicted: float | None, reference: Any) -> float | None:
    """The MRA of the official code and lmms-eval: 0 without one of the numbers, an error for a true 0."""
    truth = _float(reference)
    if predicted is None or truth is None:
        return 0.0
    return None if truth == 0 else float_mra(abs(predicted - truth) / truth)


def vsi_official(prediction: str, reference: str, *, kind: str) -> float | None:
    """The first word is the number or the letter. Source: thinking-in-space, lmms_eval/tasks/vsibench/utils.py."""
    said = first_word(prediction)
    return _relative(_float(said), reference) if kind in VSI_NUMBERS else float(said.lower() == reference.lower())


def vsi_lmms(prediction: str, reference: str, *, kind: str) -> float | None:
    """The first number anywhere, also in words; the first word is the letter. Source: tasks/vsibench/utils.py."""
    if kind in VSI_NUMBERS:
        return _relative(first_number(prediction), reference)
    return float(first_word(prediction).lower() == reference.lower())


_TO_NINETEEN: tuple[str, ...] = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)
_TO_NINETEEN += ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_VALUES = {word: value for value, word in enumerate(_TO_NINETEEN)}
_VALUES |= {word: value for value, word in zip(range(20, 100, 10), _TENS, strict=True)}
_VALUES |= {"hundred": 100, "thousand": 1000}


def first_number(prediction: str) -> float | None:
    """lmms-eval's number: digits or a run of number words, whichever comes first; "two three" is five.

    Source: lmms_eval/tasks/vsibench/utils.py, extract_number.
    """
    text = prediction.strip().lower()
    digits = re.search(r"-?\d+(?:\.\d+)?", text)
    run: list[int] = []
    start = None
    for word in re.finditer("[a-z]+", text):
        if word.group() in _VALUES:
            start = word.start() if start is None else start
            run.append(_VALUES[word.group()])
        elif start is not None and word.group() != "and":
            break
    if digits and (start is None or digits.start() < start):
        return float(digits.group())
    if start is None:
        return None
    total = current = 0
    for value in run:
        if value == 1000:
            total, current = total + max(current, 1) * 1000, 0
        else:
            current = max(current, 1) * 100 if value == 100 else current + value
    return float(total + current)


def vsi_vlmevalkit(prediction: str, reference: str, *, kind: str) -> float:
    """The last number or an option's letter by seven rules. Source: vlmeval/dataset/utils/spatial_bench."""
    if kind not in VSI_NUMBERS:
        return float((option_letter(prediction) or "false").lower() == (option_letter(reference) or "false").lower())
    predicted, truth = last_number(prediction), _float(reference)
    if predicted is None or truth is None or truth != truth:
        return 0.0
    return float_mra(abs(predicted) if truth == 0 else abs((predicted - truth) / truth))


_NUMBER = r"[-+]?(?:\d*\.\d+|\d+)(?:[eE][-+]?\d+)?"
_ZERO_WIDTH = re.compile("[\u200b\u200c\u200d\ufeff]")
_TWENTY = re.compile(rf"\b({'|'.join([*_TO_NINETEEN, 'twenty'])})\b", re.IGNORECASE)
_TAGGED_NUMBER = re.compile(
    rf"<\s*answer\b[^>]*>\s*({_NUMBER})(?:[^\d<][^<]*)?<\s*/\s*answer\s*>", re.IGNORECASE | re.DOTALL
)


def last_number(prediction: str) -> float | None:
    """VLMEvalKit's number: in `<answer>`, else the last one behind the thought, else the last one at all.

    Words from zero to twenty are replaced before, each by itself ("twenty-one" is "20-1", so -1). Of a Python list the
    first entry is the answer; None for what looks like one and isn't. Source: matching_func.py, can_match_na.
    """
    text = prediction
    if text.strip().startswith("[") and text.strip().endswith("]"):
        try:
            entries = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return None
        text = str(entries[0]) if isinstance(entries, list) and entries else text
    text = _TWENTY.sub(lambda found: str(_VALUES[found.group().lower()]), _ZERO_WIDTH.sub("", text.strip()))
    tagged = _TAGGED_NUMBER.search(text)
    if tagged:
        return float(tagged.group(1))
    found = re.findall(_NUMBER, _behind_thought(text)) or re.findall(_NUMBER, text)
    return float(found[-1]) if found else None


def _behind_thought(text: str) -> str:
    """The text behind the last `</think>`, else behind the last `<think>`, else all of it."""
    for tag in (r"</\s*think\s*>", r"<\s*think\s*>"):
        ends = [match.end() for match in re.finditer(tag, text, re.IGNORECASE)]
        if ends:
            return text[ends[-1] :].strip()
    return text


_TAIL_LINES, _TAIL = 6, 800
_LEFT, _RIGHT = r"[(\[{（【]?\s*", r"\s*[)\]}）】]?"
_ANSWER_BLOCK = re.compile(
    r"<\s*answer\b[^>]*>\s*([A-J])(?:\s*[.．:：)\]】、])?.*?<\s*/\s*answer\s*>", re.IGNORECASE | re.DOTALL
)
_BEFORE_TAG = [
    re.compile(rf"(?<![A-Za-z]){_LEFT}([A-F]){_RIGHT}\s*</\s*{tag}\s*>", re.IGNORECASE) for tag in ("answer", "think")
]
_ENUMERATION = re.compile(r"^(?:[*_>\-\s]*)(?:option|选项)\s+[A-J]\s*[:：]", re.IGNORECASE)
_WHOLE_LINE = re.compile(r"^\s*[*_`>（）\[\]【】()]*\s*([A-Fa-f])\s*[*_`（）\[\]【】()]*\s*$")
_LINE_START = re.compile(r"^\s*([A-F])\s*[.．:：)\]】、-]\s+", re.IGNORECASE)
_IN_LINE = re.compile(r"(?<![A-Za-z])[*_`（\[{(]*\s*([A-F])\s*[*_`）\]})]*(?=$|[\s.,:;!?)\]】》」』，。；、：）])")
_PHRASE = re.compile(
    r"(?:final\s*answer|the\s*answer\s*is|answer(?:\s*is)?|correct\s*answer"
    r"|答案|最终答案|结论|所以|因此|我选(?:择)?|选择|选)"
    rf"\s*[:：>＝=]?\s*{_LEFT}([A-F]){_RIGHT}(?:\b|[.)、。])",
    re.IGNORECASE,
)
_ALONE = re.compile(rf"(?<![A-Za-z]){_LEFT}([A-F]){_RIGHT}(?![A-Za-z])")


def option_letter(prediction: str) -> str | None:
    """VLMEvalKit's letter of a spatial question, None for none. The first of seven rules that reads one decides:

    the letter in `<answer>`; before `</answer>` or `</think>` in the last 800 characters; on the last six lines behind
    the thought, from below: the whole line, its start ("A. ..."), or the only capital A to F; the same at the end of
    the text; behind a phrase ("the answer is"); the only capital of the text. Lines "Option A: ..." don't count.
    Source: vlmeval/dataset/utils/spatial_bench/matching_func.py, can_match_option.
    """
    text = _ZERO_WIDTH.sub("", prediction.strip())
    block = _ANSWER_BLOCK.search(text)
    if block:
        return block.group(1).upper()
    for pattern in _BEFORE_TAG:
        match = pattern.search(text[-_TAIL:])
        if match:
            return match.group(1).upper()
    for part in (_behind_thought(text), text[-_TAIL:]):
        letter = _from_lines(part.splitlines()[-_TAIL_LINES:])
        if letter:
            return letter
    phrase = _PHRASE.search(text)
    if phrase:
        return phrase.group(1).upper()
    rest = "\n".join(line for line in text.splitlines() if not _ENUMERATION.search(line))
    letters = set(_ALONE.findall(rest))
    return letters.pop() if len(letters) == 1 else None


def _from_lines(lines: Sequence[str]) -> str | None:
    for line in reversed([line.strip() for line in lines if line.strip()]):
        if _ENUMERATION.search(line):
            continue
        match = _WHOLE_LINE.fullmatch(line) or _LINE_START.match(line)
        if match:
            return match.group(1).upper()
        letters = set(_IN_LINE.findall(line))
        if len(letters) == 1:
            return letters.pop()
    return None


def _vsi_mean(scores: Sequence[float], types: Sequence[str], *, missing: float | None) -> dict[str, float]:
    """Means by type, direction's three levels as one, and "overall" their mean.

    `missing` stands for a level without questions; where it is None, levels stay apart unless there are all three.
    """
    by_type: dict[str, list[float]] = {}
    for score, kind in zip(scores, types, strict=True):
        by_type.setdefault(kind, []).append(score)
    means = {kind: sum(found) / len(found) for kind, found in by_type.items()}
    if missing is not None or all(level in means for level in VSI_DIRECTIONS):
        levels = [means.pop(level, missing or 0.0) for level in VSI_DIRECTIONS]
        means["object_rel_direction"] = sum(levels) / 3.0
    return {**means, "overall": sum(means.values()) / len(means) if means else 0.0}


def vsi_means_official(scores: Sequence[float], types: Sequence[str]) -> dict[str, float]:
    """The mean of the eight tasks; a level of direction without questions counts as 0. Source: vsi_official's."""
    return _vsi_mean(scores, types, missing=0.0)


def vsi_means_lmms(scores: Sequence[float], types: Sequence[str]) -> dict[str, float] | None:
    """The mean of the eight tasks; None, a KeyError, where a level of direction has no questions."""
    return _vsi_mean(scores, types, missing=0.0) if set(VSI_DIRECTIONS) <= set(types) else None


def vsi_means_vlmevalkit(scores: Sequence[float], types: Sequence[str]) -> dict[str, float]:
    """The mean of the eight tasks; levels of direction are tasks of their own where one of them is missing.

    VLMEvalKit prints them times 100. Source: vlmeval/dataset/vsibench.py, _aggregate.
    """
    return _vsi_mean(scores, types, missing=None)


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "vsi_bench": {"official": vsi_official, "lmms-eval": vsi_lmms, "vlmevalkit": vsi_vlmevalkit},
}
"""By benchmark and harness: `(prediction, reference, kind=question type) -> float | None`; references are texts."""

AGGREGATES: Mapping[str, Mapping[str, Callable[..., dict[str, float] | None]]] = {
    "vsi_bench": {
        "official": vsi_means_official,
        "lmms-eval": vsi_means_lmms,
        "vlmevalkit": vsi_means_vlmevalkit,
    },
}
"""By benchmark and harness: the result of a whole benchmark where it isn't the mean of the answers' scores."""
