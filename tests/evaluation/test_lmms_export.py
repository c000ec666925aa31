"""What is exported for lmms-eval; that it loads and runs there is in test_lmms_plugin.py."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from choice_task import COLOURS, ColourTask
from PIL import Image

from vergence.conversation import Conversation, Frames, VideoPart, user
from vergence.errors import DataError, UsageError
from vergence.evaluation import lmms_export
from vergence.evaluation.lmms_export import doc_to_messages, doc_to_visual, export_task, mean_score, process_results
from vergence.evaluation.task import Candidates, Prompt, Sample, fingerprint

RANKED = Candidates(tuple(COLOURS))


class Loader(yaml.SafeLoader):
    """Reads `!function` as a name."""


Loader.add_constructor("!function", lambda loader, node: f"!function {loader.construct_scalar(node)}")


def documents(folder: Path, name: str = "colour_choice") -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()]


def settings(folder: Path, name: str = "colour_choice") -> dict[str, Any]:
    found: dict[str, Any] = yaml.load((folder / f"{name}.yaml").read_text(encoding="utf-8"), Loader)
    return found


def test_a_generated_task(tmp_path):
    task = ColourTask(tmp_path / "pictures")
    found = export_task(task, tmp_path / "out")
    assert str(found) == f"{tmp_path}/out/colour_choice.yaml: task colour_choice, 6 questions"
    document = settings(tmp_path / "out")
    assert document["task"] == "colour_choice"
    assert document["dataset_kwargs"] == {"data_files": {"test": "colour_choice.jsonl"}}
    assert document["output_type"] == "generate_until"
    assert document["generation_kwargs"] == {
        "max_new_tokens": 4,
        "until": [],
        "do_sample": False,
        "temperature": 0.0,
    }
    assert document["metadata"] == {"version": 3, "source": "colour-choice", "fingerprint": fingerprint(task)}
    assert [metric["metric"] for metric in document["metric_list"]] == [
        "accuracy",
        "accuracy_dimension=0",
        "accuracy_dimension=1",
        "invalid",
    ]
    [*better, invalid] = [metric["higher_is_better"] for metric in document["metric_list"]]
    assert (set(better), invalid) == ({True}, False)
    named = re.findall(r"!function '([\w.]+)'", (tmp_path / "out" / "colour_choice.yaml").read_text())
    assert set(named) == {
        f"vergence.evaluation.lmms_export.{name}"
        for name in ("doc_to_messages", "doc_to_visual", "process_results", "mean_score")
    }
    assert all(callable(getattr(lmms_export, name.rpartition(".")[2])) for name in named)


def test_questions_keep_their_order_text_and_pictures(tmp_path):
    export_task(ColourTask(tmp_path / "pictures"), tmp_path / "out")
    found = documents(tmp_path / "out")
    assert [doc["id"] for doc in found] == [f"q{number}" for number in range(6)]
    assert [doc["target"] for doc in found] == [0, 1, 2, 0, 1, 2]
    assert [doc["cluster"] for doc in found] == [*COLOURS, *COLOURS]
    assert {tuple(doc["choices"]) for doc in found} == {tuple(COLOURS)}
    assert found[1]["text"] == "Answer with a letter.\nWhat colour?\nA. red\nB. green\nC. blue"
    assert {key: type(value) for key, value in found[0].items()} == {
        key: type(value) for key, value in found[1].items()
    }
    system, asked = doc_to_messages(found[1])
    assert (system["role"], asked["role"]) == ("system", "user")
    assert [part["type"] for part in asked["content"]] == ["image", "text", "image"]
    assert [image.getpixel((3, 3)) for image in doc_to_visual(found[1])] == [COLOURS["green"]] * 2
    assert len(doc_to_visual(found[0])) == 1
    # What is a file stays where it is, what is none is written once.
    places = {
        part["url"] for doc in found for m in json.loads(doc["messages"]) for part in m["content"] if "url" in part
    }
    assert len([place for place in places if place.startswith(str(tmp_path / "pictures"))]) == 3
    assert len(list((tmp_path / "out" / "media").iterdir())) == 3


def test_a_ranked_task(tmp_path):
    export_task(ColourTask(tmp_path / "pictures", candidates=RANKED), tmp_path / "out")
    document = settings(tmp_path / "out")
    assert (document["output_type"], document["target_delimiter"]) == ("multiple_choice", " ")
    assert "generation_kwargs" not in document
    assert documents(tmp_path / "out")[0]["candidates"] == list(COLOURS)
    plain = replace(RANKED, template="plain", texts=("A.", "B.", "C."))
    export_task(ColourTask(tmp_path / "pictures", candidates=plain), tmp_path / "plain")
    assert settings(tmp_path / "plain")["target_delimiter"] == ""
    assert documents(tmp_path / "plain")[0]["candidates"] == ["A.", "B.", "C."]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"reduction": "sum"}, r"likelihood \(sum\)"),
        ({"reduction": "pmi"}, r"likelihood \(pmi\)"),
        ({"end": True}, r"likelihood \(mean with the end token\)"),
    ],
)
def test_likelihoods_that_lmms_eval_cannot_express(tmp_path, change, told):
    with pytest.raises(UsageError, match=told):
        export_task(ColourTask(tmp_path / "p", candidates=replace(RANKED, **change)), tmp_path / "out")
    assert not list((tmp_path / "out").glob("*.yaml"))


def test_what_cannot_be_read_is_left_out_and_said(tmp_path):
    task = ColourTask(tmp_path / "p", unreadable=frozenset({"q1", "q4"}))
    found = export_task(task, tmp_path / "out")
    assert found.questions == 4
    assert found.left_out == ("q1: gone.png: no such file", "q4: gone.png: no such file")
    assert str(found).endswith("2 questions left out, the first because: q1: gone.png: no such file")
    with pytest.raises(DataError, match="no question can be exported"):
        export_task(replace(task, unreadable=frozenset(f"q{n}" for n in range(6))), tmp_path / "none")


@pytest.mark.parametrize("reference", [None, "red", 3, -1, True])
def test_a_question_without_a_right_choice_is_refused(tmp_path, monkeypatch, reference):
    task = ColourTask(tmp_path / "p")
    odd = [replace(sample, reference=reference) for sample in task.samples()]
    monkeypatch.setattr(task, "samples", lambda: odd)
    with pytest.raises(UsageError, match="question q0 is no choice"):
        export_task(task, tmp_path / "out")


def test_videos(tmp_path, monkeypatch):
    task = ColourTask(tmp_path / "p")
    frames = Frames(tuple(Image.new("RGB", (28, 28), (n, n, n)) for n in (10, 20)), (0.0, 1.0))
    (tmp_path / "clip.mp4").write_bytes(b"....")
    videos = {"q0": frames, "q1": tmp_path / "clip.mp4", "q2": b"\x1a\x45\xdf\xa3....", "q3": tmp_path / "gone.mp4"}

    def prompt(sample: Sample) -> Prompt:
        return Prompt(Conversation((user(VideoPart(videos.get(sample.id, frames)), "What?"),)))

    monkeypatch.setattr(task, "prompt", prompt)
    found = export_task(task, tmp_path / "out")
    assert found.left_out == (f"q3: {tmp_path}/gone.mp4: no such file",)
    shown = {doc["id"]: doc_to_visual(doc) for doc in documents(tmp_path / "out")}
    assert [int(np.asarray(image).mean()) for image in shown["q0"]] == [10, 20]
    assert shown["q1"] == [str(tmp_path / "clip.mp4")]
    assert Path(shown["q2"][0]).suffix == ".webm"
    assert Path(shown["q2"][0]).read_bytes() == b"\x1a\x45\xdf\xa3...."


DOC = {
    "id": "q",
    "choices": ["red", "green", "blue"],
    "candidates": ["red", "green", "blue"],
    "target": 1,
    "cluster": "c",
    "groups": '["dimension=1"]',
}


@pytest.mark.parametrize(
    ("results", "right", "invalid"),
    [
        ([(2.0, False), (1.5, False), (1.6, True)], 1.0, 0.0),
        ([(1.0, False), (1.5, False), (1.6, True)], 0.0, 0.0),
        ([(1.5, False), (1.5, False), (1.6, True)], 0.0, 0.0),  # equally likely: the first
        (["B"], 1.0, 0.0),
        (["The answer is A."], 0.0, 0.0),
        (["I can't see it."], 0.0, 1.0),
        ([""], 0.0, 1.0),
    ],
)
def test_results(results, right, invalid):
    found = process_results(DOC, results)
    assert {name: item["score"] for name, item in found.items()} == {
        "accuracy": right,
        "accuracy_dimension=1": right,
        "invalid": invalid,
    }
    assert {item["cluster"] for item in found.values()} == {"c"}


def test_the_mean():
    assert mean_score([{"score": 1.0}, {"score": 0.0}, {"score": 0.5}]) == 0.5
