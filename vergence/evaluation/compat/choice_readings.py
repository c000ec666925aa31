"""Which option's letter other harnesses read from an answer, written anew, their slips included.

lmms-eval 0.7.3 and VLMEvalKit (ms-vlmeval 0.0.20). Every reading gives one letter, or "" where the original reads
nothing: there it asks a judge or takes an option at random.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from vergence.evaluation.task import LETTERS
from vergence.verifiers.vqa import strip_punctuation

_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)


def can_infer(answer: str, choices: Sequence[str]) -> str:
    """VLMEvalKit's reading of a choice: a letter, "Z" for a refusal, or "" for none.

    The letter that stands alone among the last four words, if no other option's letter stands in the text; otherwise
    the option whose text is in the answer, if it is the only one and the answer isn't more than twice as long as all
    options. Source: vlmeval/utils/matching_util.py.
    """
    letters = LETTERS[: len(choices)]
    if "Failed to obtain answer via API" not in answer:
        if any(refusal in answer for refusal in _REFUSALS):
            return "Z"
        words = re.sub(r"[.()\[\],:;!*#{}]", " ", answer).split()
        found = [letter for letter in letters if letter in words]
        if len(found) == 1 and words.index(found[0]) > len(words) - 5:
            return found[0]
        if not found and "Z" in words:
            return "Z"
    text = answer.lower()
    return "" if len(text) > 2 * sum(map(len, choices)) else _only_option_inside(text, choices)


def _only_option_inside(text: str, choices: Sequence[str]) -> str:
    """The letter of the option whose text is in the answer, "" for none or several."""
    inside = [letter for letter, choice in zip(LETTERS, choices, strict=False) if choice.lower() in text]
    return inside[0] if len(inside) == 1 else ""


_PHRASES = (
    "the answer is", "answer is", "the correct answer is", "correct answer is", "the best answer is", "best answer is",
    "the correct option is", "correct option is", "the best option is", "best option is", "the choice is", "choice is",
    "the correct choice is", "correct choice is", "i choose", "i select", "i pick", "my answer is", "my choice is",
    "옵션", "정답은", "답은", "답:", "答案是", "答案为", "选", "答えは",
)  # fmt: skip
_RANKS = {"({})": 6, "{}.": 5, "{}:": 4, "{})": 3, "{} ": 2}


def ranked_reading(answer: str, letters: str = "ABCD") -> str:
    """lmms-eval's shared reading: the letter in the form of the highest rank, of several the last.

    A letter that begins the answer has rank 10, so that an article wins ("A cat. The answer is C" is A); one that ends
    it 9; behind a phrase such as "answer is" the letter whose first mention there is latest has 7; then "(A)", "A.",
    "A:", "A)", "A ", even at the end of a word. Without any of these, a capital letter anywhere. Source:
    lmms_eval/tasks/_task_utils/mcq_extract.py.
    """
    bare = _without_marks(answer.strip(), ",.!?;:'\"")
    text = f" {bare} "
    found = [
        (rank, text.rfind(form.format(letter)), letter)
        for form, rank in _RANKS.items()
        for letter in letters
        if form.format(letter) in text
    ]
    lower = text.lower()
    for start in (lower.find(phrase) + len(phrase) for phrase in _PHRASES if phrase in lower):
        found += [(7, place, letter) for letter in letters if (place := text.find(letter, start)) >= 0]
    bare = bare.strip()
    found += [(10, 0, letter) for letter in letters if bare.startswith(letter) and not bare[1:2].isalpha()]
    found += [(9, 0, letter) for letter in letters if bare.endswith(letter) and not bare[-2:-1].isalpha()]
    if not found:
        found = [(0, text.rfind(letter), letter) for letter in letters if letter in text]
    return max(found, key=lambda candidate: candidate[:2])[2] if found else ""


def _without_marks(text: str, marks: str) -> str:
    """The text without the first mark at its ends, then without the second, ...: one after the other, once each."""
    for mark in marks:
        text = text.strip(mark)
    return text


MMMU_FORMS = ("({})", " {} ")
LMMS_MMMU_FORMS = ("({})", "{} ", "{}.")


def mmmu_reading(answer: str, choices: Sequence[str], forms: Sequence[str]) -> str:
    """MMMU's reading: letters in the first of the forms that occurs, then options' texts in answers of six words.

    Of several the last counts. Where that is told by " A ", which a letter in another form needn't have, the first
    option does. The official forms are `MMMU_FORMS`; those of lmms-eval's copy also find "A. red" and "CHINA is".
    Where nothing is found both take an option at random. Sources: github.com/MMMU-Benchmark/MMMU, eval/eval_utils.py;
    lmms_eval/tasks/_task_utils/mmmu_mcq_utils.py.
    """
    text = f" {_without_marks(answer, _MMMU_MARKS)} "
    for form in forms:
        letters = [letter for letter in LETTERS[: len(choices)] if form.format(letter) in text]
        if letters:
            place = "({})" if form == "({})" else " {} "
            return max(letters, key=lambda letter: text.rfind(place.format(letter)))
    lower = text.lower()
    if len(lower.split()) <= 5:
        return ""
    inside = [index for index, choice in enumerate(choices) if choice.lower() in lower]
    return LETTERS[max(inside, key=lambda index: lower.rfind(choices[index].lower()))] if inside else ""


_MMMU_MARKS = ",.!?;:'"


def egoschema_reading(answer: str, choices: Sequence[str]) -> str:
    """lmms-eval's EgoSchema: "(A)", "A " and "A." alike; each one's last place counts, and of these the first.

    An option's text only counts with its letter before it, as the data write it ("a. c cooks"). Source:
    lmms_eval/tasks/egoschema/utils.py.
    """
    text = f" {_without_marks(answer, _MMMU_MARKS)} "
    letters = LETTERS[: len(choices)]
    found = [
        (text.rfind(form.format(letter)), letter)
        for form in ("({})", "{} ", "{}.")
        for letter in letters
        if form.format(letter) in text
    ]
    if not found and len(text.split()) > 5:
        lower = text.lower()
        options = [f"{letter}. {choice}".lower() for letter, choice in zip(letters, choices, strict=False)]
        found = [
            (lower.rfind(option), letter) for letter, option in zip(letters, options, strict=False) if option in lower
        ]
    return min(found, key=lambda candidate: candidate[0])[1] if found else ""


def mmbench_reading(answer: str, choices: Sequence[str]) -> str:
    """lmms-eval's MMBench without a judge (mmbench_en_dev_static): a letter among the words, an option, `ranked`.

    One of A to E must be the only one in a form: alone (in more than three words not if "A" is one of them, which may
    be an article), then with marks ("A.", "(A)", ...). Source: lmms_eval/tasks/mmbench/mmbench_evals.py.
    """
    found = _mmbench_letter(answer) if "Failed to obtain answer via API" not in answer else ""
    return found or _only_option_inside(answer.lower(), choices[:4]) or ranked_reading(answer, "ABCD"[: len(choices)])


_MMBENCH_FORMS = ("{}", "{}.", "{},", "{}:", "{})", "{}).", "({})", "({}).", ":{}", ":{},", ":{}.", ":{})", ":{}).")


def _mmbench_letter(answer: str) -> str:
    words = answer.split()
    for form in _MMBENCH_FORMS:
        if form == "{}" and "A" in words and len(words) > 3:
            continue
        found = [letter for letter in "ABCDE" if form.format(letter) in words]
        if len(found) == 1:
            return found[0]
    return ""


def blink_reading(answer: str, choices: Sequence[str]) -> str:
    """lmms-eval's BLINK: a short first line, the last "answer is (A)", the last "(A)", else how the text begins.

    In any case but for "(A)", so that of two options "bird" is B. Source: lmms_eval/tasks/blink/utils.py.
    """
    text = answer.strip()
    letter = f"([{LETTERS[: len(choices)]}])"
    line = text.split("\n")[0].strip()
    short = re.match(rf"\(?{letter}\)?[.\s:,)]*$", line, re.IGNORECASE) if len(line) <= 4 else None
    if short:
        return short[1].upper()
    said = re.findall(rf"answers?(?:\s+is)?\s*[:\-]?\s*\(?{letter}\)?(?![A-Za-z])", text, re.IGNORECASE)
    said = said or re.findall(rf"\({letter}\)", text) or re.findall(rf"\A[(\s]*{letter}", text, re.IGNORECASE)
    return str(said[-1]).upper() if said else ""


def mvbench_reading(answer: str) -> str:
    """lmms-eval's MVBench: "A. ..." in one line, else the first of the letters A to E that is a word, in any case.

    "It is a cat, so B" is A. Without one, the whole text in lower case without punctuation. Source:
    lmms_eval/tasks/mvbench/utils.py.
    """
    line = re.match(r"([A-E])\.\s*.+$", answer.strip(), re.IGNORECASE)
    if line:
        return line[1].upper()
    text = strip_punctuation(answer.replace("\n", " ").replace("\t", " ").strip(), stops=32)
    text = text.strip("'").strip('"').strip(")").strip("(").strip().lower()
    letter = re.search(r"\b([A-E])\b", text, re.IGNORECASE)
    return letter[1].upper() if letter else text


def first_capital(answer: str, letters: str, removed: Sequence[str]) -> str:
    """Video-MME's reading and its copies: some phrases are removed, and the first of the capital letters counts.

    So "Based on it, the answer is D" is B.
    """
    text = answer.strip()
    for phrase in removed:
        text = text.replace(phrase, "")
    found = re.search(f"[{letters}]", text)
    return found[0] if found else ""


def letter_with_stop(answer: str) -> str:
    """A capital letter with a full stop that begins the answer, otherwise the whole answer (lmms-eval's filter)."""
    found = re.match(r"\s*([A-Z])\.", answer)
    return found[1] if found else answer


def without_punctuation(answer: str) -> str:
    """The text without ASCII punctuation, as the metric `exact_match` compares it with `ignore_punctuation`."""
    return answer.translate(str.maketrans("", "", string.punctuation))
