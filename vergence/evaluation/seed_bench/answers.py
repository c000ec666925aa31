"""What other rules and harnesses make of the same answer: columns beside our score."""

from __future__ import annotations

from vergence.evaluation.compat.choices import COMPAT
from vergence.evaluation.seed_bench.dimensions import Edition
from vergence.evaluation.task import Sample


def compat_scores(edition: Edition, sample: Sample, answer: str) -> dict[str, float]:
    """Other harnesses' verdicts of a generated answer; H, which none of them has, by the rules for version 2."""
    name = f"seed-bench-{'2' if edition == 'h' else edition}"
    found = {harness: rule(answer, sample.reference, choices=sample.choices) for harness, rule in COMPAT[name].items()}
    return {harness: score for harness, score in found.items() if score is not None}
