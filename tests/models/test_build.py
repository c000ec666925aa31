"""Building a new model from parts: which weights go where, new tokens, one type, and everything that doesn't fit."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from vergence.cli import main
from vergence.conversation import Conversation, user
from vergence.errors import DataError, UsageError, VergenceError
from vergence.inference.engine import Engine, Request, Sampling
from vergence.inputs import Segments
from vergence.model_config import ModelConfig, ProcessingConfig
from vergence.models.build import Built, build_checkpoint, choose_config
from vergence.models.checkpoint import load_model, open_checkpoint, save_model
from vergence.models.vision.vit import VisionTransformer
from vergence.models.vlm import VLM, patch_coordinates
from vergence.presets import PRESETS
from vergence.processing.special_tokens import template_tokens
from vergence.processing.tokenizer import Tokenizer, train_tokenizer

KNOWN = 272  # ids of the language models' tokenizer
SIGLIP = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4, "patch_size": 14, "image_size": 70}


def randomise(module: torch.nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in module.state_dict().items():
            weight.copy_(0.1 * torch.randn(weight.shape, generator=generator))
            if "norm" in name and name.endswith("weight"):
                weight.add_(1.0)


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return train_tokenizer(
        ["What is shown?", "a wall"], vocab_size=KNOWN, special_tokens=["<|im_start|>", "<|im_end|>"]
    )


@pytest.fixture(scope="module")
def languages(tokenizer, tmp_path_factory) -> dict[str, Path]:
    """Language models alone, as checkpoints of ours: dense, tied, and a mixture in bfloat16 with an own template."""
    folder, found = tmp_path_factory.mktemp("languages"), {}
    sizes: dict[str, tuple[str, dict[str, Any]]] = {
        "untied": ("llava-onevision-tiny", {"vocab_size": KNOWN + 10, "tied": False}),
        "tied": ("llava-onevision-tiny", {"vocab_size": KNOWN, "tied": True}),
        "mixture": ("kimi-vl-tiny", {"vocab_size": KNOWN}),
    }
    for seed, (name, (preset, changes)) in enumerate(sizes.items()):
        language = PRESETS[preset].language.model_copy(update=changes)
        model = VLM(ModelConfig(language=language, processing=ProcessingConfig(template="chatml")))
        randomise(model, seed)
        if name == "mixture":
            biases = {key: weight for key, weight in model.state_dict().items() if key.endswith("mlp.bias")}
            model = model.to(torch.bfloat16)
            model.load_state_dict(biases, strict=False, assign=True)
        template = "{{ messages }}" if name == "mixture" else None
        save_model(folder / name, model, tokenizer=tokenizer.backend.to_str(), template=template)
        found[name] = folder / name
    return found


@pytest.fixture(scope="module")
def siglip(tmp_path_factory) -> tuple[Path, Any]:
    """A SigLIP of three layers as transformers saves it, and the model itself."""
    import transformers

    model = transformers.SiglipVisionModel(
        transformers.SiglipVisionConfig(**SIGLIP, num_hidden_layers=3, vision_use_head=False)
    ).eval()
    randomise(model, 7)
    folder = tmp_path_factory.mktemp("siglip")
    model.save_pretrained(folder)
    return folder, model


def build(vision: Any, language: Path, destination: Path, **options: Any) -> Built:
    return build_checkpoint(str(vision), str(language), destination, template_tokens=template_tokens, **options)


def weights(built: Built) -> dict[str, Tensor]:
    return open_checkpoint(built.checkpoint.path).tensors("model")


def test_siglip_weights_initialise_moonvit_layer_by_layer(siglip, languages, tmp_path):
    folder, oracle = siglip
    built = build(folder, languages["mixture"], tmp_path / "new", preset="kimi-vl-tiny", overrides=["vision.depth=3"])
    found = weights(built)
    theirs = {re.sub(r"^vision_model\.", "", name): weight for name, weight in oracle.state_dict().items()}
    table = theirs["embeddings.position_embedding.weight"].view(1, 5, 5, 64).permute(0, 3, 1, 2)
    resized = F.interpolate(table, size=(8, 8), mode="bicubic")[0].permute(1, 2, 0)
    torch.testing.assert_close(found["vision.positions"], resized)
    for layer in range(3):
        ours, other = f"vision.blocks.{layer}", f"encoder.layers.{layer}"
        stacked = torch.cat([theirs[f"{other}.self_attn.{letter}_proj.weight"] for letter in "qkv"])
        assert torch.equal(found[f"{ours}.qkv.weight"], stacked)
        assert torch.equal(found[f"{ours}.down.bias"], theirs[f"{other}.mlp.fc2.bias"])
        assert torch.equal(found[f"{ours}.mlp_norm.weight"], theirs[f"{other}.layer_norm2.weight"])
    assert torch.equal(found["vision.norm.weight"], theirs["post_layernorm.weight"])
    vision = built.config.vision
    assert (vision.rope, vision.norm_eps, vision.final_norm, vision.merge_size) == ("interleaved", 1e-5, "applied", 2)
    (said,) = [note for note in built.notes if note.startswith("vision")]
    assert "all 3 layers, positions 5 x 5 resized to 8 x 8, rotary positions interleaved (was none)" in said
    assert "norm epsilon 1e-05 (was 1e-06)" in said


def test_llava_onevision_takes_siglips_layers_but_the_last(siglip, languages, tmp_path):
    folder, oracle = siglip
    built = build(folder, languages["untied"], tmp_path / "new", preset="llava-onevision-tiny")
    assert "layers 1 to 2 of 3" in "\n".join(built.notes)
    model, config = load_model(open_checkpoint(built.checkpoint.path))
    assert (config.vision.depth, config.vision.final_norm, len(model.vision.blocks)) == (2, "kept", 2)
    pixels = torch.randn(1, 3, 70, 70)
    grid = torch.tensor([[5, 5]])
    patches = pixels[0].unfold(1, 14, 14).unfold(2, 14, 14).permute(1, 2, 3, 4, 0).reshape(25, -1)
    with torch.no_grad():
        expected = oracle(pixels, output_hidden_states=True).hidden_states[2][0]
        found = model.vision(patches, patch_coordinates(grid, 1), grid, Segments.from_lengths([25]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["untied", "tied"])
def test_new_tokens_start_as_the_mean_of_those_in_use(languages, tmp_path, name):
    built = build("seed-tiny", languages[name], tmp_path / "new", overrides=["projector.hidden=32"])
    before, after = open_checkpoint(languages[name]).tensors("model"), weights(built)
    tokenizer = Tokenizer.load(str(tmp_path / "new" / "tokenizer.json"))
    tokens = ["<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|image|>", "<|image_start|>"]
    ids = [tokenizer.special(token) for token in [*tokens, "<|image_end|>", "<|row_end|>"]]
    assert sorted(ids) == [*range(KNOWN, KNOWN + 9)]
    # The larger vocabulary has 10 spare rows for 9 tokens, the smaller one grows by 9.
    size = built.config.language.vocab_size
    assert size == {"untied": KNOWN + 10, "tied": KNOWN + 9}[name]
    for weight in ["language.embed.weight", *(["language.head.weight"] if name == "untied" else [])]:
        old, new = before[weight], after[weight]
        assert new.shape == (size, 64)
        assert torch.equal(new[:KNOWN], old[:KNOWN])
        torch.testing.assert_close(new[ids], old[:KNOWN].mean(dim=0).expand(9, -1))
        if name == "untied":
            assert torch.equal(new[-1], old[-1]), "a spare row stays as it was"
    rest = {key for key in before if key.startswith("language.") and "embed" not in key and "head" not in key}
    assert all(torch.equal(after[key], before[key]) for key in rest)
    assert "<|image_end|>" in "\n".join(built.notes)


def test_fresh_parts_depend_on_the_seed_alone(siglip, languages, tmp_path):
    first = weights(build("seed-tiny", languages["tied"], tmp_path / "1", seed=4))
    second = weights(build("seed-tiny", languages["untied"], tmp_path / "2", seed=4))
    third = weights(build("seed-tiny", languages["tied"], tmp_path / "3", seed=5))
    for name in ("vision.blocks.1.qkv.weight", "projector.up.weight", "projector.down.weight"):
        assert torch.equal(first[name], second[name]), name
        assert not torch.equal(first[name], third[name]), name
    width = PRESETS["seed-tiny"].vision.width
    assert first["vision.blocks.0.qkv.weight"].std().item() == pytest.approx(width**-0.5, rel=0.05)
    assert torch.equal(first["projector.up.bias"], torch.zeros_like(first["projector.up.bias"]))


@pytest.mark.parametrize(
    ("preset", "language", "template", "image"),
    [
        ("seed-tiny", "untied", "seed", "<|image|>"),
        ("llava-onevision-tiny", "tied", "chatml", "<image>"),
        ("kimi-vl-tiny", "mixture", "kimi", "<|media_pad|>"),
        ("kimi-vl-tiny", "mixture", "file", "<image>"),
    ],
)
def test_what_is_built_answers_about_a_picture(languages, tmp_path, preset, language, template, image):
    if template == "file":
        shipped = Path(template_tokens.__code__.co_filename).with_name("templates") / "chatml.jinja"
        template = str(tmp_path / "mine.jinja")
        Path(template).write_text(shipped.read_text())
    overrides = [f"processing.template={template}", f"processing.image_token={image}"]
    built = build(preset, languages[language], tmp_path / "new", overrides=overrides)
    assert built.config.preset == preset
    engine = Engine.load(tmp_path / "new")
    picture = Image.new("RGB", (90, 60), (200, 30, 40))
    conversation = Conversation((user(picture, "What?"),))
    (output,) = engine.generate([Request(conversation, Sampling(max_tokens=3))])
    assert 1 <= len(output.token_ids) <= 3
    ids = engine.processor(conversation, generate=True).input_ids.tolist()
    assert engine.processor.tokenizer.special(image) in ids


def test_the_language_models_own_template_is_kept_where_it_is_asked_for(languages, tmp_path):
    overrides = ["processing.template=chat_template.jinja"]
    built = build("kimi-vl-tiny", languages["mixture"], tmp_path / "new", overrides=overrides)
    assert built.checkpoint.file("chat_template.jinja").read_text() == "{{ messages }}"
    assert len(Tokenizer.load(str(tmp_path / "new" / "tokenizer.json")).special_tokens) == 2 + 1, "the image's alone"
    with pytest.raises(UsageError, match=r"has no chat template of its own"):
        build("kimi-vl-tiny", languages["tied"], tmp_path / "other", overrides=overrides)


def test_all_weights_get_the_narrowest_type_that_loses_nothing(siglip, languages, tmp_path):
    def types(**options: Any) -> dict[str, torch.dtype]:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        return {name: x.dtype for name, x in weights(build(siglip[0], languages["mixture"], folder, **options)).items()}

    depth = ["vision.depth=3"]
    assert set(types(preset="kimi-vl-tiny", overrides=depth).values()) == {torch.float32}
    narrow = types(preset="kimi-vl-tiny", overrides=depth, dtype="bfloat16")
    assert {name for name, dtype in narrow.items() if dtype != torch.bfloat16} == {
        f"language.layers.{layer}.mlp.bias" for layer in (1, 2)
    }
    fresh = build("kimi-vl-tiny", languages["mixture"], tmp_path / "fresh")
    assert weights(fresh)["vision.embed.weight"].dtype == torch.bfloat16, "random weights follow the language model"


def test_a_whole_model_gives_its_encoder_or_its_language_model(languages, tmp_path):
    first = build("kimi-vl-tiny", languages["mixture"], tmp_path / "first")
    second = build(tmp_path / "first", languages["tied"], tmp_path / "second")
    third = build("seed-tiny", tmp_path / "second", tmp_path / "third")
    one, two, three = weights(first), weights(second), weights(third)
    assert second.config.vision == first.config.vision
    assert second.config.processing.rule == "limit", "the preset with an encoder of that kind"
    assert all(torch.equal(two[name], x.float()) for name, x in one.items() if name.startswith("vision."))
    assert torch.equal(three["language.layers.1.attention.out.weight"], two["language.layers.1.attention.out.weight"])
    origin = json.loads((tmp_path / "second" / "source.json").read_text())
    assert origin["vision"]["location"] == str(tmp_path / "first")
    assert origin["seed"] == 0


def test_a_public_moonvit_and_a_public_language_model(tokenizer, tmp_path):
    """Both parts in public form; the tokenizer is made where the folder has none."""
    import transformers

    from vergence.models.hub import moonvit
    from vergence.models.hub.public import Target

    config = PRESETS["kimi-vl-tiny"].vision
    encoder = VisionTransformer(config)
    randomise(encoder, 3)
    ours = {f"vision.{name}": weight for name, weight in encoder.state_dict().items()}
    tensors = {
        name: part.contiguous()
        for entry in moonvit.entries(config, "original")
        for name, part in zip(entry.theirs, entry.split(ours[entry.ours]), strict=True)
    }
    (tmp_path / "vit").mkdir()
    save_file(tensors, tmp_path / "vit" / "model.safetensors", {"format": "pt"})
    document = moonvit.write_documents(config, Target("original"))["config.json"]
    (tmp_path / "vit" / "config.json").write_text(json.dumps(document))
    language = transformers.Qwen2ForCausalLM(
        transformers.Qwen2Config(
            vocab_size=KNOWN,
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=1,
            num_attention_heads=2,
            num_key_value_heads=1,
            tie_word_embeddings=True,
        )
    )
    language.save_pretrained(tmp_path / "qwen")
    with pytest.raises(DataError, match=r"qwen: has no tokenizer.json"):
        build(tmp_path / "vit", tmp_path / "qwen", tmp_path / "new")
    built = build(
        tmp_path / "vit", tmp_path / "qwen", tmp_path / "new", make_tokenizer=lambda source: tokenizer.backend.to_str()
    )
    assert built.config.preset == "kimi-vl-a3b"
    assert built.config.vision == config
    assert (built.config.projector.hidden, built.config.language.width) == (4 * 64, 32)
    found = weights(built)
    assert all(torch.equal(found[name], weight) for name, weight in ours.items())


def test_without_a_preset_the_encoders_kind_decides(siglip, languages, tmp_path):
    built = build(siglip[0], languages["untied"], tmp_path / "new")
    config = built.config
    assert (config.preset, config.processing.rule, config.processing.anyres.view) == (
        "llava-onevision-0.5b",
        "anyres",
        70,
    )
    assert (config.vision.depth, config.vision.final_norm) == (3, "applied"), "taken as it is"
    assert config.projector.hidden == config.language.width == 64
    load_model(open_checkpoint(tmp_path / "new"))


def test_the_projectors_width_follows_the_parts():
    language = PRESETS["llava-onevision-tiny"].language
    kimi = PRESETS["kimi-vl-tiny"]
    assert choose_config(None, "kimi-vl-tiny", language).projector.hidden == 256
    assert choose_config(None, "kimi-vl-tiny", language, ["vision.merge_size=1"]).projector.hidden == 64
    assert choose_config(None, "kimi-vl-tiny", language, ["projector.pooling=average"]).projector.hidden == 64
    assert choose_config(None, "kimi-vl-tiny", language, ["projector.hidden=24"]).projector.hidden == 24
    assert choose_config(None, "seed-tiny", PRESETS["seed-tiny"].language).projector.hidden == 256
    assert choose_config(None, "seed-tiny", language).projector.hidden == 64
    assert choose_config(kimi.vision, None, language).vision == kimi.vision


def problem(tmp_path: Path, error: type[VergenceError], *arguments: Any, **options: Any) -> str:
    """The one line of an error; nothing is written."""
    with pytest.raises(error) as caught:
        build(*arguments, tmp_path / "new", **options)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == []
    return str(caught.value)


def test_parts_that_do_not_fit_are_refused_with_all_reasons(siglip, languages, tmp_path):
    folder, language = siglip[0], languages["tied"]
    found = problem(tmp_path, UsageError, folder, language, preset="seed1.5-vl")
    assert f"{folder}: the encoder doesn't fit: width is 64, wanted 1280; heads is 4, wanted 20" in found
    assert "bias is True, wanted False; depth is 3, wanted 27 (vision.*)" in found
    found = problem(tmp_path, UsageError, folder, language, preset="kimi-vl-tiny", overrides=["vision.depth=4"])
    assert "depth is 3, wanted 4" in found
    assert "has no vision encoder" in problem(tmp_path, UsageError, languages["untied"], language)
    assert "has no language model" in problem(tmp_path, UsageError, "seed-tiny", folder)
    assert "did you mean kimi-vl-tiny" in problem(tmp_path, UsageError, folder, language, preset="kimi-vl-tin")
    assert "is itself a preset" in problem(tmp_path, UsageError, "seed-tiny", language, preset="kimi-vl-tiny")
    for override in ("language.tied=true", "preset=x", "language = 3"):
        found = problem(tmp_path, UsageError, "seed-tiny", language, overrides=[override])
        assert "the language model is taken as it is" in found
    assert "projector.hiden" in problem(tmp_path, UsageError, "seed-tiny", language, overrides=["projector.hiden=3"])
    assert "no chat template 'x'" in problem(
        tmp_path, UsageError, "seed-tiny", language, overrides=["processing.template=x"]
    )
    assert "x.jinja: can't be read" in problem(
        tmp_path, UsageError, "seed-tiny", language, overrides=["processing.template=x.jinja"]
    )
    assert "dtype 'int8' is not one of" in problem(tmp_path, UsageError, "seed-tiny", language, dtype="int8")
    assert "no such folder, and not a hub id" in problem(tmp_path, DataError, "/nowhere", language)


def test_a_destination_that_exists_is_left_alone(languages, tmp_path):
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists already"):
        build("seed-tiny", languages["tied"], tmp_path / "new")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["mine.txt"]


def test_the_command_says_what_was_chosen(siglip, languages, tmp_path, capsys):
    words = [
        "build",
        "--vision",
        str(siglip[0]),
        "--language",
        str(languages["tied"]),
        "--output",
        str(tmp_path / "new"),
    ]
    assert main([*words, "--preset", "llava-onevision-tiny", "--seed", "3", "processing.anyres.max_views=2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["preset", "vision", "projector", "language", "weights", "a"]
    assert "tokens added" in lines[3]
    model, config = load_model(open_checkpoint(tmp_path / "new"))
    assert config.processing.anyres.max_views == 2
    assert model.projector.newline.std() > 0
    assert main([*words]) == 2
    assert "exists already" in capsys.readouterr().err
