"""What other harnesses score answers about videos with, written anew, their slips included.

Official code, lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20). None stands where the original asks a judge, leaves
the answer out or raises an error. VSI-Bench is in `vergence.evaluation.compat.spatial`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from vergence.evaluation.metrics.captions import harmonic_mean
from vergence.evaluation.metrics.streaming import OVO_GROUPS

Span = tuple[float, float]

_EXAMPLE = "a specific example is : 20.8 - 30.0 seconds"
_KEYWORDS = ("start", "end", "happen")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2})?"
_CLOCKS = re.compile(rf"\b({_CLOCK})\s*[–-]\s*({_CLOCK})\b")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*[–-]\s*(\d+(?:\.\d+)?)")
_RANGE_UNITS = re.compile(r"(\d+(?:\.\d+)?)\s*s?\s*[–-]\s*(\d+(?:\.\d+)?)\s*s?")


def charades_span(prediction: str) -> Span | None:
    """lmms-eval's span of Charades-STA in seconds, None for none; its parts are put in order.

    Every "to" becomes "-" ("tomato" too) and the text is cut at ! ? and line ends; only parts with "start", "end" or
    "happen" are read if there are any. The first rule that finds something decides: a range of clock times, a range of
    numbers, two clock times, the *first* number of each part (so "start time: 3s, end time: 9s" has one and fails).
    Source: lmms_eval/tasks/charades_sta/utils.py, extract_time.
    """
    parts = re.split(r"[!?\n]", prediction.lower().replace(_EXAMPLE, "").replace("to", "-"))
    parts = [part for part in parts if any(word in part for word in _KEYWORDS)] or parts
    for start, end in _charades_pairs(parts):
        return (start, end) if end > start else (end, start)
    return None


def _charades_pairs(parts: Sequence[str]) -> Iterator[Span]:
    """The first pair of times by each rule, in the rules' order."""
    for part in parts:
        if match := _CLOCKS.search(part):
            yield _clock(match.group(1)), _clock(match.group(2))
    for part in parts:
        if match := _RANGE.search(part):
            yield float(match.group(1)), float(match.group(2))
    clocks = [_clock(text) for part in parts for text in re.findall(rf"\b({_CLOCK})\b", part)]
    if len(clocks) > 1:
        yield clocks[0], clocks[1]
    numbers = [float(match.group()) for part in parts if (match := re.search(r"\b\d+(?:\.\d+)?\b", part))]
    if len(numbers) > 1:
        yield numbers[0], numbers[1]
    for part in parts:
        if match := _RANGE_UNITS.search(part):
            yield float(match.group(1)), float(match.group(2))


def _clock(text: str) -> float:
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def hull_tiou(first: Span, second: Span) -> float:
    """Intersection over the hull of two spans, which is their union only where they meet; 0 for an empty hull."""
    hull = max(first[1], second[1]) - min(first[0], second[0])
    shared = min(first[1], second[1]) - max(first[0], second[0])
    return max(shared, 0) / hull if hull > 0 else 0.0


def charades_lmms(prediction: str, reference: Span) -> float:
    """The tIoU of that span, 0 without one. Source: lmms_eval/tasks/charades_sta/utils.py."""
    span = charades_span(prediction)
    return 0.0 if span is None else hull_tiou(reference, span)


def charades_means_lmms(keys: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """mIoU and the share with tIoU >= 0.3, 0.5, 0.7, all times 100.

    Answers are kept by a key of video, caption and span: of samples that share it only the last counts.
    """
    kept = list(dict(zip(keys, scores, strict=True)).values())
    shares = {f"IOU@{int(t * 10)}": sum(score >= t for score in kept) * 100 / len(kept) for t in (0.3, 0.5, 0.7)}
    return {**shares, "mIOU": sum(kept) * 100 / len(kept)}


def _rate_choice(prediction: str, reference: str) -> float | None:
    """1 for the reference itself; else the letter, alone or before "." or ")", decides."""
    if prediction == reference:
        return 1.0
    if prediction in ("A", "B", "C", "D") or re.match(r"[A-D][.)]", prediction):
        return float(prediction[0] == reference[0])
    return None


def _rate_yes_no(prediction: str, reference: str) -> float | None:
    """How the answer begins, in any case: "Nothing moves" is a no."""
    said = next((word for word in ("yes", "no") if prediction.lower().startswith(word)), None)
    return None if said is None else float(said == reference)


def _rate_matching(prediction: str, reference: str, question: str, *, bare: bool) -> float | None:
    """An option, its sentence (also behind ") "), or its label ("Caption A", with `bare` "A"); the last that fits."""
    options = [line.split(": ") for line in question.split("\n")[1:]]
    labels = [option[0] for option in options]
    if bare:
        labels += [re.sub("(?:Sentence|Option|Caption) ", "", label) for label in labels]
    behind = prediction.split(") ")[1] if ") " in prediction else prediction
    said = [line for line in question.split("\n")[1:] if line == prediction][-1:]
    said += [option[1] for option in options if option[1] in (prediction, behind)][-1:]
    said += [label for label in labels if label in (prediction, prediction.replace(".", ""))][-1:]
    if not said:
        return None
    label, sentence = reference.split(": ")[:2]
    right = {reference, reference.split(":")[0], sentence, *([label.split()[1]] if bare else [])}
    return float(said[-1] in right)


def _rate_captioning(reply: str, reference: str) -> float | None:
    """The judge's letter, where its answer names no second one. None for an empty reply, which is rated -1."""
    if not reply or reply == "invalid_request_error":
        return None
    lines = [line.strip().replace("Answer:", "").strip() for line in reply.split("\n") if "Answer" in line]
    said = lines[-1] if lines else reply
    single = sum(said.count(letter) for letter in ("A.", "B.", "C.", "D.")) == 1
    return float(single and said.split(". ")[0] == reference.split(". ")[0])


def tempcompass_rule(prediction: str, reference: str, *, kind: str, question: str = "") -> float | None:
    """The rules of lmms-eval and VLMEvalKit for a format; None where a judge is asked.

    For "captioning" the prediction is the judge's reply. Sources: lmms_eval/tasks/tempcompass/utils.py,
    vlmeval/dataset/utils/tempcompass.py. Raises `IndexError` or `ValueError` for options
    without ": ".
    """
    if kind == "caption_matching":
        return _rate_matching(prediction, reference, question, bare=True)
    return _TEMPCOMPASS[kind](prediction, reference)


def tempcompass_official(prediction: str, reference: str, *, kind: str, question: str = "") -> float | None:
    """The official rules: "</s>" is removed, and "A" alone doesn't name a caption. Source: its eval_*.py."""
    said = prediction.replace("</s>", "")
    if kind == "caption_matching":
        return _rate_matching(said, reference, question, bare=False)
    return _TEMPCOMPASS[kind](said, reference)


_TEMPCOMPASS: Mapping[str, Callable[[str, str], float | None]] = {
    "multi-choice": _rate_choice,
    "yes_no": _rate_yes_no,
    "captioning": _rate_captioning,
}


def ovo_official(prediction: str | None, reference: str | int, *, task: str) -> float:
    """The reference is in the answer: "The Answer is B" is right for A. A missing answer is wrong.

    REC joins all digits of the answer ("2 of 3" is 23). SSR and CRR look for "Yes" (1) or "No" (0), or for exactly "Y"
    or "N"; "Not" has a "No". Source: OVO-Bench, utils/OVOBenchScore.py.
    """
    if prediction is None:
        return 0.0
    if task == "REC":
        return float("".join(re.findall(r"\d+", prediction)) == str(reference))
    if task in OVO_GROUPS["forward"]:
        word = "Yes" if reference == 1 else "No"
        return float(prediction == word[0] or word in prediction)
    return float(str(reference) in prediction)


def ovo_lmms(prediction: str | None, reference: str | int, *, task: str) -> float | None:
    """The official rule; a missing answer of a forward task is left out (None). Source: tasks/ovobench/score_utils."""
    return (
        None if prediction is None and task in OVO_GROUPS["forward"] else ovo_official(prediction, reference, task=task)
    )


def _task_means(scores: Sequence[float | None], tasks: Sequence[str]) -> dict[str, float]:
    by_task: dict[str, list[float]] = {}
    for score, task in zip(scores, tasks, strict=True):
        if score is not None:
            by_task.setdefault(task, []).append(score)
    return {task: sum(found) / len(found) for task, found in by_task.items()}


def ovo_means_official(scores: Sequence[float | None], tasks: Sequence[str]) -> dict[str, float]:
    """Means by task and group; "total" is the mean of all tasks, which weighs realtime with its six twice as much.

    Printed times 100. Source: OVO-Bench, utils/OVOBenchScore.py; other copies have the mean of the groups.
    """
    means = _task_means(scores, tasks)
    groups = {
        group: sum(means[task] for task in members if task in means) / sum(task in means for task in members)
        for group, members in OVO_GROUPS.items()
        if any(task in means for task in members)
    }
    return {**means, **groups, "total": sum(means.values()) / len(means)}


def ovo_means_lmms(scores: Sequence[float | None], tasks: Sequence[str]) -> dict[str, float]:
    """Means by task and group (times 100 there), which are three benchmarks without a common mean."""
    return {name: value for name, value in ovo_means_official(scores, tasks).items() if name != "total"}


def streaming_bench_official(prediction: str | None, reference: str) -> float | None:
    """The answer's first character is the letter; None, a missing or empty answer, is left out.

    Source: StreamingBench, src/data/count.py.
    """
    return float(prediction[0] == reference) if prediction else None


def proactive_official(prediction: str, reference: str, *, time: float, true_time: float) -> float:
    """Spoken within 2 seconds of the true moment, with the output as a substring. Source: as above."""
    return float(-2 <= time - true_time <= 2 and reference in prediction)


def dream_official(recalls: Sequence[float], precisions: Sequence[float], subsets: Sequence[str]) -> dict[str, float]:
    """Means by subset, of these the means, and F1 of these; 0 where it divides by 0.

    Videos whose judge failed aren't among the scores. Source: bytedance/tarsier, evaluate_dream_gpt.py.
    """
    by_recall, by_precision = _task_means(recalls, subsets), _task_means(precisions, subsets)
    recall = sum(by_recall.values()) / len(by_recall)
    precision = sum(by_precision.values()) / len(by_precision)
    return {"recall": recall, "precision": precision, "f1": harmonic_mean(recall, precision)}


def dream_vlmevalkit(recalls: Sequence[float], precisions: Sequence[float], subsets: Sequence[str]) -> dict[str, float]:
    """Means over all videos, whatever their subset, and F1 of these. Source: vlmeval/dataset/dream.py, evaluate."""
    recall, precision = sum(recalls) / len(recalls), sum(precisions) / len(precisions)
    return {"recall": recall, "precision": precision, "f1": harmonic_mean(recall, precision)}


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "charades_sta": {"lmms-eval": charades_lmms},
    "tempcompass": {
        "official": tempcompass_official,
        "lmms-eval": tempcompass_rule,
        "vlmevalkit": tempcompass_rule,
    },
    "ovo_bench": {"official": ovo_official, "lmms-eval": ovo_lmms},
    "streaming_bench": {"official": streaming_bench_official},
    "streaming_bench_proactive": {"official": proactive_official},
}
"""By benchmark and harness: `(prediction, reference) -> float | None`.

Charades-STA's reference is (start, end) and the score a tIoU; TempCompass' functions also take `kind` (its format) and,
for caption matching, `question`; OVO-Bench's `task`, with a count for REC and 1 or 0 for SSR and CRR; those of
proactive output `time` and `true_time`.
"""

AGGREGATES: Mapping[str, Mapping[str, Callable[..., dict[str, float]]]] = {
    "charades_sta": {"lmms-eval": charades_means_lmms},
    "ovo_bench": {"official": ovo_means_official, "lmms-eval": ovo_means_lmms},
    "dream_1k": {"official": dream_official, "vlmevalkit": dream_vlmevalkit},
}
"""By benchmark and harness: the result of a whole benchmark where it isn't the mean of the answers' scores."""
