"""Formulas: LaTeX is parsed again by sympy and evaluates to the tree's value; matrices by numpy; ink in the picture."""

from __future__ import annotations

import random
import re

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.synthesis.charts import formulas
from vergence.data.synthesis.charts.formula_tree import changed, draw_formula, latex

latex2sympy = pytest.importorskip("latex2sympy2_extended").latex2sympy

if why_unavailable("formula"):
    pytest.skip(why_unavailable("formula"), allow_module_level=True)


def sample(index, **settings):
    return make_sample("formula", formulas, formulas.Config(**settings), 4, index)


def turns(conversation):
    messages, checks = conversation.messages, conversation.metadata["checks"]
    return [(q.text, a.text, check) for q, a, check in zip(messages[::2], messages[1::2], checks, strict=True)]


def parsed(source, values):
    """The value of LaTeX by sympy, at numbers for its symbols."""
    expression = latex2sympy(source.partition(" = ")[2] or source)
    at = {symbol: values[str(symbol).lstrip("\\")] for symbol in expression.free_symbols if str(symbol) != "k"}
    return float(expression.subs(at).doit().evalf())


def test_sympy_reads_the_latex_as_the_value():
    checked = 0
    for index in range(45):
        truth = sample(index).metadata["truth"]
        if "at" not in truth:
            continue
        assert parsed(truth["latex"], truth["at"]) == pytest.approx(truth["value"], rel=1e-6, abs=1e-9), truth["latex"]
        checked += 1
    assert checked > 30


def test_wrong_options_are_other_formulas():
    """A changed formula is written otherwise; most have another value, too."""
    for seed in range(100):
        rng = random.Random(seed)
        formula = draw_formula(rng, 3, ("x", "a"))
        wrong = changed(formula, rng)
        if wrong != formula:
            assert latex(wrong) != latex(formula)


def test_values_and_counts_in_answers():
    seen = set()
    for index in range(80):
        conversation = sample(index, language="en", turns=5)
        truth = conversation.metadata["truth"]
        if "at" not in truth:
            continue
        for question, answer, check in turns(conversation):
            if "What is the value" in question:
                assert ("right-hand side" in question) == (" = " in truth["latex"].replace("k=", ""))
                assert ("radians" in question) == bool(re.search(r"\\(sin|cos|tan)\\left", truth["latex"]))
                given = {name.lstrip("\\"): int(v) for name, v in re.findall(r"([\\a-z]+) = (\d+)", question)}
                assert given == truth["at"]
                assert float(answer.rpartition("Answer: ")[2]) == pytest.approx(
                    parsed(truth["latex"], given), abs=0.00051
                )
                seen.add("value")
            elif "fraction bars" in question:
                assert int(answer) == truth["latex"].count(r"\frac")
                seen.add("bars")
            elif "root signs" in question:
                assert int(answer) == truth["latex"].count(r"\sqrt")
                seen.add("roots")
            elif "Which variables" in question:
                assert {name.lstrip("\\") for name in answer.split(", ")} == set(truth["at"])
                seen.add("symbols")
            elif "Which of these" in question:
                assert check["choices"][check["target"]] == truth["latex"]
                assert check["choices"].count(truth["latex"]) == 1
                seen.add("choice")
            else:
                assert answer == truth["latex"]
                seen.add("latex")
    assert seen == {"value", "bars", "roots", "symbols", "choice", "latex"}


def test_no_formula_is_spelled_before_it_is_asked_for():
    seen = 0
    for index in range(60):
        conversation = sample(index, turns=5)
        told = ""
        for question, answer, check in turns(conversation):
            formula = check["choices"][check["target"]] if check["verifier"] == "choice" else answer
            if check["verifier"] in ("choice", "text"):
                assert formula not in told
                seen += 1
            if answer == "0":
                assert "frac" not in conversation.metadata["truth"]["latex"] or "分数线" not in question
            told += f"{question}\n{answer}\n"
    assert seen > 30


def test_matrices_are_those_of_numpy():
    seen = set()
    for index in range(250):
        conversation = sample(index, language="en", turns=5, renderers=("typst",), depth=(1, 2))
        truth = conversation.metadata["truth"]
        if "entries" not in truth:
            continue
        matrix = np.array(truth["entries"])
        body = re.search(r"\\begin\{.matrix\} (.*) \\end", truth["latex"])[1]
        assert [[int(cell) for cell in row.split("&")] for row in body.split(r"\\")] == truth["entries"]
        for question, answer, _ in turns(conversation):
            if found := re.match(r"Which number is in row (\d), column (\d)", question):
                assert int(answer) == matrix[int(found[1]) - 1, int(found[2]) - 1]
                seen.add("entry")
            elif "determinant" in question:
                assert int(answer.rpartition("Answer: ")[2]) == round(np.linalg.det(matrix))
                for step in answer.splitlines()[:-1]:
                    parts = step.partition(": ")[2].split(" = ") if ": " in step else step.split(" = ")
                    assert len({eval(part.replace(")(", ")*(")) for part in parts}) == 1, step
                seen.add("determinant")
    assert seen == {"entry", "determinant"}


def test_pictures_have_ink_and_a_free_margin():
    """Nothing is cut off: the rim is background on all four sides."""
    for index in range(40):
        conversation = sample(index)
        [part] = conversation.media
        picture = np.asarray(part.image.convert("RGB"), dtype=int)
        rim = np.concatenate([picture[:4].reshape(-1, 3), picture[-4:].reshape(-1, 3), picture[:, 0], picture[:, -1]])
        assert (rim == picture[0, 0]).all(), index
        assert np.abs(picture - picture[0, 0]).sum(axis=-1).max() > 300
