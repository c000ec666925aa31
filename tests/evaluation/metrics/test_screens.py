"""Clicks on screenshots."""

from __future__ import annotations

import pytest

from vergence.evaluation.metrics.screens import click_hit, corners, screenspot
from vergence.verifiers.boxes import PIXELS, THOUSAND, UNIT

SIZE = (200, 100)
BOX = corners([20, 20, 80, 40])


def test_corners():
    assert BOX == (20, 20, 100, 60)


@pytest.mark.parametrize(
    ("answer", "system", "hit"),
    [
        ("(100, 200)", THOUSAND, True),
        ("<point>100 200</point>", THOUSAND, True),
        ("pyautogui.click(x=500, y=600)", THOUSAND, True),
        ("(501, 600)", THOUSAND, False),
        ("[0.1, 0.2]", UNIT, True),
        ("[0.0999, 0.2]", UNIT, False),
        ("click(100, 60)", PIXELS, True),
        ("click(100.1, 60)", PIXELS, False),
        ("[100, 200, 500, 600]", THOUSAND, True),
        ("<bbox>0 0 100 100</bbox>", THOUSAND, False),
        ("(100, 200) or (900, 900)", THOUSAND, True),
        ("(900, 900) or (100, 200)", THOUSAND, False),
        ("the button", THOUSAND, None),
        ("(1100, 200)", THOUSAND, None),
        ("", THOUSAND, None),
    ],
)
def test_clicks_in_a_declared_system(answer, system, hit):
    assert click_hit(answer, BOX, system, SIZE) is hit


def test_screenspot():
    hits = [True, False, True, None, True, True]
    kinds = ["text", "text", "icon", "icon", "text", "icon"]
    groups = ["mobile", "mobile", "mobile", "web", "web", "web"]
    measures = screenspot(hits, kinds, groups, {"application": ["a", "b", "a", "b", "a", "b"]})
    found = {(measure.metric, measure.group): measure.value for measure in measures}
    assert (measures[0].metric, measures[0].group) == ("accuracy", "")
    assert found["accuracy", ""] == pytest.approx(4 / 6)
    assert found["wrong_format_ratio", ""] == pytest.approx(1 / 6)
    assert found["accuracy", "kind=text"] == pytest.approx(2 / 3)
    assert found["accuracy", "group=web"] == pytest.approx(2 / 3)
    assert found["accuracy", "part=mobile/text"] == 0.5
    assert found["macro_accuracy", ""] == pytest.approx((0.5 + 1 + 1 + 0.5) / 4)
    assert found["accuracy", "application=a"] == 1.0
    with pytest.raises(ValueError, match="zip"):
        screenspot([True], ["text"], [])
