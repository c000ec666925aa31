"""Every shipped declaration loads, and runs end to end on fabricated data in the columns that it names."""

from __future__ import annotations

import pytest
from fabricated import CASES, StubJudge, case_of, fabricate, right_answers, run

from vergence.evaluation.metrics.metric import TELL_INVALID
from vergence.evaluation.metrics.registry import METRICS
from vergence.evaluation.task import TaskOptions, fingerprint
from vergence.evaluation.tasks.catalogue import FOLDER, SUITES
from vergence.evaluation.tasks.declaration import read_declaration
from vergence.evaluation.tasks.declared import DeclaredTask

NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


def opened(name, tmp_path, **options):
    declaration = read_declaration(FOLDER / f"{name}.yaml")
    fabricate(declaration, tmp_path / name)
    judge = StubJudge() if METRICS[declaration.metric.name].judges else None
    return DeclaredTask(declaration, TaskOptions(data=tmp_path, **options), judge=judge)


@pytest.mark.parametrize("name", NAMES)
def test_a_declaration_is_complete(name):
    declaration = read_declaration(FOLDER / f"{name}.yaml")
    assert declaration.task == name
    assert declaration.line
    assert declaration.source
    assert set(declaration.suites) <= set(SUITES)
    assert declaration.data.files
    assert declaration.metric.name in CASES


@pytest.mark.parametrize("name", NAMES)
def test_right_answers_score_full_and_silence_is_invalid(name, tmp_path):
    task = opened(name, tmp_path)
    samples = task.samples()
    assert len(samples) >= 3
    assert task.problems == []
    for sample in samples:
        text = task.prompt(sample).conversation.messages[-1].text
        assert text.strip()
        assert "{question}" not in text
        assert "{options}" not in text
    right = run(task, right_answers(task))
    case = case_of(task.declaration)
    assert all(record.verdict.valid for record in right)
    measures = task.aggregate(right)
    if name == "mme":  # its sums need all subtasks
        assert [m.value for m in measures if m.group == "subtask=count"] == [200.0]
    else:
        assert measures[0].value == pytest.approx(case.headline)
        assert measures[0].n == len(right) or task.order == "circular"
    silent = run(task, "")
    assert not any(record.verdict.valid for record in silent)
    (invalid,) = [m for m in task.aggregate(silent) if m.metric in TELL_INVALID and not m.group]
    assert invalid.value == 1.0
    worst = task.aggregate(silent)[0].value
    assert worst is None or worst != pytest.approx(case.headline)


@pytest.mark.parametrize("name", ["mmmu", "mmbench-en", "docvqa", "videomme", "refcoco"])
def test_the_fingerprint_follows_data_thinking_and_wording(name, tmp_path):
    task = opened(name, tmp_path)
    same = fingerprint(opened(name, tmp_path))
    assert fingerprint(task) == same
    assert fingerprint(opened(name, tmp_path, thinking=True)) != same
    (path, _), *_ = task._source.files
    more = path.with_name(path.name.replace("00000-of", "00001-of") if path.suffix == ".parquet" else "b.jsonl")
    more.write_bytes(path.read_bytes())
    if path.suffix == ".parquet":
        assert fingerprint(DeclaredTask(task.declaration, task.options)) != same
