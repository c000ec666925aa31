"""A data folder and its shards, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from shard_samples import pack_folder, write_samples


@pytest.fixture(scope="session")
def samples(tmp_path_factory) -> Path:
    """A data folder of 20 conversations, to be read only."""
    return write_samples(tmp_path_factory.mktemp("samples") / "data", 20)


@pytest.fixture(scope="session")
def shards(samples, tmp_path_factory) -> Path:
    """The same in several shards, to be read only."""
    output = tmp_path_factory.mktemp("shards") / "shards"
    pack_folder(samples, output)
    return output


@pytest.fixture
def own_shards(shards, tmp_path) -> Path:
    """A copy of the shards that a test may damage."""
    return Path(shutil.copytree(shards, tmp_path / "own"))
