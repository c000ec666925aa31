"""From entries to tensors that are made one at a time: what an import or export writes, checked before it begins."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache, reduce

import torch
from torch import Tensor

from vergence.errors import DataError
from vergence.model_config import ModelConfig
from vergence.models.hub.entries import Entry
from vergence.models.hub.public import Config, Info
from vergence.models.hub.safetensors_file import LazyTensor
from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import VLM

Load = Callable[[str], Tensor]


def expected_tensors(config: Config) -> dict[str, Tensor]:
    """Every tensor that a model, or an encoder alone, of this configuration has; on the meta device.

    Raises `DataError` for sizes that no tensor can have.
    """
    try:
        with torch.device("meta"):
            if isinstance(config, ModelConfig):
                return VLM(config).state_dict()
            return {f"vision.{name}": x for name, x in VisionTransformer(config).state_dict().items()}
    except (RuntimeError, TypeError, OverflowError):
        raise DataError("the configuration asks for tensors that are larger than any can be") from None


def plan_import(
    entries: Sequence[Entry],
    expected: Mapping[str, Tensor],
    found: Mapping[str, Info],
    load: Load,
    *,
    unread: AbstractSet[str],
    dtype: torch.dtype | None,
    where: str,
) -> list[LazyTensor]:
    """Our tensors, each made of theirs when it is written, in their type or in `dtype`.

    `unread` names may be there without being read. Raises `DataError` that lists all tensors that are missing, not
    expected, of another shape or not floating-point.
    """
    shapes = {name: tuple(part.shape) for entry in entries for name, part in _public(entry, expected).items()}
    check_tensors(found, shapes, optional=_optional(entries, found), unread=unread, where=where)
    usual = next((info.dtype for info in found.values()), torch.float32)
    lazy = []
    for entry in entries:
        if entry.copy:
            continue
        there = entry.theirs[0] in found
        types = [found[name].dtype for name in entry.theirs] if there else [usual]
        kept = reduce(torch.promote_types, types)
        final = kept if dtype is None or entry.keep_dtype else dtype
        shape = tuple(expected[entry.ours].shape)
        make = _join(entry, load, final) if there else _fill(entry, shape, final)
        lazy.append(LazyTensor(entry.ours, final, shape, make))
    return lazy


def plan_export(
    entries: Sequence[Entry],
    expected: Mapping[str, Tensor],
    found: Mapping[str, Info],
    load: Load,
    *,
    copies: AbstractSet[str],
    where: str,
) -> list[LazyTensor]:
    """Their tensors, each cut out of ours when it is written; of the entries that are copies, those in `copies`.

    Raises `DataError` that lists all of our tensors that are missing, not expected or of another shape.
    """
    shapes = {name: tuple(x.shape) for name, x in expected.items()}
    check_tensors(found, shapes, optional=set(), unread=set(), where=where)
    # The parts of one tensor are written one after the other: it is read and cut once.
    parts = lru_cache(maxsize=1)(lambda index: entries[index].split(load(entries[index].ours)))
    return [
        LazyTensor(name, found[entry.ours].dtype, tuple(part.shape), _cut(parts, index, place))
        for index, entry in enumerate(entries)
        for place, (name, part) in enumerate(_public(entry, expected).items())
        if not entry.copy or name in copies
    ]


def check_tensors(
    found: Mapping[str, Info],
    expected: Mapping[str, tuple[int, ...]],
    *,
    optional: AbstractSet[str],
    unread: AbstractSet[str],
    where: str,
) -> None:
    """Raise `DataError` unless the tensors are exactly the expected ones: a line per kind of problem, all names."""
    both = sorted(expected.keys() & found.keys())
    kinds = {
        "missing": sorted(expected.keys() - found.keys() - optional),
        "not expected": sorted(found.keys() - expected.keys() - unread),
        "of another shape": [
            f"{name} {list(found[name].shape)} instead of {list(expected[name])}"
            for name in both
            if tuple(found[name].shape) != expected[name]
        ],
        "not floating-point": [name for name in both if not found[name].dtype.is_floating_point],
    }
    lines = [f"{len(names)} {kind}: {', '.join(names)}" for kind, names in kinds.items() if names]
    if lines:
        raise DataError("\n  ".join([f"{where}: the tensors don't fit the configuration", *lines]))


def _public(entry: Entry, expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Their tensors of one entry, on the meta device."""
    return dict(zip(entry.theirs, entry.split(expected[entry.ours]), strict=True))


def _optional(entries: Sequence[Entry], found: Mapping[str, Info]) -> set[str]:
    """Names that may be missing; of several that make one tensor, all or none."""
    spare = [entry for entry in entries if entry.optional and not any(name in found for name in entry.theirs)]
    return {name for entry in spare for name in entry.theirs}


def _join(entry: Entry, load: Load, dtype: torch.dtype) -> Callable[[], Tensor]:
    return lambda: entry.join([load(name) for name in entry.theirs]).to(dtype).contiguous()


def _fill(entry: Entry, shape: tuple[int, ...], dtype: torch.dtype) -> Callable[[], Tensor]:
    return lambda: torch.full(shape, entry.default, dtype=dtype)


def _cut(parts: Callable[[int], Sequence[Tensor]], index: int, place: int) -> Callable[[], Tensor]:
    return lambda: parts(index)[place].contiguous()
