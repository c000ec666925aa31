"""Video descriptions by their events: Dream-1K with AutoDQ, from a judge's decisions of entailment."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from vergence.evaluation.metrics.groups import grouped, macro_mean, mean_measure
from vergence.evaluation.task import Measure

RELATIONS = ("entailment", "neutral", "contradiction")


@dataclass(frozen=True, slots=True)
class EventDecisions:
    """How a description's events relate to the reference, one relation per event; None where the judge failed.

    `recall`: the reference's events to the model's description; `precision`: the description's events to the reference.
    """

    recall: Sequence[str] | None
    precision: Sequence[str] | None


def read_relations(reply: str, events: int) -> list[str] | None:
    """The relations of a judge's reply `{"events": [{"event": ..., "relationship": ...}, ...]}`, one per event.

    None where the reply isn't such JSON, alone or in a fence, or its relations aren't as many as the events or unknown.
    """
    fenced = re.search(r"```(?:json|python)?\s*(.*?)```", reply, re.DOTALL)
    try:
        entries = json.loads(fenced.group(1) if fenced else reply)["events"]
        relations = [str(entry["relationship"]).strip().lower() for entry in entries]
    except (ValueError, TypeError, KeyError):
        return None
    return relations if len(relations) == events and set(relations) <= set(RELATIONS) else None


def entailed_share(relations: Sequence[str]) -> float:
    """The share of events that are entailed; neutral doesn't count. Without events 1, as in the official code."""
    return relations.count("entailment") / len(relations) if relations else 1.0


def harmonic_mean(a: float, b: float) -> float:
    """2ab / (a + b), 0 where both are 0."""
    return 2 * a * b / (a + b) if a + b else 0.0


def dream_1k(decisions: Sequence[EventDecisions], subsets: Sequence[str]) -> list[Measure]:
    """AutoDQ: `f1`, `recall` and `precision` of Dream-1K, `pooled_f1`, `sample_f1`, then each subset's three.

    Recall and precision of a subset are means over its videos, those of the benchmark means over its (five) subsets,
    and F1 is of these averages, not an average of F1. `pooled_f1` is F1 of the means over all videos (VLMEvalKit's),
    `sample_f1` the mean of the videos' own F1. Videos whose judge failed are in `failed_ratio` and nowhere else.
    Source: Wang et al. 2024 (Tarsier, arXiv 2407.00634, section 4); bytedance/tarsier,
    evaluation/metrics/evaluate_dream_gpt.py. Raises `ValueError` for unequal lengths.
    """
    shares = [
        None
        if one.recall is None or one.precision is None
        else (entailed_share(one.recall), entailed_share(one.precision))
        for one, _ in zip(decisions, subsets, strict=True)
    ]
    parts: list[Measure] = []
    for subset, positions in grouped(subsets).items():
        parts += _subset([pair for position in positions if (pair := shares[position]) is not None], f"subset={subset}")
    judged = [pair for pair in shares if pair is not None]
    recall, precision = (macro_mean(name, [m for m in parts if m.metric == name]) for name in ("recall", "precision"))
    return [
        _f1("f1", recall, precision, ""),
        recall,
        precision,
        Measure("pooled_f1", _subset(judged, "")[0].value, len(judged)),
        mean_measure("sample_f1", [harmonic_mean(*pair) for pair in judged]),
        mean_measure("failed_ratio", [float(pair is None) for pair in shares]),
        *parts,
    ]


def _subset(pairs: Sequence[tuple[float, float]], group: str) -> list[Measure]:
    recall = mean_measure("recall", [pair[0] for pair in pairs], group)
    precision = mean_measure("precision", [pair[1] for pair in pairs], group)
    return [_f1("f1", recall, precision, group), recall, precision]


def _f1(metric: str, recall: Measure, precision: Measure, group: str) -> Measure:
    known = recall.value is not None and precision.value is not None
    return Measure(
        metric, harmonic_mean(recall.value or 0.0, precision.value or 0.0) if known else None, recall.n, group
    )
