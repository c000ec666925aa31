"""TempCompass: temporal perception in four formats of question, as far as rules can read the answers.

`None` from a rule means that a judge has to decide; the official script asks one for these, and for every caption.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from vergence.evaluation.metrics.groups import Labels, mean_measure, mean_measures
from vergence.evaluation.metrics.yes_no import read_yes_no
from vergence.evaluation.task import LETTERS, Measure
from vergence.verifiers.choice import read_choice

TEMPCOMPASS_FORMATS = ("multi-choice", "yes_no", "caption_matching", "captioning")

_LETTER = re.compile(r"[(\[]?\s*([A-D])\s*(?:[.):\]]+\s*(?P<text>.*))?$", re.DOTALL)
_LABEL = re.compile(
    r"(?:(?:caption|option|sentence)\s*)?([ab12])\b\s*(?:[.):]+\s*(?P<text>.*))?$", re.IGNORECASE | re.DOTALL
)
_MARKUP = " \t\r\n*_`\"'"


def rate_choice(answer: str, reference: str, options: Sequence[str] = ()) -> bool | None:
    """Whether a multiple-choice answer is the reference ("A. running"); None where no option can be read.

    With the options' texts the answer is read as `vergence.verifiers.choice` reads it; without them by its letter ("A",
    "(A)", "A.", "A) running") or the reference's whole text. Source for the format: Liu et al. 2024 (arXiv 2403.00476),
    eval_multi-choice.py.
    """
    letter, _, text = reference.partition(".")
    if options:
        index = read_choice(answer, options).index
        return None if index is None else LETTERS[index] == letter.strip()
    said = answer.strip(_MARKUP)
    if _plain(said) in {_plain(reference), _plain(text)}:
        return True
    match = _LETTER.match(said)
    return match.group(1) == letter.strip() if match else None


def rate_yes_no(answer: str, reference: str) -> bool | None:
    """Whether an answer says the reference ("yes" or "no"); None where it says neither ("Not sure")."""
    said = read_yes_no(answer)
    return None if said is None else said == (reference.strip().lower() == "yes")


def rate_matching(answer: str, question: str, reference: str) -> bool | None:
    """Whether an answer to "which caption fits?" is the reference ("Caption A: a dog runs"); None where it is unclear.

    The options are the question's lines after the first, "Caption A: ...", "Option 1: ..." or "Sentence B: ...". Read
    are an option, its label with or without the word ("Caption A", "A", "1."), or its sentence; failing that, the only
    label that the answer mentions with its word ("The better one is caption A.").
    """
    options = [line for line in question.split("\n")[1:] if ":" in line]
    said = answer.strip(_MARKUP)
    chosen = [option for option in options if _plain(said) in {_plain(option), _plain(option.partition(":")[2])}]
    match = _LABEL.match(said)
    if not chosen and match:
        chosen = [option for option in options if option.partition(":")[0].split()[-1:] == [match.group(1).upper()]]
    if not chosen:
        named = read_choice(answer, [option.partition(":")[0] for option in options]).index
        chosen = [] if named is None else [options[named]]
    return _plain(chosen[0]) == _plain(reference) if len(chosen) == 1 else None


def rate_captioning(reply: str, reference: str) -> bool | None:
    """Whether the judge, answering the multiple-choice question from a caption, chose the reference ("A. running").

    Of the reply the last "Answer:" line counts, or all of it where there is none; it may also be that no option fits,
    which is wrong. None where neither a letter nor that can be read.
    """
    answers = re.findall(r"Answer:\s*(.*)", reply, re.IGNORECASE)
    said = (answers[-1] if answers else reply).strip(_MARKUP)
    if re.match(r"none of the (?:choices|options)", said, re.IGNORECASE):
        return False
    return rate_choice(said, reference)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).rstrip(" .")


def tempcompass(
    ratings: Sequence[bool | None],
    formats: Sequence[str],
    dimensions: Labels,
    extra: Mapping[str, Labels] | None = None,
) -> list[Measure]:
    """TempCompass: `accuracy` over all questions, `undecided_ratio`, then by format and by temporal aspect.

    A rating that is None, which neither rule nor judge decided, counts as wrong. Source: github.com/llyx97/TempCompass,
    utils/eval_utils.py (its average is over questions). Raises `ValueError` for an unknown format and unequal lengths.
    """
    strange = next((name for name in formats if name not in TEMPCOMPASS_FORMATS), None)
    if strange is not None:
        raise ValueError(f"unknown format {strange!r}; TempCompass has {', '.join(TEMPCOMPASS_FORMATS)}")
    scores = [float(rating is True) for rating in ratings]
    groups: dict[str, Labels] = {"format": formats, "dimension": dimensions, **(extra or {})}
    overall, *parts = mean_measures("accuracy", scores, groups)
    return [overall, mean_measure("undecided_ratio", [float(rating is None) for rating in ratings]), *parts]
