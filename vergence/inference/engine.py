"""The engine: the one way in which tokens are sampled, for chat, serving, evaluation and rollouts.

    engine = Engine.load(Path("runs/demo"))
    [answer] = engine.generate([Request(Conversation((user(Path("cat.png"), "What is this?"),)))])

In fp32 a request's tokens don't depend on the requests that share its batch, and are those that the model gives
without a cache: each request samples from its own generator, and sums differ by rounding only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

from vergence.errors import DataError, UsageError
from vergence.inference.encoder_cache import EncoderCache
from vergence.inference.request import Output, Request
from vergence.inference.sampler import Sampling
from vergence.inference.scheduler import Scheduler
from vergence.inference.text_stream import Kind
from vergence.models.checkpoint import Checkpoint, find_checkpoint, load_model, open_checkpoint, with_own_files
from vergence.models.layers import lay_out_for_decoding
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer

__all__ = ["DTYPES", "Engine", "Output", "Request", "Sampling"]

DTYPES = ("auto", "float32", "bfloat16")


class Engine:
    """A model and its processor, ready to answer. Puts the model into evaluation mode when it answers.

    `max_batch` requests are live at once; prompts join in groups of up to `prefill_tokens` tokens. `ends` are ids that
    end an answer besides those of the processor. torch's global random state is neither read nor changed.
    """

    def __init__(
        self,
        model: VLM,
        processor: Processor,
        *,
        max_batch: int = 64,
        prefill_tokens: int = 2048,
        device: torch.device | str | None = None,
        ends: frozenset[int] = frozenset(),
    ) -> None:
        if max_batch < 1 or prefill_tokens < 1:
            raise UsageError(f"max_batch and prefill_tokens must be at least 1, got {max_batch} and {prefill_tokens}")
        self.model = model if device is None else model.to(device)
        self.processor = processor
        self.ends = processor.ends | ends
        self.max_batch, self.prefill_tokens = max_batch, prefill_tokens
        self.encoder_cache = EncoderCache()

    @classmethod
    def load(
        cls, path: Path, *, device: torch.device | str = "cpu", dtype: str = "auto", max_batch: int = 64
    ) -> Engine:
        """The engine of a checkpoint folder, or of a run folder's newest checkpoint. Raises `DataError` by name.

        `dtype` "auto" computes in bfloat16 where the weights are stored in 16 bits and the device is made for it, else
        in float32. Raises `UsageError` for a device that isn't there, or that bfloat16 was asked of and lacks it.
        """
        device = available_device(device)
        checkpoint = open_checkpoint(find_checkpoint(path))
        tokenizer = Tokenizer.load(str(checkpoint.file("tokenizer.json")))
        model, config = load_model(checkpoint)
        model = model.to(device=device, dtype=choose_dtype(dtype, model, device))
        if model.language.embed.weight.device.type == "cpu":
            lay_out_for_decoding(model.language)
        processor = Processor(with_own_files(config, checkpoint), tokenizer)
        return cls(model, processor, max_batch=max_batch, ends=stated_ends(checkpoint, config.language.vocab_size))

    def scheduler(self) -> Scheduler:
        """A new queue of requests on this model, for callers that drive it step by step."""
        return Scheduler(
            self.model,
            self.processor,
            max_batch=self.max_batch,
            prefill_tokens=self.prefill_tokens,
            encoder_cache=self.encoder_cache,
            ends=self.ends,
        )

    def generate(self, requests: Sequence[Request], *, on_error: Literal["raise", "return"] = "raise") -> list[Output]:
        """Answer all requests, in their order.

        `max_tokens` is cut to the room that the prompt leaves in the model's context. A request that can't be run (an
        unreadable image, a prompt as long as the context) raises `DataError` that names it; with `on_error="return"`
        its output holds the `error` instead, and the others are answered. Images are decoded when their request's turn
        comes, so such an error may come after others have been answered.
        """
        scheduler = self.scheduler()
        for request in requests:
            scheduler.add(request)
        outputs: dict[int, Output] = {}
        while scheduler.busy:
            served, refused = scheduler.step()
            for number, request, error in refused:
                if on_error == "raise":
                    name = f" ({request.request_id})" if request.request_id is not None else ""
                    raise DataError(f"request {number}{name}: {error}") from None
                outputs[number] = Output("", [], None, "error", 0, 0, str(error), request.request_id)
            outputs.update({r.number: r.output() for r in served if r.finish_reason})
        return [outputs[number] for number in range(len(requests))]

    def stream(self, request: Request) -> Iterator[str]:
        """The answer's text, piece by piece as it is certain; the pieces together are the text of `generate`.

        No piece ends in half a character, nor holds text that may turn out to begin a stop string. Raises `DataError`
        where the request can't be run.
        """
        return (piece for kind, piece in self.stream_parts(request) if kind == "text")

    def stream_parts(self, request: Request) -> Iterator[tuple[Kind, str]]:
        """As `stream`, with the thought before the answer: pairs of "thought" or "text" and a piece of it."""
        scheduler = self.scheduler()
        scheduler.add(request)
        while scheduler.busy:
            served, refused = scheduler.step()
            for _, _, error in refused:
                raise error
            for running in served:
                yield from running.take()


def available_device(name: torch.device | str) -> torch.device:
    """The torch device of that name. Raises `UsageError` where this machine or this torch doesn't have it."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {str(name)!r} is not available here") from None
    return device


def computes_bfloat16(device: torch.device) -> bool:
    """Whether a device has instructions for bfloat16; without them it is several times slower than fp32."""
    try:
        if device.type == "cuda":
            return torch.cuda.is_bf16_supported(including_emulation=False)
        if device.type == "cpu":
            return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
        ones = torch.ones(1, 1, dtype=torch.bfloat16, device=device)
        return bool((ones @ ones).item() == 1)
    except (AttributeError, RuntimeError, TypeError):  # a torch without oneDNN, or a device without the type
        return False


def choose_dtype(name: str, model: VLM, device: torch.device) -> torch.dtype:
    """The type to compute in, from one of `DTYPES`. Raises `UsageError` for another, and where the device lacks it.

    Norms and biases don't count: many a checkpoint stores them in 32 bits beside matrices in 16.
    """
    if name not in DTYPES:
        raise UsageError(f"dtype {name!r:.40} is not one of {', '.join(DTYPES)}")
    if name == "auto":
        half = all(p.dtype.itemsize == 2 for p in model.parameters() if p.ndim > 1)
        return torch.bfloat16 if half and computes_bfloat16(device) else torch.float32
    if name == "bfloat16" and not computes_bfloat16(device):
        raise UsageError(f"device {str(device)!r} does not compute in bfloat16; use dtype float32")
    return torch.float32 if name == "float32" else torch.bfloat16


def stated_ends(checkpoint: Checkpoint, vocab_size: int) -> frozenset[int]:
    """The ids that end an answer as an imported checkpoint's generation_config.json has them, or else its config.json.

    Raises `DataError` for what is no id.
    """
    origin = checkpoint.json("source") if "source.json" in checkpoint.files else {}
    documents: Any = origin.get("documents", {}) if isinstance(origin, dict) else None
    if not isinstance(documents, dict):
        raise DataError(f"{checkpoint.path / 'source.json'}: documents must be an object")
    for name in ("generation_config.json", "config.json"):
        document = documents.get(name)
        ids = document.get("eos_token_id") if isinstance(document, dict) else None
        if ids is not None:
            break
    else:
        return frozenset()
    ids = ids if isinstance(ids, list) else [ids]
    for index in ids:
        if isinstance(index, bool) or not isinstance(index, int) or not 0 <= index < vocab_size:
            where = f"{checkpoint.path / 'source.json'}: documents.{name}.eos_token_id"
            raise DataError(f"{where}: {index!r:.40} is not the id of a token (0 to {vocab_size - 1})")
    return frozenset(ids)
