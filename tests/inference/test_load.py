"""Loading an engine: the type it computes in, the ids that end an answer, and a real model from a public file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from vergence.conversation import Conversation, assistant, user
from vergence.errors import DataError, UsageError
from vergence.inference import engine as engine_module
from vergence.inference.engine import DTYPES, Engine, Request, Sampling, choose_dtype, computes_bfloat16
from vergence.models.checkpoint import write_checkpoint
from vergence.models.hub.convert import import_checkpoint
from vergence.models.hub.gguf_file import read_gguf
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor

CPU = torch.device("cpu")


@pytest.fixture(params=[True, False], ids=["bfloat16", "no bfloat16"])
def able(request, monkeypatch) -> bool:
    monkeypatch.setattr(engine_module, "computes_bfloat16", lambda device: request.param)
    return request.param


def stored(model: VLM, matrices: torch.dtype, vectors: torch.dtype) -> VLM:
    for parameter in model.parameters():
        parameter.data = parameter.data.to(matrices if parameter.ndim > 1 else vectors)
    return model


@pytest.mark.parametrize("vectors", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("matrices", [torch.float32, torch.bfloat16, torch.float16])
def test_auto_computes_in_bfloat16_where_that_loses_nothing_and_gains_speed(make_engine, able, matrices, vectors):
    model = stored(make_engine().model, matrices, vectors)
    half = able and matrices != torch.float32
    assert choose_dtype("auto", model, CPU) == (torch.bfloat16 if half else torch.float32)


def test_one_matrix_in_32_bits_keeps_all_of_them(make_engine, monkeypatch):
    monkeypatch.setattr(engine_module, "computes_bfloat16", lambda device: True)
    model = stored(make_engine().model, torch.bfloat16, torch.bfloat16)
    assert choose_dtype("auto", model, CPU) == torch.bfloat16
    model.projector.float()
    assert choose_dtype("auto", model, CPU) == torch.float32


def test_a_named_type_is_taken_or_refused_in_one_line(make_engine, able):
    model = make_engine().model
    assert choose_dtype("float32", model, CPU) == torch.float32
    if able:
        assert choose_dtype("bfloat16", model, CPU) == torch.bfloat16
    else:
        with pytest.raises(UsageError, match=r"^device 'cpu' does not compute in bfloat16; use dtype float32$"):
            choose_dtype("bfloat16", model, CPU)
    with pytest.raises(UsageError, match="dtype 'float16' is not one of auto, float32, bfloat16"):
        choose_dtype("float16", model, CPU)


def test_a_torch_that_cannot_tell_has_no_bfloat16(monkeypatch):
    assert computes_bfloat16(CPU) in (True, False)
    monkeypatch.setattr(torch.ops, "mkldnn", object())
    assert computes_bfloat16(CPU) is False
    assert computes_bfloat16(torch.device("meta")) is False


def save(path: Path, engine: Engine, documents: object = None) -> Path:
    """A checkpoint of the engine's model, imported from a checkpoint with these JSON files."""
    source = {} if documents is None else {"source": {"family": "x", "documents": documents}}
    write_checkpoint(
        path,
        tensors={"model": engine.model.state_dict()},
        documents={"model": engine.model.config.model_dump(mode="json"), **source},
        texts={"tokenizer.json": engine.processor.tokenizer.backend.to_str()},
    )
    return path


def test_every_type_loads_and_answers(make_engine, conversations, tmp_path, monkeypatch):
    monkeypatch.setattr(engine_module, "computes_bfloat16", lambda device: True)
    engine = make_engine()
    whole = save(tmp_path / "whole", engine)
    half = save(tmp_path / "half", Engine(stored(engine.model, torch.bfloat16, torch.bfloat16), engine.processor))
    found = {}
    for path in (whole, half):
        for name in DTYPES:
            loaded = Engine.load(path, dtype=name)
            (found[path.name, name],) = {p.dtype for p in loaded.model.parameters()}
            outputs = loaded.generate([Request(c, Sampling(max_tokens=4)) for c in conversations[:4]])
            assert {output.finish_reason for output in outputs} <= {"stop", "length"}
    assert {key for key, dtype in found.items() if dtype == torch.bfloat16} == {
        ("whole", "bfloat16"),
        ("half", "auto"),
        ("half", "bfloat16"),
    }
    assert Engine.load(whole).model.language.embed.weight.dtype == torch.float32


@pytest.mark.parametrize(
    ("documents", "more"),
    [
        (None, set()),
        ({}, set()),
        ({"generation_config.json": {"eos_token_id": [7, 8]}, "config.json": {"eos_token_id": 9}}, {7, 8}),
        ({"generation_config.json": {"eos_token_id": 7}}, {7}),
        ({"generation_config.json": {"temperature": 0.6}, "config.json": {"eos_token_id": 9}}, {9}),
        ({"config.json": {"eos_token_id": None}}, set()),
    ],
)
def test_an_answer_ends_where_the_public_checkpoint_says(make_engine, tmp_path, documents, more):
    engine = make_engine()
    loaded = Engine.load(save(tmp_path / "model", engine, documents))
    assert loaded.ends == {engine.processor.end, *more}
    conversation = Conversation((user("red"),))
    sampling = Sampling(temperature=2, seed=0, max_tokens=100)
    whole = Engine(loaded.model, loaded.processor).generate([Request(conversation, sampling)])[0].token_ids
    cut = next((i for i, token in enumerate(whole) if token in more), len(whole) - 1)
    assert loaded.generate([Request(conversation, sampling)])[0].token_ids == whole[: cut + 1]


@pytest.mark.parametrize("wrong", ["7", [7, None], True, 300, -1, [[7]]])
def test_what_is_no_id_is_refused_by_name(make_engine, tmp_path, wrong):
    path = save(tmp_path / "model", make_engine(), {"generation_config.json": {"eos_token_id": wrong}})
    with pytest.raises(DataError, match=r"source\.json: documents\.generation_config\.json\.eos_token_id: .* is not"):
        Engine.load(path)
    path = save(tmp_path / "other", make_engine(), ["generation_config.json"])
    with pytest.raises(DataError, match=r"source\.json: documents must be an object"):
        Engine.load(path)


# A template that opens a thought

TEMPLATE = (
    "{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% if enable_thinking is not defined or enable_thinking %}<think>\n"
    "{% else %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
)


def speaking(engine: Engine, text: str) -> Engine:
    """The same engine, whose model says `text` and nothing else."""
    tokens = [*engine.processor.tokenizer.encode(text), engine.processor.end]
    said = iter(tokens)

    def logits(hidden: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(hidden.shape[0], engine.model.config.language.vocab_size)
        scores[:, next(said)] = 50.0
        return scores

    engine.model.language.logits = logits
    return engine


@pytest.mark.parametrize(
    ("template", "thinking", "said", "thought", "text"),
    [
        ("seed", None, "a cat", None, "a cat"),
        ("seed", True, "<think>red</think>\n\nblue", "red", "blue"),
        ("own", None, "red</think>\n\nblue", "red", "blue"),
        ("own", True, "red blue", "red blue", ""),
        ("own", True, "<think>red</think>blue", "red", "blue"),
        ("own", False, "blue", None, "blue"),
    ],
)
def test_a_thought_is_told_from_the_answer(make_engine, tmp_path, template, thinking, said, thought, text):
    def engine() -> Engine:
        plain = make_engine()
        (tmp_path / "own.jinja").write_text(TEMPLATE)
        name = str(tmp_path / "own.jinja") if template == "own" else template
        rule = plain.model.config.processing.model_copy(update={"template": name, "row_token": False})
        config = plain.model.config.model_copy(update={"processing": rule})
        return speaking(Engine(plain.model, Processor(config, plain.processor.tokenizer)), said)

    request = Request(Conversation((user("a cat"),)), Sampling(max_tokens=60), thinking=thinking)
    output = engine().generate([request])[0]
    assert (output.thought, output.text, output.finish_reason) == (thought, text, "stop")
    parts = list(engine().stream_parts(request))
    assert "".join(piece for kind, piece in parts if kind == "thought") == (thought or "")
    assert "".join(piece for kind, piece in parts if kind == "text") == text
    assert "".join(engine().stream(request)) == text


# A real model


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory) -> tuple[Path, Path]:
    """The public file and our checkpoint of it; skips where the package that brings the file isn't installed."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "models" / "hub"))
    try:
        from gguf_models import smollm2 as find
    finally:
        del sys.path[0]
    public, ours = find(), tmp_path_factory.mktemp("smollm2") / "ours"
    import_checkpoint(str(public), ours)
    return public, ours


def test_a_real_model_says_what_transformers_says(smollm2):
    transformers = pytest.importorskip("transformers")
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    public, ours = smollm2
    engine = Engine.load(ours)
    assert {p.dtype for p in engine.model.parameters()} == {torch.float32}
    conversations = [
        Conversation((user("What is the capital of France?"),)),
        Conversation((user("Name three colours."), assistant("Red, green and blue."), user("And a fourth one?"))),
        Conversation((user("Write a short sentence about a cat that sleeps in the sun."),)),
    ]
    sampling = Sampling(max_tokens=24, logprobs=True)
    outputs = engine.generate([Request(conversation, sampling) for conversation in conversations])
    prompts = [engine.processor(conversation, generate=True).input_ids for conversation in conversations]
    ends = sorted(engine.ends)
    del engine
    config = transformers.LlamaConfig(**read_gguf(public).config)
    oracle = transformers.LlamaForCausalLM(config).eval()
    weights = load_gguf_checkpoint(public, return_tensors=True, model_to_load=oracle)["tensors"]
    missing, unexpected = oracle.load_state_dict(weights, strict=False)
    assert (set(missing), unexpected) == ({"lm_head.weight"}, []), "the head is the embedding matrix"
    for prompt, output in zip(prompts, outputs, strict=True):
        answer = oracle.generate(
            prompt[None],
            attention_mask=torch.ones_like(prompt[None]),
            do_sample=False,
            max_new_tokens=24,
            eos_token_id=ends,
            pad_token_id=ends[0],
        )
        assert output.token_ids == answer[0, len(prompt) :].tolist(), output.text
    assert "Paris" in outputs[0].text
