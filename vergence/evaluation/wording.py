"""Numbers as people read them: percentages, counts, durations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def percent(share: float) -> str:
    """`93.3%`; a share that only rounds to 100% or 0% stays below or above it."""
    value = round(100 * share, 1)
    if (value >= 100 and share < 1) or (value <= 0 and share > 0):
        value = 99.9 if value >= 100 else 0.1
    return f"{value:.1f}%"


def interval(low: float, high: float) -> str:
    """`90.0-95.6%`: a 95% interval."""
    return f"{100 * low:.1f}–{100 * high:.1f}%"


def compact(number: float) -> str:
    """`950`, `12.3 k`, `4.57 M`: three significant digits."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size * 0.9995:
            scaled = number / size
            return f"{scaled:.{2 if abs(scaled) < 9.995 else 1 if abs(scaled) < 99.95 else 0}f} {unit}"
    return f"{number:.3g}"


def short(number: float) -> str:
    """`0`, `2 M`, `1.5 k`: `compact` without trailing zeros, for the marks of an axis."""
    digits, _, unit = compact(number).partition(" ")
    return " ".join(filter(None, [f"{float(digits):g}", unit]))


def scientific(number: float) -> str:
    """`0`, `1e-3`, `2.5e-4`."""
    mantissa, _, exponent = f"{number:.1e}".partition("e")
    return f"{float(mantissa):g}e{int(exponent)}" if number else "0"


def duration(seconds: float) -> str:
    """`42 s`, `8.3 min`, `2 h 05 min`."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    if seconds < 5970:
        return f"{seconds / 60:.1f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def share_of_score(score: Mapping[str, Any]) -> str:
    """`93.3% of 300, blind 21%`."""
    blind = f", blind {percent(score['blind'])}" if score["blind"] is not None else ""
    return f"{percent(score['accuracy'])} of {int(score['n'])}{blind}"
