"""One HTML page about a folder of data: samples with their places drawn on them, distributions, licences.

Pictures are inside of the page, so that it can be mailed or kept; nothing is fetched when it is opened.
"""

from __future__ import annotations

import base64
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from PIL import Image

from vergence.conversation import Conversation, Frames, ImagePart, Message, TextPart, VideoPart
from vergence.data.curation.decisions import KEPT, Decisions, combine, read_decisions
from vergence.data.mixture_sources import open_folder
from vergence.data.shards.reader import ShardSource
from vergence.data.shards.writer import write_whole
from vergence.errors import DataError
from vergence.processing.media import decode_image

LONGEST_SIDE, SHORTEST_SIDE = 640, 200
MAX_VIDEO_BYTES = 2_000_000
_COUNTED = 20_000  # samples whose metadata the distributions are of; of more, evenly spaced ones
_BINS = 10


def write_page(path: Path, page: Path, *, samples: int = 24, decided: Sequence[Path] = ()) -> int:
    """Write the page about a folder of shards, a tar or a data folder; returns how many samples it shows.

    `decided` are files of filters' decisions: their counts are shown, each sample says what became of it, and half of
    the samples are ones that are left out. Samples that can't be read are named on the page. Raises `DataError` for a
    folder that holds no data, and for decisions on other data.
    """
    source = open_folder(path)
    filters = [read_decisions(file) for file in decided]
    combine(decided, fingerprint=source.fingerprint, size=len(source), where=str(path))
    articles = [_article(source, index, _fates(filters, index)) for index in _chosen(len(source), samples, filters)]
    metadata = [found for index in _spaced(len(source), _COUNTED) if (found := _metadata(source, index)) is not None]
    tables = [
        *_distributions(metadata),
        *(_table(f"Filter {f.filter}", list(f.counts().items())[:12]) for f in filters),
    ]
    text = _page(path.name or str(path), len(source), len(metadata), tables, articles)
    write_whole(page, lambda partial: partial.write_text(text, encoding="utf-8", errors="backslashreplace"))
    return len(articles)


def _chosen(size: int, samples: int, filters: Sequence[Decisions]) -> Sequence[int]:
    """The samples that are shown, evenly spaced; with filters, half of them are left out by one."""
    dropped = sorted({row.number for found in filters for row in found.rows if not row.repeat})
    if not dropped:
        return _spaced(size, samples)
    bad = [dropped[place] for place in _spaced(len(dropped), samples - samples // 2)]
    left_out = set(dropped)
    kept = [number for number in range(size) if number not in left_out]
    return sorted([*bad, *(kept[place] for place in _spaced(len(kept), samples - len(bad)))])


def _fates(filters: Sequence[Decisions], index: int) -> list[str]:
    """What filters say of a sample, but for "kept"."""
    rows = [(found.filter, found.rows[index]) for found in filters]
    scores = {name: "" if row.score is None else f" ({row.score:.3f})" for name, row in rows}
    return [f"{name}: {row.reason}{scores[name]}" for name, row in rows if row.reason != KEPT or scores[name]]


def _style() -> str:
    return files("vergence.data").joinpath("show.css").read_text(encoding="utf-8")


def _spaced(size: int, most: int) -> Sequence[int]:
    return range(size) if size <= most else [number * size // most for number in range(most)]


def _metadata(source: Any, index: int) -> Mapping[str, Any] | None:
    """A sample's record without its media, where it can be read."""
    if not isinstance(source, ShardSource):
        return _read(source, index)[0]
    try:
        return source.record(index)
    except DataError:
        return None


def _read(source: Any, index: int) -> tuple[Mapping[str, Any] | None, Conversation | str]:
    try:
        conversation: Conversation = source[index]
    except DataError as error:
        return None, str(error)
    return conversation.metadata, conversation


def _page(name: str, size: int, read: int, tables: Sequence[str], articles: Sequence[str]) -> str:
    counted = "" if read == size else f" (distributions of {read:,} of them)"
    toggle = "document.querySelectorAll('svg').forEach(s => s.classList.toggle('hidden', !this.checked))"
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(name)}</title>
<style>{_style()}</style>
<h1>{escape(name)}</h1><p>{size:,} samples{counted}</p>
<div class="figures">{"".join(tables)}</div>
<h2>Samples</h2><label><input type="checkbox" checked onchange="{toggle}"> draw places</label>
{"".join(articles)}</html>
"""


def _distributions(metadata: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    tags = [record["tags"] if isinstance(record.get("tags"), Mapping) else {} for record in metadata]
    yield _counts("Kinds", (record.get("kind", "none named") for record in metadata))
    yield _counts("Capabilities", (tag.get("capability", "none named") for tag in tags))
    yield _counts("Domains", (tag.get("domain", "none named") for tag in tags))
    yield _counts("Languages", (tag.get("language", "none named") for tag in tags))
    yield _counts("Licences", (record.get("licence", record.get("license", "none named")) for record in metadata))
    yield _counts("Sources", (record.get("source", "none named") for record in metadata))
    yield _counts(
        "Checks",
        (check.get("verifier", "none named") for record in metadata for check in _objects(record.get("checks"))),
    )
    difficulties = [
        value for record in metadata if isinstance(value := record.get("difficulty"), int | float) and 0 <= value <= 1
    ]
    if difficulties:
        bins = Counter(min(_BINS - 1, int(value * _BINS)) for value in difficulties)
        rows = [(f"{number / _BINS:.1f} to {(number + 1) / _BINS:.1f}", bins[number]) for number in range(_BINS)]
        yield _table("Difficulty", rows)


def _objects(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; of metadata that others wrote, which may be anything, none."""
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _counts(title: str, values: Iterable[Any]) -> str:
    counter = Counter(str(value) for value in values)
    rows = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    rest = sum(count for _, count in rows[12:])
    return _table(title, rows[:12] + ([(f"{len(rows) - 12} others", rest)] if rest else [])) if rows else ""


def _table(title: str, rows: Sequence[tuple[str, int]]) -> str:
    most = max(max(count for _, count in rows), 1)
    lines = "".join(
        f'<tr><td>{escape(text)}<div class="bar" style="width:{100 * count / most:.1f}%"></div></td>'
        f'<td class="n">{count:,}</td></tr>'
        for text, count in rows
    )
    return f"<section><h2>{title}</h2><table>{lines}</table></section>"


def _article(source: Any, index: int, fates: Sequence[str]) -> str:
    where = escape(source.where(index))
    metadata, found = _read(source, index)
    fate = f'<div class="fate">{escape(" · ".join(fates))}</div>' if fates else ""
    if isinstance(found, str) or metadata is None:
        return f"<article><b>{where}</b>{fate}<p>can't be read: {escape(str(found))}</p></article>"
    facts = [
        f"{name}: {metadata[name]}" for name in ("difficulty", "licence", "source") if metadata.get(name) is not None
    ]
    tags = metadata.get("tags")
    facts += [f"{name}: {value}" for name, value in tags.items()] if isinstance(tags, Mapping) else []
    regions = _objects(metadata.get("regions"))
    media = "".join(_media(part, number, regions) for number, part in enumerate(found.media))
    turns = "".join(map(_turn, found.messages))
    hidden = {key: value for key, value in metadata.items() if key not in ("regions",)}
    return (
        f"<article><b>{escape(str(metadata.get('id', where)))}</b>{fate}"
        f"<div class=facts>{escape(' · '.join(facts))}</div>"
        f'<div class="media">{media}</div>{turns}'
        f"<details><summary>all that is known</summary><pre>{escape(_json(hidden))}</pre></details></article>"
    )


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) < 20_000 else f"{text[:20_000]}\n... {len(text) - 20_000} characters more"


def _turn(message: Message) -> str:
    text = "".join(part.text if isinstance(part, TextPart) else "▣ " for part in message.parts)
    return f'<div class="turn {message.role}">{escape(text)}</div>'


def _media(part: ImagePart | VideoPart, number: int, regions: Sequence[Mapping[str, Any]]) -> str:
    if isinstance(part, VideoPart):
        return _video(part)
    try:
        picture = decode_image(part.image)
    except DataError as error:
        return f"<p>{escape(str(error))}</p>"
    width, height = picture.size
    marks = "".join(_mark(region, width) for region in regions if region.get("image", 0) == number)
    overlay = f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none">{marks}</svg>' if marks else ""
    shown = max(min(width, LONGEST_SIDE), min(SHORTEST_SIDE, SHORTEST_SIDE * width // height))
    return f'<figure><img width="{shown}" src="{_uri(picture)}" alt="picture {number}">{overlay}</figure>'


def _uri(picture: Image.Image) -> str:
    """A data URI of a picture, made smaller where it is large."""
    small = picture.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    small.save(file, "WEBP", quality=85)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"


def _video(part: VideoPart) -> str:
    if isinstance(part.video, Frames):
        return f"<p>{len(part.video.images)} frames</p>"
    try:
        data = part.video if isinstance(part.video, bytes) else part.video.read_bytes()
    except OSError as error:
        return f"<p>{escape(str(error))}</p>"
    if len(data) > MAX_VIDEO_BYTES:
        return f"<p>a video of {len(data):,} bytes</p>"
    kind = "webm" if data[:4] == b"\x1aE\xdf\xa3" else "mp4"
    return f'<video controls loop muted src="data:video/{kind};base64,{base64.b64encode(data).decode()}"></video>'


def _mark(region: Mapping[str, Any], width: int) -> str:
    label = escape(str(region.get("label", "")))[:60]
    order = region.get("order")
    text = f"{order}: {label}" if order is not None else label
    radius = max(width / 160, 1.5)
    size = max(width / 60, 4)
    box, points = region.get("box"), region.get("points")
    if box is not None and _numbers(box, 4):
        x1, y1, x2, y2 = box
        return (
            f'<rect x="{x1}" y="{y1}" width="{x2 - x1}" height="{y2 - y1}"><title>{text}</title></rect>'
            f'<text x="{x1}" y="{max(y1 - 2, size)}" style="font-size:{size:.1f}px">{text[:24]}</text>'
        )
    return "".join(
        f'<circle cx="{x}" cy="{y}" r="{radius:.1f}"><title>{text}</title></circle>'
        for x, y in (point for point in (points if isinstance(points, list) else ()) if _numbers(point, 2))
    )


def _numbers(value: Any, count: int) -> bool:
    listed = isinstance(value, list | tuple) and len(value) == count
    return listed and all(isinstance(item, int | float) for item in value)
