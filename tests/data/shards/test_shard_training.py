"""Training from shards is training from the folder that they were packed from."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest
from shard_samples import pack_folder, picture, write_samples

from vergence.data.loader import LoadedRow, LoaderState, RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.data.mixture_sources import open_folder
from vergence.data.recipes import load_checked_recipe
from vergence.data.shards.reader import ShardSource
from vergence.data.sources.folder import FolderSource
from vergence.errors import DataError
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import MixtureEntry

SETTINGS = RowSettings(row_tokens=120, lanes=2, open_rows=2)


@pytest.fixture(scope="module")
def processor(small_recipe) -> Processor:
    model = load_checked_recipe(small_recipe).model
    return Processor(model, Tokenizer.load(model.processing.tokenizer))


def mixture_of(folder: Path) -> Mixture:
    return Mixture([MixtureEntry(source="folder", path=folder)], split="train", seed=5)


def shown(row: LoadedRow) -> list[object]:
    batch = row.batch
    pixels = [tensor.tolist() for tensor in (batch.input_ids, batch.labels, batch.patches, batch.grids)]
    return [row.index, row.positions, row.state, *pixels]


def test_rows_from_shards_are_the_rows_from_the_folder(samples, shards, processor):
    folder = list(islice(load_rows(mixture_of(samples), processor, SETTINGS), 16))
    assert len({p for row in folder for p in row.positions}) > 40, "several epochs"
    for workers in (0, 2):
        packed = list(islice(load_rows(mixture_of(shards), processor, SETTINGS, workers=workers), 16))
        assert [shown(row) for row in packed] == [shown(row) for row in folder]
    state = LoaderState()
    for row in folder[:5]:
        state.after(row)
    rest = list(islice(load_rows(mixture_of(shards), processor, SETTINGS, state=state), 11))
    assert [shown(row) for row in rest] == [shown(row) for row in folder[5:]]


def test_the_folder_decides_what_it_is(samples, shards, tmp_path):
    assert isinstance(open_folder(samples), FolderSource)
    assert isinstance(open_folder(shards), ShardSource)
    both = tmp_path / "both"
    shutil.copytree(samples, both)
    shutil.copy(shards / "shard-000000.tar", both)
    assert isinstance(open_folder(both), FolderSource)
    with pytest.raises(DataError, match="a data folder needs this file"):
        open_folder(tmp_path)


def test_a_bad_picture_of_a_foreign_tar_is_named_by_shard_and_key(samples, own_shards, processor):
    (own_shards / "shard-000000.parquet").unlink()  # so nothing but the picture itself tells
    tar = own_shards / "shard-000000.tar"
    data = bytearray(tar.read_bytes())
    place = data.index(picture(1)) + len(picture(1)) // 2
    data[place : place + 8] = bytes(8)
    tar.write_bytes(data)
    rows = islice(load_rows(mixture_of(own_shards), processor, SETTINGS), 8)
    skipped = {line for row in rows for line in row.skipped}
    assert skipped == {f"{tar}: 000000001: image bytes: broken or truncated picture (PNG, 21x30 pixels)"}


def train(small_recipe: Path, data: Path, output: Path) -> dict[str, bytes]:
    from vergence.training.trainer import Trainer

    stage = {
        "name": "one",
        "objective": "answers",
        "tokens": 480,
        "row_tokens": 160,
        "mixture": [{"source": "folder", "path": str(data)}],
        "optimizer": {"lr": 1e-3},
    }
    overrides = [f"stages=[{json.dumps(stage)}]", "evaluation.tasks=[colour]", "evaluation.samples=1"]
    Trainer(load_checked_recipe(small_recipe, overrides), output).run()
    return {path.name: path.read_bytes() for path in (output / "final").glob("*.safetensors")}


def test_a_run_on_shards_ends_with_the_weights_of_one_on_the_folder(small_recipe, samples, shards, tmp_path):
    folder = train(small_recipe, samples, tmp_path / "folder")
    assert train(small_recipe, shards, tmp_path / "shards") == folder != {}


def test_the_fingerprint_of_a_mixture_follows_the_pictures(shards, tmp_path):
    folder = write_samples(tmp_path / "data", 20)
    (folder / "1-0.png").write_bytes(picture(50, size=(21, 30)))
    pack_folder(folder, tmp_path / "other")
    prints = [mixture_of(path).fingerprint() for path in (shards, shards, tmp_path / "other")]
    assert prints[0] == prints[1] != prints[2]
