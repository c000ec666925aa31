"""Dream-1K from a judge's decisions."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.captions import EventDecisions, dream_1k, entailed_share, harmonic_mean, read_relations

E, N, C = "entailment", "neutral", "contradiction"


def test_the_means_of_three_kinds():
    decisions = [
        EventDecisions([E, E], [E, N]),  # R 1, P 0.5
        EventDecisions([C, N], [E]),  # R 0, P 1
        EventDecisions([E, N, N, N], []),  # R 0.25, P 1
        EventDecisions(None, [E]),
    ]
    measures = dream_1k(decisions, ["live", "live", "stock", "stock"])
    found = {(measure.metric, measure.group): measure.value for measure in measures}
    assert measures[0].metric == "f1"
    recall, precision = (0.5 + 0.25) / 2, (0.75 + 1) / 2
    assert found["recall", ""] == pytest.approx(recall)
    assert found["precision", ""] == pytest.approx(precision)
    assert found["f1", ""] == pytest.approx(2 * recall * precision / (recall + precision))
    assert found["pooled_f1", ""] == pytest.approx(harmonic_mean(1.25 / 3, 2.5 / 3))
    assert found["sample_f1", ""] == pytest.approx((2 / 3 + 0 + 0.4) / 3)
    assert found["failed_ratio", ""] == 0.25
    assert found["f1", "subset=live"] == pytest.approx(harmonic_mean(0.5, 0.75))


def test_nothing_judged():
    found = {measure.metric: measure.value for measure in dream_1k([EventDecisions(None, None)], ["live"])}
    assert found["f1"] is None
    assert found["failed_ratio"] == 1.0


def test_shares():
    assert entailed_share([]) == 1.0
    assert entailed_share([E, N, C, E]) == 0.5
    assert harmonic_mean(0.0, 0.0) == 0.0


@pytest.mark.parametrize(
    ("reply", "events", "relations"),
    [
        ('{"events": [{"event": "a", "relationship": "entailment"}]}', 1, [E]),
        ('```json\n{"events": [{"relationship": " Neutral "}, {"relationship": "contradiction"}]}\n```', 2, [N, C]),
        ('{"events": []}', 0, []),
        ('{"events": [{"relationship": "entailment"}]}', 2, None),
        ('{"events": [{"relationship": "maybe"}]}', 1, None),
        ('{"events": [{"event": "a"}]}', 1, None),
        ('{"events": 3}', 1, None),
        ("[]", 0, None),
        ("entailment", 1, None),
        ("", 1, None),
    ],
)
def test_reading_a_judges_reply(reply, events, relations):
    assert read_relations(reply, events) == relations
