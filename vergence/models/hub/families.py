"""The families of public checkpoints that can be read and written, and which one a checkpoint belongs to.

Each family is a module of functions over plain data; this file lists them. A new one is a module and an entry here:

- `matches(config, keys)`: whether config.json (a mapping) and the names of the tensors (a set) are of this family. The
  names decide as much as `model_type` does, which is edited in some published checkpoints.
- `find_layout(keys)`: which of `layouts` these names are written in.
- `read_config(checkpoint)`: our configuration; a `VisionConfig` for an encoder alone. Raises `DataError` that names
  every key whose value we can't compute.
- `entries(config, layout)`: how each of our tensors is made of theirs and theirs of ours.
- `write_documents(config, target)`: the JSON files of an export by name, `config.json` among them.
- `exports(config)`: whether a model that has never been in this family's form can be written in it.
- `ignored(config)`: regular expressions (full match) for names that may be there and aren't read, given config.json.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from typing import Any

from vergence.errors import DataError
from vergence.models.hub import dense, kimi_vl, llava_onevision, moonlight, moonvit, siglip
from vergence.models.hub.entries import Entry
from vergence.models.hub.public import Config, PublicCheckpoint, Target

# Buffers that old checkpoints hold and that follow from the configuration.
HARMLESS = (r".*rotary_emb\.inv_freq", r".*\.position_ids")


@dataclass(frozen=True, slots=True)
class Family:
    """One family of public checkpoints; the module's docstring says what each function does."""

    name: str
    layouts: tuple[str, ...]
    matches: Callable[[Mapping[str, Any], Set[str]], bool]
    find_layout: Callable[[Set[str]], str]
    read_config: Callable[[PublicCheckpoint], Config]
    entries: Callable[[Config, str], list[Entry]]
    write_documents: Callable[[Config, Target], dict[str, Any]]
    exports: Callable[[Config], bool]
    ignored: Callable[[Mapping[str, Any]], tuple[str, ...]] = lambda config: ()

    def unread(self, names: Set[str], config: Mapping[str, Any]) -> set[str]:
        """The names among these that may be there without being read."""
        pattern = re.compile("|".join(f"(?:{one})" for one in (*HARMLESS, *self.ignored(config))))
        return {name for name in names if pattern.fullmatch(name)}


FAMILIES: tuple[Family, ...] = (
    Family(
        "llava-onevision",
        llava_onevision.LAYOUTS,
        llava_onevision.matches,
        llava_onevision.find_layout,
        llava_onevision.read_config,
        llava_onevision.entries,
        llava_onevision.write_documents,
        llava_onevision.exports,
    ),
    Family(
        "siglip",
        siglip.LAYOUTS,
        siglip.matches,
        siglip.find_layout,
        siglip.read_config,
        siglip.entries,
        siglip.write_documents,
        siglip.exports,
        lambda config: siglip.IGNORED,
    ),
    Family(
        "kimi-vl",
        kimi_vl.LAYOUTS,
        kimi_vl.matches,
        kimi_vl.find_layout,
        kimi_vl.read_config,
        kimi_vl.entries,
        kimi_vl.write_documents,
        kimi_vl.exports,
        kimi_vl.ignored,
    ),
    Family(
        "moonvit",
        moonvit.LAYOUTS,
        moonvit.matches,
        moonvit.find_layout,
        moonvit.read_config,
        moonvit.entries,
        moonvit.write_documents,
        moonvit.exports,
    ),
    Family(
        "moonlight",
        moonlight.LAYOUTS,
        moonlight.matches,
        moonlight.find_layout,
        moonlight.read_config,
        moonlight.entries,
        moonlight.write_documents,
        moonlight.exports,
        moonlight.ignored,
    ),
    Family(
        "dense",
        dense.LAYOUTS,
        dense.matches,
        dense.find_layout,
        dense.read_config,
        dense.entries,
        dense.write_documents,
        dense.exports,
    ),
)


def recognise(config: Mapping[str, Any], keys: Set[str], *, where: str) -> Family:
    """The family of a checkpoint. Raises `DataError` that says what was found where none fits."""
    for family in FAMILIES:
        if family.matches(config, keys):
            return family
    raise DataError(
        f"{where}: no supported family has this config.json and these tensors (model_type "
        f"{config.get('model_type')!r:.60}, {len(keys)} tensors such as {', '.join(sorted(keys)[:3]) or 'none'}); "
        f"supported: {', '.join(family.name for family in FAMILIES)}"
    )
