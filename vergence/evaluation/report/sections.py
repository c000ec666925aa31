"""The report's tables and charts: each function turns what was measured into one piece of HTML, or into nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vergence.evaluation.history import Points, Stage, smooth, thin
from vergence.evaluation.report.charts import Band, Curve, interval_strip, line_chart
from vergence.evaluation.report.html import plain, text
from vergence.evaluation.wording import compact, duration, interval, percent, scientific, short

Record = Mapping[str, Any]
MOST_POINTS = 240  # of a curve in one stage; more can't be told apart


def final_scores(stage: str, scores: Sequence[Record]) -> str:
    """The last stage's scores: accuracy beside blind, with intervals as numbers and drawn."""
    if not scores:
        return ""
    ordered = sorted(scores, key=lambda score: (not score["real"], -score["accuracy"]))
    return (
        f'<p class="hint">After stage {text(stage)}, on pictures of the held-out split. '
        '<em class="key blue">● accuracy</em> beside the <em class="key grey">● blind score</em>, the same questions '
        "about a grey picture of the same size. Bars are Wilson 95% intervals; the last column says whether the two "
        "lie apart or overlap. Real: nobody of this project drew the picture’s content.</p>"
        '<div class="scroll"><table class="final"><thead><tr><th scope="col">task</th><th scope="col" class="left">'
        '0 to 100%</th><th scope="col">accuracy</th><th scope="col">blind</th><th scope="col">difference</th></tr>'
        f"</thead><tbody>{''.join(map(_final_row, ordered))}</tbody></table></div>"
    )


def _final_row(score: Record) -> str:
    low, high = score["low"], score["high"]
    rows = [("blue", score["accuracy"], low, high)]
    label = f"{plain(score['task'])}: accuracy {percent(score['accuracy'])}, 95% interval {interval(low, high)}"
    blind, difference = "–", "–"
    if score["blind"] is not None:
        blind_low, blind_high = score["blind_low"] or 0.0, score["blind_high"] or 0.0
        rows.append(("grey", score["blind"], blind_low, blind_high))
        label += f"; blind {percent(score['blind'])}, 95% interval {interval(blind_low, blind_high)}"
        blind = f"{percent(score['blind'])}<small>{interval(blind_low, blind_high)}</small>"
        clear = low > blind_high
        points = f"{100 * (score['accuracy'] - score['blind']):+.1f}".replace("-", "−")
        difference = f'<span class="{"good" if clear else ""}">{points}</span>'
        difference += f"<small>{'apart' if clear else 'overlap'}</small>"
    kind = "real" if score["real"] else "rendered"
    return (
        f'<tr><th scope="row">{text(score["task"])}<small>{kind}, n = {int(score["n"])}</small></th>'
        f'<td class="plot">{interval_strip(rows, label)}</td>'
        f'<td data-label="accuracy"><strong>{percent(score["accuracy"])}</strong>'
        f"<small>{interval(low, high)}</small></td>"
        f'<td data-label="blind">{blind}</td><td data-label="difference">{difference}</td></tr>'
    )


def scores_by_stage(measured: Mapping[str, Sequence[Record]]) -> str:
    """Tasks down, stages across: accuracy with its interval, and the blind score's below."""
    tasks = list(dict.fromkeys(str(score["task"]) for scores in measured.values() for score in scores))
    cells = {(stage, str(score["task"])): score for stage, scores in measured.items() for score in scores}
    head = "".join(f'<th scope="col">{text(stage)}</th>' for stage in measured)
    body = "".join(
        f'<tr><th scope="row">{text(task)}</th>{"".join(_cell(cells.get((stage, task))) for stage in measured)}</tr>'
        for task in tasks
    )
    return '<p class="hint">Accuracy with its Wilson 95% interval; below it the blind score with its own.</p>' + _table(
        f'<th scope="col">task</th>{head}', body, "Scores after each stage"
    )


def _cell(score: Record | None) -> str:
    if score is None:
        return "<td>–</td>"
    blind = ""
    if score["blind"] is not None:
        ends = interval(score["blind_low"] or 0.0, score["blind_high"] or 0.0)
        blind = f"<small>blind {percent(score['blind'])} [{ends}]</small>"
    accuracy = f"<strong>{percent(score['accuracy'])}</strong> [{interval(score['low'], score['high'])}]"
    return f'<td class="pair">{accuracy}{blind}</td>'


def curves(stages: Sequence[Stage]) -> str:
    """Loss, learning rate, speed and packing over the tokens of the run, with its stages as bands."""
    bands = _bands(stages)
    charts = [
        line_chart("Loss", _losses(stages), bands, log=_spans(stages), wide=True, form="{:.3g}".format, x_form=short),
        _plain_chart("Learning rate", "lr", "orange", stages, scientific, zero=True),
        _plain_chart("Tokens per second", "tokens_per_second", "green", stages, short, zero=True),
        _plain_chart("Packing utilisation", "utilisation", "blue", stages, percent),
        _plain_chart("Gradient norm before clipping", "grad_norm", "orange", stages, "{:.2g}".format, zero=True),
    ]
    drawn = "".join(charts)
    hint = (
        '<p class="hint">Shaded bands are stages; objectives differ between them, so losses compare only within one. '
        "Lines are moving averages, with the single steps behind them where they vary.</p>"
    )
    return f'{hint}<div class="charts">{drawn}</div>' if drawn else ""


def _bands(stages: Sequence[Stage]) -> list[Band]:
    bands, start = [], 0.0
    for number, stage in enumerate(stages, 1):
        end = stage.last("tokens")
        if end is not None and end > start:
            bands.append(Band(f"{number} {plain(stage.name)}", start, end))
            start = end
    return bands


def _losses(stages: Sequence[Stage]) -> list[Curve]:
    raw = [stage.curve("loss") for stage in stages]
    return [
        Curve("each step", "blue", [thin(points, 2 * MOST_POINTS) for points in raw], faint=True),
        Curve("training", "blue", [_averaged(points) for points in raw]),
        Curve("held-out", "orange", [stage.curve("loss", heldout=True) for stage in stages], dots=True),
    ]


def _plain_chart(
    title: str, key: str, colour: str, stages: Sequence[Stage], form: Callable[[float], str], *, zero: bool = False
) -> str:
    raw = [stage.curve(key) for stage in stages]
    span = 1 if key == "lr" else sum(map(len, raw)) / 60
    smoothed = [smooth(points, span) for points in raw]
    lines = [Curve(title.lower(), colour, [thin(points, MOST_POINTS) for points in smoothed])]
    return line_chart(title, lines, _bands(stages), zero=zero, form=form, x_form=short)


def _averaged(points: Points) -> Points:
    return thin(smooth(points, len(points) / 40), MOST_POINTS)


def _spans(stages: Sequence[Stage]) -> bool:
    """Whether the losses differ so much that only a logarithmic axis shows them all."""
    values = [y for stage in stages for _, y in _averaged(stage.curve("loss"))]
    return bool(values) and min(values) > 0 and max(values) > 8 * min(values)


def stage_table(stages: Sequence[Stage], objectives: Mapping[str, str]) -> str:
    """What each stage cost and where it ended."""
    rows, tokens_before, seconds_before = "", 0.0, 0.0
    for number, stage in enumerate(stages, 1):
        tokens = stage.last("tokens") or tokens_before
        seconds = stage.last("seconds") or seconds_before
        spent, taken = tokens - tokens_before, seconds - seconds_before
        figures = [
            f"{len(stage.train):,}",
            compact(spent),
            duration(taken),
            compact(spent / taken) if taken > 0 else "–",
            _or_dash(stage.mean("utilisation"), percent),
            _or_dash(stage.last("loss"), "{:.3g}".format),
            _or_dash(stage.last("loss", heldout=True), "{:.3g}".format),
            f"{sum(stage.skipped.values()):,}",
        ]
        objective = f"<small>{text(objectives[stage.name])}</small>" if stage.name in objectives else ""
        cells = "".join(f"<td>{figure}</td>" for figure in figures)
        rows += f'<tr><th scope="row">{number} {text(stage.name)}{objective}</th>{cells}</tr>'
        tokens_before, seconds_before = tokens, seconds
    names = ("stage", "steps", "tokens", "time", "tokens/s", "packing", "last loss", "held-out loss", "skipped")
    head = "".join(f'<th scope="col">{name}</th>' for name in names)
    return _table(head, rows, "Stages") if rows else ""


def skipped_samples(stages: Sequence[Stage]) -> str:
    """How many samples were left out of training, by stage and reason."""
    rows = "".join(
        f'<tr><th scope="row">{text(stage.name)}</th><td class="left">{text(reason)}</td><td>{count:,}</td></tr>'
        for stage in stages
        for reason, count in sorted(stage.skipped.items(), key=lambda item: -item[1])
    )
    head = '<th scope="col">stage</th><th scope="col" class="left">reason</th><th scope="col">samples</th>'
    return _table(head, rows, "Skipped samples") if rows else "<p>No sample was skipped.</p>"


def _or_dash(value: float | None, form: Callable[[float], str]) -> str:
    return "–" if value is None else form(value)


def _table(head: str, rows: str, label: str) -> str:
    """A table that scrolls inside its frame where the page is narrow, also by keyboard."""
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0"><table>'
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )
