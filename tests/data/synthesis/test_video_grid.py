"""The robot's runs, replayed by another reading of the rules, and looked for in the pixels."""

from __future__ import annotations

import random

import numpy as np
import pytest

from vergence.data.synthesis.video.grid_scenes import grid_clip
from vergence.data.synthesis.video.grid_world import Thing, World
from vergence.errors import DataError

MOVES = {"up": (0, -1), "down": (0, 1), "left": (-1, 0), "right": (1, 0)}


@pytest.fixture(scope="module")
def clips():
    return [grid_clip(random.Random(seed)) for seed in range(40)]


def replay(world):
    """(time, sentence) of all that happens, and where the robot is after each step; from `truth` alone."""
    chart = world["map"]
    tiles = {(x, y): f"the {name} {sort}" for x, y, sort, name in chart["things"]}
    sorts = {(x, y): sort for x, y, sort, _ in chart["things"]}
    names = {(x, y): name for x, y, _, name in chart["things"]}
    walls = {tuple(cell) for cell in chart["walls"]}
    x, y = chart["start"]
    pocket, told, path = set(), [], []
    for number, step in enumerate(world["steps"]):
        now = world["wait"] + (number + 1) * world["step_seconds"]
        to = (x + MOVES[step][0], y + MOVES[step][1])
        sort = sorts.get(to)
        if to in walls:
            pass
        elif sort == "door" and names[to] not in pocket:
            told.append((now, f"The robot is stopped by {tiles[to]}."))
        elif sort == "door":
            told.append((now, f"The robot opens {tiles[to]}."))
            del sorts[to]
        elif sort == "lava":
            told.append((now, "The robot steps into the lava and is sent back."))
            x, y = chart["start"]
        else:
            x, y = to
            if sort in ("key", "gem"):
                told.append((now, f"The robot picks up {tiles[to]}."))
                if sort == "key":
                    pocket.add(names[to])
                del sorts[to]
            elif sort == "place":
                told.append((now, f"The robot reaches the {names[to]}."))
        path.append((x, y))
    return told, path


def test_the_log_is_what_a_replay_gives(clips):
    kinds = set()
    for clip in clips:
        told, path = replay(clip.world)
        events = clip.truth["events"]
        assert [(event["end"], event["text"]) for event in events] == told
        kinds |= {event["kind"] for event in events}
        first = round(clip.world["wait"] * clip.fps)
        for number, (x, y) in enumerate(path):
            box = clip.tracks["the robot"][first + 2 * (number + 1)]
            assert box == (24 * x, 24 * y, 24 * x + 24, 24 * y + 24)
    assert kinds == {"pick up", "open", "blocked", "burn", "reach"}


def test_what_is_taken_goes_from_the_map_to_the_bar_in_its_frame(clips):
    """In the frame at the event's time the bar has one thing more, in the frame before it hasn't."""
    for clip in clips[:15]:
        rows = clip.world["map"]["rows"]
        taken = 0
        for event in clip.events:
            at = round(event.end * clip.fps)
            bars = [np.asarray(clip.frames[frame], int)[24 * rows :] for frame in (at - 1, at)]
            if event.kind == "pick up":
                slot = [bar[:, 24 * taken + 4 : 24 * taken + 20] for bar in bars]
                assert slot[0].max() < 80, "the bar is dark where nothing is yet"
                assert slot[1].max() > 200
                taken += 1
            else:
                assert (bars[0] == bars[1]).all()


def test_doors_go_when_they_are_opened(clips):
    for clip in clips[:15]:
        for event in clip.events:
            if event.kind != "open":
                continue
            colour = event.object.en.split()[1]
            x, y = next((x, y) for x, y, sort, name in clip.world["map"]["things"] if (sort, name) == ("door", colour))
            at = round(event.end * clip.fps)
            before, after = (np.asarray(clip.frames[frame], int)[24 * y + 8, 24 * x + 8] for frame in (at - 2, at))
            assert np.abs(before - after).sum() > 60


def test_facts_hold_in_the_replay(clips):
    for clip in clips:
        told, _ = replay(clip.world)
        facts = {fact.question.en: fact for fact in clip.facts}
        gems = facts["How many gems does the robot take?"]
        assert int(gems.answer.en) == sum("picks up" in text and "gem" in text for _, text in told)
        if key := facts.get("What colour is the first key that the robot picks up?"):
            time, text = next((time, text) for time, text in told if text.endswith("key."))
            assert (key.known, key.answer.en) == (time, text.split()[-2])
        if left := facts.get("What colour is the key that the robot leaves where it is?"):
            assert f"The robot picks up the {left.answer.en} key." not in [text for _, text in told]
        for question, fact in facts.items():
            if question.startswith("Why can the robot open"):
                colour = question.split()[-2]
                assert fact.answer.en == f"It has picked up the {colour} key."
                assert (fact.known, f"The robot opens the {colour} door.") in told
                picked = [time for time, text in told if text == f"The robot picks up the {colour} key."]
                assert picked[0] < fact.known
            if question.startswith("Why is the robot stopped"):
                colour = question.split()[-2].rstrip("?")
                picked = [time for time, text in told if text == f"The robot picks up the {colour} key."]
                assert all(time > fact.known for time in picked)


def test_ways_are_shortest():
    """As long as a flood that counts outwards says."""
    rng = random.Random(0)
    for _ in range(40):
        walls = {(x, y) for x in range(8) for y in range(7) if x in (0, 7) or y in (0, 6) or rng.random() < 0.25}
        walls -= {(1, 1), (6, 5)}
        world = World(8, 7, frozenset(walls), {(6, 5): Thing("place", "flag")}, (1, 1))
        far, edge, distance = None, {(1, 1)}, 0
        seen = set(edge)
        while edge and far is None:
            if (6, 5) in edge:
                far = distance
            edge = {(x + a, y + b) for x, y in edge for a, b in MOVES.values()} - seen - walls
            seen |= edge
            distance += 1
        way = world.way((6, 5))
        assert (None if way is None else len(way)) == far


def test_a_map_that_never_fits_is_refused(monkeypatch):
    monkeypatch.setattr("vergence.data.synthesis.video.grid_plans.LEAST", 1000)
    with pytest.raises(DataError, match="no map"):
        grid_clip(random.Random(0))
