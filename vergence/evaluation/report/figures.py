"""How measures are written in a report: shares in percent, other scales as they are, each with how sure it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from html import escape

from vergence.evaluation.report.html import NOT_EVALUATED, Cell, plain, points
from vergence.evaluation.task import Measure

Form = Callable[[float], str]
_DISTANCES = frozenset(["absrel", "latency", "loss", "mae", "mse", "perplexity", "rmse", "seconds"])
_DIFFERENCES = frozenset(["difference", "gap"])
_FAILURES = frozenset(["cer", "chair", "error", "errors", "hallucinated", "invalid", "ned", "wer", "wrong"])


def lower_is_better(metric: str) -> bool:
    """Whether a metric counts what is wrong, by the words of its name: `mae`, `wer`, `error_rate`."""
    return bool(_words(metric) & (_DISTANCES | _FAILURES))


def form_of(metric: str, measures: Iterable[Measure]) -> Form:
    """How to write the values of a metric: in percent where all are shares, so that a table has one unit a metric.

    The ends of an interval may lie a little outside of 0 to 1, as Student's do.
    """
    measures = list(measures)
    least = -1 if _words(metric) & _DIFFERENCES else 0
    values = [m.value for m in measures if m.value is not None]
    ends = [end for m in measures for end in (m.low, m.high) if end is not None]
    share = all(least - 1e-9 <= value <= 1 + 1e-9 for value in values) and all(-2 <= end <= 2 for end in ends)
    share = share and not _words(metric) & _DISTANCES
    return points if share else number


def unit(metric: str, form: Form) -> str:
    """A metric's name with its unit, for a heading: `accuracy, %`, `mae ↓` where lower is better."""
    percent, lower = ",\u00a0%" * (form is points), "\u00a0↓" * lower_is_better(metric)
    return f"{metric}{percent}{lower}"


def number(value: float) -> str:
    """Three significant digits, or one decimal from a hundred on: `0.0512`, `1,523.4`."""
    return f"{value:,.1f}" if abs(value) >= 99.95 else f"{value:.3g}"


def measure_cell(measure: Measure | None, form: Form, *, best: bool = False, below: str = "") -> Cell:
    """A value with its interval, or what stands for one that was not evaluated. `below` is one more line of text."""
    if measure is None or measure.value is None:
        return NOT_EVALUATED
    small = f"<small>{escape(interval)}</small>" if (interval := sure(measure, form)) else ""
    lines = small + (f'<small class="below">{escape(plain(below))}</small>' if below else "")
    return Cell(f"<strong>{escape(form(measure.value))}</strong>{lines}", measure.value, "best" if best else "")


def sure(measure: Measure, form: Form) -> str:
    """How sure a value is: its 95% interval `60.1–66.2`, or its standard error `± 2.1 SE`, or nothing."""
    if measure.low is not None and measure.high is not None:
        joined = "–" if measure.low >= 0 else " to "  # a dash beside a minus can't be read
        return f"{form(measure.low)}{joined}{form(measure.high)}"
    return "" if measure.stderr is None else f"± {form(measure.stderr)} SE"


def best_of(measures: Sequence[Measure | None], metric: str) -> set[int]:
    """The places of the best value (several where they are equal).

    None where fewer than two were evaluated, where all are equal, and of a difference, which is neither good nor bad.
    """
    values = {i: m.value for i, m in enumerate(measures) if m is not None and m.value is not None}
    if len(set(values.values())) < 2 or _words(metric) & _DIFFERENCES:
        return set()
    best = min(values.values()) if lower_is_better(metric) else max(values.values())
    return {index for index, value in values.items() if value == best}


def counts(values: Iterable[int | None]) -> str:
    """Equal counts once, different ones as a range: `1,000`, `980–1,000`."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    low, high = min(known), max(known)
    return f"{low:,}" if low == high else f"{low:,}–{high:,}"


def _words(metric: str) -> frozenset[str]:
    return frozenset(re.split(r"[^a-z0-9]+", metric.lower()))
