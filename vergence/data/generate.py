"""What a recipe's data looks like, made visible: a folder of it, how full its rows are, the tokenizer it teaches."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from vergence.conversation import Conversation, to_json
from vergence.data.loader import RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.data.pictures import Split
from vergence.errors import DataError, UsageError
from vergence.processing.media import decode_image
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer, train_tokenizer
from vergence.recipe import Recipe, StageConfig


def write_folder(recipe: Recipe, *, stage: str | None, split: Split, samples: int, output: Path) -> int:
    """Write conversations and their pictures as a data folder (`conversations.jsonl`, `images/`), whole or not at all.

    The folder can be trained on by source `folder`. Samples that can't be used are left out. Returns how many were
    written; raises `UsageError` where `output` exists and `DataError` where no sample can be used.
    """
    if output.exists():
        raise UsageError(f"{output}: exists already; name a new folder")
    mixture = Mixture(find_stage(recipe, stage).mixture, split=split, seed=recipe.seed)
    partial = output.with_name(output.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "images").mkdir(parents=True)
    written, last = 0, ""
    with (partial / "conversations.jsonl").open("w", encoding="utf-8") as file:
        for position in range(samples):
            try:
                conversation = mixture.conversation(position)
                names = [f"images/{position:06d}-{i}.png" for i, _ in enumerate(conversation.images)]
                pictures: list[Image.Image] = [decode_image(image) for image in conversation.images]
            except DataError as error:
                last = str(error)
                continue
            for name, picture in zip(names, pictures, strict=True):
                picture.save(partial / name)
            file.write(json.dumps(to_json(conversation, names)) + "\n")
            written += 1
    if not written:
        shutil.rmtree(partial)
        raise DataError(f"none of {samples} samples can be used; the last: {last}")
    partial.rename(output)
    return written


def packing_report(recipe: Recipe, stage: str | None, rows: int) -> str:
    """How full the rows of a stage are: utilisation over the first `rows` rows, samples and images per row."""
    chosen = find_stage(recipe, stage)
    processor = Processor(recipe.model, Tokenizer.load(recipe.model.processing.tokenizer))
    mixture = Mixture(chosen.mixture, split="train", seed=recipe.seed)
    loader = recipe.loader
    settings = RowSettings(chosen.row_tokens, loader.lanes, loader.open_rows)
    loaded = load_rows(mixture, processor, settings)
    tokens = samples = images = 0
    for _ in range(rows):
        row = next(loaded)
        tokens += row.batch.input_ids.numel()
        samples += len(row.positions)
        images += row.batch.grids.shape[0]
    return (
        f"stage {chosen.name}: {rows} rows of {chosen.row_tokens} tokens, {tokens / (rows * chosen.row_tokens):.1%} "
        f"full, {samples / rows:.1f} samples and {images / rows:.1f} images a row"
    )


def train_tokenizer_on(recipe: Recipe, *, samples: int, vocab_size: int, output: Path) -> int:
    """Train a tokenizer on the recipe's own text and write it as `tokenizer.json`; returns its size."""
    template = load_template(recipe.model.processing.template)
    tokenizer = train_tokenizer(
        training_texts(recipe, samples), vocab_size=vocab_size, special_tokens=template.special_tokens
    )
    output.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(output)
    return tokenizer.size


def training_texts(recipe: Recipe, samples: int) -> Iterator[str]:
    """The messages of the first `samples` conversations of every stage's training mixture."""
    for stage in recipe.stages:
        mixture = Mixture(stage.mixture, split="train", seed=recipe.seed)
        for position in range(samples):
            try:
                conversation: Conversation = mixture.conversation(position)
            except DataError:
                continue
            yield from (message.text for message in conversation.messages if message.text)


def find_stage(recipe: Recipe, name: str | None) -> StageConfig:
    """The stage of that name, or the last one. Raises `UsageError` with the names there are."""
    if name is None:
        return recipe.stages[-1]
    for stage in recipe.stages:
        if stage.name == name:
            return stage
    raise UsageError(f"no stage {name!r} in recipe {recipe.name}: {', '.join(s.name for s in recipe.stages)}")
