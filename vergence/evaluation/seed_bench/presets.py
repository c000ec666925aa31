"""How a question and its options are put to a model: the five official interfaces as data, and free choice.

The official repository ranks options in five ways that give five different scores under one name (files below
github.com/AILab-CVC/SEED-Bench; all take the smallest loss, and of equal ones the first):

| preset | candidate | reduction | end token | source |
|--|--|--|--|--|
| instructblip | option's text | sum | scored | model/instruct_blip_interface.py |
| instructblip-hf | option's text | mean | scored | model/huggingface_instructblip_interface.py |
| llava-1.5 | option's text | mean | scored | SEED-Bench-2/model/llava_v2_interface.py |
| qwen-vl-chat | option's text | mean | not scored | SEED-Bench-2/model/qwen_vl_chat_interface.py |
| internlm-xcomposer | "A." to "D." | mean | not scored | SEED-Bench-2/model/InternLM_Xcomposer_VL_interface.py |

    interface("qwen-vl-chat")                                   # as published
    interface("llava-1.5,reduction=sum,end=false")              # with changes
    interface("llava-1.5,candidate=letter,template=chat")       # the options are shown, letters are ranked
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, get_args

from vergence.config import nearest
from vergence.conversation import Conversation, MediaPart, Message, Part, TextPart
from vergence.errors import UsageError
from vergence.evaluation.seed_bench.questions import MARKS
from vergence.evaluation.task import LETTERS, Candidates, Reduction

Candidate = Literal["text", "letter"]
Template = Literal["chat", "plain"]


@dataclass(frozen=True, slots=True)
class Interface:
    """A way of asking.

    `prompt` is the message's text: `{question}` and `{options}` (lines `A. ...`) are filled in, and the pictures stand
    in front of it, or in the question where it marks their places; `gap` is between pictures in front and the text.
    `candidate` "letter" ranks `letter` (`{letter}` is filled in), "text" the options' texts. The rest is as in
    `vergence.evaluation.task.Candidates`. `notes` say where the published code does something else.
    """

    name: str
    prompt: str
    candidate: Candidate = "text"
    reduction: Reduction = "mean"
    end: bool = False
    template: Template = "plain"
    letter: str = "{letter}"
    gap: str = ""
    unconditional: str = "Answer:"
    notes: tuple[str, ...] = ()

    def definition(self) -> dict[str, Any]:
        """What decides the score, as JSON."""
        return {key: value for key, value in asdict(self).items() if key != "notes"}


_MARK_NOTE = "the published code replaces [img], not the <img> of the published file, which then stays as text"
PRESETS: dict[str, Interface] = {
    preset.name: preset
    for preset in (
        Interface(
            "instructblip",
            "Question: {question}\nAnswer:",
            reduction="sum",
            end=True,
            notes=("the published code is an encoder-decoder: the candidate is all that the decoder sees",),
        ),
        Interface(
            "instructblip-hf",
            "Question: {question}\nAnswer:",
            end=True,
            notes=("the published code is an encoder-decoder: the candidate is all that the decoder sees",),
        ),
        Interface(
            "llava-1.5",
            "{question}",
            end=True,
            template="chat",
            gap="\n",
            notes=(
                _MARK_NOTE,
                "the published code puts one <image> for several stacked pictures outside interleaved questions",
                "it scores as many tokens from the end as the candidate has with its begin token: candidate and end",
            ),
        ),
        Interface(
            "qwen-vl-chat",
            "{question}",
            notes=(
                "the published code exchanges interleaved pictures (of three: third, first, second) and drops the text "
                "behind the last one; here every picture stands where the question marks it",
            ),
        ),
        Interface(
            "internlm-xcomposer",
            "Context: N/A\nQuestion: {question}\nOptions: []\n{options}\nAnswer: The answer is",
            candidate="letter",
            letter="{letter}.",
            notes=(_MARK_NOTE, "the published code writes that model's own marks of the two sides around the text"),
        ),
    )
}
DEFAULT = "llava-1.5"
GENERATION = Interface(
    "generation",
    "{question}\n{options}\nAnswer with the option's letter from the given choices directly.",
    candidate="letter",
    template="chat",
    gap="\n",
)

THINKING = replace(
    GENERATION,
    name="thinking",
    prompt="{question}\n{options}\nThink it through step by step. "
    'End with "Answer: " and the letter of the right option.',
)
"""The same for a model that thinks first; the wording is ours."""
"""The prompt of a generated answer: the wording of lmms-eval's seedbench task, so that its columns compare."""

_SETTINGS: dict[str, tuple[str, ...]] = {
    "candidate": get_args(Candidate),
    "reduction": get_args(Reduction),
    "end": ("true", "false"),
    "template": get_args(Template),
}


def interface(text: str) -> Interface:
    """An interface by its preset's name and changes, `name,key=value,...`; the name may be left out (`llava-1.5`).

    Keys are candidate (text, letter), reduction (sum, mean, character, byte, pmi), end (true, false), template (chat,
    plain), letter and unconditional. Letters need options that can be seen, so they are added to a prompt without them.
    Raises `UsageError` for an unknown name, key or value.
    """
    first, *changes = (piece.strip() for piece in text.split(","))
    if "=" in first:
        first, changes = DEFAULT, [first, *changes]
    if first not in PRESETS:
        near = nearest(first, PRESETS)
        hint = f"; did you mean {near!r}?" if near else ""
        raise UsageError(f"{first!r} is not a preset of SEED-Bench{hint} (there are: {', '.join(PRESETS)})")
    chosen = PRESETS[first]
    for change in changes:
        key, _, value = change.partition("=")
        chosen = _changed(chosen, key.strip(), value.strip())
    if chosen.candidate == "letter" and "{options}" not in chosen.prompt:
        chosen = replace(chosen, prompt=chosen.prompt.replace("{question}", "{question}\n{options}"))
    return replace(chosen, name=text) if changes else chosen


def _changed(chosen: Interface, key: str, value: str) -> Interface:
    if key in _SETTINGS:
        if value not in _SETTINGS[key]:
            raise UsageError(f"preset: {key} is one of {', '.join(_SETTINGS[key])}, got {value!r}")
        setting: dict[str, Any] = {key: value == "true" if key == "end" else value}
        return replace(chosen, **setting)
    if key in ("letter", "unconditional"):
        if not value or (key == "letter" and "{letter}" not in value):
            raise UsageError(f"preset: {key} needs a text{' with {letter} in it' if key == 'letter' else ''}")
        return replace(chosen, letter=value) if key == "letter" else replace(chosen, unconditional=value)
    raise UsageError(f"preset: {key!r} can't be changed ({', '.join((*_SETTINGS, 'letter', 'unconditional'))})")


def candidates(chosen: Interface, choices: Sequence[str]) -> Candidates:
    """What is ranked for a question with these options."""
    letters = [chosen.letter.replace("{letter}", letter) for letter in LETTERS[: len(choices)]]
    return Candidates(
        texts=tuple(letters if chosen.candidate == "letter" else choices),
        template=chosen.template,
        end=chosen.end,
        reduction=chosen.reduction,
        unconditional=chosen.unconditional,
    )


def conversation(chosen: Interface, question: str, choices: Sequence[str], media: Sequence[MediaPart]) -> Conversation:
    """The message: pictures in front, or one in the place of each mark of the question, and the text.

    Raises `ValueError` where the question has marks, but not as many as there are pictures.
    """
    head, tail = chosen.prompt.split("{question}")
    options = "\n".join(f"{letter}. {choice}" for letter, choice in zip(LETTERS, choices, strict=False))
    # One pass over the template's own text alone: a question or an option may hold braces.
    head, tail = (text.replace("{options}", options) for text in (head, tail))
    parts = interleaved(question, media)
    if parts is None:
        front: list[Part] = [*media]
        if media and chosen.gap:
            front.append(TextPart(chosen.gap))
        return _message([*front, TextPart(head), TextPart(question), TextPart(tail)])
    return _message([TextPart(head), *parts, TextPart(tail)])


def interleaved(question: str, media: Sequence[MediaPart]) -> list[Part] | None:
    """The question's text with a picture in the place of each mark; None where it has no marks."""
    mark = next((mark for mark in MARKS if mark in question), None)
    if mark is None:
        return None
    texts = question.split(mark)
    if len(texts) != len(media) + 1:
        raise ValueError(f"{len(texts) - 1} places for {len(media)} pictures")
    parts: list[Part] = [TextPart(texts[0])]
    for part, text in zip(media, texts[1:], strict=True):
        parts += [part, TextPart(text)]
    return parts


def _message(parts: Sequence[Part]) -> Conversation:
    """A user's message; neighbouring texts are one, empty ones left out."""
    joined: list[Part] = []
    for part in parts:
        if isinstance(part, TextPart) and joined and isinstance(joined[-1], TextPart):
            joined[-1] = TextPart(joined[-1].text + part.text)
        elif not isinstance(part, TextPart) or part.text:
            joined.append(part)
    return Conversation((Message("user", tuple(joined)),))
