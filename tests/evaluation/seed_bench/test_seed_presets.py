"""Predictions under the five presets equal, question by question, straight-line code of the official formulas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from seed_files import media, v1_question, v2_question, write
from seed_stub_model import BOS, EOS, PICTURE, TIE, StubModel, encode, logits, picture_id, run

from vergence.conversation import ImagePart, TextPart
from vergence.errors import UsageError
from vergence.evaluation.seed_bench.presets import PRESETS, Interface, candidates, conversation, interface
from vergence.evaluation.seed_bench.task import SeedBench
from vergence.evaluation.task import TaskOptions

sys.path.insert(0, str(Path(__file__).parents[2] / "processing"))
from video_writer import write_video

PAD = -100


def loss(ids: list[int], position: int) -> float:
    """Cross-entropy of one token of a sequence, by a softmax of its own."""
    weights = np.exp(logits(ids[:position]))
    return -float(np.log(weights[ids[position]] / weights.sum()))


def t5(question: dict[str, Any], pictures: list[int], reduce: str) -> list[float]:
    """InstructBLIP: options padded to the longest, padding ignored; summed (LAVIS) or averaged (transformers)."""
    context = [BOS, *pictures, *encode(f"Question: {question['question']}\nAnswer:")]
    if "<img>" in question["question"]:
        before, *rest = f"Question: {question['question']}\nAnswer:".split("<img>")
        context = [BOS, *encode(before)]
        for i, text in enumerate(rest):
            context += [*pictures[2 * i : 2 * i + 2], *encode(text)]
    targets = [[*encode(question[f"choice_{x}"]), EOS] for x in "abcd"]
    longest = max(map(len, targets))
    losses = []
    for target in targets:
        labels = target + [PAD] * (longest - len(target))
        each = [loss([*context, *target], len(context) + i) for i, label in enumerate(labels) if label != PAD]
        losses.append(sum(each) if reduce == "sum" else sum(each) / len(each))
    return losses


def llava(question: dict[str, Any], pictures: list[int]) -> list[float]:
    """LLaVA-1.5: chat template, the last len(tokenizer(option)) ids, of which one is for the begin token."""
    body = [*pictures, *encode("\n" + question["question"])]
    if "<img>" in question["question"]:
        before, *rest = question["question"].split("<img>")
        body = encode(before)
        for i, text in enumerate(rest):
            body += [*pictures[2 * i : 2 * i + 2], *encode(text)]
    losses = []
    for letter in "abcd":
        option = question[f"choice_{letter}"]
        ids = [BOS, *encode("USER: "), *body, *encode(" ASSISTANT:"), *encode(option), EOS]
        count = len([BOS, *encode(option)])
        losses.append(float(np.mean([loss(ids, position) for position in range(len(ids) - count, len(ids))])))
    return losses


def qwen(question: dict[str, Any], pictures: list[int]) -> list[float]:
    """Qwen-VL-Chat: no template, no separator; the tokens that the option adds. Pictures where they belong."""
    body = [*pictures, *encode(question["question"])]
    if "<img>" in question["question"]:
        before, *rest = question["question"].split("<img>")
        body = encode(before)
        for i, text in enumerate(rest):
            body += [*pictures[2 * i : 2 * i + 2], *encode(text)]
    losses = []
    for letter in "abcd":
        ids = [BOS, *body, *encode(question[f"choice_{letter}"])]
        target = len(ids) - len([BOS, *body])
        each = [loss(ids, position) for position in range(1, len(ids))]
        losses.append(sum(each[-target:]) / target)
    return losses


def xcomposer(question: dict[str, Any], pictures: list[int]) -> list[float]:
    """InternLM-XComposer: the options are shown, "A." to "D." ranked."""
    shown = "".join(f"{letter.upper()}. {question[f'choice_{letter}']}\n" for letter in "abcd")
    text = f"Context: N/A\nQuestion: {question['question']}\nOptions: []\n{shown}Answer: The answer is"
    context = [BOS, *pictures, *encode(text)]
    if "<img>" in text:
        before, *rest = text.split("<img>")
        context = [BOS, *encode(before)]
        for i, piece in enumerate(rest):
            context += [*pictures[2 * i : 2 * i + 2], *encode(piece)]
    losses = []
    for letter in ("A.", "B.", "C.", "D."):
        ids = [*context, *encode(letter)]
        losses.append(sum(loss(ids, p) for p in range(len(context), len(ids))) / len(encode(letter)))
    return losses


OFFICIAL = {
    "instructblip": lambda q, p: t5(q, p, "sum"),
    "instructblip-hf": lambda q, p: t5(q, p, "mean"),
    "llava-1.5": llava,
    "qwen-vl-chat": qwen,
    "internlm-xcomposer": xcomposer,
}


def first_of_smallest(losses: list[float]) -> int:
    best = 0
    for index in range(1, len(losses)):
        if losses[index] < losses[best]:
            best = index
    return best


@pytest.fixture(scope="module")
def version_2(tmp_path_factory) -> tuple[Path, list[dict[str, Any]]]:
    """Six questions of each of the dimensions 1 to 24, a third with equally likely options."""
    folder = tmp_path_factory.mktemp("seed2")
    questions = []
    for dimension in range(1, 25):
        for number in range(6):
            question = v2_question(number, dimension)
            lengths = (5, 3, 9, 2) if number % 3 == 0 else (6, 6, 6, 6)
            for letter, length in zip("abcd", lengths, strict=True):
                question[f"choice_{letter}"] = (f"{letter}{number * 7 + dimension}" * 9)[:length]
            if number % 3 == 1:  # two or three options are the same
                question["choice_b"] = question["choice_d"]
                if number == 4:
                    question["choice_c"] = question["choice_b"]
            if number % 3 == 2:  # all tokens are equally likely
                question["question"] = f"{TIE} {question['question']}"
            questions.append(question)
    write(folder, "2", questions)
    media(folder, questions)
    return folder, questions


def picture_ids(folder: Path, question: dict[str, Any]) -> list[int]:
    names = question["data_id"] if isinstance(question["data_id"], list) else [question["data_id"]]
    place = folder / ("cc3m-image" if question["data_source"] == "cc3m" else "SEED-Bench-2-image")
    return [x for name in names for x in (PICTURE, picture_id(place / name))]


@pytest.mark.parametrize("preset", PRESETS)
def test_predictions_equal_the_official_formula_on_every_question(version_2, preset):
    folder, questions = version_2
    task = SeedBench("2", TaskOptions(data=folder, method="likelihood", preset=preset))
    records = {record.sample.id: record for record in run(task, StubModel())}
    assert len(records) == len(questions) == 144
    predicted, ties = set(), 0
    for question in questions:
        losses = OFFICIAL[preset](question, picture_ids(folder, question))
        best = first_of_smallest(losses)
        verdict = records[question["question_id"]].verdict
        assert verdict.extracted == "ABCD"[best], question["question_id"]
        assert verdict.tie == (losses.count(losses[best]) > 1), question["question_id"]
        assert verdict.scores["accuracy"] == float("ABCD"[best] == question["answer"])
        predicted.add(best)
        ties += verdict.tie
    assert predicted == {0, 1, 2, 3}
    assert ties >= 48  # the questions whose tokens are all equally likely, and more


LENGTHS = {10: 57, 11: 200, 12: 120}  # frames
RATES = {10: 15, 11: 50, 12: 15}
PATHS = {
    10: "SSV2/videos/{}.webm",
    11: "EPIC-KITCHENS/3h91syskeag572hl6tvuovwv4d/videos/test/P03/P03_{}.MP4",
    12: "BreakfastII_15fps_qvga_sync/P06/cam01/{}.avi",
}
CODECS = {10: ("libvpx", "webm"), 11: ("libx264", "mp4"), 12: ("mpeg4", "avi")}
SEGMENTS = {11: ([0.5, 3.9], [2.0, 900.0], [1.0, 1.1]), 12: ([7, 99], [100, 500], [3, 11])}


@pytest.fixture(scope="module")
def version_1(tmp_path_factory) -> tuple[Path, list[dict[str, Any]]]:
    """Nine questions of each of the dimensions 10 to 12 about one video each; a third are ties, a third are short."""
    folder = tmp_path_factory.mktemp("seed1")
    questions = []
    for dimension, length in LENGTHS.items():
        codec, container = CODECS[dimension]
        path = folder / PATHS[dimension].format(0)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, length, codec=codec, container=container, rate=RATES[dimension])
        for number in range(9):
            question = v1_question(number, dimension, data_id=v1_question(0, dimension)["data_id"])
            if dimension in SEGMENTS:
                question["segment"] = SEGMENTS[dimension][number // 3]
            if number % 3 == 1:
                question |= {"choice_b": question["choice_d"], "choice_a": question["choice_d"] + " at all"}
            if number % 3 == 2:
                question["question"] += f" {TIE}"
            questions.append(question)
    write(folder, "1", questions)
    return folder, questions


def official_frames(question: dict[str, Any]) -> list[int]:
    """The official code for the three dimensions, with a whole file's frames known beforehand."""
    dimension, length = question["question_type_id"], LENGTHS[question["question_type_id"]]
    start, n = 0, length - 1
    if dimension == 11:
        start, end = (int(min(max(seconds * 50.0, 0), length - 1)) for seconds in question["segment"])
        n = end - start
    if dimension == 12:
        start, n = question["segment"][0], min(question["segment"][1], length) - question["segment"][0]
    if n < 8:
        return [start + i for i in range(n)]
    size = float(n - 1) / 8
    return [start + int(size / 2) + int(np.round(size * i)) for i in range(8)]


@pytest.mark.parametrize("preset", PRESETS)
def test_version_1_is_asked_with_the_official_frames(version_1, preset):
    folder, questions = version_1
    task = SeedBench("1", TaskOptions(data=folder, preset=preset))
    ties, frames = 0, set()
    for question, record in zip(questions, run(task, StubModel()), strict=True):
        indices = official_frames(question)
        assert task.prompt(record.sample).conversation.metadata["frames"] == indices
        losses = OFFICIAL[preset](question, [x for index in indices for x in (PICTURE, index % 59)])
        best = first_of_smallest(losses)
        assert record.verdict.extracted == "ABCD"[best], question["question_id"]
        assert record.verdict.tie == (losses.count(losses[best]) > 1), question["question_id"]
        ties += record.verdict.tie
        frames.add(tuple(indices))
    assert ties >= 9
    assert len(frames) == 7


PICTURES = [ImagePart(Path(f"{name}.png")) for name in "xyz"]


def test_interleaved_pictures_stand_where_the_question_marks_them():
    found = conversation(PRESETS["qwen-vl-chat"], "<img>: one. <img>: two. <img>:", "abcd", PICTURES)
    assert found.messages[0].parts == (
        *(PICTURES[0], TextPart(": one. ")),
        *(PICTURES[1], TextPart(": two. ")),
        *(PICTURES[2], TextPart(":")),
    )


def test_the_mark_of_the_official_interfaces_is_read_too():
    found = conversation(PRESETS["instructblip"], "a [img] b", "abcd", PICTURES[:1])
    assert found.messages[0].parts == (TextPart("Question: a "), PICTURES[0], TextPart(" b\nAnswer:"))


def test_marks_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="2 places for 3 pictures"):
        conversation(PRESETS["llava-1.5"], "<img> and <img>", "abcd", PICTURES)


def test_braces_of_a_question_and_of_options_stay_as_they_are():
    found = conversation(PRESETS["internlm-xcomposer"], "What is {options}?", ["{question}", "b"], PICTURES[:1])
    assert found.messages[0].text == (
        "Context: N/A\nQuestion: What is {options}?\nOptions: []\nA. {question}\nB. b\nAnswer: The answer is"
    )


def test_free_choice_changes_a_preset():
    chosen = interface("llava-1.5, candidate=letter, reduction=sum, end=false, template=plain")
    asked = candidates(chosen, ["one", "two", "three", "four"])
    assert (asked.texts, asked.reduction, asked.end, asked.template) == (("A", "B", "C", "D"), "sum", False, "plain")
    assert conversation(chosen, "Why?", ["one", "two"], ()).messages[0].text == "Why?\nA. one\nB. two"
    assert interface("reduction=pmi").reduction == "pmi"
    assert interface("internlm-xcomposer,letter=({letter})").letter == "({letter})"
    assert interface("internlm-xcomposer,candidate=text").candidate == "text"
    assert interface("qwen-vl-chat") is PRESETS["qwen-vl-chat"]
    assert interface("qwen-vl-chat,unconditional=Hm:").definition()["unconditional"] == "Hm:"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("instructblib", "did you mean 'instructblip'"),
        ("llava-1.5,reduction=max", "reduction is one of sum, mean, character, byte, pmi, got 'max'"),
        ("llava-1.5,end=yes", "end is one of true, false"),
        ("llava-1.5,colour=red", "'colour' can't be changed"),
        ("internlm-xcomposer,letter=x", "needs a text with {letter} in it"),
    ],
)
def test_a_wrong_choice_is_named(text, message):
    with pytest.raises(UsageError, match=message.replace("(", r"\(").replace("{", r"\{")):
        interface(text)


def test_presets_say_where_the_published_code_differs():
    assert any("third, first, second" in note for note in PRESETS["qwen-vl-chat"].notes)
    assert "notes" not in PRESETS["qwen-vl-chat"].definition()
    assert isinstance(interface("llava-1.5"), Interface)
