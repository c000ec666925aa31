"""How likely a model finds given answers: all candidates of a question share one pass over its prompt and images.

```
row:  [ candidates of question 1 | of question 2 | ... | prompt 1 | prompt 2 | ... ]      one packed row [T]
            |                                              |
       attend to their prompt's keys and to          packed causal attention,
       what stands before them in the candidate      its keys and values kept for one layer
```

A candidate's token log-probabilities are those that the model gives it alone behind the prompt. The last token of a
candidate is scored but never read, so one-letter candidates cost nothing beyond the prompt.

Shapes: `T` tokens of the row, `N` candidate tokens that are read, `H` query heads, `K` key/value heads, `D` head size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from vergence.conversation import Conversation, user
from vergence.errors import DataError, VergenceError
from vergence.inference.engine import Engine
from vergence.inference.row import packed_row
from vergence.inputs import ModelInputs, Segments

Reduction = Literal["sum", "mean", "character", "byte", "pmi"]
"""How the log-probabilities of a candidate's tokens become one score.

`sum` is the log-likelihood; `mean` divides it by the tokens, `character` by the text's characters (acc_norm of
lm-evaluation-harness), `byte` by its UTF-8 bytes; `pmi` subtracts the likelihood behind a prompt that doesn't hold the
question (Brown et al. 2020, arXiv 2005.14165, section 2.4; Holtzman et al. 2021, arXiv 2104.08315).
"""

_LOGITS_AT_ONCE = 64  # rows whose scores over the whole vocabulary are in memory together


@dataclass(frozen=True, slots=True)
class Ranking:
    """A question and the answers that are to be compared.

    `template` "chat": a candidate stands where the assistant's answer would; "plain": right behind the contents of the
    messages, without chat template. With `end` the token that ends an answer is scored as well. `unconditional` is the
    text behind which the candidates are measured for the PMI, which is left out where it is None.
    """

    conversation: Conversation
    candidates: tuple[str, ...]
    template: Literal["chat", "plain"] = "chat"
    end: bool = False
    unconditional: str | None = None
    thinking: bool | None = None
    ranking_id: str | None = None


@dataclass(frozen=True, slots=True)
class CandidateScore:
    """Log-probabilities of one candidate: of each scored token, and by every `Reduction` (higher is likelier)."""

    text: str
    tokens: tuple[float, ...]
    sum: float
    mean: float
    character: float
    byte: float
    pmi: float | None = None

    def reduced(self, reduction: Reduction) -> float:
        """The score by that reduction. Raises `ValueError` for a PMI that was not measured."""
        value: float | None = getattr(self, reduction)
        if value is None:
            raise ValueError("the unconditional likelihood of this candidate was not measured")
        return value


@dataclass(frozen=True, slots=True)
class Ranked:
    """The candidates' scores in the order asked, and the prompt's length; `error` says why there are none."""

    candidates: tuple[CandidateScore, ...]
    prompt_tokens: int
    image_tokens: int
    error: str | None = None


def candidate_score(text: str, tokens: Sequence[float], unconditional: float | None = None) -> CandidateScore:
    """All reductions of a candidate's token log-probabilities; `unconditional` is its sum behind the other prompt.

    An empty text, of which the end token alone is scored, counts as one character. Raises `ValueError` without tokens.
    """
    if not tokens:
        raise ValueError(f"candidate {text!r} has no tokens")
    total = float(sum(tokens))
    return CandidateScore(
        text=text,
        tokens=tuple(tokens),
        sum=total,
        mean=total / len(tokens),
        character=total / max(1, len(text)),
        byte=total / max(1, len(text.encode())),
        pmi=None if unconditional is None else total - unconditional,
    )


@dataclass(slots=True)
class _Part:
    """A prompt and its candidates' ids, each distinct sequence once, with the distinct one of each candidate."""

    number: int
    inputs: ModelInputs
    ids: list[tuple[int, ...]]
    places: list[int]

    @property
    def read(self) -> list[int]:
        """How many tokens of each distinct candidate are read."""
        return [len(ids) - 1 for ids in self.ids]

    @property
    def size(self) -> int:
        """Tokens that it adds to a row."""
        return len(self.inputs) + sum(self.read)


def rank(
    engine: Engine, rankings: Sequence[Ranking], *, on_error: Literal["raise", "return"] = "raise"
) -> list[Ranked]:
    """Score the candidates of all rankings, in their order; rows are filled up to the engine's `prefill_tokens`.

    Log-probabilities are taken in fp32. Raises `DataError` for a ranking that can't be run (unreadable media, an empty
    candidate, a prompt too long for the context), naming it; with `on_error="return"` it gets the `error` instead.
    """
    results: dict[int, Ranked] = {}

    def parts() -> Iterator[_Part]:
        for number, ranking in enumerate(rankings):
            try:
                both = list(_parts(engine, 2 * number, ranking))
            except DataError as error:
                if on_error == "raise":
                    raise DataError(f"ranking {ranking.ranking_id or number}: {error}") from None
                results[number] = Ranked((), 0, 0, str(error))
            else:
                yield from both

    scores: dict[int, list[list[float]]] = {}
    sizes: dict[int, tuple[int, int]] = {}
    for row in _rows(parts(), engine.prefill_tokens):
        scores.update({part.number: found for part, found in zip(row, _score(engine, row), strict=True)})
        sizes.update({part.number: (len(part.inputs), part.inputs.visual_positions.numel()) for part in row})
    for number, ranking in enumerate(rankings):
        if number in results:
            continue
        behind = scores.get(2 * number + 1)
        results[number] = Ranked(
            tuple(
                candidate_score(text, tokens, None if behind is None else sum(behind[index]))
                for index, (text, tokens) in enumerate(zip(ranking.candidates, scores[2 * number], strict=True))
            ),
            *sizes[2 * number],
        )
    return [results[number] for number in range(len(rankings))]


def _parts(engine: Engine, number: int, ranking: Ranking) -> Iterator[_Part]:
    """The ranking itself, and its candidates behind the unconditional prompt, where that is asked for."""
    processor, context = engine.processor, engine.model.config.language.context
    if not ranking.candidates:
        raise DataError("there are no candidates to rank")
    end = [processor.end] if ranking.end else []
    ids = [(*processor.tokenizer.encode(text), *end) for text in ranking.candidates]
    for index, found in enumerate(ids):
        if not found:
            raise DataError(f"candidate {index + 1} of {len(ids)} is empty")
    distinct = list(dict.fromkeys(ids))
    places = [distinct.index(found) for found in ids]
    prompts = [ranking.conversation]
    if ranking.unconditional is not None:
        prompts.append(Conversation((user(ranking.unconditional),)))
    plain = ranking.template == "plain"
    for offset, conversation in enumerate(prompts):
        inputs = processor(conversation, generate=not plain, thinking=ranking.thinking, plain=plain)
        longest = len(inputs) + max(map(len, ids))
        if not len(inputs):
            raise DataError("the prompt is empty")
        if longest > context:
            raise DataError(f"prompt and candidate take {longest} tokens, the model's context has {context}")
        yield _Part(number + offset, inputs, distinct, places)


def _rows(parts: Iterator[_Part], limit: int) -> Iterator[list[_Part]]:
    """Parts together up to `limit` tokens, and at least one; those of a row by length, so that similar ones share."""
    row: list[_Part] = []
    for part in parts:
        if row and sum(other.size for other in row) + part.size > limit:
            yield sorted(row, key=lambda one: len(one.inputs))
            row = []
        row.append(part)
    if row:
        yield sorted(row, key=lambda one: len(one.inputs))


@torch.inference_mode()
def _score(engine: Engine, row: list[_Part]) -> list[list[list[float]]]:
    """Token log-probabilities of every candidate of every part, by one pass of the model."""
    model = engine.model
    if model.training:
        model.eval()
        engine.encoder_cache.clear()
    read = [ids[:-1] for part in row for ids in part.ids]
    starts = [len(part.inputs) for part in row for _ in part.ids]
    front = list(chain.from_iterable(read))
    positions = [start + i for start, ids in zip(starts, read, strict=True) for i in range(len(ids))]
    device = model.language.embed.weight.device
    prompts = [part.inputs for part in row]
    batch = packed_row(front, positions, prompts, model.config.patch_values).to(device)
    visual = engine.encoder_cache.visual_tokens(model, batch) if batch.patches.shape[0] else None
    hidden = model(batch, CandidateCache(row, device), visual=visual)
    return _log_probabilities(engine, row, hidden, len(front))


def _log_probabilities(engine: Engine, row: list[_Part], hidden: Tensor, front: int) -> list[list[list[float]]]:
    """Hidden states `[T, W]` of a row with `front` candidate tokens -> log-probability of each candidate's tokens."""
    sources: list[int] = []  # which hidden state tells each wanted token
    targets: list[int] = []
    start, prompt_end = 0, front
    for part in row:
        prompt_end += len(part.inputs)
        for ids in part.ids:
            sources += [prompt_end - 1, *range(start, start + len(ids) - 1)]
            targets += ids
            start += len(ids) - 1
    # Many candidates begin behind the same hidden state: its scores are computed once.
    needed = sorted(set(sources))
    rows = {source: place for place, source in enumerate(needed)}
    wanted: list[list[tuple[int, int]]] = [[] for _ in needed]
    for place, (source, target) in enumerate(zip(sources, targets, strict=True)):
        wanted[rows[source]].append((place, target))
    found = [0.0] * len(targets)
    for begin in range(0, len(needed), _LOGITS_AT_ONCE):
        chosen = torch.tensor(needed[begin : begin + _LOGITS_AT_ONCE], device=hidden.device)
        logprobs = engine.model.language.logits(hidden[chosen]).float().log_softmax(-1)
        pairs = [(i, *pair) for i, asked in enumerate(wanted[begin : begin + _LOGITS_AT_ONCE]) for pair in asked]
        lines = torch.tensor([i for i, _, _ in pairs], device=hidden.device)
        columns = torch.tensor([target for _, _, target in pairs], device=hidden.device)
        for (_, place, _), value in zip(pairs, logprobs[lines, columns].tolist(), strict=True):
            found[place] = value
    if any(value != value for value in found):
        raise VergenceError("the model's scores are not numbers (NaN): its weights or its input overflow")
    flat = iter(found)
    distinct = [[[next(flat) for _ in ids] for ids in part.ids] for part in row]
    return [[scores[place] for place in part.places] for part, scores in zip(row, distinct, strict=True)]


class CandidateCache:
    """What a decoder layer asks of a cache while candidates are scored (`vergence.models.language.attention.Cache`).

    The row holds all candidates' tokens, then the prompts. Keys and values of the prompts are kept for the layer that
    is being computed and no longer.
    """

    def __init__(self, row: Sequence[_Part], device: torch.device) -> None:
        self.prompts = Segments.from_lengths([len(part.inputs) for part in row]).to(device)
        self.decoding = sum(sum(part.read) for part in row)
        self._lengths = [len(part.inputs) for part in row]
        self._counts = [sum(part.read) for part in row]
        self._masks = [_mask(len(part.inputs), part.read).to(device) for part in row]
        self._stored: tuple[tuple[Tensor, ...], tuple[Tensor, ...]] | None = None

    def store(self, layer: int, key: Tensor, value: Tensor | None) -> None:
        """Keep the keys and values `[T, K, D]` of the prompts."""
        keys = key.split(self._lengths)
        self._stored = keys, keys if value is None else value.split(self._lengths)

    def extend(self, layer: int, query: Tensor, key: Tensor, value: Tensor | None, *, scale: float) -> Tensor:
        """Attend the candidates' tokens, `query` `[N, H, D]`, each to its prompt and to its own candidate so far."""
        assert self._stored is not None, "the prompts of a row are stored before its candidates attend to them"
        own = key.split(self._counts), (key if value is None else value).split(self._counts)
        outputs = []
        for i, q in enumerate(query.split(self._counts)):
            if q.shape[0]:
                k, v = (torch.cat([stored[i], new[i]]) for stored, new in zip(self._stored, own, strict=True))
                outputs.append(_attend(q, k, v, self._masks[i], scale))
        return torch.cat(outputs)


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scale: float) -> Tensor:
    """`[N, H, D]`, `[L, K, D]` x 2 -> `[N, H, D]`; `mask` `[N, L]` is true where a key is seen."""
    q, k, v = (x.transpose(0, 1)[None] for x in (query, key, value))
    grouped = q.shape[1] != k.shape[1]
    mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=grouped)
    return mixed[0].transpose(0, 1)


def _mask(prompt: int, read: Sequence[int]) -> Tensor:
    """`[N, prompt + N]` bool: a candidate's token sees the whole prompt, itself, and its candidate before it."""
    owner = torch.arange(len(read)).repeat_interleave(torch.tensor(read))
    count = owner.numel()
    own = (owner[:, None] == owner) & torch.ones(count, count, dtype=torch.bool).tril()
    return torch.cat([torch.ones(count, prompt, dtype=torch.bool), own], dim=1)
