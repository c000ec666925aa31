"""What every test relies on: one thread, a fixed seed, and hypothesis without surprises."""

from __future__ import annotations

import os
import random
import sys

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
