"""Other harnesses' scores of choices, answer by answer."""

from __future__ import annotations

import pytest

from vergence.evaluation.compat import choice_readings as readings
from vergence.evaluation.compat.choices import COMPAT

ANIMALS = ["cat", "rabbit", "dog", "bird"]


def scores(benchmark, answer, letter, choices=ANIMALS):
    """Every harness's score of the answer where the letter is right."""
    rules = COMPAT[benchmark]
    return {name: rule(answer, "ABCDE".index(letter), choices=choices) for name, rule in rules.items()}


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("C", "C"),
        ("(C)", "C"),
        ("C. dog", "C"),
        ("the answer is (C).", "C"),
        ("A cat is there. The answer is C", "A"),  # the article begins the answer
        ("A rabbit is shown so B", "A"),
        ("It is C. The answer is B, not D", "D"),  # the latest letter behind the phrase, and at the end
        ("I see (B) or D.", "D"),  # at the end goes before brackets
        ("so (B) or D fits", "B"),
        ("MAGIC", "C"),  # no form at all: the letter that stands last
        ("c", ""),
        ("", ""),
        ("...", ""),
    ],
)
def test_the_shared_reading_of_lmms_eval(answer, letter):
    assert readings.ranked_reading(answer) == letter


@pytest.mark.parametrize("benchmark", ["mmstar", "realworldqa", "videomme", "lvbench", "mlvu"])
def test_an_article_wins_in_lmms_eval(benchmark):
    assert scores(benchmark, "A cat is there. The answer is C", "C")["lmms-eval"] == 0.0
    assert scores(benchmark, "A cat is there. The answer is C", "A")["lmms-eval"] == 1.0


@pytest.mark.parametrize(
    ("answer", "official", "lmms"),
    [
        ("B", "B", "B"),
        ("(A) or (B)", "B", "B"),  # of several the last
        ("B) rabbit", "", ""),  # at random
        ("Answer: **C**", "", ""),
        ("\\boxed{C}", "", ""),
        ("C. dog", "", "C"),
        ("D. bird, B. rabbit", "", "B"),  # neither stands between spaces: the first option
        ("NBA player", "", "A"),
        ("it must surely be the dog there", "C", "C"),
        ("the dog", "", ""),  # not six words
        ("A dog runs. It is C, so", "A", "A"),
        ("dog or bird, but I say dog", "C", "C"),
    ],
)
def test_mmmu(answer, official, lmms):
    assert readings.mmmu_reading(answer, ANIMALS, readings.MMMU_FORMS) == official
    assert readings.mmmu_reading(answer, ANIMALS, readings.LMMS_MMMU_FORMS) == lmms


def test_a_guess_is_no_hit():
    for letter in "ABCD":
        found = scores("mmmu", "\\boxed{C}", letter)
        assert (found["official"], found["lmms-eval"]) == (0.0, 0.0)
    for answer in ("\\boxed{C}", "Answer: **C**"):
        assert scores("mmmu", answer, "C") == {"official": 0.0, "lmms-eval": 0.0, "vlmevalkit": 1.0}


@pytest.mark.parametrize(
    "benchmark", ["mmstar", "ai2d", "blink", "realworldqa", "scienceqa", "seed-bench-1", "mmbench"]
)
@pytest.mark.parametrize(
    ("answer", "letter", "score"),
    [
        ("B", "B", 1.0),
        ("**B**", "B", 1.0),
        ("rabbit", "B", 1.0),
        ("It has long ears and fur, so B", "B", 1.0),
        ("B is right because it has long ears and fur", "B", 0.0),  # not among the last four words
        ("A rabbit is shown so B", "B", 1.0),  # two letters; but only one option's text
        ("A bird or a rabbit, so B", "B", 0.0),
        ("A small one", "A", 1.0),  # the guard against articles is off
        ("b", "B", 0.0),
        ("rabbit, not bird", "B", 0.0),
        ("", "B", 0.0),
    ],
)
def test_the_plain_rule_of_vlmevalkit(benchmark, answer, letter, score):
    assert scores(benchmark, answer, letter)["vlmevalkit"] == score


@pytest.mark.parametrize(
    ("answer", "letter", "official", "lmms", "kit"),
    [
        ("D", "D", 1.0, 1.0, 1.0),
        ("Based on the image, the answer is D.", "D", 0.0, 1.0, 0.0),
        ("Based on the image, the answer is D.", "B", 1.0, 0.0, 1.0),
        ("The answer is D", "D", 1.0, 1.0, 1.0),
        ("Answer: D", "D", 0.0, 1.0, 1.0),
        ("Best answer: D", "B", 1.0, 0.0, 1.0),  # two phrases are one in the list
        ("bird", "D", None, 0.0, 0.0),
        ("", "D", None, 0.0, 0.0),
    ],
)
def test_video_mme(answer, letter, official, lmms, kit):
    assert scores("videomme", answer, letter) == {"official": official, "lmms-eval": lmms, "vlmevalkit": kit}


@pytest.mark.parametrize(
    ("answer", "letter", "lmms", "kit"),
    [
        ("E", "E", 1.0, 1.0),
        ("Based on the image, the answer is D.", "B", 1.0, 1.0),
        ("Best option: D", "D", 1.0, 0.0),
        ("Answer: D", "D", 0.0, 1.0),
        ("the bird", "D", 0.0, 0.0),
    ],
)
def test_longvideobench(answer, letter, lmms, kit):
    assert scores("longvideobench", answer, letter, [*ANIMALS, "fish"]) == {"lmms-eval": lmms, "vlmevalkit": kit}


@pytest.mark.parametrize(
    ("answer", "letter", "official", "lmms", "kit"),
    [
        ("B", "B", 1.0, 1.0, 1.0),
        ("(B) rabbit", "B", 1.0, 1.0, 1.0),
        ("b) rabbit", "B", 1.0, 1.0, 1.0),
        ("", "B", 1.0, None, 1.0),  # "" is a part of "(b)"
        ("It is a cat, so B", "B", 0.0, 0.0, 1.0),
        ("It is a cat, so B", "A", 0.0, 1.0, 0.0),
        ("Answer: B", "B", 0.0, 1.0, 1.0),
        ("rabbit", "B", 0.0, 0.0, 1.0),
        ("B\nbecause", "B", 1.0, 1.0, 1.0),
    ],
)
def test_mvbench(answer, letter, official, lmms, kit):
    assert scores("mvbench", answer, letter) == {"official": official, "lmms-eval": lmms, "vlmevalkit": kit}


@pytest.mark.parametrize(
    ("answer", "letter", "official", "lmms", "kit"),
    [
        ("B", "B", 1.0, 1.0, 1.0),
        ("B) rabbit", "B", 1.0, 1.0, 1.0),
        ("(B) rabbit", "B", 0.0, 1.0, 1.0),
        ("B.", "B", 0.0, 1.0, 1.0),
        ("rabbit", "B", 0.0, 0.0, 1.0),
    ],
)
def test_mlvu(answer, letter, official, lmms, kit):
    assert scores("mlvu", answer, letter) == {"official": official, "lmms-eval": lmms, "vlmevalkit": kit}


@pytest.mark.parametrize(
    ("answer", "letter", "score"),
    [
        ("c", "C", 1.0),
        ("(C) dog", "C", 1.0),
        ("Option C", "C", 1.0),
        ("The answer is C", "C", 1.0),
        ("The correct answer is C", "C", 0.0),
        ("A cat. The answer is C", "A", 1.0),
        ("Because of the dog", "B", 1.0),
        ("", "A", 0.0),
    ],
)
def test_the_official_rule_of_mmstar(answer, letter, score):
    assert scores("mmstar", answer, letter)["official"] == score


@pytest.mark.parametrize(
    ("benchmark", "answer", "letter", "score"),
    [
        ("ai2d", "B", "B", 1.0),
        ("ai2d", "(b)", "B", 1.0),
        ("ai2d", "B. rabbit", "B", 1.0),
        ("ai2d", "B) rabbit", "B", 0.0),
        ("ai2d", "Answer: B", "B", 0.0),
        ("muirbench", "b", "B", 1.0),
        ("muirbench", "B.", "B", 1.0),
        ("muirbench", "(B)", "B", 0.0),
        ("scienceqa", "b", "B", 1.0),
        ("scienceqa", "B. rabbit", "B", 1.0),
        ("scienceqa", "b. rabbit", "B", 0.0),
        ("scienceqa", "(B)", "B", 0.0),
        ("seed-bench-1", "b", "B", 1.0),
        ("seed-bench-1", "bird", "B", 1.0),  # the first character
        ("seed-bench-1", "(B)", "B", 0.0),
        ("seed-bench-1", "The answer is B", "B", 0.0),
        ("seed-bench-2-plus", "b", "B", 1.0),
        ("seed-bench-2", "b", "B", 0.0),
        ("seed-bench-2", " B. rabbit", "B", 1.0),
    ],
)
def test_lmms_eval_where_little_is_read(benchmark, answer, letter, score):
    assert scores(benchmark, answer, letter)["lmms-eval"] == score


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("(C)", "C"),
        ("b.", "B"),
        ("The correct answer is (B).", "B"),
        ("The answer is A. No, the answer is C", "C"),
        ("I see a cat, so (C)", "C"),
        ("cat", "C"),  # how the text begins, in any case
        ("A rabbit is shown so B", "A"),
        ("rabbit", ""),  # R is none of the four options'
        ("", ""),
    ],
)
def test_blink_in_lmms_eval(answer, letter):
    assert readings.blink_reading(answer, ANIMALS) == letter


def test_blink_knows_the_number_of_options():
    assert readings.blink_reading("cat", ["yes", "no"]) == ""
    assert readings.blink_reading("bird", ["yes", "no"]) == "B"


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("C", "C"),
        ("A cat", "A"),
        ("A cat is there so C", "A"),  # "A" may be an article; "cat" is an option
        ("A thing is there (C).", "C"),
        ("it is C.", "C"),
        ("dog or bird, (C)", "C"),
        ("E", "E"),  # of four options
        ("\\boxed{C}", "C"),
        ("so it is A thing, not a whale", "A"),
        ("no idea", ""),
    ],
)
def test_mmbench_in_lmms_eval_without_its_judge(answer, letter):
    assert readings.mmbench_reading(answer, ANIMALS) == letter


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("(B) is right, (C) is wrong", "B"),
        ("C is wrong. I take B", "C"),  # of each one's last place the first
        ("Option D. Not C. Not D again", "D"),
        ("a. cat is the only one that fits", "A"),  # an option's text with its letter
        ("only the cat is there, I think", ""),
        ("\\boxed{C}", ""),
    ],
)
def test_egoschema_in_lmms_eval(answer, letter):
    assert readings.egoschema_reading(answer, ANIMALS) == letter
