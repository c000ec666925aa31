"""What every kind of the data engine must hold; what a kind's pictures show is checked in tests/data/synthesis."""

from __future__ import annotations

import json

import pytest

from vergence.cli import main
from vergence.data.generator import make_sample
from vergence.data.kinds import KINDS, find_kind, load_generator, why_unavailable
from vergence.data.shards.samples import conversation_of, members_of
from vergence.errors import UsageError
from vergence.verifiers.ground_truth import RULES, verify

SAMPLES = 3


def sample(kind, seed, index, **settings):
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), seed, index)


def members(conversation):
    return members_of(conversation, "0", where="here", max_bytes=2**28)


@pytest.fixture(params=KINDS)
def kind(request):
    if reason := why_unavailable(request.param):
        pytest.skip(reason)
    return request.param


def test_a_kind_holds_the_contract(kind):
    """The same arguments give the same bytes, each answer is right by its own check, and all is said that must be."""
    unlike = set()
    for index in range(SAMPLES):
        first = members(sample(kind, 5, index))
        assert first == members(sample(kind, 5, index)), "the same arguments gave other bytes"
        unlike.add(b"".join(first.values()))
        conversation = conversation_of(first, where="here")
        metadata = conversation.metadata
        assert metadata["kind"] == kind
        assert 0 <= metadata["difficulty"] <= 1
        assert metadata["licence"]
        assert set(metadata["tags"]) >= {"capability", "domain", "language"}
        assert metadata["provenance"]["seed"] == 5
        assert metadata["provenance"]["index"] == index
        answers = [message for message in conversation.messages if message.role == "assistant"]
        assert len(metadata["checks"]) == len(answers)
        for check, message in zip(metadata["checks"], answers, strict=True):
            assert message.text.strip()
            assert verify(check, message.text) in (1.0, None), (check, message.text)
            if check["verifier"] != "open":
                assert verify(check, "zzz nothing of the kind") == 0 or check["verifier"] == "text"
        pictures = len(conversation.media)
        for region in metadata["regions"]:
            assert region["image"] < pictures
            assert region.get("box") or region.get("points")
        assert json.loads(json.dumps(metadata)) == metadata
    assert len(unlike) > 1, "every index gave the same sample"


def test_splits_share_no_source_item(kind):
    items = {
        split: {
            (item["package"], item["item"])
            for index in range(4)
            for item in sample(kind, 0, index, split=split).metadata["provenance"]["sources"]
        }
        for split in ("train", "heldout")
    }
    assert not items["train"] & items["heldout"]


def test_every_kind_says_what_it_needs():
    for name, kind in KINDS.items():
        assert kind.summary
        assert bool(kind.extra) == bool(kind.modules), name


def test_an_unknown_kind_is_named_with_the_nearest():
    with pytest.raises(UsageError, match="did you mean shapes"):
        find_kind("shape")


def test_an_unknown_verifier_is_refused():
    with pytest.raises(ValueError, match="known are exact"):
        verify({"verifier": "vibes"}, "yes")
    assert "exact" in RULES


def test_settings_can_be_looked_at_before_anything_is_fetched(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("VERGENCE_SOURCES", str(tmp_path))
    for name in KINDS:
        assert main(["data", "list", name]) == 0
        assert capsys.readouterr().out.startswith(f"# {name}: ")
