"""Questions about a video while it runs: OVO-Bench, StreamingBench and OVBench."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vergence.evaluation.metrics.groups import Labels, grouped, macro_mean, mean_measure, mean_measures
from vergence.evaluation.metrics.yes_no import read_yes_no
from vergence.evaluation.task import Measure
from vergence.verifiers.counting import read_count

OVO_GROUPS = {
    "backward": ("EPM", "ASI", "HLD"),
    "realtime": ("OCR", "ACR", "ATR", "STU", "FPD", "OJR"),
    "forward": ("REC", "SSR", "CRR"),
}
"""OVO-Bench's twelve tasks: what was seen, what is seen, and when there is enough to answer."""


def ovo_forward_correct(task: str, answer: str, reference: int | bool) -> bool | None:
    """Whether an answer of a forward task is right; None where it can't be read.

    REC asks how often something was done so far (a count), SSR and CRR whether a step is being done or the question can
    be answered (True is yes). Raises `ValueError` for other tasks, which have options.
    """
    if task not in OVO_GROUPS["forward"]:
        raise ValueError(f"{task!r} isn't a forward task of OVO-Bench ({', '.join(OVO_GROUPS['forward'])})")
    said = read_count(answer) if task == "REC" else read_yes_no(answer)
    return None if said is None else said == reference


def ovo_bench(correct: Sequence[bool | None], tasks: Sequence[str]) -> list[Measure]:
    """OVO-Bench: `accuracy` as the mean of the three groups' means of their tasks' accuracies, then each of these.

    `task_accuracy` is the mean of the twelve tasks, which the official script prints as its total, and
    `micro_accuracy` that of all questions, which its first README shows; for Gemini 1.5 Pro (65.25 by task) the
    groups' mean is 63.41. None counts as wrong and in `invalid_ratio`. Source: Li et al. 2025 (arXiv 2501.05510);
    github.com/JoeLeelyf/OVO-Bench, utils/OVOBenchScore.py. Raises `ValueError` for an unknown task and unequal lengths.
    """
    known = [task for group in OVO_GROUPS.values() for task in group]
    strange = next((task for task in tasks if task not in known), None)
    if strange is not None:
        raise ValueError(f"unknown task {strange!r}; OVO-Bench has {', '.join(known)}")
    scores = [float(right is True) for right, _ in zip(correct, tasks, strict=True)]
    by_task = {
        task: mean_measure("accuracy", [scores[position] for position in positions], f"task={task}")
        for task, positions in grouped(tasks).items()
    }
    groups = [
        macro_mean("accuracy", [by_task[task] for task in members if task in by_task], f"group={group}")
        for group, members in OVO_GROUPS.items()
    ]
    ordered = [by_task[task] for task in known if task in by_task]
    return [
        macro_mean("accuracy", groups),
        macro_mean("task_accuracy", ordered),
        mean_measure("micro_accuracy", scores),
        mean_measure("invalid_ratio", [float(right is None) for right in correct]),
        *groups,
        *ordered,
    ]


def streaming_bench(
    correct: Sequence[bool | None], tasks: Sequence[str], categories: Labels | None = None
) -> list[Measure]:
    """StreamingBench's questions with options: accuracy over all, by category (question file) and by task type.

    None, a missing or unreadable answer, counts as wrong and in `invalid_ratio`; the official count leaves missing
    answers out and reads an answer's first character only. Source: Lin et al. 2024 (arXiv 2411.03628);
    github.com/THUNLP-MT/StreamingBench, src/data/count.py. Raises `ValueError` for unequal lengths.
    """
    scores = [float(right is True) for right in correct]
    groups: dict[str, Labels] = {} if categories is None else {"category": categories}
    overall, *parts = mean_measures("accuracy", scores, {**groups, "task": tasks})
    return [overall, mean_measure("invalid_ratio", [float(right is None) for right in correct]), *parts]


POLL_SLACK = 4
"""Seconds after the true moment until which StreamingBench keeps asking."""


def poll_times(asked: int, truth: int, slack: int = POLL_SLACK) -> range:
    """The whole seconds at which a proactive question is put, "is it time now?": asked + 1 up to truth + slack."""
    return range(asked + 1, truth + slack + 1)


@dataclass(frozen=True, slots=True)
class Proactive:
    """A model that was to speak up by itself: when it did (seconds; None for never), what it said, and the truth."""

    time: float | None
    text: str
    true_time: float
    true_output: str

    def timely(self, window: float) -> bool:
        """Whether it spoke at most `window` seconds before or after the true moment."""
        return self.time is not None and abs(self.time - self.true_time) <= window

    def right(self, window: float) -> bool:
        """Whether it was timely and said the output, as whole words in any case ("3" isn't in "13")."""
        words = rf"(?<!\w){re.escape(self.true_output.strip().casefold())}(?!\w)"
        return self.timely(window) and re.search(words, self.text.casefold()) is not None


def proactive_output(answers: Sequence[Proactive], windows: Sequence[float] = (2.0,)) -> list[Measure]:
    """StreamingBench's proactive output: for each window (seconds) `accuracy` (timely and right) and `time_accuracy`.

    The published score has the window 2. Source: as `streaming_bench`; there the output is looked for as a substring in
    the same case. A model that never spoke is wrong.
    """
    measures = []
    for window in windows:
        name = "" if window == windows[0] else f"within={window:g}s"
        measures.append(mean_measure("accuracy", [float(answer.right(window)) for answer in answers], name))
        measures.append(mean_measure("time_accuracy", [float(answer.timely(window)) for answer in answers], name))
    return measures


def ovbench(
    correct: Sequence[bool | None], types: Sequence[str], subtasks: Sequence[str], contexts: Labels | None = None
) -> list[Measure]:
    """OVBench: `accuracy` as the mean of the 16 subtasks' accuracies, over all questions, by task type and subtask.

    `contexts` are past, current and future. None counts as wrong; the official script leaves empty answers out. That
    script prints the share over all questions of each source dataset; which mean the published average is isn't written
    down, so both are here. Source: Huang et al. 2025 (arXiv 2501.00584). Raises `ValueError` for unequal lengths.
    """
    scores = [float(right is True) for right in correct]
    groups: dict[str, Labels] = {"type": types} if contexts is None else {"context": contexts, "type": types}
    _, *by_subtask = mean_measures("accuracy", scores, {"subtask": subtasks})
    overall, *by_type = mean_measures("micro_accuracy", scores, groups)
    return [
        macro_mean("accuracy", by_subtask),
        overall,
        mean_measure("invalid_ratio", [float(right is None) for right in correct]),
        *by_type,
        *by_subtask,
    ]
