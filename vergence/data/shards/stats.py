"""What a folder of shards holds, from its side-cars, or from the tars where there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median_low
from typing import Any

from vergence.data.shards.index import describe, read_sidecar, sidecar_of
from vergence.data.shards.markers import count_reasons, markers
from vergence.data.shards.reader import open_shards
from vergence.data.shards.samples import VIDEOS


def shard_stats(folder: Path) -> dict[str, Any]:
    """Counts of samples, pictures and videos, sizes of pictures in pixels, licences, sources, bytes, rows left out.

    Plain data for JSON. Raises `DataError` for a folder that holds no shards.
    """
    tars = [shard.tar for shard in open_shards(folder).shards]
    samples = videos = 0
    widths: list[int] = []
    heights: list[int] = []
    licences: Counter[str] = Counter()
    sources: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    visual_tokens = text_bytes = 0
    pictures_of: Counter[int] = Counter()
    for row in _rows(tars):
        samples += 1
        videos += sum(name.lower().endswith(VIDEOS) for name in row["names"])
        widths += row["widths"]
        heights += row["heights"]
        pictures_of[len(row["widths"])] += 1
        visual_tokens += row.get("visual_tokens") or 0
        text_bytes += row.get("text_bytes") or 0
        if row.get("kind"):
            kinds[row["kind"]] += 1
        licences[row["licence"] or "none named"] += 1
        sources[row["source"] or "none named"] += 1
    return {
        "samples": samples,
        "shards": len(tars),
        "bytes": sum(tar.stat().st_size for tar in tars),
        "pictures": len(widths),
        "videos": videos,
        "pictures_per_sample": dict(sorted(pictures_of.items())),
        "width": _spread(widths),
        "height": _spread(heights),
        "visual_tokens": visual_tokens,
        "text_bytes": text_bytes,
        "kinds": dict(kinds.most_common()),
        "licences": dict(licences.most_common()),
        "sources": dict(sources.most_common()),
        "left_out": count_reasons(row for marker in markers(folder) for row in marker.left_out),
    }


def _rows(tars: list[Path]) -> Iterator[dict[str, Any]]:
    for tar in tars:
        if sidecar_of(tar).is_file():
            yield from read_sidecar(tar).to_pylist()
        else:
            yield from describe(tar)


def _spread(values: list[int]) -> dict[str, int] | None:
    return {"least": min(values), "median": median_low(values), "most": max(values)} if values else None


def format_stats(stats: dict[str, Any]) -> str:
    """The figures of `shard_stats` as lines for a reader."""
    lines = [
        f"{stats['samples']} samples in {stats['shards']} shards, {stats['bytes']:,} bytes",
        f"{stats['pictures']} pictures, {stats['videos']} videos",
    ]
    for side in ("width", "height"):
        if stats[side]:
            lines.append("{}: {least} to {most} pixels, median {median}".format(side, **stats[side]))
    lines.append(f"{stats['visual_tokens']:,} visual tokens of 28 x 28 pixels, {stats['text_bytes']:,} bytes of text")
    for name in ("kinds", "licences", "sources", "left_out"):
        found = ", ".join(f"{text} {count}" for text, count in stats[name].items())
        if found:
            lines.append(f"{name.replace('_', ' ')}: {found}")
    return "\n".join(lines)
