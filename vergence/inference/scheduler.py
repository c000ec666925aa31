"""Continuous batching: which requests a step serves, and one step of the model for all of them.

Shapes: `T` tokens of a step's packed row, `R` requests that get a token, `W` bytes of a patch.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import torch

from vergence.errors import DataError
from vergence.inference.cache import KeyValueCache
from vergence.inference.encoder_cache import EncoderCache
from vergence.inference.request import FinishReason, Output, Request
from vergence.inference.row import packed_row
from vergence.inference.sampler import choose_each, new_generator
from vergence.inference.text_stream import Kind, TextStream, ThoughtStream
from vergence.inputs import ModelInputs, PackedBatch
from vergence.models.vlm import VLM
from vergence.processing.pieces import Piece
from vergence.processing.processor import Processor
from vergence.processing.thoughts import opens_thought

# More tokens than the opening mark of a thought ever takes.
_MARK_TOKENS = 16


@dataclass(eq=False)
class Running:
    """A request that has been processed, and what has been generated for it."""

    number: int
    request: Request
    prompt_tokens: int
    image_tokens: int
    limit: int  # most tokens to generate
    text: TextStream
    parts: ThoughtStream
    generator: torch.Generator
    token_ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    finish_reason: FinishReason | None = None

    def append(self, token: int, logprob: float, ends: frozenset[int]) -> None:
        """Take in a generated token and decide whether it was the last."""
        self.token_ids.append(token)
        self.logprobs.append(logprob)
        if token in ends or self.text.add(token):
            self.finish_reason = "stop"
        elif len(self.token_ids) == self.limit:
            self.finish_reason = "length"
        if self.finish_reason:
            self.text.finish()
            if self.text.stopped:  # a stop string that only the very last, incomplete character completed
                self.finish_reason = "stop"

    def take(self) -> list[tuple[Kind, str]]:
        """What came since the last call of the thought and of the answer, and can't change any more."""
        return self.parts.add(self.text.take(), last=self.finish_reason is not None)

    def output(self) -> Output:
        """The finished answer."""
        assert self.finish_reason, "the request is still running"
        self.take()
        return Output(
            text=self.parts.text,
            token_ids=self.token_ids,
            logprobs=self.logprobs if self.request.sampling.logprobs else None,
            finish_reason=self.finish_reason,
            prompt_tokens=self.prompt_tokens,
            image_tokens=self.image_tokens,
            request_id=self.request.request_id,
            thought=self.parts.thought,
        )


class Scheduler:
    """Runs requests a token per step. New prompts join while fewer than `max_batch` requests are live.

    Prompts are processed (images decoded) only when their turn comes. A step takes prompts up to `prefill_tokens`
    together, and at least one, in the same packed row as the next token of every live request.
    """

    def __init__(
        self,
        model: VLM,
        processor: Processor,
        *,
        max_batch: int,
        prefill_tokens: int,
        encoder_cache: EncoderCache | None = None,
        ends: frozenset[int] | None = None,
    ) -> None:
        """`ends` are the ids that end an answer; the processor's, where they aren't given."""
        self.model, self.processor = model, processor
        self.ends = processor.ends if ends is None else ends
        self.encoder_cache = encoder_cache or EncoderCache()
        self.max_batch, self.prefill_tokens = max_batch, prefill_tokens
        weight = model.language.embed.weight
        self.cache = KeyValueCache(model.config.language, dtype=weight.dtype, device=weight.device)
        self._waiting: deque[tuple[int, Request]] = deque()
        self._prepared: tuple[Running, ModelInputs] | None = None
        self._live: dict[int, Running] = {}
        self._count = 0

    @property
    def busy(self) -> bool:
        """Whether any request is waiting or running."""
        return bool(self._waiting or self._prepared or self._live)

    def add(self, request: Request) -> int:
        """Queue a request; returns its number."""
        number = self._count
        self._count += 1
        self._waiting.append((number, request))
        return number

    @torch.inference_mode()  # the cache's memory is made, and so may be changed, in this mode only
    def cancel(self, number: int) -> None:
        """Drop a request, waiting or running; nothing happens where it is neither."""
        self._waiting = deque(entry for entry in self._waiting if entry[0] != number)
        if self._prepared and self._prepared[0].number == number:
            self._prepared = None
        if number in self._live:
            del self._live[number]
            self.cache.release(number)

    @torch.inference_mode()
    def step(self) -> tuple[list[Running], list[tuple[int, Request, DataError]]]:
        """One token for every live request. Returns these requests, the finished among them, and what was refused."""
        if self.model.training:
            self.model.eval()
            self.encoder_cache.clear()  # its weights have been trained on, perhaps
        joining, refused = self._admit()
        order = self.cache.begin([(running.number, len(inputs)) for running, inputs in joining])
        served = [*(self._live[number] for number in order), *(running for running, _ in joining)]
        if not served:
            return [], refused
        self._live.update({running.number: running for running, _ in joining})
        batch = self._row(served[: len(order)], [inputs for _, inputs in joining]).to(self.cache.device)
        visual = self.encoder_cache.visual_tokens(self.model, batch) if batch.patches.shape[0] else None
        hidden = self.model(batch, self.cache, visual=visual)
        last = (batch.segments.cu_seqlens[1:] - 1).to(hidden.device)
        logits = self.model.language.logits(hidden[last])
        samplings = [running.request.sampling for running in served]
        tokens, logprobs = choose_each(logits, samplings, [running.generator for running in served])
        for running, token, logprob in zip(served, tokens, logprobs, strict=True):
            running.append(token, logprob, self.ends)
            if running.finish_reason:
                del self._live[running.number]
                self.cache.release(running.number)
        return served, refused

    def _row(self, decoding: list[Running], prompts: list[ModelInputs]) -> PackedBatch:
        """The step's packed row: the newest token of each live request, then the prompts."""
        tokens = [running.token_ids[-1] for running in decoding]
        positions = [running.prompt_tokens + len(running.token_ids) - 1 for running in decoding]
        return packed_row(tokens, positions, prompts, self.model.config.patch_values)

    def _admit(self) -> tuple[list[tuple[Running, ModelInputs]], list[tuple[int, Request, DataError]]]:
        """The requests that join in this step, processed, equal lengths side by side; and those that can't be run."""
        joining: list[tuple[Running, ModelInputs]] = []
        refused: list[tuple[int, Request, DataError]] = []
        total = 0
        while len(self._live) + len(joining) < self.max_batch and (self._prepared or self._waiting):
            if self._prepared is None:
                number, request = self._waiting.popleft()
                try:
                    self._prepared = self._prepare(number, request)
                except DataError as error:
                    refused.append((number, request, error))
                    continue
            total += len(self._prepared[1])
            if joining and total > self.prefill_tokens:
                break
            joining.append(self._prepared)
            self._prepared = None
        joining.sort(key=lambda entry: len(entry[1]))
        return joining, refused

    def _prepare(self, number: int, request: Request) -> tuple[Running, ModelInputs]:
        inputs = self.processor(request.conversation, generate=True, thinking=request.thinking)
        context = self.model.config.language.context
        if len(inputs) >= context:
            raise DataError(
                f"the prompt has {len(inputs)} tokens ({inputs.visual_positions.numel()} of images), which leaves no "
                f"room for an answer in the model's context of {context}"
            )
        sampling, tokenizer = request.sampling, self.processor.tokenizer
        prompt_end = tokenizer.backend.decode(inputs.input_ids[-_MARK_TOKENS:].tolist(), skip_special_tokens=False)
        running = Running(
            number=number,
            request=request,
            prompt_tokens=len(inputs),
            image_tokens=inputs.visual_positions.numel(),
            limit=min(sampling.max_tokens, context - len(inputs)),
            text=TextStream(tokenizer, sampling.stop),
            parts=ThoughtStream(opened=opens_thought([Piece("text", prompt_end)])),
            generator=new_generator(sampling),
        )
        return running, inputs
