"""The runner on engines whose answers are known, and once on a real one; the files and the table it leads to."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import pytest
from PIL import Image

from vergence.errors import DataError, UsageError
from vergence.evaluation.examples import Example, read_examples, write_examples
from vergence.evaluation.heldout import choose_examples, evaluate
from vergence.evaluation.scores import KEYS, Score, from_json, read_scores, table, write_scores
from vergence.evaluation.statistics import wilson
from vergence.evaluation.tasks.pictures import GREY, PictureTask
from vergence.inference.request import Output, Request

TASKS = ["digit", "box", "colour"]


class KnowsAll:
    """Answers from the samples' names; `mangle(number, answer, blind)` may spoil an answer."""

    def __init__(self, samples: int, seed: int, mangle: Callable[[int, str, bool], str]) -> None:
        tasks = [PictureTask(name, seed, samples) for name in TASKS]
        self.answers = {s.id: (i, s.tags["expected"]) for task in tasks for i, s in enumerate(task.samples())}
        self.mangle = mangle
        self.calls: list[int] = []

    def generate(self, requests: Sequence[Request]) -> list[Output]:
        self.calls.append(len(requests))
        return [Output(self.answer(request), [1], None, "stop", 1, 0) for request in requests]

    def answer(self, request: Request) -> str:
        (image,) = request.conversation.images
        assert isinstance(image, Image.Image)
        blind = image.getcolors() == [(image.width * image.height, GREY)]
        number, expected = self.answers[str(request.request_id)]
        return self.mangle(number, expected, blind)


def test_a_perfect_engine_that_needs_its_eyes():
    engine = KnowsAll(12, 5, lambda _, answer, blind: "?" if blind else answer)
    evaluation = evaluate(engine, TASKS, samples=12, seed=5, examples=4)
    low, high = wilson(12, 12)
    blind_low, blind_high = wilson(0, 12)
    assert evaluation.scores == [
        Score(task, task == "digit", 12, 1.0, low, high, 0.0, blind_low, blind_high) for task in TASKS
    ]
    assert engine.calls == [24, 24, 24]  # all requests of a task, seeing and blind, in one call
    assert [e.task for e in evaluation.examples] == [task for task in TASKS for _ in range(4)]
    assert all(example.right for example in evaluation.examples)


def test_a_part_of_the_answers_right():
    engine = KnowsAll(12, 5, lambda number, answer, blind: answer if number % 4 == 0 or (blind and number < 6) else "?")
    seen: list[str] = []
    evaluation = evaluate(engine, TASKS, samples=12, seed=5, examples=4, progress=lambda s: seen.append(s.task))
    for score in evaluation.scores:
        assert (score.n, score.accuracy, score.blind) == (12, 3 / 12, 7 / 12)
        assert (score.low, score.high) == pytest.approx(wilson(3, 12))
        assert (score.blind_low, score.blind_high) == wilson(7, 12)
    assert seen == TASKS
    assert [e.right for e in evaluation.examples] == [True, False, False, True] * 3


def test_without_the_blind_score():
    engine = KnowsAll(5, 0, lambda _, answer, __: answer)
    evaluation = evaluate(engine, ["digit", "digit"], samples=5, seed=0, blind=False)
    (score,) = evaluation.scores
    assert (score.accuracy, score.blind, score.blind_low, score.blind_high) == (1.0, None, None, None)
    assert engine.calls == [5]
    assert evaluation.examples == []


def test_an_example_holds_what_is_needed_to_show_it():
    engine = KnowsAll(3, 0, lambda number, answer, _: answer if number else "<bbox>0 0 100 100</bbox>")
    examples = evaluate(engine, ["box"], samples=3, seed=0, examples=3).examples
    sample = PictureTask("box", 0, 3).samples()[0]
    first = examples[0]
    width, height = sample.media[0].image.size
    assert first.size == (width, height)
    assert first.target == tuple(sample.reference)
    assert first.boxes == ((0.0, 0.0, width / 10, height / 10),)
    assert first.points == ()
    assert not first.right
    assert first.png.startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("scores", "count", "chosen"),
    [
        ([1, 1, 1, 1, 0, 0], 4, [0, 1, 4, 5]),
        ([1, 1, 1, 1], 3, [0, 1, 2]),
        ([0, 0, 0], 2, [0, 1]),
        ([0, 1, 1, 1], 3, [0, 1, 2]),
        ([0, 0, 0, 1], 4, [0, 1, 2, 3]),
        ([1, 0, 1, 0], 3, [0, 1, 2]),
        ([1, 0], 8, [0, 1]),
        ([1, 0], 0, []),
        ([], 3, []),
    ],
)
def test_which_examples_are_kept(scores, count, chosen):
    assert choose_examples(scores, count) == chosen


def test_an_unknown_task_is_refused_before_anything_is_asked():
    engine = KnowsAll(1, 0, lambda _, answer, __: answer)
    with pytest.raises(UsageError, match="'sudoku' is not a task"):
        evaluate(engine, ["digit", "sudoku"], samples=1, seed=0)
    assert engine.calls == []


def test_an_engine_that_fails_is_not_overlooked():
    class Broken:
        def generate(self, requests: Sequence[Request]) -> list[Output]:
            raise DataError("request 0 (digit-00000): no")

    with pytest.raises(DataError, match="digit-00000"):
        evaluate(Broken(), ["digit"], samples=1, seed=0)


def test_a_real_engine_answers():
    import torch

    from vergence.inference.engine import Engine
    from vergence.model_config import LanguageConfig, ModelConfig, ProcessingConfig, ProjectorConfig, VisionConfig
    from vergence.models.vlm import VLM
    from vergence.processing.processor import Processor
    from vergence.processing.template import load_template
    from vergence.processing.tokenizer import train_tokenizer

    language = LanguageConfig(
        vocab_size=300, width=32, depth=1, heads=2, kv_heads=1, mlp_width=16, context=128, tied=False
    )
    config = ModelConfig(
        vision=VisionConfig(width=16, depth=1, heads=2, mlp_width=16),
        projector=ProjectorConfig(hidden=16),
        language=language,
        processing=ProcessingConfig(max_pixels=9 * 784),
    )
    with torch.random.fork_rng(devices=[]):
        model = VLM(config)
    model.initialise(0)
    tokenizer = train_tokenizer(["a cat"], vocab_size=270, special_tokens=load_template("seed").special_tokens)
    engine = Engine(model, Processor(config, tokenizer))
    first = evaluate(engine, TASKS, samples=3, seed=0, examples=2)
    assert first == evaluate(engine, TASKS, samples=3, seed=0, examples=2)
    assert [score.n for score in first.scores] == [3, 3, 3]


def test_scores_survive_their_file(tmp_path):
    score = Score("digit", True, 300, 0.9, 0.86, 0.93, 0.2, 0.16, 0.25)
    record = score.to_json("instruct")
    assert tuple(record) == KEYS
    write_scores(tmp_path / "run" / "scores.json", [record])
    assert read_scores(tmp_path / "run" / "scores.json") == [record]
    assert from_json(record) == score
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["scores.json"]
    assert read_scores(tmp_path / "none.json") == []


@pytest.mark.parametrize("content", ["{", "{}", "[1]", '[{"task": "digit"}]'])
def test_broken_scores_are_refused_by_name(tmp_path, content):
    (tmp_path / "scores.json").write_text(content)
    with pytest.raises(DataError, match=r"scores\.json"):
        read_scores(tmp_path / "scores.json")


def test_the_table_is_aligned():
    lines = table(
        [
            Score("digit", True, 300, 0.9, 0.86, 0.93, 0.2, 0.16, 0.25),
            Score("relative position", False, 60, 1.0, 0.94, 1.0),
        ]
    ).split("\n")
    assert lines[0].split() == ["task", "pictures", "n", "accuracy", "95%", "blind", "95%", "difference"]
    assert lines[2].split() == ["digit", "real", "300", "90.0", "[86.0,", "93.0]", "20.0", "[16.0,", "25.0]", "+70.0"]
    assert lines[3].split()[-4:] == ["100.0]", "-", "-", "-"]
    assert len({len(line) for line in lines}) == 1


def make_example(name: str, **fields) -> Example:
    return Example("box", name, "Where?", "here", "\ud800 <b>", False, (8, 9), png=name.encode(), **fields)


def test_examples_survive_their_folder(tmp_path):
    examples = [make_example("box-1", target=(1.0, 2.0, 3.0, 4.0), boxes=((0.0, 0.0, 1.0, 1.0),), points=((1.0, 2.0),))]
    write_examples(tmp_path, [make_example("box-0"), make_example("box-9")])
    write_examples(tmp_path, examples)
    assert read_examples(tmp_path) == examples
    assert [path.name for path in (tmp_path / "examples").iterdir()] == ["box-1.png"]
    assert read_examples(tmp_path / "none") == []


@pytest.mark.parametrize(
    "changed", [{"name": "../box-1"}, {"name": ""}, {"size": [0, 4]}, {"target": [1, 2]}, {"name": "gone"}, {"size": 3}]
)
def test_broken_examples_are_refused_by_name(tmp_path, changed):
    write_examples(tmp_path, [make_example("box-1")])
    (record,) = json.loads((tmp_path / "examples.json").read_text())
    (tmp_path / "examples.json").write_text(json.dumps([{**record, **changed}]))
    with pytest.raises(DataError, match=r"examples\.json"):
        read_examples(tmp_path)
