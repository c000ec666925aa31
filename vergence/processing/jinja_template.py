"""The Jinja chat templates of public checkpoints, rendered to pieces.

The ids are those of Hugging Face's `apply_chat_template`, with one difference: nothing that anybody writes can become a
special token. Before the program runs, one character of every special token's spelling is replaced in the texts by a
private-use stand-in; what the program wrote is split at special tokens; only then the stand-ins are put back.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

from vergence.conversation import Conversation, ImagePart, Message, TextPart, VideoPart
from vergence.errors import DataError
from vergence.processing.jinja_sandbox import Sandbox, TemplateError
from vergence.processing.pieces import MEDIA, Learn, Piece
from vergence.processing.thoughts import THOUGHT_MARKS
from vergence.processing.tokenizer import AddedToken

_KINDS: dict[type, str] = {TextPart: "text", ImagePart: "image", VideoPart: "video"}
_MARK = "\ue000"  # stands for a text in trial renderings
_PRIVATE = [chr(code) for code in range(0xE001, 0xF900)]
_THOUGHT_OPENING = re.compile("(?:" + "|".join(rf"{a}\s*(?:{b}\s*)?" for a, b in THOUGHT_MARKS) + r")\Z")

# What tokens with `lstrip` and `rstrip` take in: Unicode's white space, without what only Python counts to it.
_SPACE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace() and not 0x1C <= code <= 0x1F)

Span = tuple[int, int]


class JinjaTemplate:
    """A `Template` whose layout is a Jinja program.

    What the program does with contents is found out by trial renderings: whether it reads lists of parts, what it
    writes for an image or a video, whether it keeps the order of parts, and which token ends an answer.
    """

    def __init__(
        self,
        source: str,
        tokens: Iterable[AddedToken],
        *,
        media: Sequence[str] = MEDIA,
        bos: str | None = None,
        eos: str | None = None,
        name: str = "chat template",
    ) -> None:
        """`tokens` are the tokenizer's added tokens, `media` the placeholders of images and videos.

        Raises `DataError` for a program that is too long, isn't Jinja, or reaches outside of its sandbox.
        """
        self._arguments = (source, tuple(tokens), tuple(media), bos, eos, name)
        self.name, self._source = name, source
        self._variables = {key: value for key, value in (("bos_token", bos), ("eos_token", eos)) if value}
        self._tokens = {token.text: token for token in self._arguments[1]}
        try:
            self._sandbox = Sandbox(source)
        except TemplateError as error:
            raise DataError(f"{name}: {error}") from None
        self._lists: dict[str, bool] = {}
        for role in ("user", "system", "assistant"):
            self._lists[role] = self._reads_lists(role)
        self._media = frozenset(media)
        self.special_tokens = self._media | {t.text for t in self._tokens.values() if t.special} | self._turn_markers()
        self._split = re.compile("|".join(map(re.escape, sorted(self.special_tokens, key=len, reverse=True))))
        self._guard = _Guard(self.special_tokens, self._tokens)
        self._opening = self._answer_opening()
        self.ends = tuple(dict.fromkeys([*self._answer_end(), *([eos] if eos else [])]))
        self._written = self._media_texts(media)
        self._orders: dict[tuple[str, ...], bool] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, self._arguments

    def render(
        self,
        conversation: Conversation,
        *,
        learn: Learn = "answers",
        generate: bool = False,
        thinking: bool | None = None,
    ) -> list[Piece]:
        """See `Template.render`. With `generate` nothing is learned.

        A text is cut where a learned part begins, as the ids of a prompt and of its answer are. An answer that the
        program shortens once the dialogue goes on (by dropping its thought) is learned as far as it is left. Raises
        `DataError` for a conversation that the program refuses, or whose images and videos it doesn't write once each.
        """
        hide, show = self._guard.pair(self._source, conversation)
        variables = {} if thinking is None else {"enable_thinking": thinking}
        messages = self._messages(conversation.messages, hide)
        text = self._rendered(messages, generate, **variables)
        spans: list[Span] = []
        if not generate:
            spans = self._answers(conversation.messages, messages, text, variables)
            if learn == "text":
                spans = sorted(spans + self._contents(conversation.messages, text, variables))
        pieces = self._pieces(text, spans, show)
        wanted = sum(not isinstance(part, TextPart) for m in conversation.messages for part in m.parts)
        found = sum(piece.kind == "media" for piece in pieces)
        if found != wanted:
            raise DataError(f"{self.name}: it writes {found} images and videos, the conversation has {wanted}")
        if spans and self._needs_end(conversation.messages[-1], text, spans[-1]):
            pieces.append(Piece("special", self.ends[0], learned=True))
        return pieces

    def _rendered(self, messages: list[dict[str, Any]], generate: bool, **variables: Any) -> str:
        try:
            return self._sandbox.render(messages, add_generation_prompt=generate, **self._variables, **variables)
        except TemplateError as error:
            raise DataError(f"{self.name}: {error}") from None

    def _messages(self, messages: Sequence[Message], write: Callable[[str], str]) -> list[dict[str, Any]]:
        """The messages as the program reads them, with `write` applied to every text."""
        return [{"role": message.role, "content": self._content(message, write)} for message in messages]

    def _content(self, message: Message, write: Callable[[str], str]) -> str | list[dict[str, str]]:
        kinds = [_KINDS[type(part)] for part in message.parts]
        texts = [write(part.text) if isinstance(part, TextPart) else "" for part in message.parts]
        types = [self._written[kind].type if kind != "text" else kind for kind in kinds]
        lists = self._lists[message.role]
        if lists and all(types) and (set(kinds) == {"text"} or self._keeps_order(message.role, tuple(types))):
            return [
                {"type": kind, "text": text} if kind == "text" else {"type": kind}
                for kind, text in zip(types, texts, strict=True)
            ]
        whole = "".join(
            text if kind == "text" else self._written[kind].text for kind, text in zip(kinds, texts, strict=True)
        )
        return [{"type": "text", "text": whole}] if lists else whole

    def plain(self, conversation: Conversation) -> list[Piece]:
        """See `Template.plain`."""
        pieces: list[Piece] = []
        for part in (part for message in conversation.messages for part in message.parts):
            if isinstance(part, TextPart):
                pieces.append(Piece("text", part.text))
            else:
                kind = "video" if isinstance(part, VideoPart) else "image"
                pieces += self._pieces(self._written[kind].text, [], str)
        return pieces

    def _pieces(self, text: str, spans: list[Span], show: Callable[[str], str]) -> list[Piece]:
        """The rendered text split at special tokens, which may take in the space around them, and at learned spans."""
        pieces: list[Piece] = []
        start, strip = 0, False
        for match in [*self._split.finditer(text), None]:
            name = match[0] if match else ""
            token = self._tokens.get(name)
            stop = match.start() if match else len(text)
            if strip:
                start = stop - len(text[start:stop].lstrip(_SPACE))
            until = start + len(text[start:stop].rstrip(_SPACE)) if token and token.lstrip else stop
            pieces += [Piece("text", show(text[a:b]), learned) for a, b, learned in _cut(start, until, spans)]
            if name in self._media:
                pieces.append(Piece("media"))
            elif match:
                pieces.append(Piece("special", name, any(a <= stop < b for a, b in spans)))
            start, strip = stop + len(name), bool(token and token.rstrip)
        return pieces

    # What is learned.

    def _answers(
        self, messages: Sequence[Message], rendered: list[dict[str, Any]], text: str, variables: dict[str, Any]
    ) -> list[Span]:
        """Where the answers that carry loss stand in `text`, with their end tokens."""
        wanted = [i for i, message in enumerate(messages) if message.role == "assistant" and message.loss]
        found = {i: self._answer(rendered, i, text, variables) for i in wanted}
        if None in found.values():  # the prompt for an answer isn't laid out as the same turns are in a history
            for i, start, stop in self._texts(messages, text, variables) or []:
                if i in found and found[i] is None:
                    end = self._split.search(text, stop)
                    ended = end and end[0] in self.ends and not text[stop : end.start()].strip()
                    found[i] = (start, end.end() if end and ended else stop)
        spans = [span for span in found.values() if span]
        if not spans and any(messages[i].text.strip() for i in wanted):
            raise DataError(f"{self.name}: it changes or leaves out the answers, so none can be learned")
        return spans

    def _answer(self, messages: list[dict[str, Any]], index: int, text: str, variables: dict[str, Any]) -> Span | None:
        """From the end of the prompt for an answer to the end token behind it; None where the prompt isn't there."""
        try:
            prompt = self._rendered(messages[:index], True, **variables)
        except DataError:  # many programs need a first message
            prompt = text[: text.find(self._opening) + len(self._opening)] if index == 0 else ""
        if not text.startswith(prompt):
            prompt = _THOUGHT_OPENING.sub("", prompt)  # a thought that the program drops, or its empty frame
        if not text.startswith(prompt):
            return None
        after = text if index == len(messages) - 1 else self._rendered(messages[: index + 1], False, **variables)
        limit = len(after) if text.startswith(after) else len(text)
        ends = [match.end() for match in self._split.finditer(text, len(prompt), limit) if match[0] in self.ends]
        if ends:
            return len(prompt), ends[0]
        # Kimi K2 writes the end token of an answer only when another message follows.
        end = self._split.match(text, limit)
        return len(prompt), end.end() if end and end[0] in self.ends else limit

    def _needs_end(self, message: Message, text: str, span: Span) -> bool:
        learned = message.role == "assistant" and message.loss and span[1] == len(text)
        return bool(learned and self.ends and not text.endswith(self.ends))

    def _contents(self, messages: Sequence[Message], text: str, variables: dict[str, Any]) -> list[Span]:
        """Where the texts of system and user messages stand in `text`."""
        texts = self._texts(messages, text, variables)
        if texts is None:
            raise DataError(f"{self.name}: its own text depends on the contents, so only answers can be learned")
        return [(start, stop) for i, start, stop in texts if messages[i].role != "assistant"]

    def _texts(
        self, messages: Sequence[Message], text: str, variables: dict[str, Any]
    ) -> list[tuple[int, int, int]] | None:
        """Each text's message, start and end in `text`: between what the program writes around marks in its place.

        Texts that the program leaves out aren't there. None where it repeats a text or writes something else around it.
        """
        texts = [(i, part.text) for i, m in enumerate(messages) for part in m.parts if isinstance(part, TextPart)]
        numbers = itertools.count()
        marked = self._messages(messages, lambda text: f"{_MARK}{next(numbers)}{_MARK}" if text.strip() else text)
        # What the program writes, with the number of a text at every second place.
        before, *rest = re.split(f"{_MARK}(\\d+){_MARK}", self._rendered(marked, False, **variables))
        owners = [i for i, content in texts if content.strip()]
        order, between = [int(number) for number in rest[::2]], rest[1::2]
        if (
            len(set(order)) < len(order)
            or not text.startswith(before)
            or not text.endswith(between[-1] if between else "")
        ):
            return None
        found, position = [], len(before)
        for i, (number, after) in enumerate(zip(order, between, strict=True)):
            stop = len(text) - len(after) if i == len(order) - 1 else text.find(after, position)
            if stop < position:
                return None
            found.append((owners[number], position, stop))
            position = stop + len(after)
        return found

    # Trial renderings.

    def _trial(self, *messages: tuple[str, Any], generate: bool = False) -> str:
        """The rendering of a short dialogue, "" where the program refuses it."""
        try:
            return self._rendered([{"role": role, "content": content} for role, content in messages], generate)
        except DataError:
            return ""

    def _around(self, role: str, content: Any) -> str:
        """The rendering of a dialogue with this content in a message of `role`."""
        question = ("user", self._as_content("user", "x"))
        before = [question] if role == "assistant" else []
        after = [question] if role == "system" else []
        return self._trial(*before, (role, content), *after)

    def _as_content(self, role: str, text: str) -> Any:
        return [{"type": "text", "text": text}] if self._lists.get(role) else text

    def _reads_lists(self, role: str) -> bool:
        """True where the program takes the text out of a list of parts, instead of writing the list as it is."""
        text = self._around(role, [{"type": "text", "text": _MARK}])
        return _MARK in text and not re.search(r"""['"](type|text)['"]""", text)

    def _dialogue(self) -> str:
        """A question, an answer (the mark) and another question."""
        question, answer = self._as_content("user", "x"), self._as_content("assistant", _MARK)
        return self._trial(("user", question), ("assistant", answer), ("user", question))

    def _turn_markers(self) -> set[str]:
        """Added tokens around the turns of a plain dialogue that the tokenizer's file doesn't call special."""
        text, thoughts = self._dialogue(), {mark for marks in THOUGHT_MARKS for mark in marks}
        return {token for token in self._tokens if token in text and token not in thoughts}

    def _answer_opening(self) -> str:
        """What the program writes where an answer is to come."""
        question = ("user", self._as_content("user", "x"))
        return self._trial(question, generate=True).removeprefix(self._trial(question))

    def _answer_end(self) -> list[str]:
        """The special token behind an answer, if there is one."""
        match = self._split.match(self._dialogue().partition(_MARK)[2].lstrip())
        return [match[0]] if match and match[0] not in self._media else []

    def _media_texts(self, media: Sequence[str]) -> dict[str, _Written]:
        """What the program writes for an image and for a video; as it does for an image, if it knows no videos."""
        mark = {"type": "text", "text": _MARK}
        without = self._around("user", [mark])
        written = {"image": _Written("", media[0], media[0])}
        for kind in ("image", "video"):
            text = self._around("user", [{"type": kind}, mark]) if self._lists["user"] else ""
            found = [match[0] for match in self._split.finditer(text) if match[0] in self._media]
            start = next((i for i, (a, b) in enumerate(zip(text, without, strict=False)) if a != b), 0)
            inserted = text[start : start + len(text) - len(without)]
            if len(found) == 1 and found[0] in inserted:
                written[kind] = _Written(kind, inserted, found[0])
        video = written.get("video", written["image"])
        # Where both look the same, their order can't be checked, and is kept by calling both images.
        return {**written, "video": written["image"] if video.text == written["image"].text else video}

    def _keeps_order(self, role: str, types: tuple[str, ...]) -> bool:
        """True where the program writes parts of these types in the order given."""
        key = (role, *types)
        if key not in self._orders:
            parts = [{"type": kind, "text": _MARK} if kind == "text" else {"type": kind} for kind in types]
            wanted = [_MARK if kind == "text" else self._written[kind].placeholder for kind in types]
            found = re.findall("|".join(map(re.escape, [_MARK, *self._media])), self._around(role, parts))
            if len(self._orders) >= 1024:
                self._orders.clear()
            self._orders[key] = found == wanted
        return self._orders[key]


class _Written(NamedTuple):
    """How a program writes an image or a video: the part's type ("" if it knows none), the text, the placeholder."""

    type: str
    text: str
    placeholder: str


class _Guard:
    """Hides the spelling of special tokens in texts, and shows it again after the split."""

    def __init__(self, special: Collection[str], tokens: Iterable[str]) -> None:
        """`tokens` that aren't special stay as they are, as do marks of thoughts: programs look for them."""
        guarded = {next((c for c in name if not c.isalnum() and not c.isspace()), name[0]) for name in special}
        self._guarded = sorted(guarded)
        marks = [mark for marks in THOUGHT_MARKS for mark in marks]
        kept = [t for t in [*tokens, *marks] if t not in special and not guarded & set(t[1:])]
        kept = [t for t in kept if not any(name.startswith(t) for name in special)]
        one = "".join(map(re.escape, self._guarded))
        self._pattern = re.compile("|".join([*map(re.escape, sorted(kept, key=len, reverse=True)), f"[{one}]"]))

    def pair(self, source: str, conversation: Conversation) -> tuple[Callable[[str], str], Callable[[str], str]]:
        """The functions that hide and show, with stand-ins that occur in none of the texts."""
        used = set(source).union(
            *(part.text for m in conversation.messages for part in m.parts if isinstance(part, TextPart))
        )
        free = (character for character in _PRIVATE if character not in used)
        names = dict(zip(self._guarded, free, strict=False))
        if len(names) < len(self._guarded):
            raise DataError("a text with every private-use character can't be laid out by a chat template")
        back = {ord(character): name for name, character in names.items()}
        return (
            lambda text: self._pattern.sub(lambda match: names.get(match[0], match[0]), text),
            lambda text: text.translate(back),
        )


def _cut(start: int, stop: int, spans: Iterable[Span]) -> list[tuple[int, int, bool]]:
    """The stretch from `start` to `stop` in parts that are learned (within one of the sorted `spans`) or not."""
    parts = []
    for begin, end in spans:
        begin, end = max(begin, start), min(end, stop)
        if begin < end:
            parts += [(start, begin, False), (begin, end, True)]
            start = end
    return [(a, b, learned) for a, b, learned in [*parts, (start, stop, False)] if a < b]


def _rebuild(source: str, tokens: Any, media: Any, bos: Any, eos: Any, name: str) -> JinjaTemplate:
    return JinjaTemplate(source, tokens, media=media, bos=bos, eos=eos, name=name)
