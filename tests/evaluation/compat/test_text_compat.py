"""Where the other harnesses' scores of texts differ from ours: the known cases, without the harnesses."""

from __future__ import annotations

import pytest

from vergence.evaluation.compat.text import COMPAT, fold_fullwidth
from vergence.verifiers.text import anls, ocrbench_match, relaxed_accuracy, vqa_accuracy


def scores(benchmark: str, *case: object, **fields: object) -> dict[str, float]:
    return {harness: score(*case, **fields) for harness, score in COMPAT[benchmark].items()}


def test_blanks_raise_the_anls_of_the_others():
    theirs = scores("docvqa", "axx      ", ["abc"])
    assert theirs == pytest.approx(dict.fromkeys(theirs, 7 / 9))
    assert anls("axx      ", ["abc"]) == 0


def test_the_others_keep_a_similarity_of_a_half():
    theirs = scores("infovqa", "ab", ["ax"])
    assert theirs == dict.fromkeys(theirs, 0.5)
    assert anls("ab", ["ax"]) == 0


def test_two_empty_texts_are_the_same():
    assert set(scores("docvqa", "", [""]).values()) == {1.0}


@pytest.mark.parametrize(("prediction", "target"), [("0.0", "0"), ("1,000", "1000"), ("$5", "5"), ("10", "10%")])
def test_charts_by_the_letter_are_wrong_for_all(prediction, target):
    assert set(scores("chartqa", prediction, target).values()) == {0.0}
    assert relaxed_accuracy(prediction, target) is False


def test_vlmevalkit_strips_a_chart_answer():
    assert scores("chartqa", " Blue\n", "blue") == {"lmms-eval": 0.0, "vlmevalkit": 1.0}


def test_vlmevalkit_keeps_a_full_stop_behind_a_digit():
    assert scores("textvqa", "5.", ["5"] * 10) == {"lmms-eval": 1.0, "vlmevalkit": 0.0}
    assert vqa_accuracy("5.", ["5"] * 10) == 1


def test_only_evalai_parts_the_possessive():
    answers = ["john 's"] * 10
    assert scores("textvqa", "John's", answers) == {"lmms-eval": 1.0, "vlmevalkit": 0.0}


def test_full_stops_beyond_the_32nd_stay_with_the_others():
    dots = "." * 40 + "a1"
    assert scores("textvqa", dots, ["a1"] * 10) == {"lmms-eval": 0.0, "vlmevalkit": 0.0}
    assert vqa_accuracy(dots, ["a1"] * 10) == 1


def test_lmms_eval_normalises_unanimous_answers_too():
    assert scores("vqav2", "the dog", ["the dog"] * 10) == {"official": 0.0, "lmms-eval": 1.0}


def test_ocrbench():
    assert scores("ocrbench", "ＡＢＣ", ["abc"]) == {"lmms-eval": 1.0, "vlmevalkit": 0.0}
    assert scores("ocrbench", "ＡＢＣ", ["ABC"], formula=True) == {"lmms-eval": 0.0, "vlmevalkit": 0.0}
    assert scores("ocrbench", "anything", [""]) == {"lmms-eval": 1.0, "vlmevalkit": 1.0}
    assert not ocrbench_match("anything", [""])
    assert fold_fullwidth("Ａ１！\u3000あｱ") == "A1! あｱ"
