"""The loader: one global order of rows, however many workers and ranks read it and wherever it is taken up again."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import fields
from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image

from vergence.data import loader
from vergence.data.loader import LoadedRow, LoaderState, RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.errors import DataError, UsageError
from vergence.inputs import Segments
from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import train_tokenizer
from vergence.recipe import MixtureEntry

SETTINGS = RowSettings(row_tokens=200, lanes=4, open_rows=2)
ROWS = 24


@pytest.fixture(scope="module")
def processor() -> Processor:
    config = ModelConfig(
        vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
        projector=ProjectorConfig(hidden=16),
        language=LanguageConfig(vocab_size=300, width=16, depth=1, heads=2, kv_heads=1, mlp_width=16),
        processing=ProcessingConfig(max_pixels=30 * 784),
    )
    special = load_template("seed").special_tokens
    return Processor(config, train_tokenizer(["what is it? a red circle"] * 3, vocab_size=290, special_tokens=special))


def write_folder(folder: Path, samples: list[tuple[list[str], str]]) -> Path:
    """A data folder with one conversation per (image names, question)."""
    folder.mkdir(exist_ok=True)
    lines = []
    for images, question in samples:
        parts = [*({"type": "image", "image": name} for name in images), {"type": "text", "text": question}]
        lines.append({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "it"}]})
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def mixture(tmp_path_factory) -> Mixture:
    """Own pictures of many sizes in a folder, text alone, and drawn pictures."""
    folder = tmp_path_factory.mktemp("data")
    rng = random.Random(0)
    samples: list[tuple[list[str], str]] = []
    for i in range(30):
        images = [f"{i}-{n}.png" for n in range(rng.choice([0, 1, 1, 2]))]
        for name in images:
            Image.effect_noise((rng.randint(20, 150), rng.randint(20, 150)), 50).save(folder / name)
        samples.append((images, "x" * rng.randint(1, 60)))
    entries = [
        MixtureEntry(source="folder", path=write_folder(folder, samples), weight=3),
        MixtureEntry(source="shapes", turns=2),
    ]
    return Mixture(entries, split="train", seed=7)


def tensors(row: LoadedRow) -> Iterator[torch.Tensor]:
    for field in fields(row.batch):
        value = getattr(row.batch, field.name)
        if field.name != "layouts":
            yield value.cu_seqlens if isinstance(value, Segments) else value


def assert_same(found: list[LoadedRow], expected: list[LoadedRow]) -> None:
    assert len(found) == len(expected)
    for one, two in zip(found, expected, strict=True):
        assert (one.index, one.lane, one.positions, one.state) == (two.index, two.lane, two.positions, two.state)
        assert one.skipped == two.skipped
        assert all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))


@pytest.fixture(scope="module")
def expected(mixture, processor) -> list[LoadedRow]:
    return list(islice(load_rows(mixture, processor, SETTINGS), ROWS))


def test_rows_are_in_order_inside_the_budget_and_hold_each_position_once(expected, processor, mixture):
    assert [row.index for row in expected] == list(range(ROWS))
    assert [row.lane for row in expected] == [i % 4 for i in range(ROWS)]
    positions = [p for row in expected for p in row.positions]
    assert len(positions) == len(set(positions))
    for row in expected:
        assert row.batch.segments.total <= SETTINGS.row_tokens
        assert {p % 4 for p in row.positions} == {row.lane}
        lengths = row.batch.segments.cu_seqlens.diff().tolist()
        assert lengths == sorted(lengths)
        assert lengths == [len(processor(mixture.conversation(p))) for p in row.positions]
    for lane in range(4):
        last = [row for row in expected if row.lane == lane][-1]
        out = [p for row in expected if row.lane == lane for p in row.positions]
        waiting = [p for row in last.state.open for p in row]
        skipped = sum(len(row.skipped) for row in expected if row.lane == lane)
        assert not skipped
        assert sorted(out + waiting) == [lane + 4 * i for i in range(last.state.read)], "nothing is lost"


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_rows(mixture, processor, expected, workers):
    assert_same(list(islice(load_rows(mixture, processor, SETTINGS, workers=workers), ROWS)), expected)


@pytest.mark.parametrize("workers", [0, 2])
def test_ranks_share_the_same_rows(mixture, processor, expected, workers):
    ranks = [load_rows(mixture, processor, SETTINGS, rank=r, ranks=2, workers=workers) for r in range(2)]
    assert_same([next(ranks[i % 2]) for i in range(ROWS)], expected)


@pytest.mark.parametrize("done", [1, 2, 5, 11, 12])
def test_a_run_goes_on_from_the_state_of_any_row(mixture, processor, expected, done):
    state = LoaderState()
    for row in expected[:done]:
        state.after(row)
    stored = json.dumps(state.to_json())
    loaded = LoaderState.from_json(json.loads(stored))
    assert loaded == state
    rows = load_rows(mixture, processor, SETTINGS, state=loaded)
    assert_same(list(islice(rows, ROWS - done)), expected[done:])
    assert json.dumps(loaded.to_json()) == stored, "reading on doesn't move the caller's state"


@pytest.mark.parametrize(("ranks", "workers"), [(1, 2), (2, 0), (4, 1)])
def test_a_run_goes_on_at_another_number_of_ranks_and_workers(mixture, processor, expected, ranks, workers):
    state = LoaderState()
    for row in expected[:6]:
        state.after(row)
    shares = [
        load_rows(mixture, processor, SETTINGS, state=state, rank=rank, ranks=ranks, workers=workers)
        for rank in range(ranks)
    ]
    assert_same([next(shares[i % ranks]) for i in range(ROWS - 6)], expected[6:])


def test_the_callers_state_may_move_on_while_rows_are_read(mixture, processor, expected):
    state, rows = LoaderState(), []
    for row in islice(load_rows(mixture, processor, SETTINGS, state=state), ROWS):
        state.after(row)
        rows.append(row)
    assert_same(rows, expected)
    assert state.next_row == ROWS


@pytest.mark.parametrize(("ranks", "workers"), [(3, 0), (1, 3), (2, 4), (8, 1)])
def test_lanes_that_cannot_be_shared_are_refused(mixture, processor, ranks, workers):
    with pytest.raises(UsageError, match=rf"loader\.lanes 4 must be a multiple of ranks x workers = {ranks} x"):
        load_rows(mixture, processor, SETTINGS, ranks=ranks, workers=workers)


def folder_rows(folder: Path, processor: Processor, settings: RowSettings) -> Iterator[LoadedRow]:
    mixture = Mixture([MixtureEntry(source="folder", path=folder)], split="train", seed=1)
    return load_rows(mixture, processor, settings)


def test_bad_pictures_are_skipped_and_counted_by_name(bad_files, processor):
    folder = bad_files[0].parent
    Image.new("RGB", (60, 60), "red").save(folder / "good.png")
    names = [path.name for path in bad_files]
    write_folder(folder, [([name], "bad") for name in names] + [(["good.png"], "good")] * len(names))
    rows = list(islice(folder_rows(folder, processor, RowSettings(row_tokens=100, lanes=1, open_rows=2)), 12))
    read = rows[-1].state.read
    skipped = [line for row in rows for line in row.skipped]
    kept = sum(len(row.positions) for row in rows) + sum(map(len, rows[-1].state.open))
    assert kept + len(skipped) == read >= 4 * len(names), "everything is either used or counted"
    for name in names:
        lines = [line for line in skipped if f"/{name}" in line]
        assert len(lines) >= read // (2 * len(names)), f"{name} is counted in every epoch"
        assert all("\n" not in line for line in lines)
    assert not any("good.png" in line for line in skipped)
    (length,) = {n for row in rows for n in row.batch.segments.cu_seqlens.diff().tolist()}
    assert length == 4 + 2 + len(processor.tokenizer.encode("good")) + 6 + len(processor.tokenizer.encode("it")) - 1


def test_a_bad_line_is_skipped_and_named(tmp_path, processor):
    folder = write_folder(tmp_path / "data", [([], "good")] * 3)
    with (folder / "conversations.jsonl").open("a") as file:
        file.write('\n{"messages": [{"role": "user", "content": "half \\ud800"}]}\n{not json}\n')
    rows = list(islice(folder_rows(folder, processor, RowSettings(row_tokens=60, lanes=1, open_rows=1)), 6))
    skipped = [line for row in rows for line in row.skipped]
    assert any("conversations.jsonl:5" in line for line in skipped)
    assert any("surrogate" in line for line in skipped)
    assert len(skipped) >= 4


def test_a_sample_longer_than_a_row_is_dropped_whole_and_named(tmp_path, processor):
    folder = write_folder(tmp_path / "data", [([], "short")] * 3 + [([], "long " * 60)])
    rows = list(islice(folder_rows(folder, processor, RowSettings(row_tokens=64, lanes=1, open_rows=1)), 8))
    skipped = [line for row in rows for line in row.skipped]
    long = len(processor.tokenizer.encode("long " * 60)) + len(processor.tokenizer.encode("it")) + 5
    assert skipped
    assert all(f"{long} tokens, more than the 64 that fit; dropped whole" in line for line in skipped)
    short = len(processor.tokenizer.encode("short")) + len(processor.tokenizer.encode("it")) + 5
    assert {n for row in rows for n in row.batch.segments.cu_seqlens.diff().tolist()} == {short}


def test_a_folder_without_a_usable_sample_is_refused(tmp_path, processor, monkeypatch):
    monkeypatch.setattr(loader, "MAX_SKIPPED", 25)
    folder = write_folder(tmp_path / "data", [(["missing.png"], "what?")] * 3)
    with pytest.raises(DataError, match=r"25 samples in a row are unusable; the last: .*missing\.png"):
        next(folder_rows(folder, processor, SETTINGS))


def test_bad_samples_between_good_ones_never_add_up_to_a_refusal(tmp_path, processor, monkeypatch):
    monkeypatch.setattr(loader, "MAX_SKIPPED", 25)
    folder = write_folder(tmp_path / "data", [(["missing.png"], "what?")] * 5 + [([], "good")] * 5)
    rows = list(islice(folder_rows(folder, processor, RowSettings(row_tokens=400, lanes=1, open_rows=8)), 3))
    assert sum(len(row.skipped) for row in rows) > 25


def test_the_account_counts_what_was_trained_on_wherever_it_was_taken_up(mixture, processor, expected):
    """Samples and tokens of each entry, from one run and from one that went on at another number of workers."""
    state = LoaderState()
    for row in expected:
        state.after(row)
    positions = [position for row in expected for position in row.positions]
    for entry in (0, 1):
        assert state.account[entry].samples == sum(mixture.place(position)[0] == entry for position in positions)
    assert sum(given.tokens for given in state.account.values()) == sum(row.batch.input_ids.numel() for row in expected)
    half = LoaderState()
    for row in expected[:10]:
        half.after(row)
    half = LoaderState.from_json(json.loads(json.dumps(half.to_json())))
    rest = load_rows(mixture, processor, SETTINGS, state=half, workers=2)
    for row in islice(rest, ROWS - 10):
        half.after(row)
    rest.close()
    assert half.account == state.account


def test_the_end_of_a_mixture_ends_the_rows_by_name(tmp_path, processor):
    folder = write_folder(tmp_path, [([], "x" * 40)] * 9)
    mixture = Mixture([MixtureEntry(source="folder", path=folder, epochs=2)], split="train", seed=1)
    with pytest.raises(DataError, match="the mixture ends after 18 samples"):
        list(load_rows(mixture, processor, SETTINGS))
