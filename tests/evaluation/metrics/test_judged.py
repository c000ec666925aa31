"""A judge's scores put together: MM-Vet, LLaVA-Bench, CharXiv."""

from __future__ import annotations

import random
import statistics

import pytest

from vergence.evaluation.metrics.judged import judged, llava_bench, mm_vet
from vergence.evaluation.task import Measure


def by_name(measures: list[Measure]) -> dict[tuple[str, str], Measure]:
    return {(measure.metric, measure.group): measure for measure in measures}


def test_answers_that_were_not_judged_are_left_out():
    found = by_name(judged("accuracy", [1.0, None, 0.0], {"kind": ["reasoning", "reasoning", "descriptive"]}))
    assert (found["accuracy", ""].value, found["accuracy", ""].n) == (0.5, 2)
    assert (found["accuracy", "kind=reasoning"].value, found["accuracy", "kind=reasoning"].n) == (1.0, 1)
    assert judged("accuracy", [None])[0] == Measure("accuracy", None, 0)


def test_mm_vet_by_hand():
    passes = [[1.0, 0.0, 0.5], [0.8, 0.2, None]]
    found = by_name(mm_vet(passes, [["ocr", "math"], ["rec"], ["math", "ocr"]]))
    assert found["score", ""].value == pytest.approx((0.9 + 0.1 + 0.5) / 3)
    assert found["score", "capability=ocr"].value == pytest.approx(0.7)
    assert found["score", "capability=rec"].n == 1
    assert found["score", "capabilities=ocr+math"].value == pytest.approx(0.7)
    assert found["score_sd", ""].value == pytest.approx(statistics.stdev([0.5, 0.5]))
    assert found["score_sd", "capability=rec"].value == pytest.approx(statistics.stdev([0.0, 0.2]))


def test_mm_vet_of_one_pass_has_no_spread():
    assert not [m for m in mm_vet([[1.0, 0.5]], [["ocr"], ["rec"]]) if m.metric == "score_sd"]
    with pytest.raises(ValueError, match="each of the 2 questions"):
        mm_vet([[1.0]], [["ocr"], ["rec"]])


def test_llava_bench_is_a_ratio_of_sums():
    found = by_name(llava_bench([4.0, 8.0, None], [8.0, 8.0, 9.0], ["conv", "detail", "conv"]))
    assert found["relative_score", ""].value == 12 / 16
    assert found["relative_score", ""].n == 2
    assert found["relative_score", "category=conv"].value == 0.5
    assert llava_bench([], [], [])[0].value is None


def test_the_standard_error_of_a_ratio_is_that_of_resampling():
    rng = random.Random(0)
    reference = [rng.uniform(5, 10) for _ in range(100)]
    model = [0.7 * r + rng.gauss(0, 1) for r in reference]
    stderr = llava_bench(model, reference, ["all"] * 100)[0].stderr
    ratios = []
    for _ in range(1000):
        drawn = rng.choices(range(100), k=100)
        ratios.append(sum(model[i] for i in drawn) / sum(reference[i] for i in drawn))
    assert stderr == pytest.approx(statistics.stdev(ratios), rel=0.1)
