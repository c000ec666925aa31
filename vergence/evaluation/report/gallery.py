"""The report's gallery: held-out pictures with question, answer and what would have been right.

Places are drawn over the picture: the answer's solid, in green where it is right and red where it is wrong; the truth
dashed. Whatever a model wrote is text here, never markup.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

from vergence.evaluation.examples import Example
from vergence.evaluation.report.html import plain, text

LONGEST = 300  # characters of an answer that are shown
LONGEST_SIDE = 232  # pixels of the page that a picture fills at most


def gallery(examples: Sequence[Example], captions: Mapping[str, str]) -> str:
    """One block for each task, in the order in which the tasks first appear; `captions` are HTML."""
    tasks: dict[str, list[Example]] = {}
    for example in examples:
        tasks.setdefault(example.task, []).append(example)
    return "".join(
        f'<section class="task"><h3>{text(task)} {captions.get(task, "")}</h3>'
        f'<ul class="cards">{"".join(map(_card, group))}</ul></section>'
        for task, group in tasks.items()
    )


def _card(example: Example) -> str:
    verdict, mark = ("right", "✓") if example.right else ("wrong", "✗")
    return (
        f'<li class="card {verdict}">{_picture(example)}<div class="words">'
        f'<p class="verdict">{mark} {verdict}</p><p class="question">{text(example.question)}</p>'
        f"<dl><dt>answer</dt><dd>{_answer(example.answer)}</dd>"
        f"<dt>expected</dt><dd>{text(example.expected)}</dd></dl></div></li>"
    )


def _answer(answer: str) -> str:
    if not answer.strip():
        return "<em>(nothing)</em>"
    return text(answer if len(answer) <= LONGEST else f"{answer[:LONGEST]} …")


def _picture(example: Example) -> str:
    width, height = example.size
    zoom = min(4.0, LONGEST_SIDE / max(width, height))
    zoom = float(int(zoom)) if zoom >= 2 else zoom  # by a whole number, every pixel becomes a square of the same size
    drawing = "".join(
        [
            *(_box(box, "truth") for box in ([example.target] if example.target else [])),
            *(_box(box, "answer") for box in example.boxes),
            *(_point(point) for point in example.points),
        ]
    )
    overlay = f'<svg viewBox="0 0 {width} {height}" aria-hidden="true">{drawing}</svg>' if drawing else ""
    alt = f"Held-out picture for: {plain(example.question)}"
    return (
        f'<div class="shot" style="width:{width * zoom:.0f}px;aspect-ratio:{width}/{height}">'
        f'<img src="data:image/png;base64,{base64.b64encode(example.png).decode()}" alt="{escape(alt)}" '
        f'width="{width}" height="{height}">{overlay}</div>'
    )


def _box(box: Sequence[float], kind: str) -> str:
    """A rectangle with a light rim, so that it shows on every background."""
    x1, x2 = sorted((box[0], box[2]))
    y1, y2 = sorted((box[1], box[3]))
    place = f'x="{x1:.2f}" y="{y1:.2f}" width="{x2 - x1:.2f}" height="{y2 - y1:.2f}"'
    return f'<rect class="rim" {place}/><rect class="{kind}" {place}/>'


def _point(point: Sequence[float]) -> str:
    place = f'd="M{point[0]:.2f} {point[1]:.2f}h0"'
    return f'<path class="rim dot" {place}/><path class="answer dot" {place}/>'
