"""Temporal grounding: the span of a video that an answer names (Charades-STA, TACoS, ActivityNet Captions)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from vergence.evaluation.metrics.groups import Labels, mean_measure, mean_measures
from vergence.evaluation.task import Measure

Span = tuple[float, float]
"""Start and end in seconds."""

THRESHOLDS = (0.3, 0.5, 0.7)


def tiou(a: Span, b: Span) -> float:
    """Intersection over union of two spans in 0..1; a span that ends where or before it starts is empty: 0."""
    length_a, length_b = max(0.0, a[1] - a[0]), max(0.0, b[1] - b[0])
    shared = max(0.0, min(a[1], b[1]) - max(a[0], b[0]))
    return shared / (length_a + length_b - shared) if length_a and length_b else 0.0


@dataclass(frozen=True, slots=True)
class _Time:
    seconds: float
    start: int
    end: int


_SECONDS = r"(?:seconds?|secs?|s|秒)"
_MINUTES = r"(?:minutes?|mins?|m|分钟?)"
_TIMES = re.compile(
    r"(?<![a-z0-9_.:])(?:"
    r"(?:(?P<hours>\d{1,3}):)?(?P<minutes>\d{1,3}):(?P<seconds>\d{2}(?:\.\d{1,6})?)"
    rf"|(?P<m>\d{{1,4}})\s*{_MINUTES}(?:\s*(?:and\s+)?(?P<s>\d{{1,2}}(?:\.\d{{1,6}})?)\s*{_SECONDS})?"
    rf"|(?P<plain>\d{{1,9}}(?:\.\d{{1,9}})?)(?:\s*{_SECONDS})?"
    r")(?![a-z0-9_%]|[:.]\d)",
    re.IGNORECASE,
)
_START = re.compile(r"\b(?:start|begin)|开始|開始", re.IGNORECASE)
_END = re.compile(r"\b(?:end|finish|stop)|结束|結束", re.IGNORECASE)
_TO = re.compile(r"\s*(?:-|–|—|~|-+>|→|to|till|until|through|至|到)\s*", re.IGNORECASE)
_CONTEXT = 60
"""Characters before a time in which the words that say what it is are looked for."""


def read_span(answer: str) -> Span | None:
    """The first span (start, end) in seconds that an answer names; None where it names none.

    Times are seconds ("3", "3.5 s"), clock times ("00:03", "1:02:03.5") and "1 min 5 s". Two times in a row are a span

    1. where words say which is the start and which the end ("start time: 3s, end time: 9s", `{"start": 3, "end": 9}`),
    2. else where something joins them: "3 - 9", "3 to 9", "between 3 and 9", `[3, 9]`, `(3, 9)`.

    Two numbers without any of this aren't a span, and neither is one that ends before it starts.
    """
    found = [time for match in _TIMES.finditer(answer) if (time := _time(match)) is not None]
    pairs = list(pairwise(found))
    for first, second in pairs:
        before, between = answer[max(0, first.start - _CONTEXT) : first.start], answer[first.end : second.start]
        if len(between) > _CONTEXT:
            continue
        if _last(_START, before) > _last(_END, before) and _END.search(between):
            return _span(first, second)
        if _last(_END, before) > _last(_START, before) and _START.search(between):
            return _span(second, first)
    for first, second in pairs:
        if _joined(answer, first, second):
            return _span(first, second)
    return None


def _time(match: re.Match[str]) -> _Time | None:
    part = {name: float(text) for name, text in match.groupdict().items() if text}
    if part.get("seconds", 0) >= 60 or ("hours" in part and part["minutes"] >= 60):
        return None
    seconds = part.get("hours", 0) * 3600 + (part.get("minutes", 0) + part.get("m", 0)) * 60
    seconds += part.get("seconds", 0) + part.get("s", 0) + part.get("plain", 0)
    return _Time(seconds, match.start(), match.end())


def _last(pattern: re.Pattern[str], text: str) -> int:
    """Where a pattern occurs last; -1 where it doesn't."""
    return max((match.start() for match in pattern.finditer(text)), default=-1)


def _joined(text: str, first: _Time, second: _Time) -> bool:
    between = text[first.end : second.start]
    if _TO.fullmatch(between):
        return True
    before, after = text[max(0, first.start - _CONTEXT) : first.start].rstrip(), text[second.end :].lstrip()[:1]
    if between.strip().lower() in {"and", "和"}:
        return before.lower().endswith("between")
    return between.strip() == "," and before[-1:] in {"[", "("} and after in {"]", ")"}


def _span(start: _Time, end: _Time) -> Span | None:
    return (start.seconds, end.seconds) if start.seconds <= end.seconds else None


def temporal_grounding(
    predicted: Sequence[Span | None],
    expected: Sequence[Span],
    thresholds: Sequence[float] = THRESHOLDS,
    groups: Mapping[str, Labels] | None = None,
) -> list[Measure]:
    """`mIoU`, and for each threshold `R@1,IoU=t`: the share of first spans with tIoU >= t.

    An answer without a span has tIoU 0 and counts in `invalid_ratio`. Source: Gao et al. 2017 (TALL, arXiv 1705.02101,
    Charades-STA). Raises `ValueError` for unequal lengths.
    """
    overlaps = [0.0 if p is None else tiou(p, e) for p, e in zip(predicted, expected, strict=True)]
    mean, *by_group = mean_measures("mIoU", overlaps, groups)
    return [
        mean,
        *(mean_measure(f"R@1,IoU={t:g}", [float(overlap >= t) for overlap in overlaps]) for t in thresholds),
        mean_measure("invalid_ratio", [float(p is None) for p in predicted]),
        *by_group,
    ]
