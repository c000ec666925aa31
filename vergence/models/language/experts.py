"""The feed-forward half of a decoder layer: a SwiGLU MLP, or a DeepSeek-V3-style mixture of them.

Shapes: `T` tokens of a packed row, `D` width, `E` routed experts, `A` active ones per token, `I` inner width, `S`
samples in the row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vergence.inputs import Segments
from vergence.model_config import ExpertsConfig
from vergence.models.layers import Linear, linear


@dataclass
class RouterLog:
    """What the routers of one forward pass did: tokens per expert `[E]` of each layer, and the summed balance loss.

    The balance loss of a sample counts as often as the sample has targets, so that dividing by the step's targets, as
    for the cross-entropy, gives the mean over them.
    """

    targets: Tensor  # [S], how many positions of each sample carry loss
    counts: list[Tensor] = field(default_factory=list)
    balance: list[Tensor] = field(default_factory=list)


class SwiGLU(nn.Module):
    """`down(silu(gate(x)) * up(x))`, gate and up in one matrix (Shazeer 2020, arXiv 2002.05202)."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.gate_up = Linear(width, 2 * inner, bias=False)
        self.down = Linear(inner, width, bias=False)

    def forward(self, x: Tensor, segments: Segments, log: RouterLog | None = None) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`. A plain MLP has nothing to log."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(F.silu(gate) * up)


class Experts(nn.Module):
    """The routed experts: SwiGLU MLPs whose matrices are stacked, applied to tokens that are sorted by expert."""

    def __init__(self, width: int, inner: int, count: int) -> None:
        super().__init__()
        self.gate_up = nn.Parameter(torch.empty(count, 2 * inner, width))
        self.down = nn.Parameter(torch.empty(count, width, inner))

    def forward(self, x: Tensor, counts: Tensor) -> Tensor:
        """`x` `[N, D]` sorted by expert, `counts` `[E]` tokens of each -> `[N, D]`."""
        gate, up = grouped_linear(x, self.gate_up, counts).chunk(2, dim=-1)
        return grouped_linear(F.silu(gate) * up, self.down, counts)


class MixtureOfExperts(nn.Module):
    """Every token goes to its `A` best routed experts and to the shared ones.

        scores = sigmoid(router(x)) [T, E]; chosen: the A largest of scores + bias
        y = scale * sum over chosen of (score / sum of chosen scores) * expert(x) + shared(x)

    `bias` is no weight: it takes part in choosing alone, and moves after each optimizer step towards even loads
    (`update_bias`). Sources: DeepSeek-V3, arXiv 2412.19437, section 2.1.2; Moonlight, arXiv 2502.16982, appendix C.
    """

    bias: Tensor

    def __init__(self, width: int, config: ExpertsConfig) -> None:
        super().__init__()
        self.config = config
        self.router = Linear(width, config.count, bias=False)
        self.experts = Experts(width, config.width, config.count)
        self.shared = SwiGLU(width, config.shared * config.width) if config.shared else None
        self.register_buffer("bias", torch.zeros(config.count))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> MixtureOfExperts:
        """Moves to a device with the rest, but stays in its own type: in 16 bits its steps of 0.001 would get lost."""
        bias = self.bias
        super()._apply(fn, recurse)
        if not (bias.is_meta or self.bias.is_meta):
            self.bias = bias.to(self.bias.device)
        return self

    def route(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Scores `[T, E]` in fp32, the chosen experts `[T, A]` and their weights `[T, A]`."""
        scores = F.linear(x.float(), self.router.weight.float()).sigmoid()
        chosen = (scores + self.bias.float()).topk(self.config.active, dim=-1, sorted=False).indices
        weights = scores.gather(1, chosen)
        if self.config.normalise:
            weights = weights / (weights.sum(dim=-1, keepdim=True) + 1e-20)
        return scores, chosen, weights * self.config.scale

    def forward(self, x: Tensor, segments: Segments, log: RouterLog | None = None) -> Tensor:
        """`x` `[T, D]` -> `[T, D]`; what the router did is added to `log`."""
        scores, chosen, weights = self.route(x)
        flat = chosen.flatten()
        order = flat.argsort(stable=True)
        tokens = order // self.config.active
        counts = flat.bincount(minlength=self.config.count)
        outputs = self.experts(x.index_select(0, tokens), counts)
        weighted = outputs * weights.flatten().index_select(0, order).to(x.dtype)[:, None]
        mixed = torch.zeros_like(x).index_add(0, tokens, weighted)
        if log is not None:
            log.counts.append(counts)
            log.balance.append(self._balance(scores, chosen, segments, log.targets))
        return mixed if self.shared is None else mixed + self.shared(x, segments)

    def _balance(self, scores: Tensor, chosen: Tensor, segments: Segments, targets: Tensor) -> Tensor:
        """Sequence-wise balance loss: alpha * sum over experts of f_i P_i for each sample, times the sample's targets.

        f_i is E / (A T) times how often the sample's tokens chose expert i, P_i the mean share of its score. Source:
        DeepSeek-V3, equations 17 to 20 (f_i counts the choice as it was made, with the bias, as Moonlight's code does).
        """
        config = self.config
        lengths = segments.cu_seqlens.diff()
        sample = torch.arange(lengths.numel(), device=scores.device).repeat_interleave(lengths)
        shares = scores / (scores.sum(dim=-1, keepdim=True) + 1e-20)
        empty = scores.new_zeros(lengths.numel(), config.count)
        mean_share = empty.index_add(0, sample, shares) / lengths[:, None]
        picked = torch.zeros_like(scores).scatter_(1, chosen, 1.0)
        frequency = empty.index_add(0, sample, picked) * (config.count / config.active) / lengths[:, None]
        return config.balance_loss * ((frequency * mean_share).sum(dim=-1) * targets).sum()

    @torch.no_grad()
    def update_bias(self, counts: Tensor) -> None:
        """Move the biases one step towards even loads, from the tokens per expert `[E]` of an optimizer step.

        b_i += u (sign(e_i) - mean of sign(e)), e_i the mean load less the expert's own. Source: Moonlight, arXiv
        2502.16982, appendix C, on top of Wang et al. 2024, arXiv 2408.15664.
        """
        loads = counts.to(self.bias.device, torch.float32)
        direction = (loads.mean() - loads).sign()
        self.bias += (self.config.bias_rate * (direction - direction.mean())).to(self.bias.dtype)


def grouped_linear(x: Tensor, weight: Tensor, counts: Tensor) -> Tensor:
    """`x` `[N, in]` sorted by group, `weight` `[E, out, in]`, `counts` `[E]` rows of each group -> `[N, out]`.

    On an accelerator one grouped kernel; on a CPU one matrix product for each group that has rows.
    """
    if x.device.type == "cuda" and x.dtype == torch.bfloat16:
        return F.grouped_mm(x, weight.transpose(1, 2), offs=counts.cumsum(0).to(torch.int32))
    sizes = counts.tolist()
    # `unbind`, not indexing: its gradient is one stack, that of each index a tensor of zeros as large as all experts.
    matrices = weight.unbind(0)
    used = [group for group, size in enumerate(sizes) if size]
    parts = x.split([sizes[group] for group in used])
    return torch.cat([linear(part, matrices[group]) for part, group in zip(parts, used, strict=True)])
