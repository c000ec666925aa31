"""From scores to a token: pure functions, with random numbers from the request's own generator.

Shapes: `B` requests, `V` vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from vergence.errors import UsageError, VergenceError

MIN_TEMPERATURE = 1e-3  # below it the division would leave fp32's range, and the choice is greedy in effect
MAX_SEED = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How a request's tokens are chosen and when it ends. Raises `UsageError` for a value out of range.

    `temperature` 0 is greedy; `top_p` 1 and `top_k` 0 are off; without `seed` every run differs. `max_tokens` is the
    most tokens to generate (the model's context may end it sooner); text ends before the first of the `stop` strings.
    `logprobs` asks for each token's log-probability.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    max_tokens: int = 512
    stop: tuple[str, ...] = ()
    logprobs: bool = False

    def __post_init__(self) -> None:
        t = self.temperature
        if not (_number(t) and (t == 0 or MIN_TEMPERATURE <= t < math.inf)):
            raise UsageError(f"temperature must be 0 (greedy) or a number from {MIN_TEMPERATURE} on, got {t!r}")
        if not (_number(self.top_p) and 0 < self.top_p <= 1):
            raise UsageError(f"top_p must be more than 0 and at most 1, got {self.top_p!r}")
        if not (_whole(self.top_k) and self.top_k >= 0):
            raise UsageError(f"top_k must be a whole number, 0 (off) or more, got {self.top_k!r}")
        if self.seed is not None and not (_whole(self.seed) and 0 <= self.seed <= MAX_SEED):
            raise UsageError(f"seed must be a whole number from 0 to {MAX_SEED}, got {self.seed!r}")
        if not (_whole(self.max_tokens) and self.max_tokens >= 1):
            raise UsageError(f"max_tokens must be a whole number, 1 or more, got {self.max_tokens!r}")
        if not (isinstance(self.stop, tuple) and all(isinstance(s, str) and s for s in self.stop)):
            raise UsageError(f"stop must be a tuple of strings that are not empty, got {self.stop!r}")


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def new_generator(sampling: Sampling) -> torch.Generator:
    """A request's own source of randomness, on the CPU so that every device draws the same numbers."""
    generator = torch.Generator()
    if sampling.seed is None:
        generator.seed()
    else:
        generator.manual_seed(sampling.seed)
    return generator


def probabilities(logits: Tensor, sampling: Sampling) -> Tensor:
    """The distribution `[..., V]` in fp32 that a token is drawn from; scores `[..., V]`.

    In this order: temperature; top-k (Fan et al. 2018, arXiv 1805.04833), the k likeliest tokens; top-p (Holtzman et
    al. 2019, arXiv 1904.09751), the fewest likeliest tokens that together have at least `top_p` of what is left. Of
    equally likely tokens the lower id ranks first, so top-k keeps exactly k. The likeliest token always stays. Greedy
    is the distribution with all its mass on that token.
    """
    logits = logits.float()
    if sampling.temperature == 0:
        return torch.zeros_like(logits).scatter_(-1, logits.argmax(-1, keepdim=True), 1.0)
    scaled = (logits - logits.amax(-1, keepdim=True)) / sampling.temperature
    vocabulary = logits.shape[-1]
    if not 0 < sampling.top_k < vocabulary and sampling.top_p == 1:
        return scaled.softmax(-1)
    ordered, ids = scaled.sort(dim=-1, descending=True, stable=True)
    if sampling.top_k:
        ordered[..., sampling.top_k :] = -torch.inf
    ordered = ordered.softmax(-1)
    if sampling.top_p < 1:
        before = ordered.cumsum(-1) - ordered  # the mass of the tokens that rank higher
        dropped = before >= sampling.top_p
        dropped[..., 0] = False
        ordered = ordered.masked_fill(dropped, 0.0)
        ordered = ordered / ordered.sum(-1, keepdim=True)
    return torch.zeros_like(ordered).scatter_(-1, ids, ordered)


def draw(distribution: Tensor, generator: torch.Generator) -> int:
    """A token of a distribution `[V]`: the first to arrive when each arrives at the rate of its probability.

    The Gumbel-max trick (Maddison et al. 2014, arXiv 1411.0030) in its exponential form. Rounding in the model changes
    the result only where two arrivals all but coincide; with an inverted cumulative sum every border would count.
    """
    waiting = -torch.rand(distribution.shape, dtype=torch.float64, generator=generator).log()
    return int((distribution.to("cpu", torch.float64) / waiting).argmax())


def choose(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> tuple[int, float]:
    """The next token for scores `[V]`, and its log-probability in the unmodified distribution (see `choose_each`)."""
    tokens, logprobs = choose_each(logits[None], [sampling], [generator])
    return tokens[0], logprobs[0]


def choose_each(
    logits: Tensor, samplings: Sequence[Sampling], generators: Sequence[torch.Generator]
) -> tuple[list[int], list[float]]:
    """The next token of each request, scores `[B, V]`, each by its own rules and its own generator.

    The log-probabilities are those of the model itself: temperature 1, nothing cut off. Greedy takes the lowest id of
    equally likely tokens and draws no random number. Raises `VergenceError` where the scores hold NaN.
    """
    logits = logits.float()
    logprobs = logits.log_softmax(-1)
    if bool(logprobs.isnan().any()):
        raise VergenceError("the model's scores are not numbers (NaN): its weights or its input overflow")
    tokens: list[int] = logits.argmax(-1).tolist()
    for index, sampling in enumerate(samplings):
        if sampling.temperature != 0:
            tokens[index] = draw(probabilities(logits[index], sampling), generators[index])
    chosen = logprobs.gather(1, torch.tensor(tokens, device=logits.device)[:, None]).squeeze(1)
    return tokens, chosen.tolist()
