"""Tasks by name: every one of them opens, suites are complete, and what can't be run says why."""

from __future__ import annotations

import json

import pytest
from fabricated import fabricate, right_answers, run

from vergence.data.catalogue import TASKS
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Task, TaskOptions
from vergence.evaluation.tasks.catalogue import SUITES, UnavailableTask, available, open_task, suite, suites
from vergence.evaluation.tasks.declared import DeclaredTask
from vergence.evaluation.tasks.pictures import PictureTask


def test_names_are_unique_and_sorted_and_every_line_says_something():
    tasks = available()
    names = [task.name for task in tasks]
    assert names == sorted(set(names))
    assert len(names) >= 100
    for task in tasks:
        assert task.line
        assert task.summary.startswith(task.line)
        assert "\n" not in task.summary
        assert set(task.suites) <= set(SUITES)
        assert task.reason or task.metric


def test_the_list_says_what_a_task_needs():
    by_name = {task.name: task for task in available()}
    assert by_name["mmmu"].summary.endswith("[choice_or_open; needs data (MMMU/MMMU)]")
    assert by_name["mm-vet"].summary.endswith("needs data (lmms-lab-encoder/MMVet) and a judge]")
    assert by_name["osworld"].summary.endswith("[not available: needs its virtual machines]")
    assert by_name["count"].summary.endswith("[exact]")


def words(text):
    return text.split()


# The benchmarks of each report that stand for themselves; 60 are Seed1.5-VL's own count.
SEED = words("""
mmmu mmmu-pro mathvision olympiadbench mathvista vstar vlms-are-blind zerobench zerobench-sub visulogic
realworldqa simplevqa mmstar mmbench-en mmbench-cn hallusion-bench textvqa ai2d chartqa infovqa docvqa
ocrbench charxiv-rq charxiv-dq blink lvis-mg visualwebbench refcoco countbench fsc147 nyu-depth-v2 da-2k
all-angles-bench sun-rgbd motionbench mvbench tomato tvbench dream-1k tempcompass-mc longvideobench lvbench mlvu
videomme temporalbench ovbench ovo-bench streambench streamingbench-proactive video-mmmu mmvu charades-sta
tacos screenspot-v2 screenspot-pro osworld windows-agent-arena webvoyager online-mind2web android-world
""")
KIMI = words("""
mmmu mmbench-en-v1.1 mmstar mm-vet realworldqa ai2d mathvision mathvista blink infovqa ocrbench video-mmmu mmvu videomme
mlvu longvideobench egoschema vsi-bench tomato screenspot-v2 screenspot-pro osworld windows-agent-arena
""")
LLAVA = words("""
ai2d chartqa docvqa infovqa mme mmbench-en mm-vet mathverse mathvista mmmu realworldqa vibe-eval live-bench
llava-bench-wilder llava-interleave-bench blink muirbench activitynet-qa egoschema mlvu videomme nextqa perceptiontest
seed-bench-1
""")


@pytest.mark.parametrize(("name", "named"), [("seed1.5-vl", SEED), ("kimi-vl", KIMI), ("llava-onevision", LLAVA)])
def test_a_suite_has_every_benchmark_that_its_report_names(name, named):
    assert set(named) - set(suite(name)) == set()
    assert len(SEED) == 60


def test_suites_and_near_names():
    assert suites() == SUITES
    assert suite("heldout") == sorted(TASKS)
    with pytest.raises(UsageError, match=r"'seed-vl' is not a suite; did you mean 'seed1\.5-vl'"):
        suite("seed-vl")
    with pytest.raises(UsageError, match="'mmstr' is not a task; did you mean 'mmstar'"):
        open_task("mmstr", TaskOptions())


@pytest.mark.parametrize("name", [task.name for task in available() if not task.name.startswith("seed-bench")])
def test_every_task_opens_and_says_what_it_lacks(name):
    task: Task = open_task(name, TaskOptions())
    assert task.name == name
    info = next(one for one in available() if one.name == name)
    if info.reason:
        assert isinstance(task, UnavailableTask)
        with pytest.raises(DataError, match=f"{name} needs|{name} no metric"):
            task.samples()
        assert task.aggregate([]) == []
    elif isinstance(task, DeclaredTask):
        with pytest.raises(DataError, match=f"task {name}: needs data, give --data DIR"):
            task.samples()


def test_a_suite_runs_where_its_data_are_and_names_the_rest(tmp_path):
    fabricate(open_task("mmstar", TaskOptions()).declaration, tmp_path / "mmstar")
    evaluated, lacking = [], []
    for name in ("mmstar", "mathvista", "osworld"):
        task = open_task(name, TaskOptions(data=tmp_path))
        try:
            task.samples()
            evaluated.append((name, task.aggregate(run(task, right_answers(task)))[0].value))
        except DataError as error:
            lacking.append(str(error))
    assert evaluated == [("mmstar", 1.0)]
    assert "task mathvista: data not found at" in lacking[0]
    assert "AI4Math/MathVista" in lacking[0]
    assert lacking[1] == "osworld needs its virtual machines"


def test_held_out_tasks_take_their_number_of_samples():
    task = open_task("colour", TaskOptions(), limit=5)
    assert isinstance(task, PictureTask)
    assert len(task.samples()) == 5
    for options, message in [
        ({"method": "likelihood"}, "expected generate"),
        ({"preset": "plain"}, "has no presets"),
    ]:
        with pytest.raises(UsageError, match=message):
            open_task("colour", TaskOptions(**options))
    assert open_task("capabilities", TaskOptions(preset="instructed")).preset == "instructed"


def test_ones_own_file_is_opened_by_its_path(tmp_path):
    (tmp_path / "rows.json").write_text(json.dumps([{"q": "What?", "a": "yes"}]))
    path = tmp_path / "own.yaml"
    path.write_text(
        "task: own\ndata: {path: rows.json}\nfields: {question: q, answer: a}\n"
        "prompt: {direct: '{question}'}\nmetric: {name: yes_no}\n"
    )
    task = open_task(str(path), TaskOptions())
    (sample,) = task.samples()
    assert (task.name, sample.question, sample.reference) == ("own", "What?", True)
    with pytest.raises(UsageError, match=r"nothing\.yaml: can't be read"):
        open_task(str(tmp_path / "nothing.yaml"), TaskOptions())


def test_a_judge_is_an_endpoint():
    task = open_task("mm-vet", TaskOptions(), judge="http://localhost:9/v1#stub")
    assert task._judge.name == "stub"
    with pytest.raises(UsageError):
        open_task("mm-vet", TaskOptions(), judge="http://localhost:9/v1")
