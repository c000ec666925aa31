"""An engine of ours as a model to be evaluated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from vergence.errors import UsageError
from vergence.evaluation.task import Answer, Prompt
from vergence.inference.engine import Engine
from vergence.inference.likelihood import Ranked, Ranking, rank
from vergence.inference.request import Output, Request
from vergence.models.checkpoint import MANIFEST, find_checkpoint, sha256


class Generates(Protocol):
    """What answering takes of an engine; ranking takes a whole `Engine`."""

    def generate(self, requests: Sequence[Request], /) -> list[Output]:
        """Answer all requests, in their order."""
        ...


class EngineModel:
    """Asks an engine. Answers in a batch share its sums, so that their last bits depend on one another.

    Prompts that can't be run get an error, unless `strict`: then the engine's own error is raised.
    """

    independent = False

    def __init__(
        self,
        engine: Engine | Generates,
        name: str = "engine",
        *,
        batch: int = 64,
        description: Mapping[str, Any] | None = None,
        strict: bool = False,
    ) -> None:
        if batch < 1:
            raise UsageError(f"batch: {batch} is not a whole number of at least 1")
        self.engine, self.name, self.batch, self.strict = engine, name, batch, strict
        self._description = dict(description or {"kind": "engine"})

    def description(self) -> Mapping[str, Any]:
        """What identifies the model."""
        return self._description

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        """Generate what is to be generated, and rank what is to be ranked."""
        ranked = [i for i, prompt in enumerate(prompts) if prompt.candidates]
        generated = [i for i, prompt in enumerate(prompts) if not prompt.candidates]
        if generated:
            yield from zip(generated, self._generate([prompts[i] for i in generated]), strict=True)
        if ranked:
            yield from zip(ranked, self._rank([prompts[i] for i in ranked]), strict=True)

    def _generate(self, prompts: Sequence[Prompt]) -> list[Answer]:
        requests = [Request(p.conversation, p.sampling, p.id or None, p.thinking) for p in prompts]
        if self.strict or not isinstance(self.engine, Engine):
            return [self._answer(output) for output in self.engine.generate(requests)]
        return [self._answer(output) for output in self.engine.generate(requests, on_error="return")]

    def _answer(self, output: Output) -> Answer:
        if output.error is not None:  # nothing was read or said, which isn't 0 tokens
            return Answer(finish_reason="error", error=output.error)
        thought = 0
        if output.thought and isinstance(self.engine, Engine):
            thought = len(self.engine.processor.tokenizer.encode(output.thought))
        return Answer(
            text=output.text,
            thought=output.thought,
            finish_reason=output.finish_reason,
            prompt_tokens=output.prompt_tokens,
            image_tokens=output.image_tokens,
            answer_tokens=len(output.token_ids) - thought,
            thought_tokens=thought,
        )

    def _rank(self, prompts: Sequence[Prompt]) -> list[Answer]:
        if not isinstance(self.engine, Engine):
            raise UsageError("this engine can't rank candidates")
        rankings = []
        for prompt in prompts:
            assert prompt.candidates, "only prompts with candidates are ranked"
            wanted = prompt.candidates
            rankings.append(
                Ranking(
                    prompt.conversation,
                    wanted.texts,
                    wanted.template,
                    wanted.end,
                    wanted.unconditional if wanted.reduction == "pmi" else None,
                    prompt.thinking,
                    prompt.id or None,
                )
            )
        return [_ranked(one) for one in rank(self.engine, rankings, on_error="raise" if self.strict else "return")]


def _ranked(ranked: Ranked) -> Answer:
    if ranked.error is not None:
        return Answer(finish_reason="error", error=ranked.error)
    return Answer(candidates=ranked.candidates, prompt_tokens=ranked.prompt_tokens, image_tokens=ranked.image_tokens)


def open_checkpoint_model(
    path: Path, *, device: str = "cpu", dtype: str = "auto", batch: int = 64, name: str | None = None
) -> EngineModel:
    """A checkpoint or run folder of ours; the description holds the hash of its weights' manifest.

    Raises `DataError` for what is no checkpoint, `UsageError` for a device or a type that isn't there.
    """
    engine = Engine.load(path, device=device, dtype=dtype, max_batch=batch)
    description = {
        "kind": "checkpoint",
        "path": str(path),
        "weights": sha256(find_checkpoint(path) / MANIFEST)[:16],  # which holds the hash of every file
        "dtype": str(engine.model.language.embed.weight.dtype).removeprefix("torch."),
    }
    return EngineModel(engine, name or path.name or str(path), batch=batch, description=description)
