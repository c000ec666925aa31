"""Speed of a training step on samples of mixed sizes, beside transformers' Qwen2.5-VL. Prints one line of JSON.

    python benchmarks/train.py --threads 2

What is compared, and why it is fair, is written in benchmarks/README.md.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

# Quiet and offline: the peer is built from a configuration, nothing is downloaded.
os.environ.update({"HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error", "TOKENIZERS_PARALLELISM": "false"})

import torch
from torch import Tensor, nn

from vergence.inputs import IGNORE, ModelInputs, PackedBatch, pack
from vergence.model_config import LanguageConfig, ModelConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM

IMAGE, PAD, START, END, VIDEO = range(5)  # ids that stand for no text
CLIP = 1.0
PRECISIONS = {"fp32": None, "bf16": torch.bfloat16}

Step = Callable[[], float]


def our_config() -> ModelConfig:
    """The geometry of `seed-tiny` with an adapter as wide as the peer's (README.md says why)."""
    return ModelConfig(
        vision=VisionConfig(width=192, depth=4, heads=4, mlp_width=768),
        projector=ProjectorConfig(hidden=1920),
        language=LanguageConfig(vocab_size=512, width=192, depth=4, heads=4, kv_heads=2, mlp_width=512),
    )


def build_ours(config: ModelConfig, seed: int) -> VLM:
    """Our model with seeded weights."""
    model = VLM(config)
    model.initialise(seed)
    return model


def build_peer(config: ModelConfig, seed: int) -> nn.Module:
    """A Qwen2.5-VL of the same depths, widths, heads and vocabulary, with full attention in every vision block."""
    import transformers

    vision, language = config.vision, config.language
    pairs = language.width // language.heads // 2
    thirds = [pairs - 2 * (pairs // 3), pairs // 3, pairs // 3]  # temporal, row and column share of the rotary pairs
    settings: dict[str, Any] = {
        "vision_config": {
            "depth": vision.depth,
            "hidden_size": vision.width,
            "num_heads": vision.heads,
            # Its MLP has three matrices, ours two: two thirds of the width make the same number of weights.
            "intermediate_size": vision.mlp_width * 2 // 3,
            "out_hidden_size": language.width,
            "patch_size": vision.patch_size,
            "spatial_merge_size": vision.merge_size,
            "temporal_patch_size": 1,
            "fullatt_block_indexes": list(range(vision.depth)),
        },
        "text_config": {
            "vocab_size": language.vocab_size,
            "hidden_size": language.width,
            "num_hidden_layers": language.depth,
            "num_attention_heads": language.heads,
            "num_key_value_heads": language.kv_heads,
            "intermediate_size": language.mlp_width,
            "max_position_embeddings": language.context,
            "rms_norm_eps": language.norm_eps,
            "rope_parameters": {"rope_type": "default", "rope_theta": language.rope_theta, "mrope_section": thirds},
            "bos_token_id": START,
            "eos_token_id": END,
            "pad_token_id": PAD,
        },
        "image_token_id": IMAGE,
        "video_token_id": VIDEO,
        "vision_start_token_id": START,
        "vision_end_token_id": END,
        "tie_word_embeddings": True,
        "attn_implementation": "sdpa",
    }
    torch.manual_seed(seed)
    return transformers.Qwen2_5_VLForConditionalGeneration(transformers.Qwen2_5_VLConfig(**settings)).train()


def draw_samples(
    config: ModelConfig, count: int, sides: tuple[int, int], texts: tuple[int, int], seed: int
) -> list[ModelInputs]:
    """`count` samples of one image and one text each: random pixels and ids; all text carries loss, no image does.

    `sides` are the least and largest side of an image in pixels, `texts` the least and largest text in tokens.
    """
    generator = torch.Generator().manual_seed(seed)
    vision = config.vision

    def number(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (), generator=generator))

    samples = []
    for _ in range(count):
        rows, columns = (vision.merge_size * number(sides[0] // vision.factor, sides[1] // vision.factor) for _ in "hw")
        visual = rows * columns // vision.merge_size**2
        text = torch.randint(5, config.language.vocab_size, (number(*texts),), generator=generator)
        size = (rows * columns, 3 * vision.patch_size**2)
        samples.append(
            ModelInputs(
                input_ids=torch.cat([torch.tensor([START]), torch.full((visual,), IMAGE), torch.tensor([END]), text]),
                labels=torch.cat([torch.full((visual + 2,), IGNORE), text]),
                patches=torch.randint(0, 256, size, generator=generator, dtype=torch.uint8),
                grids=torch.tensor([[rows, columns]]),
                visual_positions=torch.arange(1, visual + 1),
            )
        )
    return samples


def pad_samples(samples: list[ModelInputs]) -> dict[str, Tensor]:
    """The batch as the peer's processor and a padding collator make it."""
    longest = max(len(sample) for sample in samples)
    shape = (len(samples), longest)
    ids, labels = torch.full(shape, PAD), torch.full(shape, IGNORE)
    mask = torch.zeros(shape, dtype=torch.long)
    for row, sample in enumerate(samples):
        ids[row, : len(sample)] = sample.input_ids
        labels[row, : len(sample)] = sample.labels
        mask[row, : len(sample)] = 1
    pixels = torch.cat([sample.patches for sample in samples]).float() / 127.5 - 1
    grids = torch.cat([sample.grids for sample in samples])
    return {
        "input_ids": ids,
        "labels": labels,
        "attention_mask": mask,
        "pixel_values": pixels,
        "image_grid_thw": torch.cat([torch.ones(len(grids), 1, dtype=torch.long), grids], dim=1),
        "mm_token_type_ids": (ids == IMAGE).int(),
    }


def pack_samples(samples: list[ModelInputs]) -> PackedBatch:
    """The batch as our loader makes it: one row, equal lengths side by side."""
    return pack(sorted(samples, key=len))


def make_step(model: nn.Module, mean_loss: Callable[[], Tensor], precision: str) -> Step:
    """One training step: forward, backward, clipping, AdamW. Returns the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True)
    dtype = PRECISIONS[precision]

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
            loss = mean_loss()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        return loss.item()

    return step


def timed(step: Step) -> tuple[float, float]:
    """Wall and CPU seconds of one step; the CPU's are those of all threads together."""
    wall, cpu = time.perf_counter(), time.process_time()
    loss = step()
    elapsed = time.perf_counter() - wall, time.process_time() - cpu
    if not math.isfinite(loss):
        raise RuntimeError(f"the loss is {loss}")
    return elapsed


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Alternating rounds of both models on the same samples, a new batch each round."""
    import transformers

    torch.set_num_threads(options.threads)
    config = our_config()
    ours, peer = build_ours(config, options.seed), build_peer(config, options.seed)
    current: dict[str, Any] = {}
    steps = {
        "ours": make_step(ours, lambda: ours.loss(current["packed"]) / current["packed"].targets, options.precision),
        "peer": make_step(peer, lambda: peer(**current["padded"], use_cache=False).loss, options.precision),
    }
    wall: dict[str, list[float]] = {"ours": [], "peer": []}
    cpu: dict[str, list[float]] = {"ours": [], "peer": []}
    tokens, padded = [], []
    for number in range(-options.warmup, options.rounds):
        seed = 1000 * options.seed + number + options.warmup
        samples = draw_samples(config, options.samples, tuple(options.sides), tuple(options.texts), seed)
        current.update(packed=pack_samples(samples), padded=pad_samples(samples))
        order = ("ours", "peer") if number % 2 else ("peer", "ours")
        seconds = {name: timed(steps[name]) for name in order}
        if number < 0:
            continue
        tokens.append(sum(map(len, samples)))
        padded.append(current["padded"]["input_ids"].numel())
        for name, (wall_seconds, cpu_seconds) in seconds.items():
            wall[name].append(wall_seconds)
            cpu[name].append(cpu_seconds)

    def tokens_per(seconds: list[float]) -> float:
        return statistics.median(count / s for count, s in zip(tokens, seconds, strict=True))

    def samples_per(seconds: list[float]) -> float:
        return statistics.median(options.samples / s for s in seconds)

    speed = {name: tokens_per(wall[name]) for name in wall}
    paired = sorted(theirs / own for own, theirs in zip(wall["ours"], wall["peer"], strict=True))
    return {
        "name": "train",
        "ours": round(speed["ours"], 1),
        "peer": round(speed["peer"], 1),
        "unit": "tokens/s",
        "ratio": round(speed["ours"] / speed["peer"], 3),
        "cpu_ratio": round(tokens_per(cpu["ours"]) / tokens_per(cpu["peer"]), 3),
        "ratio_low": round(paired[0], 3),
        "ratio_high": round(paired[-1], 3),
        "samples_per_second": {name: round(samples_per(wall[name]), 2) for name in wall},
        "parameters": {
            "ours": sum(p.numel() for p in ours.parameters()),
            "peer": sum(p.numel() for p in peer.parameters()),
        },
        "tokens_per_step": round(statistics.mean(tokens), 1),
        "padding": round(1 - sum(tokens) / sum(padded), 3),
        "peer_name": "transformers Qwen2_5_VLForConditionalGeneration, padded, sdpa",
        "samples": options.samples,
        "rounds": options.rounds,
        "threads": options.threads,
        "precision": options.precision,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
    }


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--samples", type=int, default=32, help="samples in a batch")
    parser.add_argument("--rounds", type=int, default=10, help="measured rounds, each with a new batch")
    parser.add_argument("--warmup", type=int, default=2, help="rounds that don't count")
    parser.add_argument("--precision", choices=list(PRECISIONS), default="fp32")
    parser.add_argument("--sides", type=int, nargs=2, default=(84, 224), help="least and largest image side in pixels")
    parser.add_argument("--texts", type=int, nargs=2, default=(10, 150), help="least and largest text in tokens")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    print(json.dumps(measure(read_options())))
