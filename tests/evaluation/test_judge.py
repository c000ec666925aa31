"""Judging: what is asked and kept, that nothing is paid twice, that nothing is guessed, and how judges agree."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.errors import DataError, UsageError, VergenceError
from vergence.evaluation.agreement import agreement, cohen_kappa
from vergence.evaluation.judge import Judge, Judgement, Question, repeat_sd, scale
from vergence.evaluation.task import Answer, Prompt
from vergence.inference.sampler import Sampling

TEMPLATE = 'Q: {question}\nRight: {reference}\nA: {answer}\nReply {{"score": ...}} as [[n]].'
WARM = Sampling(temperature=1.0, max_tokens=64)


class Scripted:
    """A judge that gives replies in turn, and remembers what it was asked."""

    independent = True
    batch = 1

    def __init__(self, *replies: str | Answer, name: str = "judge-1") -> None:
        self.name = name
        self.replies = iter(replies)
        self.asked: list[Prompt] = []

    def description(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "model": self.name}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        for index, prompt in enumerate(prompts):
            self.asked.append(prompt)
            reply = next(self.replies)
            yield index, reply if isinstance(reply, Answer) else Answer(reply)


def test_one_judgement():
    model = Scripted("Fine. [[7]]")
    judge = Judge(model, TEMPLATE, scale(0, 10))
    found = judge.judge(Question("What is {shown}?", "a {cat}", "a dog"))
    assert (found.score, found.scores, found.sd, found.valid) == (0.7, (0.7,), None, True)
    assert found.replies[0].text == "Fine. [[7]]"
    assert found.judge == judge.fingerprint
    [prompt] = model.asked
    assert prompt.conversation.messages[0].text == (
        'Q: What is {shown}?\nRight: a dog\nA: a {cat}\nReply {"score": ...} as [[n]].'
    )
    assert prompt.sampling == Sampling(max_tokens=512)


@pytest.mark.parametrize(
    "reply",
    [
        "I can't tell.",
        "[[11]]",
        "[[3]] or [[4]]",
        Answer("[[7]]", finish_reason="length"),
        Answer(finish_reason="error", error="HTTP 500"),
    ],
)
def test_what_gives_no_score_is_never_guessed(reply):
    found = Judge(Scripted(reply), TEMPLATE, scale(0, 10)).judge(Question("q", "a"))
    assert (found.score, found.scores, found.sd, found.valid) == (None, (None,), None, False)


def test_passes_and_their_sd():
    model = Scripted("[[2]]", "[[4]]", "[[9]]")
    found = Judge(model, TEMPLATE, scale(0, 10), passes=3, sampling=WARM).judge(Question("q", "a"))
    assert found.score == pytest.approx(0.5)
    assert found.sd == pytest.approx(math.sqrt((0.3**2 + 0.1**2 + 0.4**2) / 2))
    assert [prompt.sampling.seed for prompt in model.asked] == [0, 1, 2]


def test_one_failed_pass_leaves_no_score():
    found = Judge(Scripted("[[2]]", "hm"), TEMPLATE, scale(0, 10), passes=2, sampling=WARM).judge(Question("q", "a"))
    assert (found.score, found.scores, found.sd) == (None, (0.2, None), None)


def test_nothing_is_paid_twice(tmp_path):
    path = tmp_path / "cache" / "judge.jsonl"
    question = Question("q\u2028", "a\ud800", "r")
    first = Judge(Scripted("[[2]]", "[[4]]"), TEMPLATE, scale(0, 10), passes=2, sampling=WARM, cache=path)
    one = first.judge(question)
    same = first.judge(question)
    later = Judge(Scripted(), TEMPLATE, scale(0, 10), passes=2, sampling=WARM, cache=path).judge(question)
    assert one.score == same.score == later.score == pytest.approx(0.3)
    assert [reply.cached for reply in (*one.replies, *same.replies, *later.replies)] == [False] * 2 + [True] * 4
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["reply"] for line in lines] == ["[[2]]", "[[4]]"]
    assert {line["judge"] for line in lines} == {first.fingerprint}
    assert (lines[0]["model"], lines[0]["answer"], lines[0]["pass"]) == ("judge-1", "a\ud800", 0)


def test_a_new_rule_reads_old_replies(tmp_path):
    path = tmp_path / "judge.jsonl"
    Judge(Scripted("[[2]]"), TEMPLATE, scale(0, 10), cache=path).judge(Question("q", "a"))
    again = Judge(Scripted(), TEMPLATE, scale(0, 4), cache=path)
    assert again.judge(Question("q", "a")).score == 0.5
    definitions = [Judge(Scripted(), TEMPLATE, scale(0, top)).definition() for top in (10, 4)]
    assert definitions[0]["parse"] != definitions[1]["parse"]
    json.dumps(definitions)


@pytest.mark.parametrize(
    "change",
    [
        {"question": "other"},
        {"answer": "other"},
        {"reference": "other"},
        {"model": "judge-2"},
        {"template": "{answer}?"},
        {"sampling": Sampling(max_tokens=9)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_anything_else_is_asked_anew(tmp_path, change):
    path = tmp_path / "judge.jsonl"
    Judge(Scripted("[[2]]"), TEMPLATE, scale(0, 10), cache=path).judge(Question("q", "a", "r"))
    model = Scripted("[[5]]", name=change.pop("model", "judge-1"))
    options = {key: change.pop(key) for key in ("sampling",) if key in change}
    judge = Judge(model, change.pop("template", TEMPLATE), scale(0, 10), cache=path, **options)
    assert judge.judge(Question(**{"question": "q", "answer": "a", "reference": "r", **change})).score == 0.5
    assert len(model.asked) == 1


def test_failures_are_not_kept(tmp_path):
    path = tmp_path / "judge.jsonl"
    failed = Answer(finish_reason="error", error="no reply within 9 s")
    judge = Judge(Scripted(failed, "[[5]]"), TEMPLATE, scale(0, 10), cache=path)
    assert judge.judge(Question("q", "a")).replies[0].error == "no reply within 9 s"
    assert not path.exists()
    assert judge.judge(Question("q", "a")).score == 0.5


def test_a_line_cut_off_by_a_kill_costs_that_line_only(tmp_path):
    path = tmp_path / "judge.jsonl"
    judge = Judge(Scripted("[[1]]", "[[2]]"), TEMPLATE, scale(0, 10), cache=path)
    judge.judge(Question("1", "a"))
    judge.judge(Question("2", "a"))
    path.write_bytes(path.read_bytes()[:-20])
    again = Judge(Scripted("[[3]]"), TEMPLATE, scale(0, 10), cache=path)
    assert again.judge(Question("1", "a")).score == 0.1
    assert again.judge(Question("2", "a")).score == 0.3
    last = Judge(Scripted(), TEMPLATE, scale(0, 10), cache=path)
    assert [last.judge(Question(name, "a")).score for name in "12"] == [0.1, 0.3]


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a cache\nat all\n")
    with pytest.raises(DataError, match=r"notes\.txt: not a cache"):
        Judge(Scripted(), TEMPLATE, scale(0, 10), cache=path)


def test_replies_that_can_not_be_kept_end_the_run(tmp_path):
    (tmp_path / "file").touch()
    judge = Judge(Scripted("[[1]]"), TEMPLATE, scale(0, 10), cache=tmp_path / "file" / "judge.jsonl")
    with pytest.raises(VergenceError, match=r"file/judge\.jsonl: the judge's replies can't be kept: "):
        judge.judge(Question("q", "a"))


def test_threads_share_a_judge_and_pay_once(tmp_path):
    class Slow(Scripted):
        entered = threading.Event()
        release = threading.Event()

        def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
            self.entered.set()
            assert self.release.wait(20)
            yield from super().answer(prompts)

    model = Slow("[[5]]")
    judge = Judge(model, TEMPLATE, scale(0, 10), cache=tmp_path / "judge.jsonl")
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(judge.judge, Question("q", "a")) for _ in range(4)]
        assert model.entered.wait(20)
        model.release.set()
        assert {future.result().score for future in futures} == {0.5}
    assert len(model.asked) == 1


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{answer} {image}", r"{image} is not one of question, reference, answer"),
        ("{question}", "doesn't show the {answer}"),
        ("{answer} {", "braces that are meant as such are doubled"),
        ("{answer} {}", "{} is not one of"),
    ],
)
def test_templates_that_cannot_be(template, told):
    with pytest.raises(UsageError) as caught:
        Judge(Scripted(), template, scale(0, 10))
    assert told in str(caught.value)


def test_passes_that_cannot_be():
    with pytest.raises(UsageError, match="passes 0"):
        Judge(Scripted(), TEMPLATE, scale(0, 10), passes=0)
    with pytest.raises(UsageError, match="without a temperature"):
        Judge(Scripted(), TEMPLATE, scale(0, 10), passes=2)


@pytest.mark.parametrize(
    ("reply", "score"),
    [
        ("[[4]]", 0.75),
        ("First [[4]], as said: [[4]]", 0.75),
        ("Score: 4", 0.75),
        ("**Score:** 4/5", 0.75),
        ("The rating is 2.", 0.25),
        ("score = 2.5", 0.375),
        ("Score: 1 at first, but then Score: 5", 1.0),
        ("4", 0.75),
        (" 4. ", 0.75),
        ("Score: 4, that is [[5]]", 1.0),
        ("Score: 45", None),
        ("0", None),
        ("There are 4 cats.", None),
        ("A scoreboard of 4", None),
        ("-3", None),
        ("", None),
    ],
)
def test_the_scale(reply, score):
    assert scale(1, 5)(reply) == score


def test_a_scale_that_cannot_be():
    with pytest.raises(ValueError, match="is no scale"):
        scale(5, 5)


def test_sd_between_repeats():
    def judged(*scores: float | None) -> Judgement:
        whole = None not in scores
        return Judgement(0.5 if whole else None, scores, None, (), "j")

    some = [judged(0.0, 1.0), judged(0.5, 0.5), judged(None, 1.0)]
    assert repeat_sd(some) == pytest.approx(math.sqrt(0.5) / 2)  # means 0.25 and 0.75
    assert repeat_sd([judged(1.0)]) is None
    assert repeat_sd([]) is None


def by_table(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Kappa from the table of shares, as the paper writes it."""
    n, labels = len(first), sorted({*first, *second})
    pairs = list(zip(first, second, strict=True))
    table = {(a, b): pairs.count((a, b)) / n for a in labels for b in labels}
    observed = sum(table[a, a] for a in labels)
    chance = sum(sum(table[a, b] for b in labels) * sum(table[b, a] for b in labels) for a in labels)
    return None if chance > 1 - 1e-12 else (observed - chance) / (1 - chance)


LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=40)


@given(LABELS)
def test_kappa_equals_the_table(pairs):
    first, second = map(list, zip(*pairs, strict=True))
    found, expected = cohen_kappa(first, second), by_table(first, second)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        assert found == pytest.approx(expected, abs=1e-9)
        assert cohen_kappa(second, first) == found
        assert found <= 1
        assert (found == 1) == (first == second)


def test_kappa_of_the_textbook():
    # 50 proposals, both yes 20, both no 15, yes-no 5, no-yes 10: p_o 0.7, p_e 0.5.
    pairs = [(1, 1)] * 20 + [(0, 0)] * 15 + [(1, 0)] * 5 + [(0, 1)] * 10
    assert cohen_kappa(*zip(*pairs, strict=True)) == pytest.approx(0.4)
    assert cohen_kappa([], []) is None
    assert cohen_kappa(["a"] * 3, ["a"] * 3) is None
    assert cohen_kappa(["a"] * 3, ["b"] * 3) == 0
    with pytest.raises(ValueError, match="1 labels"):
        cohen_kappa([1], [])


def test_kappa_agrees_with_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    first, second = [1, 2, 0, 1, 1, 2, 0, 0, 2, 1], [1, 2, 1, 1, 0, 2, 0, 2, 2, 1]
    assert cohen_kappa(first, second) == pytest.approx(metrics.cohen_kappa_score(first, second))


def test_agreement_leaves_out_what_one_judge_did_not_score():
    first, second = [0.9, 0.2, None, 0.8, 0.1], [0.7, 0.4, 1.0, None, 0.6]
    found = agreement(first, second, label=lambda score: score >= 0.5)
    assert (found.n, found.left_out) == (3, 2)
    assert found.observed == pytest.approx(2 / 3)
    assert found.kappa == pytest.approx(cohen_kappa([True, False, False], [True, False, True]))
    assert agreement([None], [0.5]).observed is None
    with pytest.raises(ValueError, match="1 scores"):
        agreement([0.5], [])
