"""Recipes whose kinds of data, settings of kinds, and tasks are known to exist."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vergence.data.catalogue import TASKS
from vergence.data.kinds import KINDS
from vergence.recipe import Recipe, load_recipe


def load_checked_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """A recipe whose kinds of data and tasks are known to exist; every problem is reported in one `ConfigError`."""
    return load_recipe(name, overrides, names={"sources": [*KINDS, "folder"], "tasks": list(TASKS)})
