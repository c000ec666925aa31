"""What every test relies on: one thread, a fixed seed, hypothesis without surprises, and the smallest whole recipe."""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Before torch and numpy are imported anywhere: they read these once. Threads that share few cores only wait.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[variable] = "1"

settings.register_profile(
    "vergence",
    deadline=None,
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("vergence")


@pytest.fixture(autouse=True)
def _one_thread_and_a_fixed_seed() -> None:
    """Seed what the test module has imported; tests that need no torch don't pay for its import."""
    random.seed(0)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
        torch.manual_seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)


SMALL = r"""
name: small
seed: 7
threads: 1
model:
  vision: {width: 32, depth: 1, heads: 2, mlp_width: 32}
  projector: {hidden: 32}
  language: {vocab_size: 600, width: 32, depth: 1, heads: 2, kv_heads: 1, mlp_width: 32, context: 256}
  processing: {min_pixels: 784, max_pixels: 7056}
stages:
- name: encoder
  objective: contrastive
  tokens: 960
  row_tokens: 160
  rows: 2
  mixture: [{source: shapes, style: caption}, {source: digits, style: caption}]
  parameters: [{pattern: 'vision\..*|heads\..*'}, {pattern: '.*', frozen: true}]
  optimizer: {lr: 3e-3, warmup_steps: 1}
- name: words
  objective: text
  tokens: 470
  row_tokens: 160
  mixture: [{source: shapes, style: text}, {source: digits}]
  parameters: [{pattern: 'language\..*'}, {pattern: '.*', frozen: true}]
  optimizer: {lr: 3e-3, warmup_steps: 1}
- name: answers
  objective: answers
  tokens: 1280
  row_tokens: 160
  rows: 2
  mixture: [{source: shapes, turns: 2}, {source: digits, style: question}]
  optimizer: {lr: 3e-3, final_lr: 1e-3}
  keep_optimizer: true
evaluation: {tasks: [digit, colour], samples: 2, stage_samples: 1, every_steps: 2, batch: 8}
loader: {lanes: 2, open_rows: 2}
checkpoint: {every_steps: 2}
"""


@pytest.fixture(scope="session")
def small_recipe(tmp_path_factory) -> Path:
    """A recipe of three stages, one for each objective, and ten steps that take less than a second together."""
    path = tmp_path_factory.mktemp("recipe") / "small.yaml"
    path.write_text(SMALL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def small_run(small_recipe, tmp_path_factory) -> Path:
    """The folder of that recipe's unbroken run, to be read only."""
    from vergence.data.recipes import load_checked_recipe
    from vergence.training.trainer import Trainer

    path = tmp_path_factory.mktemp("run") / "small"
    Trainer(load_checked_recipe(small_recipe), path).run()
    return path
