"""CLIP similarity: a stub, a tiny random CLIP of transformers, and open_clip's interface."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from vergence.errors import DataError, UsageError
from vergence.evaluation.seed_bench.similarity import (
    described,
    find_picture,
    load_similarity,
    most_similar,
    prepare,
)


class Colours:
    """The mean colour as features."""

    name, sha256 = "colours", "0" * 64

    def features(self, images):
        return np.stack([np.asarray(image.convert("RGB"), dtype=np.float32).mean((0, 1)) + 1 for image in images])


def plain(*colour: int, size=(20, 30)) -> Image.Image:
    return Image.new("RGB", size, colour)


def test_the_most_similar_option_is_found_and_the_first_of_equal_ones():
    options = [plain(0, 0, 200), plain(190, 10, 0), plain(190, 10, 0), plain(0, 200, 0)]
    found = most_similar(Colours(), plain(200, 10, 0), options)
    assert (found.index, found.tie, len(found.cosines)) == (1, True, 4)
    assert found.cosines[1] == pytest.approx(1, abs=1e-3)
    assert not most_similar(Colours(), plain(0, 0, 255), options).tie


def test_features_that_tell_nothing_are_refused():
    class Zeros(Colours):
        def features(self, images):
            return np.zeros((len(images), 3), dtype=np.float32)

    with pytest.raises(DataError, match="features that are zero"):
        most_similar(Zeros(), plain(1, 2, 3), [plain(1, 2, 3)])


def test_pictures_are_found_by_question_id(tmp_path):
    plain(1, 2, 3).save(tmp_path / "25_7.jpg")
    assert find_picture(tmp_path, "25_7") == tmp_path / "25_7.jpg"
    assert find_picture(tmp_path, "25_8") is None


def test_preparation_cuts_out_the_centre_and_normalises():
    wide = plain(0, 0, 0, size=(90, 30))
    wide.paste((255, 255, 255), (30, 0, 60, 30))
    found = prepare(wide, 30, (0, 0, 0), (1, 1, 1))
    assert (found.shape, found.dtype) == ((3, 30, 30), np.float32)
    assert found.min() == 1  # the white middle
    assert prepare(plain(255, 0, 0), 8)[0, 0, 0] == pytest.approx((1 - 0.48145466) / 0.26862954, rel=1e-6)


@pytest.mark.parametrize("text", ["clip", "transformers:", "open_clip:ViT-L-14", "torch:x"])
def test_another_form_is_refused(text):
    with pytest.raises(UsageError, match="expected transformers:FOLDER or open_clip:MODEL:WEIGHTS"):
        load_similarity(text)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no config\.json"):
        load_similarity(f"transformers:{tmp_path}")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(DataError, match="no weights"):
        load_similarity(f"transformers:{tmp_path}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"pickled")
    with pytest.raises(DataError, match="no weights"):
        load_similarity(f"transformers:{tmp_path}")
    with pytest.raises(DataError, match=r"read from a \.safetensors file only"):
        load_similarity(f"open_clip:ViT-B-32:{tmp_path / 'pytorch_model.bin'}")
    with pytest.raises(DataError, match="no such file"):
        load_similarity(f"open_clip:ViT-B-32:{tmp_path / 'gone.safetensors'}")


@pytest.mark.parametrize(
    "told", ["[]", "{", '{"image_mean": [1, 2]}', '{"image_std": [0, 1, 1]}', '{"image_std": "x"}']
)
def test_a_preparation_that_cannot_be_meant_is_named(tmp_path, told):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "preprocessor_config.json").write_text(told)
    with pytest.raises(DataError, match=r"preprocessor_config\.json: expected an object whose image_mean"):
        load_similarity(f"transformers:{tmp_path}")


@pytest.mark.skipif(importlib.util.find_spec("transformers") is None, reason="transformers isn't installed")
def test_a_clip_of_transformers(tmp_path):
    import torch
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**small, "vocab_size": 20, "max_position_embeddings": 8},
        vision_config={**small, "image_size": 16, "patch_size": 8},
        projection_dim=12,
    )
    model = CLIPModel(config).eval()
    folder = tmp_path / "tiny-clip"
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": [0, 0, 0], "image_std": [1, 1, 1]}))
    similarity = load_similarity(f"transformers:{folder}")
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert described(similarity) == {"name": "tiny-clip", "sha256": digest}
    images = [plain(200, 10, 0), plain(0, 0, 200), plain(200, 10, 0)]
    found = similarity.features(images)
    assert (found.shape, found.dtype) == ((3, 12), np.float32)
    pixels = torch.from_numpy(np.stack([prepare(image, 16, (0, 0, 0), (1, 1, 1)) for image in images]))
    with torch.inference_mode():
        pooled = model.vision_model(pixel_values=pixels).pooler_output
        expected = model.visual_projection(pooled).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert most_similar(similarity, images[0], images[1:]).index == 1
    from safetensors.torch import save_file

    save_file(
        {"vision_model.embeddings.class_embedding": torch.zeros(16)}, folder / "model.safetensors", {"format": "pt"}
    )
    with pytest.raises(DataError, match="weights are missing"):
        load_similarity(f"transformers:{folder}").features(images)
    (folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(DataError, match="not a CLIP model"):
        load_similarity(f"transformers:{folder}").features(images)


def test_a_clip_of_open_clip(tmp_path, monkeypatch):
    import torch

    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"weights")

    class Model:
        def float(self):
            return self

        eval = float

        def encode_image(self, pixels):
            return pixels.mean((2, 3))

    def create(name, pretrained):
        assert (name, pretrained) == ("ViT-B-32", str(weights))
        return Model(), None, lambda image: torch.from_numpy(prepare(image, 4))

    monkeypatch.setitem(sys.modules, "open_clip", SimpleNamespace(create_model_and_transforms=create))
    similarity = load_similarity(f"open_clip:ViT-B-32:{weights}")
    assert described(similarity) == {"name": "ViT-B-32", "sha256": hashlib.sha256(b"weights").hexdigest()}
    assert most_similar(similarity, plain(200, 0, 0), [plain(0, 0, 200), plain(190, 0, 0)]).index == 1
    monkeypatch.setitem(sys.modules, "open_clip", None)
    with pytest.raises(UsageError, match="needs open_clip"):
        load_similarity(f"open_clip:ViT-B-32:{weights}").features([plain(1, 1, 1)])
