"""Text comes out whole: complete characters only, and nothing that may begin a stop string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.inference.text_stream import TextStream


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
