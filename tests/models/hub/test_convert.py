"""Import and export as a whole: what is refused, what is kept, and how little memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from public_models import edit, imported, logits, randomise, round_trip, sample, save
from safetensors.torch import load_file, save_file

from vergence.cli import main
from vergence.conversation import Conversation, user
from vergence.errors import DataError, UsageError
from vergence.inference.engine import Engine
from vergence.models.checkpoint import open_checkpoint, save_model
from vergence.models.hub import convert
from vergence.models.hub.convert import describe, export_checkpoint, import_checkpoint
from vergence.models.hub.families import FAMILIES
from vergence.models.hub.plan import expected_tensors
from vergence.models.hub.tokenizer_file import with_special_tokens
from vergence.models.vlm import VLM
from vergence.presets import PRESETS

torch.set_num_threads(1)

SIZES = {
    "vocab_size": 300,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def build(**changes):
    return randomise(transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**SIZES, **changes)), 0)


@pytest.fixture
def hub(tmp_path) -> Path:
    return save(build(), tmp_path / "hub")


def with_weights(folder: Path, change) -> None:
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def test_all_that_is_wrong_with_the_tensors_is_listed_and_nothing_is_written(hub, tmp_path):
    def change(weights):
        for index in range(2):
            del weights[f"model.layers.{index}.mlp.down_proj.weight"]
            weights[f"model.layers.{index}.self_attn.q_norm.weight"] = torch.ones(8)
            weights[f"model.layers.{index}.self_attn.k_proj.bias"] = torch.ones(15)
        weights["model.norm.weight"] = torch.ones(32, dtype=torch.int8)

    with_weights(hub, change)
    with pytest.raises(DataError) as caught:
        import_checkpoint(str(hub), tmp_path / "ours")
    first, *kinds = str(caught.value).split("\n  ")
    assert first == f"{hub}: the tensors don't fit the configuration"
    assert kinds == [
        "2 missing: model.layers.0.mlp.down_proj.weight, model.layers.1.mlp.down_proj.weight",
        "2 not expected: model.layers.0.self_attn.q_norm.weight, model.layers.1.self_attn.q_norm.weight",
        "2 of another shape: model.layers.0.self_attn.k_proj.bias [15] instead of [16], "
        "model.layers.1.self_attn.k_proj.bias [15] instead of [16]",
        "1 not floating-point: model.norm.weight",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_buffers_that_follow_from_the_configuration_are_left_out(hub, tmp_path):
    with_weights(hub, lambda weights: weights.update({"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)}))
    imported(hub, tmp_path / "ours")


def test_code_beside_a_checkpoint_is_not_run(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (hub / "modeling_evil.py").write_text("import pathlib; pathlib.Path('ran').touch()")
    edit(hub, "config.json", auto_map={"AutoConfig": "modeling_evil.Config", "AutoModel": "modeling_evil.Model"})
    edit(hub, "tokenizer_config.json", auto_map={"AutoTokenizer": ["modeling_evil.T", None]}, tokenizer_class="T")
    monkeypatch.syspath_prepend(str(hub))
    imported(hub, tmp_path / "ours")
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    assert not (tmp_path / "ran").exists()
    assert "modeling_evil" not in (tmp_path / "ours" / "model.json").read_text()
    for name in ("config.json", "tokenizer_config.json"):
        assert "auto_map" not in json.loads((folder / name).read_text())
    assert sorted(path.suffix for path in folder.iterdir()) == [".json"] * 4 + [".safetensors"]


def test_a_destination_that_exists_is_kept(hub, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "empty").mkdir()
    for write in (import_checkpoint, export_checkpoint):
        with pytest.raises(UsageError, match="full: exists already; name a new folder"):
            write(str(hub), tmp_path / "full")
        with pytest.raises(UsageError, match=r"notes\.txt: exists already"):
            write(str(hub), tmp_path / "full" / "notes.txt")
    assert (tmp_path / "full" / "notes.txt").read_text() == "mine"
    import_checkpoint(str(hub), tmp_path / "empty")


def test_a_write_that_fails_leaves_nothing(hub, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(convert, "write_documents", fail)
    with pytest.raises(OSError, match="No space left"):
        import_checkpoint(str(hub), tmp_path / "ours")
    assert [path.name for path in tmp_path.iterdir()] == ["hub"]


def test_where_it_came_from_is_kept_and_written_again(hub, tmp_path):
    generation = {"eos_token_id": [2, 0], "temperature": 0.7, "do_sample": True}
    (hub / "generation_config.json").write_text(json.dumps(generation))
    edit(hub, "config.json", eos_token_id=2, my_note="kept")
    checkpoint = import_checkpoint(str(hub), tmp_path / "ours")
    assert describe(checkpoint).startswith("dense (hf), ")
    assert describe(checkpoint).endswith(" weights in float32")
    origin = checkpoint.json("source")
    assert (origin["family"], origin["layout"], origin["location"], origin["commit"]) == ("dense", "hf", str(hub), None)
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    assert json.loads((folder / "generation_config.json").read_text()) == generation
    config = json.loads((folder / "config.json").read_text())
    assert (config["eos_token_id"], config["my_note"]) == (2, "kept")
    assert (folder / "tokenizer.json").read_bytes() == (hub / "tokenizer.json").read_bytes()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert tokenizer.decode(tokenizer("a wall of red bricks").input_ids) == "a wall of red bricks"


def test_a_chat_template_comes_along(hub, tmp_path):
    template = "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    edit(hub, "tokenizer_config.json", chat_template=template)
    model = imported(hub, tmp_path / "ours")
    assert model.config.processing.template == "chat_template.jinja"
    assert (tmp_path / "ours" / "chat_template.jinja").read_text() == template
    assert (round_trip(tmp_path / "ours", tmp_path / "out") / "chat_template.jinja").read_text() == template
    engine = Engine.load(tmp_path / "ours")
    assert engine.processor.ends == {engine.processor.tokenizer.special("<|im_end|>")}


def test_a_template_that_reaches_out_is_refused_by_the_command(hub, tmp_path, capsys):
    edit(hub, "tokenizer_config.json", chat_template="{{ ''.__class__.__mro__[1].__subclasses__() }}")
    assert main(["convert", "import", str(hub), str(tmp_path / "ours")]) == 3
    [line] = capsys.readouterr().err.splitlines()
    assert "chat template" in line
    assert "Python" in line
    assert not (tmp_path / "ours").exists()


def test_the_tokens_that_a_template_names_come_along(hub, tmp_path):
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}{{ eos_token }}{% endfor %}"
    tokens = {"bos_token": {"content": "<|im_start|>"}, "eos_token": "<|im_end|>"}
    edit(hub, "tokenizer_config.json", chat_template=template, **tokens)
    imported(hub, tmp_path / "ours")
    processor = Engine.load(tmp_path / "ours").processor
    ids = processor(Conversation((user("red"),))).input_ids.tolist()
    assert (ids[0], ids[-1]) == (processor.tokenizer.special("<|im_start|>"), processor.tokenizer.special("<|im_end|>"))


def test_a_tokenizer_is_needed_and_can_be_made(hub, tmp_path):
    text = (hub / "tokenizer.json").read_text()
    (hub / "tokenizer.json").unlink()
    with pytest.raises(DataError, match=r"has no tokenizer\.json"):
        import_checkpoint(str(hub), tmp_path / "ours")
    import_checkpoint(str(hub), tmp_path / "ours", make_tokenizer=lambda source: text)
    assert (tmp_path / "ours" / "tokenizer.json").read_text() == text


def test_special_tokens_get_the_next_ids(hub):
    text = (hub / "tokenizer.json").read_text()
    ids = [token["id"] for token in json.loads(text)["added_tokens"]]
    size = transformers.PreTrainedTokenizerFast(tokenizer_file=str(hub / "tokenizer.json")).vocab_size
    assert with_special_tokens(text, ["<image>"], size=size, where="x") == text
    added = json.loads(with_special_tokens(text, ["<a>", "<image>", "<b>", "<a>"], size=size + 2, where="x"))
    assert [(t["id"], t["content"]) for t in added["added_tokens"][len(ids) :]] == [(size, "<a>"), (size + 1, "<b>")]
    with pytest.raises(DataError, match=rf"x: has no room for <a>, <b>: {size} of the model's {size + 1} token ids"):
        with_special_tokens(text, ["<a>", "<b>"], size=size + 1, where="x")
    for broken in ("[", "[]", "{}", "[" * 100_000):
        with pytest.raises(DataError, match=r"x: not a tokenizer\.json"):
            with_special_tokens(broken, ["<a>"], size=10, where="x")


def test_a_checkpoint_in_shards_is_read_and_written(tmp_path, monkeypatch):
    model = build()
    model.save_pretrained(tmp_path / "hub", max_shard_size="20KB")
    save(model, tmp_path / "whole")
    (tmp_path / "hub" / "tokenizer.json").write_bytes((tmp_path / "whole" / "tokenizer.json").read_bytes())
    assert len(list((tmp_path / "hub").glob("*.safetensors"))) > 2
    write = convert.write_sharded
    monkeypatch.setattr(convert, "write_sharded", lambda folder, tensors: write(folder, tensors, max_bytes=20_000))
    ours = imported(tmp_path / "hub", tmp_path / "ours")
    assert len(open_checkpoint(tmp_path / "ours").weight_files("model")) > 2
    whole = imported(tmp_path / "whole", tmp_path / "other")
    assert all(torch.equal(weight, whole.state_dict()[name]) for name, weight in ours.state_dict().items())
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    assert (folder / "model.safetensors.index.json").is_file()
    again, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    assert all(torch.equal(weight, again.state_dict()[name]) for name, weight in model.state_dict().items())


@pytest.mark.parametrize(("architecture", "tied"), [("llama", True), ("qwen2", False)])
def test_a_gguf_file_becomes_a_checkpoint_that_transformers_reads(architecture, tied, tmp_path):
    pytest.importorskip("gguf")
    from gguf_models import write

    from vergence.models.hub.gguf_file import read_gguf

    (tmp_path / "hub").mkdir()
    path = write(tmp_path / "hub" / "m.gguf", architecture, kind="Q8_0", tied=tied)
    model = imported(path, tmp_path / "ours")
    imported(tmp_path / "hub", tmp_path / "same")
    assert (
        open_checkpoint(tmp_path / "same").files["model.safetensors"]
        == (open_checkpoint(tmp_path / "ours").files["model.safetensors"])
    )
    folder = round_trip(tmp_path / "ours", tmp_path / "out")
    theirs, info = transformers.AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert not any(info.values()), info
    read, written = read_gguf(path), load_file(folder / "model.safetensors")
    assert all(torch.equal(read.tensor(name), weight) for name, weight in written.items())
    ids = torch.randint(0, model.config.language.vocab_size, (30,), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = theirs.eval()(ids[None]).logits[0]
    # These weights aren't scaled by their widths, so scores are large.
    scale = float(expected.abs().max())
    torch.testing.assert_close(logits(model, sample(ids)) / scale, expected / scale, atol=1e-5, rtol=0)
    write(tmp_path / "hub" / "n.gguf", architecture, kind="Q8_0", tied=tied)
    with pytest.raises(DataError, match="holds 2 GGUF files; name one of them"):
        import_checkpoint(str(tmp_path / "hub"), tmp_path / "more")


def test_an_export_in_another_type_and_unknown_formats(hub, tmp_path):
    import_checkpoint(str(hub), tmp_path / "ours")
    export_checkpoint(tmp_path / "ours", tmp_path / "out", dtype="bfloat16")
    written, read = load_file(tmp_path / "out" / "model.safetensors"), load_file(hub / "model.safetensors")
    assert all(torch.equal(weight.bfloat16(), written[name]) for name, weight in read.items())
    with pytest.raises(UsageError, match="no format 'gguf' for this model; there is hf"):
        export_checkpoint(tmp_path / "ours", tmp_path / "more", layout="gguf")
    with pytest.raises(UsageError, match="dtype 'int8' is not one of float32, bfloat16, float16"):
        import_checkpoint(str(hub), tmp_path / "more", dtype="int8")


def test_a_checkpoint_whose_weights_do_not_fit_is_not_exported(tmp_path):
    config = PRESETS["llava-onevision-tiny"]
    other = config.model_copy(update={"language": config.language.model_copy(update={"depth": 1})})
    model = VLM(other)
    model.config = config
    save_model(tmp_path / "ours", model, tokenizer="{}")
    with pytest.raises(DataError, match=r"model\.json: the tensors don't fit .*\n  \d+ missing: language"):
        export_checkpoint(tmp_path / "ours", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("preset", PRESETS)
def test_entries_cover_every_tensor_of_a_preset_once(preset):
    config = PRESETS[preset]
    expected = expected_tensors(config)
    for family in (family for family in FAMILIES if family.exports(config)):
        for layout in family.layouts:
            entries = [entry for entry in family.entries(config, layout) if not entry.copy]
            assert sorted(entry.ours for entry in entries) == sorted(expected)
            names = [name for entry in entries for name in entry.theirs]
            assert len(names) == len(set(names))
            for entry in entries:
                parts = entry.split(expected[entry.ours])
                assert len(parts) == len(entry.theirs)
                joined = entry.join([torch.empty(part.shape, device="meta") for part in parts])
                assert joined.shape == expected[entry.ours].shape
            assert family.find_layout(set(names)) == layout


def test_the_published_vision_language_presets_have_a_family():
    for preset in ("llava-onevision-0.5b", "llava-onevision-7b", "llava-onevision-72b", "kimi-vl-a3b"):
        assert any(family.exports(PRESETS[preset]) for family in FAMILIES), preset


# The peak that Linux keeps for this address space alone; the one of `getrusage` begins with the parent's.
MEASURE = """
import sys
from pathlib import Path
from vergence.models.hub.convert import export_checkpoint, import_checkpoint
def peak():
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024
def both(folder):
    import_checkpoint(str(folder / "hub"), folder / "ours")
    export_checkpoint(folder / "ours", folder / "out")
both(Path(sys.argv[1]))  # what torch loads when it is first used
before = peak()
both(Path(sys.argv[2]))
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read as Linux counts it")
def test_memory_is_needed_for_a_few_tensors_and_not_for_a_model(tmp_path):
    sizes = {**SIZES, "hidden_size": 512, "intermediate_size": 2048, "num_hidden_layers": 6}
    save(build(), tmp_path / "small" / "hub")
    model = transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**sizes))
    size = (save(model, tmp_path / "large" / "hub") / "model.safetensors").stat().st_size
    assert size > 90e6
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "small"), str(tmp_path / "large")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    # The largest tensor takes 8 MB and is made of two parts.
    assert int(done.stdout) < size / 3, done.stdout
