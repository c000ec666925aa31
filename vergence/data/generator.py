"""The contract of the data engine: a kind of data is a module, and a sample of it follows from (seed, index, config).

```
(seed, index, config) ─▶ rng_for ─▶ module.generate(rng, config) ─▶ Draft ─▶ Conversation with metadata
```

A kind's module has four things: `VERSION`, an integer that grows when the same seed gives other samples; `PACKAGES`,
the distributions whose versions change its pixels; `Config`, its settings, a `GeneratorConfig`; and
`generate(rng, config) -> Draft`, which takes every random choice from `rng` and nothing from the clock, the environment
or the order of a set. The metadata of the conversation says all that is known of the sample:

- `checks`: for each assistant turn what `vergence.verifiers.ground_truth.verify` compares a response with;
- `truth`: what the generator knows (the table of a chart, the boxes of a page, the moves of a puzzle), and `regions`,
  the places that a viewer draws;
- `tags` (capability, domain, language), `difficulty` in 0..1, `licence`, `source`;
- `provenance`: kind, version, seed, index, settings, the versions of the packages, and the hash of each source item.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any, Protocol

from PIL import Image, features
from pydantic import Field

from vergence.config import Section
from vergence.conversation import Conversation, Message, Part, assistant, user
from vergence.data.pictures import Split, rng_for
from vergence.errors import UsageError

Check = Mapping[str, Any]
"""What a response is compared with: `verifier` names the rule of `vergence.verifiers.ground_truth`, the rest is its."""

OURS = "Apache-2.0"
"""The licence of a sample that is made of nothing but this project's own code and numbers."""


class GeneratorConfig(Section):
    """What every kind can be told; a kind's own `Config` adds its keys."""

    split: Split = Field("train", description="train and heldout samples share no source item")


@dataclass(frozen=True, slots=True)
class SourceItem:
    """A real thing that a sample is made of: package, item in it, the SHA-256 of its bytes and its licence."""

    package: str
    item: str
    sha256: str
    licence: str


def source_item(package: str, item: str, data: bytes, licence: str) -> SourceItem:
    """The record of an item whose bytes are `data`."""
    return SourceItem(package, item, sha256(data).hexdigest(), licence)


@dataclass(frozen=True, slots=True)
class Region:
    """A place to draw: `box` (x1, y1, x2, y2) or a list of `points` in pixels of picture number `image`; `order` counts
    what is read one after the other."""

    label: str
    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    image: int = 0
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A question, its answer, and what decides whether a response to it is right."""

    question: str
    answer: str
    check: Check


@dataclass(frozen=True, slots=True)
class Draft:
    """What a generator returns: messages, one check for each assistant message, and what is known of the sample.

    `capability` is a path in the tree of capabilities ("ocr/document/reading"), `domain` what it is about ("finance"),
    `language` a BCP 47 tag ("en", "zh", "ar", or "und" where there is none).
    """

    messages: tuple[Message, ...]
    checks: tuple[Check, ...]
    truth: Mapping[str, Any]
    capability: str
    domain: str
    difficulty: float
    language: str = "en"
    licence: str = OURS
    source: str = "vergence, rendered"
    sources: tuple[SourceItem, ...] = ()
    regions: tuple[Region, ...] = ()
    tags: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` for a draft that no viewer or verifier could use."""
        answers = sum(message.role == "assistant" for message in self.messages)
        if len(self.checks) != answers:
            raise ValueError(f"{len(self.checks)} checks for {answers} answers")
        if not 0 <= self.difficulty <= 1:
            raise ValueError(f"a difficulty lies in 0..1, not at {self.difficulty}")


def dialogue(
    media: Sequence[Part | Image.Image | bytes], turns: Sequence[Turn]
) -> tuple[tuple[Message, ...], tuple[Check, ...]]:
    """Messages and checks of turns about media, which stand before the first question."""
    messages: list[Message] = []
    for number, turn in enumerate(turns):
        question = (turn.question,) if turn.question else ()
        messages += [user(*(media if number == 0 else ()), *question), assistant(turn.answer)]
    return tuple(messages), tuple(turn.check for turn in turns)


class Generator(Protocol):
    """The module of a kind."""

    VERSION: int
    PACKAGES: Sequence[str]
    Config: type[GeneratorConfig]
    generate: Callable[[random.Random, Any], Draft]


def make_sample(kind: str, generator: Generator, config: GeneratorConfig, seed: int, index: int) -> Conversation:
    """Sample `index` of a kind: the same arguments and package versions give the same bytes in every process.

    Raises `DataError` for a sample that can't be made (it is left out and counted), `UsageError` where a package or a
    source that the kind needs isn't there.
    """
    rng = rng_for(seed, kind, config.split, index)
    draft = generator.generate(rng, config)
    metadata = {
        "id": f"{kind}-{config.split}-{seed}-{index:09d}",
        "kind": kind,
        "checks": [dict(check) for check in draft.checks],
        "truth": dict(draft.truth),
        "regions": [_region(region) for region in draft.regions],
        "tags": {
            "capability": draft.capability,
            "domain": draft.domain,
            "language": draft.language,
            **(draft.tags or {}),
        },
        "difficulty": round(draft.difficulty, 4),
        "licence": draft.licence,
        "source": draft.source,
        "provenance": {
            "generator": kind,
            "version": generator.VERSION,
            "seed": seed,
            "index": index,
            "config": config.model_dump(mode="json"),
            "packages": dict(package_versions(tuple(generator.PACKAGES))),
            "sources": [asdict(item) for item in draft.sources],
        },
    }
    return Conversation(draft.messages, metadata)


def _region(region: Region) -> dict[str, Any]:
    found: dict[str, Any] = {"label": region.label, "image": region.image}
    if region.box is not None:
        found["box"] = [round(float(value), 2) for value in region.box]
    if region.points:
        found["points"] = [[round(float(x), 2), round(float(y), 2)] for x, y in region.points]
    if region.order is not None:
        found["order"] = region.order
    return found


@cache
def package_versions(packages: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """The versions of what drew a sample: Pillow with its FreeType and Raqm, and the kind's packages.

    Raises `UsageError` for one that isn't installed.
    """
    found = [("pillow", Image.__version__)]
    found += [(part, str(features.version(part))) for part in ("freetype2", "raqm", "zlib") if features.check(part)]
    for package in packages:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            raise UsageError(f"this kind of data needs {package}: pip install {package}") from None
    return tuple(found)


def missing(modules: Sequence[str]) -> Iterator[str]:
    """Those of the modules that aren't installed."""
    return (module for module in modules if find_spec(module) is None)
