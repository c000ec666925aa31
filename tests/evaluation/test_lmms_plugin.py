"""`python -m lmms_eval --model vergence` on a checkpoint of ours: a local task, and tasks that were exported from ours.

lmms-eval runs once, in a process of its own, for all tests of this module.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml
from choice_task import COLOURS, ColourTask

from vergence.conversation import Conversation, user
from vergence.evaluation import lmms_plugin
from vergence.evaluation.lmms_export import export_task
from vergence.evaluation.models.open_model import open_model
from vergence.evaluation.task import Answer, Candidates, Prompt
from vergence.inference.sampler import Sampling

if find_spec("lmms_eval") is None:
    pytest.skip("lmms-eval is not installed", allow_module_level=True)

QUESTIONS = ["What is 1 + 1?", "What is 2 + 2?", "What is 3 + 3?"]
GENERATED = """
task: local_sums
dataset_path: json
dataset_kwargs: {data_files: {test: sums.jsonl}}
test_split: test
output_type: generate_until
doc_to_text: question
doc_to_target: answer
generation_kwargs: {max_new_tokens: 5}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: 1}
"""
RANKED = GENERATED.replace("local_sums", "local_ranked").replace("generate_until", "multiple_choice")
RANKED = RANKED.replace("generation_kwargs: {max_new_tokens: 5}", "doc_to_choice: choices").replace(
    "doc_to_target: answer", "doc_to_target: right"
)
RANKED = RANKED.replace("exact_match", "acc")
CHOICES = ["two", "four", "six"]


@dataclass
class Run:
    """What lmms-eval printed and wrote: results and samples by task."""

    output: str
    results: dict[str, Any]
    samples: dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The tasks: two local ones and two of ours."""
    path = tmp_path_factory.mktemp("lmms") / "tasks"
    path.mkdir()
    lines = [
        json.dumps({"question": question, "answer": CHOICES[i], "choices": CHOICES, "right": i})
        for i, question in enumerate(QUESTIONS)
    ]
    (path / "sums.jsonl").write_text("\n".join(lines) + "\n")
    (path / "generated.yaml").write_text(GENERATED)
    (path / "ranked.yaml").write_text(RANKED)
    export_task(ColourTask(path / "pictures"), path)
    ranked = Candidates(tuple(COLOURS))
    export_task(ColourTask(path / "pictures", name="colour-ranked", candidates=ranked), path)
    return path


@pytest.fixture(scope="module")
def lmms(folder, small_run, tmp_path_factory) -> dict[str, Run]:
    """lmms-eval's own command line, with chat and with simple tasks."""
    work = tmp_path_factory.mktemp("run")
    common = {
        "model": "vergence",
        "model_args": f"pretrained={small_run},dtype=float32",
        "include_path": str(folder),
        "log_samples": True,
        "batch_size": "2",
    }
    chat = {"tasks": "local_sums,colour_choice", "output_path": str(work / "chat")}
    simple = {"tasks": "local_sums,local_ranked,colour_ranked", "output_path": str(work / "simple")}
    config = work / "config.yaml"
    config.write_text(yaml.safe_dump([{**common, **chat}, {**common, **simple, "force_simple": True}]))
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(work / "hf"), "OPENAI_API_KEY": "x"}
    done = subprocess.run(
        [sys.executable, "-m", "lmms_eval", "--config", str(config)],
        cwd=work,
        env={**os.environ, **offline, "TQDM_DISABLE": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output[-3000:]
    assert "Traceback" not in output, output[-3000:]
    return {name: read(work / name, output) for name in ("chat", "simple")}


def read(path: Path, output: str) -> Run:
    [results] = path.glob("*/*_results.json")
    samples = {}
    for file in path.glob("*/*_samples_*.jsonl"):
        name = file.stem.partition("_samples_")[2]
        samples[name] = sorted((json.loads(line) for line in file.open()), key=lambda sample: sample["doc_id"])
    return Run(output, json.loads(results.read_text())["results"], samples)


@pytest.fixture(scope="module")
def ours(small_run):
    """The same checkpoint, asked directly."""
    return open_model(str(small_run), dtype="float32")


def asked(model: Any, *prompts: Prompt) -> list[Answer]:
    found = dict(model.answer(prompts))
    return [found[index] for index in range(len(prompts))]


def said(sample: dict[str, Any]) -> str:
    answer = sample["filtered_resps"]
    return answer[0] if isinstance(answer, list) else answer


def test_the_entry_point_is_installed():
    [found] = [point for point in entry_points(group="lmms_eval.models") if point.name == "vergence"]
    assert found.load() is lmms_plugin.manifests


def test_a_local_task_end_to_end(lmms, ours):
    prompts = [Prompt(Conversation((user(text),)), Sampling(max_tokens=5)) for text in QUESTIONS]
    expected = [answer.text.strip() for answer in asked(ours, *prompts)]
    right = sum(a == b for a, b in zip(expected, CHOICES, strict=True)) / 3
    for run in (lmms["chat"], lmms["simple"]):
        samples = run.samples["local_sums"]
        assert [sample["input"] for sample in samples] == QUESTIONS
        assert [said(sample).strip() for sample in samples] == expected
        assert run.results["local_sums"]["exact_match,none"] == pytest.approx(right)
    assert len(set(expected)) >= 1
    assert all(expected)


def test_likelihoods_decide_in_lmms_eval_as_in_ours(lmms, ours):
    prompts = [Prompt(Conversation((user(text),)), candidates=Candidates(tuple(CHOICES))) for text in QUESTIONS]
    answers = asked(ours, *prompts)
    samples = lmms["simple"].samples["local_ranked"]
    for sample, answer in zip(samples, answers, strict=True):
        losses = [float(loss) for loss, _ in sample["filtered_resps"]]
        assert losses == pytest.approx([-candidate.mean for candidate in answer.candidates], abs=1e-5)
    best = [max(range(3), key=lambda i: answer.candidates[i].mean) for answer in answers]
    accuracy = sum(choice == i for i, choice in enumerate(best)) / 3
    assert lmms["simple"].results["local_ranked"]["acc,none"] == pytest.approx(accuracy)


def test_our_task_is_asked_in_lmms_eval_as_by_us(lmms, ours, tmp_path):
    task = ColourTask(tmp_path / "pictures")
    expected = [answer.text.strip() for answer in asked(ours, *map(task.prompt, task.samples()))]
    samples = lmms["chat"].samples["colour_choice"]
    assert [said(sample).strip() for sample in samples] == expected
    figures = lmms["chat"].results["colour_choice"]
    assert figures["invalid,none"] == sum(sample["invalid"]["score"] for sample in samples) / 6
    assert figures["accuracy,none"] == sum(sample["accuracy"]["score"] for sample in samples) / 6


def test_our_ranked_task_gives_the_same_figures(lmms, ours, tmp_path):
    task = ColourTask(tmp_path / "pictures", candidates=Candidates(tuple(COLOURS)))
    # A simple task shows its pictures first, so that only questions with one picture are asked alike.
    alike = [(number, sample) for number, sample in enumerate(task.samples()) if len(sample.media) == 1]
    samples = lmms["simple"].samples["colour_ranked"]
    assert len(samples) == 6
    for number, sample in alike:
        picture, text = sample.media[0], samples[number]["input"]
        prompt = Prompt(Conversation((user(picture, text),)), candidates=Candidates(tuple(COLOURS)))
        [answer] = asked(ours, prompt)
        losses = [float(loss) for loss, _ in samples[number]["filtered_resps"]]
        assert losses == pytest.approx([-candidate.mean for candidate in answer.candidates], abs=1e-5)
    figures = lmms["simple"].results["colour_ranked"]
    right = [
        min(range(3), key=lambda i: float(sample["filtered_resps"][i][0])) == number % 3
        for number, sample in enumerate(samples)
    ]
    assert figures["accuracy,none"] == pytest.approx(sum(right) / 6)
    assert figures["accuracy_dimension=0,none"] == pytest.approx(sum(right[::2]) / 3)
    assert figures["accuracy_dimension=1,none"] == pytest.approx(sum(right[1::2]) / 3)
    assert figures["invalid,none"] == 0
    assert isinstance(figures["accuracy_stderr_clustered,none"], float)
