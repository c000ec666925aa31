"""Results of OCRBench, DocVQA, TextVQA and ChartQA."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.documents import OCRBENCH_PARTS, anls_result, chartqa, ocrbench, vqa_result

TYPES = [kind for kinds in OCRBENCH_PARTS.values() for kind in kinds]
SIZES = [50] * 6 + [200, 200, 200, 100]


def test_ocrbench_adds_up_to_a_thousand():
    types = [kind for kind, size in zip(TYPES, SIZES, strict=True) for _ in range(size)]
    right = [index % 4 != 0 for index in range(1000)]
    score, *rest = ocrbench(right, types)
    assert (score.metric, score.value, score.n, score.group) == ("score", pytest.approx(750), 1000, "")
    assert score.low is not None
    assert score.high is not None
    assert 700 < score.low < 750 < score.high < 800
    shares = {measure.group: measure for measure in rest}
    assert shares["part=Text Recognition"].n == 300
    assert shares["type=Digit String Recognition"].n == 50
    assert shares["type=Doc-oriented VQA"].value == pytest.approx(0.75)
    assert len(rest) == 5 + 10


def test_ocrbench_of_a_few_questions_and_of_none():
    assert ocrbench([True, False], ["Doc-oriented VQA"] * 2)[0].value == 500
    assert ocrbench([], [])[0].value is None
    with pytest.raises(ValueError, match=r"unknown type of OCRBench question 'Poems'"):
        ocrbench([True], ["Poems"])


def test_chartqa_is_the_mean_of_its_splits():
    measures = chartqa([True, True, True, False], ["human", "augmented", "augmented", "augmented"], [True] * 4)
    found = {(m.metric, m.group): m.value for m in measures}
    assert measures[0].metric == "relaxed_accuracy"
    assert found["relaxed_accuracy", ""] == pytest.approx((1 + 2 / 3) / 2)
    assert found["relaxed_accuracy", "split=human"] == 1
    assert found["relaxed_accuracy", "split=augmented"] == pytest.approx(2 / 3)
    assert found["relaxed_accuracy_micro", ""] == 0.75
    assert found["relaxed_number_match", ""] == 1


def test_chartqa_lenient_scores_are_optional():
    assert {m.metric for m in chartqa([True], ["human"])} == {"relaxed_accuracy", "relaxed_accuracy_micro"}


def test_documents_share_their_fate():
    scores = [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    alone, together = anls_result(scores)[0], anls_result(scores, None, list("aabbcc"))[0]
    assert alone.value == together.value == pytest.approx(2 / 3)
    assert alone.stderr is not None
    assert together.stderr is not None
    assert together.stderr > alone.stderr


def test_groups_of_questions():
    found = {m.group: m.value for m in vqa_result([0.9, 0.3, 1.0], {"answer type": ["number", "other", "number"]})}
    assert found == pytest.approx({"": 2.2 / 3, "answer type=number": 0.95, "answer type=other": 0.3})
