"""Which option is right by each way of reducing a candidate's likelihood: all of them come from one pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from vergence.evaluation.task import CandidateScore, Reduction, Sample, ranked


def ranking_scores(sample: Sample, candidates: Sequence[CandidateScore]) -> dict[str, float]:
    """Whether the likeliest option is right by each reduction that was measured: `ranking:sum`, `ranking:mean`, ..."""
    found: dict[str, float] = {}
    reductions: tuple[Reduction, ...] = get_args(Reduction)
    for reduction in reductions:
        if reduction == "pmi" and any(candidate.pmi is None for candidate in candidates):
            continue
        best, _ = ranked(candidates, reduction)
        found[f"ranking:{reduction}"] = float(best == sample.reference)
    return found
