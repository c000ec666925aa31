"""Common concepts capped, rare ones repeated, and a report of the distribution before and after.

Which concepts a sample has comes from its text, by a lexicon (MetaCLIP: Xu et al. 2023, arXiv 2309.16671, algorithm 1),
or from its picture's embedding, by the K nearest concepts (LLaVA-OneVision-1.5). An entry that n samples have is kept
in each of them with the probability min(1, t / n); a sample stays if one of its entries does, so t is about the most
samples that an entry has afterwards by its own right. Boosting repeats a sample whose rarest entry has few samples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vergence.config import Section
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.lexicon import Lexicon
from vergence.data.curation.source import Folder, Show, caption_of, samples, silent
from vergence.data.pictures import rng_for
from vergence.errors import DataError


class BalanceRules(Section):
    """How a distribution is made flatter."""

    cap: int = Field(20_000, ge=1, description="t: about the most samples that an entry has by its own right")
    boost: int = Field(1, ge=1, description="most times that a sample of a rare entry is taken; 1: no boosting")
    rare: int = Field(20, ge=1, description="samples of an entry below which it is rare, with boost")
    unmatched: bool = Field(False, description="whether samples without any entry stay")
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Distribution:
    """How samples are spread over entries: those with any, the share of the most frequent tenth, entropy in bits."""

    samples: int
    entries: int
    head_share: float
    tail_entries: int
    entropy: float


def entry_counts(matches: Sequence[Sequence[int]], entries: int, repeats: Sequence[int] | None = None) -> np.ndarray:
    """How many samples each entry has, [E]; each sample counted as often as it is taken."""
    counts = np.zeros(entries, np.int64)
    for number, found in enumerate(matches):
        counts[list(found)] += 1 if repeats is None else repeats[number]
    return counts


def distribution(counts: np.ndarray, samples: int, rare: int = 20) -> Distribution:
    """The figures of entry counts [E]; `tail_entries` have fewer than `rare` samples, but one."""
    present = np.sort(counts[counts > 0])[::-1]
    total = present.sum()
    shares = present / total if total else present
    head = max(1, len(present) // 10) if len(present) else 0
    entropy = float(-(shares * np.log2(shares)).sum()) if total else 0.0
    return Distribution(samples, len(present), float(shares[:head].sum()), int((present < rare).sum()), entropy)


def balance(matches: Sequence[Sequence[int]], entries: int, rules: BalanceRules) -> list[tuple[int, str, float]]:
    """(times taken, reason, probability) of each sample by its entries.

    The draw of a sample depends on the seed and its number alone.
    """
    counts = entry_counts(matches, entries)
    decided: list[tuple[int, str, float]] = []
    for number, found in enumerate(matches):
        if not found:
            decided.append((int(rules.unmatched), "no entry" if not rules.unmatched else "kept", 0.0))
            continue
        # It is left out only if every entry leaves it out (the entries draw independently).
        stays = 1 - math.prod(1 - min(1.0, rules.cap / counts[entry]) for entry in found)
        if rng_for(rules.seed, "balance", "train", number).random() >= stays:
            decided.append((0, "common", stays))
            continue
        rarest = int(min(counts[entry] for entry in found))
        repeat = min(rules.boost, -(-rules.rare // rarest)) if rarest < rules.rare else 1
        decided.append((repeat, "boosted" if repeat > 1 else "kept", stays))
    return decided


def rebalance(folder: Folder, lexicon: Lexicon, rules: BalanceRules, show: Show = silent) -> Decisions:
    """Decide by the entries that each sample's text names; the report is in the settings of the decisions."""
    matches: list[list[int]] = []
    keys: list[tuple[int, str]] = []
    rows: list[Decision] = []
    for number, key, found in samples(folder, show):
        if isinstance(found, DataError):
            rows.append(Decision(number, key, 0, "unreadable"))
            continue
        matches.append(lexicon.matches(caption_of(found)))
        keys.append((number, key))
    return balanced(folder, rows, keys, matches, len(lexicon), rules)


def balanced(
    folder: Folder,
    unusable: Sequence[Decision],
    keys: Sequence[tuple[int, str]],
    matches: Sequence[Sequence[int]],
    entries: int,
    rules: BalanceRules,
    settings: Mapping[str, Any] | None = None,
) -> Decisions:
    """The decisions for the samples `keys` (number, key) with these entries, and for those that can't be used."""
    decided = balance(matches, entries, rules)
    rows = [
        *unusable,
        *(Decision(number, key, *found) for (number, key), found in zip(keys, decided, strict=True)),
    ]
    report = balance_report(matches, entries, [repeat for repeat, _, _ in decided], rules.rare)
    whole = {**rules.model_dump(mode="json"), **(settings or {}), "report": report}
    return all_of(rows, name="rebalance", fingerprint=folder.fingerprint, settings=whole)


def balance_report(
    matches: Sequence[Sequence[int]], entries: int, repeats: Sequence[int], rare: int
) -> dict[str, Mapping[str, Any]]:
    """The distribution before and after, as plain data."""
    before = distribution(entry_counts(matches, entries), len(matches), rare)
    after = distribution(entry_counts(matches, entries, repeats), sum(repeats), rare)
    names = ("samples", "entries", "head_share", "tail_entries", "entropy")
    return {
        "before": {name: getattr(before, name) for name in names},
        "after": {name: getattr(after, name) for name in names},
    }


def report_text(report: Mapping[str, Mapping[str, Any]]) -> str:
    """The report in lines."""
    lines = [f"{'':<8}{'samples':>10}{'entries':>10}{'in the tail':>13}{'head share':>12}{'entropy':>9}"]
    for when, row in report.items():
        lines.append(
            f"{when:<8}{row['samples']:>10,}{row['entries']:>10,}{row['tail_entries']:>13,}"
            f"{row['head_share']:>12.1%}{row['entropy']:>9.2f}"
        )
    return "\n".join(lines)


def nearest_concepts(
    embeddings: NDArray[np.float32], concepts: NDArray[np.float32], k: int, *, block: int = 4096
) -> NDArray[np.int64]:
    """The K concepts nearest to each picture by cosine, [N, K], the nearest first.

    `embeddings` [N, D] and `concepts` [C, D] come from one encoder, of any length. Raises `ValueError` for K > C.
    """
    if not 1 <= k <= len(concepts):
        raise ValueError(f"k must lie in 1..{len(concepts)}, the number of concepts, not be {k}")
    unit = concepts / np.maximum(np.linalg.norm(concepts, axis=1, keepdims=True), 1e-12)
    found = []
    for start in range(0, len(embeddings), block):
        part = embeddings[start : start + block]
        scores = part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) @ unit.T
        top = np.argpartition(-scores, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(scores, top, 1), axis=1, kind="stable")
        found.append(np.take_along_axis(top, order, 1))
    return np.concatenate(found) if found else np.zeros((0, k), np.int64)
