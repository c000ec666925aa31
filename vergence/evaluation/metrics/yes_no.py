"""Questions that are answered with yes or no: POPE, HallusionBench, MME; and CHAIR, which counts what isn't there."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from vergence.evaluation.metrics.groups import Labels, grouped, macro_mean, mean_measure
from vergence.evaluation.task import Measure
from vergence.verifiers.maths import clean, marked_answer

# "No" before a noun ("no dogs are visible") denies something, which isn't the answer to every question; before one of
# these words it is an answer without its comma.
_LEADING = re.compile(
    r"(?:(?P<yes>yes|yeah|yep)|(?P<no>no|nope))\b(?!\s*(?:/|or|and)\s*(?:yes|no)\b)"
    r"(?(no)(?=\s*(?:[^\w\s]|$|\n)|\s+(?:there|it|its|it's|the|this|that|these|those|he|she|they|i|we|you|a|an|not)\b))",
    re.IGNORECASE,
)
_MARKUP = " \t\n\r*_`\"'“”‘’()[]{}<>#-:.$"


def read_yes_no(answer: str) -> bool | None:
    """Whether an answer says yes (True) or no (False); None where it doesn't say it.

    In this order: what is marked as the answer (`vergence.verifiers.maths.marked_answer`), the first word, the last
    line if it is that word alone. "No" counts as a first word at the end, before punctuation, and before an article or
    pronoun ("No there isn't"), not before a noun ("No dogs are visible", "No one"), and neither does a "no" or "not"
    inside of the text. A single "y" or "n" counts. "Yes and no", "yes/no" say nothing.
    """
    marked = marked_answer(answer)
    if marked is not None:
        return _leading(clean(marked))
    first = _leading(answer)
    if first is not None:
        return first
    lines = [line.strip(_MARKUP) for line in answer.split("\n") if line.strip(_MARKUP)]
    return _leading(lines[-1]) if len(lines) > 1 and re.fullmatch("yes|no", lines[-1], re.IGNORECASE) else None


def _leading(text: str) -> bool | None:
    text = text.strip().lstrip(_MARKUP)
    if text.strip(_MARKUP).lower() in {"y", "n"}:
        return text[0].lower() == "y"
    found = _LEADING.match(text)
    return None if found is None else found["yes"] is not None


def pope(answers: Sequence[bool | None], labels: Sequence[bool], settings: Labels | None = None) -> list[Measure]:
    """POPE: F1, accuracy, precision, recall ("yes" is positive) and the share of "yes", over all and by setting.

    An answer that says neither is wrong: it misses the positive it was asked about. precision = TP / (TP + FP), recall
    = TP / positives, F1 = 2 TP / (2 TP + FP + misses), yes_ratio = "yes" among the *answers* / questions; a measure
    is None where its denominator is 0. Source: Li et al. 2023 (arXiv 2305.10355); github.com/AoiDragon/POPE,
    evaluate.py, which takes for "yes" whatever has no "no" or "not" in its first sentence. Raises `ValueError` for
    unequal lengths.
    """
    pairs = list(zip(answers, labels, strict=True))
    measures = _pope(pairs, "")
    for label, members in grouped(settings or ()).items():
        measures += _pope([pairs[member] for member in members], f"setting={label}")
    return measures


def _pope(pairs: Sequence[tuple[bool | None, bool]], group: str) -> list[Measure]:
    n, positives = len(pairs), sum(label for _, label in pairs)
    said_yes = sum(answer is True for answer, _ in pairs)
    hits = sum(answer is True and label for answer, label in pairs)

    def share(metric: str, part: float, whole: float) -> Measure:
        return Measure(metric, part / whole if whole else None, n, group)

    return [
        share("f1", 2 * hits, said_yes + positives),
        mean_measure("accuracy", [float(answer is label) for answer, label in pairs], group),
        share("precision", hits, said_yes),
        share("recall", hits, positives),
        share("yes_ratio", said_yes, n),
        share("invalid_ratio", sum(answer is None for answer, _ in pairs), n),
    ]


@dataclass(frozen=True, slots=True)
class HallusionItem:
    """A question of HallusionBench by the ids of its set, figure and wording; figure "0" of "VS" has no picture."""

    category: str
    subcategory: str
    set_id: str
    figure_id: str
    question_id: str
    correct: bool


def hallusion_bench(items: Sequence[HallusionItem]) -> list[Measure]:
    """HallusionBench: the mean of aAcc, fAcc and qAcc, then each of them.

    aAcc is the share of right questions, fAcc of the figures all of whose questions are right (without the questions
    that have no figure), qAcc of the wordings that are right for all of their figures. The mean of the three is what
    leaderboards sort by. Source: Guan et al. 2024 (arXiv 2310.14566); github.com/tianyi-lab/HallusionBench,
    utils.py, which also counts "I don't know" as right where there is no figure: put that into `correct`.
    """
    by_figure: dict[tuple[str, ...], list[bool]] = {}
    by_question: dict[tuple[str, ...], list[bool]] = {}
    for item in items:
        key = (item.category, item.subcategory, item.set_id)
        if not (item.category == "VS" and item.figure_id == "0"):
            by_figure.setdefault((*key, item.figure_id), []).append(item.correct)
        by_question.setdefault((*key, item.question_id), []).append(item.correct)
    parts = [
        mean_measure("aAcc", [float(item.correct) for item in items]),
        mean_measure("fAcc", [float(all(correct)) for correct in by_figure.values()]),
        mean_measure("qAcc", [float(all(correct)) for correct in by_question.values()]),
    ]
    mean = macro_mean("mean", parts)
    # The three are about the same answers: no standard error as if they were independent.
    return [Measure("mean", mean.value, len(items)), *parts]


MME_PERCEPTION = (
    "existence",
    "count",
    "position",
    "color",
    "posters",
    "celebrity",
    "scene",
    "landmark",
    "artwork",
    "OCR",
)
MME_COGNITION = ("commonsense_reasoning", "numerical_calculation", "text_translation", "code_reasoning")


def mme(correct: Sequence[bool], subtasks: Sequence[str], images: Sequence[str]) -> list[Measure]:
    """MME: the sums over perception (of 2,000) and cognition (of 800), then each subtask's score in 0..200.

    A subtask's score is 100 (accuracy + accuracy+), where accuracy+ is the share of pictures whose two questions are
    both right. A sum, and the total, is None unless all of its subtasks were asked. Source: Fu et al. 2023 (arXiv
    2306.13394). Raises `ValueError` for unequal lengths and for a picture without exactly two questions.
    """
    pictures: dict[str, dict[str, list[bool]]] = {}
    for right, subtask, image in zip(correct, subtasks, images, strict=True):
        pictures.setdefault(subtask, {}).setdefault(image, []).append(right)
    scores = []
    for subtask, found in pictures.items():
        odd = next((image for image, answers in found.items() if len(answers) != 2), None)
        if odd is not None:
            raise ValueError(f"MME {subtask}, picture {odd}: {len(found[odd])} questions, expected 2")
        pairs = list(found.values())
        points = sum(50 * sum(pair) + 100 * all(pair) for pair in pairs) / len(pairs)
        scores.append(Measure("score", points, 2 * len(pairs), f"subtask={subtask}"))
    by_name = {measure.group.removeprefix("subtask="): measure for measure in scores}
    perception, cognition = _sum("perception", MME_PERCEPTION, by_name), _sum("cognition", MME_COGNITION, by_name)
    return [_sum("total", MME_PERCEPTION + MME_COGNITION, by_name), perception, cognition, *scores]


def _sum(metric: str, names: Sequence[str], by_name: dict[str, Measure]) -> Measure:
    found = [by_name[name] for name in names if name in by_name]
    value = sum(measure.value or 0.0 for measure in found) if len(found) == len(names) else None
    return Measure(metric, value, sum(measure.n for measure in found))


def chair(mentioned: Sequence[Sequence[str]], present: Sequence[Collection[str]]) -> list[Measure]:
    """CHAIR of captions, given the objects that each mentions (once a mention) and those in its picture.

    CHAIR_i = mentions of objects that aren't there / all mentions; CHAIR_s = captions with at least one such mention /
    captions; lower is better. recall = objects there and mentioned / objects there, so that silence shows. None where a
    denominator is 0. Objects are compared as they are: synonyms ("bike") must have been mapped to their names. Source:
    Rohrbach et al. 2018 (arXiv 1809.02156); github.com/LisaAnne/Hallucination, utils/chair.py. Raises
    `ValueError` for unequal lengths.
    """
    captions = [(list(said), set(there)) for said, there in zip(mentioned, present, strict=True)]
    wrong = [sum(name not in there for name in said) for said, there in captions]
    mentions = sum(len(said) for said, _ in captions)
    objects = sum(len(there) for _, there in captions)
    found = sum(len(there.intersection(said)) for said, there in captions)
    return [
        Measure("chair_i", sum(wrong) / mentions if mentions else None, mentions),
        mean_measure("chair_s", [float(count > 0) for count in wrong]),
        Measure("recall", found / objects if objects else None, objects),
    ]
