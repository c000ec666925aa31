"""Scores of pictures and texts: by an encoder whose answers are known, and by a tiny CLIP of transformers."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vergence.cli import main
from vergence.data.curation.decisions import read_decisions
from vergence.data.curation.lexicon import Lexicon
from vergence.data.curation.rebalance import BalanceRules
from vergence.data.curation.similarity import ScoreRules, cosines, open_encoder, rebalance_by_look, score
from vergence.data.sources.folder import read_folder
from vergence.errors import UsageError
from vergence.processing.media import decode_image

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


class ColourEncoder:
    """A picture is its mean colour, a text the colours that it names; both of odd lengths."""

    name = "colours"

    def pictures(self, pictures):
        return np.stack([np.asarray(picture, np.float32).mean((0, 1)) * 3 for picture in pictures])

    def texts(self, texts):
        named = [sum(np.array(rgb, np.float32) for name, rgb in COLOURS.items() if name in text) for text in texts]
        return np.stack([np.zeros(3, np.float32) if isinstance(found, int) else found for found in named])


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    for name, rgb in COLOURS.items():
        Image.new("RGB", (30, 30), rgb).save(root / f"{name}.png")
    (root / "broken.png").write_bytes(b"no picture")
    rows = [
        (["red.png"], "a red wall"),
        (["red.png"], "a blue wall"),
        (["red.png", "green.png"], "red"),
        ([], "only text"),
        (["broken.png"], "red"),
        (["red.png"], "of no colour"),
        (["blue.png"], "red and blue"),
    ]
    lines = []
    for pictures, caption in rows:
        parts = [{"type": "image", "image": name} for name in pictures] or "?"
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": caption}]
        lines.append(json.dumps({"messages": messages}))
    (root / "conversations.jsonl").write_text("\n".join([*lines, "no json"]))
    return read_folder(root)


@pytest.mark.parametrize("batch", [1, 3, 32])
def test_scores_are_mean_cosines(folder, batch):
    decisions = score(folder, ColourEncoder(), ScoreRules(least=0.6, batch=batch))
    scores = [row.score for row in decisions.rows]
    expected = [1.0, 0.0, 0.5, None, None, 0.0, 0.5**0.5, None]
    assert [s is None for s in scores] == [e is None for e in expected]
    assert [s for s in scores if s is not None] == pytest.approx([e for e in expected if e is not None], abs=1e-6)
    assert [row.reason for row in decisions.rows] == [
        *("kept", "low score", "low score", "kept", "picture: broken", "low score", "kept", "unreadable")
    ]
    assert decisions.settings["encoder"] == "colours"


def test_samples_without_a_picture_may_go(folder):
    decisions = score(folder, ColourEncoder(), ScoreRules(without_picture=False))
    assert [(row.repeat, row.reason) for row in decisions.rows][3] == (0, "no picture")
    assert decisions.rows[1].repeat == 1, "without a threshold scores are only noted"


def test_pictures_are_balanced_by_the_concepts_they_look_like(tmp_path):
    for number in range(43):
        Image.new("RGB", (30, 30), COLOURS["red" if number < 40 else "blue"]).save(tmp_path / f"{number}.png")
    lines = [
        json.dumps({"messages": [{"role": "user", "content": [{"type": "image", "image": f"{n}.png"}]}]})
        for n in range(43)
    ]
    (tmp_path / "conversations.jsonl").write_text("\n".join(lines))
    data, concepts = read_folder(tmp_path), Lexicon(["red", "green", "blue"])
    decisions = rebalance_by_look(data, concepts, ColourEncoder(), BalanceRules(cap=10, boost=2, rare=6), k=1)
    assert 3 <= sum(row.repeat for row in decisions.rows[:40]) <= 20
    assert [row.repeat for row in decisions.rows[40:]] == [2, 2, 2]
    assert decisions.settings["report"]["before"]["entries"] == 2
    with pytest.raises(UsageError, match=r"k must lie in 1\.\.3"):
        rebalance_by_look(data, concepts, ColourEncoder(), BalanceRules(), k=4)


def test_cosines_by_hand():
    found = cosines(np.array([[3, 0], [1, 1], [0, 0]], np.float32), np.array([[5, 0], [0, 2], [1, 1]], np.float32))
    assert found == pytest.approx([1, 0.5**0.5, 0])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A tiny CLIP with random weights and its processor, as a folder."""
    transformers = pytest.importorskip("transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    words = {"<start>": 0, "<end>": 1, "<unk>": 2} | {
        w: n + 3 for n, w in enumerate(["a", "red", "green", "blue", "wall", "only"])
    }
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<start>", eos_token="<end>", pad_token="<end>", unk_token="<unk>"
    )
    fast.model_max_length = 8
    text = {"vocab_size": 10, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1}
    text |= {"num_attention_heads": 2, "max_position_embeddings": 8, "eos_token_id": 1}
    vision = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(
        text_config=text, vision_config=vision | {"image_size": 28, "patch_size": 14}, projection_dim=8
    )
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    size = {"height": 28, "width": 28}
    image = transformers.CLIPImageProcessor(size={"shortest_edge": 28}, crop_size=size)
    transformers.CLIPProcessor(image_processor=image, tokenizer=fast).save_pretrained(folder)
    return folder


def test_a_clip_of_transformers_gives_its_own_similarities(folder, clip, tmp_path):
    import transformers

    out = tmp_path / "scores.parquet"
    assert main(["data", "score", str(folder.path), "--encoder", f"transformers:{clip}", "--out", str(out)]) == 0
    found = [row.score for row in read_decisions(out).rows]
    model = transformers.CLIPModel.from_pretrained(clip)
    processor = transformers.CLIPProcessor.from_pretrained(clip)
    picture = decode_image(folder.path / "red.png")
    inputs = processor(text=["a red wall", "a blue wall"], images=[picture], return_tensors="pt", padding=True)
    expected = (model(**inputs).logits_per_image / model.logit_scale.exp())[0].tolist()
    assert found[:2] == pytest.approx(expected, abs=1e-5)


def test_what_is_no_encoder_is_refused(folder, tmp_path, capsys):
    with pytest.raises(UsageError, match="expected transformers:FOLDER"):
        open_encoder("clip")
    words = [
        "data",
        "score",
        str(folder.path),
        "--encoder",
        f"transformers:{tmp_path}",
        "--out",
        str(tmp_path / "o.parquet"),
    ]
    assert main(words) == 2
    assert "can't be loaded" in capsys.readouterr().err
