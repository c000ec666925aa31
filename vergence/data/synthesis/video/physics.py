"""Balls in a plane, moved from one exactly computed contact to the next.

```
a ball between two contacts: p(t) = p + v t + a t^2 / 2     ─▶  every gap (to a wall, a corner, a ball) is a polynomial
the first gap that closes    ─▶  new velocities (elastic between balls, restitution at what stands still)  ─▶  again
```

Lengths are pixels (y points down), times seconds; masses go by area. On a table there is no gravity and nothing is
lost. In a room balls fall, lose speed at floor and walls, roll on the floor with a constant slowing down, and stop. A
basket with a net catches what falls through its mouth: the ball goes straight down and stays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import NamedTuple

from vergence.data.synthesis.video.roots import first_contact
from vergence.errors import DataError

LEAST_REBOUND = 8.0
"""A ball that would rise by less pixels than this stays on the floor, so that every bounce can be seen."""
MOST_CONTACTS = 60
_CROWDED = 1e-3  # seconds within which five contacts mean that a ball lies on others


class Ball(NamedTuple):
    """A ball at a moment: centre, velocity, acceleration, and whether the net has it."""

    radius: float
    x: float
    y: float
    vx: float
    vy: float
    ax: float = 0.0
    ay: float = 0.0
    caught: bool = False

    @property
    def mass(self) -> float:
        """Its mass."""
        return self.radius * self.radius

    def after(self, t: float) -> Ball:
        """The ball t seconds later if it meets nothing."""
        return self._replace(
            x=self.x + self.vx * t + self.ax * t * t / 2,
            y=self.y + self.vy * t + self.ay * t * t / 2,
            vx=self.vx + self.ax * t,
            vy=self.vy + self.ay * t,
        )


class Block(NamedTuple):
    """An upright rectangle that stands still: left, top, right, bottom."""

    name: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Room:
    """Where the balls are: the inner sides of its four walls, blocks, the laws, and the mouth of a basket: its left and
    right end and its height."""

    left: float
    top: float
    right: float
    bottom: float
    blocks: tuple[Block, ...] = ()
    gravity: float = 0.0
    restitution: float = 1.0
    rolling: float = 0.0
    mouth: tuple[float, float, float] | None = None


class Contact(NamedTuple):
    """Ball number `ball` meets `other`: the number of a ball, the name of a block, left, right, top or bottom; or it
    falls into the basket ("mouth") or stops ("rest"). `speed` is at which they approach each other; `rebounds` is False
    for a ball that stays down."""

    time: float
    ball: int
    other: int | str
    speed: float
    rebounds: bool = True


@dataclass(frozen=True, slots=True)
class Motion:
    """What `simulate` finds: for each ball its states (time, ball) after each change, and the contacts in order."""

    states: tuple[tuple[tuple[float, Ball], ...], ...]
    contacts: tuple[Contact, ...]

    def at(self, ball: int, time: float) -> Ball:
        """A ball at a time."""
        since, state = next(entry for entry in reversed(self.states[ball]) if entry[0] <= time)
        return state.after(time - since)


def simulate(room: Room, balls: Sequence[Ball], duration: float) -> Motion:
    """Move the balls for `duration` seconds. Raises `DataError` where contacts crowd, as for a ball wedged in."""
    now = 0.0
    current = [_accelerated(room, ball) for ball in balls]
    states = [[(0.0, ball)] for ball in current]
    contacts: list[Contact] = []
    while (found := _next_contact(room, current, duration - now)) is not None:
        wait, ball, other = found
        now += wait
        current = [state.after(wait) for state in current]
        if len(contacts) >= MOST_CONTACTS or (len(contacts) > 3 and now - contacts[-4].time < _CROWDED):
            raise DataError(f"{len(contacts) + 1} contacts of balls within {now:.2f} s: some are wedged in")
        contact, changed = _meet(room, current, now, ball, other)
        contacts.append(contact)
        for number, state in changed.items():
            current[number] = _accelerated(room, state)
        for number, state in enumerate(current):
            states[number].append((now, state))
    return Motion(tuple(tuple(entries) for entries in states), tuple(contacts))


def _grounded(room: Room, ball: Ball) -> bool:
    return ball.vy == 0 and _on_floor(room, ball)


def _accelerated(room: Room, ball: Ball) -> Ball:
    """The ball with the acceleration that its state calls for."""
    if not _grounded(room, ball):
        return ball._replace(ax=0.0, ay=room.gravity)
    slowing = -math.copysign(room.rolling, ball.vx) if ball.vx else 0.0
    return ball._replace(y=room.bottom - ball.radius, ax=slowing, ay=0.0)


class _Gap(NamedTuple):
    """A distance as a polynomial of time; its end is a contact only while the coordinate `axis` is within low..high."""

    terms: tuple[float, ...]
    axis: str = ""
    low: float = 0.0
    high: float = 0.0

    def counts(self, ball: Ball, wait: float) -> bool:
        """Whether the gap's end after `wait` seconds is a contact."""
        return not self.axis or self.low <= getattr(ball.after(wait), self.axis) <= self.high


def _next_contact(room: Room, balls: Sequence[Ball], left: float) -> tuple[float, int, int | str] | None:
    """How long until the first contact within `left` seconds, and between whom."""
    best: tuple[float, int, int | str] | None = None
    for number, ball in enumerate(balls):
        others: list[tuple[int | str, _Gap]] = list(_gaps(room, ball))
        others += [(other, _between(ball, balls[other])) for other in range(number + 1, len(balls))]
        for other, gap in others:
            wait = first_contact(gap.terms, left if best is None else best[0])
            if wait is not None and (best is None or wait < best[0]) and gap.counts(ball, wait):
                best = (wait, number, other)
    return best


def _gaps(room: Room, ball: Ball) -> Iterator[tuple[str, _Gap]]:
    """The gaps to all that stands still, and to stopping, where the "distance" is a speed."""
    x, vx, ax, r = ball.x, ball.vx, ball.ax / 2, ball.radius
    y, vy, ay = ball.y, ball.vy, ball.ay / 2
    yield "left", _Gap((x - r - room.left, vx, ax))
    yield "right", _Gap((room.right - r - x, -vx, -ax))
    yield "top", _Gap((y - r - room.top, vy, ay))
    if not _grounded(room, ball):
        yield "bottom", _Gap((room.bottom - r - y, -vy, -ay))
    elif vx:
        yield "rest", _Gap((abs(vx), -room.rolling))
    if room.mouth and not ball.caught:
        yield "mouth", _Gap((room.mouth[2] - y, -vy, -ay), "x", room.mouth[0], room.mouth[1])
    for block in room.blocks:
        yield block.name, _Gap((block.left - r - x, -vx, -ax), "y", block.top, block.bottom)
        yield block.name, _Gap((x - r - block.right, vx, ax), "y", block.top, block.bottom)
        yield block.name, _Gap((block.top - r - y, -vy, -ay), "x", block.left, block.right)
        yield block.name, _Gap((y - r - block.bottom, vy, ay), "x", block.left, block.right)
        for corner in product((block.left, block.right), (block.top, block.bottom)):
            yield block.name, _between(ball, Ball(0.0, *corner, 0.0, 0.0))


def _between(first: Ball, second: Ball) -> _Gap:
    """The gap between two balls, as the square of the distance of their centres less that of their radii's sum."""
    dx = (first.x - second.x, first.vx - second.vx, (first.ax - second.ax) / 2)
    dy = (first.y - second.y, first.vy - second.vy, (first.ay - second.ay) / 2)
    terms = [0.0] * 5
    for (i, a), (j, b) in product(enumerate(dx), repeat=2):
        terms[i + j] += a * b
    for (i, a), (j, b) in product(enumerate(dy), repeat=2):
        terms[i + j] += a * b
    terms[0] -= (first.radius + second.radius) ** 2
    return _Gap(tuple(terms))


def _meet(
    room: Room, balls: Sequence[Ball], now: float, number: int, other: int | str
) -> tuple[Contact, dict[int, Ball]]:
    """The contact and the balls that it changes."""
    ball = balls[number]
    if other == "rest":
        return Contact(now, number, other, 0.0), {number: ball._replace(vx=0.0)}
    if other == "mouth":
        return Contact(now, number, other, ball.vy), {number: ball._replace(vx=0.0, caught=True)}
    if isinstance(other, int):
        return _collide(room, balls, now, number, other)
    nx, ny = _normal(room, ball, other)
    speed = -(ball.vx * nx + ball.vy * ny)
    gain = (1 + room.restitution) * speed
    after = ball._replace(vx=ball.vx + gain * nx, vy=ball.vy + gain * ny)
    if other == "bottom" and _stays_down(room, after):
        return Contact(now, number, other, speed, rebounds=False), {number: _laid_down(room, after)}
    return Contact(now, number, other, speed), {number: after}


def _normal(room: Room, ball: Ball, other: str) -> tuple[float, float]:
    """The direction from what stands still to the ball, of length 1."""
    walls = {"left": (1.0, 0.0), "right": (-1.0, 0.0), "top": (0.0, 1.0), "bottom": (0.0, -1.0)}
    if other in walls:
        return walls[other]
    block = next(block for block in room.blocks if block.name == other)
    dx = ball.x - min(max(ball.x, block.left), block.right)
    dy = ball.y - min(max(ball.y, block.top), block.bottom)
    length = math.hypot(dx, dy)
    if not length:
        raise DataError(f"a ball was pushed into the {other}")
    return dx / length, dy / length


def _collide(room: Room, balls: Sequence[Ball], now: float, number: int, other: int) -> tuple[Contact, dict[int, Ball]]:
    """An elastic collision: the speeds along the line of centres change as in one dimension, those across it don't."""
    first, second = balls[number], balls[other]
    dx, dy = second.x - first.x, second.y - first.y
    length = math.hypot(dx, dy)
    nx, ny = dx / length, dy / length
    speed = (first.vx - second.vx) * nx + (first.vy - second.vy) * ny
    shared = 2 * speed / (first.mass + second.mass)
    changed = {
        number: _push(first, -shared * second.mass, nx, ny),
        other: _push(second, shared * first.mass, nx, ny),
    }
    for each, ball in changed.items():
        if _on_floor(room, ball) and _stays_down(room, ball):
            changed[each] = _laid_down(room, ball)
    return Contact(now, number, other, speed), changed


def _push(ball: Ball, by: float, nx: float, ny: float) -> Ball:
    return ball._replace(vx=ball.vx + by * nx, vy=ball.vy + by * ny)


def _on_floor(room: Room, ball: Ball) -> bool:
    return room.gravity > 0 and abs(ball.y + ball.radius - room.bottom) < 1e-6


def _stays_down(room: Room, ball: Ball) -> bool:
    """Whether a ball on the floor, not pushed down, is too slow to rise by `LEAST_REBOUND`, or was caught."""
    return ball.caught or (room.gravity > 0 and 0 <= -ball.vy <= math.sqrt(2 * room.gravity * LEAST_REBOUND))


def _laid_down(room: Room, ball: Ball) -> Ball:
    return ball._replace(y=room.bottom - ball.radius, vy=0.0)
