"""Tiny random models of the transformers library, saved as on the hub, with a tokenizer of our own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from vergence.processing.tokenizer import Tokenizer, train_tokenizer

SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<image>", "<video>", "<think>", "</think>")
TEXTS = ("What is shown in these pictures?", "a wall of red bricks", "user assistant system")
VIEW = 28
TEMPLATE = """{% for message in messages %}<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content %}\
{% if part.type == 'image' %}<image>
{% else %}{{ part.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% if enable_thinking %}<think>
{% endif %}{% endif %}"""


def tokenizer() -> Tokenizer:
    return train_tokenizer(TEXTS, vocab_size=300, special_tokens=SPECIAL)


def randomise(model: Any, seed: int = 0) -> Any:
    """Weights large enough that the model prefers some tokens clearly."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in model.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.copy_(noise * (weight.shape[-1] ** -0.5) if weight.ndim > 1 else 1 + 0.2 * noise)
    return model.eval()


def publish(model: Any, folder: Path, *, template: bool = True) -> Path:
    """A folder as on the hub: weights, configuration, tokenizer and chat template."""
    model.generation_config.eos_token_id = [SPECIAL.index("<|im_end|>"), SPECIAL.index("<|endoftext|>")]
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer().backend.to_str(), encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>"})
    )
    if template:
        (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def llama(folder: Path, *, context: int = 256, template: bool = True) -> Path:
    """A text model."""
    import transformers

    config = transformers.LlamaConfig(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=context,
    )
    return publish(randomise(transformers.LlamaForCausalLM(config)), folder, template=template)


def llava(folder: Path) -> Path:
    """LLaVA-OneVision of two layers, with pictures of 28 pixels."""
    import transformers

    pinpoints = [[VIEW * i, VIEW * j] for i in (1, 2) for j in (1, 2)]
    vision = transformers.SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=VIEW,
        patch_size=14,
        vision_use_head=False,
    )
    text = transformers.Qwen2Config(
        vocab_size=300,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=512,
    )
    config = transformers.LlavaOnevisionConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=SPECIAL.index("<image>"),
        video_token_index=SPECIAL.index("<video>"),
        image_grid_pinpoints=pinpoints,
        vision_aspect_ratio="anyres_max_4",
    )
    publish(randomise(transformers.LlavaOnevisionForConditionalGeneration(config)), folder)
    cut = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": {"height": VIEW, "width": VIEW}}
    (folder / "preprocessor_config.json").write_text(
        json.dumps({**cut, "image_grid_pinpoints": pinpoints, "image_processor_type": "LlavaOnevisionImageProcessor"})
    )
    whole = {"processor_class": "LlavaOnevisionProcessor", "num_image_tokens": (VIEW // 14) ** 2}
    choice = {"vision_feature_select_strategy": "full", "vision_aspect_ratio": "anyres_max_4"}
    (folder / "processor_config.json").write_text(json.dumps({**whole, **choice}))
    return folder
