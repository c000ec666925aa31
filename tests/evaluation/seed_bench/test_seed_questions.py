"""Question files of the four editions, and everything that can be wrong with one."""

from __future__ import annotations

import json

import pytest
from seed_files import picture, plus_question, v1_question, v2_question, write

from vergence.conversation import Frames, ImagePart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.seed_bench.layout import Layout
from vergence.evaluation.seed_bench.questions import load_questions


def lines(found) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_version_1(tmp_path):
    path = write(tmp_path, "1", [v1_question(n, d) for d in (3, 10, 11, 12) for n in range(2)])
    found = load_questions(path, "1")
    assert lines(found) == []
    first, *_ = found.samples
    assert (first.id, first.reference, first.choices[0]) == ("100000", 0, "a choice of 0")
    assert first.media == (ImagePart(tmp_path / "cc3m-image" / "1454426_0"),)
    assert first.tags == {
        "dimension": 3,
        "name": "Instance Attributes",
        "level": "L1",
        "part": "Single-Image & Text Comprehension",
        "data_type": "image",
        "version": "v1",
        "cluster": "1454426_0",
    }
    assert found.samples[1].tags["cluster"] == first.tags["cluster"]
    assert found.samples[4].tags["segment"] == [1.0, 3.5]
    assert [type(x) for x in found.samples[6].tags["segment"]] == [int, int]
    assert found.samples[6].media == (VideoPart(tmp_path / "BreakfastII_15fps_qvga_sync/P06/cam01/0.avi"),)
    assert found.frames == {10: "decord", 11: "decord-seconds", 12: "pyav-15fps"}
    json.dumps([sample.tags for sample in found.samples])


def test_published_frames_of_version_1_serve_where_the_videos_are_not_there(tmp_path):
    folder = tmp_path / "v1_video" / "task10" / "ssv2_8_frame"
    for number in range(1, 9):
        picture(folder / "v1000" / f"{number}.png")
    found = load_questions(write(tmp_path, "1", [v1_question(0, 10), v1_question(0, 11)]), "1")
    frames = found.samples[0].media[0].video
    assert isinstance(frames, Frames)
    assert frames.images == tuple(folder / "v1000" / f"{number}.png" for number in range(1, 9))
    assert found.frames == {10: "published", 11: "decord-seconds", 12: "pyav-15fps"}
    (tmp_path / "SSV2" / "videos").mkdir(parents=True)
    assert load_questions(tmp_path / "SEED-Bench.json", "1").frames[10] == "decord"


def test_version_2(tmp_path):
    dimensions = (1, 9, 17, 19, 23, 25, 26, 27)
    found = load_questions(write(tmp_path, "2", [v2_question(0, d) for d in dimensions]), "2")
    assert lines(found) == []
    by = {sample.tags["dimension"]: sample for sample in found.samples}
    root = tmp_path / "SEED-Bench-2-image"
    assert by[1].media == (ImagePart(tmp_path / "cc3m-image" / "1454426_0"),)
    assert by[9].media == (ImagePart(root / "task9/0.png"),)
    assert [part.image.name for part in by[17].media] == ["0_1.png", "0_2.png"]
    video = by[19].media[0].video
    assert [path.name for path in video.images] == [f"{n}.png" for n in range(1, 9)]
    assert by[19].tags["cluster"] == "task19/0"
    assert len(by[23].media) == 3
    assert by[23].tags["level"] == "L2"
    assert by[25].media == ()
    assert by[25].tags["options"] == [f"task25/0/{n}.jpg" for n in range(1, 5)]
    assert [part.image.name for part in by[26].media] == ["context0.png", "context1.png", "context2.png"]
    assert by[27].choices[0] == "a choice of 27_0"
    assert (by[1].tags["version"], by[9].tags["version"]) == ("v1", "v2")


def test_options_follow_their_choices_and_not_the_files_order(tmp_path):
    question = v2_question(0, 26)
    question["data_id"][-4:] = question["data_id"][-4:][::-1]
    odd = v2_question(1, 26, choice_a="elsewhere.jpg")
    found = load_questions(write(tmp_path, "2", [question, odd]), "2")
    assert found.samples[0].tags["options"] == [f"task26/0/{n}.jpg" for n in range(1, 5)]
    assert lines(found) == ["choices that don't name their pictures (taken in the file's order): 1 (26_1)"]


def test_version_2_plus(tmp_path):
    found = load_questions(
        write(tmp_path, "2-plus", [plus_question(n, k) for n, k in enumerate(["Map", "web"])]), "2-plus"
    )
    assert lines(found) == []
    assert [sample.tags["dimension"] for sample in found.samples] == [2, 3]
    assert found.samples[0].tags["name"] == "Maps"
    assert found.samples[0].tags["subtype"] == "Map_1"
    assert found.samples[1].media == (ImagePart(tmp_path / "text_rich/1.png"),)
    assert found.samples[1].choices == tuple(f"{letter} choice of 1" for letter in "abcd")


def test_version_h(tmp_path):
    upper = {f"choice_{x.upper()}": x for x in "abcd"}
    few_shot = v2_question(0, 28, level="L2", subpart="Interleaved Image & Text Comprehension", **upper)
    for letter in "abcd":
        del few_shot[f"choice_{letter}"]
    few_shot |= {"data_id": ["seg/1.png", "seg/2.png"], "question": "<img> is like <img>?", "data_source": "own"}
    latex = v2_question(0, 32, data_id="latex_code_image/7.png", data_source="own")
    rich = v2_question(0, 33, data_id="text_rich/7.png", data_source="own")
    old = v2_question(0, 14, data_id="task14/7.png")
    picture(tmp_path / "text_rich/7.png")
    found = load_questions(write(tmp_path, "h", [few_shot, latex, rich, old, v2_question(0, 5)]), "h")
    assert lines(found) == []
    paths = [[part.image.relative_to(tmp_path).as_posix() for part in sample.media] for sample in found.samples]
    assert paths == [
        ["SEED-Bench-H-data/seg/1.png", "SEED-Bench-H-data/seg/2.png"],
        ["SEED-Bench-H-data/latex_code_image/7.png"],
        ["text_rich/7.png"],
        ["SEED-Bench-2-image/task14/7.png"],
        ["cc3m-image/1454426_0"],
    ]
    assert (found.samples[0].choices, found.samples[0].tags["level"]) == (("a", "b", "c", "d"), "L2")


BROKEN = {
    "missing field 'answer'": {"answer": ...},
    "missing field 'choice_c'": {"choice_c": ...},
    "missing field 'data_source'": {"data_source": ...},
    "field 'question' of a wrong type (number, expected text)": {"question": 7},
    "field 'choice_b' of a wrong type (null, expected text)": {"choice_b": None},
    "field 'question_type_id' of a wrong type (text, expected a whole number)": {"question_type_id": "5"},
    "unknown question_type_id 99 (1 to 27)": {"question_type_id": 99},
    "answer that is not a letter from A to D": {"answer": "E"},
    "field 'data_id' of a wrong type (number, expected a name or a list of names)": {"data_id": 12},
    "field 'data_id' that leaves the data folder": {"data_id": "../../secret.png"},
    "unknown data_source 'web' (cc3m, SEED-Bench v2)": {"data_source": "web"},
    "field 'question_id' of a wrong type (list, expected text)": {"question_id": ["5_0"]},
    "<img> marks that don't fit the pictures (2 for 1)": {"question": "<img> or <img>?"},
}


def changed(question, changes):
    return {key: value for key, value in {**question, **changes}.items() if value is not ...}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_bad_question_is_named_and_counted_and_the_others_kept(tmp_path, problem):
    bad = [changed(v2_question(n), BROKEN[problem]) for n in (1, 2)]
    found = load_questions(write(tmp_path, "2", [v2_question(0), *bad, v2_question(3)]), "2")
    assert [sample.id for sample in found.samples] == ["5_0", "5_3"]
    (line,) = lines(found)
    assert line.startswith(f"{problem}: 2 (")


def test_faults_that_keep_the_question_are_named_too(tmp_path):
    questions = [
        v2_question(0, extra=1),
        v2_question(1, question_id=77),
        v2_question(2, answer=" C "),
        v2_question(3, level="L3"),
        v2_question(4, subpart="Video & Text Comprehension"),
        v2_question(0, 19, data_id=["a/1.png", "a/2.png"]),
        "a text",
        v2_question(0),
    ]
    found = load_questions(write(tmp_path, "2", questions), "2")
    assert [sample.id for sample in found.samples] == ["5_0", "77", "5_2", "5_3", "5_4", "19_0"]
    assert found.samples[2].tags["written_answer"] == " C "
    assert found.samples[3].tags["level"] == "L1"
    assert lines(found) == [
        "unknown field 'extra' (not used): 1 (5_0)",
        "question_id that is a number (read as text): 1 (77)",
        "answer with blanks beside its letter (read without them): 1 (5_2)",
        "level other than the dimension's (the dimension's is used): 1 (5_3)",
        "subpart other than the dimension's (the dimension's is used): 1 (5_4)",
        "video question without 8 frames (all that there are are used): 1 (19_0)",
        "entry that is not an object: 1 (entry 6)",
        "duplicate question_id (the first one is used): 1 (5_0)",
    ]


@pytest.mark.parametrize(
    ("dimension", "segment", "problem"),
    [
        (11, ..., "missing field 'segment'"),
        (12, [5, 5], "field 'segment' that is not [start, end] with start < end"),
        (11, ["1", 2], "field 'segment' that is not [start, end] with start < end"),
        (11, [1.0], "field 'segment' that is not [start, end] with start < end"),
    ],
)
def test_a_bad_segment_is_named(tmp_path, dimension, segment, problem):
    bad = changed(v1_question(1, dimension), {"segment": segment})
    found = load_questions(write(tmp_path, "1", [v1_question(0), bad]), "1")
    assert lines(found) == [f"{problem}: 1 (v{100 * dimension + 1})"]


def test_a_segments_unit_is_its_own_and_named_where_it_surprises(tmp_path):
    found = load_questions(write(tmp_path, "1", [v1_question(0, 11, segment=[10, 90])]), "1")
    assert found.samples[0].tags["segment"] == [10, 90]
    assert lines(found) == ["segment of dimension 11 in frames (read so): 1 (v1100)"]


def test_files_from_before_may_2024_are_noticed(tmp_path):
    names = {"Scene Understanding": 1, "Instance Attributes": 4}
    path = write(
        tmp_path, "2", [v2_question(n, 3) for n in range(978)] + [v2_question(n, 4) for n in range(4649)], names=names
    )
    assert lines(load_questions(path, "2")) == [
        "name in question_type other than the dimension's: 1 (4 Instance Attributes)",
        "dimensions 3 and 4 exchanged, as in files from before May 2024: 5627",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "not JSON"),
        (b'{"a": 1}', 'expected a list of questions or an object with a list "questions"'),
        (b"[]", "no usable question of seed-bench-2"),
        (b'[{"question_id": "1"}]', "missing field 'question': 1"),
    ],
)
def test_a_file_without_a_usable_question_is_refused(tmp_path, content, message):
    path = tmp_path / "questions.json"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_questions(path, "2")


def test_the_hash_is_the_files(tmp_path):
    path = write(tmp_path, "2", [v2_question(0)])
    before = load_questions(path, "2").sha256
    path.write_bytes(path.read_bytes() + b"\n")
    assert load_questions(path, "2").sha256 != before
    with pytest.raises(DataError, match="can't be read"):
        load_questions(tmp_path / "gone.json", "2")


def test_folders_can_be_elsewhere_and_pictures_have_an_extension(tmp_path):
    picture(tmp_path / "pictures" / "1454426_0.jpg")
    layout = Layout(tmp_path, {"cc3m": tmp_path / "pictures"})
    found = load_questions(write(tmp_path, "2", [v2_question(0)]), "2", layout)
    assert found.samples[0].media == (ImagePart(tmp_path / "pictures" / "1454426_0.jpg"),)
    with pytest.raises(UsageError, match="did you mean 'cc3m'"):
        Layout(tmp_path, {"cc3": tmp_path})
    with pytest.raises(DataError, match=r"no question file of seed-bench-h in it, expected SEED-Bench-H\.json"):
        layout.questions("h")
