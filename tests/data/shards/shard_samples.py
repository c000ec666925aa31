"""Small data for shards: pictures, a data folder, a pack of it."""

from __future__ import annotations

import io
import json
from pathlib import Path

from PIL import Image

from vergence.conversation import Conversation, TextPart
from vergence.data.shards.open_rows import open_rows
from vergence.data.shards.pack import Packed, pack


def picture(number: int, form: str = "PNG", size: tuple[int, int] | None = None) -> bytes:
    """An encoded picture whose colour and size tell its number."""
    file = io.BytesIO()
    Image.new("RGB", size or (20 + number % 7, 30), (number * 37 % 256, number % 256, 90)).save(file, form)
    return file.getvalue()


def write_samples(folder: Path, count: int) -> Path:
    """A data folder of conversations of 0, 1 and 2 pictures, with metadata."""
    folder.mkdir(parents=True)
    lines = []
    for number in range(count):
        names = [f"{number}-{place}.{('png', 'jpg')[place]}" for place in range(number % 3)]
        for place, name in enumerate(names):
            (folder / name).write_bytes(picture(number + place, ("PNG", "JPEG")[place]))
        content = [
            *({"type": "image", "image": name} for name in names),
            {"type": "text", "text": f"What is {number}?"},
        ]
        lines.append(
            {
                "messages": [
                    {"role": "user", "content": content},
                    {"role": "assistant", "content": f"né {number}", "loss": bool(number % 4)},
                ],
                "licence": ("CC0-1.0", "MIT")[number % 2],
                "tags": {"n": number},
                "images": 3,
            }
        )
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n", encoding="utf-8")
    return folder


def pack_folder(source: Path, output: Path, shard_bytes: int = 12_000, **options: object) -> Packed:
    """Pack whatever `source` is."""
    rows, form = open_rows(source, **options)  # type: ignore[arg-type]
    return pack(rows, output, form=form, shard_bytes=shard_bytes)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder by its name."""
    return {path.name: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def told(conversation: Conversation) -> list[tuple[str, bool, list[object]]]:
    """A conversation with its media as bytes, texts that follow one another joined and empty ones left out."""
    messages = []
    for message in conversation.messages:
        parts: list[object] = []
        for part in message.parts:
            if not isinstance(part, TextPart):
                source = getattr(part, "image", getattr(part, "video", None))
                parts.append((type(part).__name__, source.read_bytes() if isinstance(source, Path) else source))
            elif parts and isinstance(parts[-1], str):
                parts[-1] += part.text
            elif part.text:
                parts.append(part.text)
        messages.append((message.role, message.loss, parts))
    return messages
