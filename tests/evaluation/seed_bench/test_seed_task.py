"""SEED-Bench as a task: its methods, its media, its picture answers, its figures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seed_files import media, picture, plus_question, v1_question, v2_question, write
from seed_stub_model import StubModel, run

from vergence.conversation import Frames, ImagePart, TextPart, VideoPart
from vergence.errors import DataError, UsageError
from vergence.evaluation.seed_bench.dimensions import DIMENSIONS
from vergence.evaluation.seed_bench.measures import measures
from vergence.evaluation.seed_bench.presets import Interface
from vergence.evaluation.seed_bench.task import SeedBench
from vergence.evaluation.task import Answer, Record, TaskOptions, Verdict, fingerprint
from vergence.inference.likelihood import candidate_score


class Colours:
    """The mean colour as features."""

    name, sha256 = "colours", "c" * 64

    def features(self, images):
        return np.stack([np.asarray(image.convert("RGB"), dtype=np.float32).mean((0, 1)) + 1 for image in images])


@pytest.fixture
def data(tmp_path) -> Path:
    questions = [v2_question(n, d) for d in (1, 17, 20, 23, 25, 26, 27) for n in range(4)]
    write(tmp_path, "2", questions)
    media(tmp_path, questions)
    return tmp_path


def ranking(index: int, choices: int = 4) -> tuple:
    return tuple(candidate_score(f"{i}", [-1.0 if i == index else -2.0]) for i in range(choices))


def test_the_name_the_dimensions_and_the_definition(data):
    task = SeedBench("seed-bench-2", TaskOptions(data=data))
    assert task.name == "seed-bench-2"
    assert {sample.tags["dimension"] for sample in task.samples()} == {1, 17, 20, 23}
    definition = task.definition()
    assert json.loads(json.dumps(definition)) == definition
    assert definition["interface"]["name"] == "llava-1.5"
    assert definition["frames"]["sources"] == {str(n): "published" for n in (19, 20, 21, 22)}
    assert task.problems == []
    same = SeedBench("2", TaskOptions(data=data, preset="llava-1.5"))
    other = SeedBench("2", TaskOptions(data=data, preset="llava-1.5,end=false"))
    assert fingerprint(task) == fingerprint(same) != fingerprint(other)
    assert task.notes
    by_file = SeedBench("2", TaskOptions(data=data / "SEED-Bench_v2_level1_2_3.json"))
    assert fingerprint(by_file) == fingerprint(task)


def test_levels_dimensions_and_version_choose_questions(data):
    options = TaskOptions(data=data)
    assert {s.tags["dimension"] for s in SeedBench("2", options, level="L1").samples()} == {1, 17, 20}
    assert {s.tags["dimension"] for s in SeedBench("2", options, dimensions=[23]).samples()} == {23}
    assert {s.tags["dimension"] for s in SeedBench("2", options, only_version="v1").samples()} == {1}
    drawn = SeedBench("2", options, level="L3", similarity=Colours())
    assert {s.tags["dimension"] for s in drawn.samples()} == {1, 17, 20, 23, 25, 26, 27}


@pytest.mark.parametrize(
    ("options", "more", "message"),
    [
        ({"method": "guess"}, {}, "method is one of likelihood, generate, similarity, got 'guess'"),
        ({"method": "generate", "preset": "llava-1.5"}, {}, "a preset belongs to the method likelihood"),
        ({"method": "similarity"}, {}, "needs a CLIP"),
        ({}, {"dimensions": [25]}, "dimensions 25 need a CLIP"),
        ({}, {"level": "L3"}, "dimensions 25, 26, 27 need a CLIP"),
        ({}, {"dimensions": [99]}, r"no dimension 99 \(1 to 27\)"),
        ({}, {"level": "L4"}, "level is one of L1, L2, L3, got 'L4'"),
        ({}, {"dimensions": [23], "level": "L1"}, "no dimension is left"),
        ({"data": None}, {}, "needs --data DIR"),
    ],
)
def test_what_does_not_go_together_is_named(data, options, more, message):
    with pytest.raises(UsageError, match=message):
        SeedBench("2", TaskOptions(**{"data": data, **options}), **more)


def test_prompts_show_videos_as_their_frames_and_pictures_in_their_places(data):
    task = SeedBench("2", TaskOptions(data=data, preset="qwen-vl-chat"))
    prompts = {sample.id: task.prompt(sample) for sample in task.samples()}
    video, text = prompts["20_1"].conversation.messages[0].parts
    assert isinstance(video, VideoPart)
    assert isinstance(video.video, Frames)
    assert [path.name for path in video.video.images] == [f"{n}.png" for n in range(1, 9)]
    assert text == TextPart("Question 20_1?")
    kinds = [type(part) for part in prompts["23_0"].conversation.messages[0].parts]
    assert kinds == [ImagePart, TextPart] * 3
    assert prompts["1_2"].candidates.texts == tuple(f"{x} choice of 1_2" for x in "abcd")
    assert (prompts["1_2"].candidates.end, prompts["1_2"].candidates.template) == (False, "plain")
    assert prompts["1_2"].id == "1_2"


def test_a_missing_and_a_broken_picture_are_found_when_the_sample_is_asked(data):
    (data / "cc3m-image" / "1454426_0").unlink()
    (data / "SEED-Bench-2-image" / "task20" / "0" / "5.png").write_bytes(b"\x89PNG broken")
    task = SeedBench("2", TaskOptions(data=data))
    found = {}
    for sample in task.samples():
        try:
            task.prompt(sample)
        except DataError as error:
            found[sample.id] = str(error)
    assert sorted(found) == ["1_0", "1_1", "20_0"]
    assert "1454426_0: no such file" in found["1_0"]
    assert "5.png" in found["20_0"]


def test_a_missing_video_is_named(tmp_path):
    write(tmp_path, "1", [v1_question(0, 10)])
    task = SeedBench("1", TaskOptions(data=tmp_path))
    with pytest.raises(DataError, match=r"0\.webm: no such file"):
        task.prompt(task.samples()[0])


def test_rankings_are_scored_with_all_reductions_beside(data):
    task = SeedBench("2", TaskOptions(data=data, preset="qwen-vl-chat"))
    sample = next(s for s in task.samples() if s.id == "1_1")  # B is right
    scores = (
        candidate_score("a", [-1.0]),
        candidate_score("b", [-0.9, -0.9, -0.9]),
        candidate_score("c", [-3.0]),
        candidate_score("d", [-4.0]),
    )
    verdict = task.score(sample, Answer(candidates=scores))
    assert (verdict.extracted, verdict.scores["accuracy"], verdict.tie) == ("B", 1.0, False)
    assert verdict.compat["ranking:mean"] == 1.0
    assert verdict.compat["ranking:sum"] == 0.0
    assert "ranking:pmi" not in verdict.compat
    unable = task.score(sample, Answer(candidates=scores[:2]))
    assert (unable.valid, unable.scores["accuracy"]) == (False, 0.0)
    recorded = task.score(sample, Answer(text="B"))  # a recorded choice tells no likelihoods
    assert (recorded.extracted, recorded.scores["accuracy"], recorded.compat) == ("B", 1.0, {})
    equal = task.score(sample, Answer(candidates=tuple(candidate_score("x", [-1.0]) for _ in range(4))))
    assert (equal.extracted, equal.tie) == ("A", True)


def test_generated_letters_are_read(data):
    task = SeedBench("2", TaskOptions(data=data, method="generate"))
    sample = next(s for s in task.samples() if s.id == "1_2")
    prompt = task.prompt(sample)
    assert prompt.candidates is None
    assert prompt.conversation.messages[0].text == (
        "\nQuestion 1_2?\nA. a choice of 1_2\nB. b choice of 1_2\nC. c choice of 1_2\nD. d choice of 1_2\n"
        "Answer with the option's letter from the given choices directly."
    )
    right = task.score(sample, Answer(text="(C)"))
    assert (right.extracted, right.scores["accuracy"], right.valid) == ("C", 1.0, True)
    assert task.score(sample, Answer(text="B")).scores["accuracy"] == 0.0
    none = task.score(sample, Answer(text="It can't be seen."))
    assert (none.extracted, none.valid, none.scores["accuracy"]) == (None, False, 0.0)


def test_thinking_is_passed_on_with_room_for_thoughts(data):
    options = TaskOptions(data=data, method="generate", thinking=True)
    prompt = SeedBench("2", options).prompt(SeedBench("2", options).samples()[0])
    assert prompt.thinking is True
    text = prompt.conversation.messages[-1].parts[-1]
    assert isinstance(text, TextPart)
    assert text.text.endswith('step by step. End with "Answer: " and the letter of the right option.')
    assert prompt.sampling.max_tokens > 1000


def test_generated_pictures_are_compared_with_the_options(data, tmp_path):
    task = SeedBench("2", TaskOptions(data=data), dimensions=[25, 26], similarity=Colours())
    samples = {sample.id: sample for sample in task.samples()}
    assert task.prompt(samples["25_0"]).conversation.messages[0].text == "Generate an image: A brown purse."
    parts = task.prompt(samples["26_0"]).conversation.messages[0].parts
    assert [type(part) for part in parts] == [ImagePart] * 3 + [TextPart]
    options = [data / "SEED-Bench-2-image" / name for name in samples["26_2"].tags["options"]]
    like_third = Answer(image=options[2])
    assert task.score(samples["26_2"], like_third).extracted == "C"
    assert task.score(samples["26_2"], like_third).scores["accuracy"] == 1.0
    assert task.score(samples["26_1"], Answer(image=options[2])).scores["accuracy"] == 0.0
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG")
    nothing = task.score(samples["25_0"], Answer(image=broken))
    assert (nothing.valid, nothing.scores["accuracy"]) == (False, 0.0)
    with pytest.raises(DataError, match="the answer: no picture for the question"):
        task.score(samples["25_0"], Answer(text="no picture"))
    options[0].unlink()
    with pytest.raises(DataError, match=r"1\.jpg: no such file"):
        task.prompt(samples["26_2"])
    assert task.definition()["similarity"] == {"name": "colours", "sha256": "c" * 64}
    assert task.definition()["pictures"] == "answer"


def test_pictures_of_a_folder_stand_for_the_models(data):
    folder = data / "generated"
    task = SeedBench("2", TaskOptions(data=data), dimensions=[25], similarity=Colours(), pictures=folder)
    sample = next(s for s in task.samples() if s.id == "25_1")
    folder.mkdir()
    Image.open(data / "SEED-Bench-2-image" / sample.tags["options"][1]).save(folder / "25_1.png")
    assert task.score(sample, Answer()).extracted == "B"
    with pytest.raises(DataError, match="generated: no picture for the question"):
        task.score(task.samples()[0], Answer())
    assert task.definition()["pictures"] == "folder"


def test_dimension_27_needs_the_text_and_the_picture(data):
    task = SeedBench("2", TaskOptions(data=data), dimensions=[27], similarity=Colours())
    sample = next(s for s in task.samples() if s.id == "27_1")  # B is right
    assert task.prompt(sample).candidates.texts == sample.choices
    options = [data / "SEED-Bench-2-image" / name for name in sample.tags["options"]]
    cases = {
        (1, 1): ("B", {"accuracy": 1.0, "text": 1.0, "picture": 1.0}),
        (1, 0): ("A", {"accuracy": 0.0, "text": 1.0, "picture": 0.0}),
        (0, 1): ("A", {"accuracy": 0.0, "text": 0.0}),
        (2, None): ("C", {"accuracy": 0.0, "text": 0.0}),
    }
    for (text, image), (letter, scores) in cases.items():
        answer = Answer(candidates=ranking(text), image=None if image is None else options[image])
        verdict = task.score(sample, answer)
        assert (verdict.extracted, verdict.scores, verdict.valid) == (letter, scores, True), (text, image)
    with pytest.raises(DataError, match="no picture"):
        task.score(sample, Answer(candidates=ranking(1)))


def test_a_model_that_draws_nothing_is_not_evaluated_which_is_not_a_0(data):
    task = SeedBench("2", TaskOptions(data=data), dimensions=[25, 27], similarity=Colours())
    drawn, *others = [sample for sample in task.samples() if sample.tags["dimension"] == 27]
    wrong = [Record(s, Answer(), Verdict({"accuracy": 0.0, "text": 0.0}, "A")) for s in others]
    failed = Record(drawn, Answer(finish_reason="error", error="no picture"), None)
    looked = Record(drawn, Answer(), Verdict({"accuracy": 0.0, "text": 1.0, "picture": 0.0}, "A"))
    for records, expected in (([failed, *wrong], (None, 0)), ([looked, *wrong], (0.0, 4)), (wrong, (0.0, 3))):
        by = {(measure.metric, measure.group): measure for measure in task.aggregate(records)}
        found = by["accuracy", "dimension=27"]
        assert (found.value, found.n) == expected
        assert by["all_average", "average=Avg. P3"].value == expected[0]
        assert by["accuracy", ""].n == expected[1]
        assert by["accuracy", "dimension=25"].value is None


def test_the_usual_clip_lies_in_the_data_folder(data):
    (data / "clip").mkdir()
    (data / "clip" / "config.json").write_text("{}")
    (data / "clip" / "model.safetensors").write_bytes(b"x")
    task = SeedBench("2", TaskOptions(data=data, method="similarity"))
    assert {sample.tags["dimension"] for sample in task.samples()} == {25, 26, 27}
    assert task.definition()["similarity"]["name"] == "clip"


def test_the_other_editions_are_asked_too(tmp_path):
    write(tmp_path, "2-plus", [plus_question(n, kind) for n, kind in enumerate(["chart", "map", "web"])])
    for number in range(3):
        picture(tmp_path / "text_rich" / f"{number}.png")
    records = run(SeedBench("2-plus", TaskOptions(data=tmp_path, method="generate")), StubModel("A"))
    assert [record.verdict.scores["accuracy"] for record in records] == [1.0, 0.0, 0.0]
    write(tmp_path, "h", [v2_question(0, 32, data_id="latex_code_image/1.png", data_source="x")])
    picture(tmp_path / "SEED-Bench-H-data" / "latex_code_image" / "1.png")
    (record,) = run(SeedBench("h", TaskOptions(data=tmp_path)), StubModel())
    assert record.verdict.valid


def test_figures_are_by_dimension_part_level_and_average(data):
    task = SeedBench("2", TaskOptions(data=data, method="generate"))
    records = run(task, StubModel("B"))
    failed = Record(records[0].sample, Answer(finish_reason="error", error="gone"), None)
    found = task.aggregate([failed, *records[1:]])
    assert (found[0].metric, found[0].group, found[0].value, found[0].n) == ("accuracy", "", 4 / 15, 15)
    assert 0 < found[0].low < 4 / 15 < found[0].high < 1
    assert found[0].stderr is not None
    by = {(measure.metric, measure.group): measure for measure in found}
    assert by["accuracy", "dimension=1"].value == pytest.approx(1 / 3)
    assert (by["accuracy", "dimension=2"].value, by["accuracy", "dimension=2"].n) == (None, 0)
    assert by["accuracy", "level=L2"].value == 0.25
    assert by["accuracy", "part=Video & Text Comprehension"].value == 0.25
    assert by["all_average", "average=Avg. P1"].value == 0.273  # 3 of 11
    assert by["task_average", "average=Avg. P1"].value == 0.278  # of 33.3, 25.0, 25.0
    assert by["all_average", "average=Avg. P3"].value is None
    assert by["invalid", ""].value == 0
    assert measures("2", [])[0].value is None
    assert sum(measure.group.startswith("dimension=") for measure in found) == len(DIMENSIONS["2"])


def test_an_interface_of_ones_own(data):
    own = Interface("own", "Q: {question} A:", reduction="character")
    task = SeedBench("2", TaskOptions(data=data), interface=own)
    assert task.prompt(task.samples()[0]).conversation.messages[0].text == "Q: Question 1_0? A:"
    assert task.definition()["interface"]["reduction"] == "character"
