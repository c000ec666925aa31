"""MoonViT in and out: the same features as two independent implementations, packed as alone, and every refusal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vergence.errors import DataError
from vergence.inputs import Segments
from vergence.model_config import VisionConfig
from vergence.models.checkpoint import load_model, read_config
from vergence.models.hub import moonvit
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.hub.public import Target
from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import patch_coordinates
from vergence.presets import PRESETS

PUBLISHED: Mapping[str, Any] = {
    "model_type": "moonvit",
    "auto_map": {"AutoModel": "modeling_moonvit.MoonVitPretrainedModel"},
    "patch_size": 14,
    "init_pos_emb_height": 8,
    "init_pos_emb_width": 8,
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 96,
    "merge_kernel_size": [2, 2],
}
GRIDS = [(4, 6), (8, 8), (2, 2), (10, 4), (4, 6), (16, 12)]


@dataclass
class Public:
    """A public checkpoint in memory."""

    config: Mapping[str, Any]
    keys: Mapping[str, Tensor]
    chat_template: str | None = None

    def tensor(self, name: str) -> Tensor:
        return self.keys[name]

    def document(self, name: str) -> dict[str, Any]:
        return {}


def published(config: Mapping[str, Any] = PUBLISHED, seed: int = 0) -> Public:
    """A checkpoint with the published names, its tensors at random."""
    width, inner, side = config["hidden_size"], config["intermediate_size"], config["init_pos_emb_height"]
    shapes = {"patch_embed.proj.weight": [width, 3, 14, 14], "patch_embed.proj.bias": [width]}
    shapes |= {"patch_embed.pos_emb.weight": [side, side, width]}
    for block in range(config["num_hidden_layers"]):
        sizes = {"norm0": [width], "norm1": [width], "wqkv": [3 * width, width], "wo": [width, width]}
        sizes |= {"mlp.fc0": [inner, width], "mlp.fc1": [width, inner]}
        for name, size in sizes.items():
            shapes |= {f"encoder.blocks.{block}.{name}.weight": size, f"encoder.blocks.{block}.{name}.bias": size[:1]}
    shapes |= {"encoder.final_layernorm.weight": [width], "encoder.final_layernorm.bias": [width]}
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, size in shapes.items():
        inputs = torch.Size(size[1:]).numel()
        std = 1.0 if "pos_emb" in name else 0.2 if len(size) == 1 else inputs**-0.5
        tensors[name] = std * torch.randn(size, generator=generator) + ("norm" in name and name.endswith("weight"))
    return Public(config, tensors)


def imported(public: Public) -> VisionTransformer:
    config = moonvit.read_config(public)
    with torch.device("meta"):
        encoder = VisionTransformer(config)
    weights = {
        entry.ours.removeprefix("vision."): entry.join([public.keys[name] for name in entry.theirs])
        for entry in moonvit.entries(config, "original")
    }
    encoder.load_state_dict(weights, assign=True)
    return encoder


def pictures(grids: Sequence[tuple[int, int]]) -> list[Tensor]:
    """Normalised pixels `[3, H, W]` of each image."""
    generator = torch.Generator().manual_seed(len(grids))
    return [torch.randn(3, 14 * rows, 14 * columns, generator=generator) for rows, columns in grids]


def raster_patches(picture: Tensor) -> Tensor:
    """`[3, H, W]` -> patches `[P, 3, 14, 14]`, row by row."""
    return picture.unfold(1, 14, 14).unfold(2, 14, 14).permute(1, 2, 0, 3, 4).flatten(0, 1)


def places(grids: Sequence[tuple[int, int]]) -> Tensor:
    """Of each patch in our order, its place in all images' raster order."""
    coordinates = patch_coordinates(torch.tensor(grids), 2).split([rows * columns for rows, columns in grids])
    parts, start = [], 0
    for own, (rows, columns) in zip(coordinates, grids, strict=True):
        parts.append(start + own[:, 0] * columns + own[:, 1])
        start += rows * columns
    return torch.cat(parts)


def features(encoder: VisionTransformer, images: Sequence[Tensor], grids: Sequence[tuple[int, int]]) -> Tensor:
    """Our features `[P, D]` of all images as one packed row, in merge order."""
    patches = torch.cat([raster_patches(image) for image in images])[places(grids)]
    rows = torch.tensor(grids)
    segments = Segments.from_lengths(rows.prod(dim=1).tolist())
    with torch.no_grad():
        return encoder(patches.permute(0, 2, 3, 1).flatten(1), patch_coordinates(rows, 2), rows, segments)


def by_halves(weight: Tensor, heads: int) -> Tensor:
    """Rows of a query or key matrix, from neighbouring rotary pairs to the halves of a head."""
    return weight.unflatten(0, (heads, -1, 2)).transpose(1, 2).flatten(0, 2)


def kimi_k25(public: Public) -> Any:
    """The same weights in transformers' Kimi_K25VisionModel, whose one-frame videos are MoonViT's images."""
    from transformers.models.kimi_k25.modeling_kimi_k25 import Kimi_K25VisionConfig, Kimi_K25VisionModel

    config = public.config
    names = ("patch_size", "num_attention_heads", "num_hidden_layers", "hidden_size", "intermediate_size")
    side = config["init_pos_emb_height"]
    model = Kimi_K25VisionModel(
        Kimi_K25VisionConfig(pos_emb_height=side, pos_emb_width=side, **{name: config[name] for name in names})
    ).eval()
    renames = {"encoder.blocks": "layers", "norm0": "norm1", "norm1": "norm2", "wo": "attn.proj"}
    renames |= {"fc0": "fc1", "fc1": "fc2", "encoder.final": "final", "pos_emb.weight": "pos_emb.position_embeddings"}
    pattern = re.compile("|".join(map(re.escape, renames)))
    weights = {}
    for name, tensor in public.keys.items():
        theirs = pattern.sub(lambda match: renames[match[0]], name)
        if "wqkv" not in name:
            weights[theirs] = tensor
            continue
        for letter, part in zip("qkv", tensor.chunk(3), strict=True):
            part = part if letter == "v" else by_halves(part, config["num_attention_heads"])
            weights[theirs.replace("wqkv", f"attn.{letter}_proj")] = part
    model.load_state_dict(weights, strict=True)
    return model


def k25_features(model: Any, images: Sequence[Tensor], grids: Sequence[tuple[int, int]]) -> Tensor:
    """Features `[P, D]` in merge order."""
    pixels = torch.cat([raster_patches(image) for image in images])
    with torch.no_grad():
        outputs = model(pixels, grid_thw=torch.tensor([(1, *grid) for grid in grids]))
    return outputs.pooler_output.flatten(0, 1)


def test_features_are_those_of_transformers():
    public = published()
    images = pictures(GRIDS)
    expected = k25_features(kimi_k25(public), images, GRIDS)
    assert expected.std() > 0.5, "an oracle that says nothing proves nothing"
    torch.testing.assert_close(features(imported(public), images, GRIDS), expected, atol=1e-4, rtol=1e-4)


def test_features_are_those_of_open_moonvit():
    oracle = pytest.importorskip("open_moonvit")
    public = published(seed=1)
    size = 64 // 4
    model = oracle.MoonViT(
        oracle.MoonViTConfig(
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            abs_pos_embed_grid_size=8,
            layer_norm_eps=1e-5,
        )
    ).eval()
    # Its heads hold first all pairs that turn with the row, then those of the column, each in halves; MoonViT's hold
    # neighbouring pairs, column and row in turn.
    quarter = torch.arange(size // 4) * 4
    order = torch.cat([quarter + 2, quarter + 3, quarter, quarter + 1])
    renames = {"encoder.blocks": "layers", "norm0": "layer_norm1", "norm1": "layer_norm2", "wqkv": "self_attn.qkv"}
    renames |= {"wo": "self_attn.proj", "fc0": "fc1", "fc1": "fc2", "encoder.final_layernorm": "post_layernorm"}
    pattern = re.compile("|".join(map(re.escape, renames)))
    weights = {}
    for name, tensor in public.keys.items():
        if "pos_emb" in name:
            (theirs,) = [own for own in model.state_dict() if own.endswith("pos_embed")]
            tensor = tensor.flatten(0, 1)
        else:
            theirs = pattern.sub(lambda match: renames[match[0]], name)
        if "wqkv" in name:
            query, key, value = (part.unflatten(0, (4, size)) for part in tensor.chunk(3))
            tensor = torch.cat([query[:, order], key[:, order], value]).flatten(0, 1)
        weights[theirs] = tensor
    model.load_state_dict(weights, strict=True)
    images = pictures(GRIDS)
    with torch.no_grad():
        expected = model(images).last_hidden_state[places(GRIDS)]
    torch.testing.assert_close(features(imported(public), images, GRIDS), expected, atol=1e-4, rtol=1e-4)


def test_images_in_one_packed_row_have_the_features_they_have_alone():
    encoder, images = imported(published()), pictures(GRIDS)
    together = features(encoder, images, GRIDS).split([rows * columns for rows, columns in GRIDS])
    for image, grid, packed in zip(images, GRIDS, together, strict=True):
        torch.testing.assert_close(packed, features(encoder, [image], [grid]), atol=1e-5, rtol=1e-5)


def test_both_kinds_of_positions_matter():
    """Turning an image turns its features unless positions tell rows from columns: neither kind may be dead."""
    public, image = published(), pictures([(4, 4)])[0]
    still = {**public.keys, "patch_embed.pos_emb.weight": torch.zeros(8, 8, 64)}
    plain = imported(Public(PUBLISHED, still))
    assert not torch.allclose(features(imported(public), [image], [(4, 4)]), features(plain, [image], [(4, 4)]))
    # In merge order, patches 0 to 3 are those of the first cell: (0, 0), (0, 1), (1, 0), (1, 1).
    flat = torch.cat([image[:, :14, :14]] * 4, dim=2)
    across = torch.cat([flat, torch.zeros(3, 14, 56)], dim=1)
    found = features(plain, [across], [(2, 4)])
    assert not torch.allclose(found[0], found[1]), "rotary positions tell equal neighbours apart"


def test_the_published_checkpoint_is_read_and_written_as_it_was():
    public = published()
    config = moonvit.read_config(public)
    assert moonvit.matches(public.config, public.keys.keys())
    assert not moonvit.matches(public.config, {f"vision_tower.{name}" for name in public.keys})
    again = {
        name: part
        for entry in moonvit.entries(config, "original")
        for name, part in zip(
            entry.theirs, entry.split(entry.join([public.keys[name] for name in entry.theirs])), strict=True
        )
    }
    assert again.keys() == public.keys.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in public.keys.items())
    documents = moonvit.write_documents(config, Target("original", original={"config.json": PUBLISHED}))
    assert documents["config.json"] == {
        **{key: value for key, value in PUBLISHED.items() if key != "auto_map"},
        "torch_dtype": "float32",
    }


def test_the_defaults_are_those_of_the_preset():
    public = published()
    many = {str(number): tensor for number, tensor in enumerate([*public.keys.values()] * 10)}
    assert moonvit.read_config(Public({"model_type": "moonvit"}, many)) == PRESETS["kimi-vl-a3b"].vision


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"init_pos_emb_width": 9}, "init_pos_emb_width must be init_pos_emb_height (8), the table is square"),
        ({"merge_kernel_size": [2, 3]}, "merge_kernel_size must be [side, side], found [2, 3]"),
        ({"merge_kernel_size": [2]}, "merge_kernel_size must be [side, side], found [2]"),
        ({"merge_kernel_size": "22"}, "merge_kernel_size must be [side, side], found '22'"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, but the checkpoint has 29 tensors"),
        ({"hidden_size": 3.5}, "hidden_size must be a whole number, found 3.5"),
        ({"hidden_size": True}, "hidden_size must be a whole number, found True"),
        ({"num_attention_heads": 7}, "width 64 over 7 heads"),
    ],
    ids=str,
)
def test_what_is_not_supported_is_refused_by_its_key(change, message):
    with pytest.raises(DataError, match=re.escape(message)) as error:
        moonvit.read_config(Public({**PUBLISHED, **change}, published().keys))
    assert "\n" not in str(error.value)


def test_only_what_is_a_moonvit_is_written_as_one():
    config = moonvit.read_config(published())
    assert moonvit.exports(config)
    assert moonvit.exports(PRESETS["kimi-vl-tiny"].vision)
    changes: list[dict[str, Any]] = [{"norm_eps": 1e-6}, {"rope": "halves"}, {"position_table": 0}, {"bias": False}]
    assert not any(moonvit.exports(config.model_copy(update=change)) for change in changes)
    assert not moonvit.exports(PRESETS["seed1.5-vl"].vision)
    assert not moonvit.exports(PRESETS["kimi-vl-tiny"])


@pytest.mark.slow
def test_full_size_features_are_those_of_transformers():
    """MoonViT-SO-400M's geometry, 417 million random weights: about a minute and 4 GB."""
    config = {**PUBLISHED, "init_pos_emb_height": 64, "init_pos_emb_width": 64, "num_attention_heads": 16}
    config |= {"num_hidden_layers": 27, "hidden_size": 1152, "intermediate_size": 4304}
    public = published(config)
    encoder = imported(public)
    assert isinstance(encoder.config, VisionConfig)
    assert sum(weight.numel() for weight in encoder.parameters()) == 416_866_032
    grids = [(8, 12), (6, 4)]
    images = pictures(grids)
    expected = k25_features(kimi_k25(public), images, grids)
    torch.testing.assert_close(features(encoder, images, grids), expected, atol=1e-4, rtol=1e-4)


def test_an_encoder_alone_is_imported_and_exported_but_is_no_whole_model(tmp_path):
    public = published()
    (tmp_path / "public").mkdir()
    save_file(dict(public.keys), tmp_path / "public" / "model.safetensors", {"format": "pt"})
    (tmp_path / "public" / "config.json").write_text(json.dumps(PUBLISHED))
    checkpoint = import_checkpoint(str(tmp_path / "public"), tmp_path / "ours")
    assert read_config(checkpoint) == moonvit.read_config(public)
    with pytest.raises(DataError, match="vergence build"):
        load_model(checkpoint)
    export_checkpoint(tmp_path / "ours", tmp_path / "again")
    again = load_file(tmp_path / "again" / "model.safetensors")
    assert again.keys() == public.keys.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in public.keys.items())
