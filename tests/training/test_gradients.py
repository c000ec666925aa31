"""A step's gradient: that of all its rows together, the same to the bit for any number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from vergence.inputs import IGNORE, ModelInputs, PackedBatch, pack
from vergence.model_config import LanguageConfig, ModelConfig, ProjectorConfig, VisionConfig
from vergence.models.vlm import VLM
from vergence.training.gradients import step_gradients


@pytest.fixture
def executor() -> Iterator[Executor]:
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def model() -> VLM:
    model = VLM(
        ModelConfig(
            vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
            projector=ProjectorConfig(hidden=16),
            language=LanguageConfig(vocab_size=32, width=16, depth=1, heads=2, kv_heads=1, mlp_width=16),
        )
    )
    model.initialise(0)
    return model


def make_sample(length: int, grid: tuple[int, int] | None) -> ModelInputs:
    """Random pixels and ids; the second half of the ids is learned."""
    patches = grid[0] * grid[1] if grid else 0
    ids = torch.randint(1, 32, (length + patches // 4,))
    labels = ids.clone()
    labels[: ids.numel() // 2] = IGNORE
    return ModelInputs(
        input_ids=ids,
        labels=labels,
        patches=torch.randint(0, 256, (patches, 588), dtype=torch.uint8),
        grids=torch.tensor([grid] if grid else [], dtype=torch.long).reshape(-1, 2),
        visual_positions=torch.arange(1, 1 + patches // 4),
    )


def make_rows() -> list[list[ModelInputs]]:
    """Rows that differ in the number of their samples, targets and images; the last has no image."""
    sizes: list[list[tuple[int, tuple[int, int] | None]]] = [
        [(9, (2, 4)), (5, None), (20, (4, 4))],
        [(30, (2, 2))],
        [(4, None), (7, None)],
    ]
    return [[make_sample(length, grid) for length, grid in row] for row in sizes]


def gradients(parameters: list[nn.Parameter]) -> list[Tensor]:
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]


def test_rows_in_one_step_have_the_gradient_of_one_row_that_holds_them_all(model, executor):
    rows = make_rows()
    batches = [pack(row) for row in rows]
    targets = sum(batch.targets for batch in batches)
    parameters = list(model.parameters())
    loss = step_gradients(batches, lambda batch: model.loss(batch) / targets, parameters, executor)
    found = gradients(parameters)

    together = pack([sample for row in rows for sample in row])
    assert together.targets == targets
    model.zero_grad()
    whole = model.loss(together) / targets
    whole.backward()
    assert loss == pytest.approx(whole.item(), rel=1e-5)
    torch.testing.assert_close(found, gradients(parameters), rtol=1e-4, atol=1e-6)
    assert any(gradient.abs().max() > 1e-3 for gradient in found)


def test_a_row_counts_by_its_targets_not_as_a_row(model, executor):
    """The mean over tokens, whichever row they stand in: the mean of the rows' means would be another loss."""
    batches = [pack(row) for row in make_rows()]
    targets = sum(batch.targets for batch in batches)
    loss = step_gradients(batches, lambda batch: model.loss(batch) / targets, list(model.parameters()), executor)
    sums = [model.loss(batch).item() for batch in batches]
    assert loss == pytest.approx(sum(sums) / targets, rel=1e-6)
    of_means = sum(total / batch.targets for total, batch in zip(sums, batches, strict=True)) / len(batches)
    assert abs(loss - of_means) > 1e-4


@pytest.mark.parametrize("threads", [2, 3, 8])
def test_the_number_of_threads_changes_nothing_at_all(model, threads):
    batches = [pack(row) for row in make_rows()]
    parameters = list(model.parameters())
    results = []
    for workers in (1, threads):
        with ThreadPoolExecutor(workers) as executor:
            loss = step_gradients(batches, model.loss, parameters, executor)
        results.append((loss, gradients(parameters)))
    (one, expected), (other, found) = results
    assert one == other
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_rows_are_summed_in_their_order(executor):
    """1 + 2^24 - 2^24 depends on the order in float32: the first two are added first."""
    weight = nn.Parameter(torch.zeros(()))
    step_gradients([1.0, 2.0**24, -(2.0**24)], lambda scale: weight * scale, [weight], executor)
    assert weight.grad == torch.tensor(1.0) + 2.0**24 - 2.0**24


def test_a_parameter_that_no_row_used_has_no_gradient_and_an_old_one_is_forgotten(executor):
    used, sometimes, unused = (nn.Parameter(torch.ones(2)) for _ in range(3))
    for parameter in (used, sometimes, unused):
        parameter.grad = torch.full((2,), 100.0)

    def loss(row: int) -> Tensor:
        return (used * row).sum() + (sometimes.sum() if row == 2 else 0)

    assert step_gradients([1, 2, 3], loss, [used, sometimes, unused], executor) == 14
    assert used.grad is not None
    assert used.grad.tolist() == [6, 6]
    assert sometimes.grad is not None
    assert sometimes.grad.tolist() == [1, 1]
    assert unused.grad is None


def test_what_is_not_asked_for_gets_no_gradient(model, executor):
    batch: PackedBatch = pack(make_rows()[0])
    model.zero_grad()
    step_gradients([batch], model.loss, list(model.projector.parameters()), executor)
    with_gradient = {name for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert with_gradient == {f"projector.{name}" for name, _ in model.projector.named_parameters()}


def test_an_error_in_a_row_is_not_lost(executor):
    weight = nn.Parameter(torch.ones(()))

    def loss(row: int) -> Tensor:
        if row == 1:
            raise ArithmeticError("row 1")
        return weight * row

    with pytest.raises(ArithmeticError, match="row 1"):
        step_gradients([0, 1, 2], loss, [weight], executor)
