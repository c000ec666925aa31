"""`vergence eval`, `compare` and `contamination`: what they run, print and refuse."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from vergence.data.catalogue import TASKS
from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation import command
from vergence.evaluation.command import (
    Variants,
    chosen_tasks,
    compare_runs,
    default_folder,
    evaluate_model,
    list_tasks,
    local_device,
)
from vergence.evaluation.results import read_results
from vergence.evaluation.runner import RunSettings
from vergence.evaluation.scores import read_scores
from vergence.evaluation.task import TaskOptions

NEEDLE = ("lengths", "depths", "tokenizer")
COLOURS = Path(__file__).parents[2] / "examples" / "evaluation" / "colours.yaml"


def evaluate(model: str | Path | None, *tasks: str | Path, **settings: Any) -> int:
    """The command with the fewest words: RunSettings' and Variants' fields are told apart here."""
    rest = {key: settings.pop(key) for key in ("suite", "output", "json_output", "device", "batch") if key in settings}
    variants = {key: settings.pop(key) for key in ("circular", "shuffle", "blind") if key in settings}
    options = {key: settings.pop(key) for key in ("data", "method", "preset", "thinking", *NEEDLE) if key in settings}
    return evaluate_model(
        None if model is None else str(model),
        tasks=[str(task) for task in tasks],
        suite=rest.pop("suite", None),
        options=TaskOptions(**options),
        settings=RunSettings(**settings),
        variants=Variants(**variants),
        **rest,
    )


@pytest.fixture(scope="module")
def answered(small_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of the example task and of a held-out one."""
    folder = tmp_path_factory.mktemp("answered")
    assert evaluate(small_run, COLOURS, "digit", limit=12, output=folder) == 0
    return folder


@pytest.mark.parametrize("place", ["", "final", "checkpoints/00000010-answers"])
def test_a_checkpoint_scores_as_it_did_in_training(small_run, tmp_path, capsys, place):
    assert evaluate(small_run / place, "digit", "colour", limit=2, output=tmp_path) == 0
    printed = capsys.readouterr()
    rows = {line.split()[0]: line.split()[1:] for line in printed.out.splitlines()[2:]}
    assert list(rows) == ["digit", "digit:blind", "colour", "colour:blind"]
    measured = {score["task"]: score for score in read_scores(small_run / "scores.json") if score["stage"] == "answers"}
    tasks = read_results(tmp_path)["tasks"]
    for name, score in measured.items():
        seen, blind = tasks[name]["measures"][0], tasks[f"{name}:blind"]["measures"][0]
        assert (seen["value"], seen["low"], seen["high"]) == (score["accuracy"], score["low"], score["high"])
        assert (blind["value"], blind["n"]) == (score["blind"], score["n"])
    assert printed.err.splitlines()[-1] == f"answers and results: {tmp_path}"


def test_the_folder_is_named_after_the_model(small_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert evaluate(small_run, "colour", limit=1, blind=False) == 0
    (folder,) = (tmp_path / "runs" / "eval").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["colour.jsonl", "media", "results.json"]
    shutil.copytree(small_run / "final", tmp_path / "elsewhere" / "final")
    assert evaluate(tmp_path / "elsewhere" / "final", "colour", limit=1, blind=False) == 0
    assert len({path.name.rpartition("-")[2] for path in folder.parent.iterdir()}) == 1, "the same weights"


def test_all_held_out_tasks_are_asked_where_none_is_named():
    assert chosen_tasks([], None) == list(dict.fromkeys(sorted(TASKS)))
    assert chosen_tasks(["b", "a", "b"], None) == ["b", "a"]
    assert {"mmmu", "needle-video"} <= set(chosen_tasks(["digit"], "kimi-vl"))


def test_json_goes_to_the_terminal_or_a_file(small_run, tmp_path, capsys):
    assert evaluate(small_run, "colour", limit=1, output=tmp_path / "run", json_output="-") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == read_results(tmp_path / "run")
    file = tmp_path / "new" / "results.json"
    assert evaluate(small_run, "colour", limit=1, output=tmp_path / "run", json_output=str(file)) == 0
    assert json.loads(file.read_text(encoding="utf-8")) == printed
    assert capsys.readouterr().out.startswith("task")


def test_a_task_of_ones_own_in_other_orders(small_run, tmp_path):
    assert evaluate(small_run, COLOURS, output=tmp_path, circular=True, blind=False) == 0
    assert evaluate(small_run, COLOURS, output=tmp_path, shuffle=3, blind=True) == 0
    tasks = read_results(tmp_path)["tasks"]
    assert list(tasks) == ["colours:circular", "colours:shuffled", "colours:shuffled:blind"]
    lines = COLOURS.with_suffix("").joinpath("questions.jsonl").read_text(encoding="utf-8").splitlines()
    questions = [json.loads(line) for line in lines]
    count = len(questions)
    assert tasks["colours:circular"]["n"] == sum(len(question["options"]) for question in questions)
    assert tasks["colours:circular"]["measures"][0]["n"] == count
    assert [m["metric"] for m in tasks["colours:circular"]["measures"]][-1] == "accuracy (first order)"
    assert {m["n"] for m in tasks["colours:circular"]["compat"]} <= {count}
    assert tasks["colours:shuffled"]["n"] == count


def test_a_suite_takes_data_for_those_of_its_tasks_that_need_them(small_run, tmp_path, monkeypatch):
    monkeypatch.setattr(command, "chosen_tasks", lambda tasks, suite: ["mmmu", "needle-video"])
    options = {"suite": "kimi-vl", "data": tmp_path / "benchmarks", "lengths": (2,), "depths": (0.0,)}
    assert evaluate(small_run, **options, output=tmp_path / "run") == 0
    tasks = read_results(tmp_path / "run")["tasks"]
    assert {name: task["n"] for name, task in tasks.items()} == {"mmmu": 0, "needle-video": 2}


def test_repeats_of_greedy_answers_make_nothing_surer(small_run, tmp_path):
    for repeats in (1, 3):
        folder = tmp_path / str(repeats)
        assert evaluate(small_run, "emoji", "needle-video", limit=8, repeats=repeats, output=folder, blind=False) == 0
    once, thrice = (read_results(tmp_path / str(repeats))["tasks"] for repeats in (1, 3))
    for name in once:
        first, again = once[name]["measures"][0], thrice[name]["measures"][0]
        assert again["n"] == 3 * first["n"]
        assert again["value"] == pytest.approx(first["value"])
        if first["low"] is not None:
            assert again["high"] - again["low"] >= first["high"] - first["low"], "the same answers thrice tell no more"


def test_a_higher_limit_goes_on_where_the_lower_one_ended(small_run, tmp_path):
    for limit in (1, 8):
        assert evaluate(small_run, "number", limit=limit, output=tmp_path / "more", blind=False) == 0
    assert evaluate(small_run, "number", limit=8, output=tmp_path / "once", blind=False) == 0
    more, once = (read_results(tmp_path / name)["tasks"]["number"] for name in ("more", "once"))
    assert more["fingerprint"] == once["fingerprint"]
    assert more["measures"] == once["measures"]


def test_choices_are_ranked_on_demand(small_run, tmp_path):
    assert evaluate(small_run, COLOURS, method="likelihood", preset="text,sum", output=tmp_path, limit=4) == 0
    (task,) = read_results(tmp_path)["tasks"].values()
    assert task["definition"]["method"] == "likelihood"
    assert task["definition"]["likelihood"]["reduction"] == "sum"
    assert task["invalid"] == 0


def test_a_needle_at_any_length(small_run, tmp_path):
    needle = {"lengths": (120, 200), "depths": (0.0, 1.0)}
    assert evaluate(small_run, "needle-text", **needle, tokenizer=small_run, output=tmp_path / "text") == 0
    (task,) = read_results(tmp_path / "text")["tasks"].values()
    assert {m["group"] for m in task["measures"]} >= {"length=120,depth=0", "length=200,depth=1"}
    assert task["definition"]["unit"].startswith("tokens of tokenizer ")
    assert 130 < task["tokens"]["prompt"] < 175  # a mean of 160, less a sentence, more by the template
    assert evaluate(small_run, "needle-video", lengths=(2, 3), depths=(0.5,), output=tmp_path / "video") == 0
    (task,) = read_results(tmp_path / "video")["tasks"].values()
    assert task["definition"]["lengths"] == [2, 3]


def test_mistakes_are_found_before_the_model_is_opened(tmp_path, monkeypatch):
    with pytest.raises(UsageError, match="'colr' is not a task; did you mean 'colour'"):
        evaluate(tmp_path / "none", "digit", "colr")
    with pytest.raises(UsageError, match="'kimi' is not a suite; did you mean 'kimi-vl'"):
        evaluate(tmp_path / "none", suite="kimi")
    with pytest.raises(UsageError, match="name a model: a checkpoint folder, transformers:"):
        evaluate(None, "digit")
    with pytest.raises(UsageError, match="asks all rotations of the options itself, leave out --circular"):
        evaluate(tmp_path / "none", "mmbench-en", circular=True)
    with pytest.raises(UsageError, match="digit, box make their own questions"):
        evaluate(tmp_path / "none", "digit", "box", data=tmp_path)
    with pytest.raises(UsageError, match="task digit: method 'likelihood', expected generate"):
        evaluate(tmp_path / "none", "digit", method="likelihood")


def test_what_is_no_checkpoint_is_named(small_run, tmp_path):
    with pytest.raises(DataError, match="none: no such run or checkpoint folder"):
        evaluate(tmp_path / "none", "colour")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: not a Vergence checkpoint"):
        evaluate(tmp_path / "empty", "colour")
    damaged = tmp_path / "damaged"
    shutil.copytree(small_run / "final", damaged)
    weights = damaged / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"damaged/model\.safetensors: truncated or changed"):
        evaluate(damaged, "colour")
    with pytest.raises(UsageError, match="device 'warp' is not available here"):
        evaluate(small_run, "colour", device="warp")


def test_a_run_in_which_nothing_can_be_evaluated_fails(small_run, tmp_path, capsys):
    with pytest.raises(DataError, match=r"no task could be evaluated; task mmmu: data not found at "):
        evaluate(small_run, "mmmu", data=tmp_path, output=tmp_path / "run")
    assert evaluate(small_run, "mmmu", "colour", limit=1, data=None, output=tmp_path / "run") == 0
    assert "mmmu: not evaluated: " in capsys.readouterr().err


def test_two_runs_are_compared_question_by_question(answered, small_run, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(answered, other)
    lines = [json.loads(line) for line in (other / "colours.jsonl").read_text(encoding="utf-8").splitlines()]
    for line in lines[:6]:
        line["scores"]["accuracy"] = 1 - line["scores"]["accuracy"]
    (other / "colours.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    rows = json.loads(compare_runs(answered, other, tasks=[], metric=None, as_json=True))
    assert list(rows) == ["colours", "digit", "digit:blind"]
    assert rows["digit"]["difference"] == 0
    lost = sum(1 - 2 * line["scores"]["accuracy"] for line in lines[:6])
    assert rows["colours"]["difference"] == pytest.approx(-lost / len(lines))
    assert "colours" in compare_runs(answered, other, tasks=["colours"], metric="accuracy", as_json=False)
    with pytest.raises(DataError, match="has no metric 'f1'; there are: accuracy"):
        compare_runs(answered, other, tasks=["colours"], metric="f1", as_json=False)
    with pytest.raises(DataError, match="share no task of mmmu"):
        compare_runs(answered, other, tasks=["mmmu"], metric=None, as_json=False)
    assert evaluate(small_run, COLOURS, limit=12, thinking=True, output=tmp_path / "thinking") == 0
    with pytest.raises(DataError, match="colours: the runs asked different versions of it"):
        compare_runs(answered, tmp_path / "thinking", tasks=["colours"], metric=None, as_json=False)


def test_what_was_not_evaluated_is_not_compared(answered, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(answered, other)
    assert evaluate_again(other, "colours", ["not evaluated: gone"]) == ["digit", "digit:blind"]
    with pytest.raises(DataError, match="share no task that was evaluated in both"):
        compare_runs(answered, other, tasks=["colours"], metric=None, as_json=False)
    lines = (other / "digit.jsonl").read_text(encoding="utf-8")
    (other / "digit.jsonl").write_text(lines.replace('"accuracy":', '"accuracy":"x","other":'), encoding="utf-8")
    with pytest.raises(DataError, match=r"digit\.jsonl: not as an evaluation writes it"):
        compare_runs(answered, other, tasks=["digit"], metric=None, as_json=False)
    (other / "digit.jsonl").unlink()
    with pytest.raises(DataError, match=r"digit\.jsonl: can't be read: No such file"):
        compare_runs(answered, other, tasks=["digit"], metric=None, as_json=False)


def evaluate_again(folder: Path, name: str, problems: list[str]) -> list[str]:
    """Let a run's results say that a task wasn't evaluated; returns the tasks that it still shares with the old one."""
    whole = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    old = folder.with_name("old")
    shutil.copytree(folder, old)
    whole["tasks"][name] = {"n": 0, "invalid": 0, "errors": 0, "measures": [], "problems": problems}
    (folder / "results.json").write_text(json.dumps(whole), encoding="utf-8")
    return list(json.loads(compare_runs(old, folder, tasks=[], metric=None, as_json=True)))


def test_a_json_file_that_can_not_be_written_is_named(small_run, tmp_path):
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "results.json"
    with pytest.raises(VergenceError, match=r"file/results\.json: can't be written"):
        evaluate(small_run, "colour", limit=1, blind=False, output=tmp_path / "run", json_output=str(place))
    assert read_results(tmp_path / "run")["tasks"]["colour"]["n"] == 1


def test_the_list_names_tasks_suites_and_what_can_not_be_run():
    lines = list_tasks().splitlines()
    named = {line.split()[0]: line for line in lines if line}
    assert {*TASKS, "mmmu", "seed-bench-2", "capabilities", "needle-text"} <= set(named)
    assert "needs data" in named["mmmu"]
    assert named["heldout"].split()[1].rstrip(",") in TASKS
    assert any("not available:" in line for line in lines)


def test_a_process_of_several_takes_its_own_accelerator(monkeypatch):
    assert local_device("cuda") == "cuda"
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert [local_device(name) for name in ("cuda", "cuda:1", "cpu", "mps")] == ["cuda:3", "cuda:1", "cpu", "mps"]


def test_contamination_finds_the_task_s_own_pictures(small_recipe, capsys):
    from vergence.data.recipes import load_checked_recipe

    recipe = load_checked_recipe(str(small_recipe), [])
    options = TaskOptions()
    found = json.loads(command.check_contamination(recipe, ["digit"], options, conversations=20, limit=5, as_json=True))
    assert found["samples"] == 5
    text = command.check_contamination(recipe, ["digit"], options, conversations=20, limit=5, as_json=False)
    assert "5" in text


def test_default_folders_tell_models_apart():
    class Known:
        batch, independent = 1, True

        def __init__(self, weights: str) -> None:
            self.name, self.weights = "tiny model", weights

        def description(self) -> dict[str, Any]:
            return {"kind": "stub", "path": "/anywhere", "weights": self.weights}

        def answer(self, prompts: Sequence[Any]) -> Any:
            raise NotImplementedError

    first, same, other = (default_folder(Known(weights)) for weights in ("1", "1", "2"))
    assert first == same != other
    assert first.name.startswith("tiny-model-")
