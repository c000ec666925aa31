"""A tiny random model whose scores are far enough apart that rounding decides nothing."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from vergence.conversation import Conversation, assistant, user
from vergence.inference.engine import Engine
from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer, train_tokenizer

WORDS = ["red", "blue", "circle", "square", "how many", "where is the", "cat", "ünïcödé", "図", "🙂", "a", "1234"]


def make_config(**language: object) -> ModelConfig:
    """A `ModelConfig` of width 32 and depth 2; `language` overrides its language model."""
    sizes = {"vocab_size": 300, "width": 32, "depth": 2, "heads": 4, "kv_heads": 2, "mlp_width": 48, "context": 256}
    return ModelConfig(
        vision=VisionConfig(width=32, depth=2, heads=2, mlp_width=48),
        projector=ProjectorConfig(hidden=32),
        language=LanguageConfig(**{**sizes, **language}),
        processing=ProcessingConfig(max_pixels=12 * 784, row_token=True),
    )


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    texts = [" ".join(random.Random(i).choices(WORDS, k=8)) for i in range(50)]
    return train_tokenizer(texts, vocab_size=290, special_tokens=load_template("seed").special_tokens)


@pytest.fixture(scope="session")
def make_engine(tokenizer: Tokenizer) -> Callable[..., Engine]:
    """`make_engine(seed=0, max_batch=..., prefill_tokens=..., language={})`: an engine on a new random model."""

    def make(seed: int = 0, language: dict[str, object] | None = None, **options: int) -> Engine:
        config = make_config(**(language or {}))
        return Engine(decisive_model(config, seed), Processor(config, tokenizer), **options)

    return make


@pytest.fixture(scope="session")
def make_family(tokenizer: Tokenizer) -> Callable[..., Engine]:
    """`make_family("kimi-vl-tiny", seed=0, max_batch=...)`: an engine on a new random model of a tiny preset."""

    def make(preset: str, seed: int = 0, **options: int) -> Engine:
        config = PRESETS[preset]
        return Engine(decisive_model(config, seed), Processor(config, tokenizer), **options)

    return make


def decisive_model(config: ModelConfig, seed: int) -> VLM:
    """A random model whose matrices are so large that it prefers some tokens clearly."""
    with torch.device("meta"):
        model = VLM(config)
    model.to_empty(device="cpu")
    model.initialise(seed)
    with torch.no_grad():
        for buffer in model.buffers():
            buffer.zero_()
        for parameter in model.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(0.25 / parameter.std())
    return model


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> Path:
    """Six seconds of noise, twelve frames; skips the test where PyAV is missing."""
    av = pytest.importorskip("av")
    path = tmp_path_factory.mktemp("clip") / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=2)
        stream.width, stream.height, stream.pix_fmt = 70, 42, "bgr0"
        for seed in range(12):
            generator = torch.Generator().manual_seed(seed)
            pixels = torch.randint(0, 256, (42, 70, 3), dtype=torch.uint8, generator=generator)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels.numpy(), "rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture(scope="session")
def conversations() -> list[Conversation]:
    """Prompts of many lengths: text alone, one picture, several, and several turns."""
    rng = random.Random(1)

    def text() -> str:
        return " ".join(rng.choices(WORDS, k=rng.randint(1, 12)))

    def picture() -> Image.Image:
        return Image.effect_noise((rng.randint(20, 120), rng.randint(20, 120)), rng.randint(10, 90)).convert("RGB")

    samples = []
    for _ in range(24):
        pictures = [picture() for _ in range(rng.choice([0, 0, 1, 1, 2]))]
        earlier = (user(text()), assistant(text())) if rng.random() < 0.3 else ()
        samples.append(Conversation((*earlier, user(*pictures, text()))))
    return samples
