"""Every metric that a declared task can name, and what is said of a name that isn't one."""

from __future__ import annotations

from collections.abc import Mapping

from vergence.config import nearest
from vergence.evaluation.metrics.metric import Metric
from vergence.evaluation.metrics.wiring.choices import CHOICE_METRICS
from vergence.evaluation.metrics.wiring.judged import JUDGED_METRICS
from vergence.evaluation.metrics.wiring.maths import MATHS_METRICS
from vergence.evaluation.metrics.wiring.overlap import OVERLAP_METRICS
from vergence.evaluation.metrics.wiring.places import PLACE_METRICS
from vergence.evaluation.metrics.wiring.texts import TEXT_METRICS
from vergence.evaluation.metrics.wiring.video import VIDEO_METRICS
from vergence.evaluation.metrics.wiring.yes_no import YES_NO_METRICS

METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metrics in (
        CHOICE_METRICS,
        TEXT_METRICS,
        OVERLAP_METRICS,
        MATHS_METRICS,
        YES_NO_METRICS,
        PLACE_METRICS,
        VIDEO_METRICS,
        JUDGED_METRICS,
    )
    for metric in metrics
}


def unknown_metric(name: str) -> str:
    """What is wrong with a name that no metric has, with the nearest one."""
    near = nearest(name, METRICS)
    hint = f'; did you mean "{near}"?' if near else ""
    return f'found "{name}", expected one of {", ".join(METRICS)}{hint}'
