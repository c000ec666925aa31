"""The special tokens that a chat template writes."""

from __future__ import annotations

import pytest

from vergence.errors import DataError, UsageError
from vergence.processing.special_tokens import template_tokens

MEDIA = ("<image>", "<video>")


def test_our_own_templates_list_theirs():
    assert template_tokens("seed", ("<|image|>",)) == (
        *("<|begin|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"),
        *("<|image_start|>", "<|row_end|>", "<|image_end|>"),
    )


def test_jinja_templates_are_tried_out():
    assert template_tokens("chatml", MEDIA) == ("<|im_start|>", "<|im_end|>")
    assert set(template_tokens("kimi", ("<|media_pad|>",))) == {
        *("<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>"),
        *("<|media_start|>", "<|media_content|>", "<|media_end|>"),
    }


def test_what_appears_only_before_an_answer_is_found(tmp_path):
    path = tmp_path / "mine.jinja"
    path.write_text(
        "{% for m in messages %}<|turn|>{% for p in m.content %}{{ p.text if p.type == 'text' else '<image>' }}"
        "{% endfor %}<|stop|>{% endfor %}{% if add_generation_prompt %}<|answer|>{% endif %}"
    )
    assert template_tokens(str(path), MEDIA) == ("<|turn|>", "<|stop|>", "<|answer|>")


def test_a_name_that_does_not_exist_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="no chat template 'nothing'"):
        template_tokens("nothing", MEDIA)
    path = tmp_path / "broken.jinja"
    path.write_text("{% for %}")
    with pytest.raises(DataError, match=r"broken\.jinja"):
        template_tokens(str(path), MEDIA)
