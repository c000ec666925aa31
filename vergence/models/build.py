"""`vergence build`: a vision encoder, a fresh projector and a language model joined into a new model.

That is how the three reports begin. The encoder may be initialised by another one's weights where the layers fit:
SigLIP's become MoonViT's as in Kimi-VL (arXiv 2504.07491, section 2.1), or lose their last layer as in LLaVA-OneVision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch

from vergence.config import apply_overrides, nearest, parse
from vergence.errors import DataError, UsageError
from vergence.model_config import LanguageConfig, ModelConfig, VisionConfig
from vergence.models.checkpoint import CHAT_TEMPLATE, Checkpoint, new_checkpoint, write_documents, written_checkpoint
from vergence.models.hub.convert import DTYPES
from vergence.models.hub.plan import check_tensors, expected_tensors
from vergence.models.hub.public import Info
from vergence.models.hub.safetensors_file import write_sharded
from vergence.models.hub.tokenizer_file import read_tokenizer, token_ids, with_special_tokens
from vergence.models.initial import fit_encoder, fresh_tensors, grow_vocabulary, of_dtype
from vergence.models.parts import MakeTokenizer, Part, open_part, usual_dtype
from vergence.presets import PRESETS

TemplateTokens = Callable[[str, Sequence[str]], Sequence[str]]
"""The special tokens that a chat template (by name or path) writes, beside the given placeholders of media."""

MAX_VOCABULARY = 1 << 24  # ids that a tokenizer may count to; a wrong one must not ask for terabytes


@dataclass(frozen=True, slots=True)
class Built:
    """A new checkpoint, its configuration, and what was chosen, in lines for people."""

    checkpoint: Checkpoint
    config: ModelConfig
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Words:
    """A tokenizer.json with all tokens that are needed; `known` ids it had before, and the ids of those `added`."""

    text: str
    known: int
    added: Mapping[str, int]

    @property
    def size(self) -> int:
        return max([self.known - 1, *self.added.values()]) + 1


def build_checkpoint(
    vision: str,
    language: str,
    destination: Path,
    *,
    preset: str | None = None,
    overrides: Sequence[str] = (),
    seed: int = 0,
    dtype: str | None = None,
    template_tokens: TemplateTokens = lambda template, media: (),
    make_tokenizer: MakeTokenizer = lambda source: None,
) -> Built:
    """Join an encoder and a language model into a new checkpoint folder.

    `vision` and `language` are checkpoints of ours, folders of public ones, hub ids or GGUF files; `vision` may be a
    preset's name, for an encoder with random weights. `preset` gives encoder geometry, projector and processing; by
    default it is the one whose encoder is of the same kind. `overrides` are `key=value` of these three.

    Special tokens that the tokenizer lacks are added; their rows of embedding and head are the mean of those in use.
    All weights get one type: `dtype`, or the narrowest that loses nothing. Raises `UsageError` for parts that don't fit
    together and `DataError` for checkpoints that can't be used; nothing is then written.
    """
    _check(destination, dtype, vision, preset)
    speaker = open_part(language, make_tokenizer)
    seer = None if vision in PRESETS else open_part(vision)
    chosen = preset or (vision if seer is None else None)
    config = choose_config(seer.vision if seer else None, chosen, speaker.language, overrides)
    config, texts = _with_template(config, speaker)
    words = _with_tokens(config, speaker, template_tokens)
    texts["tokenizer.json"] = words.text
    size = max(speaker.language.vocab_size, words.size)
    config = config.model_copy(update={"language": config.language.model_copy(update={"vocab_size": size})})
    assert config.vision is not None, "a preset has an encoder"
    if seer:
        seen, changes = fit_encoder(seer, config.vision)
    else:
        seen, changes = fresh_tensors(config, "vision", seed), [f"random weights from seed {seed}"]
    spoken = grow_vocabulary(speaker.of("language"), config.language, words.known, list(words.added.values()))
    types = [usual_dtype(spoken), usual_dtype(seen) if seer else usual_dtype(spoken)]
    usual = DTYPES[dtype] if dtype else torch.promote_types(*types)
    joined = {**seen, **fresh_tensors(config, "projector", seed), **spoken}
    expected = expected_tensors(config)
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    check_tensors(
        cast("Mapping[str, Info]", joined), shapes, optional=set(), unread=set(), where=f"{vision} and {language}"
    )
    origin = {"vision": seer.origin if seer else {"preset": vision}, "language": speaker.origin, "seed": seed}
    with new_checkpoint(destination) as partial:
        write_sharded(partial, [of_dtype(joined[name], usual) for name in expected])
        write_documents(partial, {"model": config.model_dump(mode="json"), "source": origin}, texts)
    notes = _notes(config, vision, changes, language, words, usual, seed)
    return Built(written_checkpoint(destination), config, notes)


def _check(destination: Path, dtype: str | None, vision: str, preset: str | None) -> None:
    """Raise `UsageError` for what is wrong whatever the parts are."""
    if destination.exists() and (not destination.is_dir() or any(destination.iterdir())):
        raise UsageError(f"{destination}: exists already; name a new folder")
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"dtype {dtype!r:.40} is not one of {', '.join(DTYPES)}")
    if preset is not None and preset not in PRESETS:
        near = nearest(preset, PRESETS)
        raise UsageError(f"no preset {preset!r:.60}; " + (f"did you mean {near}?" if near else ", ".join(PRESETS)))
    if vision in PRESETS and preset not in (None, vision):
        raise UsageError(f"vision {vision} is itself a preset, which gives projector and processing too: drop {preset}")


def choose_config(
    encoder: VisionConfig | None, preset: str | None, language: LanguageConfig, overrides: Sequence[str] = ()
) -> ModelConfig:
    """The new model's configuration: a preset's, with this language model, then the overrides.

    Without a `preset`, the `encoder` stays as it is, with projector and processing of the preset whose encoder is of
    its kind. Raises `UsageError` by key.
    """
    sections = {override.partition("=")[0].split(".")[0].strip() for override in overrides}
    if sections & {"language", "preset"}:
        raise UsageError("overrides are for vision, projector and processing; the language model is taken as it is")
    base = PRESETS[preset] if preset else _preset_like(encoder)
    assert base.vision is not None, "a preset has an encoder"
    data = base.model_dump(mode="python")
    data["language"] = language.model_dump(mode="python")
    data["processing"]["tokenizer"] = "tokenizer.json"
    if encoder is not None and not preset:
        data["vision"] = encoder.model_dump(mode="python")
        if base.processing.rule == "anyres" and base.vision.position_table != encoder.position_table:
            data["processing"]["anyres"]["view"] = encoder.position_table * encoder.patch_size
    data = apply_overrides(data, overrides)
    if not any(override.partition("=")[0].strip() == "projector.hidden" for override in overrides):
        data["projector"]["hidden"] = _projector_width(data, base)
    return parse(ModelConfig, data, source="vergence build")


def _projector_width(data: Mapping[str, Any], base: ModelConfig) -> int:
    """The preset's where nothing it depends on is changed; else by what the three reports do.

    Concatenated patches keep their width together (Kimi-VL); otherwise it is the language model's width (LLaVA).
    """
    assert base.projector is not None, "a preset has a projector"
    vision, pooling = parse(VisionConfig, data["vision"], source="vision"), data["projector"]["pooling"]
    width = int(data["language"]["width"])
    if (vision, width, pooling) == (base.vision, base.language.width, base.projector.pooling):
        return base.projector.hidden
    return vision.width * vision.merge_size**2 if pooling == "concatenate" else width


def _preset_like(encoder: VisionConfig | None) -> ModelConfig:
    """The first preset whose encoder is of the same kind. Raises `UsageError` where there is none."""

    def kind(config: VisionConfig) -> tuple[object, ...]:
        return config.rope, config.merge_size, config.bias, config.position_table > 0

    for preset in PRESETS.values():
        if encoder is not None and preset.vision is not None and kind(preset.vision) == kind(encoder):
            return preset
    raise UsageError("no preset has an encoder of this kind; name one with --preset and fit it with vision.* overrides")


def _with_template(config: ModelConfig, speaker: Part) -> tuple[ModelConfig, dict[str, str]]:
    """A template that is no shipped one goes into the checkpoint: the language model's own, or a Jinja file's."""
    name = config.processing.template
    if name == CHAT_TEMPLATE:
        if speaker.template is None:
            raise UsageError(f"{speaker.name}: has no chat template of its own (processing.template={CHAT_TEMPLATE})")
        return config, {CHAT_TEMPLATE: speaker.template}
    path = Path(name)
    if path.suffix != ".jinja":
        return config, {}
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"processing.template={name}: can't be read ({type(error).__name__})") from None
    processing = config.processing.model_copy(update={"template": CHAT_TEMPLATE})
    return config.model_copy(update={"processing": processing}), {CHAT_TEMPLATE: text}


def _with_tokens(config: ModelConfig, speaker: Part, template_tokens: TemplateTokens) -> _Words:
    """The language model's tokenizer with the tokens of media and of the template."""
    if speaker.tokenizer is None:
        raise DataError(f"{speaker.name}: has no tokenizer.json; save its tokenizer with transformers first")
    where, rule = f"{speaker.name}: tokenizer.json", config.processing
    media = [token for token in (rule.image_token, rule.video_token) if token]
    # The language model's own template is written in its own tokens.
    wanted = [*media, *(() if rule.template == CHAT_TEMPLATE else template_tokens(rule.template, media))]
    before = token_ids(read_tokenizer(speaker.tokenizer, where))
    text = with_special_tokens(speaker.tokenizer, wanted, size=MAX_VOCABULARY, where=where)
    after = token_ids(read_tokenizer(text, where))
    added = {token: index for token, index in after.items() if token not in before}
    return _Words(text, max(before.values(), default=-1) + 1, added)


def _notes(
    config: ModelConfig,
    vision: str,
    changes: Sequence[str],
    language: str,
    words: _Words,
    dtype: torch.dtype,
    seed: int,
) -> tuple[str, ...]:
    projector, size = config.projector, config.language.vocab_size
    assert projector is not None, "a preset has a projector"
    plural = "" if len(words.added) == 1 else "s"
    tokens = f"{len(words.added)} token{plural} added" + (f" ({', '.join(words.added)})" if words.added else "")
    return (
        f"preset     {config.preset}: processing {config.processing.rule}, template {config.processing.template}",
        f"vision     {vision}: {', '.join(changes)}",
        f"projector  random weights from seed {seed}: {projector.pooling}, inner width {projector.hidden}",
        f"language   {language}: {tokens}, {size} rows of embeddings",
        f"weights    {str(dtype).removeprefix('torch.')}",
    )
