"""Boxes that answer a phrase: RefCOCO (one box) and LVIS-MG (all boxes of a kind)."""

from __future__ import annotations

from collections.abc import Sequence

from vergence.evaluation.metrics.groups import grouped, macro_mean, mean_measure
from vergence.evaluation.task import Measure
from vergence.verifiers.places import BOX_IOU, Matching, f1

REFCOCO_SPLITS = (
    "RefCOCO_val",
    "RefCOCO_testA",
    "RefCOCO_testB",
    "RefCOCO+_val",
    "RefCOCO+_testA",
    "RefCOCO+_testB",
    "RefCOCOg_val",
    "RefCOCOg_test",
)
"""The eight splits that papers average over."""


def refcoco(overlaps: Sequence[float | None], splits: Sequence[str], threshold: float = BOX_IOU) -> list[Measure]:
    """Referring expression comprehension from the IoU of each answer's *first* box (None where it has none).

    `accuracy` (Acc@0.5: the share with IoU >= threshold) as the mean of the splits' accuracies, which is what papers
    report; `micro_accuracy` over all phrases, `mean_iou`, `invalid_ratio`, then each split. An answer without a box is
    a miss. Sources: Yu et al. 2016 (arXiv 1608.00272, RefCOCO), Mao et al. 2016 (arXiv 1511.02283, RefCOCOg). Raises
    `ValueError` for unequal lengths.
    """
    pairs = list(zip(overlaps, splits, strict=True))
    hits = [float(overlap is not None and overlap >= threshold) for overlap, _ in pairs]
    by_split = [
        mean_measure("accuracy", [hits[position] for position in positions], f"split={split}")
        for split, positions in _ordered(splits)
    ]
    return [
        macro_mean("accuracy", by_split),
        mean_measure("micro_accuracy", hits),
        mean_measure("mean_iou", [overlap or 0.0 for overlap, _ in pairs]),
        mean_measure("invalid_ratio", [float(overlap is None) for overlap, _ in pairs]),
        *by_split,
    ]


def _ordered(splits: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Each split's positions: the known splits in their usual order, then any others."""
    found = grouped(splits)
    order = [split for split in REFCOCO_SPLITS if split in found]
    return [(split, found[split]) for split in [*order, *(split for split in found if split not in order)]]


def lvis_mg(matchings: Sequence[Matching]) -> list[Measure]:
    """Many boxes per picture: `f1`, `precision` and `recall` over the boxes of all pictures, and `image_f1`.

    f1 = 2 matched / (predicted + expected), summed over the pictures; image_f1 is the mean of the pictures' own F1.
    Seed1.5-VL (arXiv 2505.07062, LVIS-MG) names F1 but neither matching nor threshold nor mean; `match_boxes`
    (one-to-one, IoU 0.5) and the sum over all boxes are our choice.
    """
    matched = sum(len(matching.pairs) for matching in matchings)
    predicted = sum(matching.predicted for matching in matchings)
    expected = sum(matching.expected for matching in matchings)
    n = len(matchings)
    return [
        Measure("f1", f1(matched, predicted, expected) if n else None, n),
        mean_measure("image_f1", [matching.f1 for matching in matchings]),
        Measure("precision", matched / predicted if predicted else None, predicted),
        Measure("recall", matched / expected if expected else None, expected),
    ]
