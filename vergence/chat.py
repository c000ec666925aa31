"""`vergence chat`: one answer for a program or a person, or a conversation at the terminal.

Answers go to standard output, everything else (greeting, notices, errors of a turn) to standard error.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, cast

from vergence.conversation import Conversation, Message, assistant, to_json, user
from vergence.errors import DataError, UsageError, VergenceError
from vergence.inference.engine import Engine
from vergence.inference.request import Request
from vergence.inference.sampler import Sampling
from vergence.processing.coordinates import parse_boxes, parse_points
from vergence.processing.media import image_size

HELP = """\
/image PATH         attach a picture to the next message (or just write its path in the message)
/set NAME VALUE     temperature, top_p, top_k, seed, max_tokens, stop; without a value: back to the default
/set                show them
/reset              forget the conversation
/save FILE          write the conversation as a line of JSON
/quit               leave (also Ctrl-D); Ctrl-C stops an answer"""

# A path starts a word; it is quoted, or escapes its spaces and ends in a picture's suffix (and perhaps punctuation).
_IMAGE_PATH = re.compile(
    r"""(?<![^\s(\[])(?:"([^"\n]+)"|'([^'\n]+)'|((?:\\.|[^\s\\])+?\.(?:png|jpe?g|webp|gif|bmp))(?=[?!.,;:)\]]*(?:\s|$)))""",
    re.IGNORECASE,
)
_SUFFIX = re.compile(r"\.(?:png|jpe?g|webp|gif|bmp)$", re.IGNORECASE)
_COMMAND = re.compile(r"/[a-z]+(?=\s|$)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # a terminal would obey them; tab and newline stay


def main(
    checkpoint: Path,
    *,
    images: Sequence[Path] = (),
    prompt: str | None = None,
    json_output: bool = False,
    sampling: Sampling | None = None,
    device: str = "cpu",
) -> int:
    """Load a checkpoint (or a run's newest) and answer `prompt`, or talk if there is none. Returns the exit code.

    Raises `VergenceError` for what makes a single answer impossible; at the terminal only loading can.
    """
    sampling = sampling or Sampling()
    if json_output and prompt is None:
        raise UsageError("--json needs --prompt: it prints one answer as one JSON object")
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that can't show a character gets a question mark
            stream.reconfigure(errors="replace")
    engine = Engine.load(checkpoint, device=device)
    if prompt is None:
        return interactive(engine, images=images, sampling=sampling)
    if json_output:
        print(json.dumps(answer(engine, prompt, images, sampling)))
        return 0
    for piece in engine.stream(Request(Conversation((user(*images, prompt),)), sampling)):
        print(_printable(piece), end="", flush=True)
    print()
    return 0


def answer(engine: Engine, prompt: str, images: Sequence[Path], sampling: Sampling) -> dict[str, Any]:
    """One answer as plain data. `boxes` and `points` found in its text are in pixels of the first image."""
    [output] = engine.generate([Request(Conversation((user(*images, prompt),)), sampling)])
    result: dict[str, Any] = {
        "text": output.text,
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


def interactive(engine: Engine, *, images: Sequence[Path] = (), sampling: Sampling | None = None) -> int:
    """Read lines from standard input until its end or `/quit`, and answer each. Returns the exit code, 0."""
    session = Session(engine, sampling or Sampling())
    terminal = sys.stdin.isatty()
    if terminal:
        with suppress(ImportError):  # line editing and history, where Python was built with it
            import readline  # noqa: F401
        _notice("Ask away; write a picture's path to show it. /help lists the commands, Ctrl-D leaves.")
    for image in images:
        session.turn(session.attach, image)
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


def find_images(text: str) -> tuple[str, list[Path]]:
    """The existing image files that a message names, and the message without them.

    A path may be quoted, have its spaces escaped by backslashes, or begin with `~`; what names no image file stays.
    """
    if whole := _existing(text.strip()):  # a terminal may paste a dropped file's path without quotes
        return "", [whole]
    found: list[Path] = []
    at = 0
    while match := _IMAGE_PATH.search(text, at):
        path = _existing(next(group for group in match.groups() if group))
        if path is None:
            at = match.start() + 1
            continue
        found.append(path)
        before, after = text[: match.start()].rstrip(" "), text[match.end() :]
        text = f"{before}{after}" if before and after[:1] not in ("", " ") else f"{before} {after.lstrip(' ')}"
        at = len(before)
    return (text.strip() if found else text), found


def _existing(name: str) -> Path | None:
    for candidate in (name, re.sub(r"\\(.)", r"\1", name)):  # as written first: backslashes separate Windows folders
        with suppress(OSError, ValueError, RuntimeError):
            path = Path(candidate).expanduser()
            if _SUFFIX.search(candidate) and path.is_file():
                return path
    return None


class Session:
    """A conversation at the terminal: its messages so far, the pictures for the next one, and how to sample."""

    def __init__(self, engine: Engine, sampling: Sampling) -> None:
        self.engine = engine
        self.sampling = sampling
        self.messages: list[Message] = []
        self.pending: list[Path] = []

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
        text, images = find_images(text)
        for image in images:
            self.attach(image)
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
        elif name == "image" and argument:
            path = _existing(argument.strip("\"'"))
            self.attach(path or Path(argument.strip("\"'")).expanduser())
        elif name == "set":
            self.set(*argument.split(maxsplit=1))
        elif name == "save" and argument:
            self.save(Path(argument.strip("\"'")).expanduser())
        else:
            usage = {"image": "/image PATH", "save": "/save FILE"}.get(name)
            _notice(f"usage: {usage}" if usage else f"no command /{name}; /help lists them")
        return True

    def attach(self, image: Path) -> bool:
        """Keep a picture for the next message. Raises `DataError` where its header already tells that it can't be."""
        width, height = image_size(image, self.engine.processor.limits)
        self.engine.processor.grid(width, height)
        self.pending.append(image)
        _notice(f"attached {image} ({width}x{height})")
        return True

    def reply(self, text: str) -> None:
        """Answer a message, printing while the answer comes. A message without any answer is forgotten again."""
        message = user(*self.pending, text)
        self.pending.clear()
        request = Request(Conversation((*self.messages, message)), self.sampling)
        pieces: list[str] = []
        try:
            for piece in self.engine.stream(request):
                pieces.append(piece)
                print(_printable(piece), end="", flush=True)
        finally:
            if pieces:
                print(flush=True)
                self.messages += [message, assistant("".join(pieces))]
        if not pieces:
            _notice("(an empty answer)")

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
        """Write the conversation as one line of JSON, pictures by their paths. Never overwrites. Raises `DataError`."""
        conversation = Conversation(tuple(self.messages))
        folder = path.resolve().parent
        images = [cast(Path, image).resolve() for image in conversation.images]
        names = [str(image.relative_to(folder) if image.is_relative_to(folder) else image) for image in images]
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(json.dumps(to_json(conversation, names), ensure_ascii=False) + "\n")
        except FileExistsError:
            raise DataError(f"{path}: exists already") from None
        except OSError as error:
            raise DataError(f"{path}: can't be written ({error.strerror})") from None
        _notice(f"saved {len(self.messages)} messages to {path}")


def _printable(text: str) -> str:
    return _CONTROL.sub("\ufffd", text)


def _notice(text: str) -> None:
    print(_printable(text), file=sys.stderr, flush=True)
