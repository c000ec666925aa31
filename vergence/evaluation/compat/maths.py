"""What other harnesses score mathematical answers with, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20), without the language model that they ask where a rule finds no
answer: the whole response stands in the place of what it would have extracted. Two things are not repeated: VLMEvalKit
gives a response to Python's `eval`, of which only arithmetic is computed here; and both may run for ever, which ends
here after some seconds as a wrong answer.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vergence.evaluation.compat.choice_readings import can_infer
from vergence.evaluation.compat.formulas import decided, python_equal, rounded_equal
from vergence.evaluation.compat.mathvision_text import find_answer
from vergence.verifiers.text import levenshtein

# MathVista


def mathvista_normalised(
    extraction: str, *, question_type: str, answer_type: str, choices: Sequence[str] = (), precision: float | None = 0
) -> str | None:
    """The official reading of an extracted answer: the nearest option, a truncated integer, a rounded decimal.

    A letter in brackets goes before everything; whatever isn't a letter becomes the option at the least edit distance.
    "14.9" is the integer 14. A precision that isn't an `int` (the published data has 1.0) makes lmms-eval read nothing,
    where the official code converts it. Sources: github.com/lupantech/MathVista, evaluation/calculate_score.py;
    lmms_eval/tasks/mathvista/mathvista_evals.py.
    """
    if question_type == "multi_choice":
        text = extraction.strip()
        letters = re.findall(r"\(([a-zA-Z])\)", text)
        text = letters[0].upper() if letters else text
        place = ord(text) - ord("A") if len(text) == 1 else -1
        if 0 <= place < len(choices):
            return choices[place]
        return min(choices, key=lambda choice: levenshtein(text, choice))
    try:
        if answer_type == "integer":
            return str(int(float(extraction)))
        if answer_type == "float":
            return str(round(float(extraction), precision))  # type: ignore[arg-type]
    except (ValueError, TypeError, OverflowError):
        return None
    return extraction


def _quick(response: str, question_type: str, answer_type: str, choices: Sequence[str]) -> str:
    """The extraction of both codes that needs no language model; the response itself where there is none."""
    if question_type == "multi_choice" and response in choices:
        return response
    try:
        if answer_type in ("integer", "float"):
            return str(int(response) if answer_type == "integer" else float(response))
    except ValueError:
        pass
    return response


def mathvista_official(
    prediction: str,
    reference: str,
    *,
    question_type: str,
    answer_type: str,
    choices: Sequence[str] = (),
    precision: float | None = 0,
) -> float:
    """MathVista's own: the normalised extraction is the answer, character by character."""
    extraction = _quick(prediction, question_type, answer_type, choices)
    digits = int(precision or 0)
    found = mathvista_normalised(
        extraction, question_type=question_type, answer_type=answer_type, choices=choices, precision=digits
    )
    return float(found == reference)


def mathvista_lmms(
    prediction: str,
    reference: str,
    *,
    question_type: str,
    answer_type: str,
    choices: Sequence[str] = (),
    precision: float | None = 0,
) -> float:
    """lmms-eval's: as the official one, blanks at the ends aside; nothing where the precision is no `int`."""
    extraction = _quick(prediction.strip(), question_type, answer_type, choices)
    found = mathvista_normalised(
        extraction, question_type=question_type, answer_type=answer_type, choices=choices, precision=precision
    )
    return float(str(found).strip() == reference.strip())


def mathvista_vlmevalkit(
    prediction: str,
    reference: str,
    *,
    question_type: str,
    answer_type: str,
    choices: Sequence[str] = (),
    precision: float | None = 0,
) -> float:
    """VLMEvalKit's: the option that `can_infer` finds, `int` and `float` of the whole text compared unrounded.

    "3.0" is no integer, and a list is never right: the reading is made of a variable that is still None. Source:
    vlmeval/dataset/utils/mathvista.py, post_check.
    """
    if question_type == "multi_choice":
        letter = can_infer(prediction, choices)
        wanted = [chr(ord("A") + place) for place, choice in enumerate(choices) if choice == reference]
        return float(bool(letter) and letter in wanted[:1])
    try:
        if answer_type == "integer":
            return float(int(prediction) == int(reference))
        if answer_type == "float":
            return float(float(prediction) == float(reference))
    except ValueError:
        return 0.0
    return float(reference == "None")


# MathVision


def mathvision_lmms(prediction: str, reference: str, *, options: Sequence[str] = ()) -> float:
    """MathVision's own rule and lmms-eval's: the letter or the option's value, as text or to two decimals.

    A formula's value is what Python makes of sympy's way of writing it, in which "sqrt" and "pi" are unknown names: so
    only rational numbers are ever equal by value. Sources: github.com/mathllm/MATH-V, evaluation/{evaluate,utils}.py;
    lmms_eval/tasks/mathvision/{utils,eval_utils}.py.
    """
    found = find_answer(prediction)
    place = ord(reference) - ord("A") if len(reference) == 1 else -1
    value = options[place] if 0 <= place < len(options) else ""
    return float(decided(rounded_equal, reference, found) or decided(rounded_equal, value, found))


def mathvision_vlmevalkit(prediction: str, reference: str, *, options: Sequence[str] = ()) -> float:
    """VLMEvalKit's: the option that `can_infer` finds, or equality of the whole response to 1e-6.

    Texts are read as Python before they are read as LaTeX, so "2^3" is 1 and "3 or 4" is 3; and the reading of the
    reference is in a variable `a`, so that the answer "a" equals any number. Source: vlmeval/dataset/utils/mathv.py.
    """
    found = (can_infer(prediction, options) or "False") if options else prediction
    return float(decided(python_equal, reference, found))


# MathVerse, DynaMath


def mathverse_vlmevalkit(prediction: str, reference: str) -> float:
    """The whole extraction is the answer, blanks at the ends aside. Source: vlmeval/dataset/utils/mathverse.py."""
    return float(prediction.strip() == reference.strip())


def dynamath_vlmevalkit(prediction: str, reference: str, *, answer_type: str) -> float:
    """VLMEvalKit's DynaMath: "short answer" of a JSON object, else the whole response.

    Floats to 0.001, the first word of a float ("3 cm"), a factor before π; one letter among A to E anywhere in the
    text; any other answer is right if it is a part of the reference, so that "" always is. Source:
    vlmeval/dataset/dynamath.py.
    """
    start, end = prediction.find("{"), prediction.rfind("}")
    text = (prediction[start : end + 1] if 0 <= start < end else prediction).replace("\\", "")
    try:
        short = _short(json.loads(text, strict=False).get("short answer"), answer_type)
    except Exception:
        short = None
    try:
        short = short if short is not None else _short(text, answer_type)
    except Exception:
        return 0.0
    if short is None:
        return float(answer_type == "multiple choice" and reference in text[:3].upper())
    if answer_type == "float":
        return float(abs(short - float(reference)) <= 0.001)
    if answer_type == "multiple choice":
        return float(short == reference)
    return float(isinstance(short, str) and short.lower() in reference.lower())


def _short(answer: str, answer_type: str) -> Any:
    """The answer of a type; None where it can't be read. Raises for what isn't text."""
    if answer_type == "float":
        if answer.isdigit():
            return float(answer)
        word = answer.split(" ")[0]
        try:
            return float(word.split("π")[0]) * math.pi if "π" in word else float(word)
        except ValueError:
            return None
    if answer_type == "multiple choice":
        if len(answer) == 1:
            return answer.upper()
        letters = [letter for letter in "ABCDE" if letter in answer.upper()]
        return letters[0] if len(letters) == 1 else None
    return answer


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "mathvista": {"official": mathvista_official, "lmms-eval": mathvista_lmms, "vlmevalkit": mathvista_vlmevalkit},
    "mathvision": {"official": mathvision_lmms, "lmms-eval": mathvision_lmms, "vlmevalkit": mathvision_vlmevalkit},
    "mathverse": {"vlmevalkit": mathverse_vlmevalkit},
    "dynamath": {"vlmevalkit": dynamath_vlmevalkit},
}
"""By benchmark and harness: `(prediction, reference, **fields) -> float`.

The fields are `question_type`, `answer_type`, `choices`, `precision` of MathVista (whose reference is the text of the
right option), `options` of MathVision (whose reference is then a letter), `answer_type` of DynaMath.
"""
