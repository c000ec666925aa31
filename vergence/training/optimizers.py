"""Which parameters train, and how: one rule list, first match wins, every parameter claimed exactly once."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vergence.errors import UsageError
from vergence.recipe import OptimizerConfig, ParameterRule

MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass(frozen=True)
class ParameterGroup:
    """The trained parameters that one rule claimed and that share a weight decay."""

    pattern: str
    names: tuple[str, ...]
    parameters: tuple[nn.Parameter, ...]
    lr_scale: float
    weight_decay: float


def parameter_groups(
    named: Iterable[tuple[str, nn.Parameter]], rules: Sequence[ParameterRule], weight_decay: float
) -> list[ParameterGroup]:
    """Sort parameters by the first rule whose pattern matches the whole name; frozen ones get `requires_grad=False`.

    Norm gains and biases (fewer than two dimensions) have no weight decay (Seed1.5-VL, section 3). Raises `UsageError`
    where a parameter matches no rule, a rule claims nothing, or nothing is left to train.
    """
    claimed: dict[tuple[int, float], list[tuple[str, nn.Parameter]]] = {}
    used = set()
    for name, parameter in named:
        index = next((i for i, rule in enumerate(rules) if re.fullmatch(rule.pattern, name)), None)
        if index is None:
            raise UsageError(f"no rule of `parameters` claims {name}; end the list with a pattern of '.*'")
        used.add(index)
        parameter.requires_grad_(not rules[index].frozen)
        if not rules[index].frozen:
            decay = weight_decay if parameter.ndim >= 2 else 0.0
            claimed.setdefault((index, decay), []).append((name, parameter))
    idle = [rules[i].pattern for i in range(len(rules)) if i not in used]
    if idle:
        raise UsageError(f"a rule of `parameters` claims no parameter: {', '.join(map(repr, idle))}")
    if not claimed:
        raise UsageError("every parameter is frozen: nothing to train")
    return [
        ParameterGroup(
            rules[index].pattern,
            tuple(name for name, _ in members),
            tuple(parameter for _, parameter in members),
            rules[index].lr_scale,
            decay,
        )
        for (index, decay), members in sorted(claimed.items(), key=lambda item: item[0])
    ]


def adamw(groups: Sequence[ParameterGroup], config: OptimizerConfig) -> torch.optim.AdamW:
    """AdamW over the groups (Loshchilov and Hutter 2019, arXiv 1711.05101), in torch's fused form."""
    return torch.optim.AdamW(
        [
            {"params": list(g.parameters), "lr_scale": g.lr_scale, "weight_decay": g.weight_decay, "names": g.names}
            for g in groups
        ],
        lr=config.lr,
        betas=config.betas,
        eps=config.eps,
        fused=True,
    )


def moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimizer's state by parameter name: `exp_avg.<name>`, `exp_avg_sq.<name>` and `step.<name>`."""
    return {
        f"{kind}.{name}": value
        for group in optimizer.param_groups
        for name, parameter in zip(group["names"], group["params"], strict=True)
        for kind, value in optimizer.state[parameter].items()
    }


def load_moments(optimizer: torch.optim.Optimizer, saved: Mapping[str, Tensor]) -> None:
    """Take over the saved state of every parameter that `moments` wrote one for; others start fresh."""
    for group in optimizer.param_groups:
        for name, parameter in zip(group["names"], group["params"], strict=True):
            state = {kind: saved[f"{kind}.{name}"] for kind in MOMENTS if f"{kind}.{name}" in saved}
            if state:
                optimizer.state[parameter] = {kind: value.to(parameter.device) for kind, value in state.items()}


def learning_rate(step: int, steps: int, config: OptimizerConfig) -> float:
    """The stage's rate for `step` (counted from 0): linear warm-up, then cosine to `final_lr` or constant.

    Source of the cosine: Loshchilov and Hutter 2017 (SGDR), arXiv 1608.03983, equation 5, without restarts.
    """
    if step < config.warmup_steps:
        return config.lr * (step + 1) / config.warmup_steps
    if config.schedule == "constant":
        return config.lr
    progress = (step - config.warmup_steps) / max(steps - config.warmup_steps, 1)
    return config.final_lr + 0.5 * (config.lr - config.final_lr) * (1 + math.cos(math.pi * min(progress, 1.0)))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the rate times its own scale."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def describe(groups: Sequence[ParameterGroup], total: int) -> str:
    """The table of what trains, one line a group, and how many of `total` parameters stay frozen."""
    lines = [f"{'parameters':>12}  {'lr x':>6}  {'decay':>6}  rule"]
    trained = 0
    for group in groups:
        count = sum(p.numel() for p in group.parameters)
        trained += count
        lines.append(f"{count:>12,}  {group.lr_scale:>6g}  {group.weight_decay:>6g}  {group.pattern}")
    lines.append(f"{total - trained:>12,}  frozen")
    return "\n".join(lines)
