"""What other harnesses make of answers with yes or no, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20), without the judge that either asks where its rule reads nothing, and
the official scripts where they differ from what we report. Readings give "yes", "no" or "" for neither.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vergence.evaluation.metrics.yes_no import MME_COGNITION, MME_PERCEPTION, HallusionItem
from vergence.verifiers.vqa import strip_punctuation


def exact_reading(answer: str) -> str:
    """lmms-eval's POPE: the whole answer in lower case is "yes" or "no"; "Yes." is neither."""
    text = answer.lower().strip()
    return text if text in {"yes", "no"} else ""


def prefix_reading(answer: str) -> str:
    """The official MME tool's, and lmms-eval's: "yes", else "no", among the first four characters ("Not at all" too).

    Full stops are removed before; of a single character "y" and "n" count. Source: lmms_eval/tasks/mme/utils.py.
    """
    text = answer.lower().strip().replace(".", "")
    if len(text) == 1:
        return {"y": "yes", "n": "no"}.get(text, "")
    return next((word for word in ("yes", "no") if word in text[:4]), "")


def word_reading(answer: str) -> str:
    """VLMEvalKit's: one of the words stands in the answer and the other doesn't, so "There is no dog" is "no".

    Punctuation is removed as for VQA. Source: vlmeval/dataset/utils/yorn.py, YOrN_Extraction.
    """
    stop = re.compile(r"(?<!\d)\.(?!\d)")
    words = strip_punctuation(answer.lower(), stop=stop, stops=32).split()
    found = [word for word in ("yes", "no") if word in words]
    return found[0] if len(found) == 1 else ""


def first_sentence_reading(answer: str) -> str:
    """POPE's own: "no" if the first sentence has the word "No", "no" or "not", and "yes" for anything else.

    Source: github.com/AoiDragon/POPE, evaluate.py.
    """
    words = answer.split(".")[0].replace(",", "").split(" ")
    return "no" if {"No", "not", "no"} & set(words) else "yes"


def _score(reading: Callable[[str], str]) -> Callable[[str, bool], float]:
    def score(prediction: str, reference: bool) -> float:
        return float(reading(prediction) == ("yes" if reference else "no"))

    score.__doc__ = f"1 where `{reading.__name__}` reads the reference (True is yes), 0 elsewhere."
    return score


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "pope": {
        "official": _score(first_sentence_reading),
        "lmms-eval": _score(exact_reading),
        "vlmevalkit": _score(word_reading),
    },
    "mme": {
        "official": _score(prefix_reading),
        "lmms-eval": _score(prefix_reading),
        "vlmevalkit": _score(word_reading),
    },
    "hallusion_bench": {"vlmevalkit": _score(word_reading)},
}
"""By benchmark and harness: `(prediction, reference is yes) -> float`. lmms-eval has HallusionBench judged."""


def _counted(readings: Sequence[str], labels: Sequence[bool], *, lost: bool) -> dict[str, float]:
    """Precision, recall and F1 of "yes"; an answer that says neither is a miss only if it is `lost`."""
    pairs = list(zip(readings, labels, strict=True))
    hits = sum(said == "yes" and label for said, label in pairs)
    false = sum(said == "yes" and not label for said, label in pairs)
    missed = sum((said != "yes" if lost else said == "no") and label for said, label in pairs)
    precision = hits / (hits + false) if hits + false else 0.0
    recall = hits / (hits + missed) if hits + missed else 0.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    accuracy = sum(said == ("yes" if label else "no") for said, label in pairs) / len(pairs)
    return {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": f1}


def pope_lmms(predictions: Sequence[str], labels: Sequence[bool]) -> dict[str, float]:
    """lmms-eval's POPE. An answer that is neither word misses nothing, and yes_ratio is the share of "yes" labels.

    Source: lmms_eval/tasks/pope/utils.py.
    """
    found = _counted([exact_reading(answer) for answer in predictions], labels, lost=False)
    return {**found, "yes_ratio": sum(labels) / len(labels)}


def pope_vlmevalkit(predictions: Sequence[str], labels: Sequence[bool]) -> dict[str, float]:
    """VLMEvalKit's POPE (it prints the values times 100, and F1 as "Overall"). Source: its yorn.py, POPE_rating."""
    return _counted([word_reading(answer) for answer in predictions], labels, lost=True)


def pope_official(predictions: Sequence[str], labels: Sequence[bool]) -> dict[str, float]:
    """POPE's own script, in which every answer is "yes" or "no"; 0 where it would divide by 0."""
    readings = [first_sentence_reading(answer) for answer in predictions]
    return {**_counted(readings, labels, lost=True), "yes_ratio": readings.count("yes") / len(readings)}


def _mme(correct: Sequence[bool], subtasks: Sequence[str], images: Sequence[str]) -> dict[str, float]:
    """100 (accuracy + accuracy+) of each subtask."""
    pairs: dict[str, dict[str, list[bool]]] = {}
    for right, subtask, image in zip(correct, subtasks, images, strict=True):
        pairs.setdefault(subtask, {}).setdefault(image, []).append(right)
    return {
        subtask: 100 * sum(sum(pair) / 2 + all(pair) for pair in found.values()) / len(found)
        for subtask, found in pairs.items()
    }


def mme_lmms(
    predictions: Sequence[str], labels: Sequence[bool], subtasks: Sequence[str], images: Sequence[str]
) -> dict[str, float]:
    """lmms-eval's MME: sums over whichever subtasks of perception and cognition there are.

    Source: lmms_eval/tasks/mme/utils.py.
    """
    right = [
        prefix_reading(said) == ("yes" if label else "no") for said, label in zip(predictions, labels, strict=True)
    ]
    return _mme_sums(_mme(right, subtasks, images))


def mme_vlmevalkit(
    predictions: Sequence[str], labels: Sequence[bool], subtasks: Sequence[str], images: Sequence[str]
) -> dict[str, float]:
    """VLMEvalKit's MME, which calls cognition "reasoning". Source: its yorn.py, MME_rating."""
    right = [word_reading(said) == ("yes" if label else "no") for said, label in zip(predictions, labels, strict=True)]
    return _mme_sums(_mme(right, subtasks, images))


def _mme_sums(scores: Mapping[str, float]) -> dict[str, float]:
    return {
        "perception": sum(scores.get(name, 0.0) for name in MME_PERCEPTION),
        "cognition": sum(scores.get(name, 0.0) for name in MME_COGNITION),
        **scores,
    }


def hallusion_vlmevalkit(items: Sequence[HallusionItem]) -> dict[str, float]:
    """VLMEvalKit's HallusionBench: questions without a figure count as a figure of their own in fAcc.

    Its keys leave out the category. Source: vlmeval/dataset/utils/yorn.py, Hallusion_rating.
    """
    figures: dict[tuple[str, ...], bool] = {}
    questions: dict[tuple[str, ...], bool] = {}
    for item in items:
        figure, question = (item.subcategory, item.set_id, item.figure_id), (item.subcategory, item.set_id)
        figures[figure] = figures.get(figure, True) and item.correct
        key = (*question, item.question_id)
        questions[key] = questions.get(key, True) and item.correct
    return {
        "aAcc": sum(item.correct for item in items) / len(items),
        "fAcc": sum(figures.values()) / len(figures),
        "qAcc": sum(questions.values()) / len(questions),
    }


AGGREGATES: Mapping[str, Mapping[str, Callable[..., dict[str, float]]]] = {
    "pope": {"official": pope_official, "lmms-eval": pope_lmms, "vlmevalkit": pope_vlmevalkit},
    "mme": {"lmms-eval": mme_lmms, "vlmevalkit": mme_vlmevalkit},
    "hallusion_bench": {"vlmevalkit": hallusion_vlmevalkit},
}
"""By benchmark and harness: the result of a whole benchmark where it isn't the mean of the answers' scores."""
