"""`vergence chat`: one answer for a program or a person, or a conversation at the terminal.

Answers go to standard output, everything else (greeting, notices, errors of a turn) to standard error.
"""

from __future__ import annotations

import json
import math
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from vergence.conversation import (
    Conversation,
    ImagePart,
    MediaPart,
    Message,
    VideoPart,
    assistant,
    to_json,
    user,
)
from vergence.errors import DataError, UsageError, VergenceError
from vergence.inference.engine import Engine
from vergence.inference.request import Request
from vergence.inference.sampler import Sampling
from vergence.inference.text_stream import Kind
from vergence.processing.attachments import existing_media, find_media, media_part
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.processing.media import image_size
from vergence.processing.video_file import read_index

HELP = """\
/image PATH         attach a picture to the next message (or just write its path in the message)
/video PATH         the same with a video
/fps NUMBER         look at so many frames a second of the videos to come; without a number: the model's choice
/set NAME VALUE     temperature, top_p, top_k, seed, max_tokens, stop; without a value: back to the default
/set                show them
/reset              forget the conversation
/save FILE          write the conversation as a line of JSON
/quit               leave (also Ctrl-D); Ctrl-C stops an answer"""

_COMMAND = re.compile(r"/[a-z]+(?=\s|$)")
_EMPTY = "(an empty answer)"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal would obey them; tab and newline stay


def main(
    checkpoint: Path,
    *,
    images: Sequence[Path] = (),
    videos: Sequence[Path] = (),
    fps: float | None = None,
    prompt: str | None = None,
    json_output: bool = False,
    sampling: Sampling | None = None,
    thinking: bool | None = None,
    device: str = "cpu",
    dtype: str = "auto",
) -> int:
    """Load a checkpoint (or a run's newest) and answer `prompt`, or talk if there is none. Returns the exit code.

    Raises `VergenceError` for what makes a single answer impossible; at the terminal only loading can.
    """
    sampling = sampling or Sampling()
    clips = [VideoPart(path, check_fps(fps)) for path in videos]
    if json_output and prompt is None:
        raise UsageError("--json needs --prompt: it prints one answer as one JSON object")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show a character gets a question mark
            stream.reconfigure(errors="replace")
    engine = Engine.load(checkpoint, device=device, dtype=dtype)
    if prompt is None:
        return interactive(engine, images=images, videos=clips, fps=fps, sampling=sampling, thinking=thinking)
    if json_output:
        print(json.dumps(answer(engine, prompt, images, sampling, videos=clips, thinking=thinking)))
        return 0
    conversation = Conversation((user(*images, *clips, prompt),))
    printer = _Printer()
    try:
        for kind, piece in engine.stream_parts(Request(conversation, sampling, thinking=thinking)):
            printer.show(kind, piece)
    finally:
        if printer.kind:
            printer.close()
    if not printer.kind:
        print()
    return 0


def answer(
    engine: Engine,
    prompt: str,
    images: Sequence[Path],
    sampling: Sampling,
    *,
    videos: Sequence[VideoPart] = (),
    thinking: bool | None = None,
) -> dict[str, Any]:
    """One answer as plain data. `boxes` and `points` found in its text are in pixels of the first image."""
    conversation = Conversation((user(*images, *videos, prompt),))
    [output] = engine.generate([Request(conversation, sampling, thinking=thinking)])
    result: dict[str, Any] = {
        "text": output.text,
        "thought": output.thought,
        "finish_reason": output.finish_reason,
        "token_ids": output.token_ids,
        "usage": {
            "prompt_tokens": output.prompt_tokens,
            "image_tokens": output.image_tokens,
            "completion_tokens": len(output.token_ids),
        },
    }
    if output.logprobs is not None:
        result["logprobs"] = output.logprobs
    if images:
        width, height = image_size(images[0], engine.processor.limits)
        result["image"] = {"width": width, "height": height}
        result["boxes"] = [box._asdict() for box in parse_boxes(output.text, width, height)]
        result["points"] = [point._asdict() for point in parse_points(output.text, width, height)]
    return result


def interactive(
    engine: Engine,
    *,
    images: Sequence[Path] = (),
    videos: Sequence[VideoPart] = (),
    fps: float | None = None,
    sampling: Sampling | None = None,
    thinking: bool | None = None,
) -> int:
    """Read lines from standard input until its end or `/quit`, and answer each. Returns the exit code, 0."""
    session = Session(engine, sampling or Sampling(), fps=fps, thinking=thinking)
    terminal = sys.stdin.isatty()
    if terminal:
        with suppress(ImportError):  # line editing and history, where Python was built with it
            import readline  # noqa: F401
        _notice("Ask away; write a picture's or a video's path to show it. /help lists the commands, Ctrl-D leaves.")
    for part in [*map(ImagePart, images), *videos]:
        session.turn(session.attach, part)
    while True:
        try:
            line = input(">>> " if terminal else "").strip()
        except EOFError:
            if terminal:
                print()
            return 0
        except KeyboardInterrupt:
            _notice("\n/quit or Ctrl-D leaves.")
            continue
        if not session.turn(session.line, line):
            return 0


class Session:
    """A conversation at the terminal: its messages so far, the media for the next one, and how to answer."""

    def __init__(
        self, engine: Engine, sampling: Sampling, *, fps: float | None = None, thinking: bool | None = None
    ) -> None:
        self.engine = engine
        self.sampling = sampling
        self.fps = fps
        self.thinking = thinking
        self.messages: list[Message] = []
        self.pending: list[MediaPart] = []

    def turn(self, action: Callable[..., bool], *arguments: Any) -> bool:
        """Do one thing; what goes wrong with it is one line, and the session goes on. False: the user leaves."""
        try:
            return action(*arguments)
        except VergenceError as error:
            _notice(f"error: {error}")
        except KeyboardInterrupt:
            _notice("(stopped)")
        return True

    def line(self, text: str) -> bool:
        """Obey a command or answer a message; false if the user leaves."""
        command = _COMMAND.match(text)
        if command:
            return self.command(command[0][1:], text[command.end() :].strip())
        text, paths = find_media(text)
        for path in paths:
            self.attach(media_part(path, self.engine.processor.video_limits, fps=self.fps))
        if text:
            self.reply(text)
        return True

    def command(self, name: str, argument: str) -> bool:
        """Run `/name argument`; false if it ends the session."""
        if name in ("quit", "exit"):
            return False
        if name == "help":
            _notice(HELP)
        elif name == "reset":
            self.messages.clear()
            self.pending.clear()
            _notice("forgotten")
        elif name in ("image", "video") and argument:
            path = existing_media(argument.strip("\"'")) or Path(argument.strip("\"'")).expanduser()
            self.attach(ImagePart(path) if name == "image" else VideoPart(path, self.fps))
        elif name == "fps":
            self.set_fps(argument)
        elif name == "set":
            self.set(*argument.split(maxsplit=1))
        elif name == "save" and argument:
            self.save(Path(argument.strip("\"'")).expanduser())
        else:
            usage = {"image": "/image PATH", "video": "/video PATH", "save": "/save FILE"}.get(name)
            _notice(f"usage: {usage}" if usage else f"no command /{name}; /help lists them")
        return True

    def attach(self, part: MediaPart) -> bool:
        """Keep a picture or video for the next message. Raises `DataError` where its header tells that it can't be."""
        processor = self.engine.processor
        processor.token_count(Conversation((user(part),)), generate=True)
        if isinstance(part, VideoPart):
            index = read_index(cast(Path, part.video), processor.video_limits)
            (width, height), length = index.size, f", {index.duration:.1f} s"
        else:
            (width, height), length = image_size(part.image, processor.limits), ""
        self.pending.append(part)
        _notice(f"attached {_path(part)} ({width}x{height}{length})")
        return True

    def set_fps(self, value: str) -> None:
        """Look at so many frames a second of the videos to come. Raises `UsageError` for what is no such number."""
        try:
            self.fps = check_fps(float(value)) if value else None
        except ValueError:
            raise UsageError(f"fps: {value!r} is not a number") from None
        _notice(f"fps={self.fps or 'the choice of the model'}")

    def reply(self, text: str) -> None:
        """Answer a message, printing while the answer comes. A message without any answer is forgotten again."""
        message = user(*self.pending, text)
        self.pending.clear()
        request = Request(Conversation((*self.messages, message)), self.sampling, thinking=self.thinking)
        printer = _Printer()
        pieces: list[str] = []
        try:
            for kind, piece in self.engine.stream_parts(request):
                printer.show(kind, piece)
                if kind == "text":  # a thought is no part of what was said
                    pieces.append(piece)
        finally:
            if printer.kind:
                printer.close()
            if pieces:
                self.messages += [message, assistant("".join(pieces))]
        if not pieces:
            _notice("(a thought without an answer; /set max_tokens allows longer ones)" if printer.kind else _EMPTY)

    def set(self, name: str | None = None, value: str | None = None) -> None:
        """Change how answers are sampled, or show it. Raises `UsageError` for a wrong name or value."""
        names = [field.name for field in fields(Sampling) if field.name != "logprobs"]
        if name is None:
            _notice("  ".join(f"{name}={getattr(self.sampling, name)!r}" for name in names))
            return
        if name not in names:
            raise UsageError(f"no setting {name!r}; there are: {', '.join(names)}")
        new: Any = getattr(Sampling(), name)
        if value is not None and value != "none":
            try:
                new = (value,) if name == "stop" else float(value) if name in ("temperature", "top_p") else int(value)
            except ValueError:
                raise UsageError(f"{name}: {value!r} is not a number") from None
        self.sampling = replace(self.sampling, **{name: new})
        _notice(f"{name}={new!r}")

    def save(self, path: Path) -> None:
        """Write the conversation as one line of JSON, media by their paths. Never overwrites. Raises `DataError`."""
        conversation = Conversation(tuple(self.messages))
        folder = path.resolve().parent
        paths = [_path(part).resolve() for part in conversation.media]
        names = [str(media.relative_to(folder) if media.is_relative_to(folder) else media) for media in paths]
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(to_json(conversation, names), ensure_ascii=False) + "\n")
        except FileExistsError:
            raise DataError(f"{path}: exists already") from None
        except OSError as error:
            raise DataError(f"{path}: can't be written ({error.strerror})") from None
        _notice(f"saved {len(self.messages)} messages to {path}")


class _Printer:
    """Prints an answer while it comes. Its thought is dimmed on a terminal, and elsewhere goes to standard error.

    `kind` is what was printed last, None before anything was.
    """

    def __init__(self) -> None:
        self.kind: Kind | None = None
        self._terminal = sys.stdout.isatty()
        self._dim = self._terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def show(self, kind: Kind, piece: str) -> None:
        """Print a piece of a thought or of the answer's text."""
        if kind != self.kind:
            self._end_thought()
            if kind == "thought" and self._dim:
                print("\x1b[2m", end="")
            self.kind = kind
        apart = kind == "thought" and not self._terminal
        print(_printable(piece), end="", file=sys.stderr if apart else sys.stdout, flush=True)

    def close(self) -> None:
        """End the line."""
        self._end_thought()
        print(flush=True)

    def _end_thought(self) -> None:
        if self.kind != "thought":
            return
        if self._dim:
            print("\x1b[0m", end="")
        print("\n" if self._terminal else "", file=sys.stdout if self._terminal else sys.stderr, flush=True)


def check_fps(fps: float | None) -> float | None:
    """The same number. Raises `UsageError` unless it is greater than 0 and finite, or None (the model's choice)."""
    if fps is not None and not (math.isfinite(fps) and fps > 0):
        raise UsageError(f"fps must be a number greater than 0, got {fps:g}")
    return fps


def _path(part: MediaPart) -> Path:
    """The file of a part: at the terminal, all media are named by their paths."""
    return cast(Path, part.video if isinstance(part, VideoPart) else part.image)


def _printable(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _notice(text: str) -> None:
    print(_printable(text), file=sys.stderr, flush=True)
