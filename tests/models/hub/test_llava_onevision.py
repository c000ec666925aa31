"""LLaVA-OneVision: equal to transformers on text, images and video, in every layout, in and out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from PIL import Image
from public_models import SPECIAL, edit, imported, logits, randomise, round_trip, sample, save, tokenizer
from safetensors.torch import load_file, save_file
from torch import Tensor

from vergence.conversation import Conversation, user
from vergence.errors import DataError, UsageError
from vergence.inference.engine import Engine, Request
from vergence.inputs import Layout, ModelInputs, pack
from vergence.model_config import ModelConfig
from vergence.models.checkpoint import open_checkpoint, save_model
from vergence.models.hub import llava_onevision
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.hub.llava_documents import read_grid, read_max_views
from vergence.models.hub.public import Keys
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer

torch.set_num_threads(1)

VIEW = 73  # five patches of 14 pixels and a remainder that the encoder drops
PINPOINTS = [[VIEW * i, VIEW * j] for i in range(1, 4) for j in range(1, 4)]
IMAGE, VIDEO = SPECIAL.index("<image>"), SPECIAL.index("<video>")
TEMPLATE = """{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
{% if part.type == 'image' %}<image>
{% elif part.type == 'video' %}<video>
{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def build(*, tied: bool = True, max_views: int = 4, seed: int = 0):
    vision = transformers.SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=VIEW,
        patch_size=14,
        vision_use_head=False,
    )
    text = transformers.Qwen2Config(
        vocab_size=320,
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=tied,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        max_position_embeddings=2048,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE,
        video_token_index=VIDEO,
        image_grid_pinpoints=PINPOINTS,
        vision_aspect_ratio=f"anyres_max_{max_views}",
    )
    return randomise(transformers.LlavaOnevisionForConditionalGeneration(config), seed)


def publish(model, folder: Path) -> Path:
    """A folder as on the hub: weights, configuration, image processor, tokenizer and chat template."""
    save(model, folder)
    document = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": VIEW, "width": VIEW}}
    (folder / "preprocessor_config.json").write_text(json.dumps({**document, "image_grid_pinpoints": PINPOINTS}))
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="module", params=["tied", "untied"])
def theirs(request):
    return build(tied=request.param == "tied")


@pytest.fixture(scope="module")
def published(theirs, tmp_path_factory) -> Path:
    return publish(theirs, tmp_path_factory.mktemp("llava") / "hub")


@pytest.fixture(scope="module")
def ours(published, tmp_path_factory) -> VLM:
    return imported(published, tmp_path_factory.mktemp("llava") / "ours")


def picture(width: int, height: int, seed: int) -> Image.Image:
    small = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


def processor_for(config: ModelConfig) -> Processor:
    """The shipped template in place of the checkpoint's own, whose path isn't known here."""
    processing = config.processing.model_copy(update={"template": "chatml"})
    return Processor(config.model_copy(update={"processing": processing}), tokenizer())


@torch.no_grad()
def expected(theirs: Any, inputs: ModelInputs, images: list[Image.Image]) -> Tensor:
    """transformers' logits, pictures cut by its own image processor."""
    pictures: Mapping[str, Any] = {}
    if images:
        cut = transformers.LlavaOnevisionImageProcessorPil(
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            size={"height": VIEW, "width": VIEW},
            image_grid_pinpoints=PINPOINTS,
        )
        pictures = cut([images], return_tensors="pt")
    return theirs(input_ids=inputs.input_ids[None], **pictures).logits[0]


def close(found: Tensor, wanted: Tensor) -> None:
    assert wanted.abs().max() > 0.5
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "sizes",
    [[], [(60, 60)], [(200, 90)], [(91, 230)], [(40, 300)], [(230, 230)], [(100, 60), (50, 120)], [(80, 80)] * 3],
    ids=str,
)
def test_logits_equal_those_of_transformers(theirs, ours, sizes):
    images = [picture(*size, seed=seed) for seed, size in enumerate(sizes)]
    parts = [part for image in images for part in (image, "and")]
    inputs = processor_for(ours.config)(Conversation((user(*parts, "What is shown?"),)), generate=True)
    assert int((inputs.input_ids == IMAGE).sum()) == inputs.visual_positions.numel()
    close(logits(ours, inputs), expected(theirs, inputs, images))


def test_video_equals_that_of_transformers(theirs, ours):
    frames = torch.from_numpy(np.stack([np.array(picture(VIEW, VIEW, seed)) for seed in range(3)]))
    tokens = 3 * 3 * 3 + 1
    ids = torch.tensor([7, 20, *[VIDEO] * tokens, 30, 31])
    layout = Layout(5, count=3, size=(3, 3), newline="end")
    found = logits(ours, sample(ids, torch.arange(2, 2 + tokens), frames, [layout]))
    pixels = (frames.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    with torch.no_grad():
        wanted = theirs(input_ids=ids[None], pixel_values_videos=pixels[None]).logits[0]
    close(found, wanted)


def test_the_configuration_is_read_whole(ours):
    config, language = ours.config, ours.config.language
    assert (language.rope_theta, language.context, language.qkv_bias) == (1e6, 2048, True)
    assert (config.vision.position_table, config.vision.final_norm, config.vision.merge_size) == (5, "kept", 1)
    rule = config.processing
    assert (rule.rule, rule.anyres.view, rule.anyres.grid, rule.anyres.max_views) == ("anyres", VIEW, 3, 4)
    assert (rule.anyres.rounding, rule.template, rule.image_token) == ("hf", "chat_template.jinja", "<image>")
    assert (rule.video.rule, rule.video.timestamps, rule.video_token) == ("uniform", False, "<video>")


def rewritten(published: Path, folder: Path, layout: str) -> Path:
    """The same checkpoint with the names of another layout, from a table of its own."""
    prefixes = {
        "hf": ("vision_tower.vision_model.", "multi_modal_projector.linear_", "", "language_model.model."),
        "original": ("model.vision_tower.vision_tower.vision_model.", "model.mm_projector.", "model.", "model."),
        "transformers-4.52": (
            "model.vision_tower.vision_model.",
            "model.multi_modal_projector.linear_",
            "model.",
            "model.language_model.",
        ),
        "memory": ("model.vision_tower.", "model.multi_modal_projector.linear_", "model.", "model.language_model."),
    }
    tower, projector, newline, language = prefixes[layout]
    head = "language_model.lm_head.weight" if layout == "hf" else "lm_head.weight"
    weights = {}
    for name, weight in load_file(published / "model.safetensors").items():
        new = name.replace("vision_tower.", tower).replace("language_model.lm_head.weight", head)
        new = new.replace("language_model.model.", language) if ".lm_head" not in name else new
        if name.startswith("multi_modal_projector."):
            new = name.replace("multi_modal_projector.linear_", projector)
            if layout == "original":
                new = new.replace("mm_projector.1", "mm_projector.0")
        weights[newline + name if name == "image_newline" else new] = weight
    folder.mkdir(parents=True)
    for file in published.glob("*.j*"):
        (folder / file.name).write_bytes(file.read_bytes())
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


LAYOUTS = ["hf", "transformers-4.52", "memory"]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(layout, published, ours, tmp_path):
    again = imported(rewritten(published, tmp_path / layout, layout), tmp_path / "ours")
    assert json.loads((tmp_path / "ours" / "source.json").read_text())["layout"] == layout
    assert again.config == ours.config
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name


def original_config(published: Path, **changes: Any) -> dict[str, Any]:
    """A config.json as LLaVA-NeXT writes them, with the geometry of the tiny tower."""
    document = json.loads((published / "config.json").read_text())
    text, rope = document["text_config"], document["text_config"].pop("rope_parameters")
    return {
        **text,
        "model_type": "llava",
        "architectures": ["LlavaQwenForCausalLM"],
        "rope_theta": rope["rope_theta"],
        "image_aspect_ratio": "anyres_max_4",
        "image_grid_pinpoints": "(1x1),...,(3x3)",
        "mm_vision_tower": "custom",
        "mm_projector_type": "mlp2x_gelu",
        "mm_patch_merge_type": "spatial_unpad",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "vision_config": document["vision_config"],
        **changes,
    }


def as_original(published: Path, folder: Path, **changes: Any) -> Path:
    rewritten(published, folder, "original")
    config = {key: value for key, value in original_config(published, **changes).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").unlink()
    (folder / "chat_template.jinja").unlink()
    return folder


def test_the_original_layout_is_read_and_becomes_the_others(published, theirs, ours, tmp_path):
    again = imported(as_original(published, tmp_path / "original"), tmp_path / "ours")
    for name, weight in ours.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name]), name
    assert again.config.processing.anyres.rounding == "original"
    assert again.config.processing.template == "chatml"
    assert again.config.language == ours.config.language
    assert again.config.vision == ours.config.vision
    images = [picture(200, 90, seed=1)]
    inputs = processor_for(ours.config)(Conversation((user(images[0], "What?"),)))
    folder = round_trip(tmp_path / "ours", tmp_path / "out", layout="hf")
    loaded, info = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    assert torch.equal(expected(loaded.eval(), inputs, images), expected(theirs, inputs, images))


def test_the_original_layout_is_written_as_it_was_read(published, tmp_path):
    folder = as_original(published, tmp_path / "original")
    import_checkpoint(str(folder), tmp_path / "ours")
    out = round_trip(tmp_path / "ours", tmp_path / "out")
    before, after = load_file(folder / "model.safetensors"), load_file(out / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    config = json.loads((out / "config.json").read_text())
    assert (config["model_type"], config["mm_vision_tower"]) == ("llava", "custom")
    assert config["image_grid_pinpoints"] == PINPOINTS


@pytest.mark.parametrize("layout", llava_onevision.LAYOUTS)
def test_what_is_exported_loads_in_transformers_with_equal_logits(layout, published, theirs, tmp_path):
    import_checkpoint(str(published), tmp_path / "ours")
    folder = round_trip(tmp_path / "ours", tmp_path / "out", layout=layout)
    if layout == "original":
        assert "model.mm_projector.0.weight" in load_file(folder / "model.safetensors")
        return
    assert (layout == "hf") == (
        "vision_tower.vision_model.post_layernorm.weight" in load_file(folder / "model.safetensors")
    )
    loaded, info = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    images = [picture(91, 230, seed=2)]
    config = ModelConfig.model_validate(open_checkpoint(tmp_path / "ours").json("model"))
    inputs = processor_for(config)(Conversation((user(images[0], "What?"),)))
    assert torch.equal(expected(loaded.eval(), inputs, images), expected(theirs, inputs, images))
    pictures = json.loads((folder / "preprocessor_config.json").read_text())
    assert pictures["image_grid_pinpoints"] == PINPOINTS
    assert (folder / "chat_template.jinja").read_text() == TEMPLATE


def test_a_model_that_was_made_here_is_exported(tmp_path):
    config = PRESETS["llava-onevision-tiny"]
    model = randomise(VLM(config), 5)
    save_model(tmp_path / "made", model, tokenizer=Tokenizer.load("tiny").backend.to_str())
    folder = round_trip(tmp_path / "made", tmp_path / "out")
    loaded, info = transformers.LlavaOnevisionForConditionalGeneration.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    ids = torch.randint(10, 300, (30,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        close(logits(model, sample(ids)), loaded(input_ids=ids[None]).logits[0])


def test_other_models_have_no_public_form(tmp_path):
    save_model(tmp_path / "made", VLM(PRESETS["seed-tiny"]), tokenizer="{}")
    with pytest.raises(UsageError, match="no public format holds a model with these choices"):
        export_checkpoint(tmp_path / "made", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_missing_last_norm_is_filled(published, ours, tmp_path):
    folder = rewritten(published, tmp_path / "hub", "hf")
    weights = load_file(folder / "model.safetensors")
    kept = {name: weight for name, weight in weights.items() if "post_layernorm" not in name}
    assert len(kept) == len(weights) - 2
    save_file(kept, folder / "model.safetensors", {"format": "pt"})
    again = imported(folder, tmp_path / "ours")
    assert torch.equal(again.vision.norm.weight, torch.ones(32))
    assert torch.equal(again.vision.norm.bias, torch.zeros(32))
    assert not torch.equal(ours.vision.norm.bias, torch.zeros(32))


def test_the_engine_answers_with_an_imported_checkpoint(published, tmp_path):
    import_checkpoint(str(published), tmp_path / "ours")
    engine = Engine.load(tmp_path / "ours")
    [output] = engine.generate([Request(Conversation((user(picture(90, 60, 1), "What?"),)))])
    assert output.error is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vision_feature_layer": -2}, "vision_feature_layer -2 is not supported"),
        ({"vision_feature_layer": [-2, -1]}, "vision_feature_layer"),
        ({"vision_feature_select_strategy": "default"}, "vision_feature_select_strategy 'default'"),
        ({"projector_hidden_act": "relu"}, "projector_hidden_act 'relu'"),
        ({"multimodal_projector_bias": False}, "multimodal_projector_bias False"),
        ({"vision_aspect_ratio": "pad"}, "vision_aspect_ratio 'pad' is not supported"),
        ({"image_grid_pinpoints": PINPOINTS[:-1]}, "image_grid_pinpoints must be all sizes"),
        ({"image_grid_pinpoints": [[VIEW, VIEW + 1]]}, "image_grid_pinpoints must be all sizes"),
        ({"image_grid_pinpoints": [[VIEW, VIEW]]}, "image_grid_pinpoints differ"),
        ({"text_config": {"model_type": "llama"}}, "model_type 'llama' is not supported"),
        ({"text_config": "qwen2"}, "text_config must be a mapping"),
    ],
)
def test_what_our_model_does_not_have_is_refused_by_name(changes, message, published, tmp_path):
    folder = rewritten(published, tmp_path / "hub", "hf")
    edit(folder, "config.json", **changes)
    with pytest.raises(DataError, match=message):
        import_checkpoint(str(folder), tmp_path / "ours")
    assert not (tmp_path / "ours").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vision_config": None}, "mm_vision_tower 'custom' is not supported"),
        ({"mm_projector_type": "linear"}, "mm_projector_type 'linear'"),
        ({"mm_patch_merge_type": "flat"}, "mm_patch_merge_type 'flat'"),
        ({"mm_newline_position": "grid"}, "mm_newline_position 'grid'"),
        ({"image_aspect_ratio": "pad"}, "image_aspect_ratio 'pad'"),
        ({"model_type": "mistral"}, "model_type 'mistral'"),
    ],
)
def test_other_models_of_llava_next_are_refused_by_name(changes, message, published, tmp_path):
    folder = as_original(published, tmp_path / "original", **changes)
    with pytest.raises(DataError, match=message):
        import_checkpoint(str(folder), tmp_path / "ours")


@pytest.mark.parametrize(
    ("pinpoints", "grid"),
    [("(1x1),...,(6x6)", 6), ("(1x1)", 1), (None, 6), ([[10, 10], [20, 10], [10, 20], [20, 20]], 2)],
)
def test_grids_are_read_in_both_spellings(pinpoints, grid):
    assert read_grid(Keys({"image_grid_pinpoints": pinpoints}), 10) == grid


@pytest.mark.parametrize("pinpoints", ["(1x1),...,(6x5)", "(2x2),...,(6x6)", "", [], [[10]], [["10", 10]], 7, [[0, 0]]])
def test_other_grids_are_refused(pinpoints):
    with pytest.raises(DataError, match="image_grid_pinpoints must be all sizes from 1x1"):
        read_grid(Keys({"image_grid_pinpoints": pinpoints}), 10)


def test_the_cap_is_read():
    found = [read_max_views(Keys({"x": rule}), "x") for rule in ("anyres_max_9", "anyres_max_12", "anyres")]
    assert found == [9, 12, 0]
    assert read_max_views(Keys({}), "x") == 9


@pytest.mark.slow
def test_the_published_size_equals_transformers(tmp_path):
    """The 0.5B model with random weights, one image: about 8 GB of memory and as much of disk."""
    preset = PRESETS["llava-onevision-0.5b"]
    text = transformers.Qwen2Config(
        vocab_size=preset.language.vocab_size,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=24,
        num_attention_heads=14,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        rope_parameters={"rope_type": "default", "rope_theta": 1e6},
    )
    config = transformers.LlavaOnevisionConfig(text_config=text, image_token_index=IMAGE, video_token_index=VIDEO)
    theirs = randomise(transformers.LlavaOnevisionForConditionalGeneration(config), 0)
    ours = imported(save(theirs, tmp_path / "hub"), tmp_path / "ours")
    assert ours.config.vision == preset.vision
    assert ours.config.projector == preset.projector
    assert ours.config.language == preset.language
    image = picture(200, 150, seed=0)
    inputs = processor_for(ours.config)(Conversation((user(image, "What is shown?"),)), generate=True)
    cut = transformers.LlavaOnevisionImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    with torch.no_grad():
        pictures = cut([[image]], return_tensors="pt")
        wanted = theirs(input_ids=inputs.input_ids[None], **pictures, logits_to_keep=16).logits[0]
        found = ours.language.logits(ours(pack([inputs]))[-16:])
    close(found, wanted)
