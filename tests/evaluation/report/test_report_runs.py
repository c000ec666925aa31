"""Run folders are read with care: what is wrong is named by file and key."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError
from vergence.evaluation.report.runs import group_keys, read_runs, task_names

KEYS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
VALUES = st.text(st.characters(codec="ascii", exclude_characters="=", categories=("L", "N", "P", "Zs")), min_size=1)


@pytest.fixture
def run(tmp_path, folders):
    found = folders.task([folders.measure("accuracy", 0.5)], [folders.line(0)], compat=[folders.measure("other", 0.4)])
    return folders.write(tmp_path / "run", "model", {"task": found})


def change(run, *path, value):
    """Replace the value at a path of keys of results.json; `...` removes it."""
    file = run / "results.json"
    whole = json.loads(file.read_text())
    inner = whole
    for key in path[:-1]:
        inner = inner[key]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    file.write_text(json.dumps(whole))


def test_a_run_is_read(run):
    (found,) = read_runs([run])
    task = found.tasks["task"]
    assert (found.label, found.version, found.settings) == ("model", "0.1", {"seed": 0})
    assert (task.n, task.invalid, task.errors, task.ties, task.truncated_thoughts) == (1, 0, 0, 0, None)
    assert task.tokens == {"prompt": 10.0, "image": 4.0, "answer": 1.0, "thought": None}
    assert task.headline is not None
    assert (task.headline.value, task.headline.low, task.headline.stderr) == (0.5, 0.4, None)
    assert task.compat[0].metric == "other"
    assert [line["id"] for line in task.lines()] == ["q0"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("format",), 7, "results.json: format 7, expected 1"),
        (("tasks",), [], "results.json: expected an object with tasks"),
        (("model", "name"), 3, "results.json: model.name: expected a text"),
        (("settings",), "x", "results.json: settings: expected an object"),
        (("tasks", "task"), 1, "results.json: tasks.task: expected an object, found the number 1"),
        (("tasks", "task", "n"), ..., "results.json: tasks.task: has no n, expected a whole number"),
        (("tasks", "task", "n"), "3", "results.json: tasks.task.n: expected a whole number, found a text"),
        (("tasks", "task", "invalid"), True, "tasks.task.invalid: expected a whole number, found true or false"),
        (("tasks", "task", "samples"), "../x", "tasks.task.samples: '../x' lies outside the run's folder"),
        (("tasks", "task", "samples"), "/etc/x", "tasks.task.samples: '/etc/x' lies outside the run's folder"),
        (("tasks", "task", "tokens"), {"prompt": "9"}, "tasks.task.tokens.prompt: expected a number or null, found a"),
        (("tasks", "task", "measures"), {}, "tasks.task.measures: expected a list, found an object"),
        (("tasks", "task", "measures", 0, "value"), ..., "tasks.task.measures[0]: has no value, expected a number or"),
        (("tasks", "task", "measures", 0, "low"), [], "tasks.task.measures[0].low: expected a number or null, found a"),
        (("tasks", "task", "compat", 0, "value"), float("inf"), "tasks.task.compat[0].value: expected a finite number"),
        (("tasks", "task", "compat", 0, "metric"), None, "tasks.task.compat[0].metric: expected a text, found null"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(run, path, value, said):
    change(run, *path, value=value)
    with pytest.raises(DataError) as error:
        read_runs([run])
    assert said in str(error.value)
    assert str(run) in str(error.value)
    assert "\n" not in str(error.value)


def test_missing_and_broken_files_are_named(run, tmp_path):
    with pytest.raises(DataError, match="needs the folder of at least one run"):
        read_runs([])
    with pytest.raises(DataError, match=r"nowhere: not the folder of an evaluation \(it has no results\.json\)"):
        read_runs([tmp_path / "nowhere"])
    task = read_runs([run])[0].tasks["task"]
    (run / "task0.jsonl").unlink()
    with pytest.raises(DataError, match=r"task0\.jsonl: there is no such file; results\.json names it as tasks"):
        task.lines()
    (run / "results.json").write_text("{")
    with pytest.raises(DataError, match=r"results\.json: can't be read"):
        read_runs([run])


def test_runs_of_the_same_model_are_told_apart(tmp_path, folders):
    tasks = {"a": folders.task([], [])}
    paths = [
        folders.write(tmp_path / "x" / "greedy", "same", tasks),
        folders.write(tmp_path / "x" / "sampled", "same", {**tasks, "b": folders.task([], [])}),
        folders.write(tmp_path / "y" / "sampled", "same", tasks),
        folders.write(tmp_path / "other", "other", {"c": folders.task([], []), **tasks}),
    ]
    runs = read_runs(paths)
    labels = ["same (greedy)", f"same ({paths[1]})", f"same ({paths[2]})", "other"]
    assert [run.label for run in runs] == labels
    assert task_names(runs) == ["a", "b", "c"]


def test_a_value_of_a_group_may_hold_commas():
    assert group_keys("length=8192,depth=0.5") == {"length": "8192", "depth": "0.5"}
    assert group_keys("dimension=Text, Tables and Charts") == {"dimension": "Text, Tables and Charts"}
    assert group_keys("capability=a/b/c d,ood=true") == {"capability": "a/b/c d", "ood": "true"}
    assert group_keys("whatever") == {}


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=3))
def test_the_tags_of_a_group_are_found_again(tags):
    assert group_keys(",".join(f"{key}={value}" for key, value in tags.items())) == tags
