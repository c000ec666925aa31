"""Rules for captions: each by examples that it must catch and must not, and all on 200 real ones judged by hand."""

from __future__ import annotations

import html
import re
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.data.curation.captions import CaptionRules, caption_problem, word_count
from vergence.data.sources.packages import fetched, package_folder

RULES = CaptionRules()
LABELS = Path(__file__).with_name("clipart_captions.tsv")


@pytest.mark.parametrize(
    ("caption", "reason"),
    [
        ("", "empty"),
        ("  \n ", "empty"),
        ("a red bus in front of a church", None),
        ("bus", "too few words"),
        ("一只猫坐在桌子上", None),
        ("猫", "too few words"),
        ("word " * 300, "too many words"),
        ("see www.example.org/pictures", "address"),
        ("more at example.com", "address"),
        ("mail me: somebody@example.net", "address"),
        ("somebody (at) example.net", "address"),
        ("IMG_20240131 the harbour", "file name"),
        ("DSC01234", "file name"),
        ("holiday.jpg", "file name"),
        ("The Dr. met Mr. Smith", None),
        ("A house at night. It is dark", None),
        ("<b>bold</b> colours of autumn", "markup"),
        ("cats &amp; dogs", "markup"),
        ("the dog is at <bbox>1 2 3 4</bbox>", None),
        ("3 < 5 and 7 > 2 apples", None),
        ("All rights reserved, a photo studio", "stock phrase"),
        ("Drawn by a friend with Inkscape", "stock phrase"),
        ("a licensed taxi", "stock phrase"),
        ("a person drawn to scale", None),
        ("1234 5678 90", "few letters"),
        ("buy buy buy buy buy buy cheap watches", "repetitive"),
        ("THE LARGEST SALE OF THE YEAR", "capitals"),
        ("NASA rocket", None),
    ],
)
def test_one_rule_at_a_time(caption, reason):
    assert caption_problem(caption, RULES) == reason


def test_a_rule_that_is_switched_off_is_not_applied():
    text = "see www.example.org/pictures"
    assert caption_problem(text, CaptionRules(addresses=True)) is None
    assert caption_problem("bus", CaptionRules(min_words=1)) is None


@pytest.mark.parametrize(
    ("caption", "kept"),
    [
        ("the quick brown fox jumps over the lazy dog", True),
        ("Ein roter Wagen fährt über die alte Brücke", False),
        ("два больших корабля стоят в порту", False),
        ("cat", True),  # nobody can say what language one word is
    ],
)
def test_languages(caption, kept):
    pytest.importorskip("py3langid")
    problem = caption_problem(caption, CaptionRules(languages=("en",), min_words=1))
    assert problem == (None if kept else "language")


@given(st.text(max_size=200))
def test_any_text_has_a_verdict(text):
    assert caption_problem(text, RULES) is None or caption_problem(text, RULES) in (
        *("empty", "markup", "address", "file name", "stock phrase", "too few words", "too many words"),
        *("few letters", "repetitive", "capitals"),
    )


def test_words_are_counted_in_every_script():
    assert word_count("a red bus") == 3
    assert word_count("一只猫坐在桌子上") == 4
    assert word_count("le chat 猫猫") == 3


def clipart_captions() -> list[tuple[str, bool]]:
    """The descriptions of Open Clip Art that were judged by hand, and whether each describes its picture."""
    rows = []
    for line in LABELS.read_text(encoding="utf-8").splitlines()[1:]:
        path, digest, describes = line.split("\t")
        source = (package_folder("openclipart") / path).read_text(encoding="utf-8", errors="replace")
        found = re.search(r"<dc:description[^>]*>(.*?)</dc:description>", source, re.DOTALL)
        assert found
        text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", found[1])).split())
        assert sha256(text.encode()).hexdigest()[:16] == digest, f"{path} has another description by now"
        rows.append((text, describes == "1"))
    return rows


@pytest.mark.skipif(not fetched("openclipart"), reason="vergence data fetch openclipart")
def test_precision_and_recall_on_captions_judged_by_hand():
    """Of what is kept, how much describes its picture; of what does, how much is kept (single words allowed)."""
    rows = clipart_captions()
    assert len(rows) == 200
    rules = CaptionRules(min_words=1, languages=("en",))
    kept = [describes for text, describes in rows if caption_problem(text, rules) is None]
    precision, recall = sum(kept) / len(kept), sum(kept) / sum(describes for _, describes in rows)
    assert precision >= 0.85
    assert recall >= 0.9
