"""A recipe's data made visible: the folder of it, how full its rows are, the tokenizer that it teaches."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from vergence.data import generate
from vergence.data.generate import packing_report, train_tokenizer_on, training_texts, write_folder
from vergence.data.loader import RowSettings, load_rows
from vergence.data.mixture import Mixture
from vergence.data.recipes import load_checked_recipe
from vergence.data.sources.folder import read_folder
from vergence.errors import DataError, UsageError
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import Recipe


@pytest.fixture
def recipe(small_recipe) -> Recipe:
    return load_checked_recipe(small_recipe)


def write(recipe: Recipe, output: Path, samples: int = 12, *, stage: str | None = None, split: str = "train") -> int:
    return write_folder(recipe, stage=stage, split=split, samples=samples, output=output)  # type: ignore[arg-type]


def pixels(image: object) -> np.ndarray:
    if isinstance(image, Path):
        image = Image.open(image)
    assert isinstance(image, Image.Image)
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    ("stage", "split"), [(None, "train"), (None, "heldout"), ("encoder", "train"), ("words", "train")]
)
def test_the_folder_holds_what_the_mixture_says(recipe, tmp_path, stage, split):
    assert write(recipe, tmp_path / "a" / "data", stage=stage, split=split) == 12
    folder = read_folder(tmp_path / "a" / "data")
    chosen = next(s for s in recipe.stages if s.name == (stage or "answers"))
    mixture = Mixture(chosen.mixture, split=split, seed=recipe.seed)
    assert len(folder) == 12
    for index in range(12):
        found, expected = folder[index], mixture.conversation(index)
        told = [[(m.role, m.text, m.loss) for m in conversation.messages] for conversation in (found, expected)]
        assert told[0] == told[1]
        assert len(found.images) == len(expected.images)
        for one, other in zip(found.images, expected.images, strict=True):
            assert np.array_equal(pixels(one), pixels(other)), "PNG loses nothing"
    assert {path.name for path in (tmp_path / "a" / "data").iterdir()} == {"conversations.jsonl", "images"}
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["data"]


def test_the_same_recipe_gives_the_same_folder_and_another_seed_another(small_recipe, recipe, tmp_path):
    write(recipe, tmp_path / "1")
    write(recipe, tmp_path / "2")
    write(load_checked_recipe(small_recipe, ["seed=8"]), tmp_path / "3")
    one, two, three = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
        for folder in (tmp_path / name for name in "123")
    )
    assert one == two
    assert one != three


def test_the_folder_can_be_trained_on(small_recipe, recipe, tmp_path):
    from vergence.training.trainer import Trainer

    write(recipe, tmp_path / "data")
    stage = {
        "name": "one",
        "objective": "answers",
        "tokens": 320,
        "row_tokens": 160,
        "mixture": [{"source": "folder", "path": str(tmp_path / "data")}],
        "optimizer": {"lr": 1e-3},
    }
    overrides = [f"stages=[{json.dumps(stage)}]", "evaluation.tasks=[colour]", "evaluation.samples=1"]
    Trainer(load_checked_recipe(small_recipe, overrides), tmp_path / "run").run()
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [record["step"] for record in records if record["kind"] == "train"] == [1, 2]
    assert not [record for record in records if record["kind"] == "skipped"]


@pytest.mark.parametrize("what", ["folder", "file", "empty folder"])
def test_what_exists_is_left_alone(recipe, tmp_path, what):
    output = tmp_path / "data"
    if what == "file":
        output.write_text("mine")
    else:
        output.mkdir()
        if what == "folder":
            (output / "mine.txt").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UsageError, match="data: exists already; name a new folder"):
        write(recipe, output)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_write_that_is_stopped_leaves_no_folder_and_the_next_one_is_whole(recipe, tmp_path, monkeypatch):
    calls = []

    def decode(image: object) -> object:
        calls.append(image)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return image

    with monkeypatch.context() as patch:
        patch.setattr(generate, "decode_image", decode)
        with pytest.raises(KeyboardInterrupt):
            write(recipe, tmp_path / "data")
    assert not (tmp_path / "data").exists()
    assert write(recipe, tmp_path / "data", 2) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["data"]
    assert len(list((tmp_path / "data" / "images").iterdir())) == 2


def folder_recipe(small_recipe: Path, folder: Path, images: list[str]) -> Recipe:
    lines = []
    for name in images:
        parts = [{"type": "image", "image": name}, {"type": "text", "text": "what?"}]
        lines.append({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": name}]})
    (folder / "conversations.jsonl").write_text("\n".join(map(json.dumps, lines)))
    mixture = json.dumps([{"source": "folder", "path": str(folder)}])
    return load_checked_recipe(small_recipe, [f"stages.answers.mixture={mixture}"])


def test_samples_that_cannot_be_used_are_left_out(small_recipe, tmp_path, bad_files):
    folder = bad_files[0].parent
    Image.new("RGB", (30, 20), "red").save(folder / "good.png")
    recipe = folder_recipe(small_recipe, folder, [*(path.name for path in bad_files), "good.png", "good.png"])
    assert write(recipe, tmp_path / "data", len(bad_files) + 2) == 2
    written = read_folder(tmp_path / "data")
    assert [written[i].messages[-1].text for i in range(len(written))] == ["good.png"] * 2
    assert len(list((tmp_path / "data" / "images").iterdir())) == 2


def test_where_no_sample_can_be_used_there_is_no_folder(small_recipe, tmp_path):
    (tmp_path / "source").mkdir()
    recipe = folder_recipe(small_recipe, tmp_path / "source", ["none.png"])
    with pytest.raises(DataError, match=r"none of 3 samples can be used; the last: .*none\.png"):
        write(recipe, tmp_path / "data", 3)
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_unknown_stage_is_named_with_those_there_are(recipe, tmp_path):
    with pytest.raises(UsageError, match="no stage 'word' in recipe small: encoder, words, answers"):
        write(recipe, tmp_path / "data", stage="word")
    with pytest.raises(UsageError, match="no stage 'word'"):
        packing_report(recipe, "word", 1)
    assert not list(tmp_path.iterdir())


def test_the_packing_report_adds_up(recipe):
    stage = recipe.stages[2]
    mixture = Mixture(stage.mixture, split="train", seed=recipe.seed)
    processor = Processor(recipe.model, Tokenizer.load(recipe.model.processing.tokenizer))
    rows = load_rows(mixture, processor, RowSettings(160, recipe.loader.lanes, recipe.loader.open_rows))
    batches = [next(rows).batch for _ in range(9)]
    tokens = sum(batch.segments.total for batch in batches)
    samples = sum(batch.segments.cu_seqlens.numel() - 1 for batch in batches)
    images = sum(len(batch.grids) for batch in batches)
    assert packing_report(recipe, None, 9) == (
        f"stage answers: 9 rows of 160 tokens, {tokens / (9 * 160):.1%} full, {samples / 9:.1f} samples and "
        f"{images / 9:.1f} images a row"
    )
    assert re.match(r"stage words: 2 rows of 160 tokens, \d\d\.\d% full, ", packing_report(recipe, "words", 2))


def test_a_tokenizer_learns_the_words_of_every_stage(recipe, tmp_path):
    texts = list(training_texts(recipe, 30))
    assert any("colour" in text for text in texts)
    size = train_tokenizer_on(recipe, samples=30, vocab_size=340, output=tmp_path / "new" / "tokenizer.json")
    tokenizer = Tokenizer.load(str(tmp_path / "new" / "tokenizer.json"))
    assert size == tokenizer.size == 340
    for text in texts:
        assert tokenizer.decode(tokenizer.encode(text)) == text
    tokens = sum(len(tokenizer.encode(text)) for text in texts)
    assert tokens < sum(len(text) for text in texts) / 2
    template = load_template(recipe.model.processing.template)
    assert all(tokenizer.special(token) >= 0 for token in template.special_tokens)


def test_too_small_a_vocabulary_is_refused(recipe, tmp_path):
    with pytest.raises(UsageError, match="vocab_size 200 is too small"):
        train_tokenizer_on(recipe, samples=2, vocab_size=200, output=tmp_path / "tokenizer.json")
    assert not list(tmp_path.iterdir())
