"""Our copies of the other harnesses' scores of mathematical answers against these harnesses themselves.

Both parse LaTeX with latex2sympy2_extended: latex2sympy2, which lmms-eval names, needs another version of antlr.
"""

from __future__ import annotations

import importlib.util

import pytest
from answer_cases import lmms, vlmevalkit

from vergence.evaluation.compat.maths import COMPAT

needs_latex = pytest.mark.skipif(
    importlib.util.find_spec("latex2sympy2_extended") is None, reason="latex2sympy2_extended is not installed"
)


@needs_latex
@pytest.mark.parametrize("harness", ["lmms-eval", "vlmevalkit"])
def test_mathvista(harness):
    pairs = (lmms if harness == "lmms-eval" else vlmevalkit)("mathvista")
    assert len(pairs) >= 1000
    names = ("question_type", "answer_type", "choices", "precision")
    found = [COMPAT["mathvista"][harness](*case[:2], **dict(zip(names, case[2:], strict=True))) for case, _ in pairs]
    wrong = [(case, theirs) for (case, theirs), ours in zip(pairs, found, strict=True) if ours != float(theirs)]
    assert wrong == []
    assert {0.0, 1.0} == set(found)


@needs_latex
@pytest.mark.parametrize("harness", ["lmms-eval", "vlmevalkit"])
def test_mathvision(harness):
    pairs = (lmms if harness == "lmms-eval" else vlmevalkit)("mathvision")
    assert len(pairs) >= 1000
    found = [COMPAT["mathvision"][harness](case[0], case[1], options=case[2]) for case, _ in pairs]
    wrong = [(case, theirs) for (case, theirs), ours in zip(pairs, found, strict=True) if ours != float(theirs)]
    assert wrong == []
    assert {0.0, 1.0} == set(found)


@needs_latex
def test_mathverse():
    pairs = vlmevalkit("mathverse")
    found = [COMPAT["mathverse"]["vlmevalkit"](*case) for case, _ in pairs]
    assert found == [float(theirs) for _, theirs in pairs]


@needs_latex
def test_dynamath():
    pairs = vlmevalkit("dynamath")
    assert len(pairs) >= 1000
    found = [COMPAT["dynamath"]["vlmevalkit"](case[0], case[1], answer_type=case[2]) for case, _ in pairs]
    wrong = [(case, theirs) for (case, theirs), ours in zip(pairs, found, strict=True) if ours != float(theirs)]
    assert wrong == []
    assert {0.0, 1.0} == set(found)
