"""Chat templates are data: complete, without repeated tokens, and refused by name."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.config import ConfigError, parse
from vergence.conversation import Conversation, ImagePart, Role, VideoPart, assistant, user
from vergence.errors import DataError, UsageError
from vergence.presets import PRESETS
from vergence.processing.pieces import Piece
from vergence.processing.template import ChatTemplate, load_template
from vergence.processing.thoughts import THOUGHT_MARKS, opens_thought, split_thought
from vergence.processing.tokenizer import Tokenizer

SEED = [name for name in PRESETS if PRESETS[name].processing.template == "seed"]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


@pytest.mark.parametrize("preset", SEED)
def test_every_seed_preset_has_a_template_with_every_role(preset):
    template = load_template(PRESETS[preset].processing.template)
    assert set(template.roles) == set(get_args(Role))
    assert all(template.special_tokens)
    assert len(set(template.special_tokens)) == len(template.special_tokens), "each token has one meaning"
    assert len(template.special_tokens) == 2 + len(template.roles) + 4


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_names_a_template_that_lays_out_its_media(preset):
    processing = PRESETS[preset].processing
    tokenizer = Tokenizer.load("tiny")
    media = [processing.image_token, *([processing.video_token] if processing.video_token else [])]
    template = load_template(processing.template, tokenizer, media=media)
    image, video = ImagePart(b"i"), VideoPart(b"v")
    conversation = Conversation((user("AAA", image, "BBB", video, image), assistant("CCC"), user(image, "DDD")))
    text = "".join("MMM" if p.kind == "media" else p.text for p in template.render(conversation, generate=True))
    assert re.findall("AAA|BBB|CCC|DDD|MMM", text) == ["AAA", "MMM", "BBB", "MMM", "MMM", "CCC", "MMM", "DDD"]


def test_the_seed_template_puts_its_tokens_around_contents():
    template = load_template("seed")
    conversation = Conversation(
        (user("q<|end|>", ImagePart(b"x")), assistant("a", loss=False), user("r"), assistant("b"))
    )
    assert template.render(conversation) == [
        Piece("special", "<|begin|>"),
        Piece("special", "<|user|>"),
        Piece("text", "q<|end|>"),
        Piece("media"),
        Piece("special", "<|end|>"),
        Piece("special", "<|assistant|>"),
        Piece("text", "a"),
        Piece("special", "<|end|>"),
        Piece("special", "<|user|>"),
        Piece("text", "r"),
        Piece("special", "<|end|>"),
        Piece("special", "<|assistant|>"),
        Piece("text", "b", learned=True),
        Piece("special", "<|end|>", learned=True),
    ]
    learned = [p.text for p in template.render(conversation, learn="text") if p.learned]
    assert learned == ["q<|end|>", "r", "b", "<|end|>"]
    prompt = Conversation(conversation.messages[:3])
    assert template.render(prompt, generate=True)[-1] == Piece("special", "<|assistant|>")
    assert template.render(prompt, generate=True, thinking=False) == template.render(prompt, generate=True)
    assert template.ends == ("<|end|>",)


def test_a_role_that_a_template_lacks_is_refused():
    data = load_template("seed").model_dump()
    template = parse(ChatTemplate, {**data, "roles": {"user": "<|user|>"}}, source="template x")
    with pytest.raises(DataError, match="template seed has no role 'assistant'; it has user"):
        template.render(Conversation((user("a"), assistant("b"))))


@pytest.mark.parametrize(
    ("answer", "thought", "rest"),
    [
        ("yes", None, "yes"),
        ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
        ("\n<think>hm</think>yes", "hm", "yes"),
        ("<think></think>yes", "", "yes"),
        ("hm</think>\nyes", "hm", "yes"),  # the opening mark stood in the prompt
        ("<think>hm", "hm", ""),
        ("<think>hm</thi", "hm", ""),
        ("<think>a < b</think> c</think>", "a < b", "c</think>"),
        ("say <think>x</think> twice", None, "say <think>x</think> twice"),
        ("◁think▷hm◁/think▷yes", "hm", "yes"),
        ("◁think▷hm◁/thi", "hm", ""),
        ("hm◁/think▷yes", "hm", "yes"),
        ("", None, ""),
    ],
)
def test_a_thought_is_split_from_its_answer(answer, thought, rest):
    assert split_thought(answer) == (thought, rest)
    if thought is None and "<think>" not in answer:
        assert split_thought(answer, opened=True) == (answer, ""), "cut off before the closing mark"


@given(st.sampled_from(THOUGHT_MARKS), TEXT, TEXT)
def test_any_thought_comes_back(marks, thought, answer):
    joined = f"{marks[0]}{thought}{marks[1]}{answer}"
    assert split_thought(joined) == (thought.strip(), answer.lstrip())
    assert split_thought(joined.removeprefix(marks[0]), opened=True) == (thought.strip(), answer.lstrip())


def test_a_prompt_that_opens_a_thought_is_known():
    assert opens_thought([Piece("special", "<|im_start|>"), Piece("text", "assistant\n<think>\n")])
    assert opens_thought([Piece("special", "<|x|>"), Piece("text", "◁think▷")])
    assert not opens_thought([Piece("text", "assistant\n<think>\n\n</think>\n\n")])
    assert not opens_thought([Piece("text", "<think>"), Piece("special", "<|end|>")])
    assert not opens_thought([])


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
    with pytest.raises(UsageError, match=r"no chat template 'sed'; there are: chatml, kimi, seed"):
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
