"""What other harnesses score answers of text, OCR and chart benchmarks with, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20), and official code where it differs from what we report. Each
function takes a prediction and what the benchmark gives as reference, and returns 0..1.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from vergence.verifiers.text import leave_one_out, levenshtein, relaxed_accuracy, vqa_accuracy
from vergence.verifiers.vqa import fold_words, separate_possessive, strip_punctuation


def anls_raw_lengths(prediction: str, references: Sequence[str]) -> float:
    """ANLS as the script of the Robust Reading Competition has it, and with it lmms-eval and VLMEvalKit.

    The distance is between texts in lower case with single spaces, but it is divided by the lengths of the texts as
    they came, so that blanks raise the score; and a similarity of exactly 0.5 counts. Sources: infographicsvqa_eval.py
    (rrc.cvc.uab.es, challenge 17), lmms_eval/api/metrics.py, vlmeval/dataset/utils/vqa_eval.py.
    """
    answer = " ".join(prediction.lower().split())
    best = min(_raw_distance(answer, prediction, reference) for reference in references)
    return 1 - best if 1 - best >= 0.5 else 0.0


def _raw_distance(answer: str, prediction: str, reference: str) -> float:
    longest = max(len(prediction.upper()), len(reference.upper()))
    return levenshtein(answer, " ".join(reference.lower().split())) / longest if longest else 0.0


def chartqa_lmms(prediction: str, reference: str) -> float:
    """`relaxed_accuracy`: the very rule. Source: lmms_eval/tasks/chartqa/utils.py."""
    return float(relaxed_accuracy(prediction, reference))


def chartqa_vlmevalkit(prediction: str, reference: str) -> float:
    """`relaxed_accuracy` of the prediction without blanks at its ends. Source: vlmeval/dataset/utils/vqa_eval.py."""
    return float(relaxed_accuracy(prediction.strip(), reference))


_RECOUNTED = 32  # re.UNICODE given as the count of replacements
_COMMAS_BETWEEN_DIGITS = re.compile(r"(?<=\d),+(?=\d)")
_STOP_BETWEEN_NO_DIGITS = re.compile(r"(?<!\d)\.(?!\d)")


def _lmms_words(text: str) -> str:
    return fold_words(strip_punctuation(text, comma=_COMMAS_BETWEEN_DIGITS, stops=_RECOUNTED))


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def textvqa_lmms(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy with EvalAI's normalisation, at most 32 full stops removed.

    Sources: lmms_eval/tasks/textvqa/utils.py and _task_utils/vqa_eval_metric.py.
    """
    normal = [_lmms_words(_one_line(separate_possessive(text))) for text in (prediction, *references)]
    return leave_one_out(normal[0], normal[1:])


def vqav2_lmms(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy with VQA v2's normalisation of everything, whether the answers differ or not.

    Source: lmms_eval/tasks/vqav2/utils.py.
    """
    normal = [_lmms_words(_one_line(text)) for text in (prediction, *references)]
    return leave_one_out(normal[0], normal[1:])


def vqa_vlmevalkit(prediction: str, references: Sequence[str]) -> float:
    """VQA accuracy with VQA v2's normalisation, but a full stop behind a digit stays ("5." is not "5").

    The same for TextVQA, where EvalAI would also remove commas and part "'s". Source:
    vlmeval/dataset/utils/vqa_eval.py and smp/misc.py.
    """
    normal = [
        fold_words(strip_punctuation(_one_line(text), stop=_STOP_BETWEEN_NO_DIGITS, stops=_RECOUNTED))
        for text in (prediction, *references)
    ]
    return leave_one_out(normal[0], normal[1:])


def vqav2_official(prediction: str, references: Sequence[str]) -> float:
    """VQA v2's own rule: answers are normalised only where they differ, and only their punctuation."""
    return vqa_accuracy(prediction, references, rule="vqav2")


def fold_fullwidth(text: str) -> str:
    """The full-width forms of ASCII (U+FF01 to U+FF5E) and of the space (U+3000) as ASCII; nothing else."""
    return text.translate({code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20})


def ocrbench_lmms(prediction: str, references: Sequence[str], *, formula: bool = False) -> float:
    """OCRBench's rule with full-width forms folded, except in formulas; an empty reference is in anything.

    Source: lmms_eval/tasks/ocrbench/utils.py.
    """
    fold = (lambda text: text) if formula else fold_fullwidth
    return _ocrbench(fold(prediction.strip()), [fold(reference) for reference in references], formula)


def ocrbench_vlmevalkit(prediction: str, references: Sequence[str], *, formula: bool = False) -> float:
    """OCRBench's rule; an empty reference is in anything. Source: vlmeval/dataset/utils/ocrbench.py."""
    return _ocrbench(prediction, references, formula)


def _ocrbench(prediction: str, references: Sequence[str], formula: bool) -> float:
    def read(text: str) -> str:
        line = text.strip() if formula else text.lower().strip()
        return line.replace("\n", " ").replace(" ", "" if formula else " ")

    return float(any(read(reference) in read(prediction) for reference in references))


COMPAT: Mapping[str, Mapping[str, Callable[..., Any]]] = {
    "docvqa": {"official": anls_raw_lengths, "lmms-eval": anls_raw_lengths, "vlmevalkit": anls_raw_lengths},
    "infovqa": {"official": anls_raw_lengths, "lmms-eval": anls_raw_lengths, "vlmevalkit": anls_raw_lengths},
    "chartqa": {"lmms-eval": chartqa_lmms, "vlmevalkit": chartqa_vlmevalkit},
    "textvqa": {"lmms-eval": textvqa_lmms, "vlmevalkit": vqa_vlmevalkit},
    "vqav2": {"official": vqav2_official, "lmms-eval": vqav2_lmms},
    "ocrbench": {"lmms-eval": ocrbench_lmms, "vlmevalkit": ocrbench_vlmevalkit},
}
"""By benchmark and harness: `(prediction, reference) -> float`.

The reference is one text for ChartQA and a list of texts elsewhere; OCRBench's also take `formula` (HME100k).
"""
