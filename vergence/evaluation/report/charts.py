"""Charts of the report as inline SVG: curves over a run, and intervals between 0 and 100%.

The drawing stretches with the page while text and lines keep their size: labels are HTML placed in percent, and lines
don't scale with the drawing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from vergence.evaluation.history import Points

WIDTH, HEIGHT = 1000.0, 400.0


@dataclass(frozen=True, slots=True)
class Curve:
    """A named line of one colour (a class of `report.css`), broken where one segment ends; or a row of dots."""

    label: str
    colour: str
    segments: Sequence[Points]
    dots: bool = False
    faint: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """A part of the horizontal axis with a name: one stage."""

    label: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear or logarithmic axis from `low` to `high`; `share` is a value's place on it from 0 to 1."""

    low: float
    high: float
    log: bool = False

    def share(self, value: float) -> float:
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        at = math.log(max(value, self.low)) if self.log else value
        return min(1.0, max(0.0, (at - low) / (high - low)))

    def ticks(self, most: int = 5) -> list[float]:
        """Round values inside the axis: 1, 2 or 5 times a power of ten."""
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            for digits in ((1, 2, 5), (1, 3), (1,)):
                found = [d * 10.0**e for e in range(first, last + 1) for d in digits]
                found = [value for value in found if self.low <= value <= self.high]
                if len(found) <= most + 1:
                    break
            if len(found) >= 2:
                return found[:: -(-len(found) // (most + 1))]  # of hundreds of powers, every so manieth
        step = _round_step((self.high - self.low) / most)
        first = math.ceil(self.low / step - 1e-9)
        return [index * step for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _round_step(size: float) -> float:
    power = 10.0 ** math.floor(math.log10(size))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= size * (1 - 1e-9))


def scale_of(values: Sequence[float], *, log: bool = False, zero: bool = False) -> Scale:
    """An axis around all values, from 0 on with `zero`; logarithmic only where every value is positive."""
    low, high = min(values), max(values)
    if log and low > 0:
        return Scale(low / 1.1, high * 1.1, log=True)
    low = min(0.0, low) if zero else low
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return Scale(low if zero and low == 0 else low - room, high + room)


def line_chart(
    title: str,
    curves: Sequence[Curve],
    bands: Sequence[Band],
    *,
    log: bool = False,
    zero: bool = False,
    form: Callable[[float], str] = "{:g}".format,
    x_form: Callable[[float], str] = "{:g}".format,
    x_label: str = "tokens",
    wide: bool = False,
) -> str:
    """A figure with curves over a common horizontal axis; empty text where there is nothing to draw."""
    everything = [point for curve in curves for segment in curve.segments for point in segment]
    if not everything:
        return ""
    shown = [point for curve in curves for segment in curve.segments for point in segment if not curve.faint]
    y_axis = scale_of([y for _, y in shown or everything], log=log, zero=zero)
    ends = [x for band in bands for x in (band.start, band.end)] or [x for x, _ in everything]
    x_axis = Scale(min(ends), max(ends) if max(ends) > min(ends) else min(ends) + 1)
    drawing = [_bands(bands, x_axis), _grid(y_axis), *(_curve(curve, x_axis, y_axis) for curve in curves)]
    names = "".join(
        f'<span style="left:{100 * x_axis.share(band.start):.2f}%;'
        f'width:{100 * (x_axis.share(band.end) - x_axis.share(band.start)):.2f}%">{escape(band.label)}</span>'
        for band in bands
    )
    y_labels = "".join(
        f'<span style="top:{100 * (1 - y_axis.share(tick)):.2f}%">{escape(form(tick))}</span>'
        for tick in y_axis.ticks()
    )
    x_labels = "".join(
        f'<span style="left:{100 * x_axis.share(tick):.2f}%">{escape(x_form(tick))}</span>' for tick in x_axis.ticks(4)
    )
    lines = [curve for curve in curves if not curve.faint]
    legend = "".join(map(_legend, lines)) if len(lines) > 1 else ""
    summary = "; ".join(_summary(curve, form) for curve in lines)
    return (
        f'<figure class="chart{" wide" if wide else ""}"><figcaption><strong>{escape(title)}</strong>'
        f'<span class="legend">{legend}</span></figcaption>'
        f'<div class="bandnames" aria-hidden="true">{names}</div>'
        f'<div class="ylabels" aria-hidden="true">{y_labels}</div>'
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(f"{title} over {x_label}: {summary}")}">{"".join(drawing)}</svg>'
        f'<div class="xlabels" aria-hidden="true">{x_labels}</div>'
        f'<div class="xname" aria-hidden="true">{escape(x_label)}</div></figure>'
    )


def _legend(curve: Curve) -> str:
    mark = "dot" if curve.dots else "dash"
    return f'<span class="{curve.colour}"><i class="{mark}"></i>{escape(curve.label)}</span>'


def _bands(bands: Sequence[Band], x_axis: Scale) -> str:
    return "".join(
        f'<rect class="band" x="{WIDTH * x_axis.share(band.start):.1f}" y="0" height="{HEIGHT:g}" '
        f'width="{WIDTH * (x_axis.share(band.end) - x_axis.share(band.start)):.1f}"/>'
        for band in bands[1::2]
    )


def _grid(y_axis: Scale) -> str:
    heights = (HEIGHT * (1 - y_axis.share(tick)) for tick in y_axis.ticks())
    return "".join(f'<path class="grid" d="M0 {y:.1f}H{WIDTH:g}"/>' for y in heights)


def _curve(curve: Curve, x_axis: Scale, y_axis: Scale) -> str:
    parts = []
    for segment in curve.segments:
        places = [f"{WIDTH * x_axis.share(x):.1f} {HEIGHT * (1 - y_axis.share(y)):.1f}" for x, y in segment]
        if curve.dots or len(places) == 1:
            parts += [f"M{place}h0" for place in places]  # a line without length is as round as its ends
        elif places:
            parts.append(f"M{places[0]}L{' '.join(places[1:])}")
    kind = "dots" if curve.dots else "faint" if curve.faint else "line"
    return f'<path class="{kind} {curve.colour}" d="{"".join(parts)}"/>'


def _summary(curve: Curve, form: Callable[[float], str]) -> str:
    ys = [y for segment in curve.segments for _, y in segment]
    return f"{curve.label} from {form(ys[0])} to {form(ys[-1])}" if ys else f"{curve.label} not measured"


def interval_strip(rows: Sequence[tuple[str, float, float, float]], label: str) -> str:
    """Shares with their intervals on one line from 0 to 100%: (class, value, low, high) each, drawn in that order."""
    marks = [f'<line class="tick" x1="{x}%" x2="{x}%" y1="0" y2="100%"/>' for x in (0, 25, 50, 75, 100)]
    for number, (colour, value, low, high) in enumerate(rows):
        y = f"{100 * (number + 1) / (len(rows) + 1):.0f}%"
        marks.append(
            f'<line class="whisker {colour}" x1="{100 * low:.2f}%" x2="{100 * high:.2f}%" y1="{y}" y2="{y}"/>'
            f'<circle class="{colour}" cx="{100 * value:.2f}%" cy="{y}" r="5"/>'
        )
    return f'<svg class="strip" role="img" aria-label="{escape(label)}">{"".join(marks)}</svg>'
