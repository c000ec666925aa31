"""What filters read: the samples of a data folder or of shards, one after the other, and what they say and show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart
from vergence.data.shards.reader import ShardSource
from vergence.data.sources.folder import FolderSource
from vergence.errors import DataError

Folder = FolderSource | ShardSource
Show = Callable[[str], None]
"""Told how far it is."""


def silent(_: str) -> None:
    """Shows nothing."""


def key_of(folder: Folder, number: int) -> str:
    """A sample's place without the folder's own path, the same on every machine."""
    return folder.where(number).removeprefix(str(folder.path)).lstrip("/: ")


def samples(folder: Folder, show: Show = silent) -> Iterator[tuple[int, str, Conversation | DataError]]:
    """(number, key, conversation) of every sample, the error in place of one that can't be read."""
    for number in range(len(folder)):
        show(f"{number:,} of {len(folder):,} samples")
        try:
            found: Conversation | DataError = folder[number]
        except DataError as error:
            found = error
        yield number, key_of(folder, number), found


def caption_of(conversation: Conversation) -> str:
    """What the assistant says in a conversation, turn by turn."""
    return "\n".join(message.text for message in conversation.messages if message.role == "assistant")


def pictures_of(conversation: Conversation) -> list[Path | bytes | Image.Image]:
    """The pictures of a conversation as they are held, those of chosen frames too; videos have none."""
    found: list[Path | bytes | Image.Image] = []
    for part in conversation.media:
        if isinstance(part, ImagePart):
            found.append(part.image)
        elif isinstance(part.video, Frames):
            found += part.video.images
    return found


def videos_of(conversation: Conversation) -> list[Path | bytes]:
    """The videos of a conversation whose frames nobody has chosen."""
    videos = [part.video for part in conversation.media if not isinstance(part, ImagePart)]
    return [video for video in videos if not isinstance(video, Frames)]
