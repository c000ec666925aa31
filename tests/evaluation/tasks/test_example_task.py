"""The example of a task of one's own: its files are what its script makes, and it runs."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from vergence.evaluation.runner import Processes, RunSettings, run_tasks
from vergence.evaluation.task import LETTERS, Answer, Record, TaskOptions
from vergence.evaluation.tasks.catalogue import open_task
from vergence.processing.media import decode_image

FOLDER = Path(__file__).parents[3] / "examples" / "evaluation"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("make_colours", FOLDER / "make_colours.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_those_of_the_script(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "FOLDER", tmp_path / "colours")
    script.main()
    for path in (tmp_path / "colours").iterdir():
        shipped = FOLDER / "colours" / path.name
        if path.suffix == ".png":
            assert decode_image(path).tobytes() == decode_image(shipped).tobytes()
        else:
            assert path.read_text() == shipped.read_text()
    rows = [json.loads(line) for line in (FOLDER / "colours" / "questions.jsonl").read_text().splitlines()]
    assert len(rows) == 12


def test_it_runs_by_generation_and_by_likelihood():
    task = open_task(str(FOLDER / "colours.yaml"), TaskOptions())
    records = []
    for sample in task.samples():
        prompt = task.prompt(sample)
        assert prompt.conversation.images[0].is_file()
        answer = Answer(f"The answer is ({LETTERS[sample.reference]}).")
        records.append(Record(sample, answer, task.score(sample, answer)))
    measures = task.aggregate(records)
    assert (measures[0].value, measures[0].n) == (1.0, 12)
    assert {measure.group: measure.n for measure in measures if measure.group} == {
        "skill=colour": 6,
        "skill=shape": 3,
        "skill=count": 3,
    }
    assert task.problems == []
    ranking = open_task(str(FOLDER / "colours.yaml"), TaskOptions(method="likelihood"))
    assert ranking.prompt(ranking.samples()[0]).candidates.texts == ("A", "B", "C", "D")


class AlwaysB:
    """A model that answers B, or thinks of nothing but the number of options."""

    name, batch, independent = "always-b", 4, True

    def description(self):
        return {"kind": "stub"}

    def answer(self, prompts):
        for index, prompt in enumerate(prompts):
            yield index, Answer("The answer is (B)." if prompt.conversation.images else "B")


def test_the_runner_keeps_its_answers_and_names_what_a_suite_lacks(tmp_path):
    tasks = [
        open_task(str(FOLDER / "colours.yaml"), TaskOptions()),
        open_task("mmstar", TaskOptions(data=tmp_path)),
        open_task("osworld", TaskOptions()),
        open_task("mm-vet", TaskOptions(data=tmp_path)),
    ]
    results = run_tasks(AlwaysB(), tasks, tmp_path / "run", RunSettings(), processes=Processes())["tasks"]
    right = sum(sample.reference == 1 for sample in tasks[0].samples())
    assert results["colours"]["measures"][0]["value"] == pytest.approx(right / 12)
    assert (results["colours"]["n"], results["colours"]["invalid"]) == (12, 0)
    assert results["colours"]["definition"]["data"]["files"].keys() == {"/questions.jsonl"}
    assert results["mmstar"]["problems"][0].startswith("not evaluated: task mmstar: data not found at")
    assert results["osworld"]["problems"] == ["not evaluated: osworld needs its virtual machines"]
    assert results["mm-vet"]["problems"][0].startswith("not evaluated: task mm-vet:")
    first = (tmp_path / "run" / "results.json").read_bytes()
    run_tasks(AlwaysB(), tasks, tmp_path / "run", RunSettings(), processes=Processes())
    assert (tmp_path / "run" / "results.json").read_bytes() == first
