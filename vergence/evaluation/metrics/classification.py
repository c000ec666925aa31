"""Zero-shot classification by image and text embeddings: ImageNet-1K, -V2, -A, -R, -S and ObjectNet.

Templates ("a photo of a {}.") and class names are the user's: from a file (`read_lines`) or, for the 80 OpenAI
templates and 1,000 names, from an installed open_clip (`open_clip_prompts`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize

from vergence.errors import DataError, UsageError
from vergence.evaluation.metrics.groups import mean_measure
from vergence.evaluation.task import Measure


def read_lines(path: Path, *, templates: bool = False) -> list[str]:
    """Class names or templates from a file: a JSON list of strings, or one per line (empty lines left out).

    A template has exactly one "{}". Raises `DataError`, naming the file and the line, for anything else.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: can't be read ({error})") from None
    lines: Any = [line.strip() for line in text.splitlines() if line.strip()]
    if text.lstrip().startswith("["):
        try:
            lines = json.loads(text)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}: not a JSON list ({error})") from None
    if not lines:
        raise DataError(f"{path}: empty, expected a list of {'templates' if templates else 'class names'}")
    for number, line in enumerate(lines, 1):
        if not isinstance(line, str) or not line.strip():
            raise DataError(f"{path}: entry {number} is {line!r}, expected a text")
        if templates and line.count("{}") != 1:
            raise DataError(f"{path}: template {number} ({line!r}) has {line.count('{}')} times {{}}, expected once")
    return list(lines)


def open_clip_prompts(*, short: bool = False) -> tuple[list[str], list[str]]:
    """ImageNet's templates (OpenAI's 80, or with `short` their 7) and its 1,000 class names, from open_clip.

    Raises `UsageError` without open_clip.
    """
    try:
        open_clip = import_module("open_clip")
    except ImportError:
        raise UsageError("ImageNet's templates and names need open_clip: pip install open_clip_torch") from None
    templates = open_clip.SIMPLE_IMAGENET_TEMPLATES if short else open_clip.OPENAI_IMAGENET_TEMPLATES
    return [template("{}") for template in templates], list(open_clip.IMAGENET_CLASSNAMES)


def prompts(template_texts: Sequence[str], name: str) -> list[str]:
    """A class's name in every template."""
    return [template.replace("{}", name) for template in template_texts]


def class_weights(embeddings: Any) -> Tensor:
    """Text embeddings (classes, templates, D) as one unit vector per class (classes, D).

    w_c = norm(mean over t of norm(e_ct)): each prompt counts the same, whatever its length. Source: Radford et al. 2021
    (CLIP, arXiv 2103.00020, section 3.1.4); open_clip, zero_shot_classifier.py. Classes may have different numbers of
    templates if given as a list of (templates, D). Raises `ValueError` for other shapes.
    """
    classes = list(embeddings) if isinstance(embeddings, list | tuple) else _floats(embeddings)
    weights = []
    for number, texts in enumerate(classes):
        texts = _floats(texts)
        if texts.ndim != 2 or not len(texts):
            raise ValueError(f"class {number}: text embeddings of shape {tuple(texts.shape)}, expected (templates, D)")
        weights.append(normalize(normalize(texts, dim=-1).mean(0), dim=-1))
    return torch.stack(weights)


def class_logits(images: Any, weights: Any) -> Tensor:
    """Cosines (N, classes) of image embeddings (N, D) with `class_weights` (classes, D)."""
    return normalize(_floats(images), dim=-1) @ _floats(weights).T


def label_ranks(logits: Any, labels: Sequence[int], subset: Sequence[int] | None = None) -> list[int]:
    """The rank (0 is best) of each image's label among the classes, or among those of `subset`.

    Of equal logits the one of the lower class comes first, so that ties neither help nor hurt on average and every run
    agrees. `labels` are indices of all classes also with a subset. Raises `ValueError` for a label that isn't among
    the classes and for logits that aren't finite.
    """
    scores = _floats(logits)
    if len(scores) != len(labels) or not torch.isfinite(scores).all():
        raise ValueError(f"{len(labels)} labels for logits of shape {tuple(scores.shape)}, which must be finite")
    allowed = torch.arange(scores.shape[1]) if subset is None else torch.tensor(sorted(set(subset)))
    column = {int(c): position for position, c in enumerate(allowed)}
    strange = next((label for label in labels if label not in column), None)
    if strange is not None:
        raise ValueError(f"label {strange} isn't one of the {len(column)} classes that are compared")
    chosen = scores[:, allowed]
    index = torch.tensor([column[label] for label in labels], dtype=torch.long)[:, None]
    own = chosen.gather(1, index)
    before = (chosen > own) | ((chosen == own) & (torch.arange(len(allowed)) < index))
    return [int(rank) for rank in before.sum(1)]


def mapped_ranks(logits: Any, labels: Sequence[int], mapping: Mapping[int, int]) -> list[int]:
    """Ranks where several classes stand for one label: ObjectNet's 113 classes, each of one or more of ImageNet's.

    `mapping` gives the label of each class that has one; the others aren't compared (ImageNet classes without an
    ObjectNet counterpart). A label's rank is that of its best class among all compared ones, so that top-5 means the
    five likeliest *ImageNet* classes, as in Barbu et al. 2019 (ObjectNet). Raises `ValueError` as `label_ranks` does.
    """
    scores = _floats(logits)
    classes: dict[int, list[int]] = {}
    for column, label in mapping.items():
        classes.setdefault(label, []).append(column)
    strange = next((label for label in labels if label not in classes), None)
    if strange is not None:
        raise ValueError(f"label {strange} has no class in the mapping")
    best = [max(sorted(classes[label]), key=lambda c: float(row[c])) for row, label in zip(scores, labels, strict=True)]
    return label_ranks(scores, best, list(mapping))


def zero_shot(ranks: Sequence[int], ks: Sequence[int] = (1, 5)) -> list[Measure]:
    """`top1` and `top5` (or any k): the share of images whose label's rank is below k."""
    return [mean_measure(f"top{k}", [float(rank < k) for rank in ranks]) for k in ks]


def _floats(values: Any) -> Tensor:
    return torch.as_tensor(values).detach().to("cpu", torch.float32)
