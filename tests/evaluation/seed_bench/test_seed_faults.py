"""Bad input of a whole run: every kind is named in the results, and all other samples are asked and scored."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from seed_files import media, picture, v1_question, v2_question, write
from seed_stub_model import StubModel

from vergence.errors import DataError
from vergence.evaluation.runner import Processes, RunSettings, run_tasks
from vergence.evaluation.seed_bench.task import SeedBench
from vergence.evaluation.task import TaskOptions
from vergence.processing.media import decode_image
from vergence.progress import Progress

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))
from video_writer import write_video


class LookingModel(StubModel):
    """The stub, except that it decodes its pictures first, as a real model does; a broken one is an error."""

    def answer(self, prompts):
        from vergence.evaluation.task import Answer

        for index, prompt in enumerate(prompts):
            images = [part.image for part in prompt.conversation.messages[0].parts if hasattr(part, "image")]
            try:
                for image in images:
                    decode_image(image)
            except DataError as error:
                yield index, Answer(finish_reason="error", error=str(error))
            else:
                yield index, next(iter(super().answer([prompt])))[1]


def asked(task: SeedBench, tmp_path: Path, model: StubModel | None = None) -> tuple[dict[str, Any], list[Any]]:
    """The task's results and the lines of its samples, of a run with a stub."""
    folder = tmp_path / "run"
    results = run_tasks(
        model or StubModel("B"),
        [task],
        folder,
        RunSettings(keep_media=0),
        processes=Processes(),
        progress=Progress(io.StringIO()),
    )
    path = folder / f"{task.name}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return results["tasks"][task.name], lines


def data_of(tmp_path: Path, questions: list[dict[str, Any]], usable: list[dict[str, Any]] | None = None) -> Path:
    folder = tmp_path / "data"
    write(folder, "2", questions)
    media(folder, questions if usable is None else usable)
    return folder


QUESTIONS = [v2_question(number, 9) for number in range(6)]
PICTURE = "SEED-Bench-2-image/task9/{}.png"


@pytest.mark.parametrize(
    ("faulty", "line"),
    [
        ([QUESTIONS[0], QUESTIONS[1]], "duplicate question_id (the first one is used): 2 (9_0, 9_1)"),
        ([v2_question(7, 9, answer=5)] * 2, "field 'answer' of a wrong type (number, expected text): 2 (9_7, 9_7)"),
        ([v2_question(7, 9, question_type_id=77)], "unknown question_type_id 77 (1 to 27): 1 (9_7)"),
        (
            [v2_question(7, 9, data_id=None)],
            "field 'data_id' of a wrong type (null, expected a name or a list of names)",
        ),
        ([{"question_id": "9_7"}, "text"], "missing field 'question': 1 (9_7)"),
        ([{"question_id": "9_7"}, "text"], "entry that is not an object: 1 (entry 7)"),
    ],
)
def test_a_question_that_cannot_be_used_is_one_line_and_the_others_are_scored(tmp_path, faulty, line):
    data = data_of(tmp_path, [*QUESTIONS, *faulty], QUESTIONS)
    result, lines = asked(SeedBench("2", TaskOptions(data=data, method="generate")), tmp_path)
    assert (result["n"], result["errors"], len(lines)) == (6, 0, 6)
    assert sum(problem.startswith(line) for problem in result["problems"]) == 1
    assert result["measures"][0]["value"] == pytest.approx(2 / 6)  # the right ones are A to D in turn: 1 and 5


def test_missing_pictures_are_named_and_the_other_questions_scored(tmp_path):
    data = data_of(tmp_path, [*QUESTIONS, v2_question(6, 9, data_id="task9/0.png"), v2_question(0, 19)])
    (data / PICTURE.format(0)).unlink()
    (data / "SEED-Bench-2-image" / "task19" / "0" / "4.png").unlink()
    result, lines = asked(SeedBench("2", TaskOptions(data=data, method="generate")), tmp_path)
    assert (result["n"], result["errors"], result["invalid"]) == (5, 3, 0)
    told = [problem for problem in result["problems"] if "no such file" in problem]
    assert any(PICTURE.format(0) in problem and "3 samples, first 9_0" in problem for problem in told)
    failed = {line["id"]: line["error"] for line in lines if line["error"]}
    assert sorted(failed) == ["19_0", "9_0", "9_6"]
    assert "task19/0/4.png: no such file" in failed["19_0"]
    by = {measure["group"]: measure for measure in result["measures"] if measure["metric"] == "accuracy"}
    assert (by["dimension=9"]["n"], by["dimension=19"]["value"]) == (5, None)


def test_a_picture_with_broken_pixels_is_an_error_of_its_question_alone(tmp_path):
    data = data_of(tmp_path, QUESTIONS)
    broken = data / PICTURE.format(3)
    whole = picture(broken, size=(400, 300)).read_bytes()
    broken.write_bytes(whole[: len(whole) // 2])
    (data / PICTURE.format(4)).write_bytes(b"GIF89a")
    result, lines = asked(SeedBench("2", TaskOptions(data=data, method="generate")), tmp_path, LookingModel("B"))
    assert (result["n"], result["errors"]) == (4, 2)
    assert sum("3.png" in problem and "first 9_3" in problem for problem in result["problems"]) == 1
    assert sum("4.png" in problem and "first 9_4" in problem for problem in result["problems"]) == 1
    assert [line["id"] for line in lines if line["error"] is None] == ["9_0", "9_1", "9_2", "9_5"]


def test_missing_and_corrupt_videos_are_named_and_the_other_questions_scored(tmp_path):
    questions = [v1_question(number, 12) for number in range(4)] + [
        v1_question(0, 12, question_id="v9", segment=[5, 9])
    ]
    questions += [v1_question(0, 12, question_id="v10", segment=[900, 950])]
    write(tmp_path, "1", questions)
    folder = tmp_path / "BreakfastII_15fps_qvga_sync" / "P06" / "cam01"
    folder.mkdir(parents=True)
    write_video(folder / "0.avi", 40, codec="mpeg4", container="avi", rate=15)
    (folder / "1.avi").write_bytes(b"RIFF nothing of a video")
    whole = (folder / "0.avi").read_bytes()
    (folder / "2.avi").write_bytes(whole[: len(whole) // 8])
    result, lines = asked(SeedBench("1", TaskOptions(data=tmp_path)), tmp_path)
    failed = {line["id"]: line["error"] for line in lines if line["error"]}
    assert list(failed) == ["v1201", "v1202", "v1203", "v10"]
    assert (result["n"], result["errors"]) == (2, 4)
    assert "3.avi: no such file" in failed["v1203"]
    assert "no frames to look at in the segment [900, 950]: the file has 40 frames" in failed["v10"]
    for name, error in failed.items():
        (problem,) = [problem for problem in result["problems"] if error in problem]
        assert f"first {name}" in problem
        assert "\n" not in problem
        assert ".avi" in error


def test_questions_without_a_picture_of_the_model_are_one_line_and_not_evaluated(tmp_path):
    class Same:
        name, sha256 = "same", "5" * 64

        def features(self, images):
            import numpy as np

            return np.ones((len(images), 2), dtype=np.float32)

    questions = [v2_question(number, dimension) for dimension in (25, 26) for number in range(3)]
    task = SeedBench("2", TaskOptions(data=data_of(tmp_path, questions)), dimensions=[25, 26], similarity=Same())
    result, _ = asked(task, tmp_path)
    assert (result["n"], result["errors"]) == (0, 6)
    (problem,) = result["problems"]
    assert "no picture for the question (6 samples, first 25_0)" in problem
    assert result["measures"][0]["value"] is None
    assert result["definition"]["similarity"] == {"name": "same", "sha256": "5" * 64}


def test_a_file_that_cannot_be_used_at_all_leaves_the_task_out(tmp_path):
    data = tmp_path / "data"
    write(data, "2", [])
    (data / "SEED-Bench_v2_level1_2_3.json").write_text('{"questions": [')
    result, _ = asked(SeedBench("2", TaskOptions(data=data)), tmp_path)
    (problem,) = result["problems"]
    assert problem.startswith("not evaluated: ")
    assert "SEED-Bench_v2_level1_2_3.json: not JSON" in problem
