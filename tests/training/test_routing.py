"""What routers did in a step: counted over rows and threads alike, and moving only the biases that may move."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from vergence.data import catalogue
from vergence.data.mixture import Mixture
from vergence.inputs import ModelInputs, PackedBatch, pack
from vergence.models.language.experts import RouterLog
from vergence.models.vlm import VLM, router_log
from vergence.presets import PRESETS
from vergence.processing.processor import Processor
from vergence.processing.tokenizer import Tokenizer
from vergence.recipe import MixtureEntry
from vergence.training.gradients import step_gradients
from vergence.training.routing import balance, load_figures, step_loads

CONFIG = PRESETS["kimi-vl-tiny"]


@pytest.fixture(scope="module")
def samples() -> list[ModelInputs]:
    """Six conversations about pictures of every size that is drawn."""
    processor = Processor(CONFIG, Tokenizer.load("tiny"))
    kinds = [MixtureEntry(source=kind, style="question") for kind in catalogue.KINDS]
    mixture = Mixture(kinds, split="train", seed=0)
    return [processor(mixture.conversation(position)) for position in range(6)]


def make_model() -> VLM:
    model = VLM(CONFIG)
    model.initialise(0)
    return model


def step(model: VLM, batches: list[PackedBatch], threads: int) -> tuple[list[RouterLog], float]:
    """The logs of a step's rows and its loss; gradients are in the parameters."""
    logs = [router_log(batch) for batch in batches]
    units = sum(batch.targets for batch in batches)
    rows = list(zip(batches, logs, strict=True))
    with ThreadPoolExecutor(threads) as executor:
        loss = step_gradients(rows, lambda row: model.loss(*row) / units, list(model.parameters()), executor)
    return logs, loss


def biases(model: VLM) -> list[Tensor]:
    return [mixture.bias.clone() for mixture in model.language.mixtures]


def test_several_rows_in_threads_balance_as_one_row_of_all(samples):
    several, single = make_model(), make_model()
    apart = [pack(samples[:1]), pack(samples[1:4]), pack(samples[4:])]
    together = [pack(samples)]
    units = together[0].targets
    figures = []
    for model, batches in ((several, apart), (single, together)):
        logs, _ = step(model, batches, threads=len(batches))
        loads = step_loads(logs)
        assert [int(load.sum()) for load in loads] == [together[0].input_ids.numel() * 2] * 2, "two experts a token"
        balance(model.language, loads)
        figures.append(load_figures(logs, loads, units))
    assert all(torch.equal(a, b) for a, b in zip(biases(several), biases(single), strict=True))
    assert all(bias.abs().max() > 0 for bias in biases(single))
    assert figures[0]["balance_loss"] == pytest.approx(figures[1].pop("balance_loss"), rel=1e-5)
    assert figures[0].items() >= figures[1].items()
    pairs = zip(several.parameters(), single.parameters(), strict=True)
    for own, other in pairs:
        torch.testing.assert_close(own.grad, other.grad, atol=1e-5, rtol=1e-3)


def test_the_number_of_threads_changes_nothing_at_all(samples):
    batches = [pack(samples[:2]), pack(samples[2:3]), pack(samples[3:])]
    runs = []
    for threads in (1, 3, 2):
        model = make_model()
        logs, loss = step(model, batches, threads)
        loads = step_loads(logs)
        balance(model.language, loads)
        gradients = [p.grad.clone() for p in model.parameters()]
        units = sum(batch.targets for batch in batches)
        runs.append((loss, load_figures(logs, loads, units), [*loads, *biases(model), *gradients]))
    for loss, figures, tensors in runs[1:]:
        assert (loss, figures) == runs[0][:2]
        assert all(torch.equal(a, b) for a, b in zip(tensors, runs[0][2], strict=True))


@pytest.mark.parametrize("frozen", ["none", "router", "language"])
def test_the_biases_of_a_frozen_router_stay(frozen):
    model = make_model()
    first, second = model.language.mixtures
    if frozen == "router":
        first.router.weight.requires_grad_(False)
    if frozen == "language":
        model.language.requires_grad_(False)
    balance(model.language, [torch.tensor([8, 0, 0, 0, 0, 0, 0, 0])] * 2)
    assert bool(first.bias.any()) == (frozen == "none")
    assert bool(second.bias.any()) == (frozen != "language")


def test_without_loads_nothing_moves():
    model = make_model()
    balance(model.language, step_loads([RouterLog(torch.tensor([1]))]))
    assert not any(bias.any() for bias in biases(model))
    assert load_figures([RouterLog(torch.tensor([1]))], [], 1) == {}


def test_the_figures_are_those_of_their_definition():
    logs = [RouterLog(torch.tensor([3])), RouterLog(torch.tensor([1]))]
    logs[0].counts += [torch.tensor([4, 0, 0, 0]), torch.tensor([1, 1, 1, 1])]
    logs[1].counts += [torch.tensor([2, 2, 0, 0]), torch.tensor([0, 2, 1, 1])]
    logs[0].balance += [torch.tensor(0.5), torch.tensor(0.25)]
    logs[1].balance += [torch.tensor(1.0), torch.tensor(0.25)]
    loads = step_loads(logs)
    assert [load.tolist() for load in loads] == [[6, 2, 0, 0], [1, 3, 2, 2]]
    assert load_figures(logs, loads, 4) == {"expert_load_max": 3.0, "experts_unused": 2, "balance_loss": 0.5}
