"""Which option an answer names: one decision table for every task with options.

```
read_choice("The answer is **C**.", ["red", "blue", "green"])  # ChoiceReading(index=2, rule="statement")
read_choice("A rabbit is shown", ["dog", "cat"])               # ChoiceReading(index=None, rule="nothing")
```

Every harness has extractors of its own, and they differ from task to task: the English article counts as option A,
"rabbit" as option R, and what can't be parsed gets a random option. Here the rules of `DECISION_TABLE` are asked in
order, and the first one that finds something decides. What names two options, one that there isn't, or none, is invalid
and never guessed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from vergence.verifiers.labels import BRACKETED, LABEL, LATIN, MARKED, NAMED, QUOTE, REASON, index_of, listed
from vergence.verifiers.letter_mentions import WRONG, ending, gist, mentioned
from vergence.verifiers.maths import boxed, tagged
from vergence.verifiers.option_texts import LONGEST, texts_in, whole_text, without_letters
from vergence.verifiers.statements import corrected, statement

AMBIGUOUS = "ambiguous"
OUT_OF_RANGE = "out of range"
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ChoiceReading:
    """The index of the option that was read, or None; `rule` is the rule of `DECISION_TABLE` that decided, or why not:
    "ambiguous", "out of range" or "nothing".
    """

    index: int | None
    rule: str


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the decision table: what it reads, an example, and the indices that it finds in (answer, options).

    An index at or above the number of options is a letter without an option. No index: the next rule is asked.
    """

    name: str
    reads: str
    example: str
    find: Callable[[str, Sequence[str]], list[int]]


def read_choice(answer: str, choices: Sequence[str]) -> ChoiceReading:
    """The option that an answer names, by `DECISION_TABLE`; the answer comes without its thought."""
    text, choices = _plain(answer), [_plain(choice) for choice in choices]
    for rule in DECISION_TABLE:
        found = set(rule.find(text, choices))
        if len(found) > 1:
            return ChoiceReading(None, AMBIGUOUS)
        if found:
            index = found.pop()
            return ChoiceReading(index, rule.name) if index < len(choices) else ChoiceReading(None, OUT_OF_RANGE)
    return ChoiceReading(None, NOTHING)


_BARE = re.compile(
    rf"[\s\"“'‘(\[{{【>*•–-]*{NAMED}(?:\]?[:.,]?\s)?[\s\"“'‘(\[{{【]*([A-Za-z])"
    r"[\s\"”'’)\]}】.:,;!?。…—–-]*"
)


def _whole_letter(text: str, choices: Sequence[str]) -> list[int]:
    match = _BARE.fullmatch(text) if len(text) < LONGEST else None
    if match is None:
        return []
    same = [index for index, choice in enumerate(choices) if choice.strip() == text]
    # Options that are small letters themselves ("d", "c", "b", "a") make a small letter ambiguous.
    return [index_of(match), *same] if match[1].islower() else [index_of(match)]


def _labelled_text(text: str, choices: Sequence[str]) -> list[int]:
    """A label with an option's text behind it, and nothing else; the two must agree."""
    match = re.match(rf"{NAMED}(?:{BRACKETED}[.:]?|(?P<alone>[A-Za-z])(?:[.):,]|\s+-|(?P<bare>\s)))\s*", text)
    if match is None:
        return []
    named = whole_text(text[match.end() :], choices)
    if match["bare"]:  # "B rabbit" is a label and its text, "A rabbit" a text with its article
        return named if named == [ord(match["alone"]) - ord("A")] else []
    return [index_of(match), *named] if named else []


# What is marked as the answer.


def _within(part: str | None, choices: Sequence[str], rules: Collection[str] = ()) -> list[int]:
    """What the rules (or those of these names) find in a part that is marked as the answer."""
    if part is None or not part.strip():
        return []
    text = _plain(part)
    asked = (rule for rule in DECISION_TABLE if not rules or rule.name in rules)
    return next((found for rule in asked if (found := rule.find(text, choices))), [])


def _in_tag(text: str, choices: Sequence[str]) -> list[int]:
    return _within(tagged(text), choices)


def _in_box(text: str, choices: Sequence[str]) -> list[int]:
    return _within(boxed(text), choices)


_FIELD = re.compile(
    r"[\"'](?i:(?:final[_ ]?|correct[_ ]?)?(?:answer|choice|option)|prediction|答案)[\"']\s*:\s*"
    r"(?:\"((?:[^\"\\\n]|\\.)*)\"|'([^'\n]*)'|(-?\d[\d.,]*))"
)


def _in_json(text: str, choices: Sequence[str]) -> list[int]:
    """The last such field, whether or not the JSON around it is whole."""
    field = next(reversed(list(_FIELD.finditer(text))), None)
    if field is None:
        return []
    return _within("".join(field.groups("")).replace('\\"', '"'), choices)


_CERTAIN = ("letter", "labelled text", "text", "statement", "last line", "beginning", "ending")


def _correction(text: str, choices: Sequence[str]) -> list[int]:
    return _within(corrected(text), choices, _CERTAIN)


def _unmarked(find: Callable[[str, Sequence[str]], list[int]]) -> Callable[[str, Sequence[str]], list[int]]:
    """A rule for answers in which nothing is marked: an unreadable box isn't replaced by what is said on the way."""

    def found(text: str, choices: Sequence[str]) -> list[int]:
        return [] if tagged(text) or boxed(text) else find(text, choices)

    return found


# The beginning and the end of an answer.

_MARKED_LINE = re.compile(MARKED)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _last_line(text: str, choices: Sequence[str]) -> list[int]:
    lines = _lines(text)
    if not lines:
        return []
    if found := _whole_letter(lines[-1], choices):
        others = [_whole_letter(line, choices) for line in lines[:-1]]
        return [*found, *(index for other in others for index in other)] if all(others) else found
    # The last of all options, repeated line by line, is no answer.
    marked = {index_of(match) for line in lines[:-1] if (match := _MARKED_LINE.match(line))}
    found = _labelled_text(lines[-1], choices)
    return found if marked <= set(found) else []


@_unmarked
def _beginning(text: str, choices: Sequence[str]) -> list[int]:
    """A letter with a mark behind it at the beginning, or one that is the subject: "B, because", "B is right, as"."""
    marked = [match for line in _lines(text) if (match := _MARKED_LINE.match(line))]
    first = next(iter(_lines(text)), "")
    found: list[int] = []
    if marked and marked[0].string == first and not WRONG.match(first, marked[0].end()) and not first.endswith("?"):
        rest = first[marked[0].end() :].lstrip(").:： ")
        others = [*_enumerated(first, choices), *(_whole_letter(rest, choices) if rest else [])]
        found = [*listed(first, marked[0]), *(index_of(match) for match in marked[1:]), *others]
    else:
        subject = re.match(rf"{NAMED}{QUOTE}{LABEL}{QUOTE}(?=\s+(?:{REASON}|fits|matches)\b)", first)
        if subject and not WRONG.match(first, subject.end()):
            found = listed(first, subject)
    # Options that are gone through one by one may come to an end.
    return _ending(text, choices) or found if len(set(found)) > 1 else found


def _enumerated(text: str, choices: Sequence[str]) -> list[int]:
    """The options that a line repeats with their letters, if it does so with several: "A. dog B. rabbit C. cat"."""
    found = []
    for index, choice in enumerate(choices[:26]):
        letter = chr(ord("A") + index)
        if choice.strip() and re.search(rf"(?<![{LATIN}]){letter}[.):]\s*{re.escape(choice.strip())}", text):
            found.append(index)
    return found if len(found) > 1 else []


def _ending(text: str, choices: Sequence[str]) -> list[int]:
    return ending(without_letters(text, choices))


@_unmarked
def _only_letter(text: str, choices: Sequence[str]) -> list[int]:
    return mentioned(without_letters(text, choices))


@_unmarked
def _beginning_text(text: str, choices: Sequence[str]) -> list[int]:
    """An option's text up to the first mark: "Yes, there is no dog."."""
    lines = [whole_text(line, choices) for line in _lines(text[:LONGEST])]
    if lines and all(lines):  # one below the other
        return [index for line in lines for index in line]
    head = re.match(r"([^,.;:!\n]+)(?=[,.;:!\n])([,;:][^.!?\n]*)?", text[: 2 * LONGEST])
    found = whole_text(head[1], choices) if head else []
    # "Red, then blue" names two; so does "Right, it goes down".
    return [*found, *texts_in(head[2], choices)] if head and head[2] and found else found


_SPOKEN_OF = re.compile(r"(?i:\b(?:option|choice|answer\s+is)|选项|答案是)\s*[(\[]?[A-Z]\b")


@_unmarked
def _only_text(text: str, choices: Sequence[str]) -> list[int]:
    """Not where letters are spoken of too: "let me consider option A first: the dog"."""
    text = gist(text)
    return [] if _SPOKEN_OF.search(text) else texts_in(text, choices)


_MARKUP = [
    (re.compile(r"<\|[^|<>\n]{1,20}\|>|</?(?:s|b|i|u|p|strong|em)\s?/?>", re.IGNORECASE), ""),
    (re.compile(r"\\(?:text|math)(?:rm|bf|it|sf|tt|up)?\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\\[dt]?frac\s*\{(\d+)\}\s*\{(\d+)\}"), r"\1/\2"),
    (re.compile(r"\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|^#{1,6}\s+", re.MULTILINE), ""),
    (re.compile(r"\$\$?\s*(\(?[A-Z]\)?)\s*\$\$?|\\[(\[]\s*(\(?[A-Z]\)?)\s*\\[)\]]"), r"\1\2"),
    (re.compile(r"\A\s*(?:\$\$?([^$]+)\$\$?|\\\(([^\\]+)\\\))\s*\Z"), r"\1\2"),
]


def _plain(answer: str) -> str:
    """The answer without emphasis, with full-width letters and brackets made plain."""
    text = unicodedata.normalize("NFKC", answer)
    for pattern, instead in _MARKUP:
        text = pattern.sub(instead, text)
    return text.strip()


DECISION_TABLE: tuple[Rule, ...] = (
    Rule("letter", "the whole answer is a letter, with brackets, quotes or a mark", "(B)", _whole_letter),
    Rule("labelled text", "the whole answer is a letter and that option's text", "B. a rabbit", _labelled_text),
    Rule("text", "the whole answer is an option's text", "a rabbit", whole_text),
    Rule("tag", "the last <answer> element, by these rules", "Ears. <answer>B</answer>", _in_tag),
    Rule("box", "the last \\boxed{}, by these rules", "It has long ears: \\boxed{B}", _in_box),
    Rule("json", "the last answer field of JSON, by these rules", '{"answer": "B"}', _in_json),
    Rule("correction", 'what follows the last "wait" or "I meant", by these', "A. Wait, no, B.", _correction),
    Rule("statement", "the last explicit statement, by letter or text", "A cat? No: the answer is B.", statement),
    Rule("last line", "the last line is a letter, or one with its text", "It has long ears.\nB", _last_line),
    Rule("beginning", "a marked letter, or one that is the subject, begins", "B, for its long ears", _beginning),
    Rule("ending", "the answer ends with a letter that a word leads to", "A rabbit is shown, so B", _ending),
    Rule("only letter", "the only letter that is mentioned as an option", "I think (B) fits its ears", _only_letter),
    Rule("beginning text", "an option's text, then a mark, begins", "Rabbit, by its ears.", _beginning_text),
    Rule("only text", "the only option whose text is mentioned and not denied", "I see a rabbit there", _only_text),
)
"""The rules in the order in which they are asked; `example` names option B of ("dog", "rabbit", "cat")."""
