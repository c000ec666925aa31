"""The markup that a chat template writes around a picture, once for each frame of a video."""

from __future__ import annotations

from collections.abc import Sequence

from vergence.processing.pieces import Piece


def spread_media(pieces: Sequence[Piece], leads: Sequence[Sequence[str]], ends: Sequence[str]) -> list[Piece]:
    """Repeat each media piece, with the template's markup around it, once for each of its `leads`, which go before it.

    A video whose frames are images of their own has as many leads as frames ("" for none); an image has one. The markup
    is what stands between a pair of special tokens such as `<|media_start|>` and `<|media_end|>`: the token after the
    piece is called an end and isn't one of an answer's `ends`, and its name with "start" or "begin" for "end" stands
    before the piece. Without such a pair the piece stands alone. Raises `ValueError` for another number of media.
    """
    if len(leads) != sum(piece.kind == "media" for piece in pieces):
        raise ValueError(f"{len(leads)} images and videos for {sum(p.kind == 'media' for p in pieces)} places")
    remaining = iter(leads)
    spread: list[Piece] = []
    closed = False  # this piece is a closing token that went out with its markup
    for place, piece in enumerate(pieces):
        if closed:
            closed = False
            continue
        spread.append(piece)
        if piece.kind != "media":
            continue
        after = pieces[place + 1] if place + 1 < len(pieces) else None
        opening = _opening(spread, after, ends)
        closed = opening is not None
        markup = [piece] if opening is None else [*spread[opening:], *pieces[place + 1 : place + 2]]
        del spread[len(spread) - 1 if opening is None else opening :]
        for lead in next(remaining):
            spread += [Piece("text", lead), *markup] if lead else markup
    return spread


def _opening(pieces: Sequence[Piece], after: Piece | None, ends: Sequence[str]) -> int | None:
    """Where the markup of the media piece at the end of `pieces` begins, None if `after` doesn't close a markup."""
    if after is None or after.kind != "special" or after.text in ends or "end" not in after.text:
        return None
    openings = {after.text.replace("end", word) for word in ("start", "begin")}
    for place in range(len(pieces) - 2, -1, -1):
        if pieces[place].kind == "media":
            return None
        if pieces[place].kind == "special" and pieces[place].text in openings:
            return place
    return None
