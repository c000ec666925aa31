"""Training that starts from a checkpoint: of a public model, of a run, of any folder that says what it holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from vergence.cli import main
from vergence.conversation import Conversation, user
from vergence.data.recipes import load_checked_recipe
from vergence.errors import DataError
from vergence.evaluation.history import read_metrics
from vergence.inference.engine import Engine
from vergence.models.checkpoint import load_model, open_checkpoint, save_model
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.processing.tokenizer import Tokenizer, train_tokenizer
from vergence.training.trainer import Trainer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>")
TEMPLATE = """{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
{% if part.type == 'image' %}<image>
{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""
LANGUAGE = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6},
    "eos_token_id": 2,
}
DIALOGUES = [{"source": "shapes", "turns": 1}, {"source": "chart", "turns": 1}]
TEXTS = [{"source": "shapes", "style": "text", "turns": 1}]


def make_recipe(folder: Path, start: Path, overrides: Sequence[str] = (), **changes: Any):
    """Two steps on answers from `start`, and the least evaluation there is."""
    one = {"name": "tune", "objective": "answers", "tokens": 1600, "row_tokens": 800, "mixture": DIALOGUES}
    plain = {
        "name": "tuned",
        "threads": 1,
        "start": str(start),
        "stages": [{**one, "optimizer": {"lr": 1e-3}, **changes}],
        "evaluation": {"tasks": ["colour"], "samples": 1, "loss_rows": 0},
        "loader": {"lanes": 1, "open_rows": 2},
    }
    path = folder / "tuned.yaml"
    path.write_text(json.dumps(plain), encoding="utf-8")
    return load_checked_recipe(path, overrides)


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return open_checkpoint(checkpoint).tensors("model")


def save_public(model: Any, folder: Path) -> Path:
    """What transformers writes, with a tokenizer and a chat template of the model's own."""
    model.save_pretrained(folder)
    words = train_tokenizer(["What is the colour of the circle?"], vocab_size=290, special_tokens=SPECIAL)
    (folder / "tokenizer.json").write_text(words.backend.to_str(), encoding="utf-8")
    (folder / "chat_template.jinja").write_text(TEMPLATE, encoding="utf-8")
    return folder


def make_qwen2() -> Any:
    import transformers

    torch.manual_seed(0)
    return transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**LANGUAGE, tie_word_embeddings=True)).eval()


def make_llava() -> Any:
    import transformers

    torch.manual_seed(0)
    vision = transformers.SiglipVisionConfig(
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=73,
        patch_size=14,
        vision_use_head=False,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=transformers.Qwen2Config(**LANGUAGE),
        image_token_index=SPECIAL.index("<image>"),
        video_token_index=SPECIAL.index("<video>"),
        image_grid_pinpoints=[[73 * i, 73 * j] for i in (1, 2) for j in (1, 2)],
        vision_aspect_ratio="anyres_max_4",
    )
    return transformers.LlavaOnevisionForConditionalGeneration(config).eval()


@pytest.mark.parametrize("family", ["qwen2", "llava-onevision"])
def test_a_public_model_is_tuned_and_published_again(tmp_path, family, capsys):
    import transformers

    text_only = family == "qwen2"
    make, kind = (
        (make_qwen2, transformers.Qwen2ForCausalLM)
        if text_only
        else (make_llava, transformers.LlavaOnevisionForConditionalGeneration)
    )
    public = save_public(make(), tmp_path / "public")
    imported, run, exported = tmp_path / "imported", tmp_path / "run", tmp_path / "exported"
    import_checkpoint(str(public), imported)
    recipe = make_recipe(tmp_path, imported, mixture=TEXTS if text_only else DIALOGUES)
    Trainer(recipe, run).run()
    said = capsys.readouterr().err
    assert f"starting from {imported}" in said
    assert ("no evaluation after stage tune: the model reads text only" in said) == text_only
    Trainer(recipe, run)
    assert "this run is finished" in capsys.readouterr().err

    steps = [record for record in read_metrics(run / "metrics.jsonl") if record["kind"] == "train"]
    assert len(steps) == 2
    before, after = weights(imported), weights(run / "final")
    assert before.keys() == after.keys()
    assert all(weight.dtype == torch.float32 for weight in after.values())
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == ({"language"} if text_only else {"vision", "projector", "language"})
    near = max(float((after[name] - before[name]).abs().max()) for name in before)
    assert near < 0.01, "two small steps from the start's weights"

    for name in ("tokenizer.json", "chat_template.jinja", "source.json"):
        for folder in ("final", "checkpoints/00000002-tune"):
            assert (run / folder / name).read_bytes() == (imported / name).read_bytes()
    processing = json.loads((run / "final" / "model.json").read_text())["processing"]
    assert (processing["tokenizer"], processing["template"]) == ("tokenizer.json", "chat_template.jinja")

    form = export_checkpoint(run, exported)
    assert form == ("dense (hf)" if text_only else "llava-onevision (transformers-5)")
    theirs, info = kind.from_pretrained(exported, output_loading_info=True)
    assert not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    ids = torch.arange(5, 50)[None]
    ours = Engine.load(run)
    with torch.no_grad():
        expected = theirs.eval()(input_ids=ids).logits[0]
        batch = ours.processor(Conversation((user("what?"),)), generate=True)
        found = logits(ours.model, ids[0], batch)
        untrained = make()(input_ids=ids).logits[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-3)
    assert (expected - untrained).abs().max() > 1e-3
    assert (exported / "tokenizer.json").read_bytes() == (imported / "tokenizer.json").read_bytes()
    assert (exported / "chat_template.jinja").read_text(encoding="utf-8") == TEMPLATE


def logits(model: VLM, ids: torch.Tensor, like: Any) -> torch.Tensor:
    """Scores of plain ids; `like` is any text-only sample."""
    from dataclasses import replace

    from vergence.inputs import pack

    sample = replace(like, input_ids=ids, labels=torch.full_like(ids, -100))
    return model.language.logits(model(pack([sample])))


# From a checkpoint of ours


@pytest.fixture(scope="module")
def start(tmp_path_factory) -> Path:
    """A tiny Kimi-VL in bfloat16 with biases that were balanced before, and files that a later export needs."""
    folder = tmp_path_factory.mktemp("start") / "kimi"
    model = VLM(PRESETS["kimi-vl-tiny"])
    model.initialise(5)
    model.to(torch.bfloat16)
    for mixture in model.language.mixtures:
        mixture.bias.copy_(torch.linspace(-0.1, 0.1, 8))
    save_model(folder, model, tokenizer=Tokenizer.load("tiny").backend.to_str())
    for name, text in (("source.json", '{"family": "kimi-vl"}'), ("tiktoken.model", "AA== 0\n")):
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_nothing_is_filled_from_a_seed_where_weights_are_read(start, tmp_path, monkeypatch):
    monkeypatch.setattr(VLM, "initialise", None)
    state = torch.random.get_rng_state()
    trainer = Trainer(make_recipe(tmp_path, start), tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), state), "nor from torch's generator"
    expected, _ = load_model(open_checkpoint(start))
    found = trainer.model.state_dict()
    for name, weight in expected.state_dict().items():
        assert found[name].dtype == torch.float32
        assert torch.equal(found[name], weight.float()), name
        assert not found[name].is_meta


def test_a_run_from_a_start_goes_on_to_the_same_end(start, tmp_path, monkeypatch):
    recipe = make_recipe(tmp_path, start, ["checkpoint.every_steps=1"])
    Trainer(recipe, tmp_path / "whole").run()

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_evaluate_stage", stop)
        with pytest.raises(KeyboardInterrupt):
            Trainer(recipe, tmp_path / "broken").run()
    with monkeypatch.context() as patch:  # the first step's checkpoint is enough, whatever became of the second
        for path in (tmp_path / "broken" / "checkpoints" / "00000002-tune").iterdir():
            path.unlink()
        (tmp_path / "broken" / "checkpoints" / "00000002-tune").rmdir()
        patch.setattr("vergence.training.weights.open_checkpoint", None)
        assert main(["train", str(tmp_path / "broken" / "recipe.yaml"), "--output", str(tmp_path / "broken")]) == 0
    ends = [weights(tmp_path / name / "final") for name in ("whole", "broken")]
    assert ends[0].keys() == ends[1].keys()
    assert all(torch.equal(ends[0][name], ends[1][name]) for name in ends[0])
    carried = {path.name for path in (tmp_path / "broken" / "final").iterdir()}
    assert carried >= {"source.json", "tiktoken.model", "tokenizer.json", "model.json"}


def test_a_run_starts_from_another_runs_end(small_recipe, small_run, tmp_path):
    overrides = [f"start={small_run}", "evaluation.samples=1", "evaluation.tasks=[colour]", "model=null", "seed=8"]
    stages = [{"name": "more", "objective": "answers", "tokens": 160, "row_tokens": 160, "mixture": DIALOGUES[:1]}]
    stages[0]["optimizer"] = {"lr": 1e-6}
    recipe = load_checked_recipe(small_recipe, [*overrides, f"stages={json.dumps(stages)}"])
    assert recipe.start == small_run / "final"
    Trainer(recipe, tmp_path / "run").run()
    before, after = weights(small_run / "final"), weights(tmp_path / "run" / "final")
    assert max(float((before[name] - after[name]).abs().max()) for name in before) < 1e-5
    assert not (tmp_path / "run" / "final" / "source.json").exists()
    Engine.load(tmp_path / "run")


def test_a_changed_tokenizer_or_template_of_the_start_is_refused(start, tmp_path, monkeypatch, capsys):
    own = tmp_path / "own.jinja"
    own.write_text("{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}", encoding="utf-8")
    overrides = [
        "checkpoint.every_steps=1",
        f"model.processing.template={own}",
        "model.processing.image_token=<|image|>",
    ]
    recipe = make_recipe(tmp_path, start, overrides, mixture=TEXTS, objective="text")

    def stop(trainer: Trainer, *_: Any) -> None:
        if trainer.position.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_show", stop)
        with pytest.raises(KeyboardInterrupt):
            Trainer(recipe, tmp_path / "run").run()
    assert (tmp_path / "run/checkpoints/00000001-tune/chat_template.jinja").read_bytes() == own.read_bytes()
    own.write_text("{% for m in messages %}<|user|> {{ m.content }}<|end|>{% endfor %}", encoding="utf-8")
    assert main(["train", str(tmp_path / "run" / "recipe.yaml"), "--output", str(tmp_path / "run")]) == 3
    assert "stage tune: the training data or the tokenizer changed since" in capsys.readouterr().err


def test_a_damaged_start_is_refused_in_one_line(start, tmp_path):
    import shutil

    broken = shutil.copytree(start, tmp_path / "broken")
    file = broken / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])
    with pytest.raises(DataError, match=r"model\.safetensors: truncated or changed") as caught:
        Trainer(make_recipe(tmp_path, broken), tmp_path / "run")
    assert "\n" not in str(caught.value)


def test_weights_that_do_not_fit_the_configuration_are_named(tmp_path):
    model = VLM(PRESETS["kimi-vl-tiny"])
    model.initialise(0)
    folder = tmp_path / "start"
    save_model(folder, model, tokenizer=Tokenizer.load("tiny").backend.to_str())
    document = json.loads((folder / "model.json").read_text())
    document["language"]["depth"] = 2
    rewrite(folder, json.dumps(document))
    with pytest.raises(DataError, match=r"doesn't fit the recipe's model: \d+ not expected \(language\.layers\.2"):
        Trainer(make_recipe(tmp_path, folder), tmp_path / "run")


def rewrite(folder: Path, text: str) -> None:
    """Another model.json, as if the checkpoint had been written with it."""
    from hashlib import sha256

    (folder / "model.json").write_text(text, encoding="utf-8")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["model.json"] = {"bytes": len(text), "sha256": sha256(text.encode()).hexdigest()}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    assert load_file(folder / "model.safetensors")
