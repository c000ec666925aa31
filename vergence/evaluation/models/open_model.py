"""A model by what a user calls it.

| written | model |
|---|---|
| `runs/demo` | a checkpoint or run folder of ours |
| `transformers:FOLDER` or `transformers:ORG/NAME` | a model of the transformers library |
| `https://HOST/v1#NAME` or `openai:https://HOST/v1#NAME` | a model behind an OpenAI-compatible chat endpoint |
| `recorded:FILE` | answers that are recorded in a file |
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vergence.errors import DataError, UsageError
from vergence.evaluation.models.chat_client import ChatClient
from vergence.evaluation.models.endpoint import EndpointModel
from vergence.evaluation.models.engine_model import open_checkpoint_model
from vergence.evaluation.models.frames import FRAMES
from vergence.evaluation.models.recorded import RecordedModel, read_recorded
from vergence.evaluation.models.transformers_model import TransformersModel
from vergence.evaluation.task import Model
from vergence.models.checkpoint import find_checkpoint

FORMS = "a checkpoint folder, transformers:FOLDER_OR_ID, https://HOST/v1#NAME or recorded:FILE"
_ENDPOINTS = ("http://", "https://", "openai:")


def open_model(
    name: str,
    *,
    device: str = "cpu",
    dtype: str = "auto",
    batch: int | None = None,
    frames: int = FRAMES,
    key_variable: str | None = None,
    timeout: float = 300.0,
) -> Model:
    """Open what `name` stands for (see above). `batch` is how many prompts are asked at once, an endpoint's requests.

    `frames` of a video are shown to models that take pictures only; `key_variable` and `timeout` are for endpoints, see
    `vergence.evaluation.models.chat_client.ChatClient`. Raises `UsageError` for a name that stands for nothing, and
    `DataError` for a checkpoint or a file that can't be used.
    """
    if batch is not None and batch < 1:
        raise UsageError(f"batch: {batch} is not a whole number of at least 1")
    kind, _, rest = name.partition(":")
    if name.startswith(_ENDPOINTS):
        return open_endpoint(name, concurrency=batch or 8, frames=frames, key_variable=key_variable, timeout=timeout)
    if kind == "recorded":
        if not rest:
            raise UsageError("recorded: name the file, as in recorded:answers.jsonl")
        return RecordedModel(read_recorded(Path(rest)))
    if kind == "transformers":
        if not rest:
            raise UsageError("transformers: name a folder or a model of the hub, as in transformers:ORG/NAME")
        return TransformersModel.load(rest, device=device, dtype=dtype, batch=batch or 1, frames=frames)
    return _open_folder(name, device=device, dtype=dtype, batch=batch)


def open_endpoint(
    name: str,
    *,
    concurrency: int = 8,
    frames: int = FRAMES,
    key_variable: str | None = None,
    timeout: float = 300.0,
    extra: dict[str, Any] | None = None,
) -> EndpointModel:
    """The model of `https://HOST/v1#NAME`, for tasks or as a judge. Raises `UsageError` without address or name."""
    url, _, model = name.removeprefix("openai:").partition("#")
    if not model:
        raise UsageError("the endpoint's model is not named: write it behind the address, as in https://HOST/v1#NAME")
    client = ChatClient(url, key_variable=key_variable, timeout=timeout)
    return EndpointModel(client, model, concurrency=concurrency, frames=frames, extra=extra)


def _open_folder(name: str, *, device: str, dtype: str, batch: int | None) -> Model:
    path = Path(name)
    if not path.is_dir():
        raise DataError(f"{name}: no such run or checkpoint folder; expected {FORMS}")
    try:
        find_checkpoint(path)
    except DataError:
        if _is_public(path / "config.json"):
            raise UsageError(
                f"{path}: a checkpoint of transformers, not of Vergence; evaluate transformers:{path}, or turn it into "
                "one of ours with `vergence convert import`"
            ) from None
        raise
    return open_checkpoint_model(path, device=device, dtype=dtype, batch=batch or 64)


def _is_public(config: Path) -> bool:
    """Whether a file is the config.json of a public checkpoint."""
    try:
        document = json.loads(config.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and "model_type" in document
