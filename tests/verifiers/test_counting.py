"""Reading a count, and the errors of counts."""

from __future__ import annotations

import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vergence.verifiers.counting import count_errors, exact_count, read_count


@given(
    st.integers(0, 9_999),
    st.sampled_from(["{}", "{}.", "There are {} of them.", "**{}**", "图中有{}个", "Answer: {}", "\\boxed{{{}}}"]),
)
def test_a_single_number_is_the_count(number, form):
    assert read_count(form.format(number)) == number
    assert exact_count(form.format(number), number) is True
    assert exact_count(form.format(number), number + 1) is False


@pytest.mark.parametrize(
    ("answer", "count"),
    [
        ("three", 3),
        ("There are three apples.", 3),
        ("twenty-one", 21),
        ("one hundred and five", 105),
        ("a thousand", 1000),
        ("a dozen", 12),
        ("1,024", 1024),
        ("3.0", 3),
        ("３", 3),
        ("图中有十二只羊", 12),
        ("三", 3),
        ("none", 0),
        ("There are no birds in it.", 0),
        ("没有", 0),
        ("There is one on the left", 1),
        ("one", 1),
        # the result of an account stands last
        ("2 on the left and 3 on the right, so 5", 5),
        ("I see 4, no, 5 dogs", 5),
        # unless something is marked as the answer
        ("Answer: 7 (3 red and 4 blue)", 7),
        ("<answer>7</answer> because 3 + 4", 7),
        ("The total is 9: 4 here and 5 there", 9),
        ("In total, there are 6 dogs, 2 of them brown", 6),
        ("总共5个，其中3个红", 5),
        ("\\boxed{2} and then \\boxed{3}", 3),
        # "one" may be a pronoun
        ("There are three apples and the red one is big", 3),
        ("There are 3 feet", 3),
        ("Answer: one (of 3)", 1),
        ("one or two of them: answer 2", 2),
    ],
)
def test_counts(answer, count):
    assert read_count(answer) == count


@pytest.mark.parametrize(
    "answer",
    ["", "many", "No", "one or two", "3 or 4",
     "3-4", "between 3 and 4", "two to three", "2.5", "-3", "3 m", "100%", "the red one",
    "2nd",
     "三四个", "a few", "dozens", "this one"],
)  # fmt: skip
def test_no_count_is_read_rather_than_guessed(answer):
    assert read_count(answer) is None
    assert exact_count(answer, 3) is None


def test_the_rule_for_several_numbers():
    answer = "There are 3 apples on 2 plates"
    assert [read_count(answer, rule) for rule in ("first", "last", "only")] == [3, 2, None]
    assert read_count("3 apples, yes, 3", "only") == 3


@given(st.lists(st.tuples(st.integers(0, 50) | st.none(), st.integers(0, 50)), max_size=20))
def test_count_errors(pairs):
    predicted, expected = [p for p, _ in pairs], [e for _, e in pairs]
    found = count_errors(predicted, expected)
    assert (found.n, found.invalid) == (len(pairs), predicted.count(None))
    if not pairs:
        assert found.mae is None
        assert found.rmse is None
        return
    errors = [abs((p or 0) - e) for p, e in pairs]
    assert found.mae == pytest.approx(sum(errors) / len(errors))
    assert found.rmse == pytest.approx(math.sqrt(sum(error**2 for error in errors) / len(errors)))
    assert found.rmse >= found.mae - 1e-9
    readable = [abs(p - e) for p, e in pairs if p is not None]
    assert found.readable_mae == (pytest.approx(sum(readable) / len(readable)) if readable else None)


def test_counts_of_different_numbers_of_pictures():
    with pytest.raises(ValueError, match="zip"):
        count_errors([1], [1, 2])


@pytest.mark.parametrize("text", ["answer is " * 5_000, "3 or " * 10_000, "the one " * 5_000])
def test_repetitions_take_no_time(text):
    started = time.process_time()
    read_count(text)
    assert time.process_time() - started < 2
