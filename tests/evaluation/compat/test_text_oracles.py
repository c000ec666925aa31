"""Our copies of the other harnesses' scores of texts against these harnesses themselves."""

from __future__ import annotations

import pytest
from answer_cases import lmms, vlmevalkit

from vergence.evaluation.compat.text import COMPAT

BENCHMARKS = {"anls": "docvqa", "chartqa": "chartqa", "textvqa": "textvqa", "vqav2": "vqav2", "ocrbench": "ocrbench"}


@pytest.mark.parametrize(
    ("kind", "harness"),
    [
        (kind, harness)
        for kind in BENCHMARKS
        for harness in ("lmms-eval", "vlmevalkit")
        if (kind, harness) != ("vqav2", "vlmevalkit")
    ],
)
def test_scores_are_the_harness_own(kind, harness):
    ours = COMPAT[BENCHMARKS[kind]][harness]
    pairs = (lmms if harness == "lmms-eval" else vlmevalkit)(kind)
    assert len(pairs) >= 1000
    found = [ours(case[0], case[1], formula=case[2]) if kind == "ocrbench" else ours(*case) for case, _ in pairs]
    assert found == pytest.approx([float(theirs) for _, theirs in pairs], abs=1e-12)
    assert {0.0, 1.0} <= set(found)
