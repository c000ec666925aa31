"""Pictures and videos that somebody names by their paths, in a message or alone."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from vergence.conversation import ImagePart, MediaPart, VideoPart
from vergence.errors import VergenceError
from vergence.processing.video_file import VideoLimits, read_index

_VIDEOS = r"mp4|webm|mov|avi|mkv|m4v"
_MEDIA = rf"png|jpe?g|webp|gif|bmp|{_VIDEOS}"
# A path starts a word; it is quoted, or escapes its spaces and ends in a known suffix (and perhaps punctuation).
_PATH = re.compile(
    rf"""(?<![^\s(\[])(?:"([^"\n]+)"|'([^'\n]+)'|((?:\\.|[^\s\\])+?\.(?:{_MEDIA}))(?=[?!.,;:)\]]*(?:\s|$)))""",
    re.IGNORECASE,
)
_SUFFIX = re.compile(rf"\.(?:{_MEDIA})$", re.IGNORECASE)
_VIDEO_SUFFIX = re.compile(rf"\.(?:{_VIDEOS})$", re.IGNORECASE)


def find_media(text: str) -> tuple[str, list[Path]]:
    """The existing picture and video files that a message names, and the message without them.

    A path may be quoted, have its spaces escaped by backslashes, or begin with `~`; what names no such file stays.
    """
    if whole := existing_media(text.strip()):  # a terminal may paste a dropped file's path without quotes
        return "", [whole]
    found: list[Path] = []
    at = 0
    while match := _PATH.search(text, at):
        path = existing_media(next(group for group in match.groups() if group))
        if path is None:
            at = match.start() + 1
            continue
        found.append(path)
        before, after = text[: match.start()].rstrip(" "), text[match.end() :]
        text = f"{before}{after}" if before and after[:1] not in ("", " ") else f"{before} {after.lstrip(' ')}"
        at = len(before)
    return (text.strip() if found else text), found


def existing_media(name: str) -> Path | None:
    """The picture or video file of that name, as it was typed or with its backslashes taken for escapes."""
    for candidate in (name, re.sub(r"\\(.)", r"\1", name)):  # as written first: backslashes separate Windows folders
        with suppress(OSError, ValueError, RuntimeError):
            path = Path(candidate).expanduser()
            if _SUFFIX.search(candidate) and path.is_file():
                return path
    return None


def media_part(path: Path, limits: VideoLimits, *, fps: float | None = None) -> MediaPart:
    """A file as the part that its suffix says; a GIF is a video where it moves and PyAV is there to read it."""
    if _VIDEO_SUFFIX.search(path.name):
        return VideoPart(path, fps)
    if path.suffix.lower() == ".gif":
        with suppress(VergenceError):  # what is wrong with it, the reader of pictures will say
            if len(read_index(path, limits)) > 1:
                return VideoPart(path, fps)
    return ImagePart(path)
