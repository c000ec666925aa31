"""The template's markup around a picture, repeated for the frames of a video."""

from __future__ import annotations

import pytest

from vergence.processing.markup import spread_media
from vergence.processing.pieces import Piece

SPECIAL = {"user", "start", "content", "end", "vision_end", "vision_start", "media_begin", "media_end", "im_end"}


def pieces(text: str) -> list[Piece]:
    """Pieces from words: `*` is a medium, names of special tokens are those, the rest is text."""
    return [
        Piece("media") if word == "*" else Piece("special" if word in SPECIAL else "text", word)
        for word in text.split()
    ]


def spread(text: str, *leads: list[str]) -> str:
    result = spread_media(pieces(text), leads, ["im_end"])
    return " ".join("*" if piece.kind == "media" else piece.text for piece in result)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user start image content * end x im_end", "user " + "start image content * end " * 2 + "x im_end"),
        ("user vision_start * vision_end", "user " + "vision_start * vision_end " * 2),
        ("user media_begin video content * media_end y", "user " + "media_begin video content * media_end " * 2 + "y"),
        ("user * x im_end", "user * * x im_end"),
        ("start user * im_end", "start user * * im_end"),  # this end is the answer's
        ("user * end x", "user * * end x"),  # nothing opens it
        ("start x vision_start * end", "start x vision_start * end " * 2),
        ("*", "* *"),
    ],
)
def test_a_videos_markup_stands_around_each_frame(text: str, expected: str) -> None:
    assert spread(text, ["", ""]).split() == expected.split()


def test_times_stand_before_the_markup_of_their_frame() -> None:
    assert spread("a start * end b", ["[1]", "[2]"]) == "a [1] start * end [2] start * end b"
    assert spread("a * b", ["[1]", "", "[2]"]) == "a [1] * * [2] * b"


def test_several_media_keep_their_own_markup_and_order() -> None:
    text = "user start * end and start * end then start * end im_end"
    assert spread(text, [""], ["1", "2"], [""]) == (
        "user start * end and 1 start * end 2 start * end then start * end im_end"
    )


def test_markup_never_reaches_over_another_medium() -> None:
    assert spread("start x * y * end", [""], ["", ""]) == "start x * y * * end"


def test_an_image_changes_nothing() -> None:
    plain = pieces("user start image content * end x * im_end")
    assert spread_media(plain, [[""], [""]], ["im_end"]) == plain


def test_flags_stay_with_their_pieces_and_times_are_not_learned() -> None:
    given = [Piece("special", "start", True), Piece("media"), Piece("special", "end", True), Piece("text", "x", True)]
    result = spread_media(given, [["1", "2"]], ["im_end"])
    assert [piece.learned for piece in result] == [False, True, False, True, False, True, False, True, True]


def test_a_wrong_number_of_media_is_named() -> None:
    with pytest.raises(ValueError, match="1 images and videos for 2 places"):
        spread_media(pieces("* *"), [[""]], ["im_end"])
