"""Rejection sampling with a model of known answers: verdicts, rates, choices, and going on after a kill."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from vergence.cli import main
from vergence.conversation import Conversation, assistant, user
from vergence.data.curation.decisions import read_decisions
from vergence.data.mixture_sources import open_folder
from vergence.errors import DataError, UsageError
from vergence.evaluation.task import Answer
from vergence.inference.sampler import Sampling
from vergence.posttraining.answer_log import answers, failures, read_header
from vergence.posttraining.rewriting import ask_about_pictures, instructed, read_pairs, recaptioned, rewritten
from vergence.posttraining.rollouts import (
    Rates,
    chosen,
    collect_rollouts,
    keep_by_rate,
    pass_rates,
    questions,
    rollouts_of,
)

SAMPLING = Sampling(temperature=1.0, seed=0)


class Scripted:
    """Answers what a function of the prompt says; counts what it was asked, and may be killed on the way."""

    name, batch, independent = "scripted", 4, True

    def __init__(self, say, stop_after=None):
        self.say, self.asked, self.stop_after = say, [], stop_after

    def description(self):
        return {"kind": "scripted"}

    def answer(self, prompts):
        for place, prompt in enumerate(prompts):
            if self.stop_after is not None and len(self.asked) >= self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(prompt.id)
            yield place, self.say(prompt)


@pytest.fixture
def folder(tmp_path):
    """Three sums: sample 0 of two questions, sample 1 of one, sample 2 of a caption that no rule decides."""
    root = tmp_path / "data"
    root.mkdir()
    count = lambda target: {"verifier": "count", "target": target}  # noqa: E731
    rows = [
        ([("1 + 1?", "2"), ("2 + 2?", "4")], [count(2), count(4)]),
        ([("3 + 3?", "6")], [count(6)]),
        ([("What is it?", "a cat")], [{"verifier": "open", "target": "a cat"}]),
    ]
    lines = []
    for turns, checks in rows:
        messages = [
            {"role": role, "content": text}
            for pair in turns
            for role, text in zip(("user", "assistant"), pair, strict=True)
        ]
        lines.append(json.dumps({"messages": messages, "checks": checks, "licence": "MIT"}))
    (root / "conversations.jsonl").write_text("\n".join([*lines, "not json"]))
    return open_folder(root)


def say(prompt):
    """Sample 0: always right first, right in every second rollout after that; sample 1: never right."""
    number, turn, rollout = map(int, prompt.id.split("/"))
    right = {(0, 0): "2", (0, 1): "4"}.get((number, turn), "7")
    wrong = number == 0 and turn == 1 and rollout % 2
    return Answer(
        text="5" if wrong else "so " * rollout + right, thought="hm" if rollout == 1 else None, answer_tokens=3
    )


def test_every_question_is_asked_with_its_history(folder):
    assert [(turn, len(asked.messages)) for turn, asked, _ in questions(folder[0])] == [(0, 1), (1, 3)]
    assert list(questions(folder[2])) == []
    assert list(questions(Conversation((user("q"), assistant("a"))))) == [], "without checks nothing can be decided"


def test_all_rollouts_are_kept_with_their_verdicts(folder, tmp_path):
    model, log = Scripted(say), tmp_path / "rollouts.jsonl"
    collect_rollouts(folder, model, log, rollouts=4, sampling=SAMPLING)
    found = answers(log)
    assert sorted(found) == [(n, t, r) for n, t in ((0, 0), (0, 1), (1, 0)) for r in range(4)]
    assert found[0, 1, 1].extra["score"] == 0
    assert found[0, 1, 2].extra["score"] == 1
    assert found[0, 0, 1].thought == "hm"
    assert read_header(log)["rollouts"] == 4
    rates = pass_rates(log).rates
    assert rates == {(0, 0): 1.0, (0, 1): 0.5, (1, 0): 0.0}
    decisions = keep_by_rate(folder, rollouts_of(folder, log), 0.1, 0.9)
    assert [(row.repeat, row.reason, row.score) for row in decisions.rows] == [
        (1, "kept", 0.75),
        (0, "too hard", 0.0),
        (0, "no rollouts", None),
        (0, "no rollouts", None),
    ]


def test_a_run_that_was_killed_asks_only_what_is_missing(folder, tmp_path):
    whole, log = tmp_path / "whole.jsonl", tmp_path / "rollouts.jsonl"
    collect_rollouts(folder, Scripted(say), whole, rollouts=3, sampling=SAMPLING)
    with pytest.raises(KeyboardInterrupt):
        collect_rollouts(folder, Scripted(say, stop_after=6), log, rollouts=3, sampling=SAMPLING)
    with log.open("a") as file:
        file.write('{"key": [1, 0')  # what a kill may leave
    again = Scripted(say)
    collect_rollouts(folder, again, log, rollouts=3, sampling=SAMPLING)
    assert len(again.asked) == 9 - 6
    assert answers(log) == answers(whole)


def test_seeds_differ_between_rollouts_and_not_between_runs(folder, tmp_path):
    seeds = []
    for name in ("a", "b"):
        model = Scripted(lambda prompt: (seeds.append(prompt.sampling.seed), Answer(text="2"))[1])
        collect_rollouts(folder, model, tmp_path / name, rollouts=4, sampling=SAMPLING)
    assert seeds[:12] == seeds[12:]
    assert len(set(seeds)) == 12


def test_failed_answers_are_asked_again(folder, tmp_path):
    log = tmp_path / "rollouts.jsonl"
    broken = Scripted(
        lambda prompt: Answer(finish_reason="error", error="busy") if prompt.id == "1/0/0" else say(prompt)
    )
    collect_rollouts(folder, broken, log, rollouts=1, sampling=SAMPLING)
    assert (1, 0, 0) not in answers(log)
    again = Scripted(say)
    collect_rollouts(folder, again, log, rollouts=1, sampling=SAMPLING)
    assert again.asked == ["1/0/0"]


def test_another_plan_or_other_data_is_refused(folder, tmp_path):
    log = tmp_path / "rollouts.jsonl"
    collect_rollouts(folder, Scripted(say), log, rollouts=1, sampling=SAMPLING)
    with pytest.raises(UsageError, match="was begun with another rollouts"):
        collect_rollouts(folder, Scripted(say), log, rollouts=2, sampling=SAMPLING)
    with (folder.path / "conversations.jsonl").open("a") as file:
        file.write("\n")
    with pytest.raises(DataError, match="about other data"):
        rollouts_of(open_folder(folder.path), log)
    (tmp_path / "x").write_text("{}\n")
    with pytest.raises(DataError, match="not a log of answers"):
        answers(tmp_path / "x")


def test_which_right_response_is_learned_from(folder, tmp_path):
    log = tmp_path / "rollouts.jsonl"
    collect_rollouts(folder, Scripted(say), log, rollouts=4, sampling=SAMPLING)
    lines = pass_rates(log).rollouts
    assert [line.key[2] for line in chosen(lines[0, 1], "all")] == [0, 2]
    assert [line.text for line in chosen(lines[0, 0], "shortest")] == ["2"]
    assert chosen(lines[1, 0], "shortest") == []
    assert main(["data", "solutions", str(folder.path), "--log", str(log), "--out", str(tmp_path / "out")]) == 0
    solved = open_folder(tmp_path / "out")
    assert len(solved) == 2
    [_, history, _, answer] = solved[1].messages
    assert (history.text, history.loss, answer.text, answer.loss) == ("2", False, "4", True)
    assert solved[1].metadata["pass_rate"] == 0.5
    words = ["data", "select", str(folder.path), "--log", str(log), "--out", str(tmp_path / "s.parquet")]
    assert main(words) == 0
    assert [row.repeat for row in read_decisions(tmp_path / "s.parquet").rows] == [1, 0, 0, 0]


# New captions, questions and answers


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ('Sure! [{"question": "Q?", "answer": "A"}, {"question": "", "answer": "B"}, 3]', [("Q?", "A")]),
        ('```json\n[{"question": "Q?", "answer": "A"}, {"question": "Q?", "answer": "other"}]\n```', [("Q?", "A")]),
        ('[{"question": "Q?"', []),
        ("no list", []),
        ('{"question": "Q?", "answer": "A"}', []),
    ],
)
def test_pairs_are_read_from_what_stands_around_them(text, pairs):
    assert read_pairs(text) == pairs


@pytest.fixture
def pictures(tmp_path):
    assert (
        main(["data", "make", "shapes", "style=caption", "--count", "4", "--jobs", "1", "--out", str(tmp_path / "p")])
        == 0
    )
    return open_folder(tmp_path / "p")


def test_new_captions_replace_the_old_ones_which_are_kept(pictures, tmp_path):
    log = tmp_path / "log.jsonl"
    asked = []
    model = Scripted(lambda prompt: (asked.append(prompt.conversation), Answer(text=f" new {prompt.id} "))[1])
    ask_about_pictures(pictures, model, log, prompt="Better than {caption}?", sampling=Sampling())
    assert asked[0].messages[0].text == f"Better than {pictures[0].messages[1].text}?"
    assert len(asked[0].images) == 1
    rows = [row.load() for row in rewritten(pictures, log, recaptioned).rows(1)]
    assert [row.messages[1].text for row in rows] == ["new 1", "new 2", "new 3"]
    assert rows[0].metadata["old_caption"] == pictures[1].messages[1].text
    assert "checks" not in rows[0].metadata


def test_answers_that_cannot_be_used_are_left_out_by_reason(pictures, tmp_path):
    said = {
        "0": Answer(text='[{"question": "Q?", "answer": "A"}]'),
        "1": Answer(text="I can't"),
        "2": Answer(text='[{"question": "Q', finish_reason="length"),
        "3": Answer(finish_reason="error", error="busy"),
    }
    log = tmp_path / "log.jsonl"
    ask_about_pictures(pictures, Scripted(lambda prompt: said[prompt.id]), log, prompt="?", sampling=Sampling())
    reasons = []
    for row in rewritten(pictures, log, instructed).rows(0):
        try:
            assert [message.text for message in row.load().messages] == ["Q?", "A"]
            reasons.append("fine")
        except DataError as error:
            reasons.append(error.reason)
    assert reasons == ["fine", "no questions", "cut off"], "the failed one is asked again next time"


def test_a_checkpoint_is_asked_from_the_command_line(small_run, pictures, tmp_path, capsys):
    asking = ["--model", str(small_run / "final"), "--max-tokens", "4"]
    assert main(
        ["data", "recaption", str(pictures.path), *asking, "--prompt", "?", "--out", str(tmp_path / "new")]
    ) in (0, 3)
    shapes = tmp_path / "shapes"
    assert main(["data", "make", "shapes", "turns=1", "--count", "2", "--jobs", "1", "--out", str(shapes)]) == 0
    capsys.readouterr()
    log = tmp_path / "r.jsonl"
    assert main(["data", "rollouts", str(shapes), *asking, "--rollouts", "2", "--log", str(log)]) == 0
    assert capsys.readouterr().out.startswith("2 questions, pass rate ")
    assert len(answers(log)) == 4


def test_a_log_keeps_ends_of_lines_and_half_characters_of_other_kinds(folder, tmp_path):
    log = tmp_path / "rollouts.jsonl"
    collect_rollouts(
        folder, Scripted(lambda _: Answer(text="a\u2028b\x85c \ud800")), log, rollouts=1, sampling=SAMPLING
    )
    assert {line.text for line in answers(log).values()} == {"a\u2028b\x85c ?"}
    again = Scripted(say)
    collect_rollouts(folder, again, log, rollouts=1, sampling=SAMPLING)
    assert again.asked == []


@pytest.mark.parametrize("left", ["", '{"model": {"ki'])
def test_a_run_killed_before_its_first_line_was_whole_goes_on(folder, tmp_path, left):
    log = tmp_path / "rollouts.jsonl"
    log.write_text(left)
    collect_rollouts(folder, Scripted(say), log, rollouts=1, sampling=SAMPLING)
    assert len(answers(log)) == 3


def test_reading_a_log_that_is_being_written_leaves_it_alone(folder, tmp_path):
    log = tmp_path / "rollouts.jsonl"
    collect_rollouts(folder, Scripted(say), log, rollouts=1, sampling=SAMPLING)
    with log.open("a") as file:
        file.write('{"key": [1, 0')
    before = log.read_bytes()
    assert len(answers(log)) == 3
    assert log.read_bytes() == before


@pytest.mark.parametrize(
    "checks", ['"x"', "[5]", '[{"target": 3}]', '[{"verifier": "nope"}]', '[{"verifier": "count"}]']
)
def test_a_check_no_rule_can_use_is_named_before_a_model_is_asked(tmp_path, checks):
    line = '{"messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "checks": %s}'
    (tmp_path / "conversations.jsonl").write_text(line % checks)
    model = Scripted(say)
    with pytest.raises(DataError, match=r"conversations\.jsonl:1: checks"):
        collect_rollouts(open_folder(tmp_path), model, tmp_path / "log", rollouts=1, sampling=SAMPLING)
    assert model.asked == []


def test_failures_are_those_without_an_answer_yet(folder, tmp_path):
    log = tmp_path / "log"
    model = Scripted(lambda prompt: Answer(text="", error="busy") if prompt.id == "1/0/0" else say(prompt))
    collect_rollouts(folder, model, log, rollouts=1, sampling=SAMPLING)
    assert failures(log) == {(1, 0, 0): "busy"}
    collect_rollouts(folder, Scripted(say), log, rollouts=1, sampling=SAMPLING)
    assert failures(log) == {}


def test_pictures_without_an_answer_are_asked_again_before_they_are_packed(tmp_path, monkeypatch, capsys):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    content = [{"type": "image", "image": "a.png"}]
    line = json.dumps({"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "old"}]})
    (tmp_path / "conversations.jsonl").write_text(f"{line}\n{line}\n")
    model = Scripted(lambda prompt: Answer(text="new", error="busy" if prompt.id == "1" else None))
    monkeypatch.setattr("vergence.cli.rollouts._model", lambda _: model)
    monkeypatch.chdir(tmp_path)
    words = ["data", "recaption", ".", "--model", "scripted", "--out", "out"]
    assert main(words) == 1
    assert "1 prompts got no answer (busy)" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert main([*words, "--without-failed"]) == 0
    assert len(open_folder(tmp_path / "out")) == 1


@pytest.mark.parametrize(("least", "most"), [(0.9, 0.1), (-1, 0.5), (0, 2), (float("nan"), 1)])
def test_a_range_without_a_rate_in_it_is_refused(folder, least, most):
    with pytest.raises(UsageError, match=r"lie in 0\.\.1"):
        keep_by_rate(folder, Rates({}, {}), least, most)


def test_a_log_that_another_run_is_writing_is_refused_and_kept(folder, tmp_path):
    log = tmp_path / "logs" / "rollouts.jsonl"
    second = Scripted(say)
    refused = []

    def say_meanwhile(prompt):
        if not refused:
            with pytest.raises(UsageError, match=r"rollouts\.jsonl: another process is writing it") as caught:
                collect_rollouts(folder, second, log, rollouts=2, sampling=SAMPLING)
            refused.append(str(caught.value))
        return say(prompt)

    collect_rollouts(folder, Scripted(say_meanwhile), log, rollouts=2, sampling=SAMPLING)
    assert len(refused) == 1
    assert "\n" not in refused[0]
    assert second.asked == []
    assert len(answers(log)) == len(log.read_text().splitlines()) - 1 == 6
    collect_rollouts(folder, second, log, rollouts=2, sampling=SAMPLING)
    assert second.asked == [], "the first run has let it go"


def test_a_log_that_cannot_be_written_is_named(folder, tmp_path):
    (tmp_path / "log").mkdir()
    with pytest.raises(DataError, match=r"log: can't be written \(Is a directory\)"):
        collect_rollouts(folder, Scripted(say), tmp_path / "log", rollouts=1, sampling=SAMPLING)


def test_several_equal_responses_are_not_paid_for(folder, tmp_path):
    model, log = Scripted(say), tmp_path / "log"
    with pytest.raises(UsageError, match="2 rollouts at temperature 0 would be all the same"):
        collect_rollouts(folder, model, log, rollouts=2, sampling=Sampling(temperature=0.0))
    assert model.asked == []
    assert not log.exists()
    collect_rollouts(folder, model, log, rollouts=1, sampling=Sampling(temperature=0.0))
    assert len(model.asked) == 3
