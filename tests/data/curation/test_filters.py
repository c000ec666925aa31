"""Filters over a folder: decisions for every sample, on a disk, combined, and obeyed by a mixture. Pictures stay."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from vergence.cli import main
from vergence.data.curation.clean import CleanRules, clean
from vergence.data.curation.decisions import Decision, Decisions, combine, read_decisions, summary, write_decisions
from vergence.data.curation.dedup import DuplicateRules, deduplicate
from vergence.data.curation.licences import is_allowed, licence_problem
from vergence.data.mixture import Mixture
from vergence.data.sources.folder import read_folder
from vergence.errors import DataError
from vergence.recipe import MixtureEntry


def noise(seed: int, size: tuple[int, int] = (96, 64)) -> Image.Image:
    """A coarse pattern that no other seed has."""
    rng = np.random.Generator(np.random.PCG64(seed))
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), np.uint8))
    return coarse.resize(size, Image.Resampling.BICUBIC)


SENTENCE = "a brown dog jumps over the old wooden fence near the village"
ROWS = [
    ("a.png", "a brown dog", "CC0-1.0"),  # 0
    ("b.png", "a red car", "CC-BY-4.0"),  # 1
    ("a-small.jpg", "the same brown dog again", "CC0-1.0"),  # 2: a copy of 0
    ("c.png", "IMG_0001.JPG", "CC0-1.0"),  # 3
    ("tiny.png", "a tiny thing", "CC0-1.0"),  # 4
    ("long.png", "a long thing", "CC0-1.0"),  # 5
    ("grey.png", "a grey wall", "CC0-1.0"),  # 6
    ("gone.png", "a thing that is gone", "CC0-1.0"),  # 7
    ("d.png", SENTENCE, None),  # 8
    ("e.png", SENTENCE.replace("old", "tall"), "GPL-2.0"),  # 9
    ("d.png", "another question about it", "CC0-1.0"),  # 10: the picture of 8
]


@pytest.fixture
def folder(tmp_path):
    """Pictures of every sort, each with a caption and a licence."""
    root = tmp_path / "data"
    root.mkdir()
    for number, name in enumerate("abcde"):
        noise(number).save(root / f"{name}.png")
    noise(0).resize((60, 40)).save(root / "a-small.jpg", quality=60)
    noise(7, (20, 20)).save(root / "tiny.png")
    noise(8, (600, 60)).save(root / "long.png")
    Image.new("RGB", (64, 64), (128, 128, 128)).save(root / "grey.png")
    lines = []
    for picture, caption, licence in ROWS:
        user = {"role": "user", "content": [{"type": "image", "image": picture}]}
        record = {"messages": [user, {"role": "assistant", "content": caption}]}
        lines.append(json.dumps(record | ({"licence": licence} if licence else {})))
    (root / "conversations.jsonl").write_text("\n".join([*lines, "not json"]), encoding="utf-8")
    return read_folder(root)


def test_clean_names_the_first_reason_of_each_sample(folder):
    decisions = clean(folder, CleanRules())
    assert [row.reason for row in decisions.rows] == [
        *("kept", "kept", "kept", "caption: file name", "picture: too small", "picture: too long", "picture: flat"),
        *("picture: broken", "kept", "kept", "kept", "unreadable"),
    ]
    assert [row.number for row in decisions.rows] == list(range(12))
    assert decisions.rows[3].key == "conversations.jsonl:4"
    assert "picture: flat: 1 (8.3%)" in summary(decisions)


def test_a_list_of_licences_refuses_what_names_none(folder):
    decisions = clean(folder, CleanRules(licences=("CC0-1.0", "CC-BY-*")))
    reasons = [row.reason for row in decisions.rows]
    assert reasons[1] == "kept"
    assert (reasons[8], reasons[9]) == ("licence: none named", "licence: GPL-2.0")


@pytest.mark.parametrize(
    ("licence", "allowed", "fine"),
    [
        ("MIT", ["mit"], True),
        ("CC-BY-SA-4.0", ["CC-BY-*"], True),
        ("GPL-2.0-or-later OR CC-BY-SA-3.0", ["CC-*"], True),
        ("MIT AND GPL-2.0", ["MIT"], False),
        ("MIT AND GPL-2.0", ["MIT", "GPL-*"], True),
        ("(MIT OR Apache-2.0) AND CC0-1.0", ["apache-2.0", "cc0-1.0"], True),
        ("MIT, GPL-3.0", ["MIT"], False),
        ("proprietary", [], False),
    ],
)
def test_licences_joined_by_and_or(licence, allowed, fine):
    assert is_allowed(licence, allowed) == fine
    assert (licence_problem({"license": licence}, allowed) is None) == fine


def copies(decisions: Decisions) -> dict[int, tuple[int | None, str]]:
    return {row.number: (row.of, row.reason) for row in decisions.rows if row.repeat == 0 and row.of is not None}


def test_copies_by_picture_by_text_and_by_both(folder):
    by_picture = deduplicate(folder, DuplicateRules(by="picture"))
    assert copies(by_picture) == {2: (0, "picture copy"), 10: (8, "picture copy")}
    assert by_picture.rows[7].reason == by_picture.rows[11].reason == "unreadable"
    by_text = deduplicate(folder, DuplicateRules(by="text", jaccard=0.5))
    assert copies(by_text) == {9: (8, "text copy")}
    assert copies(deduplicate(folder, DuplicateRules(by="both"))) == {}, "another question about a picture is no copy"


def test_a_sample_of_several_pictures_is_a_copy_of_one_that_shows_them_all(tmp_path):
    for number in range(3):
        noise(number).save(tmp_path / f"{number}.png")
    lines = []
    for shown in ([0, 1], [0, 2], [1], [1, 0], [2, 0, 1]):
        parts = [{"type": "image", "image": f"{number}.png"} for number in shown]
        messages = [{"role": "user", "content": parts}, {"role": "assistant", "content": "x"}]
        lines.append(json.dumps({"messages": messages}))
    (tmp_path / "conversations.jsonl").write_text("\n".join(lines))
    decisions = deduplicate(read_folder(tmp_path), DuplicateRules())
    assert [row.of for row in decisions.rows] == [None, None, 0, 0, None]


def test_decisions_survive_their_file_and_are_combined(tmp_path):
    rows = tuple(
        Decision(n, f"k{n}", n % 3, "why" if n % 2 else "kept", n / 7 if n else None, n or None) for n in range(9)
    )
    decisions = Decisions("clean", "abc", {"x": [1]}, rows)
    write_decisions(decisions, tmp_path / "sub" / "a.parquet")
    assert read_decisions(tmp_path / "sub" / "a.parquet") == decisions
    write_decisions(Decisions("none", "abc", {}, ()), tmp_path / "empty.parquet")
    assert read_decisions(tmp_path / "empty.parquet").rows == ()
    both = combine([tmp_path / "sub" / "a.parquet"] * 2, fingerprint="abc", size=9, where="here")
    assert both.tolist() == [(n % 3) ** 2 for n in range(9)]
    for wrong in ({"fingerprint": "abd", "size": 9}, {"fingerprint": "abc", "size": 8}):
        with pytest.raises(DataError, match="was decided on other data than here"):
            combine([tmp_path / "sub" / "a.parquet"], where="here", **wrong)
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"bad.parquet: can't be read"):
        read_decisions(tmp_path / "bad.parquet")


def test_commands_decide_and_a_mixture_obeys(folder, tmp_path, capsys):
    before = {path.name: path.read_bytes() for path in folder.path.iterdir()}
    cleaned, single = tmp_path / "clean.parquet", tmp_path / "dedup.parquet"
    assert main(["data", "clean", str(folder.path), "caption.min_words=1", "--out", str(cleaned)]) == 0
    assert "clean: 12 samples in, 6 out" in capsys.readouterr().out
    assert main(["data", "dedup", str(folder.path), "--out", str(single)]) == 0
    assert {path.name: path.read_bytes() for path in folder.path.iterdir()} == before, "filters write no pictures"
    entry = MixtureEntry(source="folder", path=folder.path, keep=(cleaned, single))
    mixture = Mixture([entry], split="train", seed=0)
    assert mixture.sources[0].size == 4
    shown = {mixture.conversation(position).messages[1].text for position in range(4)}
    assert shown == {ROWS[number][1] for number in (0, 1, 8, 9)}
    with (folder.path / "conversations.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="was decided on other data"):
        Mixture([entry], split="train", seed=0)


def test_rebalancing_caps_and_repeats(tmp_path, capsys):
    root = tmp_path / "data"
    root.mkdir()
    captions = ["a dog"] * 40 + ["a zebra"] * 2 + ["nothing"]
    lines = [json.dumps({"messages": [{"role": "assistant", "content": caption}]}) for caption in captions]
    (root / "conversations.jsonl").write_text("\n".join(lines))
    (tmp_path / "lexicon.txt").write_text("dog\nzebra\n")
    words = ["data", "rebalance", str(root), "--lexicon", str(tmp_path / "lexicon.txt"), "cap=10", "boost=3", "rare=6"]
    assert main([*words, "--out", str(tmp_path / "b.parquet")]) == 0
    decisions = read_decisions(tmp_path / "b.parquet")
    assert 2 <= sum(row.repeat for row in decisions.rows[:40]) <= 20
    assert [row.repeat for row in decisions.rows[40:]] == [3, 3, 0]
    assert decisions.settings["report"]["before"]["samples"] == 43
    assert "before" in capsys.readouterr().out


def test_what_is_in_a_task_is_left_out(tmp_path, capsys):
    """The project's own held-out digits, planted among training pictures."""
    from vergence.data.catalogue import draw
    from vergence.evaluation.task import TaskOptions
    from vergence.evaluation.tasks.catalogue import open_task

    task = list(open_task("digit", TaskOptions(), limit=20).samples())
    root = tmp_path / "data"
    root.mkdir()
    lines = []
    for number in range(12):
        planted = number in (3, 7)
        picture = task[number].media[0].image if planted else draw("emoji", "train", 5, number).image
        picture.save(root / f"{number}.png")
        parts = [{"type": "image", "image": f"{number}.png"}]
        lines.append(json.dumps({"messages": [{"role": "user", "content": parts}]}))
    (root / "conversations.jsonl").write_text("\n".join(lines))
    words = ["data", "decontaminate", str(root), "--task", "digit", "limit=20", "--out", str(tmp_path / "d.parquet")]
    assert main(words) == 0
    decisions = read_decisions(tmp_path / "d.parquet")
    assert [row.number for row in decisions.rows if not row.repeat] == [3, 7]
    assert {row.reason for row in decisions.rows} == {"kept", "picture of digit"}
    assert main([*words[:2], str(root), "--task", "no-such-task", "--out", str(tmp_path / "e.parquet")]) == 2


def text_folder(root, rows):
    """Samples of one picture with (question, answer)."""
    root.mkdir()
    noise(3).save(root / "a.png")
    lines = []
    for question, answer in rows:
        content = [{"type": "image", "image": "a.png"}, {"type": "text", "text": question}]
        lines.append(
            json.dumps({"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]})
        )
    (root / "conversations.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return read_folder(root)


def test_two_questions_with_one_answer_are_no_copies(tmp_path):
    rows = [
        ("Is it red?", "Yes"),
        ("Does it have four legs?", "Yes"),
        ("Is it red?", "Yes"),
        ("Is it red?", "No, blue"),
    ]
    found = deduplicate(text_folder(tmp_path / "data", rows), DuplicateRules(by="both"))
    assert [row.of for row in found.rows] == [None, None, 0, None]


def test_texts_without_blanks_between_words_are_compared_too(tmp_path):
    text = "一只棕色的狗跳过村子旁边的旧木篱笆"
    rows = [("?", text), ("?", text + "。"), ("?", "一只猫睡在红色的沙发上面，旁边有一个花瓶")]
    found = deduplicate(text_folder(tmp_path / "data", rows), DuplicateRules(by="text"))
    assert [row.of for row in found.rows] == [None, 0, None]


def test_decisions_in_another_order_are_refused(tmp_path):
    rows = tuple(Decision(number, str(number), number) for number in (1, 0))
    write_decisions(Decisions("clean", "x", {}, rows), tmp_path / "d.parquet")
    with pytest.raises(DataError, match="in the order of `number`"):
        combine([tmp_path / "d.parquet"], fingerprint="x", size=2, where="data")


def test_an_output_that_cannot_be_written_is_named_first_and_nothing_is_left(folder, tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    assert main(["data", "clean", str(folder.path), "--out", str(tmp_path / "taken")]) == 2
    assert "taken: is a folder" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "taken"]


def plain_folder(root, rows):
    """Samples of (names of videos or pictures, question, answer)."""
    lines = []
    for shown, question, answer in rows:
        kind = lambda name: "image" if name.endswith("png") else "video"  # noqa: E731
        content = [{"type": kind(name), kind(name): name} for name in shown] + [{"type": "text", "text": question}]
        lines.append(
            json.dumps({"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]})
        )
    (root / "conversations.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return read_folder(root)


def test_samples_without_pictures_are_copies_by_their_text(tmp_path):
    noise(1).save(tmp_path / "a.png")
    rows = [
        ([], "What is two and two?", "four"),
        (["a.png"], "What is two and two?", "four"),
        ([], "What is two and two?", "four"),
        ([], "What is two and three?", "five"),
        ([], SENTENCE + " and the small river", "so it does"),
        ([], SENTENCE + " and the small river", "so it does!"),
        ([], "?", "!"),
        ([], "…", "."),
    ]
    found = deduplicate(plain_folder(tmp_path, rows), DuplicateRules(by="both"))
    assert [row.of for row in found.rows] == [None, None, 0, None, None, 4, None, None]
    assert [(found.rows[n].reason, found.rows[n].score) for n in (2, 5)] == [("text copy", 1.0)] * 2
    assert copies(deduplicate(plain_folder(tmp_path, rows), DuplicateRules(by="picture"))) == {}


def test_videos_are_copies_by_their_bytes(tmp_path):
    noise(1).save(tmp_path / "a.png")
    for name, data in (("a.mp4", b"one"), ("same.mp4", b"one"), ("b.mp4", b"two"), ("empty.mp4", b"")):
        (tmp_path / name).write_bytes(data)
    rows = [
        (["a.mp4"], "What happens?", "a jump"),
        (["same.mp4"], "What happens?", "a jump"),
        (["b.mp4"], "What happens?", "a jump"),
        (["a.mp4"], "Where is it?", "outside"),
        (["a.mp4", "a.png"], "What happens?", "a jump"),
        (["a.png"], "What happens?", "a jump"),
        (["empty.mp4"], "What happens?", "a jump"),
    ]
    both = deduplicate(plain_folder(tmp_path, rows), DuplicateRules(by="both"))
    assert [row.of for row in both.rows] == [None, 0, None, None, None, 4, None]
    assert both.rows[6].reason == "unreadable"
    by_picture = deduplicate(plain_folder(tmp_path, rows), DuplicateRules(by="picture"))
    assert [row.of for row in by_picture.rows] == [None, 0, None, 0, None, 4, None]


def test_the_first_of_a_group_that_is_joined_to_another_has_its_own_score(tmp_path):
    """Samples 0 and 1 are alike only by way of sample 2, which is half of each."""
    tokens = [f"w{number}" for number in range(43)]
    texts = [" ".join(tokens[start : start + 40]) for start in (0, 3, 1)]
    rows = [([], "?", text) for text in texts]
    found = deduplicate(plain_folder(tmp_path, rows), DuplicateRules(by="text", jaccard=0.88))
    assert [row.of for row in found.rows] == [None, 0, 0]
    assert found.rows[1].score == 36 / 40


def test_combining_makes_no_rows(tmp_path, monkeypatch):
    """A million samples are two columns of numbers and no million of objects."""
    rows = tuple(Decision(number, str(number), number % 2) for number in range(100))
    write_decisions(Decisions("clean", "x", {}, rows), tmp_path / "d.parquet")
    monkeypatch.setattr("vergence.data.curation.decisions.Decision", None)
    assert combine([tmp_path / "d.parquet"], fingerprint="x", size=100, where="data").tolist() == [0, 1] * 50


@pytest.mark.parametrize("column", ["number", "repeat"])
def test_decisions_that_lack_a_value_or_a_column_are_named(tmp_path, column):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = tuple(Decision(number, str(number), 1) for number in range(3))
    write_decisions(Decisions("clean", "x", {}, rows), tmp_path / "d.parquet")
    table = parquet.read_table(tmp_path / "d.parquet")
    place = table.column_names.index(column)
    gap = pa.array([0, None, 2], table.schema.field(column).type)
    parquet.write_table(table.set_column(place, table.schema.field(column), gap), tmp_path / "gap.parquet")
    parquet.write_table(table.drop_columns([column]), tmp_path / "less.parquet")
    for name, problem in (("gap", "in the order of `number`"), ("less", f"has no column {column}")):
        with pytest.raises(DataError, match=problem):
            combine([tmp_path / f"{name}.parquet"], fingerprint="x", size=3, where="data")
    with pytest.raises(DataError, match=f"has no column {column}"):
        read_decisions(tmp_path / "less.parquet")
