"""Pages of PDFs: each word's text by PDFium's own reading of its box, ink in the boxes, answers from the words."""

from __future__ import annotations

import json
import re
import unicodedata

import numpy as np
import pytest

from vergence.data.generator import make_sample
from vergence.data.kinds import why_unavailable
from vergence.data.synthesis.charts import pdf_pages, pdf_text
from vergence.processing.coordinates import parse_boxes

pypdfium2 = pytest.importorskip("pypdfium2")

if why_unavailable("pdf-page"):
    pytest.skip(why_unavailable("pdf-page"), allow_module_level=True)


def sample(index, **settings):
    return make_sample("pdf-page", pdf_pages, pdf_pages.Config(**settings), 6, index)


def turns(conversation):
    messages, checks = conversation.messages, conversation.metadata["checks"]
    return [(q.text, a.text, check) for q, a, check in zip(messages[::2], messages[1::2], checks, strict=True)]


def page_of(conversation):
    """The page of the real file, by the path in the provenance."""
    [source] = conversation.metadata["provenance"]["sources"]
    path = next(
        path
        for path, _ in (*pdf_pages.manuals("train"), *pdf_pages.manuals("heldout"))
        if str(path).endswith(source["item"])
    )
    return pypdfium2.PdfDocument(path)[conversation.metadata["truth"]["page"] - 1]


def letters(text):
    return re.sub(r"[^a-z0-9]", "", unicodedata.normalize("NFKC", text).lower())


def test_pdfium_reads_the_same_words_in_their_boxes():
    """`get_text_bounded` is another route through the text than ours, character by character."""
    same = total = 0
    for index in range(10):
        conversation = sample(index)
        page = page_of(conversation)
        [part] = conversation.media
        scale = part.image.height / page.get_height()
        text = page.get_textpage()
        for word, left, top, right, bottom in conversation.metadata["truth"]["words"][::7]:
            height = page.get_height()
            found = text.get_text_bounded(
                left / scale - 1, height - bottom / scale - 1, right / scale + 1, height - top / scale + 1
            )
            total += 1
            same += letters(word) in letters(found)
    assert same > 0.97 * total
    assert total > 200


def test_words_have_ink_in_their_boxes():
    inked = total = 0
    for index in range(10):
        conversation = sample(index)
        [part] = conversation.media
        picture = np.asarray(part.image.convert("L"), dtype=int)
        for _, left, top, right, bottom in conversation.metadata["truth"]["words"]:
            crop = picture[int(top) : int(bottom) + 1, int(left) : int(right) + 1]
            total += 1
            inked += crop.size > 0 and np.ptp(crop) > 60
        assert picture.shape == part.image.size[::-1]
    assert inked > 0.99 * total


def test_answers_follow_from_the_words_of_the_page():
    seen = {}
    for index in range(50):
        conversation = sample(index, language="en", turns=7)
        truth, [part] = conversation.metadata["truth"], conversation.media
        words = truth["words"]
        bare = [word[0].strip(".,;:!?()[]{}“”‘’\"'").lower() for word in words]
        told = ""
        for question, answer, check in turns(conversation):
            text = question.split("\n")[0]
            named = re.findall("“([A-Za-z]+)”", text)
            assert not any(f"“{word.lower()}”" in told.lower() for word in named)
            assert check["verifier"] != "text" or answer not in told
            if named and "No" not in answer.split("\n"):
                assert not any(
                    first.endswith("-") and rest == named[0].lower()
                    for first, rest in zip((word[0] for word in words), bare[1:], strict=False)
                )
            told += f"{question}\n{answer}\n"
            if found := re.match(r"Give the box of the word “(.+)”", text):
                kind = "word"
                hits = [word for word in words if word[0].strip(".,;:!?()[]{}“”‘’\"'").lower() == found[1].lower()]
                assert len(hits) == 1
                assert check["target"] == pytest.approx(hits[0][1:], abs=0.06)
            elif found := re.match(r"How many times does the word “(.+)” occur", text):
                kind = "count"
                assert int(answer) == bare.count(found[1]) == sum(word.count(found[1]) for word in bare)
            elif found := re.match(r"Does the word “(.+)” occur", text):
                kind = f"present {answer}"
                assert (answer == "Yes") == (found[1] in bare)
            elif "largest letters" in text:
                kind = "heading"
                assert answer in truth["lines"]
            elif "<bbox>" in text:
                kind = "line" if "the line" in text else "block"
                [box] = parse_boxes(text, *part.image.size)
                inside = [
                    w
                    for w, x1, y1, x2, y2 in words
                    if box[0] - 1.5 <= x1 and x2 <= box[2] + 1.5 and box[1] - 1.5 <= y1 and y2 <= box[3] + 1.5
                ]
                assert answer.split() == inside, (answer, inside)
            else:
                kind = "page"
                assert answer.split("\n") == truth["lines"]
            seen[kind] = seen.get(kind, 0) + 1
    assert {"word", "count", "present Yes", "present No", "heading", "line", "block"} <= set(seen), seen


def test_the_splits_share_no_package_and_every_manual_has_a_licence():
    packages = {
        split: {str(path).partition("texlive-doc/")[2].split("/")[1] for path, _ in pdf_pages.manuals(split)}
        for split in ("train", "heldout")
    }
    assert len(packages["heldout"]) > 20
    assert not packages["train"] & packages["heldout"]
    assert all(licence for split in packages for _, licence in pdf_pages.manuals(split))
    [source] = sample(0).metadata["provenance"]["sources"]
    assert source["licence"] == sample(0).metadata["licence"]
    assert len(source["sha256"]) == 64


def test_every_page_can_be_stored():
    """PDFium gives letters beyond the first plane as two halves, which no UTF-8 holds."""
    for index in range(20):
        json.dumps(sample(index).metadata, ensure_ascii=False).encode()
    page = pdf_text._joined(["a", "\ud835", "\udc65", "\ufb01"])
    assert page == "axfi"
    assert pdf_text._joined(["\ud835"]) == "\ufffd"


def test_misread_ligatures_are_found():
    """isomath's manual is of old fonts, whose "fi" PDFium reads as "V"; amsguide's is read right."""
    paths = {path.name: path for split in ("train", "heldout") for path, _ in pdf_pages.manuals(split)}
    assert pdf_pages.misread(paths["isomath.pdf"])
    assert not pdf_pages.misread(paths["skmath.pdf"])
