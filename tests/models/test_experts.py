"""The mixture of experts: it equals a loop over tokens, the balance loss its formula, and biases even out loads."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vergence.inputs import IGNORE, ModelInputs, Segments, pack
from vergence.model_config import ExpertsConfig, LanguageConfig, ModelConfig
from vergence.models.language.experts import Experts, MixtureOfExperts, RouterLog, SwiGLU, grouped_linear
from vergence.models.vlm import VLM, router_log

WIDTH = 16


def make_mixture(seed: int = 0, **changes: Any) -> MixtureOfExperts:
    """A mixture whose every weight and bias is random."""
    config = ExpertsConfig(**{"count": 6, "active": 2, "shared": 1, "width": 8, **changes})
    mixture = MixtureOfExperts(WIDTH, config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in mixture.state_dict().values():
            weight.normal_(std=0.4, generator=generator)
    return mixture


def make_tokens(count: int, seed: int = 1) -> Tensor:
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def one_expert(experts: Experts, index: int, x: Tensor) -> Tensor:
    gate, up = F.linear(x, experts.gate_up[index]).chunk(2, dim=-1)
    return F.linear(F.silu(gate) * up, experts.down[index])


def token_by_token(mixture: MixtureOfExperts, x: Tensor) -> Tensor:
    """The definition: each token through its own experts, one after the other."""
    config, outputs = mixture.config, []
    for token in x:
        scores = torch.sigmoid(mixture.router.weight @ token)
        chosen = sorted(range(config.count), key=lambda i: -float(scores[i].detach() + mixture.bias[i]))[
            : config.active
        ]
        total = sum(scores[i] for i in chosen) if config.normalise else 1.0
        mixed = sum(config.scale * scores[i] / total * one_expert(mixture.experts, i, token) for i in chosen)
        if mixture.shared is not None:
            gate, up = mixture.shared.gate_up(token).chunk(2)
            mixed = mixed + mixture.shared.down(F.silu(gate) * up)
        outputs.append(mixed)
    return torch.stack(outputs)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"shared": 0},
        {"shared": 2, "normalise": False},
        {"active": 6},
        {"active": 1, "scale": 1.0},
        {"count": 40, "active": 3},
    ],
    ids=str,
)
def test_a_mixture_equals_the_loop_over_tokens_forward_and_backward(changes):
    mixture, reference = make_mixture(**changes), make_mixture(**changes)
    x, y = make_tokens(23).requires_grad_(), make_tokens(23).requires_grad_()
    weight = make_tokens(23, seed=9)
    found, expected = mixture(x, Segments.from_lengths([23])), token_by_token(reference, y)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    (found * weight).sum().backward()
    (expected * weight).sum().backward()
    torch.testing.assert_close(x.grad, y.grad, atol=1e-5, rtol=1e-4)
    for (name, own), other in zip(mixture.named_parameters(), reference.parameters(), strict=True):
        theirs = torch.zeros_like(other) if other.grad is None else other.grad
        torch.testing.assert_close(own.grad, theirs, atol=1e-5, rtol=1e-4, msg=name)
    assert mixture.router.weight.grad.abs().max() > 0 or changes.get("active") == 1, "the router learns"


@given(counts=st.lists(st.integers(0, 5), min_size=1, max_size=8).filter(any), seed=st.integers(0, 100))
def test_grouped_products_equal_those_of_every_row(counts, seed):
    """Any loads: experts without a token, one expert with all of them."""
    generator = torch.Generator().manual_seed(seed)
    matrices = [torch.randn(len(counts), 5, 3, generator=generator).requires_grad_() for _ in range(2)]
    with torch.no_grad():
        matrices[1].copy_(matrices[0])
    x = torch.randn(sum(counts), 3, generator=generator)
    owner = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    found = grouped_linear(x, matrices[0], torch.tensor(counts))
    expected = torch.stack([matrices[1][group] @ row for group, row in zip(owner, x, strict=True)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(matrices[0].grad, matrices[1].grad, atol=1e-4, rtol=1e-4)


@given(
    bias=st.lists(st.floats(-1, 1, width=32), min_size=6, max_size=6),
    tokens=st.integers(1, 20),
    seed=st.integers(0, 100),
)
def test_any_routing_equals_the_loop_over_tokens(bias, tokens, seed):
    """Biases push all tokens to few experts, so that others stay empty."""
    mixture = make_mixture(seed)
    mixture.bias.copy_(torch.tensor(bias))
    x = make_tokens(tokens, seed)
    with torch.no_grad():
        scores, chosen, _ = mixture.route(x)
        gap = (scores + mixture.bias).sort(dim=-1, descending=True).values
        if (gap[:, 1] - gap[:, 2]).min() < 1e-5:
            return  # a tie may be broken either way
        found = mixture(x, Segments.from_lengths([tokens]))
        torch.testing.assert_close(found, token_by_token(mixture, x), atol=1e-5, rtol=1e-5)
    assert chosen.shape == (tokens, 2)
    assert all(len(set(row)) == 2 for row in chosen.tolist())


def test_experts_are_swiglu_mlps():
    experts, mlp = Experts(WIDTH, 8, 2), SwiGLU(WIDTH, 8)
    with torch.no_grad():
        for weight in (experts.gate_up, experts.down):
            weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
        mlp.gate_up.weight.copy_(experts.gate_up[1])
        mlp.down.weight.copy_(experts.down[1])
        x = make_tokens(4)
        found = experts(x, torch.tensor([0, 4]))
        torch.testing.assert_close(found, mlp(x, Segments.from_lengths([4])), atol=1e-6, rtol=1e-5)


def test_biases_choose_and_never_weigh():
    mixture, x = make_mixture(), make_tokens(12)
    with torch.no_grad():
        mixture.bias.copy_(torch.tensor([9.0, 9.0, 0, 0, 0, 0]))
        scores, chosen, weights = mixture.route(x)
    assert {frozenset(row) for row in chosen.tolist()} == {frozenset({0, 1})}
    expected = scores.gather(1, chosen)
    torch.testing.assert_close(weights, 2.446 * expected / expected.sum(dim=1, keepdim=True))
    assert "bias" not in dict(mixture.named_parameters())


def balance_of(mixture: MixtureOfExperts, sample: Tensor) -> float:
    """DeepSeek-V3, equations 17 to 20, of one sample, expert by expert."""
    config, total = mixture.config, 0.0
    scores, chosen, _ = mixture.route(sample)
    for expert in range(config.count):
        times = sum(expert in row for row in chosen.tolist())
        frequency = config.count / (config.active * len(sample)) * times
        share = sum(float(row[expert] / row.sum()) for row in scores.detach()) / len(sample)
        total += frequency * share
    return config.balance_loss * total


def test_the_balance_loss_is_its_formula_and_packing_does_not_change_it():
    mixture = make_mixture(balance_loss=0.7)
    samples, targets = [make_tokens(n, seed=n) for n in (9, 4, 17)], [5, 0, 11]
    log = RouterLog(torch.tensor(targets))
    mixture(torch.cat(samples), Segments.from_lengths([9, 4, 17]), log)
    expected = sum(balance_of(mixture, sample) * count for sample, count in zip(samples, targets, strict=True))
    assert log.balance[0].item() == pytest.approx(expected, rel=1e-5)
    assert expected > 1.0
    apart = 0.0
    for sample, count in zip(samples, targets, strict=True):
        single = RouterLog(torch.tensor([count]))
        mixture(sample, Segments.from_lengths([len(sample)]), single)
        apart += single.balance[0].item()
    assert log.balance[0].item() == pytest.approx(apart, rel=1e-5)
    assert torch.equal(log.counts[0], mixture.route(torch.cat(samples))[1].flatten().bincount(minlength=6))


def test_the_balance_loss_pulls_scores_away_from_what_is_chosen_often():
    mixture, x = make_mixture(balance_loss=1.0), make_tokens(64) + 0.5
    with torch.no_grad():
        mixture.router.weight[:2] += 0.2  # what all tokens have in common makes two experts the favourites
        mixture.bias.zero_()
    segments, optimizer = Segments.from_lengths([64]), torch.optim.SGD(mixture.router.parameters(), lr=1.0)
    losses = []
    for _ in range(60):
        log = RouterLog(torch.tensor([1]))
        mixture(x, segments, log)
        optimizer.zero_grad()
        log.balance[0].backward()
        optimizer.step()
        losses.append(log.balance[0].item())
    assert losses[0] > 1.03
    assert losses[-1] == pytest.approx(1.0, abs=0.01), "even loads and shares give alpha itself"


def test_a_model_adds_the_balance_loss_of_every_mixture():
    config = ModelConfig(
        language=LanguageConfig(
            vocab_size=50,
            width=WIDTH,
            depth=3,
            heads=2,
            kv_heads=2,
            mlp_width=24,
            experts=ExpertsConfig(count=6, active=2, shared=1, width=8, balance_loss=0.5),
        )
    )
    model = VLM(config)
    model.initialise(0)
    generator = torch.Generator().manual_seed(4)
    samples = []
    for length in (7, 12):
        ids = torch.randint(0, 50, (length,), generator=generator)
        labels = torch.where(torch.rand(length, generator=generator) < 0.5, ids, IGNORE)
        none = torch.empty(0, 2, dtype=torch.long)
        samples.append(ModelInputs(ids, labels, torch.empty(0, 0, dtype=torch.uint8), none, none[:, 0]))
    batch = pack(samples)
    log = router_log(batch)
    assert log.targets.tolist() == [pack([sample]).targets for sample in samples]
    loss = model.loss(batch, log)
    assert len(log.balance) == len(log.counts) == 2, "the first layer is dense"
    assert [int(counts.sum()) for counts in log.counts] == [19 * 2] * 2
    torch.testing.assert_close(loss, model.loss(batch) + sum(log.balance))
    apart = sum(model.loss(pack([sample]), router_log(pack([sample]))) for sample in samples)
    torch.testing.assert_close(loss, apart, atol=1e-4, rtol=1e-5)
    before = [mixture.bias.clone() for mixture in model.language.mixtures]
    for mixture, loads in zip(model.language.mixtures, log.counts, strict=True):
        mixture.update_bias(loads)
    for mixture, bias, counts in zip(model.language.mixtures, before, log.counts, strict=True):
        assert torch.equal((mixture.bias - bias > 0), counts < counts.float().mean()) or counts.unique().numel() < 3


@given(loads=st.lists(st.integers(0, 1000), min_size=6, max_size=6))
def test_biases_move_by_their_formula(loads):
    """b_i += u (sign(e_i) - mean of sign(e)), e_i the mean load less the expert's: Moonlight, appendix C."""
    mixture = make_mixture(bias_rate=0.25)
    before = mixture.bias.clone()
    mixture.update_bias(torch.tensor(loads))
    mean = sum(loads) / 6
    signs = [(mean > load) - (mean < load) for load in loads]
    expected = [0.25 * (sign - sum(signs) / 6) for sign in signs]
    torch.testing.assert_close(mixture.bias - before, torch.tensor(expected), atol=1e-6, rtol=1e-5)
    assert float((mixture.bias - before).sum()) == pytest.approx(0, abs=1e-5)


def test_moving_biases_even_out_the_loads_of_a_lopsided_router():
    mixture, x = make_mixture(count=8, bias_rate=0.01), make_tokens(512) + 0.5
    with torch.no_grad():
        mixture.router.weight[:2] += 0.2  # what all tokens have in common makes two experts the favourites
        mixture.bias.zero_()

    def unevenness() -> float:
        loads = mixture.route(x)[1].flatten().bincount(minlength=8).float()
        return float(loads.max() / loads.mean()) - 1

    first = unevenness()
    for _ in range(200):
        mixture.update_bias(mixture.route(x)[1].flatten().bincount(minlength=8))
    assert first > 1
    assert unevenness() < 0.1


def test_routing_is_done_in_single_precision_for_half_precision_weights():
    mixture, x = make_mixture(), make_tokens(40)
    half = make_mixture().to(torch.bfloat16)
    scores, _, weights = half.route(x.to(torch.bfloat16))
    assert scores.dtype == weights.dtype == torch.float32
    rounded = x.to(torch.bfloat16).float() @ mixture.router.weight.to(torch.bfloat16).float().T
    torch.testing.assert_close(scores, rounded.sigmoid(), atol=1e-6, rtol=1e-6)
