"""Chat templates are data: complete, without repeated tokens, and refused by name."""

from __future__ import annotations

from typing import get_args

import pytest

from vergence.config import ConfigError, parse
from vergence.conversation import Role
from vergence.errors import UsageError
from vergence.presets import PRESETS
from vergence.processing.template import ChatTemplate, load_template
from vergence.processing.tokenizer import Tokenizer


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_names_a_shipped_template_with_every_role(preset):
    template = load_template(PRESETS[preset].processing.template)
    assert set(template.roles) == set(get_args(Role))
    assert all(template.special_tokens)
    assert len(set(template.special_tokens)) == len(template.special_tokens), "each token has one meaning"
    assert len(template.special_tokens) == 2 + len(template.roles) + 4


def test_a_token_is_never_part_of_another():
    tokens = load_template("seed").special_tokens
    assert not [(a, b) for a in tokens for b in tokens if a != b and a in b]


def test_the_shipped_tokenizer_has_every_token_of_its_template():
    processing = PRESETS["seed-tiny"].processing
    tokenizer = Tokenizer.load(processing.tokenizer)
    ids = [tokenizer.special(token) for token in load_template(processing.template).special_tokens]
    assert len(set(ids)) == len(ids)
    assert tokenizer.size <= PRESETS["seed-tiny"].language.vocab_size


def test_an_unknown_template_is_named_with_those_there_are():
    with pytest.raises(UsageError, match=r"no chat template 'sed'; there are: .*seed"):
        load_template("sed")
    with pytest.raises(UsageError, match="no chat template"):
        load_template("../templates/seed")


def test_a_template_with_an_unknown_role_or_key_is_refused():
    data = load_template("seed").model_dump()
    with pytest.raises(ConfigError) as caught:
        parse(ChatTemplate, {**data, "roles": {"robot": "<|robot|>"}, "prefix": "x"}, source="template x")
    assert len(caught.value.problems) == 2
    assert any("robot" in problem for problem in caught.value.problems)
    assert any("prefix" in problem for problem in caught.value.problems)
