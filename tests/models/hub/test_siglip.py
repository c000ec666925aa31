"""SigLIP's tower alone: equal to transformers, in and out, from a whole model as well."""

from __future__ import annotations

import json

import pytest
import torch
import transformers
from public_models import edit, randomise, round_trip
from safetensors.torch import load_file

from vergence.errors import DataError
from vergence.inputs import Segments
from vergence.models.checkpoint import load_model, open_checkpoint, read_config
from vergence.models.hub.convert import import_checkpoint
from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import patch_coordinates

torch.set_num_threads(1)

SIDE = 73  # five patches of 14 pixels and a remainder that the encoder drops
SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": SIDE,
    "patch_size": 14,
}


@pytest.fixture(scope="module")
def theirs():
    return randomise(transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**SIZES)), 0)


@pytest.fixture(scope="module")
def whole():
    text = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.SiglipConfig(vision_config=SIZES, text_config={**text, "vocab_size": 50})
    return randomise(transformers.SiglipModel(config), 1)


def load_encoder(folder) -> VisionTransformer:
    checkpoint = open_checkpoint(folder)
    encoder = VisionTransformer(read_config(checkpoint))
    encoder.load_state_dict({k.removeprefix("vision."): v for k, v in checkpoint.tensors("model").items()})
    return encoder.eval()


@torch.no_grad()
def features(encoder: VisionTransformer, images: torch.Tensor) -> torch.Tensor:
    """Features `[N, 25, D]` of images `[N, 3, SIDE, SIDE]`."""
    cut = images[:, :, :70, :70].unflatten(2, (5, 14)).unflatten(4, (5, 14)).permute(0, 2, 4, 3, 5, 1)
    grids = torch.tensor([[5, 5]]).expand(len(images), 2)
    segments = Segments.from_lengths([25] * len(images))
    return encoder(cut.reshape(-1, 588), patch_coordinates(grids, 1), grids, segments).unflatten(0, (-1, 25))


@pytest.fixture(scope="module")
def images():
    return torch.randn(3, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_features_equal_those_of_transformers_in_and_out(theirs, images, tmp_path):
    theirs.save_pretrained(tmp_path / "hub")
    import_checkpoint(str(tmp_path / "hub"), tmp_path / "ours")
    with torch.no_grad():
        expected = theirs(images).last_hidden_state
    torch.testing.assert_close(features(load_encoder(tmp_path / "ours"), images), expected, atol=1e-4, rtol=1e-4)
    folder = round_trip(tmp_path / "ours", tmp_path / "out", layout="hf")
    assert all(name.startswith("vision_model.") for name in load_file(folder / "model.safetensors"))
    again, info = transformers.SiglipVisionModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    with torch.no_grad():
        assert torch.equal(again.eval()(images).last_hidden_state, expected)
    assert json.loads((folder / "config.json").read_text())["image_size"] == SIDE


def test_the_tower_of_a_whole_model_is_read(whole, images, tmp_path):
    whole.save_pretrained(tmp_path / "hub")
    import_checkpoint(str(tmp_path / "hub"), tmp_path / "ours")
    with torch.no_grad():
        expected = whole.vision_model(images).last_hidden_state
    torch.testing.assert_close(features(load_encoder(tmp_path / "ours"), images), expected, atol=1e-4, rtol=1e-4)
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    _, info = transformers.SiglipVisionModel.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info


def test_an_encoder_alone_is_no_model(theirs, tmp_path):
    theirs.save_pretrained(tmp_path / "hub")
    checkpoint = import_checkpoint(str(tmp_path / "hub"), tmp_path / "ours")
    assert sorted(checkpoint.files) == ["encoder.json", "model.safetensors", "source.json"]
    with pytest.raises(DataError, match="a vision encoder alone, not a whole model; `vergence build`"):
        load_model(open_checkpoint(tmp_path / "ours"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_act": "gelu"}, "hidden_act 'gelu' is not supported"),
        ({"num_channels": 1}, "num_channels 1 is not supported"),
        ({"image_size": [73, 70]}, "image_size must be one whole number or a square"),
        ({"image_size": 13}, "image_size 13 must hold at least one patch of patch_size 14"),
        ({"patch_size": 0}, "patch_size 0"),
        ({"num_hidden_layers": 10**12}, "num_hidden_layers is 1000000000000, but the checkpoint has"),
        ({"num_attention_heads": 5}, "heads"),
    ],
)
def test_what_our_encoder_does_not_have_is_refused_by_name(changes, message, theirs, tmp_path):
    theirs.save_pretrained(tmp_path / "hub")
    edit(tmp_path / "hub", "config.json", **changes)
    with pytest.raises(DataError, match=message):
        import_checkpoint(str(tmp_path / "hub"), tmp_path / "ours")
