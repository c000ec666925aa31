"""What other harnesses score an answer to a question with options with, written anew, their slips included.

Official scripts where they have a rule of their own, lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20). A rule takes
the answer, the index of the right option and the options' texts, and gives 1 or 0, or None for an answer that the
original leaves out of its mean.

Only what is certain is scored: where the original then asks a judge or takes an option at random (MMMU, EgoSchema and
LongVideoBench in lmms-eval; VLMEvalKit after its judge has failed), the score is 0, as with VLMEvalKit's
"exact_matching". A guess would add 1 / number of options on average.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

from vergence.evaluation.compat import choice_readings as readings
from vergence.evaluation.task import LETTERS

Rule = Callable[..., float | None]


def _by_letter(reading: Callable[[str, Sequence[str]], str], *, any_case: bool = False) -> Rule:
    """The rule that compares what a reading finds with the right letter."""

    def score(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
        said, right = reading(prediction, choices), LETTERS[reference]
        return float(said == right or (any_case and said.lower() == right.lower()))

    return score


def _lmms_ranked(answer: str, choices: Sequence[str]) -> str:
    """A to D, however many options there are."""
    return readings.ranked_reading(answer)


def _lmms_exact_match(answer: str, choices: Sequence[str]) -> str:
    """AI2D: "A. ..." is cut to "A"; then the whole answer counts, without punctuation: "(a)" is A, "A) red" is not."""
    return readings.without_punctuation(readings.letter_with_stop(answer).strip())


def _lmms_muirbench(answer: str, choices: Sequence[str]) -> str:
    """As AI2D, but punctuation counts: "(A)" is nothing."""
    return readings.letter_with_stop(answer).strip()


def _lmms_scienceqa(answer: str, choices: Sequence[str]) -> str:
    """The whole answer, or a capital letter with a full stop behind it that begins it."""
    text = answer.strip()
    return text[0] if text[1:2] == "." and text[0].isupper() else text


def _first_character(answer: str, choices: Sequence[str]) -> str:
    """SEED-Bench in lmms-eval: "The answer is B" is T, "(B)" is a bracket."""
    return answer.strip()[:1]


def mmstar_official(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """In lower case, the letter begins the answer, or stands behind "(", "option " or "the answer is ".

    "A cat. The answer is C" is right for A, and "Because" for B. Source: github.com/MMStar-Benchmark/MMStar,
    eval/vlmeval/evaluate/mmstar.py.
    """
    text = prediction.lower().strip().replace("\n", " ")
    return float(any(text.startswith(before + LETTERS[reference].lower()) for before in _MMSTAR_BEFORE))


_MMSTAR_BEFORE = ("", "(", "option ", "the answer is ")

_ANSWER_IS = ("The best answer is", "The correct answer is", "The answer is", "The answer")
# Video-MME's list of phrases lacks two commas, which joins four of them to two that no answer has.
_VIDEOMME_REMOVED = (*_ANSWER_IS, "The best option isThe correct option is", "Best answer:Best option:")
_VLMEVALKIT_REMOVED = (*_VIDEOMME_REMOVED, "Answer:", "Option:")
_LONGVIDEOBENCH_REMOVED = (*_ANSWER_IS, "The best option is", "The correct option is", "Best answer:", "Best option:")


def videomme_official(prediction: str, reference: int, *, choices: Sequence[str]) -> float | None:
    """The first capital A to D behind removed phrases; an answer without one is left out of the mean.

    Source: github.com/BradyFU/Video-MME, evaluation/eval_your_results.py.
    """
    said = readings.first_capital(prediction, "ABCD", _VIDEOMME_REMOVED)
    return float(said == LETTERS[reference]) if said else None


def videomme_vlmevalkit(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """As the official rule, with two more phrases; then options' texts are searched in vain.

    They are looked for in the question, where they aren't. Sources: vlmeval/dataset/videomme.py and utils/videomme.py.
    """
    return float(readings.first_capital(prediction, "ABCD", _VLMEVALKIT_REMOVED) == LETTERS[reference])


def longvideobench_vlmevalkit(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """Video-MME's rule with A to E. Source: vlmeval/dataset/longvideobench.py and utils/longvideobench.py."""
    return float(readings.first_capital(prediction, "ABCDE", _VLMEVALKIT_REMOVED) == LETTERS[reference])


def longvideobench_lmms(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """The first capital A to E behind removed phrases. Source: lmms_eval/tasks/longvideobench/utils.py."""
    return float(readings.first_capital(prediction, "ABCDE", _LONGVIDEOBENCH_REMOVED) == LETTERS[reference])


def mvbench_official(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """The first word is a part of "(b)" or has it: so "b)", and also an empty answer, which is always right.

    The model is to go on from "Best option:(", and that bracket is put before the first line of its answer. Source:
    github.com/OpenGVLab/Ask-Anything, video_chat2/mvbench.ipynb.
    """
    return float(_bracketed("(" + prediction.strip().split("\n")[0], LETTERS[reference]))


def mvbench_vlmevalkit(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """As the official rule, without the bracket and on all lines; else the option that `can_infer` finds.

    Source: vlmeval/dataset/utils/mvbench.py, check_ans_with_model.
    """
    letter = LETTERS[reference]
    return float(_bracketed(prediction.strip(), letter) or readings.can_infer(prediction, choices) == letter)


def _bracketed(text: str, letter: str) -> bool:
    word, option = text.lower().split(" ")[0], f"({letter.lower()})"
    return word.replace(".", "") in option or option in word


def mvbench_lmms(prediction: str, reference: int, *, choices: Sequence[str]) -> float | None:
    """`mvbench_reading`; an empty answer is left out of the mean. Source: lmms_eval/tasks/mvbench/utils.py."""
    if not prediction:
        return None
    return float(readings.mvbench_reading(prediction) == readings.mvbench_reading(LETTERS[reference]))


def mlvu_official(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """All before the first ")" is the letter: the model is to go on from "Best Option: (", so "(B)" is wrong.

    Source: github.com/JUNJIE99/MLVU, video_chat/choice_bench.py.
    """
    return float(prediction.strip().split(")")[0] == LETTERS[reference])


def mlvu_vlmevalkit(prediction: str, reference: int, *, choices: Sequence[str]) -> float:
    """The character before the first ")", without one the whole answer; else the option that `can_infer` finds.

    Source: vlmeval/dataset/utils/mlvu.py, check_ans_with_model.
    """
    before, bracket, _ = prediction.partition(")")
    letter = LETTERS[reference]
    return float((before[-1:] if bracket else before) == letter or readings.can_infer(prediction, choices) == letter)


_PLAIN = _by_letter(readings.can_infer)
_RANKED = _by_letter(_lmms_ranked)
_MMMU = _by_letter(functools.partial(readings.mmmu_reading, forms=readings.LMMS_MMMU_FORMS))
_FIRST = _by_letter(_first_character, any_case=True)

COMPAT: Mapping[str, Mapping[str, Rule]] = {
    "mmmu": {
        "official": _by_letter(functools.partial(readings.mmmu_reading, forms=readings.MMMU_FORMS)),
        "lmms-eval": _MMMU,
        "vlmevalkit": _PLAIN,
    },
    "mmmu_pro": {"lmms-eval": _MMMU, "vlmevalkit": _PLAIN},
    "mmstar": {"official": mmstar_official, "lmms-eval": _RANKED, "vlmevalkit": _PLAIN},
    "mmbench": {"lmms-eval": _by_letter(readings.mmbench_reading), "vlmevalkit": _PLAIN},
    "ai2d": {"lmms-eval": _by_letter(_lmms_exact_match, any_case=True), "vlmevalkit": _PLAIN},
    "blink": {"lmms-eval": _by_letter(readings.blink_reading), "vlmevalkit": _PLAIN},
    "realworldqa": {"lmms-eval": _RANKED, "vlmevalkit": _PLAIN},
    "scienceqa": {"lmms-eval": _by_letter(_lmms_scienceqa, any_case=True), "vlmevalkit": _PLAIN},
    "muirbench": {"lmms-eval": _by_letter(_lmms_muirbench, any_case=True), "vlmevalkit": _PLAIN},
    "videomme": {"official": videomme_official, "lmms-eval": _RANKED, "vlmevalkit": videomme_vlmevalkit},
    "longvideobench": {"lmms-eval": longvideobench_lmms, "vlmevalkit": longvideobench_vlmevalkit},
    "lvbench": {"lmms-eval": _RANKED},
    "mvbench": {"official": mvbench_official, "lmms-eval": mvbench_lmms, "vlmevalkit": mvbench_vlmevalkit},
    "mlvu": {"official": mlvu_official, "lmms-eval": _RANKED, "vlmevalkit": mlvu_vlmevalkit},
    "egoschema": {"lmms-eval": _by_letter(readings.egoschema_reading)},
    "seed-bench-1": {"lmms-eval": _FIRST, "vlmevalkit": _PLAIN},
    "seed-bench-2": {"lmms-eval": _by_letter(_first_character), "vlmevalkit": _PLAIN},
    "seed-bench-2-plus": {"lmms-eval": _FIRST, "vlmevalkit": _PLAIN},
}
"""By benchmark and harness: `(prediction, index of the right option, choices=texts) -> 1, 0 or None`.

Of MMBench this is the score of one order of the options: the harnesses and ours count a question where all are right.
VLMEvalKit has only the questions of SEED-Bench-1 that are about images. SEED-Bench's official score ranks the options
by their likelihood, Video-MME's without subtitles and with them have one rule.
"""
