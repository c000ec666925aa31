"""Statements that say which option is the answer: "the answer is B", "B is correct", "I choose B", "选B"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from vergence.verifiers.labels import LABEL, LATIN, LISTED_BEFORE, MARKED, NAMED, QUOTE, TARGET, index_of, listed
from vergence.verifiers.option_texts import LONGEST, leading_texts, texts_in, without_letters

_NOUN = r"(?:answer|choice|option|selection|pick|match|guess)"
_IS = (
    r"(?:is|are|was|would\s+be|should\s+be|must\s+be|will\s+be|has\s+to\s+be|could\s+only\s+be|can\s+only\s+be"
    r"|(?:seems|appears)\s+to\s+be|=|:|：|-+>|=+>|\s-|→)"
)
_ADVERB = r"(?:as\s+follows\s*[:：]\s*|(?:most\s+)?(?:(?!only\b)\w+ly|thus|indeed)\s*[,:]?\s+)?"
_NAMES = [
    rf"\b{_NOUN}\b(?!\s+[(\[]?(?-i:[A-HJ-Z])\b)(?:\s+(?!not\b)(?!{_IS})[\w'’]+){{0,6}}?\s*{_IS}\s*[:：]?\s*{_ADVERB}(?:[-*•]\s+)?",
    r"\bans\s*[.:=]+\s*",
    r"\b(?:final|correct|result|conclusion|response|output|prediction|verdict|solution)\s*[:：]\s*",
    r"【?(?:答案|选项|選項|正确选项)(?:】|\s*(?:应该|应当|應該|应)?\s*(?:是|为|為|[选選][择擇]?|：|:))\s*[:：]?\s*",
    r"(?:^|\n)答\s*[:：]\s*",
]
_CHOOSES = [
    r"\banswer\s+(?=[(\[]?(?-i:[A-Z])\b)",
    r"\b(?:choos(?:e|ing)|chose|pick(?:ed|ing)?|select(?:ed|ing)?|go(?:ing)?\s+with|opt(?:ed|ing)?\s+for|vote\s+for)"
    r"(?:\s*[:：]\s*|\s+)",
    rf"(?<![{LATIN}])(?=(?-i:[A-Z])\s*(?:选?项)?\s*是?(?:正确|对的))",
    r"(?:选|選)(?:择|擇)?\s*[:：]?\s*(?=[(（]?[A-Za-z])",
]
_STATED = re.compile(rf"(?i:(?P<names>{'|'.join(_NAMES)})|(?P<chooses>{'|'.join(_CHOOSES)}))")
_TARGETED = re.compile(rf"{TARGET}(?!\s+if\b)")
_MARKED_LINE = re.compile(rf"\s*(?:[-*•]\s+)?{MARKED}")
_SENTENCE = re.compile(r"[^\n。;；]*?(?=[.!?](?:\s|$|[\u4e00-\u9fff])|\n|。|;|；|$)")

_GOOD = r"(?:correct|right|true|accurate|best|answer|one\s+that|most\s+\w+)"
_PRAISE = (
    r"\s+(?:(?:is|was|seems|appears|looks|(?:must|would|should|has\s+to)\s+be)\s+(?:to\s+be\s+)?(?:clearly\s+|therefore\s+|probably\s+)?"
    rf"(?:the\s+|a\s+)?(?:only\s+|single\s+|most\s+)?{_GOOD}\b"
    r"|(?:fits|matches)\s+(?:the\s+)?(?:best|perfectly|exactly)\b|best\s+(?:fits|matches|describes|represents|answers)\b)"
)
_PRAISED = re.compile(rf"(?:{NAMED}{QUOTE}{LABEL}{QUOTE}|(?i:\b(?:option|choice)\s+)([a-z])){_PRAISE}")
# "Vitamin C is the best" praises no option C.
_CLAUSE = re.compile(
    r"(?:^|[^\w\s]|\n|\b(?:so|that|and|but|thus|hence|therefore|then|think|believe|say|because|since|as|only|while|whereas|is|"
    r"both|either|neither)|[\u4e00-\u9fff])\s*$",
    re.IGNORECASE,
)
_DOUBTED = re.compile(
    r"(?:n['’]t|\b(?:not|never|cannot))(?:\s+\w+ly)?\s*$"
    r"|(?:n['’]t|\bnot)\s+(?:think|believe|say|sure|certain|mean)\b(?:\s+(?!but\b)\w+){0,4}\s*$"
    r"|\b(?:(?:I|we|would)\s+doubt|unlikely|unsure|unclear)\b(?:\s+(?!but\b)\w+){0,4}\s*$"
    r"|\b(?:if|whether|unless|assum\w+|suppos\w+)(?:\s+(?:that|the|your|my|correct|answer|it))*\s*$"
    r"|\b(?:at\s+first(?:\s+(?:glance|sight))?|initially|first\s+thought)\b(?:,?\s+(?!but\b)\w+){0,4}\s*$"
    r"|\b(?:might|may|could|would\s+have|some|people|often)\s+(?:\w+\s+)?(?:think|thought|said?|say|assume|guess|choose|pick)\b"
    r"(?:\s+(?!but\b)\w+){0,4}\s*$"
    r"|(?:不|别|勿|没)(?:能|应|应该|该|可|可以|会|要)?\s*$|(?:如果|假如|假设|若)[^,，。]{0,6}$",
    re.IGNORECASE,
)
_CONTEXT = 60
"""Characters before a statement in which a denial, a doubt or a condition is looked for."""
_MOST = 100
"""Statements that are looked at, from the last; an answer with more of them repeats itself."""


def statement(text: str, choices: Sequence[str]) -> list[int]:
    """What the last statement of an answer gives: letters, or the text of an option."""
    letters = without_letters(text, choices)
    praises = [at for at in _PRAISED.finditer(letters) if _plain_praise(letters, at)]
    praised = praises[-1].start() if praises else -1
    for opening in reversed(list(_STATED.finditer(text))[-_MOST:]):
        if opening.start() <= praised:
            break
        if not doubted(text, opening.start()) and (found := _stated(text, opening, choices)):
            return found
    found = [index for at in praises for index in listed(letters, at)]
    several = [LISTED_BEFORE.search(_before(letters, at)) for at in praises]  # "both A and B are correct"
    return [*found, *(index_of(match) for match in several if match)]


def doubted(text: str, start: int) -> bool:
    """Whether what is said at a place is denied, doubted, or said under a condition: "I don't think the answer ..."."""
    return _DOUBTED.search(text[max(0, start - _CONTEXT) : start]) is not None


def _before(text: str, match: re.Match[str]) -> str:
    return text[max(0, match.start() - _CONTEXT) : match.start()]


def _plain_praise(text: str, match: re.Match[str]) -> bool:
    """Whether a praised letter is an option, and neither doubted nor asked for."""
    before = _before(text, match)
    named = re.match(r"(?i:the\s|option|choice|answer|letter|选项)", match[0]) is not None
    asked = text[match.end() : match.end() + LONGEST].partition("\n")[0].rstrip().endswith("?")
    return (named or _CLAUSE.search(before) is not None) and not doubted(text, match.start()) and not asked


def _stated(text: str, opening: re.Match[str], choices: Sequence[str]) -> list[int]:
    start = opening.end()
    while text[start : start + 1] == "\n":
        start += 1
    lines = [line for line in text[start : start + LONGEST].split("\n") if line.strip()][:2]
    labels = {match[0] for line in lines if (match := _MARKED_LINE.match(line))}
    if "\n" in text[opening.start() : start] and len(labels) > 1:
        return []  # "let's look at each option:", one below the other
    sentence = _SENTENCE.match(text, start, start + LONGEST)
    said = sentence[0] if sentence else ""
    if text[start + len(said) :][:1] == "?":
        return []  # "is the answer B?"
    if named := leading_texts(said, choices):  # also "C major", and "A rabbit", whose letter is an article
        return named
    if target := _TARGETED.match(text, start):
        return listed(text, target)
    return texts_in(said, choices) if opening["names"] else []


_CORRECTED = re.compile(
    r"(?i:(?:^|[.!?…\n,;—–-])\s{0,4}(?:(?:oh|no|hmm|but|ah|hold\s+on|actually)[,.!]?\s+){0,3}"
    r"(?:wait\b(?=\s*(?:[^\w\s]|no\b|actually\b))|correction\b|scratch\s+that\b|on\s+second\s+thoughts?\b"
    r"|let\s+me\s+correct\b(?:\s+(?:myself|that|this|it))?|(?:(?:sorry,?|rather)\s+)?i\s+meant?\b|(?:actually|sorry)(?=,))"
    r"|(?:等等|等一下|不对)(?=[,，])|更正)[\s,.:;!…，：—-]*"
    r"(?i:(?:no|actually|rather|it\s+is|it['’]s|it\s+should\s+be)\b[\s,.:;!…—-]*){0,3}"
)


def corrected(text: str) -> str | None:
    """What follows the last "wait", "correction" or "I meant" of an answer; None where it has none."""
    end = max((match.end() for match in _CORRECTED.finditer(text)), default=None)
    return None if end is None else text[end:]
