"""The engine: the one way in which tokens are sampled, for chat, serving, evaluation and rollouts.

    engine = Engine.load(Path("runs/demo"))
    [answer] = engine.generate([Request(Conversation((user(Path("cat.png"), "What is this?"),)))])

In fp32 a request's tokens don't depend on the requests that share its batch, and are those that the model gives
without a cache: each request samples from its own generator, and sums differ by rounding only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch

from vergence.errors import DataError, UsageError
from vergence.inference.encoder_cache import EncoderCache
from vergence.inference.request import Output, Request
from vergence.inference.sampler import Sampling
from vergence.inference.scheduler import Scheduler
from vergence.models.checkpoint import find_checkpoint, load_model, open_checkpoint, with_own_files
from vergence.models.vlm import VLM
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer

__all__ = ["Engine", "Output", "Request", "Sampling"]


class Engine:
    """A model and its processor, ready to answer. Puts the model into evaluation mode when it answers.

    `max_batch` requests are live at once; prompts join in groups of up to `prefill_tokens` tokens. torch's global
    random state is neither read nor changed.
    """

    def __init__(
        self,
        model: VLM,
        processor: Processor,
        *,
        max_batch: int = 64,
        prefill_tokens: int = 2048,
        device: torch.device | str | None = None,
    ) -> None:
        if max_batch < 1 or prefill_tokens < 1:
            raise UsageError(f"max_batch and prefill_tokens must be at least 1, got {max_batch} and {prefill_tokens}")
        self.model = model if device is None else model.to(device)
        self.processor = processor
        self.max_batch, self.prefill_tokens = max_batch, prefill_tokens
        self.encoder_cache = EncoderCache()

    @classmethod
    def load(
        cls, path: Path, *, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32, max_batch: int = 64
    ) -> Engine:
        """The engine of a checkpoint folder, or of a run folder's newest checkpoint. Raises `DataError` by name."""
        checkpoint = open_checkpoint(find_checkpoint(path))
        tokenizer = Tokenizer.load(str(checkpoint.file("tokenizer.json")))
        model, config = load_model(checkpoint)
        model = model.to(device=available_device(device), dtype=dtype)
        return cls(model, Processor(with_own_files(config, checkpoint), tokenizer), max_batch=max_batch)

    def scheduler(self) -> Scheduler:
        """A new queue of requests on this model, for callers that drive it step by step."""
        return Scheduler(
            self.model,
            self.processor,
            max_batch=self.max_batch,
            prefill_tokens=self.prefill_tokens,
            encoder_cache=self.encoder_cache,
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
        scheduler = self.scheduler()
        scheduler.add(request)
        while scheduler.busy:
            served, refused = scheduler.step()
            for _, _, error in refused:
                raise error
            for running in served:
                if piece := running.text.take():
                    yield piece


def available_device(name: torch.device | str) -> torch.device:
    """The torch device of that name. Raises `UsageError` where this machine or this torch doesn't have it."""
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError):
        raise UsageError(f"device {str(name)!r} is not available here") from None
    return device
