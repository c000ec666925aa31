"""The events of moving balls: contacts as they are named, and the times at which a ball passes a line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from vergence.data.synthesis.video.events import Event, Text
from vergence.data.synthesis.video.physics import Motion, Room
from vergence.data.synthesis.video.roots import roots

BASKET = Text("the basket", "篮子")
BLOCK = Text("the grey block", "灰色方块")
WALLS = {
    "left": Text("the left wall", "左墙"),
    "right": Text("the right wall", "右墙"),
    "top": Text("the top wall", "上墙"),
    "bottom": Text("the bottom wall", "下墙"),
}
CEILING, FLOOR = Text("the ceiling", "天花板"), Text("the floor", "地面")


def name_of(room: Room, other: str) -> Text:
    """What the wall or block is called; in a room with gravity, top and bottom are ceiling and floor."""
    if other == "basket":
        return BASKET
    if room.gravity and other in ("top", "bottom"):
        return CEILING if other == "top" else FLOOR
    return WALLS.get(other, BLOCK)


def contact_events(room: Room, motion: Motion, names: Sequence[Text]) -> list[Event]:
    """A bounce, collision or stop for each contact that is seen as one; a ball that stays on the floor isn't."""
    events = []
    for contact in motion.contacts:
        name, t = names[contact.ball], contact.time
        if isinstance(contact.other, int):
            events.append(Event(t, t, "collide", name, names[contact.other]))
        elif contact.other == "rest":
            events.append(Event(t, t, "rest", name))
        elif contact.other == "mouth":
            events.append(Event(t, t, "fall in", name, BASKET))
        elif contact.rebounds:
            events.append(Event(t, t, "bounce", name, name_of(room, contact.other)))
    return events


def passes(motion: Motion, ball: int, axis: str, line: float, duration: float) -> Iterator[tuple[float, bool]]:
    """When a ball's centre passes a line across `axis`, and whether it gets larger there."""
    entries = motion.states[ball]
    for (since, state), (until, _) in zip(entries, [*entries[1:], (duration, None)], strict=True):
        place, speed, change = (getattr(state, prefix + axis) for prefix in ("", "v", "a"))
        for wait in roots((place - line, speed, change / 2), until - since):
            yield since + wait, speed + change * wait > 0


def leaves(motion: Motion, ball: int, mouth: tuple[float, float, float], duration: float) -> bool:
    """Whether a ball comes out of the basket."""
    left, right, y = mouth
    return any(not down and left < motion.at(ball, t).x < right for t, down in passes(motion, ball, "y", y, duration))


def stripe_events(
    motion: Motion, ball: int, name: Text, stripe: Text, span: tuple[float, float], duration: float
) -> list[Event] | None:
    """From when to when a ball overlaps an upright stripe, but for a stay that isn't over at the end.

    None where it does at the start.
    """
    radius = motion.states[ball][0][1].radius
    left, right = span[0] - radius, span[1] + radius
    if left <= motion.at(ball, 0.0).x <= right:
        return None
    times = sorted(t for line in (left, right) for t, _ in passes(motion, ball, "x", line, duration))
    return [
        Event(start, end, "over", name, stripe)
        for start, end in itertools.pairwise(times)
        if left < motion.at(ball, (start + end) / 2).x < right
    ]
