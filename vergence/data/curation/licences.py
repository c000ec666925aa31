"""Is a sample's licence one of those that are allowed?

A record names its licence in `licence` or `license`: SPDX names, joined by `AND`, commas or semicolons where all of
them hold, by `OR` where one may choose. A record that names none is refused by every list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

_ALL = re.compile(r"\s+AND\s+|\s*[,;]\s*|\s+and\s+")
_ANY = re.compile(r"\s+OR\s+|\s+or\s+")
_AROUND = re.compile(r"^[\s(]+|[\s)]+$")


def licence_problem(metadata: Mapping[str, Any], allowed: Sequence[str]) -> str | None:
    """Why a record may not be used, as a reason; None where it may. `allowed` may have * for anything."""
    licence = metadata.get("licence", metadata.get("license"))
    if not isinstance(licence, str) or not licence.strip():
        return "licence: none named"
    return None if is_allowed(licence, allowed) else f"licence: {licence}"


def is_allowed(licence: str, allowed: Sequence[str]) -> bool:
    """Whether each part that must hold has a choice that matches one of the patterns, but for case."""
    patterns = [pattern.casefold() for pattern in allowed]
    return all(
        any(
            fnmatchcase(_AROUND.sub("", choice).casefold(), pattern)
            for choice in _ANY.split(part)
            for pattern in patterns
        )
        for part in _ALL.split(licence.strip())
    )
