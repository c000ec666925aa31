"""What is asked of the engine and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from vergence.conversation import Conversation
from vergence.inference.sampler import Sampling

FinishReason = Literal["stop", "length", "error"]


@dataclass(frozen=True, slots=True)
class Request:
    """A conversation whose next assistant turn is wanted. `request_id` names it in errors and in its output.

    `thinking` switches a thought before the answer on or off where the model's chat template knows such a switch.
    """

    conversation: Conversation
    sampling: Sampling = field(default_factory=Sampling)
    request_id: str | None = None
    thinking: bool | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """An answer.

    `text` has no special tokens and ends before a stop string; `thought` is what the model wrote before it between the
    marks of a thought, None where it wrote none. `token_ids` are all tokens that were generated, those of the thought,
    the end token and those of a stop string included, and `logprobs`, where asked for, has one entry for each of them.
    `finish_reason`: "stop" at the end token or a stop string, "length" at `max_tokens` or the end of the model's
    context, "error" where the request could not be run and `error` says why. `image_tokens` of the `prompt_tokens` are
    visual tokens.
    """

    text: str
    token_ids: list[int]
    logprobs: list[float] | None
    finish_reason: FinishReason
    prompt_tokens: int
    image_tokens: int
    error: str | None = None
    request_id: str | None = None
    thought: str | None = None
