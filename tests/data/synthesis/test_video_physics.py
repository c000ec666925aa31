"""Balls: contacts against numpy's roots, conservation, a small-step integrator, and the pixels of decoded frames."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import pytest

from vergence.data.synthesis.video.ball_scenes import ball_clip
from vergence.data.synthesis.video.events import clause
from vergence.data.synthesis.video.physics import Ball, Block, Room, simulate
from vergence.data.synthesis.video.roots import roots
from vergence.errors import DataError
from vergence.processing.video_file import decode_frames, read_index
from vergence.processing.video_writer import encode_video


@pytest.fixture(scope="module")
def clips():
    return [ball_clip(random.Random(seed)) for seed in range(40)]


def test_roots_are_those_of_numpy():
    rng = random.Random(0)
    for _ in range(300):
        terms = [rng.uniform(-5, 5) for _ in range(rng.randint(2, 5))]
        expected = sorted(root.real for root in np.roots(terms[::-1]) if abs(root.imag) < 1e-9 and 0 <= root.real <= 4)
        assert roots(terms, 4.0) == pytest.approx(expected, abs=1e-6)


def table(seed, number=4):
    rng = random.Random(seed)
    places = ((40, 40), (200, 40), (40, 140), (200, 140))[:number]
    balls = [Ball(rng.uniform(8, 14), *at, rng.uniform(-90, 90), rng.uniform(-90, 90)) for at in places]
    room = Room(8, 8, 232, 172, blocks=(Block("block", 100, 60, 140, 100),))
    return room, balls


def energy(balls):
    return sum(ball.mass * (ball.vx**2 + ball.vy**2) for ball in balls)


def test_energy_and_momentum_are_kept_on_a_table():
    """Energy in every contact, momentum in those of two balls; and balls never overlap."""
    collisions = 0
    for seed in range(8):
        room, balls = table(seed)
        motion = simulate(room, balls, 8)
        for contact in motion.contacts:
            before = [motion.at(i, contact.time - 1e-9) for i in range(4)]
            after = [motion.at(i, contact.time + 1e-9) for i in range(4)]
            assert energy(after) == pytest.approx(energy(before), rel=1e-9)
            if isinstance(contact.other, int):
                collisions += 1
                for side in ("vx", "vy"):
                    momenta = [sum(b.mass * getattr(b, side) for b in state) for state in (before, after)]
                    assert momenta[0] == pytest.approx(momenta[1], abs=1e-6)
        for frame in range(80):
            now = [motion.at(i, frame / 10) for i in range(4)]
            for i, ball in enumerate(now):
                assert room.left - 1e-6 <= ball.x - ball.radius
                assert ball.y + ball.radius <= room.bottom + 1e-6
                for other in now[:i]:
                    assert math.dist((ball.x, ball.y), (other.x, other.y)) > ball.radius + other.radius - 1e-6
    assert collisions > 20


def bounce(p, v, normal, restitution):
    speed = v @ normal
    return v - (1 + restitution) * speed * normal if speed < 0 else v


class SmallSteps:
    """The same world moved in tiny steps, told only what is in `truth`: no roots, no exact times."""

    def __init__(self, world, dt=4e-4):
        self.world, self.dt = world, dt
        self.p = np.array([[b["x"], b["y"]] for b in world["balls"]], float)
        self.v = np.array([[b["vx"], b["vy"]] for b in world["balls"]], float)
        self.r = [b["radius"] for b in world["balls"]]
        self.down = [False] * len(self.r)
        self.caught = [False] * len(self.r)
        self.contacts = []

    def run(self, duration):
        for step in range(int(duration / self.dt)):
            self.step(step * self.dt)
        return self.contacts

    def step(self, now):
        g, dt = self.world["gravity"], self.dt
        left, top, right, bottom = self.world["walls"]
        for i, r in enumerate(self.r):
            pull = np.array([0.0, 0.0 if self.down[i] else g])
            self.p[i] += self.v[i] * dt + pull * dt * dt / 2
            self.v[i] += pull * dt
            if self.down[i] and self.v[i][0]:
                slower = abs(self.v[i][0]) - self.world["rolling"] * dt
                if slower <= 0:
                    self.contacts.append((now, i, "rest"))
                self.v[i][0] = math.copysign(max(slower, 0), self.v[i][0])
            mouth = self.world["mouth"]
            if mouth and not self.caught[i] and mouth[0] < self.p[i][0] < mouth[1]:
                above = self.p[i][1] - self.v[i][1] * dt
                if above < mouth[2] <= self.p[i][1]:
                    self.caught[i], self.v[i][0] = True, 0.0
                    self.contacts.append((now, i, "mouth"))
            walls = {
                "left": (self.p[i][0] - r - left, (1, 0)),
                "right": (right - r - self.p[i][0], (-1, 0)),
                "top": (self.p[i][1] - r - top, (0, 1)),
                "bottom": (bottom - r - self.p[i][1], (0, -1)),
            }
            for name, (gap, normal) in walls.items():
                if gap <= 0 and not (name == "bottom" and self.down[i]):
                    self.hit(now, i, name, np.array(normal, float))
            for name, x1, y1, x2, y2 in self.world["blocks"]:
                away = self.p[i] - np.clip(self.p[i], (x1, y1), (x2, y2))
                if 0 < np.linalg.norm(away) <= r:
                    self.hit(now, i, name, away / np.linalg.norm(away))
        for i in range(len(self.r)):
            for j in range(i + 1, len(self.r)):
                self.meet(now, i, j)

    def hit(self, now, i, name, normal):
        if self.v[i] @ normal >= 0:
            return
        self.v[i] = bounce(self.p[i], self.v[i], normal, self.world["restitution"])
        g = self.world["gravity"]
        stays = name == "bottom" and g and (self.caught[i] or self.v[i][1] ** 2 / (2 * g) <= 8)
        if stays:
            self.v[i][1], self.down[i] = 0.0, True
        else:
            self.contacts.append((now, i, name))

    def meet(self, now, i, j):
        away = self.p[j] - self.p[i]
        distance = np.linalg.norm(away)
        normal = away / distance
        closing = (self.v[i] - self.v[j]) @ normal
        if distance > self.r[i] + self.r[j] or closing <= 0:
            return
        masses = self.r[i] ** 2, self.r[j] ** 2
        change = 2 * closing / sum(masses)
        self.v[i] -= change * masses[1] * normal
        self.v[j] += change * masses[0] * normal
        self.contacts.append((now, i, j))
        for k in (i, j):
            if (
                self.down[k]
                and not self.caught[k]
                and self.v[k][1] < 0
                and self.v[k][1] ** 2 / (2 * self.world["gravity"]) > 8
            ):
                self.down[k] = False
            elif self.down[k] and (self.v[k][1] <= 0 or self.caught[k]):
                self.v[k][1] = 0.0


WALL_NAMES = {
    "left": "left wall",
    "right": "right wall",
    "top": ("top wall", "ceiling"),
    "bottom": ("bottom wall", "floor"),
}


def test_events_come_when_a_small_step_integrator_meets_them(clips):
    """Kinds, actors and times of all events of the first seconds; the integrator's error grows with each collision."""
    checked = 0
    for clip in clips[:7]:
        contacts = SmallSteps(clip.world).run(min(4.0, clip.duration))
        names = [ball["name"] for ball in clip.world["balls"]]
        told = [
            event for event in clip.events if event.kind in ("bounce", "collide", "rest", "fall in") and event.end < 3.8
        ]
        for event in told:
            near = [c for c in contacts if abs(c[0] - event.end) < 0.06 and names[c[1]] == event.subject.en]
            assert near, clause(event, "en")
            other = near[0][2]
            if event.kind == "collide":
                assert names[other] == event.object.en
            elif event.kind in ("rest", "fall in"):
                assert other == {"rest": "rest", "fall in": "mouth"}[event.kind]
            else:
                wanted = WALL_NAMES.get(other, other)
                assert any(name in event.object.en for name in ([wanted] if isinstance(wanted, str) else wanted))
            checked += 1
        assert len([c for c in contacts if c[0] < 3.8]) == len(told)
    assert checked > 15


def test_balls_are_where_the_tracks_say_in_decoded_frames(clips):
    """The centroid of a ball's colour in the decoded video, where no other ball is near."""
    checked = 0
    for clip in clips[:12]:
        data = encode_video(clip.frames, clip.fps)
        index = read_index(data)
        assert len(index) == len(clip.frames)
        assert index.fps == pytest.approx(clip.fps)
        steps = range(0, len(index), 7)
        for step, image in zip(steps, decode_frames(data, index, steps), strict=True):
            pixels = np.asarray(image, int)
            for ball in clip.world["balls"]:
                x1, y1, x2, y2 = clip.tracks[ball["name"]][step]
                x, y, r = (x1 + x2) / 2, (y1 + y2) / 2, ball["radius"]
                others = [box for name, boxes in clip.tracks.items() if name != ball["name"] for box in [boxes[step]]]
                if any(math.dist((x, y), ((a + c) / 2, (b + d) / 2)) < 3 * r + 10 for a, b, c, d in others):
                    continue
                rows, columns = np.mgrid[0 : image.height, 0 : image.width]
                around = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 < (r + 9) ** 2
                left, top, right, bottom = map(int, clip.world["walls"])
                inside = (columns >= left) & (columns < right) & (rows >= top) & (rows < bottom)
                found = around & inside & (np.abs(pixels - ball["rgb"]).sum(-1) < 60)
                assert found.sum() > 0.3 * math.pi * r * r
                assert abs(columns[found].mean() + 0.5 - x) < 1.5
                assert abs(rows[found].mean() + 0.5 - y) < 2.0  # the light spot is above the centre
                checked += 1
    assert checked > 60


def test_what_falls_in_is_in_the_basket_afterwards(clips):
    seen = 0
    for clip in clips:
        for event in clip.events:
            if event.kind != "fall in":
                continue
            left, right, top = clip.world["mouth"]
            after = math.ceil(event.end * clip.fps)
            boxes = clip.tracks[event.subject.en]
            if after + 1 < len(boxes):
                inside = boxes[-1]
                assert left < (inside[0] + inside[2]) / 2 < right
                assert (inside[1] + inside[3]) / 2 > top
                assert (boxes[after - 2][1] + boxes[after - 2][3]) / 2 < top + 1
                seen += 1
    assert seen >= 3


def test_stripe_events_are_overlaps_of_the_tracks(clips):
    seen = 0
    for clip in clips:
        if clip.world["stripe"] is None:
            continue
        left, right = clip.world["stripe"]
        for name, boxes in clip.tracks.items():
            over = {k for k, box in enumerate(boxes) if box[0] < right and box[2] > left}
            spans = [(e.start, e.end) for e in clip.events if e.kind == "over" and e.subject.en == name]
            told = {k for k in range(len(boxes)) for start, end in spans if start < k / clip.fps < end}
            # A stay that is cut off by the end of the clip isn't told.
            last = max((end for _, end in spans), default=0) * clip.fps
            assert {k for k in over if k < last} == told
            seen += len(spans)
    assert seen >= 5


def test_clips_are_clear(clips):
    for clip in clips:
        times = [event.end for event in clip.events]
        assert all(later - earlier >= 0.1 for earlier, later in pairwise(times))
        for name in clip.tracks:
            own = [event.end for event in clip.events if name in (event.subject.en, event.object.en)]
            assert all(later - earlier >= 0.2 for earlier, later in pairwise(own))
        assert 4 <= clip.duration <= 10
        assert times[-1] < clip.duration
    kinds = {event.kind for clip in clips for event in clip.events}
    assert kinds == {"bounce", "collide", "fall in", "rest", "over"}


def test_a_ball_that_is_wedged_is_refused():
    room = Room(0, 0, 20.5, 200, gravity=0.0)
    with pytest.raises(DataError, match="wedged in"):
        simulate(room, [Ball(10, 10.2, 100, 80, 0)], 8)
