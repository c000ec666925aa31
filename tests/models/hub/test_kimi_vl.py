"""Kimi-VL in and out: end to end the scores and experts of transformers, names, processing and refusals."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from vergence.errors import DataError
from vergence.inputs import ModelInputs, pack
from vergence.model_config import ModelConfig, VideoConfig
from vergence.models.checkpoint import load_model, open_checkpoint
from vergence.models.hub import kimi_vl
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.hub.public import Target
from vergence.models.vlm import VLM, patch_coordinates
from vergence.presets import PRESETS
from vergence.processing.tokenizer import train_tokenizer

IMAGE = 399  # the id of the image token in these tests
GRIDS = [(4, 6), (8, 8), (2, 2)]


def tiny() -> ModelConfig:
    """The tiny preset with what a checkpoint of the family names: its own tokenizer, template and image token."""
    preset = PRESETS["kimi-vl-tiny"]
    processing = preset.processing.model_copy(
        update={
            "tokenizer": "tokenizer.json",
            "template": "kimi",
            "image_token": "<|media_pad|>",
            "video": VideoConfig(rule="uniform", timestamps=False),
        }
    )
    return preset.model_copy(update={"preset": "custom", "processing": processing})


@dataclass
class Public:
    """A public checkpoint in memory."""

    config: Mapping[str, Any]
    keys: Mapping[str, Tensor]
    documents: Mapping[str, Any] = field(default_factory=dict)
    chat_template: str | None = None

    def tensor(self, name: str) -> Tensor:
        return self.keys[name]

    def document(self, name: str) -> dict[str, Any]:
        return dict(self.documents.get(name, {}))


def make_model(config: ModelConfig) -> VLM:
    """A model whose every tensor, norms, tables and routing biases too, is random."""
    model = VLM(config).eval()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, weight in model.state_dict().items():
            weight.normal_(std=0.15, generator=generator)
            if "norm" in name and name.endswith("weight"):
                weight.add_(1.0)
    return model


def exported(model: VLM) -> Public:
    """The model as a public checkpoint."""
    state = model.state_dict()
    tensors = {
        name: part.contiguous()
        for entry in kimi_vl.entries(model.config, "original")
        for name, part in zip(entry.theirs, entry.split(state[entry.ours]), strict=True)
    }
    target = Target("original", token_id=lambda token: IMAGE if token == "<|media_pad|>" else None)
    documents = kimi_vl.write_documents(model.config, target)
    return Public(documents["config.json"], tensors, documents)


def imported(public: Public) -> VLM:
    model = VLM(kimi_vl.read_config(public)).eval()
    weights = {
        entry.ours: entry.join([public.keys[name] for name in entry.theirs])
        for entry in kimi_vl.entries(model.config, "original")
    }
    model.load_state_dict(weights, assign=True)
    return model


def make_sample() -> ModelInputs:
    """Three images of different sizes in a text."""
    generator = torch.Generator().manual_seed(2)
    ids = [torch.randint(0, IMAGE, (7,), generator=generator)]
    for rows, columns in GRIDS:
        ids += [torch.full((rows * columns // 4,), IMAGE), torch.randint(0, IMAGE, (5,), generator=generator)]
    row = torch.cat(ids)
    return ModelInputs(
        input_ids=row,
        labels=row,
        patches=torch.randint(0, 256, (sum(r * c for r, c in GRIDS), 588), generator=generator, dtype=torch.uint8),
        grids=torch.tensor(GRIDS),
        visual_positions=(row == IMAGE).nonzero().squeeze(1),
    )


def raster_pixels(sample: ModelInputs) -> Tensor:
    """Normalised pixels `[P, 3, 14, 14]`, each image's patches row by row, as Kimi-VL's image processor gives them."""
    counts = sample.grids.prod(dim=1).tolist()
    pixels = (sample.patches.float() / 255 - 0.5) / 0.5
    parts = []
    coordinates = patch_coordinates(sample.grids, 2).split(counts)
    for own, grid, image in zip(coordinates, sample.grids, pixels.split(counts), strict=True):
        raster = torch.empty_like(image)
        raster[own[:, 0] * grid[1] + own[:, 1]] = image
        parts.append(raster)
    return torch.cat(parts).unflatten(1, (14, 14, 3)).permute(0, 3, 1, 2)


def load_oracle(public: Public, folder: Path) -> Any:
    """The same checkpoint in transformers' Kimi_K25, which reads Kimi-VL's names but those of the projector."""
    import transformers

    renames = {"pre_norm": "pre_norm", "linear_1": "proj.0", "linear_2": "proj.2"}
    tensors = {
        re.sub(r"multi_modal_projector\.(\w+)", lambda match: f"mm_projector.{renames[match[1]]}", name): tensor
        for name, tensor in public.keys.items()
    }
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    text, vision = dict(public.config["text_config"]), dict(public.config["vision_config"])
    side = vision.pop("init_pos_emb_height")
    assert side == vision.pop("init_pos_emb_width")
    del vision["model_type"]
    transformers.Kimi_K25Config(
        text_config=text,
        vision_config={**vision, "pos_emb_height": side, "pos_emb_width": side},
        projection_hidden_size=vision["hidden_size"],
        image_token_id=IMAGE,
        video_token_id=10**6,
        tie_word_embeddings=False,
    ).save_pretrained(folder)
    model, info = transformers.Kimi_K25ForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    assert not info["mismatched_keys"]
    return model.eval()


def test_end_to_end_scores_and_chosen_experts_are_those_of_transformers(tmp_path):
    public = exported(make_model(tiny()))
    oracle, sample = load_oracle(public, tmp_path), make_sample()
    theirs: list[Tensor] = []
    for layer in oracle.model.language_model.layers[1:]:
        layer.mlp.gate.register_forward_hook(lambda module, inputs, outputs: theirs.append(outputs[2]))
    with torch.no_grad():
        expected = oracle(
            input_ids=sample.input_ids[None],
            pixel_values=raster_pixels(sample),
            image_grid_thw=torch.tensor([(1, *grid) for grid in GRIDS]),
        ).logits[0]
    model = imported(public)
    chosen: list[Tensor] = []
    for mixture in model.language.mixtures:
        mixture.register_forward_pre_hook(lambda module, inputs: chosen.append(module.route(inputs[0])[1]))
    with torch.no_grad():
        # Beside a second sample in the packed row: nothing of it may show.
        hidden = model(pack([sample, sample]))
        found = model.language.logits(hidden[: len(sample)])
        blank = pack(
            [
                ModelInputs(
                    sample.input_ids, sample.labels, 255 - sample.patches, *(sample.grids,), sample.visual_positions
                )
            ]
        )
        other = model.language.logits(model(blank))
    assert expected.std() > 0.1, "an oracle that says nothing proves nothing"
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (other - expected).abs().max() > 0.05, "the images matter"
    assert len(theirs) == 2
    for own, reference in zip(chosen, theirs, strict=False):
        assert torch.equal(own[: len(sample)].sort(dim=1).values, reference.sort(dim=1).values)
        assert reference.unique().numel() > 3, "the routers choose among the experts"


def test_what_is_written_is_read_again_to_the_bit():
    model = make_model(tiny())
    again = imported(exported(model))
    assert again.config == model.config
    expected, found = model.state_dict(), again.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())
    once, twice = exported(model), exported(again)
    assert once.config == twice.config
    assert all(torch.equal(twice.keys[name], tensor) for name, tensor in once.keys.items())


def test_the_names_are_those_of_the_release():
    names = exported(make_model(tiny())).keys.keys()
    assert kimi_vl.matches({"text_config": {}}, names)
    expected = {
        "vision_tower.patch_embed.proj.bias",
        "vision_tower.patch_embed.pos_emb.weight",
        "vision_tower.encoder.blocks.1.wqkv.bias",
        "vision_tower.encoder.final_layernorm.weight",
        "multi_modal_projector.pre_norm.bias",
        "multi_modal_projector.linear_2.weight",
        "language_model.model.layers.0.mlp.gate_proj.weight",
        "language_model.model.layers.1.mlp.gate.e_score_correction_bias",
        "language_model.model.layers.2.mlp.experts.7.up_proj.weight",
        "language_model.model.layers.2.mlp.shared_experts.down_proj.weight",
        "language_model.model.layers.2.self_attn.kv_a_proj_with_mqa.weight",
        "language_model.lm_head.weight",
    }
    assert expected <= names
    # 2 blocks of 12, 5 around them; 6; embedding, norm, head, 3 layers of 7, a dense MLP, 2 mixtures with 8 experts.
    assert len(names) == 2 * 12 + 5 + 6 + 3 + 3 * 7 + 3 + 2 * (2 + 8 * 3 + 3)


def test_the_release_is_the_preset():
    """config.json and preprocessor_config.json with the published values give the preset to the last key."""
    preset = PRESETS["kimi-vl-a3b"]
    documents = kimi_vl.write_documents(preset, Target("original", torch.bfloat16))
    config = documents["config.json"]
    assert (config["media_placeholder_token_id"], config["torch_dtype"]) == (163_605, "bfloat16")
    names = {name for entry in kimi_vl.entries(preset, "original") for name in entry.theirs}
    public = Public(config, dict.fromkeys(names, torch.empty(0)), documents)
    expected = preset.processing.model_copy(update={"tokenizer": "tokenizer.json"})
    read = kimi_vl.read_config(public)
    assert read.model_copy(update={"preset": "", "processing": expected}) == preset.model_copy(
        update={"preset": "", "processing": expected}
    )
    assert read.processing == expected


def test_processing_follows_the_preprocessor_config():
    public = exported(make_model(tiny()))
    preprocessor = {"in_token_limit": 16_384, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]}
    tokens = {"added_tokens_decoder": {str(IMAGE): {"content": "<|picture|>"}}}
    documents = {"preprocessor_config.json": preprocessor, "tokenizer_config.json": tokens}
    found = kimi_vl.read_config(
        Public(public.config, public.keys, documents, chat_template="{{ messages }}")
    ).processing
    assert (found.max_patches, found.mean, found.std) == (16_384, (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    assert (found.rule, found.image_token, found.template) == ("limit", "<|picture|>", "chat_template.jinja")
    plain = kimi_vl.read_config(Public(public.config, public.keys)).processing
    assert (plain.max_patches, plain.mean, plain.std) == (4096, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    assert (plain.image_token, plain.template) == ("<|media_pad|>", "kimi")


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("preprocessor_config.json", {"pad_input": False}, "pad_input False is not supported (True is)"),
        ("preprocessor_config.json", {"patch_size": 16}, "patch_size must be 14"),
        ("preprocessor_config.json", {"merge_kernel_size": [4, 4]}, "merge_kernel_size must be that of config.json"),
        ("preprocessor_config.json", {"image_mean": 0.5}, "image_mean must be three numbers, found 0.5"),
        ("preprocessor_config.json", {"in_token_limit": 0}, "max_patches"),
        (
            "config.json",
            {"text_config": {}},
            "text_config: n_group 8 (which is what its absence means) is not supported",
        ),
        ("config.json", {"text_config": 3}, "text_config must be a mapping, found 3"),
        (
            "config.json",
            {"text_config": {"q_lora_rank": 8}},
            "config.json: text_config: q_lora_rank 8 is not supported",
        ),
    ],
    ids=str,
)
def test_what_is_not_supported_is_refused_by_its_key(name, change, message):
    public = exported(make_model(tiny()))
    config = {**public.config, **(change if name == "config.json" else {})}
    documents = {name: change} if name != "config.json" else {}
    with pytest.raises(DataError, match=re.escape(message)) as error:
        kimi_vl.read_config(Public(config, public.keys, documents))
    assert "\n" not in str(error.value)
    assert str(error.value).startswith(name)


def test_other_keys_of_the_original_are_kept_but_not_its_code():
    original = {
        "config.json": {
            "auto_map": {"AutoModel": "modeling_kimi_vl.X"},
            "pad_token_id": 163_839,
            "text_config": {"bos_token_id": 163_584, "rope_theta": 1.0, "auto_map": {}},
            "vision_config": {"in_token_limit": 3, "auto_map": {}},
        },
        "preprocessor_config.json": {"num_pooled_tokens": 1024, "auto_map": {}},
    }
    written = kimi_vl.write_documents(tiny(), Target("original", original=original))
    config = written["config.json"]
    assert (config["pad_token_id"], config["text_config"]["bos_token_id"]) == (163_839, 163_584)
    assert (config["vision_config"]["in_token_limit"], config["text_config"]["rope_theta"]) == (3, 10_000.0)
    assert written["preprocessor_config.json"]["num_pooled_tokens"] == 1024
    assert "auto_map" not in json.dumps(written)


def test_only_what_is_a_kimi_vl_is_written_as_one():
    assert kimi_vl.exports(tiny())
    assert kimi_vl.exports(PRESETS["kimi-vl-a3b"])
    others = [preset for name, preset in PRESETS.items() if not name.startswith("kimi")]
    assert not any(kimi_vl.exports(preset) for preset in others)
    projector = tiny().projector.model_copy(update={"hidden": 64})
    assert not kimi_vl.exports(tiny().model_copy(update={"projector": projector}))
    assert not kimi_vl.exports(tiny().vision)


def test_layers_that_predict_ahead_are_left_out():
    patterns = kimi_vl.ignored({"text_config": {"num_hidden_layers": 3, "num_nextn_predict_layers": 1}})
    assert any(re.fullmatch(pattern, "language_model.model.layers.3.eh_proj.weight") for pattern in patterns)


def write_folder(public: Public, folder: Path) -> Path:
    """The checkpoint on disk, with a tokenizer that has the image's token at its place."""
    folder.mkdir()
    save_file(dict(public.keys), folder / "model.safetensors", {"format": "pt"})
    for name, document in public.documents.items():
        (folder / name).write_text(json.dumps(document))
    tokenizer = train_tokenizer(["a wall"], vocab_size=260, special_tokens=["<|im_end|>", "<|media_pad|>"])
    (folder / "tokenizer.json").write_text(tokenizer.backend.to_str())
    return folder


def test_import_and_export_on_disk_are_inverse(tmp_path):
    model = make_model(tiny())
    folder = write_folder(exported(model), tmp_path / "public")
    (folder / "modeling_kimi_vl.py").write_text("raise SystemExit('this code must not run')")
    import_checkpoint(str(folder), tmp_path / "ours")
    again, config = load_model(open_checkpoint(tmp_path / "ours"))
    assert config == model.config
    assert all(torch.equal(again.state_dict()[name], weight) for name, weight in model.state_dict().items())
    export_checkpoint(tmp_path / "ours", tmp_path / "again")
    first, second = (load_file(path / "model.safetensors") for path in (folder, tmp_path / "again"))
    assert first.keys() == second.keys()
    assert all(torch.equal(second[name], tensor) for name, tensor in first.items())
    document = json.loads((tmp_path / "again" / "config.json").read_text())
    assert document["media_placeholder_token_id"] == 1, "the id in the tokenizer that goes with it"
    assert not list((tmp_path / "again").glob("*.py"))


def test_balancing_biases_stay_in_single_precision_where_weights_are_halved(tmp_path):
    folder = write_folder(exported(make_model(tiny())), tmp_path / "public")
    import_checkpoint(str(folder), tmp_path / "ours", dtype="bfloat16")
    types = {name: tensor.dtype for name, tensor in open_checkpoint(tmp_path / "ours").tensors("model").items()}
    wide = {name for name, dtype in types.items() if dtype == torch.float32}
    assert wide == {"language.layers.1.mlp.bias", "language.layers.2.mlp.bias"}


def test_every_missing_and_unexpected_tensor_is_named(tmp_path):
    public = exported(make_model(tiny()))
    keys = dict(public.keys)
    gone = ["language_model.model.layers.1.mlp.experts.3.up_proj.weight", "vision_tower.encoder.blocks.1.wo.bias"]
    for name in gone:
        del keys[name]
    keys["vision_tower.encoder.blocks.2.wo.bias"] = torch.zeros(64)
    keys["language_model.model.layers.3.eh_proj.weight"] = torch.zeros(2)
    folder = write_folder(Public(public.config, keys, public.documents), tmp_path / "public")
    with pytest.raises(DataError) as error:
        import_checkpoint(str(folder), tmp_path / "ours")
    assert f"2 missing: {', '.join(gone)}" in str(error.value)
    assert "2 not expected: language_model.model.layers.3.eh_proj.weight, vision_tower.encoder.blocks.2.wo.bias" in str(
        error.value
    )
    assert not (tmp_path / "ours").exists()
