"""Records of other projects in ours: the files they name, their marks, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shard_samples import told

from vergence.conversation import Conversation, ImagePart, Message, TextPart, from_json, to_json
from vergence.data.shards.messages import RowError, as_llava, as_messages


def image(name: str) -> dict[str, str]:
    return {"type": "image", "image": name}


def text(value: str) -> dict[str, str]:
    return {"type": "text", "text": value}


def contents(record: dict[str, object], **options: object) -> list[list[dict[str, str]]]:
    return [message["content"] for message in as_messages(record, where="here", **options)["messages"]]


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("<image>\nWhat?", [image("a"), text("What?")]),
        ("What?\n<image>", [text("What?"), image("a")]),
        ("What?\n<image>\n", [text("What?\n"), image("a")]),
        ("<image>", [image("a")]),
        ("From <image> on", [text("From "), image("a"), text(" on")]),
        ("<image>\n\nWhat?", [image("a"), text("\nWhat?")]),
    ],
)
def test_a_mark_is_a_picture_and_one_line_break_beside_it(value, parts):
    record = {"id": "7", "image": "a", "conversations": [{"from": "human", "value": value}]}
    assert contents(record) == [parts]
    assert as_messages(record, where="here").keys() == {"messages", "id"}


def test_llava_and_sharegpt_rows():
    record = {
        "images": ["a.png", "b.png"],
        "conversations": [
            {"from": "system", "value": "Be short."},
            {"from": "human", "value": "<image>\n<image>\nWhich?"},
            {"from": "gpt", "value": "The first."},
            {"from": "gpt", "value": "No.", "loss": False},
        ],
    }
    messages = as_messages(record, where="here")["messages"]
    assert [message["role"] for message in messages] == ["system", "user", "assistant", "assistant"]
    assert messages[1]["content"] == [image("a.png"), image("b.png"), text("Which?")]
    assert [message["loss"] for message in messages] == [True, True, True, False]
    film = {"video": "a.mp4", "conversations": [{"from": "human", "value": "<image>\nWhat happens?"}]}
    assert contents(film) == [[{"type": "video", "video": "a.mp4"}, text("What happens?")]]


def test_messages_of_openai_and_transformers():
    parts = [
        {"type": "text", "text": "Which <image>?"},
        {"type": "image_url", "image_url": {"url": "a.png", "detail": "low"}},
        {"type": "input_image", "image_url": "file:///data/b%20c.png"},
        {"type": "image", "image": "d.png"},
        {"type": "video", "video": "e.mp4", "fps": 2},
    ]
    record = {"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": "A", "weight": 0}]}
    found = as_messages(record, where="here")["messages"]
    assert found[0]["content"] == [
        text("Which <image>?"),
        image("a.png"),
        image("/data/b c.png"),
        image("d.png"),
        {"type": "video", "video": "e.mp4", "fps": 2},
    ]
    assert [message["loss"] for message in found] == [True, False]
    listed = {"images": ["x.png"], "messages": [{"role": "user", "content": [{"type": "image"}, text("What?")]}]}
    assert contents(listed) == [[image("x.png"), text("What?")]]
    marked = {"images": ["x.png"], "messages": [{"role": "user", "content": "<image>What?"}]}
    assert contents(marked) == [[image("x.png"), text("What?")]]
    assert contents(marked, media={"image": ["member.png"]}) == [[image("member.png"), text("What?")]]


def test_text_about_marks_is_text_in_messages_without_files():
    assert contents({"messages": [{"role": "user", "content": "<image> is a tag"}]}) == [[text("<image> is a tag")]]


def test_a_record_of_ours_comes_back_with_all_its_keys():
    record = {
        "messages": [{"role": "user", "content": [image("a"), text("<image>\n")], "loss": True}],
        "images": 3,
        "conversations": "none",
    }
    assert as_messages(record, where="here") == record


@pytest.mark.parametrize(
    ("record", "reason", "complaint"),
    [
        ([], "fields", "here: expected an object"),
        ({}, "fields", 'here: expected a non-empty list "messages" or "conversations"'),
        ({"conversations": []}, "fields", "non-empty list"),
        ({"conversations": ["x"]}, "fields", r"here: conversations\[0\]: expected an object"),
        ({"conversations": [{"from": "human"}]}, "fields", r"conversations\[0\]\.value: expected a text"),
        ({"conversations": [{"from": "tool", "value": "x"}]}, "role", r"\[0\]\.from: 'tool' is not one of human"),
        ({"conversations": [{"from": [], "value": "x"}]}, "role", r"\[0\]\.from: \[\] is not one of"),
        ({"conversations": [{"from": "gpt", "value": "<image>"}]}, "marks", "1 marks <image> in the text, but 0 image"),
        ({"image": "a", "conversations": [{"from": "gpt", "value": "x"}]}, "marks", "0 marks <image> .* but 1 image"),
        ({"image": 3, "conversations": [{"from": "gpt", "value": "x"}]}, "fields", "here: image: expected a path"),
        ({"images": ["a"], "messages": [{"role": "user", "content": "x"}]}, "marks", "0 marks <image>"),
        ({"messages": [{"role": "user", "content": None}]}, "fields", r"messages\[0\]\.content: expected a text or"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role", r"messages\[0\]\.role: 'tool'"),
        ({"messages": [{"role": "user", "content": [{"type": "audio"}]}]}, "fields", r"content\[0\]: expected a part"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "fields", "expected a"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "https://x.org/a"}]}]},
            "not a local file",
            "'https://x.org/a' is not the path of a local file",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_place(record, reason, complaint):
    with pytest.raises(RowError, match=complaint) as caught:
        as_messages(record, where="here")
    assert caught.value.reason == reason
    assert "\n" not in str(caught.value)


TEXTS = st.text(st.sampled_from("a\n <>é"), max_size=6).map(TextPart)
PARTS = st.lists(st.one_of(TEXTS, st.just(ImagePart(Path("x.png")))), max_size=5).map(tuple)
MESSAGES = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), PARTS, st.booleans()), min_size=1, max_size=4
)


@given(MESSAGES)
def test_what_is_written_in_llavas_form_is_read_back(messages):
    conversation = Conversation(tuple(messages))
    names = [f"{number}.png" for number in range(len(conversation.media))]
    record = as_llava(to_json(conversation, names)["messages"], where="here")
    read = from_json(as_messages(record, where="here"), folder=Path("/data"), where="here")
    named = iter(Path("/data") / name for name in names)
    expected = [
        Message(m.role, tuple(ImagePart(next(named)) if isinstance(p, ImagePart) else p for p in m.parts), m.loss)
        for m in messages
    ]
    assert [path.name for path in read.images] == names
    shown = [[str(part) for part in parts] for _, _, parts in without_files(read)]
    assert shown == [[str(part) for part in parts] for _, _, parts in without_files(Conversation(tuple(expected)))]
    assert [(m.role, m.loss) for m in read.messages] == [(m.role, m.loss) for m in messages]


def without_files(conversation: Conversation) -> list[tuple[str, bool, list[object]]]:
    """`told`, with the names of pictures for their bytes."""
    messages = [
        Message(
            m.role,
            tuple(ImagePart(p.image.name.encode()) if isinstance(p, ImagePart) else p for p in m.parts),
            m.loss,
        )
        for m in conversation.messages
    ]
    return told(Conversation(tuple(messages)))


def test_a_typed_mark_cannot_be_written_in_llavas_form():
    for parts in ([text("an <image> tag")], [image("a"), text("a <ima"), text("ge> tag")]):
        record = {"role": "user", "content": parts, "loss": True}
        with pytest.raises(RowError, match="here: a text holds <image> or <video>, which LLaVA's form reserves"):
            as_llava([record], where="here")
