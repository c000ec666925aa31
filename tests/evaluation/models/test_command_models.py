"""The same command for every kind of model: `vergence eval transformers:...`, `http://...`, `recorded:...`."""

from __future__ import annotations

import json
from pathlib import Path

from stub_server import Status, completion, serving
from tiny_transformers import llava

from vergence.cli import main
from vergence.evaluation.models.chat_client import Retries
from vergence.evaluation.records import read_lines
from vergence.evaluation.results import read_results

EXAMPLES = Path(__file__).parents[3] / "examples" / "evaluation"
COLOURS = EXAMPLES / "colours.yaml"
QUESTIONS = [json.loads(line) for line in (EXAMPLES / "colours" / "questions.jsonl").read_text().splitlines()]


def evaluate(model: str, output: Path, *options: str) -> int:
    return main(["eval", model, "--task", str(COLOURS), "--output", str(output), *options])


def test_a_model_of_transformers_generates_and_ranks(tmp_path, capsys):
    folder = llava(tmp_path / "model")
    assert evaluate(f"transformers:{folder}", tmp_path / "generate", "--max-tokens", "3") == 0
    assert evaluate(f"transformers:{folder}", tmp_path / "rank", "--method", "likelihood", "--preset", "text") == 0
    (task,) = read_results(tmp_path / "rank")["tasks"].values()
    assert (task["n"], task["invalid"], task["errors"]) == (len(QUESTIONS), 0, 0)
    lines = list(read_lines(tmp_path / "rank" / "colours.jsonl"))
    assert [len(line["candidates"]) for line in lines] == [len(question["options"]) for question in QUESTIONS]
    assert read_results(tmp_path / "generate")["model"]["kind"] == "transformers"
    assert capsys.readouterr().out.count("colours") == 2


def test_an_endpoint_s_failures_are_retried_then_reported_and_never_scored(tmp_path, capsys, monkeypatch):
    waits: list[int] = []  # the attempts that were waited after; test_chat_client.py has how long
    monkeypatch.setattr(Retries, "delay", lambda self, attempt, request: waits.append(attempt) or 0.0)
    right = {question["id"]: question["answer"] for question in QUESTIONS}
    asked: dict[str, int] = {}

    def reply(body: dict[str, object]) -> object:
        """The second question is refused at first, the third always, the fourth gets what is no reply at all."""
        text = json.dumps(body["messages"])
        index = next(i for i, question in enumerate(QUESTIONS) if shown(question) in text)
        name = QUESTIONS[index]["id"]
        asked[name] = asked.get(name, 0) + 1
        if index == 1 and asked[name] == 1:
            return Status(429, {"error": {"message": "too many requests"}}, Retry_After="0")
        if index == 2:
            return Status(503, b"<html>")
        if index == 3:
            return Status(200, b'{"choices": []}')
        return completion(f"The answer is ({right[name]}).")

    def shown(question: dict[str, object]) -> str:
        """What of a question no other one has: its text with its picture is only told by the options here."""
        return json.dumps(marks[str(question["id"])])[1:-1]

    marks = {str(question["id"]): f"[{question['id']}]" for question in QUESTIONS}
    copy = tmp_path / "task"
    copy.mkdir()
    (copy / "colours").symlink_to(EXAMPLES / "colours")
    wording = COLOURS.read_text(encoding="utf-8").replace("{question}\n", "[{name}] {question}\n")
    wording = wording.replace("placeholders: {hint: hint}", "placeholders: {hint: hint, name: id}")
    (copy / "colours.yaml").write_text(wording, encoding="utf-8")
    with serving(reply) as stub:
        command = ["eval", f"{stub.url}#tiny", "--task", str(copy / "colours.yaml"), "--output", str(tmp_path / "run")]
        assert main([*command, "--batch", "3"]) == 0
        (task,) = read_results(tmp_path / "run")["tasks"].values()
        assert (task["n"], task["errors"], task["invalid"]) == (len(QUESTIONS) - 2, 2, 0)
        assert task["measures"][0]["value"] == 1.0
        lines = {line["id"]: line for line in read_lines(tmp_path / "run" / "colours.jsonl")}
        names = [str(question["id"]) for question in QUESTIONS]
        assert asked[names[1]] == 2
        assert asked[names[2]] > 2
        assert max(waits) >= 2
        assert "503" in lines[names[2]]["error"]
        assert lines[names[2]]["scores"] in (None, {})
        assert "colours: " in capsys.readouterr().err
        # Run again, what failed is asked again and the rest isn't.
        before = dict(asked)
        assert main([*command, "--batch", "3"]) == 0
        assert {name for name in names if asked[name] > before[name]} == {names[2], names[3]}


def test_recorded_answers(tmp_path, capsys):
    file = tmp_path / "answers.jsonl"
    records = [{"id": question["id"], "answer": question["answer"]} for question in QUESTIONS]
    records[0]["answer"] = "no idea"
    records.append({"id": "unheard-of", "answer": "A"})
    file.write_text("".join(json.dumps(record) + "\n" for record in records[1:] + records[:1]), encoding="utf-8")
    assert evaluate(f"recorded:{file}", tmp_path / "run", "--json") == 0
    (task,) = json.loads(capsys.readouterr().out)["tasks"].values()
    assert (task["n"], task["invalid"], task["errors"]) == (len(QUESTIONS), 1, 0)
    assert task["measures"][0]["value"] == 1 - 1 / len(QUESTIONS)
    assert any("unheard-of" in problem for problem in task["problems"])
