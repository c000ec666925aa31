"""What a model says about pictures, made into data: new captions, and questions with answers (self-instruct).

Self-instruct is Wang et al. 2022 (arXiv 2212.10560); asking a model for dialogues about a picture is LLaVA's way (Liu
et al. 2023, arXiv 2304.08485, section 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from vergence.conversation import Conversation, assistant, user
from vergence.data.curation.source import Folder, caption_of
from vergence.data.shards.messages import RowError
from vergence.data.shards.rows import Row
from vergence.errors import DataError
from vergence.evaluation.task import Model, Prompt
from vergence.inference.sampler import Sampling
from vergence.posttraining.answer_log import Line, answers, ask_all

CAPTION = "Describe this image in detail."
INSTRUCT = (
    "Write {count} questions about this image that can be answered by looking at it, each with its answer. Ask about "
    "different things: objects, their number, colours, places, text, actions, reasons. Reply with nothing but JSON, a "
    'list of objects with the keys "question" and "answer".'
)
_LIST = re.compile(r"\[.*\]", re.DOTALL)


def ask_about_pictures(
    folder: Folder,
    model: Model,
    path: Path,
    *,
    prompt: str,
    sampling: Sampling,
    show: Callable[[int], None] = lambda _: None,
) -> None:
    """Put one prompt to a model about the media of every sample that has any, and log the answers.

    `{caption}` in the prompt becomes what the sample says of its picture now.
    """

    def prompts() -> Iterator[tuple[tuple[int, ...], Prompt]]:
        for number in range(len(folder)):
            try:
                conversation = folder[number]
            except DataError:
                continue
            if conversation.media:
                text = prompt.replace("{caption}", caption_of(conversation))
                yield (number,), Prompt(Conversation((user(*conversation.media, text),)), sampling, id=str(number))

    header = {"source": folder.fingerprint, "prompt": prompt, "max_tokens": sampling.max_tokens}
    header |= {"temperature": sampling.temperature}
    ask_all(prompts(), model, path, header=header, show=show)


Write = Callable[[Conversation, str, str], Conversation]
"""(sample, answer, its place) -> the new conversation; raises `RowError` for an answer that can't be used."""


@dataclass(frozen=True, slots=True)
class RewrittenRows:
    """Conversations made of a log's answers, for `vergence.data.shards.pack.pack`; `write` makes one of a sample."""

    folder: Folder
    lines: tuple[Line, ...]
    write: Write
    fingerprint: str

    def rows(self, start: int) -> Iterator[Row]:
        """The samples that were answered, from number `start` on."""
        for line in self.lines[start:]:
            yield Row(self.folder.where(line.key[0]), partial(self._conversation, line))

    def _conversation(self, line: Line) -> Conversation:
        where = self.folder.where(line.key[0])
        if line.finish_reason != "stop":
            raise RowError("cut off", f"{where}: the model's answer was cut off")
        return self.write(self.folder[line.key[0]], line.text.strip(), where)


def rewritten(folder: Folder, log: Path, write: Write) -> RewrittenRows:
    """The rows of a log in the order of the samples."""
    lines = tuple(line for _, line in sorted(answers(log).items()))
    return RewrittenRows(folder, lines, write, f"{folder.fingerprint}/{log.stat().st_size}")


def recaptioned(conversation: Conversation, text: str, where: str) -> Conversation:
    """The picture with its new caption; the old one stays in the metadata. Raises `RowError` for an empty one."""
    if not text:
        raise RowError("empty answer", f"{where}: the model said nothing")
    metadata = {**_kept(conversation), "old_caption": caption_of(conversation)}
    return Conversation((user(*conversation.media), assistant(text)), metadata)


def instructed(conversation: Conversation, text: str, where: str) -> Conversation:
    """The picture with the questions and answers that a model wrote. Raises `RowError` for what holds none."""
    pairs = read_pairs(text)
    if not pairs:
        raise RowError("no questions", f"{where}: the model's answer holds no list of questions with answers")
    messages = []
    for number, (question, answer) in enumerate(pairs):
        messages.append(user(*conversation.media, question) if number == 0 else user(question))
        messages.append(assistant(answer))
    return Conversation(tuple(messages), _kept(conversation))


def _kept(conversation: Conversation) -> dict[str, Any]:
    """The metadata that is about the picture and not about what was said of it."""
    return {key: value for key, value in conversation.metadata.items() if key not in ("checks", "truth")}


def read_pairs(text: str) -> list[tuple[str, str]]:
    """The questions with answers in a JSON list, whatever stands around it; entries that lack one are left out."""
    found = _LIST.search(text)
    try:
        entries = json.loads(found[0]) if found else []
    except (ValueError, RecursionError):
        return []
    pairs: dict[str, str] = {}
    for entry in entries if isinstance(entries, list) else []:
        question, answer = (
            (entry.get(key) for key in ("question", "answer")) if isinstance(entry, dict) else (None, None)
        )
        if isinstance(question, str) and isinstance(answer, str) and question.strip() and answer.strip():
            pairs.setdefault(question.strip(), answer.strip())
    return list(pairs.items())
