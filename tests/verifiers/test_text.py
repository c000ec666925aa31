"""Whether a text is the right answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.text import exact


@pytest.mark.parametrize(
    ("answer", "expected", "same"),
    [
        ("red", "red", True),
        ("  Red\n", "red", True),
        ("bottom \t left", "bottom left", True),
        ("STRASSE", "straße", True),  # case folding, not lower case
        ("red.", "red", False),
        ("the red one", "red", False),
        ("bottomleft", "bottom left", False),
        ("", "red", False),
        ("07", "7", False),
    ],
)
def test_exact(answer, expected, same):
    assert exact(answer, expected) is same


@given(st.text(max_size=20))
def test_exact_forgives_case_and_white_space_only(text):
    assert exact(text, text)
    assert exact(f"  {text}\n", text)
    assert not exact(text + "x", text)
