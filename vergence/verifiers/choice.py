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

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from vergence.verifiers.labels import BRACKETED, LABEL, NAMED, QUOTE, TARGET, UPPER, VERB, index_of, listed
from vergence.verifiers.maths import boxed, tagged
from vergence.verifiers.quantities import mentions
from vergence.verifiers.text import exact, read_number

AMBIGUOUS = "ambiguous"
OUT_OF_RANGE = "out of range"
NOTHING = "nothing"
_LONGEST = 300
"""Characters of a sentence that are looked at for an option's text."""


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
    text = _plain(answer)
    for rule in DECISION_TABLE:
        found = set(rule.find(text, choices))
        if len(found) > 1:
            return ChoiceReading(None, AMBIGUOUS)
        if found:
            index = found.pop()
            return ChoiceReading(index, rule.name) if index < len(choices) else ChoiceReading(None, OUT_OF_RANGE)
    return ChoiceReading(None, NOTHING)


_BARE = re.compile(rf"[\s\"“'‘(\[{{]*{NAMED}[\s\"“'‘(\[{{]*([A-Za-z])[\s\"”'’)\]}}.:,;!。，：]*")


def _whole_letter(text: str, choices: Sequence[str]) -> list[int]:
    match = _BARE.fullmatch(text) if len(text) < _LONGEST else None
    if match is None:
        return []
    same = [index for index, choice in enumerate(choices) if choice.strip() == text]
    # Options that are small letters themselves ("d", "c", "b", "a") make a small letter ambiguous.
    return [index_of(match), *same] if match[1].islower() else [index_of(match)]


def _whole_text(text: str, choices: Sequence[str]) -> list[int]:
    return [index for index, choice in enumerate(choices) if _same(text, choice)]


def _labelled_text(text: str, choices: Sequence[str]) -> list[int]:
    """A label with an option's text behind it, and nothing else; the two must agree."""
    match = re.match(rf"{NAMED}(?:{BRACKETED}[.:]?|([A-Za-z])(?:[.):,]|\s+-|(?P<bare>\s)))\s*", text)
    if match is None:
        return []
    named = _whole_text(text[match.end() :], choices)
    if match["bare"]:  # "B rabbit" is a label and its text, "A rabbit" a text with its article
        return named if named == [ord(match[2]) - ord("A")] else []
    return [index_of(match), *named] if named else []


# What is marked as the answer.

_KEYS = ("answer", "final_answer", "final answer", "choice", "option", "correct_answer", "prediction", "答案")


def _within(part: str | None, choices: Sequence[str]) -> list[int]:
    """What the rules find in a part that is marked as the answer; an unreadable one isn't replaced by anything."""
    if part is None or not part.strip():
        return []
    text = _plain(part)
    for rule in DECISION_TABLE:
        if found := rule.find(text, choices):
            return found
    return []


def _in_tag(text: str, choices: Sequence[str]) -> list[int]:
    return _within(tagged(text), choices)


def _in_box(text: str, choices: Sequence[str]) -> list[int]:
    return _within(boxed(text), choices)


def _in_json(text: str, choices: Sequence[str]) -> list[int]:
    begin = text.rfind("{")
    if begin < 0 or not text.endswith("}"):
        return []
    try:
        entries = json.loads(text[begin:])
    except ValueError:
        return []
    value = next((entries[key] for key in entries if str(key).casefold() in _KEYS), None)
    return _within(value, choices) if isinstance(value, str) else []


# Statements. The last one counts: "The answer is A. No, the answer is C."

_NOUN = r"(?:answer|choice|option|selection|pick|match)"
_IS = r"(?:is|are|was|would\s+be|should\s+be|must\s+be|will\s+be|could\s+only\s+be|=|:|：|-+>|\s-|→)"
_OPENINGS = [
    rf"\b{_NOUN}\b(?:\s+(?!not\b)(?!{_IS})[\w'’]+){{0,6}}?\s*{_IS}\s*[:：]?\s*(?:clearly\s+|therefore\s+|most\s+likely\s+|"
    r"probably\s+|definitely\s+)?",
    r"\b(?:choose|chose|pick|picked|select|selected|go(?:ing)?\s+with|opt(?:ed)?\s+for|vote\s+for)\s+",
    r"(?=[A-Z]\s*选项\s*(?:是)?(?:正确|对))",
    r"\banswer\s+(?=[(\[]?[A-Z]\b)",
    r"(?:答案|选项|選項|正确选项)\s*(?:应该|应当|應該|应)?\s*(?:是|为|為|选|選|：|:)\s*[:：]?\s*",
    r"(?:选|選)(?:择|擇)?\s*(?=[(（]?[A-Za-z])",
]
_STATED = re.compile(rf"(?i:{'|'.join(_OPENINGS)})")
_TARGETED = re.compile(TARGET)
_GOOD = r"(?:correct|right|true|accurate|best|answer|one\s+that|most\s+\w+)"
_PRAISED = re.compile(
    rf"{NAMED}{QUOTE}{LABEL}{QUOTE}\s+(?:is|was|seems|appears|looks|must\s+be|would\s+be)\s+"
    rf"(?:to\s+be\s+)?(?:clearly\s+|therefore\s+|probably\s+)?(?:the\s+|a\s+)?(?:only\s+|single\s+|most\s+)?{_GOOD}\b"
)
_SENTENCE = re.compile(r"[^\n。;；]*?(?=[.!?](?:\s|$)|\n|。|;|；|$)")


def _statement(text: str, choices: Sequence[str]) -> list[int]:
    praised = max((match.start() for match in _PRAISED.finditer(text)), default=-1)
    for opening in reversed(list(_STATED.finditer(text))):
        if opening.start() > praised and (found := _stated(text, opening.end(), choices)):
            return found
    match = _PRAISED.match(text, praised) if praised >= 0 else None
    return listed(text, match) if match else []


def _stated(text: str, start: int, choices: Sequence[str]) -> list[int]:
    """What a statement gives as the answer: letters, or the text of an option."""
    while text[start : start + 1] == "\n":
        start += 1
    sentence = _SENTENCE.match(text, start, start + _LONGEST)
    said = sentence[0] if sentence else ""
    target = _TARGETED.match(text, start)
    if target is None:
        return _texts(said, choices)
    # "The answer is A rabbit": an article where the word behind it is another option's text.
    if index_of(target) == 0 and (named := _texts(said, choices)) and re.match(r"[\"“'‘]*[Aa]\s+\w", said):
        return named
    return listed(text, target)


# The beginning and the end of an answer.

_MARKED_LINE = re.compile(rf"{NAMED}{QUOTE}(?:{BRACKETED}|([A-Z])(?=\s*(?:[.):：]|-\s|—|,|\n|$))){QUOTE}")
_WRONG = re.compile(
    r"[\"”'’)\]]*\s*(?:is|was|seems|looks|can|could|does|would|should|are)(?:n['’]t|\s+not|\s+(?:never|hardly|wrong|"
    r"incorrect|false|ruled|out|unlikely|impossible))\b|[\"”'’)\]]*\s*(?:can(?:no|['’])t)\b"
)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def _last_line(text: str, choices: Sequence[str]) -> list[int]:
    lines = _lines(text)
    if not lines:
        return []
    if found := _whole_letter(lines[-1], choices):
        return found
    # The last of all options, repeated line by line, is no answer.
    marked = {index_of(match) for line in lines[:-1] if (match := _MARKED_LINE.match(line))}
    found = _labelled_text(lines[-1], choices)
    return found if marked <= set(found) else []


def _beginning(text: str, choices: Sequence[str]) -> list[int]:
    """A letter with a mark behind it at the beginning, or one that is the subject: "B, because", "B is right, as"."""
    marked = [match for line in _lines(text) if (match := _MARKED_LINE.match(line))]
    first = next(iter(_lines(text)), "")
    if marked and marked[0].string == first and not _WRONG.match(first, marked[0].end()):
        others = [index_of(match) for match in marked[1:]]
        return [*listed(first, marked[0]), *others]
    subject = re.match(rf"{NAMED}{QUOTE}{LABEL}{QUOTE}(?=\s+(?:{VERB})\b)", first)
    if subject and not _WRONG.match(first, subject.end()):
        return listed(first, subject)
    return []


_LEADS = (
    r"so|thus|therefore|hence|then|is|be|it['’]s|that['’]s|but|→|=>|-+>|=|:|：|think|believe|guess|say|conclude|suggests?|"
    r"indicates?|means?|option|choice|因此|所以|故|是|为"
)
_END = re.compile(rf"(?i:(?<!\w)(?:{_LEADS}))\s*(?:it\s+is\s+|it['’]s\s+|must\s+be\s+)?{TARGET}\s*[.。!)\]]*$")


def _ending(text: str, choices: Sequence[str]) -> list[int]:
    """A letter at the very end, behind a word that leads to it: "A rabbit is shown, so B"."""
    match = _END.search(text)
    return [index_of(match)] if match and not re.search(r"\b(?:or|and|to|from)\s*$", text[: match.start()]) else []


_MENTION = re.compile(
    rf"(?<!\w)\(\s*([A-Z])\s*\)|\[([A-Z])\]|(?i:\b(?:option|choice|选项|{_LEADS}))\s*{QUOTE}(?:{UPPER})"
)


def _only_letter(text: str, choices: Sequence[str]) -> list[int]:
    """The letters that are mentioned as options: in brackets, or behind a word such as "option" or "so"."""
    found: list[int] = []
    for match in _MENTION.finditer(text):
        if not _WRONG.match(text, match.end()):
            found += listed(text, match)
    return found


# The options' own texts.


def _beginning_text(text: str, choices: Sequence[str]) -> list[int]:
    """An option's text up to the first mark: "Yes, there is no dog."."""
    head = re.match(r"[^,.;:!\n]+(?=[,.;:!\n])", text)
    return _whole_text(head[0], choices) if head else []


def _texts(text: str, choices: Sequence[str]) -> list[int]:
    """The options whose texts stand in the text as words of their own, not within a longer option's, and not denied."""
    folded = _folded(text)
    found = []
    for index in sorted(range(len(choices)), key=lambda index: -len(choices[index])):
        option = _folded(choices[index]).rstrip(".")
        if not option or (len(option) == 1 and option.isascii() and option.isalpha()):
            continue  # an option that is a letter ("a", "i") would be in any text
        pattern = rf"(?<!\w)(?<!\w[.,]){re.escape(option)}(?!\w|[.,]\d)"
        places = [match.start() for match in re.finditer(pattern, folded)]
        if any(not _DENIED.search(folded[:place]) for place in places):
            found.append(index)
        folded = re.sub(pattern, " ", folded)
    return found


_DENIED = re.compile(r"(?:\bnot|n['’]t|\bneither|\bnor|\bnever|\bwithout|\brather than)(?:\s+(?:an?|the|any|be))?\s*$")


def _same(text: str, choice: str) -> bool:
    """Equality of texts, up to case, an article, quotation marks and a full stop; or of the numbers they are."""
    one, other = (re.sub(r"^(?:the|an?)\s+", "", _folded(each).strip("\"“”'‘’ .")) for each in (text, choice))
    if (one and one == other) or exact(text, choice):
        return bool(text)
    number = _number(text.strip(" ."))
    return number is not None and number == _number(choice.strip(" ."))


def _number(text: str) -> tuple[Fraction, bool] | None:
    """The number that a whole text is, in digits or words, and whether it is a percentage."""
    written = read_number(text)
    if written is not None:
        return written.value, written.percent
    words = mentions(text) if len(text) < 40 else []
    whole = len(words) == 1 and (words[0].start, words[0].end) == (0, len(text)) and not words[0].unit
    return (Fraction(words[0].value), False) if whole else None


def _folded(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


_MARKUP = [
    (re.compile(r"\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}"), r"\1"),
    (re.compile(r"\*\*|__|`|(?<!\w)\*(?=\S)|(?<=\S)\*(?!\w)|^#{1,6}\s+", re.MULTILINE), ""),
    (re.compile(r"\$\s*(\(?[A-Z]\)?)\s*\$"), r"\1"),
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
    Rule("text", "the whole answer is an option's text", "a rabbit", _whole_text),
    Rule("tag", "the last <answer> element, by these rules", "Ears. <answer>B</answer>", _in_tag),
    Rule("box", "the last \\boxed{}, by these rules", "It has long ears: \\boxed{B}", _in_box),
    Rule("json", "the answer's field of a JSON object at the end", '{"answer": "B"}', _in_json),
    Rule("statement", "the last explicit statement, by letter or text", "A cat? No: the answer is B.", _statement),
    Rule("last line", "the last line is a letter, or one with its text", "It has long ears.\nB", _last_line),
    Rule("beginning", "a marked letter, or one that is the subject, begins", "B, for its long ears", _beginning),
    Rule("ending", "the answer ends with a letter that a word leads to", "A rabbit is shown, so B", _ending),
    Rule("only letter", "the only letter that is mentioned as an option", "I think (B) fits its ears", _only_letter),
    Rule("beginning text", "an option's text, then a mark, begins", "Rabbit, by its ears.", _beginning_text),
    Rule("only text", "the only option whose text is mentioned and not denied", "I see a rabbit there", _texts),
)
"""The rules in the order in which they are asked; `example` names option B of ("dog", "rabbit", "cat")."""
