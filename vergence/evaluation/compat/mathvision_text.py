"""How MathVision's own code finds an answer in a response: a chain of cuts and replacements, in this very order.

Source: github.com/mathllm/MATH-V, evaluation/{evaluate,utils}.py; lmms_eval/tasks/mathvision/{utils,eval_utils}.py.
"""

from __future__ import annotations

import re

_FLAGS = tuple(
    f"{article} {words}"
    for words in ("final answer is", "answer is", "correct answer is", "answer should be")
    for article in ("the", "The")
)
_AFTER_LAST = ("=", "\\approx")
_REPLACED = (
    (" ", ""),
    ("\\,", ""),
    ("∞", "\\infty"),
    ("+\\infty", "\\infty"),
    ("\\\\", "\\"),
    ("\n", ""),
    ("\\text", ""),
    ("\\mbox", ""),
    ("bmatrix", "pmatrix"),
    ("\\left", ""),
    ("\\right", ""),
    ("^{\\circ}", ""),
    ("^\\circ", ""),
    ("{m}^3", ""),
    ("m^3", ""),
    ("{units}", ""),
    ("units", ""),
    ("{km}", ""),
    ("km", ""),
    ("\\!", ""),
    ("\\\\", "\\"),
    ("tfrac", "frac"),
    ("dfrac", "frac"),
    ("\\left", ""),
    ("\\right", ""),
    ("^{\\circ}", ""),
    ("^\\circ", ""),
    ("\\$", ""),
    ("$", ""),
    ("\\%", ""),
    ("{.", "{0."),
)
_LETTERS = tuple((f"{left}{letter}{right}", letter) for left, right in ("()", "{}") for letter in "abcde")


def find_answer(response: str) -> str:
    """The answer in lower case and in the form that is compared; the whole response where nothing marks one."""
    text = _cut(response.strip())
    answer = _find_boxed(text.lower().replace("{}", ""))
    for mark in _AFTER_LAST:
        answer = answer.split(mark)[-1]
    for old, new in _REPLACED:
        answer = answer.replace(old, new)
    answer = _rewritten(answer)
    for old, new in _LETTERS:
        answer = answer.replace(old, new)
    return answer.rstrip(".").lstrip(":").strip()


def _cut(text: str) -> str:
    """The letter that a response ends or begins with, the number behind its last "is", or what follows a flag."""
    for letter in "ABCDE":
        ends = (f" {letter}.", f" ({letter}).")
        starts = (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        if text.endswith(ends) or text.startswith(starts):
            text = letter
    last = text.split("is ")[-1].rstrip(".")
    if _is_number(last):
        text = last
    if "oxed{" not in text:
        for flag in _FLAGS:
            flagged = flag in text
            text = text.split(flag)[-1].strip()
            if flagged:
                text = text.split("\n")[0].split(". ")[0]
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.split("oxed{")[-1]
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _find_boxed(text: str) -> str:
    """From the first box to the last brace, then to the first brace that closes nothing."""
    found = re.findall(r"oxed{(.*)}", text, flags=re.DOTALL)
    answer: str = found[-1] if found else text
    closing, opening = answer.find("}"), answer.find("{")
    return answer[:closing] if closing != -1 and (opening == -1 or closing < opening) else answer


def _rewritten(text: str) -> str:
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    for mark in _AFTER_LAST:
        parts = text.split(mark)
        text = parts[-1] if len(parts) == 2 else text
    if "sqrt" in text:
        # Fractions are completed only beside a root.
        text = _braced_fractions(_braced_roots(text))
    return _slash("\\frac{1}{2}" if text == "0.5" else text)


def _braced_roots(text: str) -> str:
    first, *rest = text.split("\\sqrt")
    return first + "".join(
        "\\sqrt" + (part if not part or part[0] == "{" else f"{{{part[0]}}}{part[1:]}") for part in rest
    )


def _braced_fractions(text: str) -> str:
    """ "\\frac12" as "\\frac{1}{2}"; the text as it is where a numerator has nothing behind it."""
    first, *rest = text.split("\\frac")
    whole = first
    for part in rest:
        if part[:1] == "{":
            whole += "\\frac" + part
        elif len(part) < 2:
            return text
        elif part[1] == "{":
            whole += f"\\frac{{{part[0]}}}{part[1:]}"
        else:
            whole += f"\\frac{{{part[0]}}}{{{part[1]}}}{part[2:]}"
    return whole


def _slash(text: str) -> str:
    """ "3/4" of two plain integers as a LaTeX fraction."""
    found = re.fullmatch(r"(0|-?[1-9][0-9]*)/(0|-?[1-9][0-9]*)", text)
    return f"\\frac{{{found[1]}}}{{{found[2]}}}" if found else text
