"""Pages: boxes beside the ink, order beside geometry, cameras beside a plain re-drawing, answers beside the truth."""

from __future__ import annotations

import itertools
import os
import random
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.packages import fetched
from vergence.data.synthesis.ocr import document, effects
from vergence.data.synthesis.ocr.fonts import packages_of
from vergence.data.synthesis.ocr.layout import Composer, choose_setting
from vergence.data.synthesis.ocr.page import unique_openings
from vergence.data.synthesis.ocr.scripts import BOOK, BOOK_LICENCE, SCRIPTS, Writer
from vergence.errors import UsageError
from vergence.processing.coordinates import parse_boxes
from vergence.processing.media import decode_image

pytestmark = pytest.mark.skipif(why_unavailable("document") is not None, reason="needs the demo's fonts")

ALL = tuple(name for name in SCRIPTS if all(map(fetched, packages_of(name, "print"))))
WHITE = (255, 255, 255)


def composed(script, seed, columns=None):
    """A page without paper or camera."""
    rng = random.Random(f"{script}/{seed}")
    setting = choose_setting(SCRIPTS[script], "train", 760, rng)
    writer = Writer(SCRIPTS[script], "train", "words", (setting.body, setting.display), rng)
    return Composer(setting, (760, 980), columns or rng.choice((1, 2, 3)), writer, rng).compose(1.0)


def sample(index, **settings):
    generator = load_generator("document")
    return make_sample("document", generator, generator.Config(**settings), 3, index)


def words_of(page):
    return [word for block in page.blocks for line in block.lines for word in line.words]


@pytest.mark.parametrize("script", ALL)
def test_all_ink_lies_in_boxes_and_boxes_are_tight(script):
    """Every dark pixel of a page lies in a word's box, and every box has ink along its four edges."""
    for seed in range(2):
        page = composed(script, seed)
        page.rules.clear()
        for block in page.blocks:
            block.marker = None
            for line in block.lines:
                line.ink = (0, 0, 0)
        sheet = Image.new("RGB", page.size, WHITE)
        page.draw(sheet)
        dark = np.asarray(sheet.convert("L")) < 255
        left = dark.copy()
        for word in words_of(page):
            x1, y1, x2, y2 = map(int, word.box)
            assert 0 <= x1 < x2 <= page.size[0]
            assert 0 <= y1 < y2 <= page.size[1], "text runs out of the page"
            inside = dark[y1:y2, x1:x2]
            assert inside[0].any() and inside[-1].any() and inside[:, 0].any() and inside[:, -1].any(), word.text  # noqa: PT018
            left[y1:y2, x1:x2] = False
        assert not left.any()


def test_a_box_holds_its_own_word():
    """Taking a word off the page changes pixels in its box only, up to the box's edges where nothing else is."""
    page = composed("latin", 7)
    sheet = Image.new("RGB", page.size, WHITE)
    page.draw(sheet)
    whole = np.asarray(sheet)
    for block in page.blocks[::3]:
        line = block.lines[0]
        word = line.words.pop(0)
        if line.words:
            without = Image.new("RGB", page.size, WHITE)
            page.draw(without)
            rows, columns = np.nonzero((np.asarray(without) != whole).any(-1))
            changed = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            assert changed == tuple(map(int, word.box)), word.text
        line.words.insert(0, word)


@pytest.mark.parametrize("script", ALL)
def test_lines_and_blocks_do_not_touch(script):
    """Two words of a page never share more than a sliver: marks above or below may meet, letters may not."""
    page = composed(script, 11)
    boxes = np.array([word.box for word in words_of(page)])
    x = np.minimum(boxes[:, None, 2], boxes[None, :, 2]) - np.maximum(boxes[:, None, 0], boxes[None, :, 0])
    y = np.minimum(boxes[:, None, 3], boxes[None, :, 3]) - np.maximum(boxes[:, None, 1], boxes[None, :, 1])
    shared = np.clip(x, 0, None) * np.clip(y, 0, None)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    np.fill_diagonal(shared, 0)
    assert (shared / np.minimum(area[:, None], area[None, :])).max() < 0.45


@pytest.mark.parametrize("script", ALL)
def test_reading_order_is_that_of_the_geometry(script):
    """Header and title above, footer below; columns side by side from the script's side; downwards in each."""
    for seed in range(4):
        page = composed(script, seed)
        body = [block for block in page.blocks if block.column >= 0]
        assert page.blocks.index(body[0]) + len(body) >= len(page.blocks) - 1
        top = min(block.box[1] for block in body)
        for block in page.of("header", "title", "byline"):
            assert block.box[3] <= top + 2
        for block in page.of("footer"):
            assert block is page.blocks[-1]
            assert block.box[1] >= max(other.box[3] for other in body) - 2
        columns = sorted({block.column for block in body})
        spans = []
        for column in columns:
            inside = [block for block in body if block.column == column]
            for first, second in itertools.pairwise(inside):
                assert first.box[1] < second.box[1]
                middle = [(line.box[1] + line.box[3]) / 2 for line in (first.lines[-1], second.lines[0])]
                assert middle[0] < middle[1]
            spans.append((min(block.box[0] for block in inside), max(block.box[2] for block in inside)))
        if SCRIPTS[script].direction == "rtl":
            spans.reverse()
        assert all(first[1] < second[0] for first, second in itertools.pairwise(spans))
        assert [block.column for block in body] == sorted(block.column for block in body)


def test_a_camera_moves_boxes_as_it_moves_ink():
    """One black word alone on a white sheet, photographed on white: its ink is where the bent box is."""
    for seed in range(12):
        rng = random.Random(seed)
        page = composed("latin", seed)
        word = rng.choice([word for word in words_of(page) if len(word.text) > 3])
        sheet = Image.new("RGB", page.size, WHITE)
        x1, y1, x2, y2 = map(int, word.box)
        sheet.paste((0, 0, 0), (x1, y1, x2, y2))
        size, matrix = effects.camera(page.size, rng, 0.09)
        # White on white: the shadow is lighter than the ink.
        seen = effects.photographed(sheet, Image.new("RGB", size, WHITE), matrix)
        page.bend(matrix, size)
        rows, columns = np.nonzero(np.asarray(seen.convert("L")) < 100)
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.array(found) - word.box).max() < 1.6, (found, word.box)
        assert effects.box_around(word.quad) == word.box


def test_a_homography_takes_points_to_points():
    rng = random.Random(1)
    for _ in range(20):
        source = effects.corners_of((0, 0, rng.uniform(100, 900), rng.uniform(100, 900)))
        target = [(x + rng.uniform(-40, 40), y + rng.uniform(-40, 40)) for x, y in source]
        matrix = effects.homography(source, target)
        assert np.allclose(effects.project(matrix, source), target)
        # Straight lines stay straight: the diagonals' crossing goes to the diagonals' crossing.
        middle = effects.project(matrix, [((source[0][0] + source[2][0]) / 2, (source[0][1] + source[2][1]) / 2)])[0]
        first, second = np.array(target[2]) - target[0], np.array(middle) - target[0]
        assert abs(first[0] * second[1] - first[1] * second[0]) < 1e-6 * np.abs(first).max() ** 2


def test_answers_follow_from_the_truth():
    """Each answer is worked out again from the truth that is stored with the sample."""
    asked = set()
    for index in range(36):
        conversation = sample(index, language="en", turns=10, camera=0.15, max_width=700)
        truth, size = conversation.metadata["truth"], conversation.images[0]
        size = decode_image(size).size
        blocks = truth["blocks"]
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            text, reply = question.text, answer.text
            if "Transcribe all" in text or "whole page" in text or "What does this page say" in text:
                assert reply == "\n".join(block["text"] for block in blocks)
                asked.add("all")
            elif "title of this page" in text or "page's title" in text:
                assert [reply] == [block["text"] for block in blocks if block["kind"] == "title"]
                asked.add("title")
            elif "How many" in text and "columns" not in text:
                kind = re.search(r"How many (paragraph|section heading|list item|figure)s", text)[1]
                kind = kind.removeprefix("section ")
                count = len(truth["figures"]) if kind == "figure" else sum(block["kind"] == kind for block in blocks)
                assert reply.endswith(f"Answer: {count}")
                assert reply.count("\n") == count
                asked.add("count")
            elif "In how many columns" in text:
                assert int(reply) == len({block["column"] for block in blocks} - {-1})
                asked.add("columns")
            elif ("begins with “" in text and "box" in text) or "block starting" in text:
                opening = re.search("“(.*)”", text)[1]
                [block] = [block for block in blocks if block["text"].startswith(opening)]
                [box] = parse_boxes(reply, *size)
                assert np.abs(np.array(box) - block["box"]).max() <= max(size) / 1000
                asked.add("locate")
            elif "comes right after" in text:
                opening = re.search("“(.*)”", text)[1]
                number = next(n for n, block in enumerate(blocks) if block["text"].startswith(opening))
                chosen = re.search(rf"^{reply}\. (.*)$", text, re.MULTILINE)[1]
                assert blocks[number + 1]["text"].startswith(chosen)
                asked.add("next")
            elif "reading order, separated" in text:
                places = [
                    next(n for n, block in enumerate(blocks) if block["text"].startswith(opening))
                    for opening in reply.split(", ")
                ]
                assert places == sorted(places)
                assert sorted(reply.split(", ")) == sorted(line[2:] for line in text.splitlines()[1:])
                asked.add("order")
            elif "<bbox>" in text:
                [box] = parse_boxes(text, *size)
                parts = [*blocks, *(line for block in blocks for line in block["lines"])]
                near = min(parts, key=lambda part: np.abs(np.array(part["box"]) - box).max())
                assert near["text"] == reply
                asked.add("read box")
            elif "figures" in text or "every figure" in text:
                assert len(parse_boxes(reply, *size)) == len(truth["figures"]) > 0
                asked.add("figures")
            elif "first line" in text:
                paragraph = next(block for block in blocks if block["kind"] == "paragraph")
                assert reply == paragraph["lines"][0]["text"]
                asked.add("first line")
            else:
                pytest.fail(f"an unknown question: {text}")
    assert len(asked) == 10, asked


def test_openings_tell_blocks_apart():
    page = composed("latin", 3)
    for number, opening in unique_openings(page.blocks, 2, 8).items():
        assert [n for n, block in enumerate(page.blocks) if block.text.startswith(opening)] == [number]


def test_the_page_in_the_file_is_the_page_of_the_truth():
    """In the stored JPEG of clean pages the words' boxes are darker than the paper between them."""
    for index in range(8):
        conversation = sample(index, camera=0.0, language="en")
        pixels = np.asarray(decode_image(conversation.images[0]).convert("L")).astype(float)
        paper = np.median(pixels)
        inside = np.zeros(pixels.shape, dtype=bool)
        contrasts = []
        for block in conversation.metadata["truth"]["blocks"]:
            for line in block["lines"]:
                for _, x1, y1, x2, y2 in line["words"]:
                    inside[int(y1) : int(y2), int(x1) : int(x2)] = True
                    word = pixels[int(y1) : int(y2), int(x1) : int(x2)]
                    contrasts.append(np.abs(word - paper).max())
        assert np.percentile(contrasts, 2) > 60
        for x1, y1, x2, y2 in conversation.metadata["truth"]["figures"]:
            inside[int(y1) : int(y2) + 1, int(x1) : int(x2) + 1] = True
        assert (np.abs(pixels - paper)[~inside] > 90).mean() < 0.004  # rules and bullets


def test_the_book_is_written_with_its_licence():
    if not fetched(BOOK):
        pytest.skip(f"needs {BOOK}: vergence data fetch {BOOK}")
    metadata = sample(1, text="book").metadata
    assert metadata["licence"] == BOOK_LICENCE
    assert any(item["package"] == BOOK for item in metadata["provenance"]["sources"])
    train, heldout = (
        {
            item["item"].partition("/")[2]
            for index in range(6)
            for item in sample(index, text="book", split=split).metadata["provenance"]["sources"]
            if item["package"] == BOOK
        }
        for split in ("train", "heldout")
    )
    assert train
    assert heldout
    assert not train & heldout
    if "hebrew" in ALL:
        with pytest.raises(UsageError, match="the book isn't written in hebrew"):
            sample(0, text="book", scripts=("hebrew",))


def test_fonts_that_are_not_fetched_are_named(monkeypatch):
    monkeypatch.setattr("vergence.data.synthesis.ocr.fonts.fetched", lambda name: False)
    from vergence.data.synthesis.ocr import fonts

    fonts.families.cache_clear()
    with pytest.raises(UsageError, match="vergence data fetch font-noto-sans-thai font-sarabun"):
        sample(0, scripts=("thai",))
    fonts.families.cache_clear()


def test_another_process_draws_the_same_bytes():
    """Whatever the seed of hashes is, and after other samples were drawn."""
    program = (
        "from hashlib import sha256\n"
        "from vergence.data.generator import make_sample\n"
        "from vergence.data.kinds import load_generator\n"
        "for kind in ('scene-text', 'printed-line', 'document'):\n"
        "    module = load_generator(kind)\n"
        "    made = make_sample(kind, module, module.Config(), 1, 4)\n"
        "    print(sha256(made.images[0] + repr(made.metadata).encode()).hexdigest())\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
        ).stdout
        for seed in (1, 2)
    ]
    assert runs[0] == runs[1]
    assert len(set(runs[0].split())) == 3


def test_questions_are_asked_in_both_languages():
    texts = [sample(index, camera=0.0).messages[0].text for index in range(12)]
    chinese = sum(bool(re.search("[一-鿿]", text)) for text in texts)
    assert 0 < chinese < 12
    assert document.NAMES["en"].keys() == document.NAMES["zh"].keys()
