"""The PDF manuals of TeX packages in texlive-science-doc: their files, licences and sides of the split."""

from __future__ import annotations

import gzip
import re
from functools import cache, lru_cache
from pathlib import Path

from vergence.data.generator import SourceItem, source_item
from vergence.data.pictures import Split, split_of
from vergence.data.sources.packages import package_folder

SOURCE = "texlive-science-doc"

LICENCES = {
    "lppl": "LPPL",
    "lppl1": "LPPL-1.0",
    "lppl1.2": "LPPL-1.2",
    "lppl1.3": "LPPL-1.3a",
    "lppl1.3a": "LPPL-1.3a",
    "lppl1.3c": "LPPL-1.3c",
    "mit": "MIT",
    "isc": "ISC",
    "bsd": "BSD-3-Clause",
    "bsd2": "BSD-2-Clause",
    "apache2": "Apache-2.0",
    "pd": "public domain",
    "gpl": "GPL",
    "gpl2": "GPL-2.0",
    "gpl3": "GPL-3.0",
    "gpl3+": "GPL-3.0-or-later",
    "lgpl": "LGPL",
    "lgpl2.1": "LGPL-2.1",
    "cc-by-4": "CC-BY-4.0",
    "cc-by-sa-3": "CC-BY-SA-3.0",
    "cc-by-sa-4": "CC-BY-SA-4.0",
}
"""TeX Live's word for a licence -> its name. A manual under another is left out."""


@cache
def manuals(split: Split) -> tuple[tuple[Path, str], ...]:
    """The PDFs of a split with their licences, in order of their paths. Raises `UsageError` without the package."""
    docs = package_folder(SOURCE) / "usr" / "share" / "doc"
    licences = _licences(docs / SOURCE / "Licenses.gz")
    found = []
    for path in sorted((docs / "texlive-doc").rglob("*.pdf")):
        package = path.relative_to(docs / "texlive-doc").parts[1]
        licence = LICENCES.get(licences.get(package, ""))
        if licence and split_of(f"manual:{package}") == split and path.is_file():
            found.append((path, licence))
    return tuple(found)


def _licences(path: Path) -> dict[str, str]:
    lines = gzip.decompress(path.read_bytes()).decode("utf-8", "replace").splitlines()
    pairs = (line.partition(": ") for line in lines if ": " in line and not line.startswith("texmf"))
    return {name: licence.strip() for name, _, licence in pairs}


@lru_cache(maxsize=64)
def manual_item(path: Path, licence: str) -> SourceItem:
    """The record of a manual."""
    docs = package_folder(SOURCE) / "usr" / "share" / "doc" / "texlive-doc"
    return source_item(SOURCE, str(path.relative_to(docs)), path.read_bytes(), licence)


@cache
def misread(path: Path) -> bool:
    """Whether a manual's ligatures are read as capitals ("deVnes" for "defines"), as those of old fonts without a table
    of Unicode are; up to eight of its pages are looked at."""
    import pypdfium2

    document = pypdfium2.PdfDocument(path)
    try:
        step = -(-len(document) // 8)
        return any(
            re.search(r"\b[a-z]+V[a-z]+\b", document[number].get_textpage().get_text_range())
            for number in range(0, len(document), step)
        )
    finally:
        document.close()
