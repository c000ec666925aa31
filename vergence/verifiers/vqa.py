"""The normalisation of short answers that VQA accuracy is defined with, step by step.

Sources: github.com/GT-Vision-Lab/VQA, PythonEvaluationTools/vqaEvaluation/vqaEval.py (VQA v2), and MMF's
EvalAIAnswerProcessor, pythia/tasks/processors.py at c46b3b3 (TextVQA, VizWiz, TextCaps).
"""

from __future__ import annotations

import re

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
"""Characters that `strip_punctuation` removes or turns into a space; the full stop has a rule of its own."""

_NUMBER_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBERS = {word: str(value) for value, word in enumerate(_NUMBER_WORDS)} | {"none": "0"}
_ARTICLES = frozenset(("a", "an", "the"))

# Each is also written with one apostrophe left out, any of them. Not here are those whose short form is a word of its
# own ("lets", "shes" are left alone, as in the sources).
_CONTRACTIONS_WITH_APOSTROPHE = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've
    he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've
    o'clock oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's
    someone'd someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've
    there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's
    what've when's where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've
    wouldn't wouldn't've y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
CONTRACTIONS = {
    word[:place] + word[place + 1 :]: word
    for word in _CONTRACTIONS_WITH_APOSTROPHE.split()
    for place, character in enumerate(word)
    if character == "'"
} | {"somebody'd": "somebodyd"}
"""How contractions are spelled; the last one the other way round, as in the sources."""

_STOP = re.compile(r"\.(?!\d)")
_COMMA_BETWEEN_DIGITS = re.compile(r"\d,\d")


def strip_punctuation(
    text: str, *, stop: re.Pattern[str] = _STOP, comma: re.Pattern[str] = _COMMA_BETWEEN_DIGITS, stops: int = 0
) -> str:
    """Removes a mark that touches a space, turns another one into a space; full stops go unless a digit follows.

    A comma between digits anywhere makes every mark be removed. The sources mean to keep a stop behind a digit too, but
    their pattern doesn't ("5." becomes "5"), and they remove at most 32 stops because a flag stands in the place of the
    count: `stops`, of which 0 is all, and the patterns are for those who want a copy's exact behaviour.
    """
    all_removed = comma.search(text) is not None
    stripped = text
    for mark in PUNCTUATION:
        removed = all_removed or f"{mark} " in text or f" {mark}" in text
        stripped = stripped.replace(mark, "" if removed else " ")
    return stop.sub("", stripped, count=stops)


def fold_words(text: str) -> str:
    """Lower case, number words up to ten as digits, no articles, contractions with their apostrophe, single spaces."""
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in _ARTICLES)


def vqa_normalise(text: str) -> str:
    """The normalisation of VQA v2: punctuation, then words."""
    return fold_words(strip_punctuation(_one_line(text)))


def evalai_normalise(text: str) -> str:
    """The normalisation of TextVQA on EvalAI: as VQA v2's, without commas and question marks, "'s" as its own word."""
    return fold_words(strip_punctuation(_one_line(separate_possessive(text))))


def separate_possessive(text: str) -> str:
    """EvalAI's first step: lower case, no commas or question marks, and a space before "'s"."""
    return text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()


def _one_line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
