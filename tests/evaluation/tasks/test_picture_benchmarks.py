"""Benchmarks of pictures: scores worked out by hand where a plausible rule differs."""

from __future__ import annotations

from typing import Any

import pytest
from benchmark_run import PICTURE, Verdicts, choice_rows, scores


def test_mmmu_is_the_mean_of_the_questions_and_guesses_nothing(tmp_path):
    options = "['a dog', 'a rabbit', 'a cat', 'a horse']"  # a list written as text, as the hub has it
    rows = [
        {"id": f"v{i}", "question": "Which? <image 1>", "image_1": PICTURE, "options": options, "answer": "C"}
        for i in range(4)
    ]
    rows[3] |= {"options": "[]", "answer": "['3.5', 'three and a half']"}
    rows.append({**rows[0], "id": "v4"})
    rows = [{**row, "subfield": "Art" if i < 4 else "Math"} for i, row in enumerate(rows)]
    said = ["A cat is there. The answer is C", "B) no. Answer: **C**", "I can't tell.", "It is 3.50.", "A or C"]
    found = scores(tmp_path, "mmmu", rows, said)
    assert found.headline == pytest.approx(3 / 5)  # 3/4 of Art and 0 of Math would be 3/8 as a mean of subjects
    assert found["accuracy", "subject=Art"] == 3 / 4
    assert found["invalid_ratio", ""] == pytest.approx(2 / 5)
    assert (found.result["n"], found.result["invalid"], found.result["errors"]) == (5, 2, 0)


def test_mmstar_reads_past_an_article_where_harnesses_don_t(tmp_path):
    rows = choice_rows(4)
    groups = ["x", "x", "x", "y"]
    rows = [
        {
            **row,
            "question": "Which?\nOptions: A: a dog, B: a rabbit, C: a cat, D: a horse",
            "category": group,
            "l2_category": group,
        }
        for row, group in zip(rows, groups, strict=True)
    ]
    for row in rows:
        del row["options"]
    said = ["A cat is there. The answer is C", "C", "C", "A rabbit is shown so B"]
    found = scores(tmp_path, "mmstar", rows, said)
    assert found.headline == 3 / 4  # lmms-eval's mean of the l2 categories would be 1/2
    assert found["accuracy", "l2_category=y"] == 0
    assert found.compat == {"official": 1 / 2, "lmms-eval": 1 / 2, "vlmevalkit": 3 / 4}


def test_mmbench_wants_every_rotation(tmp_path):
    rows = [
        {
            "index": 7,
            "question": "Which?",
            "hint": "",
            "image": PICTURE,
            "A": "a dog",
            "B": "a cat",
            "C": "a cow",
            "D": "",
            "answer": "A",
            "category": "x",
            "l2-category": "l",
        },
        {
            "index": 8,
            "question": "Is it?",
            "hint": "",
            "image": PICTURE,
            "A": "yes",
            "B": "no",
            "C": "",
            "D": "",
            "answer": "A",
            "category": "y",
            "l2-category": "l",
        },
        {
            "index": 1_000_007,
            "question": "Which?",
            "hint": "",
            "image": PICTURE,
            "A": "a cat",
            "B": "a cow",
            "C": "a dog",
            "D": "",
            "answer": "C",
            "category": "x",
            "l2-category": "l",
        },
    ]
    found = scores(tmp_path, "mmbench-en", rows, ["A", "C", "B", "A", "A"])
    assert found.headline == 1 / 2  # the vanilla score is 1, the mean of all orders 4/5
    assert found["accuracy (first order)", ""] == 1
    assert (found["accuracy", "category=x"], found["accuracy", "category=y"]) == (1, 0)
    unread = scores(tmp_path / "b", "mmbench-en", rows[:1], ["A", "C", "A or B"])
    assert (unread.headline, unread["invalid_ratio", ""]) == (0, 1)


@pytest.mark.parametrize("name", ["ai2d", "scienceqa", "egoschema", "tomato", "nextqa"])
def test_an_answer_may_be_an_index(name, tmp_path):
    options = ["a dog", "a rabbit", "a cat", "a horse"]
    media = {"image": PICTURE, "video_idx": "clip", "video_path": "clip.mp4", "video": "clip"}
    row = {"question": "Which?", "options": options, "choices": options, "option": options, "answer": 2, **media}
    row |= {f"a{i}": text for i, text in enumerate(options)} | {"a4": "a cow", "subject": "x", "type": "t", "hint": ""}
    row |= {"reason_type": "t", "demonstration_type": "d"}
    rows = [{**row, "id": i, "qid": i, "question_idx": i} for i in range(3)]
    said = ["C) a cat", "It's 2.", "The answer is c."]
    found = scores(tmp_path, name, rows, said)
    assert (found.headline, found["invalid_ratio", ""]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))


def test_blink_takes_no_word_for_a_letter(tmp_path):
    rows = [
        {
            "idx": f"{task}_{i}",
            "question": "Which?",
            "image_1": PICTURE,
            "choices": ["bird", "fish"],
            "answer": "(B)",
            "sub_task": task,
        }
        for task, count in (("Counting", 1), ("Jigsaw", 2))
        for i in range(count)
    ]
    found = scores(tmp_path, "blink", rows, ["(B)", "Birds fly", "B. fish"])
    assert (found.headline, found["invalid_ratio", ""]) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert (found["accuracy", "task=Counting"], found["accuracy", "task=Jigsaw"]) == (1, 1 / 2)
    assert found.compat["lmms-eval"] == pytest.approx(1)  # "Birds" is B there


def test_realworldqa_compares_numbers_and_yes_or_no_by_what_they_say(tmp_path):
    asked = [
        ("Which?\nA. left\nB. right\nPlease answer directly with only the letter of the correct option.", "B", "B", 1),
        ("How many?", "two", "2", 1),
        ("How many?", "2", "There are two.", 1),
        ("How many?", "2", "12", 0),
        ("Is it?", "No", "No, it isn't.", 1),
        ("Is it?", "No", "There is no way to know", 0),
        ("Is it?", "Yes", "yes", 1),
        ("Which colour?", "red", "It's reddish", 0),
    ]
    rows = [{"question": question, "image": PICTURE, "answer": right} for question, right, _, _ in asked]
    found = scores(tmp_path, "realworldqa", rows, [said for _, _, said, _ in asked])
    assert found.headline == pytest.approx(sum(right for *_, right in asked) / len(asked))
    assert found.result["invalid"] == 1  # the one that says neither yes nor no


def test_pope_counts_yes_among_the_answers(tmp_path):
    asked = [("yes", "Yes."), ("yes", "yes, there is"), ("yes", "No"), ("no", "No, there isn't."), ("no", "Unclear")]
    rows = [{"question": "Is there?", "image": PICTURE, "answer": right, "category": "random"} for right, _ in asked]
    found = scores(tmp_path, "pope", rows, [said for _, said in asked])
    assert found["yes_ratio", ""] == pytest.approx(2 / 5)  # of the truth it would be 3/5
    assert (found["precision", ""], found["recall", ""]) == (1, pytest.approx(2 / 3))
    assert found.headline == found["f1", ""] == pytest.approx(2 * (2 / 3) / (1 + 2 / 3))
    assert (found["accuracy", ""], found["invalid_ratio", ""]) == (pytest.approx(3 / 5), pytest.approx(1 / 5))


def test_hallusion_bench_by_question_figure_and_wording(tmp_path):
    def row(category: str, figure: int, question: int, right: int) -> dict[str, Any]:
        return {
            "category": category,
            "subcategory": "chart",
            "set_id": 0,
            "figure_id": figure,
            "question_id": question,
            "question": "Is it?",
            "gt_answer": str(right),
            "image": PICTURE if figure else None,
        }

    asked = [
        (row("VS", 0, 0, 1), "Yes"),
        (row("VS", 1, 0, 1), "Yes"),
        (row("VS", 2, 0, 0), "Yes"),
        (row("VS", 0, 1, 0), "Yes"),
        (row("VS", 1, 1, 0), "No"),
    ]
    found = scores(tmp_path, "hallusion-bench", [row for row, _ in asked], [said for _, said in asked])
    assert found["aAcc", ""] == pytest.approx(3 / 5)
    assert found["fAcc", ""] == pytest.approx(1 / 2)  # figures 1 and 2; what has no figure isn't one
    assert found["qAcc", ""] == 0  # each wording is wrong once
    assert found.headline == pytest.approx((3 / 5 + 1 / 2 + 0) / 3)


def test_judged_answers_are_put_together_as_published(tmp_path):
    rows = [
        {"question_id": f"v{i}", "question": "What?", "image": PICTURE, "answer": "x", "capability": needed}
        for i, needed in enumerate(["rec", "rec,ocr", "ocr"])
    ]
    found = scores(tmp_path, "mm-vet", rows, ["x", "y", ""], judge=Verdicts(["[[1.0]]", "Grade: [[0.4]]"]))
    assert found.headline == pytest.approx(1.4 / 3)  # silence isn't shown to the judge: 0
    assert found["score", "capability=ocr"] == pytest.approx(0.4 / 2)
    # The sum of the ratings over that of the references, not the mean of the ratios.
    rows = [
        {"example_id": str(i), "prompt": f"What {i}?", "image": PICTURE, "reference": "r", "category": "hard"}
        for i in range(2)
    ]
    found = scores(tmp_path / "l", "vibe-eval", rows, ["a", "b"], judge=Verdicts(["[[2]]", "[[8]]", "[[9]]", "[[3]]"]))
    assert found.headline == pytest.approx((2 + 9) / (8 + 3))


def test_a_thought_is_no_answer(tmp_path):
    rows = choice_rows(3)
    said = ["<think>The answer is A.</think>The answer is C.", "<think>The answer is C.</think>", "<think>It is C. So"]
    rows = [
        {**row, "category": "x", "l2_category": "x", "A": "a dog", "B": "a rabbit", "C": "a cat", "D": "a horse"}
        for row in rows
    ]
    found = scores(tmp_path, "mmstar", rows, said, thinking=True)
    assert (found.headline, found.result["invalid"]) == (pytest.approx(1 / 3), 2)
    assert "step by step" in found.result["definition"]["prompt"]["wording"]["thinking"]
