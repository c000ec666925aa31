"""The rules for mathematics and molecules: what is equal in another way of writing, and what isn't."""

from __future__ import annotations

import sys

import pytest

from vergence.errors import UsageError
from vergence.verifiers.ground_truth import verify


@pytest.mark.parametrize(
    ("target", "response", "right"),
    [
        ("\\frac{3}{4}", "Answer: 3/4", 1),
        ("\\frac{3}{4}", "Answer: $0.75$", 1),
        ("\\frac{3}{4}", "Answer: 4/3", 0),
        ("70", "∠A = 180° − 50° − 60° = 70°\nAnswer: 70°", 1),
        ("70", "<think>60°?</think>\n答案：70°", 1),
        ("70", "Answer: 110°", 0),
        ("5\\sqrt{3}", "Answer: $\\boxed{5\\sqrt{3}}$", 1),
        ("5\\sqrt{3}", "Answer: 5√3", 1),
        ("(-1, 2)", "Answer: (-1, 2)", 1),
        ("2x - 1", "Answer: $y = 2x - 1$", 1),
        ("70", "I can't see any number in this figure at all", 0),
    ],
)
def test_mathematics_is_equal_in_any_way_of_writing(target, response, right):
    assert verify({"verifier": "maths", "target": target}, response) == right


def test_decimals_say_how_exact_a_number_must_be():
    check = {"verifier": "maths", "target": "\\frac{1}{3}", "decimals": 2}
    assert verify(check, "Answer: 0.33") == 1
    assert verify(check, "Answer: 0.3") == 0


@pytest.mark.parametrize(
    ("target", "response", "right"),
    [
        ("CCO", "OCC", 1),
        ("CCO", "It is ethanol.\nAnswer: `C(O)C`", 1),
        ("CCO", "CCN", 0),
        ("c1ccccc1", "C1=CC=CC=C1", 1),
        ("C[C@H](N)O", "C[C@@H](N)O", 1),
        ("CCO", "C(((", 0),
        ("CCO", "", 0),
        ("CCO", "C" * 2000, 0),
    ],
)
def test_a_molecule_may_be_written_in_any_order(target, response, right):
    pytest.importorskip("rdkit")
    assert verify({"verifier": "smiles", "target": target}, response) == right


def test_stereochemistry_counts_where_a_check_says_so():
    pytest.importorskip("rdkit")
    check = {"verifier": "smiles", "target": "C[C@H](N)O", "stereo": True}
    assert verify(check, "N[C@@H](C)O") == 1
    assert verify({**check, "stereo": False}, "C[C@@H](N)O") == 1
    assert verify(check, "C[C@@H](N)O") == 0


def test_without_rdkit_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(UsageError, match=r"needs rdkit: pip install 'vergence\[render\]'"):
        verify({"verifier": "smiles", "target": "C"}, "C")
