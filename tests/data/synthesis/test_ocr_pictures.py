"""Lines, handwriting, signs and lettering: boxes and outlines beside the ink that a plain re-drawing gives."""

from __future__ import annotations

import dataclasses
import random
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from vergence.data.generator import make_sample
from vergence.data.kinds import load_generator, why_unavailable
from vergence.data.sources.packages import fetched
from vergence.data.synthesis.ocr import artistic_text, backgrounds, effects, handwriting, line, scene_text, signs
from vergence.data.synthesis.ocr.clear_digits import clear_digits
from vergence.data.synthesis.ocr.fonts import families, packages_of
from vergence.data.synthesis.ocr.scripts import SCRIPTS, Writer
from vergence.data.synthesis.ocr.shaping import Ink, Style
from vergence.processing.coordinates import parse_boxes
from vergence.processing.media import decode_image

ALL = tuple(name for name in SCRIPTS if all(map(fetched, packages_of(name, "print"))))
NOTES = {"latin": "caveat", "han": "ma shan zheng"}


def need(kind):
    reason = why_unavailable(kind)
    if reason:
        pytest.skip(reason)


def sample(kind, index, **settings):
    need(kind)
    generator = load_generator(kind)
    return make_sample(kind, generator, generator.Config(**settings), 9, index)


def ink_box(mask):
    rows, columns = np.nonzero(mask)
    return np.array((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1))


# Printed lines


@pytest.mark.parametrize("script", ALL)
def test_printed_words_stand_out_in_their_boxes_only(script):
    """In the stored picture every word's box has ink and the strips between the lines' words have none."""
    for index in range(4):
        conversation = sample("printed-line", index, scripts=(script,), min_size=28, language="en")
        truth = conversation.metadata["truth"]
        pixels = np.asarray(decode_image(conversation.images[0]).convert("L")).astype(float)
        outside = np.ones(pixels.shape, dtype=bool)
        ground = np.median(pixels[[0, -1]])
        for row in truth["lines"]:
            assert row["text"] == SCRIPTS[script].join([word[0] for word in row["words"]])
            x1, y1, x2, y2 = map(int, row["box"])
            below = y2 + truth["size"] // 4  # a line may be underlined
            outside[max(0, y1 - 2) : below, max(0, x1 - 2) : x2 + 2] = False
            for text, left, top, right, bottom in row["words"]:
                inside = pixels[int(top) : int(bottom), int(left) : int(right)]
                assert inside.size, text
                assert np.abs(inside - ground).max() > 50, text
        assert np.abs(pixels[outside] - ground).max() < 50


def test_line_answers_follow_from_the_truth():
    asked = set()
    for index in range(80):
        conversation = sample("printed-line", index, language="en", turns=9, scripts=ALL)
        rows = conversation.metadata["truth"]["lines"]
        size = decode_image(conversation.images[0]).size
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            text, reply = question.text, answer.text
            if found := re.match(r"What is the (\w+) word(?: of line (\d))?", text):
                words = rows[int(found[2] or 1) - 1]["text"].split()
                at = line.ORDINALS.index(found[1])
                assert words[at] == reply
                assert not re.search(r"\d", "".join(words[:at]))
                asked.add("word")
            elif "How many words" in text:
                assert reply.endswith(f"Answer: {sum(len(row['text'].split()) for row in rows)}")
                asked.add("count")
            elif "Read line" in text:
                assert rows[int(re.search(r"\d", text)[0]) - 1]["text"] == reply
                asked.add("line")
            elif "“" in text:
                word = re.search("“(.*)”", text)[1]
                [box] = [row_word[1:] for row in rows for row_word in row["words"] if row_word[0] == word]
                assert np.abs(np.array(parse_boxes(reply, *size)[0]) - box).max() <= max(size) / 1000
                assert sum(row["text"].count(word) for row in rows) == 1
                asked.add("box")
            elif "In which script" in text:
                chosen = re.search(rf"^{reply}\. (.*)$", text, re.MULTILINE)[1]
                assert chosen == line.SCRIPT_NAMES[conversation.metadata["tags"]["script"]][0]
                asked.add("script")
            else:
                assert reply == "\n".join(row["text"] for row in rows)
                asked.add("all")
    assert len(asked) == 6


# Handwriting


@pytest.mark.parametrize("script", ["latin", "han"])
def test_handwritten_ink_lies_in_its_boxes(script):
    """Poured on white, all ink of a note lies in its words' boxes, whose edges all have ink."""
    need("handwriting")
    for seed in range(6):
        rng = random.Random(seed)
        typeface = rng.choice(rng.choice(families(script, "handwriting", "train")))
        lines, picture = handwriting.write_note(script, typeface, "note", handwriting.Config(), rng)
        mask = np.zeros(picture.size[::-1], dtype=bool)
        for row in lines:
            for word in row.words:
                x, y = int(word.box[0]), int(word.box[1])
                ink = np.asarray(word.ink.mask) > 0
                assert (ink_box(ink) == (0, 0, *word.ink.mask.size)).all(), "the mask isn't cut to its ink"
                assert (x + ink.shape[1], y + ink.shape[0]) == word.box[2:]
                mask[y : y + ink.shape[0], x : x + ink.shape[1]] |= ink
        sheet = Image.new("RGB", picture.size, (255, 255, 255))
        handwriting.pour(lines, sheet, rng)
        poured = (np.asarray(sheet) < 255).any(-1)
        assert not (poured & ~mask).any()
        assert poured[mask].mean() > 0.9, "ink of so little cover that it isn't seen"
        pixels = np.asarray(picture.convert("L")).astype(float)
        assert pixels[mask].mean() < pixels[~mask].mean() - 15


def test_a_wave_and_a_slant_move_ink_as_said():
    """A straight bar under the slant s leans by s times its height; with a wave of w no column moves by more than w."""
    bar = np.full((90, 6), 255, dtype=np.uint8)
    ink = Ink(Image.fromarray(bar), 0, -90, 10.0)
    leaning = handwriting.waved(bar, ink, 0.2, 0.0, 90, random.Random(0))
    mask = np.asarray(leaning.mask) > 0
    top, bottom = (np.flatnonzero(mask[row]).mean() for row in (np.flatnonzero(mask.any(1))[[0, -1]]))
    assert top - bottom == pytest.approx(0.2 * 89, abs=1)
    plank = np.full((9, 200), 255, dtype=np.uint8)
    ink = Ink(Image.fromarray(plank), 0, -9, 200.0)
    waving = handwriting.waved(plank, ink, 0.0, 5.0, 40, random.Random(3))
    rows = [np.flatnonzero(column)[0] + waving.top + 9 for column in (np.asarray(waving.mask) > 0).T if column.any()]
    assert max(map(abs, rows)) <= 5
    assert len(set(rows)) > 2
    assert abs(np.diff(rows)).max() <= 1, "neighbouring columns come apart"


def test_numbers_are_real_digits():
    """Digits brought back to 8 x 8 are more like their own originals than like any other digit's mean."""
    need("handwriting")
    from sklearn.datasets import load_digits

    data = load_digits()
    means = [data.images[data.target == digit].mean(0) for digit in range(10)]
    hits = total = 0
    for index in range(12):
        conversation = sample("handwriting", index, digits=1.0)
        metadata = conversation.metadata
        truth = metadata["truth"]
        assert metadata["licence"] == "CC-BY-4.0"
        assert [int(row["text"]) for row in truth["lines"]] == truth["values"]
        digits = [word for row in truth["lines"] for word in row["words"]]
        assert [int(word[0]) for word in digits] == [int(data.target[number]) for number in truth["digits"]]
        grey = decode_image(conversation.images[0]).convert("L")
        for (text, x1, y1, x2, y2), number in zip(digits, truth["digits"], strict=True):
            seen = 255 - np.asarray(grey.crop((int(x1), int(y1), int(x2), int(y2))).resize((8, 8)), dtype=float)
            own = np.corrcoef(seen.ravel(), _cut(data.images[number]).ravel())[0, 1]
            others = [np.corrcoef(seen.ravel(), _cut(means[d]).ravel())[0, 1] for d in range(10) if d != int(text)]
            hits += own > max(others)
            total += 1
    assert hits / total > 0.9


def _cut(digit):
    """A digit of 8 x 8 cut to its ink and stretched, as its box on the page is."""
    image = Image.fromarray((digit / 16 * 255).astype(np.uint8))
    box = image.point([255 * (value > 80) for value in range(256)]).getbbox()
    return np.asarray(image.crop(box).resize((8, 8)), dtype=float)


def test_digits_are_clear():
    """Only pictures that a classifier of another kind, which hasn't seen them, reads right with confidence."""
    need("handwriting")
    from sklearn.datasets import load_digits
    from sklearn.model_selection import cross_val_predict
    from sklearn.svm import SVC

    data = load_digits()
    guessed = cross_val_predict(SVC(gamma=0.001), data.data, data.target, cv=3)
    kept = [number for split in ("train", "heldout") for digit in clear_digits(split) for number in digit]
    assert len(kept) == len(set(kept)) > 1000
    dropped = sorted(set(range(len(guessed))) - set(kept))
    wrong = guessed != data.target
    assert wrong[kept].mean() < 0.01 < 0.08 < wrong[dropped].mean()
    for split in ("train", "heldout"):
        assert all(len(digit) >= 8 for digit in clear_digits(split))


def test_sums_and_counts_of_handwriting():
    for index in range(24):
        conversation = sample("handwriting", index, language="en", turns=5)
        truth = conversation.metadata["truth"]
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            if "sum" in question.text:
                assert answer.text.endswith(f"Answer: {sum(truth['values'])}")
                sums = [line.split(" = ") for line in answer.text.splitlines()[:-1]]
                assert len(sums) == len(truth["values"]) - 1
                assert all(sum(map(int, left.split(" + "))) == int(right) for left, right in sums)
            elif "largest" in question.text:
                assert int(answer.text) == max(truth["values"])
            elif "How many" in question.text:
                assert answer.text.endswith(f"Answer: {len(truth['lines'])}")


# Signs


def blackened(sign, index):
    """A copy of a sign that is white but for one word's outline, filled black."""
    _, _, outline = sign.outlines[index]
    white = Image.new("RGB", sign.picture.size, (255, 255, 255))
    ImageDraw.Draw(white).polygon([(x - 0.5, y - 0.5) for x, y in outline], fill=(0, 0, 0))
    return dataclasses.replace(sign, picture=white)


def test_words_of_signs_are_where_their_outlines_say():
    """A sign whose word is a black patch is hung twice alike: the patch is where the outline of the word is."""
    for seed in range(24):
        rng = random.Random(seed)
        face = families("latin", "print", "train")[seed % 8][0]
        writer = Writer(SCRIPTS["latin"], "train", "words", (face,), rng)
        sign = signs.make_sign("white", Style(face, 64, SCRIPTS["latin"]), writer, rng)
        number = rng.randrange(len(sign.outlines))
        picture = Image.new("RGB", (900, 700), (255, 255, 255))
        hung = scene_text.hang(picture, blackened(sign, number), (0, 0, 900, 700), face, rng)
        found = ink_box(np.asarray(picture.convert("L")) < 90)
        box = effects.box_around(hung.words[number][1])
        assert np.abs(found - box).max() < 2.0, (seed, found, box)
        for _, outline in hung.words:
            around = effects.box_around(outline)
            assert around[0] >= 0
            assert around[1] >= 0
            assert around[2] <= 900
            assert around[3] <= 700


def test_letters_along_an_arc_lie_in_their_outlines():
    """All ink of a curved line lies inside the polygons of its words, and each polygon holds ink."""
    found = 0
    for seed in range(60):
        rng = random.Random(seed)
        face = families("latin", "print", "train")[seed % 8][0]
        writer = Writer(SCRIPTS["latin"], "train", "words", (face,), rng)
        sign = signs.make_sign("black", Style(face, 64, SCRIPTS["latin"]), writer, rng)
        if len(sign.outlines[0][2]) == 4:
            continue
        found += 1
        inside = Image.new("L", sign.picture.size)
        for _, _, outline in sign.outlines:
            one = Image.new("L", sign.picture.size)
            ImageDraw.Draw(one).polygon(list(outline), fill=255)
            one = one.filter(ImageFilter.MaxFilter(3))  # the pixels that the outline crosses
            ink = (np.asarray(sign.picture.convert("L")) > 150) & (np.asarray(one) > 0)
            assert ink.sum() > 50
            inside.paste(255, (0, 0), one)
        ink = np.asarray(sign.picture.convert("L")) > 150
        assert not (ink & (np.asarray(inside) == 0)).any()
    assert found > 5


def test_signs_do_not_overlap_and_answers_follow():
    asked = set()
    for index in range(36):
        conversation = sample("scene-text", index, language="en", turns=9)
        size = decode_image(conversation.images[0]).size
        hung = conversation.metadata["truth"]["signs"]
        for n, first in enumerate(hung):
            assert 0 <= first["box"][0] < first["box"][2] <= size[0] + 1
            assert 0 <= first["box"][1] < first["box"][3] <= size[1] + 1
            for second in hung[n + 1 :]:
                a, b = first["box"], second["box"]
                assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            text, reply = question.text, answer.text
            if found := re.search(r"the (\w+) sign", text):
                assert [reply] == [sign["text"] for sign in hung if sign["colour"] == found[1]]
                asked.add("colour")
            elif "What colour" in text:
                said = re.search("“(.*)”", text)[1]
                assert [reply] == [sign["colour"] for sign in hung if sign["text"] == said]
                asked.add("which colour")
            elif "How many" in text:
                assert reply.endswith(f"Answer: {len(hung)}")
                asked.add("count")
            elif found := re.search(r"nearest to the (\w+) edge", text):
                at = ("left", "top", "right", "bottom").index(found[1])
                middles = [(sign["box"][at % 2] + sign["box"][at % 2 + 2]) / 2 for sign in hung]
                best = int(np.argmin(middles) if at < 2 else np.argmax(middles))
                rims = [sign["box"][at] for sign in hung]
                assert best == int(np.argmin(rims) if at < 2 else np.argmax(rims))
                assert hung[best]["text"] == reply
                asked.add("edge")
            elif "<bbox>" in text:
                box = parse_boxes(text, *size)[0]
                near = min(hung, key=lambda sign: np.abs(np.array(sign["box"]) - box).max())
                assert near["text"] == reply
                asked.add("box")
            elif "“" in text:
                said = re.search("“(.*)”", text)[1]
                [outline] = [word[1:] for sign in hung for word in sign["words"] if word[0] == said]
                box = effects.box_around([tuple(point) for point in outline])
                assert np.abs(np.array(parse_boxes(reply, *size)[0]) - box).max() <= max(size) / 1000 + 0.1
                asked.add("locate")
            else:
                assert sorted(reply.split(", ")) == sorted(sign["text"] for sign in hung)
                asked.add("all")
    assert len(asked) == 7, asked


def test_wallpapers_carry_their_licence():
    if not fetched(backgrounds.WALLPAPERS):
        pytest.skip("needs wallpapers: vergence data fetch wallpapers")
    shown = {}
    for split in ("train", "heldout"):
        metadata = sample("scene-text", 0, background="wallpapers", split=split).metadata
        assert metadata["licence"] == backgrounds.WALLPAPER_LICENCE
        shown[split] = {item["item"] for item in metadata["provenance"]["sources"] if item["package"] == "wallpapers"}
    assert shown["train"]
    assert shown["heldout"] <= set(backgrounds.HELD_OUT)


# Lettering


def test_lettering_lies_in_its_boxes():
    """Letters without decoration on a plain ground: all that differs from the ground lies in the words' boxes."""
    need("artistic-text")
    plain = 0
    for seed in range(80):
        rng = random.Random(seed)
        script = SCRIPTS[rng.choice(("latin", "han"))]
        face = rng.choice(rng.choice(families(script.name, "display", "train")))
        writer = Writer(script, "train", "words", (face,), rng)
        art = artistic_text.letter(Style(face, 80, script), writer, rng)
        pixels = np.asarray(art.picture).astype(int)
        if art.decoration != "none" or (pixels[0] != pixels[0, 0]).any():
            continue
        plain += 1
        differs = np.abs(pixels - pixels[0, 0]).sum(-1) > 60
        for word in (word for row in art.lines for word in row.words):
            x1, y1, x2, y2 = word.box
            assert differs[int(y1) : int(y2), int(x1) : int(x2)].any()
            differs[max(0, int(y1) - 1) : int(y2) + 2, max(0, int(x1) - 1) : int(x2) + 2] = False
        assert not differs.any()
    assert plain > 3


def test_turned_boxes_follow_the_picture():
    """A patch in place of a word is turned with the sheet: the corners of the word lie on the patch's corners."""
    need("artistic-text")
    for degrees in (-12.0, -3.5, 5.0, 11.0):
        rng = random.Random(4)
        face = families("latin", "display", "train")[0][0]
        style = Style(face, 70, SCRIPTS["latin"])
        word_line = artistic_text.set_line(("ROPE",), style, 50, 150, 400)
        sheet = Image.new("RGB", (500, 240), (255, 255, 255))
        x1, y1, x2, y2 = map(int, word_line.words[0].box)
        sheet.paste((0, 0, 0), (x1, y1, x2, y2))
        turned = artistic_text._turned(sheet, [word_line], degrees, (255, 255, 255))
        found = ink_box(np.asarray(turned.convert("L")) < 128)
        assert np.abs(found - word_line.words[0].box).max() < 1.6
        assert rng


def test_letters_are_counted():
    for index in range(40):
        conversation = sample("artistic-text", index, language="en", turns=5)
        truth = conversation.metadata["truth"]
        text = "".join(word[0] for row in truth["lines"] for word in row["words"])
        for question, answer in zip(conversation.messages[::2], conversation.messages[1::2], strict=True):
            if "How many" in question.text:
                assert answer.text.endswith(f"Answer: {len(text)}")
            elif "around or behind" in question.text:
                chosen = re.search(rf"^{answer.text}\. (.*)$", question.text, re.MULTILINE)[1]
                assert chosen == artistic_text.DECORATIONS[truth["decoration"]][0]
                assert truth["font"] not in artistic_text.DECORATED
        assert truth["font"] not in artistic_text.CAPITALS or text == text.upper()
