"""Load a model of the transformers library and its processor, from a folder or the hub; never run code of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from vergence.errors import DataError, UsageError
from vergence.inference.engine import available_device, choose_dtype

_BLOCK = 2**22  # bytes that are hashed at once


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model and what it needs.

    `processor` turns text and pictures into inputs, None for a model of text. `ends` are ids that end an answer.
    `context` is the most tokens it can attend to, None where it doesn't say. `weights` identifies the weights: the
    hub's commit, or the SHA-256 of a folder's weight files.
    """

    model: Any
    tokenizer: Any
    processor: Any | None
    ends: frozenset[int]
    context: int | None
    weights: str


def load(name: str, *, device: torch.device | str = "cpu", dtype: str = "auto") -> Loaded:
    """Load a folder, or a model of the hub by its name; `dtype` as in `vergence.inference.engine.Engine.load`.

    A model that takes pictures is loaded as `AutoModelForImageTextToText`, another as `AutoModelForCausalLM`. Raises
    `UsageError` without transformers, for a name that is neither, and for a model that needs code of its own (which is
    never run) or an encoder with a decoder.
    """
    transformers = import_transformers()
    place = available_device(device)
    try:
        config = transformers.AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"transformers:{name}: can't be loaded ({one_line(error)})") from None
    if getattr(config, "is_encoder_decoder", False):
        raise UsageError(
            f"transformers:{name}: {config.model_type} has an encoder and a decoder; only decoders are known"
        )
    pictures = type(config) in transformers.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
    kind = transformers.AutoModelForImageTextToText if pictures else transformers.AutoModelForCausalLM
    try:
        processor = _load_processor(transformers, name) if pictures else None
        tokenizer = processor.tokenizer if processor else transformers.AutoTokenizer.from_pretrained(name)
        model = kind.from_pretrained(name, dtype="auto", trust_remote_code=False)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise UsageError(f"transformers:{name}: can't be loaded ({one_line(error)})") from None
    model = model.to(device=place, dtype=choose_dtype(dtype, model, place)).eval()
    ends = _ends(model, tokenizer)
    _answer_as_asked(transformers, model, tokenizer, ends)
    context = getattr(config.get_text_config(), "max_position_embeddings", None)
    return Loaded(model, tokenizer, processor, ends, context, _weights(name, config))


def import_transformers() -> Any:
    """The library. Raises `UsageError` where it isn't installed."""
    try:
        return import_module("transformers")
    except ImportError:
        raise UsageError("transformers models need transformers: pip install 'vergence[eval]'") from None


def one_line(error: Exception) -> str:
    """What an error of another library says, on one line of at most 300 characters."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _load_processor(transformers: Any, name: str) -> Any:
    """The model's processor; without torchvision, its picture processor in the version that needs none."""
    if _torchvision_works():
        return transformers.AutoProcessor.from_pretrained(name, trust_remote_code=False)
    old = str(transformers.__version__).startswith("4.")
    choice: dict[str, Any] = {"use_fast": False} if old else {"backend": "pil"}
    with _without_video_processor():
        return transformers.AutoProcessor.from_pretrained(name, trust_remote_code=False, **choice)


def _torchvision_works() -> bool:
    try:
        import_module("torchvision")
    except (ImportError, OSError, RuntimeError):  # the last: one that was built for another torch
        return False
    return True


@contextmanager
def _without_video_processor() -> Iterator[None]:
    """While a processor is loaded: no video processor is demanded.

    All of them need torchvision, so that the processor of a model that knows videos couldn't be loaded at all, although
    only pictures are put in here.
    """
    mixin = import_module("transformers.processing_utils").ProcessorMixin
    videos = import_module("transformers.models.auto.video_processing_auto").AutoVideoProcessor
    check, load_videos = mixin.check_argument_for_proper_class, vars(videos)["from_pretrained"]

    def checked(self: Any, argument: str, value: Any) -> Any:
        return None if argument == "video_processor" else check(self, argument, value)

    try:
        videos.from_pretrained = staticmethod(lambda *_, **__: None)
        mixin.check_argument_for_proper_class = checked
        yield
    finally:
        videos.from_pretrained, mixin.check_argument_for_proper_class = load_videos, check


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """The ids that end an answer, as the model's generation settings state them, or else its tokenizer."""
    stated = model.generation_config.eos_token_id
    ids = stated if isinstance(stated, list) else [stated]
    return frozenset(i for i in (*ids, tokenizer.eos_token_id) if i is not None)


def _answer_as_asked(transformers: Any, model: Any, tokenizer: Any, ends: frozenset[int]) -> None:
    """Forget the checkpoint's own temperature, repetition penalty and the like: only the prompt's sampling counts."""
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"  # the answers of a batch begin at the same place
    model.generation_config = transformers.GenerationConfig(
        eos_token_id=sorted(ends) or None, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id
    )


def _weights(name: str, config: Any) -> str:
    folder = Path(name)
    if not folder.is_dir():
        return str(getattr(config, "_commit_hash", None) or "unknown")
    digest = hashlib.sha256()
    files = sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")])
    if not files:
        raise DataError(f"{folder}: holds no weights (*.safetensors)")
    for path in files:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    return digest.hexdigest()
