"""The fixed prompts that say what form an answer should have: one model gives short and long answers on demand.

LLaVA-1.5 ends questions that have a short answer with a sentence that asks for one (Liu et al. 2023, "Improved
Baselines with Visual Instruction Tuning", arXiv 2310.03744, section 3.3 and table 7); Seed1.5-VL and
LLaVA-OneVision do the same.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from vergence.data.generator import Turn

Form = Literal["plain", "word", "letter", "thought"]
"""Nothing added; a single word or phrase; an option's letter; reasoning, then a line "Answer: ..."."""

PROMPTS: Mapping[str, Mapping[Form, str]] = {
    "en": {
        "plain": "",
        "word": "Answer the question using a single word or phrase.",
        "letter": "Answer with the option's letter from the given choices directly.",
        "thought": 'Think step by step, then give the result on a last line that begins with "Answer:".',
    },
    "zh": {
        "plain": "",
        "word": "请用一个词或短语回答问题。",
        "letter": "请直接用选项的字母回答。",
        "thought": "请逐步思考，最后另起一行，以“答案：”开头给出结果。",
    },
}
ANSWER: Mapping[str, str] = {"en": "Answer: ", "zh": "答案："}
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def ask(question: str, form: Form, language: str = "en") -> str:
    """The question with the prompt of a form behind it, on a line of its own."""
    prompt = PROMPTS[language][form]
    return f"{question}\n{prompt}" if prompt else question


def thought(steps: Sequence[str], answer: str, language: str = "en") -> str:
    """Reasoning, one step a line, and the answer on the last."""
    return "\n".join([*steps, ANSWER[language] + answer])


def short_turn(question: str, answer: str, check: Mapping[str, Any], language: str = "en") -> Turn:
    """A question that asks for a single word or phrase."""
    return Turn(ask(question, "word", language), answer, check)


def thought_turn(
    question: str, steps: Sequence[str], answer: str, check: Mapping[str, Any], language: str = "en"
) -> Turn:
    """A question that asks for reasoning; the check reads the last line."""
    return Turn(ask(question, "thought", language), thought(steps, answer, language), check)


def choice_turn(question: str, answer: str, others: Sequence[str], rng: random.Random, language: str = "en") -> Turn:
    """A question with lettered options in random order, of which `answer` is right; it is answered by its letter.

    Raises `ValueError` where an option stands twice or there are more than 26.
    """
    choices = [answer, *others]
    if len(set(choices)) != len(choices) or len(choices) > len(LETTERS):
        raise ValueError(f"options must differ and be at most 26: {choices}")
    rng.shuffle(choices)
    listed = "\n".join(f"{LETTERS[number]}. {choice}" for number, choice in enumerate(choices))
    right = choices.index(answer)
    check = {"verifier": "choice", "target": right, "choices": choices}
    return Turn(ask(f"{question}\n{listed}", "letter", language), LETTERS[right], check)
