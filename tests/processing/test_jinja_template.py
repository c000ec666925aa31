"""Jinja chat templates: the ids of Hugging Face, nothing typed becomes special, and a hostile program gets nowhere."""

from __future__ import annotations

import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from vergence.conversation import Conversation, ImagePart, Message, TextPart, VideoPart, assistant, user
from vergence.errors import DataError, UsageError
from vergence.processing.jinja_template import JinjaTemplate
from vergence.processing.pieces import Piece, Template
from vergence.processing.template import load_template
from vergence.processing.tokenizer import Tokenizer, train_tokenizer

CHATML = (
    "{%- for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}"
)
# LLaVA-OneVision as converted for transformers: images first, then videos, then text.
LLAVA = (
    "{% for m in messages %}<|im_start|>{{ m['role'] + '\n' }}"
    "{% for p in m['content'] | selectattr('type', 'equalto', 'image') %}{{ '<image>\n' }}{% endfor %}"
    "{% for p in m['content'] | selectattr('type', 'equalto', 'video') %}{{ '<video>\n' }}{% endfor %}"
    "{% if m['role'] != 'assistant' %}"
    "{% for p in m['content'] | selectattr('type', 'equalto', 'text') %}{{ p['text'] }}{% endfor %}{% else %}"
    "{% for p in m['content'] | selectattr('type', 'equalto', 'text') %}"
    "{% generation %}{{ p['text'] }}{% endgeneration %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# Its older form: a space behind the role, each text on a new line, nothing behind the end.
LLAVA_OLD = (
    LLAVA.replace("+ '\n' }}", "+ ' ' }}").replace("<image>\n", "<image>").replace("<video>\n", "<video>")
    .replace("{{ p['text'] }}", "{{ '\n' + p['text'] }}").replace("'<|im_end|>\n'", "'<|im_end|>'")
)  # fmt: skip
# Qwen3's handling of thoughts: dropped before the last question, an empty frame when they are switched off.
QWEN3 = (
    "{%- set ns = namespace(last=-1) %}"
    "{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- for m in messages %}{%- set content = m.content %}{%- set thought = '' %}"
    "{%- if m.role == 'assistant' and '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{{- '<|im_start|>' + m.role + '\n' }}"
    "{%- if m.role == 'assistant' and loop.index0 > ns.last and (loop.last or thought) %}"
    "{{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}{%- endif %}"
    "{{- content + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}"
    "{%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\n\n</think>\n\n' }}{%- endif %}"
    "{%- endif %}"
)
# Kimi K2's habit: the end token of a message is written when another one follows.
LATE_END = (
    "{%- for m in messages -%}<|im_{{ m.role }}|>{{ m.role }}<|im_middle|>{{ m.content }}"
    "{%- if not loop.last or add_generation_prompt %}<|im_end|>{% endif %}{%- endfor -%}"
    "{%- if add_generation_prompt -%}<|im_assistant|>assistant<|im_middle|>{%- endif -%}"
)
# Mistral's habits: alternating roles, the system prompt in the last question, an end token by variable.
MISTRAL = (
    "{%- if messages[0].role == 'system' %}{% set system = messages[0].content + '\n\n' %}"
    "{% set turns = messages[1:] %}{% else %}{% set system = '' %}{% set turns = messages %}{% endif %}"
    "{{- bos_token }}{%- for m in turns %}"
    "{%- if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{%- if m.role == 'user' %}{{ '[INST] ' + (system if loop.last else '') + m.content + '[/INST]' }}"
    "{%- else %}{{ ' ' + m.content | trim + eos_token }}{% endif %}{% endfor %}"
)
NAMES = "<|im_start|> <|im_end|> <image> <video> <|im_system|> <|im_user|> <|im_assistant|> <|im_middle|> "
NAMES += "<|media_start|> <|media_content|> <|media_pad|> <|media_end|> <s> </s> [INST] [/INST]"
SPECIAL = NAMES.split()
TEXTS = {"chatml": CHATML, "qwen3": QWEN3, "late": LATE_END, "mistral": MISTRAL}
PICTURE, VIDEO = ImagePart(b"picture"), VideoPart(b"video")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    texts = ["user\nwhat is it?\n\nassistant\nit is a red circle, isn't it?\n"] * 9
    made = train_tokenizer(texts, vocab_size=360, special_tokens=SPECIAL)
    from tokenizers import AddedToken as Backend

    made.backend.add_tokens([Backend("<think>", normalized=False), Backend("</think>", normalized=False)])
    return Tokenizer(made.backend)


@cache
def make(source: str, tokenizer: Tokenizer) -> JinjaTemplate:
    return JinjaTemplate(source, tokenizer.added_tokens, bos="<s>", eos="</s>")


@cache
def shipped(name: str, tokenizer: Tokenizer) -> Template:
    return load_template(name, tokenizer)


def ids_of(pieces: list[Piece], tokenizer: Tokenizer, media: str = "<image>") -> list[int]:
    ids: list[int] = []
    for piece in pieces:
        if piece.kind == "text":
            ids += tokenizer.encode(piece.text)
        else:
            ids.append(tokenizer.special(piece.text or media))
    return ids


@cache
def hugging_face(tokenizer: Tokenizer) -> Any:
    from tokenizers import Tokenizer as Backend
    from transformers import PreTrainedTokenizerFast

    backend = Backend.from_str(tokenizer.backend.to_str())
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def theirs(source: str, tokenizer: Tokenizer, messages: list[dict[str, Any]], **options: Any) -> list[int]:
    """The ids by `apply_chat_template`, the oracle."""
    found = hugging_face(tokenizer).apply_chat_template(
        messages, chat_template=source, tokenize=True, return_dict=False, **options
    )
    return list(found)


def as_lists(conversation: Conversation) -> list[dict[str, Any]]:
    kinds = {ImagePart: "image", VideoPart: "video"}
    return [
        {
            "role": message.role,
            "content": [
                {"type": "text", "text": part.text} if isinstance(part, TextPart) else {"type": kinds[type(part)]}
                for part in message.parts
            ],
        }
        for message in conversation.messages
    ]


def as_strings(conversation: Conversation) -> list[dict[str, Any]]:
    return [{"role": message.role, "content": message.text} for message in conversation.messages]


def show(pieces: list[Piece], *, learned: bool | None = None) -> str:
    kept = [p for p in pieces if learned is None or p.learned == learned]
    return "".join("(media)" if p.kind == "media" else p.text for p in kept)


WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufffd"), max_size=20)
LINES = WORDS.filter(lambda text: not text[:1].isspace())


@pytest.mark.parametrize("name", TEXTS)
@given(texts=st.lists(LINES, min_size=1, max_size=5), system=st.booleans(), generate=st.booleans())
@example(texts=["a\n\n", "b ", "c  \n"], system=True, generate=True)
@example(texts=["<think>\nx\n</think>\n\ny"] * 3, system=False, generate=False)
@example(texts=["1 < 2 [a] <b> <|x", "</ <i [/ >", "◁think▷a◁/think▷b"], system=True, generate=False)
def test_the_ids_are_those_of_hugging_face(tokenizer, name, texts, system, generate):
    assume(not any(token in text for text in texts for token in SPECIAL))
    texts = texts if len(texts) % 2 else texts[:-1]
    turns = [user(text) if i % 2 == 0 else assistant(text, loss=False) for i, text in enumerate(texts)]
    turns = [Message("system", (TextPart("be short"),)), *turns] if system else turns
    conversation = Conversation((*turns, *([] if generate else [assistant("it is", loss=False)])))
    pieces = make(TEXTS[name], tokenizer).render(conversation, generate=generate)
    expected = theirs(TEXTS[name], tokenizer, as_strings(conversation), add_generation_prompt=generate)
    assert ids_of(pieces, tokenizer) == expected


@pytest.mark.parametrize("source", [LLAVA, LLAVA_OLD], ids=["new", "old"])
@pytest.mark.parametrize("parts", [[PICTURE, "a"], [PICTURE, PICTURE, "a", "b"], [PICTURE, VIDEO, "a"], ["a"], [VIDEO]])
def test_media_that_stand_first_are_laid_out_as_hugging_face_does(tokenizer, source, parts):
    conversation = Conversation((user(*parts), assistant("it is", loss=False), user("why?")))
    pieces = make(source, tokenizer).render(conversation, generate=True)
    media = iter(
        tokenizer.special("<image>" if part is PICTURE else "<video>") for part in parts if part in (PICTURE, VIDEO)
    )
    ids = [next(media) if p.kind == "media" else i for p in pieces for i in ids_of([p], tokenizer)]
    assert ids == theirs(source, tokenizer, as_lists(conversation), add_generation_prompt=True)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (LLAVA, "\none(media)\ntwo(media)\n(media)\nthree"),
        (LLAVA_OLD, " \none(media)two(media)(media)three"),
        (CHATML, "\none(media)two(media)(media)three"),
    ],
)
def test_media_between_texts_stay_where_they_are(tokenizer, source, expected):
    conversation = Conversation((user("one", VIDEO, "two", PICTURE, PICTURE, "three"),))
    text = show(make(source, tokenizer).render(conversation))
    assert text.removesuffix("\n") == f"<|im_start|>user{expected}<|im_end|>"


@pytest.mark.parametrize("name", ["chatml", "kimi"])
def test_the_shipped_templates_keep_the_order(tokenizer, name):
    template = load_template(name, tokenizer)
    text = show(
        template.render(Conversation((user("a", PICTURE, "b", VIDEO), assistant("c"), user("d"))), generate=True)
    )
    if name == "kimi":
        image = "<|media_start|>image<|media_content|>(media)<|media_end|>"
        assert text == (
            "<|im_system|>system<|im_middle|>You are a helpful assistant<|im_end|>"
            f"<|im_user|>user<|im_middle|>a{image}b{image}<|im_end|><|im_assistant|>assistant<|im_middle|>c<|im_end|>"
            "<|im_user|>user<|im_middle|>d<|im_end|><|im_assistant|>assistant<|im_middle|>"
        )
    else:
        assert text == (
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
            "<|im_start|>user\na(media)\nb(media)\n<|im_end|>\n<|im_start|>assistant\nc<|im_end|>\n"
            "<|im_start|>user\nd<|im_end|>\n<|im_start|>assistant\n"
        )
    assert template.ends == ("<|im_end|>",)
    given_system = template.render(Conversation((Message("system", (TextPart("be short"),)), user("a"))))
    assert "helpful" not in show(given_system)
    assert "be short" in show(given_system)


# What is learned.


@pytest.mark.parametrize("name", TEXTS)
def test_answers_with_loss_are_learned_with_their_end_token(tokenizer, name):
    conversation = Conversation(
        (user("q"), assistant("one", loss=False), user("r"), assistant("two"), user("s"), assistant("three"))
    )
    template = make(TEXTS[name], tokenizer)
    pieces = template.render(conversation)
    end = {"mistral": "</s>"}.get(name, "<|im_end|>")
    space = {"mistral": " "}.get(name, "")
    frame = {"qwen3": "<think>\n\n</think>\n\n"}.get(name, "")
    assert show(pieces, learned=True) == f"{space}two{end}{space}{frame}three{end}"
    assert template.ends[0] == end
    assert not any(p.learned for p in template.render(Conversation(conversation.messages[:-1]), generate=True))


@pytest.mark.parametrize("name", TEXTS)
@given(texts=st.lists(WORDS, min_size=2, max_size=4))
def test_a_prompt_is_a_prefix_of_what_is_trained(tokenizer, name, texts):
    """Also where an answer begins with line breaks: what a model reads before it answers is what it was trained on."""
    turns = [turn for text in texts for turn in (user(text.strip()), assistant(text))]
    template = make(TEXTS[name], tokenizer)
    prompt = ids_of(template.render(Conversation(tuple(turns[:-1])), generate=True), tokenizer)
    pieces = template.render(Conversation(tuple(turns)))
    assert ids_of(pieces, tokenizer)[: len(prompt)] == prompt
    last = max(i for i, p in enumerate(pieces) if p.kind == "special" and p.text in template.ends)
    assert pieces[last].learned


@pytest.mark.parametrize("source", [LLAVA, CHATML, "chatml", "kimi"])
def test_all_texts_are_learned_in_pre_training_but_nothing_around_them(tokenizer, source):
    template = load_template(source, tokenizer) if len(source) < 9 else make(source, tokenizer)
    texts = ["user", "system\n", "Hi user\nassistant", "<|im_end|>"]
    conversation = Conversation(
        (
            Message("system", (TextPart(texts[0]),)),
            user(PICTURE, texts[1], texts[2]),
            assistant("no", loss=False),
            user(texts[3]),
            assistant("yes"),
        )
    )
    pieces = template.render(conversation, learn="text")
    assert show(pieces, learned=True) == "".join(texts) + "yes<|im_end|>"


def test_dropped_thoughts_are_not_learned(tokenizer):
    template = make(QWEN3, tokenizer)
    answers = [assistant(f"<think>\n{thought}\n</think>\n\n{text}") for thought, text in (("hm", "one"), ("ah", "two"))]
    conversation = Conversation((user("q"), answers[0], user("r"), answers[1]))
    for thinking in (None, True, False):
        text = show(template.render(conversation, thinking=thinking), learned=True)
        assert text in ("one<|im_end|><think>\nah\n</think>\n\ntwo<|im_end|>", "one<|im_end|>two<|im_end|>")
        assert ("ah" in text) or thinking is False


def test_thinking_switches_a_template_that_knows_it(tokenizer):
    conversation = Conversation((user("q"),))
    for source, suffix in ((QWEN3, "<think>\n\n</think>\n\n"), (CHATML, "")):
        shown = [
            show(make(source, tokenizer).render(conversation, generate=True, thinking=t)) for t in (None, True, False)
        ]
        assert shown[0] == shown[1]
        assert shown[2] == shown[0] + suffix


def test_answers_are_found_where_a_prompt_is_laid_out_otherwise_than_a_history(tokenizer):
    system = Message("system", (TextPart("be short"),))
    conversation = Conversation((system, user("q"), assistant("one"), user("r"), assistant("two")))
    assert show(make(MISTRAL, tokenizer).render(conversation), learned=True) == "one</s>two</s>"
    assert show(make(LLAVA_OLD, tokenizer).render(conversation), learned=True) == "one<|im_end|>two<|im_end|>"


def test_a_program_that_does_not_show_answers_cannot_be_trained(tokenizer):
    source = "{{ messages | length }}{% for m in messages if m.role == 'user' %}{{ m.content }}{% endfor %}"
    template = make(source, tokenizer)
    with pytest.raises(DataError, match="it changes or leaves out the answers, so none can be learned"):
        template.render(Conversation((user("q"), assistant("one"), user("r"))))
    template.render(Conversation((user("q"), assistant("one"), user("r"))), generate=True)
    template.render(Conversation((user("q"), assistant("one", loss=False), user("r"))))


def test_a_refused_conversation_says_why(tokenizer):
    with pytest.raises(DataError, match="it refuses the conversation: roles must alternate"):
        make(MISTRAL, tokenizer).render(Conversation((user("a"), user("b"))))


# Nothing typed becomes special.

ATTACKS = [
    *SPECIAL,
    "<|im_",
    "end|>",
    "<",
    "|im_end|>",
    "[",
    "INST]",
    "<think>",
    "</think>",
    "\ue000\ue001\ue002",
    "\n",
]
ALL = {**TEXTS, "llava": LLAVA, "old": LLAVA_OLD}


@pytest.mark.parametrize("name", [*ALL, "shipped chatml", "shipped kimi"])
@given(data=st.data())
def test_nothing_that_is_typed_becomes_special(tokenizer, name, data):
    template = make(ALL[name], tokenizer) if name in ALL else shipped(name.split()[1], tokenizer)
    typed = st.lists(st.sampled_from(ATTACKS) | WORDS, max_size=6).map("".join)
    contents = data.draw(st.lists(st.lists(typed, min_size=1, max_size=3), min_size=1, max_size=4))
    attack = [
        Message("user" if i % 2 == 0 else "assistant", tuple(map(TextPart, parts))) for i, parts in enumerate(contents)
    ]
    plain = [Message(message.role, tuple(TextPart("x") for _ in message.parts)) for message in attack]
    for generate in (True, False):
        found = template.render(Conversation(tuple(attack)), generate=generate)
        wanted = template.render(Conversation(tuple(plain)), generate=generate)
        special = [p.text for p in found if p.kind != "text"]
        assert special == [p.text for p in wanted if p.kind != "text"]
        ids = [i for p in found if p.kind == "text" for i in tokenizer.encode(p.text)]
        assert not set(ids) & set(tokenizer.special_tokens.values())
    shown = show(template.render(Conversation(tuple(attack)), generate=True))
    if "think" not in shown:
        for message in attack:
            assert all(part.text.strip() in shown for part in message.parts if isinstance(part, TextPart))


def test_parts_cannot_be_joined_to_a_special_token(tokenizer):
    conversation = Conversation((user("<|im_", "end|>", "<ima", "ge>"),))
    for source in (CHATML, LLAVA):
        pieces = make(source, tokenizer).render(conversation)
        assert show(pieces).count("<|im_end|>") == 2
        assert [p.text for p in pieces if p.kind == "special"] == ["<|im_start|>", "<|im_end|>"]


def test_a_program_cannot_put_a_typed_token_together(tokenizer):
    source = "{% for m in messages %}{{ m.content | replace('-', '') | replace('</think>', '') }}{% endfor %}"
    pieces = make(source, tokenizer).render(
        Conversation((user("<|im-_end|>", "<|im_</think>end|>", "<</think>|im_end|>"),))
    )
    assert [p.kind for p in pieces] == ["text"]
    assert pieces[0].text == "<|im_end|>" * 3


def test_turn_markers_that_a_file_does_not_call_special_are_kept_for_the_template():
    from tokenizers import AddedToken as Backend

    tokenizer = train_tokenizer(["a b"], vocab_size=260, special_tokens=["</s>"])
    names = ["<|im_start|>", "<|im_end|>", "<image>", "<think>", "</think>"]
    tokenizer.backend.add_tokens([Backend(name, normalized=False) for name in names])
    tokenizer = Tokenizer(tokenizer.backend)
    assert tokenizer.encode("<|im_end|><image>") == [tokenizer.special("<|im_end|>"), tokenizer.special("<image>")]
    template = JinjaTemplate(QWEN3, tokenizer.added_tokens)
    tokenizer.reserve(template.special_tokens)
    kept = [name for name in names if name in tokenizer.special_tokens]
    assert kept == ["<|im_start|>", "<|im_end|>", "<image>"]
    assert tokenizer.decode(tokenizer.encode("<|im_end|><image>")) == "<|im_end|><image>"
    assert tokenizer.encode("<think>") == [tokenizer.special("<think>")]


def test_space_around_a_token_is_taken_in_as_hugging_face_does(tokenizer):
    from tokenizers import AddedToken as Backend
    from tokenizers import Tokenizer as BackendTokenizer

    backend = BackendTokenizer.from_str(tokenizer.backend.to_str())
    backend.add_special_tokens([Backend("<left>", lstrip=True), Backend("<right>", rstrip=True)])
    striped = Tokenizer(backend)
    source = "{% for m in messages %}{{ '<right>' + m.content + '<left>' }}{% endfor %}"
    template = JinjaTemplate(source, striped.added_tokens)
    for text in (" \n a \u3000\t", "a", "  ", "", "\x1c a \x1c"):
        ids = ids_of(template.render(Conversation((user(text),))), striped)
        assert ids == theirs(source, striped, [{"role": "user", "content": text}])


# What must match.


def test_images_and_placeholders_must_match(tokenizer):
    dropped = "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% endif %}{% endfor %}"
    source = "{% for m in messages %}{{ m.content if loop.last else '' }}{% endfor %}"
    template = make(source, tokenizer)
    with pytest.raises(DataError, match="it writes 1 images and videos, the conversation has 2"):
        template.render(Conversation((user(PICTURE, "a"), user(PICTURE))), generate=True)
    with pytest.raises(DataError, match="it writes 3 images and videos, the conversation has 1"):
        make("<image><image>" + dropped, tokenizer).render(Conversation((user(PICTURE, "a"),)))


def test_a_template_survives_pickling(tokenizer):
    conversation = Conversation((user(PICTURE, "a"), assistant("b")))
    template = make(LLAVA, tokenizer)
    again = pickle.loads(pickle.dumps(template))
    assert again.render(conversation) == template.render(conversation)
    assert again.ends == template.ends == ("<|im_end|>", "</s>")


# Files.


def test_templates_are_found_in_a_checkpoints_folder(tokenizer, tmp_path):
    config = {"bos_token": "<s>", "eos_token": {"content": "</s>"}}
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": LLAVA}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({**config, "chat_template": named}))
    conversation = Conversation((user(PICTURE, "a"), assistant("b")))
    expected = make(LLAVA, tokenizer).render(conversation)
    assert load_template(str(tmp_path), tokenizer).render(conversation) == expected
    assert load_template(str(tmp_path / "tokenizer_config.json"), tokenizer).ends == ("<|im_end|>", "</s>")
    (tmp_path / "chat_template.json").write_text(json.dumps({"chat_template": CHATML}))
    assert load_template(str(tmp_path), tokenizer).render(conversation) != expected
    (tmp_path / "chat_template.jinja").write_text(LLAVA)
    for path in (tmp_path, tmp_path / "chat_template.jinja"):
        template = load_template(str(path), tokenizer)
        assert template.render(conversation) == expected
        assert template.ends == ("<|im_end|>", "</s>")


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("chat_template.jinja", b"\xff\xfe", r"chat_template\.jinja: not a text file"),
        ("chat_template.jinja", b"{% if %}", "Expected an expression"),
        ("chat_template.json", b"{", "not JSON"),
        ("chat_template.json", b"[]", "expected a JSON object"),
        ("chat_template.json", b'{"chat_template": 3}', "neither text nor a list of named templates"),
        ("tokenizer_config.json", b"{}", r"no chat template in chat_template\.jinja, "),
    ],
)
def test_unusable_files_are_refused_by_name(tokenizer, tmp_path: Path, file: str, content: bytes, message: str):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_template(str(tmp_path), tokenizer)
    assert tmp_path.name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_jinja_template_needs_a_tokenizer():
    with pytest.raises(UsageError, match="'kimi' is a Jinja template: it can only be loaded with a tokenizer"):
        load_template("kimi")
