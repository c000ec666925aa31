"""Which parameters train: every one claimed once by the first rule that matches, and at which rate."""

from __future__ import annotations

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vergence.errors import UsageError
from vergence.model_config import LanguageConfig, ModelConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM
from vergence.recipe import OptimizerConfig, ParameterRule
from vergence.training.optimizers import adamw, describe, learning_rate, parameter_groups, set_learning_rate

PATTERNS = [r"vision\..*", r"projector\.up\..*", r".*\.weight", r".*norm.*", r"language\.layers\.0\..*"]
RULES = st.lists(
    st.builds(
        ParameterRule, pattern=st.sampled_from(PATTERNS), frozen=st.booleans(), lr_scale=st.sampled_from([0.1, 1, 2])
    ),
    max_size=4,
    unique_by=lambda rule: rule.pattern,
)


def make_model() -> VLM:
    return VLM(
        ModelConfig(
            vision=VisionConfig(width=16, depth=2, heads=2, mlp_width=16),
            projector=ProjectorConfig(hidden=16),
            language=LanguageConfig(vocab_size=32, width=16, depth=2, heads=2, kv_heads=1, mlp_width=16),
        )
    )


def rule(pattern: str, **kwargs: object) -> ParameterRule:
    return ParameterRule.model_validate({"pattern": pattern, **kwargs})


@given(RULES, st.booleans())
def test_every_parameter_is_claimed_exactly_once_by_the_first_rule_that_matches(rules, rest_frozen):
    model = make_model()
    named = dict(model.named_parameters())
    rules = [*rules, rule(".*", frozen=rest_frozen, lr_scale=3)]
    first = {name: next(r for r in rules if re.fullmatch(r.pattern, name)) for name in named}
    idle = [r for r in rules if r not in first.values()]
    if idle or all(r.frozen for r in first.values()):
        with pytest.raises(UsageError):
            parameter_groups(model.named_parameters(), rules, 0.1)
        return
    groups = parameter_groups(model.named_parameters(), rules, 0.1)
    claimed = [name for group in groups for name in group.names]
    assert len(claimed) == len(set(claimed))
    assert set(claimed) == {name for name, r in first.items() if not r.frozen}
    for group in groups:
        for name, parameter in zip(group.names, group.parameters, strict=True):
            assert parameter is named[name]
            assert (group.pattern, group.lr_scale) == (first[name].pattern, first[name].lr_scale)
            assert group.weight_decay == (0.1 if parameter.ndim >= 2 else 0.0)
    assert all(parameter.requires_grad != first[name].frozen for name, parameter in named.items())


def test_the_whole_name_has_to_match():
    model = make_model()
    with pytest.raises(UsageError, match=r"no rule of `parameters` claims vision\.embed\.weight; end the list with"):
        parameter_groups(model.named_parameters(), [rule("vision"), rule("language.*"), rule("projector.*")], 0.1)


def test_a_rule_that_claims_nothing_is_named():
    rules = [rule(".*"), rule("vision.*"), rule("visoin.*")]
    with pytest.raises(UsageError, match=r"claims no parameter: 'vision\.\*', 'visoin\.\*'"):
        parameter_groups(make_model().named_parameters(), rules, 0.1)


def test_a_stage_that_freezes_everything_is_refused():
    with pytest.raises(UsageError, match="every parameter is frozen"):
        parameter_groups(make_model().named_parameters(), [rule(".*", frozen=True)], 0.1)


def test_a_parameter_that_was_frozen_trains_again_in_the_next_stage():
    model = make_model()
    parameter_groups(model.named_parameters(), [rule("vision.*", frozen=True), rule(".*")], 0.1)
    assert not any(p.requires_grad for p in model.vision.parameters())
    parameter_groups(model.named_parameters(), [rule(".*")], 0.1)
    assert all(p.requires_grad for p in model.parameters())


def test_adamw_moves_what_trains_with_its_own_rate_and_decay():
    model = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3), "c": nn.Linear(3, 3)})
    rules = [rule("a.*", frozen=True), rule("b.*", lr_scale=0.5), rule(".*")]
    config = OptimizerConfig(lr=0.1, weight_decay=0.2)
    groups = parameter_groups(model.named_parameters(), rules, config.weight_decay)
    optimizer = adamw(groups, config)
    set_learning_rate(optimizer, config.lr)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter) if parameter.requires_grad else None
    optimizer.step()
    for name, parameter in model.named_parameters():
        rate = {"a": 0.0, "b": 0.05, "c": 0.1}[name[0]]
        decay = 0.2 if name.endswith("weight") else 0.0
        expected = before[name] * (1 - rate * decay) - rate  # the first step of Adam is the gradient's sign
        torch.testing.assert_close(parameter.detach(), expected, atol=1e-6, rtol=1e-6)
    assert {group["betas"] for group in optimizer.param_groups} == {(0.9, 0.95)}


def torch_schedule(steps: int, config: OptimizerConfig) -> list[float]:
    """The same by torch's own schedulers: LambdaLR for the warm-up, then CosineAnnealingLR or nothing."""
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=config.lr)
    warmup = config.warmup_steps
    after: torch.optim.lr_scheduler.LRScheduler
    if config.schedule == "cosine":
        after = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, max(steps - warmup, 1), config.final_lr)
    else:
        after = torch.optim.lr_scheduler.ConstantLR(optimizer, 1.0)
    scheduler = after
    if warmup:
        ramp = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (step + 1) / warmup)
        scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [ramp, after], [warmup])
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", ["cosine", "constant"])
@pytest.mark.parametrize(("steps", "warmup", "final"), [(50, 0, 0.0), (50, 7, 1e-4), (20, 19, 0.0), (3, 1, 2e-3)])
def test_the_rate_is_that_of_torchs_schedulers(schedule, steps, warmup, final):
    config = OptimizerConfig(lr=3e-3, final_lr=final, schedule=schedule, warmup_steps=warmup)
    found = [learning_rate(step, steps, config) for step in range(steps)]
    assert found == pytest.approx(torch_schedule(steps, config), rel=1e-9, abs=1e-15)


def test_the_ends_of_the_schedule():
    config = OptimizerConfig(lr=1e-3, final_lr=1e-4, warmup_steps=10)
    assert learning_rate(0, 100, config) == pytest.approx(1e-4)
    assert learning_rate(9, 100, config) == learning_rate(10, 100, config) == 1e-3
    assert learning_rate(100, 100, config) == learning_rate(500, 100, config) == pytest.approx(1e-4)
    assert learning_rate(3, 5, config) == pytest.approx(4e-4), "a stage shorter than its warm-up stays in it"


def test_the_table_adds_up():
    model = make_model()
    total = sum(p.numel() for p in model.parameters())
    groups = parameter_groups(model.named_parameters(), [rule("vision.*", frozen=True), rule(".*", lr_scale=0.5)], 0.1)
    lines = describe(groups, total).split("\n")
    counts = [int(line.split()[0].replace(",", "")) for line in lines[1:]]
    assert sum(counts) == total
    assert counts[-1] == sum(p.numel() for p in model.vision.parameters())
    assert lines[-1].endswith("frozen")
    assert len(lines) == 1 + 2 + 1, "one line a group: with decay and without"
