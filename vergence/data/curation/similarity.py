"""How well pictures and what is said of them fit, by any encoder that puts both into one space.

A sample's score is the mean cosine between its text and each of its pictures; LAION kept pairs above 0.28 by CLIP
ViT-B/32, DataComp's best baseline the upper 30% by ViT-L/14 (Gadre et al. 2023, arXiv 2304.14108). Scores of different
encoders don't compare, so the file keeps them and the threshold is the user's. The same encoder gives pictures
without a text the concepts nearest to them, by which they can be balanced.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from vergence.config import Section
from vergence.data.curation.decisions import Decision, Decisions, all_of
from vergence.data.curation.lexicon import Lexicon
from vergence.data.curation.rebalance import BalanceRules, balanced, nearest_concepts
from vergence.data.curation.source import Folder, Show, caption_of, pictures_of, samples, silent
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image

Embeddings = NDArray[np.float32]


class PairEncoder(Protocol):
    """Anything that embeds pictures and texts into one space."""

    name: str

    def pictures(self, pictures: Sequence[Image.Image]) -> Embeddings:
        """[N, D], of any length."""
        ...

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """[N, D], of any length."""
        ...


class TransformersEncoder:
    """A CLIP, SigLIP or like model of transformers, from a folder or the hub; code of its own is never run."""

    def __init__(self, name: str, *, device: str = "cpu") -> None:
        try:
            import torch
            import transformers
        except ImportError:
            raise UsageError("transformers: needs the package transformers: pip install 'vergence[eval]'") from None
        self.name, self.device, self._torch = f"transformers:{name}", device, torch
        try:
            model = transformers.AutoModel.from_pretrained(name, trust_remote_code=False)
            self._processor: Any = transformers.AutoProcessor.from_pretrained(name, trust_remote_code=False)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{self.name}: can't be loaded ({' '.join(str(error).split())[:200]})") from None
        if not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
            raise UsageError(f"{self.name}: {type(model).__name__} doesn't embed pictures and texts, as CLIP does")
        self._model: Any = model.eval().to(device)

    def pictures(self, pictures: Sequence[Image.Image]) -> Embeddings:
        """[N, D]."""
        inputs = self._processor(images=list(pictures), return_tensors="pt").to(self.device)
        return self._features(self._model.get_image_features, inputs)

    def texts(self, texts: Sequence[str]) -> Embeddings:
        """[N, D]; longer texts than the model reads are cut."""
        # SigLIP was trained on texts filled up to their full length.
        padding = "max_length" if "siglip" in self._model.config.model_type else True
        inputs = self._processor(text=list(texts), padding=padding, truncation=True, return_tensors="pt")
        return self._features(self._model.get_text_features, inputs.to(self.device))

    def _features(self, function: Any, inputs: Any) -> Embeddings:
        with self._torch.inference_mode():
            found = function(**inputs)
        found = getattr(found, "pooler_output", found)
        return np.asarray(found.float().cpu().numpy(), np.float32)


def open_encoder(name: str, *, device: str = "cpu") -> PairEncoder:
    """The encoder that `transformers:NAME` names. Raises `UsageError` for any other name."""
    kind, _, rest = name.partition(":")
    if kind != "transformers" or not rest:
        raise UsageError(f"{name!r} is no encoder; expected transformers:FOLDER or transformers:HUB/NAME")
    return TransformersEncoder(rest, device=device)


def cosines(first: Embeddings, second: Embeddings) -> NDArray[np.float32]:
    """The cosine of each pair of rows [N, D], [N]; 0 where one has no length."""
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(1) / np.maximum(lengths, 1e-12), np.float32)


class ScoreRules(Section):
    """Which scores are kept."""

    least: float = Field(-1.0, ge=-1, le=1, description="least mean cosine of text and pictures; -1: scores only")
    without_picture: bool = Field(True, description="whether samples without a picture stay; they have no score")
    batch: int = Field(32, ge=1, description="samples that are embedded together")


class _Taken(NamedTuple):
    number: int
    key: str
    text: str
    pictures: list[Image.Image]
    problem: str | None = None


def score(folder: Folder, encoder: PairEncoder, rules: ScoreRules, show: Show = silent) -> Decisions:
    """Score every sample's text against its pictures, and leave out those below a threshold."""
    rows: list[Decision] = []
    for batch in _batches(folder, rules.batch, show):
        scored = [taken for taken in batch if taken.problem is None and taken.pictures]
        found = _scores(scored, encoder) if scored else {}
        for taken in batch:
            if taken.problem:
                rows.append(Decision(taken.number, taken.key, 0, taken.problem))
            elif taken.number not in found:
                reason = "kept" if rules.without_picture else "no picture"
                rows.append(Decision(taken.number, taken.key, int(rules.without_picture), reason))
            else:
                value = found[taken.number]
                kept = value >= rules.least
                rows.append(Decision(taken.number, taken.key, int(kept), "kept" if kept else "low score", value))
    settings = {**rules.model_dump(mode="json"), "encoder": encoder.name}
    return all_of(rows, name="score", fingerprint=folder.fingerprint, settings=settings)


def _batches(folder: Folder, size: int, show: Show) -> Iterator[list[_Taken]]:
    """Samples with their pictures decoded, so many at a time, so that memory doesn't grow."""

    def taken() -> Iterator[_Taken]:
        for number, key, found in samples(folder, show):
            if isinstance(found, DataError):
                yield _Taken(number, key, "", [], "unreadable")
                continue
            try:
                pictures = [decode_image(source) for source in pictures_of(found)]
            except DataError:
                yield _Taken(number, key, "", [], "picture: broken")
            else:
                yield _Taken(number, key, caption_of(found), pictures)

    items = taken()
    while batch := list(islice(items, size)):
        yield batch


def _scores(batch: Sequence[_Taken], encoder: PairEncoder) -> dict[int, float]:
    pictures = [picture for taken in batch for picture in taken.pictures]
    owners = np.repeat(np.arange(len(batch)), [len(taken.pictures) for taken in batch])
    texts = encoder.texts([taken.text for taken in batch])
    each = cosines(encoder.pictures(pictures), texts[owners])
    means = np.bincount(owners, each, len(batch)) / np.bincount(owners, minlength=len(batch))
    return {taken.number: float(value) for taken, value in zip(batch, means, strict=True)}


def rebalance_by_look(
    folder: Folder, concepts: Lexicon, encoder: PairEncoder, rules: BalanceRules, *, k: int, show: Show = silent
) -> Decisions:
    """Balance by the `k` concepts that are nearest to a sample's first picture, captions or not.

    LLaVA-OneVision-1.5's way (arXiv 2509.23661, section 3). Raises `UsageError` for more concepts asked than there are.
    """
    if not 1 <= k <= len(concepts):
        raise UsageError(f"k must lie in 1..{len(concepts)}, the number of concepts, not be {k}")
    names = np.concatenate(
        [encoder.texts(concepts.entries[start : start + 256]) for start in range(0, len(concepts), 256)]
    )
    rows: list[Decision] = []
    keys: list[tuple[int, str]] = []
    matches: list[list[int]] = []
    for batch in _batches(folder, 32, show):
        with_picture = [taken for taken in batch if taken.problem is None and taken.pictures]
        nearest = (
            nearest_concepts(encoder.pictures([taken.pictures[0] for taken in with_picture]), names, k).tolist()
            if with_picture
            else []
        )
        of_sample = {taken.number: found for taken, found in zip(with_picture, nearest, strict=True)}
        for taken in batch:
            if taken.problem:
                rows.append(Decision(taken.number, taken.key, 0, taken.problem))
            else:
                keys.append((taken.number, taken.key))
                matches.append(of_sample.get(taken.number, []))
    return balanced(folder, rows, keys, matches, len(concepts), rules, {"encoder": encoder.name, "k": k})
