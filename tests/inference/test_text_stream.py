"""Text comes out whole: complete characters only, and nothing that may begin a stop string."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.inference.text_stream import TextStream, ThoughtStream
from vergence.processing.thoughts import THOUGHT_MARKS, split_thought


def pieces_of(tokenizer, ids, stop=()):
    stream, pieces = TextStream(tokenizer, stop), []
    for token in ids:
        stopped = stream.add(token)
        pieces.append(stream.take())
        if stopped:
            break
    stream.finish()
    return [*pieces, stream.take()], stream


@given(ids=st.lists(st.integers(0, 289), max_size=40))
def test_any_tokens_give_the_text_of_all_of_them(tokenizer, ids):
    pieces, stream = pieces_of(tokenizer, ids)
    assert "".join(pieces) == stream.text == tokenizer.decode(ids)


@given(text=st.text(max_size=30), stop=st.lists(st.text(min_size=1, max_size=4), max_size=3))
def test_stop_strings_end_the_text(tokenizer, text, stop):
    pieces, stream = pieces_of(tokenizer, tokenizer.encode(text), stop)
    text = tokenizer.decode(tokenizer.encode(text))
    assert "".join(pieces) == stream.text
    assert text.startswith(stream.text)
    assert not any(s in stream.text for s in stop)
    assert stream.stopped == any(s in text for s in stop)
    if stream.stopped:
        assert any(text.startswith(s, len(stream.text)) for s in stop)
    else:
        assert stream.text == text


@pytest.mark.parametrize("character", ["é", "図", "🙂"])
def test_no_half_characters(tokenizer, character):
    pieces, _ = pieces_of(tokenizer, tokenizer.encode(f"a{character}b"))
    assert "".join(pieces) == f"a{character}b"
    assert "\ufffd" not in "".join(pieces)


def test_the_start_of_a_stop_string_is_held_back(tokenizer):
    stream = TextStream(tokenizer, ("1234",))
    taken = []
    for token in tokenizer.encode("9912") + tokenizer.encode("5"):
        stream.add(token)
        taken.append(stream.take())
    assert taken == ["9", "9", "", "", "125"]


def test_an_incomplete_character_at_the_end_is_marked(tokenizer):
    first = next(i for i in range(tokenizer.size) if tokenizer.decode([i]) == "\ufffd")
    pieces, stream = pieces_of(tokenizer, [*tokenizer.encode("a"), first])
    assert pieces == ["a", "", "\ufffd"]
    assert stream.text == "a\ufffd"


# Thoughts

SPACES = st.sampled_from(["", " ", "\n\n", "\t\n"])
# Texts full of what looks like a mark, or like half of one, but holds none.
NEAR_MARKS = st.lists(
    st.sampled_from(["<", "</", "</th", "think>", "/think", "\u25c1", "\u25c1/", "\u25b7", "a", " ", "\n", "\u56f3"]),
    max_size=8,
).map("".join)
PLAIN = NEAR_MARKS.filter(lambda text: not any(mark in text for marks in THOUGHT_MARKS for mark in marks))


def split_in_pieces(answer: str, cuts: list[int], *, opened: bool) -> tuple[str | None, str]:
    """What a `ThoughtStream` makes of an answer that comes in pieces; its parts together, which must be its sums."""
    stream, parts = ThoughtStream(opened=opened), []
    places = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
    for start, stop in pairwise(places):
        parts += stream.add(answer[start:stop])
    parts += stream.add("", last=True)
    assert stream.add("", last=True) == []
    assert all(piece for _, piece in parts)
    assert [kind for kind, _ in parts] == sorted(kind for kind, _ in parts)[::-1], "the thought comes first"
    assert "".join(piece for kind, piece in parts if kind == "thought") == (stream.thought or "")
    assert "".join(piece for kind, piece in parts if kind == "text") == stream.text
    return stream.thought, stream.text


@given(
    marks=st.sampled_from(THOUGHT_MARKS),
    spaces=SPACES,
    begins=st.booleans(),
    closed=st.booleans(),
    thought=PLAIN,
    text=NEAR_MARKS,
    cuts=st.lists(st.integers(0, 60), max_size=12),
)
def test_a_thought_in_pieces_is_split_as_a_whole_answer_is(marks, spaces, begins, closed, thought, text, cuts):
    start, end = marks
    answer = (spaces + start if begins else "") + thought + (end + text if closed else "")
    if begins or not closed:
        assert split_in_pieces(answer, cuts, opened=False) == split_thought(answer)
    assert split_in_pieces(answer, cuts, opened=True) == split_thought(answer, opened=True)


@pytest.mark.parametrize(
    ("answer", "opened", "parts"),
    [
        ("plain", False, (None, "plain")),
        ("", False, (None, "")),
        ("", True, ("", "")),
        ("<think>\n\n</think>\n\nyes", False, ("", "yes")),
        ("<think>one < two</think> yes </think> no", False, ("one < two", "yes </think> no")),
        ("<think>cut off </thi", False, ("cut off", "")),
        ("<think>cut off <", False, ("cut off <", "")),
        ("thin", True, ("thin", "")),
        ("so </think>yes", True, ("so", "yes")),
        ("so </think>yes", False, (None, "so </think>yes")),
        ("\u25c1think\u25b7a </think> b\u25c1/think\u25b7c", False, ("a </think> b", "c")),
        ("say <think>", False, (None, "say <think>")),
        (" <thinker>", False, (None, " <thinker>")),
    ],
)
def test_thoughts(answer, opened, parts):
    assert split_in_pieces(answer, list(range(len(answer))), opened=opened) == parts
    assert split_in_pieces(answer, [], opened=opened) == parts


def test_a_thought_is_handed_out_while_it_comes():
    stream = ThoughtStream()
    pieces = [stream.add(piece) for piece in ("<th", "ink>\n", "one ", "two", "</th", "ink>", "\n\n", "yes")]
    assert pieces == [[], [], [("thought", "one")], [("thought", " two")], [], [], [], [("text", "yes")]]
