"""Which samples a report shows: what went wrong first, right and wrong alike, and a word about the rest."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError
from vergence.evaluation.report.runs import read_runs
from vergence.evaluation.report.samples import OUTCOMES, Index, choose, index, left_out


@pytest.fixture
def indexed(tmp_path, folders):
    """Index the lines of one task in several runs; None is a run that doesn't have it."""

    def build(*runs, measures=()):
        paths = [
            folders.write(tmp_path / str(n), f"m{n}", {} if lines is None else {"t": folders.task(measures, lines)})
            for n, lines in enumerate(runs)
        ]
        return index([run.tasks.get("t") for run in read_runs(paths)])

    return build


def test_outcomes(indexed, folders):
    line = folders.line
    found = indexed(
        [
            line(0),
            line(1, scores={"accuracy": 0.0}, tie=True),
            line(2, scores={"accuracy": 0.4}, media=[{"kind": "image", "thumbnail": "media/2.png"}]),
            line(3, valid=False, scores={"accuracy": 0.0}),
            line(4, error="no answer", valid=None, scores={}),
            line(5, scores={}),
            line(5, repeat=1, scores={"accuracy": "inf"}),
        ],
        None,
        [line(1), line(9)],
    )
    first = ["right", "wrong", "partial", "invalid", "error", "scored", "scored"]
    assert list(found.outcomes[0].values()) == first
    assert found.outcomes[1] == {}
    assert found.of(("q1", 0)) == {"right", "wrong"}
    assert (found.tied, found.pictured) == ({("q1", 0)}, {("q2", 0)})
    assert found.order[-2:] == [("q5", 1), ("q9", 0)]
    assert found.counts() == {
        "right": 3, "wrong": 1, "partial": 1, "invalid": 1, "error": 1, "scored": 2, "tie": 1
    }  # fmt: skip


@pytest.mark.parametrize("scores", [{"bleu": 31.5}, {"mae": 0.0}])
def test_scores_of_other_scales_are_neither_right_nor_wrong(indexed, folders, scores):
    found = indexed([folders.line(0, scores=scores), folders.line(1, scores={next(iter(scores)): 1.0})])
    assert set(found.outcomes[0].values()) == {"scored"}


def test_a_record_without_scores_is_refused(indexed, folders):
    with pytest.raises(DataError, match=r"task0\.jsonl: sample q0: scores: expected an object"):
        indexed([folders.line(0, scores=None)])


def test_groups_whose_samples_all_lie_outside_the_distribution_are_known(indexed, folders):
    groups = ["capability=a", "capability=a/x", "capability=a/y", "capability=b", "size=3", ""]
    tags = [("a/x/1", True, 3), ("a/x/2", True, 3), ("a/y", False, 3), ("b", True, 4)]
    lines = [
        folders.line(n, tags={"capability": capability, "ood": ood, "size": size})
        for n, (capability, ood, size) in enumerate(tags)
    ]
    found = indexed(lines, measures=[folders.measure("accuracy", 1.0, group=group) for group in groups])
    assert found.outside == {"capability=a/x", "capability=b"}


def test_the_choice_is_fair():
    rng = random.Random(0)
    found = Index([{(f"q{n}", 0): rng.choices(list(OUTCOMES), [1, 2, 30, 5, 0, 60])[0] for n in range(4000)}])
    found.order = list(found.outcomes[0])
    found.tied = set(rng.sample(found.order, 300))
    whole = found.counts()
    chosen = choose(found, 400)
    shown = found.counts(chosen)
    assert len(chosen) == len(set(chosen)) == 400
    assert chosen == sorted(chosen, key=found.order.index)
    assert shown["error"] == whole["error"] < 100
    assert shown["invalid"] == whole["invalid"] < 100
    assert shown["tie"] >= 50
    assert abs(shown["right"] - shown["wrong"]) < 30
    assert shown["partial"] >= 30
    said = left_out(found, chosen)
    assert said.startswith("400 of 4,000 samples: ")
    assert f"{shown['right']} of {whole['right']:,} right" in said
    assert left_out(found, found.order) == "All 4,000 samples."


def test_samples_with_pictures_and_those_that_models_dispute_are_preferred():
    keys = [(f"q{n}", 0) for n in range(100)]
    found = Index([dict.fromkeys(keys, "right"), {**dict.fromkeys(keys, "right"), **dict.fromkeys(keys[90:], "wrong")}])
    found.order = keys
    found.pictured = set(keys[50:60])
    chosen = choose(found, 40)
    assert set(keys[90:]) <= set(chosen)
    assert found.pictured <= set(chosen)


@given(
    st.lists(
        st.tuples(st.sampled_from(list(OUTCOMES)), st.sampled_from([*OUTCOMES, ""]), st.booleans(), st.booleans())
    ),
    st.integers(0, 30),
)
def test_any_choice_fills_the_room_and_starts_with_what_failed(samples, limit):
    keys = [(str(n), 0) for n in range(len(samples))]
    found = Index([dict(zip(keys, (s[0] for s in samples), strict=True)), {}], order=keys)
    found.outcomes[1] = {key: s[1] for key, s in zip(keys, samples, strict=True) if s[1]}
    found.tied = {key for key, s in zip(keys, samples, strict=True) if s[2]}
    found.pictured = {key for key, s in zip(keys, samples, strict=True) if s[3]}
    chosen = choose(found, limit)
    assert len(chosen) == min(limit, len(keys))
    assert chosen == [key for key in keys if key in set(chosen)]
    failed = [key for key in keys if "error" in found.of(key)]
    assert len(set(chosen) & set(failed)) >= min(len(failed), limit // 4)
