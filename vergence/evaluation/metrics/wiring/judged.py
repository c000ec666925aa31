"""Metrics of free-form answers that another model judges: is it right, MM-Vet, LLaVA-Bench, TempCompass, Dream-1K.

The prompts are this project's own; the published ones are bound to one judge and one year. A judge that gives no
readable score leaves an answer unjudged (`DataError`), never wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vergence.errors import DataError
from vergence.evaluation.judge import Judge, Judgement, Question, scale
from vergence.evaluation.metrics.captions import EventDecisions, dream_1k, entailed_share, harmonic_mean, read_relations
from vergence.evaluation.metrics.judged import llava_bench, mm_vet
from vergence.evaluation.metrics.metric import JudgeParameters, JudgeRule, Metric, invalid, verdicts
from vergence.evaluation.metrics.tempcompass import rate_captioning, tempcompass
from vergence.evaluation.metrics.wiring import references
from vergence.evaluation.task import Measure, Record, Sample, Verdict
from vergence.evaluation.tasks.cells import as_list, as_text

CORRECT = JudgeRule(
    "Decide whether an answer to a question about a picture or video is right.\n\n"
    "Question: {question}\nReference answer: {reference}\nAnswer to judge: {answer}\n\n"
    "The answer is right if it says the same as the reference, in whatever words or notation. It is wrong if it says "
    "something else, contradicts itself or doesn't commit to an answer.\n"
    "End with [[1]] if it is right and with [[0]] if it is wrong.",
    scale(0, 1),
)
GRADED = JudgeRule(
    "Grade how much of a reference answer another answer to the same question gets right.\n\n"
    "Question: {question}\nReference answer: {reference}\nAnswer to grade: {answer}\n\n"
    "In the reference, <AND> joins what must all be there and <OR> separates alternatives of which one is enough. "
    "Give 1.0 for an answer that has everything, 0.0 for one that has nothing of it, and tenths in between. "
    "Additional statements don't matter unless they contradict the reference.\n"
    "End with the grade in double brackets, such as [[0.4]].",
    scale(0, 1),
)
QUALITY = JudgeRule(
    "Rate the answer of an assistant to a question about a picture.\n\n"
    "Question: {question}\nWhat an expert who saw the picture answered: {reference}\nAnswer to rate: {answer}\n\n"
    "Consider how helpful, relevant, accurate and detailed it is. 1 is useless, 10 could not be better.\n"
    "End with the rating in double brackets, such as [[7]].",
    scale(1, 10),
)


def _readable(reply: str) -> float | None:
    """Any reply counts as one: it is read by the metric itself."""
    return 1.0 if reply.strip() else None


def _event_list(reply: str) -> list[str] | None:
    """The events of a reply {"events": ["...", ...]}."""
    start, end = reply.find("{"), reply.rfind("}")
    try:
        found = json.loads(reply[start : end + 1])
        events = found["events"]
    except (ValueError, KeyError, TypeError):
        return None
    return [str(event) for event in events] if isinstance(events, list) else None


def _has_events(reply: str) -> float | None:
    return None if _event_list(reply) is None else 1.0


CAPTION_CHOICE = JudgeRule(
    "A video was described as follows, and you can't see it.\n\nDescription: {answer}\n\n"
    "Answer this question from the description alone:\n{question}\n\n"
    'Write "Answer: " and the letter and text of the option, or "Answer: none of the choices" if the description '
    "doesn't say it.",
    _readable,
)
EVENTS = JudgeRule(
    "List the events of this description of a video, each one action or change, in a short sentence of its own and in "
    "order. Leave out what is only a static attribute.\n\nDescription: {answer}\n\n"
    'Reply with JSON only: {{"events": ["...", "..."]}}',
    _has_events,
)
RELATIONS = JudgeRule(
    "A description of a video and a list of events are given. Say for each event whether the description entails it "
    '("entailment"), contradicts it ("contradiction") or does neither ("neutral").\n\n'
    "Description: {answer}\n\nEvents: {reference}\n\n"
    "Reply with JSON only, one entry for each event in order: "
    '{{"events": [{{"event": "...", "relationship": "..."}}]}}',
    _readable,
)


def _ask(judge: Judge, sample: Sample, question: Question) -> Judgement:
    judgement = judge.judge(question)
    if judgement.score is None:
        error = next((reply.error for reply in judgement.replies if reply.error), None)
        raise DataError(f"{sample.id}: the judge gave no readable reply" + (f": {error}" if error else ""))
    return judgement


def _plain(reference: Any) -> str:
    return " <OR> ".join(map(as_text, reference)) if isinstance(reference, list) else as_text(reference)


def _correct(judges: Mapping[str, Judge], sample: Sample, text: str, parameters: Any) -> Verdict:
    if not text.strip():
        return invalid()
    judgement = _ask(judges["judge"], sample, Question(sample.question, text, _reference(sample)))
    return Verdict({"accuracy": judgement.score or 0.0}, _passes(judgement))


def _reference(sample: Sample) -> str:
    return sample.choices[sample.reference] if sample.choices else _plain(sample.reference)


def _passes(judgement: Judgement) -> dict[str, Any]:
    return {"scores": list(judgement.scores), "replies": [reply.text for reply in judgement.replies]}


def _index_or_texts(cell: Any, sample: Sample, parameters: Any) -> Any:
    return cell if sample.choices and isinstance(cell, int) else references.texts(cell, sample, parameters)


def _graded(judges: Mapping[str, Judge], sample: Sample, text: str, parameters: Any) -> Verdict:
    if not text.strip():
        return invalid(metrics=("score",))
    judgement = _ask(judges["judge"], sample, Question(sample.question, text, _plain(sample.reference)))
    return Verdict({"score": judgement.score or 0.0}, _passes(judgement))


def _mm_vet(records: Sequence[Record], parameters: JudgeParameters) -> list[Measure]:
    """By the tag "capability", a list or names with commas."""
    scored = verdicts(records)
    needs = [_capabilities(record.sample.tags.get("capability")) for record, _ in scored]
    # An unreadable answer has no replies: it is worth nothing in every pass.
    nothing = [0.0] * parameters.passes
    rows = [(v.extracted or {}).get("scores", nothing) for _, v in scored]
    return mm_vet([list(one) for one in zip(*rows, strict=True)], needs)


def _capabilities(value: Any) -> list[str]:
    if isinstance(value, list | tuple):
        return [str(one) for one in value]
    return [one.strip() for one in str(value or "").split(",") if one.strip()]


def _rated(judges: Mapping[str, Judge], sample: Sample, text: str, parameters: Any) -> Verdict:
    """The answer's rating and, by the same judge, that of the reference answer; both 1 to 10."""
    if not text.strip():
        return Verdict({"rating": 1.0, "reference_rating": 10.0}, None, valid=False)
    reference = _plain(sample.reference)
    own = _ask(judges["judge"], sample, Question(sample.question, text, reference))
    other = _ask(judges["judge"], sample, Question(sample.question, reference, reference))
    ratings = {"rating": 1 + 9 * (own.score or 0.0), "reference_rating": 1 + 9 * (other.score or 0.0)}
    return Verdict(ratings, _passes(own))


def _llava_bench(records: Sequence[Record], parameters: JudgeParameters) -> list[Measure]:
    scored = verdicts(records)
    categories = [str(record.sample.tags.get("category") or "all") for record, _ in scored]
    own = [verdict.scores["rating"] for _, verdict in scored]
    return llava_bench(own, [verdict.scores["reference_rating"] for _, verdict in scored], categories)


def _caption_choice(judges: Mapping[str, Judge], sample: Sample, text: str, parameters: Any) -> Verdict:
    """The judge answers the question of several choices from the caption alone."""
    if not text.strip():
        return invalid()
    question = as_text(sample.reference["question"])
    reply = _ask(judges["judge"], sample, Question(question, text)).replies[0].text
    rating = rate_captioning(reply, as_text(sample.reference["answer"]))
    if rating is None:
        return invalid(reply)
    return Verdict({"accuracy": float(rating)}, reply)


def _caption_measures(records: Sequence[Record], parameters: JudgeParameters) -> list[Measure]:
    scored = verdicts(records)
    ratings = [verdict.scores["accuracy"] == 1 if verdict.valid else None for _, verdict in scored]
    return tempcompass(
        ratings, ["captioning"] * len(scored), [str(record.sample.tags.get("dimension")) for record, _ in scored]
    )


def _events_reference(cell: Any, sample: Sample, parameters: Any) -> dict[str, Any]:
    found = references.mapping(cell, ["description", "events"])
    return {"description": as_text(found["description"]), "events": [as_text(one) for one in as_list(found["events"])]}


def _events(judges: Mapping[str, Judge], sample: Sample, text: str, parameters: Any) -> Verdict:
    """AutoDQ: the reference's events against the answer, and the answer's events against the reference."""
    if not text.strip():
        nothing = ["neutral"] * len(sample.reference["events"])
        return Verdict(
            {"f1": 0.0, "recall": 0.0, "precision": 0.0}, {"recall": nothing, "precision": ["neutral"]}, valid=False
        )
    reply = _ask(judges["events"], sample, Question("", text)).replies[0].text
    own = _event_list(reply) or []
    recall = _relations(judges, sample, text, sample.reference["events"])
    precision = _relations(judges, sample, sample.reference["description"], own)
    shares = entailed_share(recall), entailed_share(precision)
    scores = {"f1": harmonic_mean(*shares), "recall": shares[0], "precision": shares[1]}
    return Verdict(scores, {"events": own, "recall": recall, "precision": precision})


def _relations(judges: Mapping[str, Judge], sample: Sample, description: str, events: Sequence[str]) -> list[str]:
    if not events:
        return []
    question = Question("", description, json.dumps(list(events), ensure_ascii=False))
    reply = _ask(judges["relations"], sample, question).replies[0].text
    found = read_relations(reply, len(events))
    if found is None:
        raise DataError(f"{sample.id}: the judge gave no relation for each of the {len(events)} events")
    return found


def _dream(records: Sequence[Record], parameters: JudgeParameters) -> list[Measure]:
    scored = verdicts(records)
    decisions = [EventDecisions(verdict.extracted["recall"], verdict.extracted["precision"]) for _, verdict in scored]
    return dream_1k(decisions, [str(record.sample.tags.get("subset") or "all") for record, _ in scored])


def _never(sample: Sample, text: str, parameters: Any) -> Verdict:
    raise DataError(f"{sample.id}: this metric needs a judge (--judge URL#NAME)")


JUDGED_METRICS = (
    Metric(
        "judged_correct",
        "a judge says whether the answer is right",
        _never,
        JudgeParameters,
        _index_or_texts,
        judges={"judge": CORRECT},
        judged_score=_correct,
    ),
    Metric(
        "mm_vet",
        "MM-Vet: a judge grades from 0 to 1, by capability",
        _never,
        JudgeParameters,
        references.text,
        _mm_vet,
        judges={"judge": GRADED},
        judged_score=_graded,
    ),
    Metric(
        "llava_bench",
        "a judge rates the answer and the reference answer from 1 to 10",
        _never,
        JudgeParameters,
        references.text,
        _llava_bench,
        judges={"judge": QUALITY},
        judged_score=_rated,
    ),
    Metric(
        "tempcompass_captioning",
        "TempCompass captioning: a judge answers from the caption",
        _never,
        JudgeParameters,
        references.structure(["answer", "question"]),
        _caption_measures,
        judges={"judge": CAPTION_CHOICE},
        judged_score=_caption_choice,
    ),
    Metric(
        "dream_1k",
        "AutoDQ: events entailed by the other description, F1",
        _never,
        JudgeParameters,
        _events_reference,
        _dream,
        judges={"events": EVENTS, "relations": RELATIONS},
        judged_score=_events,
    ),
)
