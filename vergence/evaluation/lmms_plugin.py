"""Vergence as a model of lmms-eval, found through the entry point group "lmms_eval.models".

    python -m lmms_eval --model vergence --model_args pretrained=runs/demo --tasks mmstar

Chat tasks are run by `VergenceChat`; tasks that rank choices by likelihood need `--force_simple`, which takes
`VergenceSimple` (both in `vergence.evaluation.lmms_models`).
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODELS = "vergence.evaluation.lmms_models"


def manifests() -> list[Any]:
    """What lmms-eval has to know: the model's name and where its classes are. Nothing else is imported."""
    manifest = import_module("lmms_eval.models.registry_v2").ModelManifest
    return [
        manifest(
            model_id="vergence",
            simple_class_path=f"{_MODELS}.VergenceSimple",
            chat_class_path=f"{_MODELS}.VergenceChat",
        )
    ]
