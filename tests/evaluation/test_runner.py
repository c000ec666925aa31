"""The runner on stub tasks and models: nothing is lost, nothing counts twice, and a stop leaves no trace."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vergence.conversation import Conversation, ImagePart, user
from vergence.errors import DataError, UsageError
from vergence.evaluation.records import from_json, read_lines
from vergence.evaluation.results import FILE, read_results, results_table
from vergence.evaluation.runner import Processes, RunSettings, run_tasks
from vergence.evaluation.task import Answer, Measure, Prompt, Record, Sample, Verdict
from vergence.progress import Progress


class Sums:
    """Asks for sums; sample 7 can't be asked, and what isn't a number is invalid."""

    name, version = "sums", 1

    def __init__(self, count: int = 20, wording: str = "{a} + {b} =") -> None:
        self.count, self.wording = count, wording

    def definition(self) -> Mapping[str, Any]:
        return {"wording": self.wording}

    def samples(self) -> Sequence[Sample]:
        picture = ImagePart(Image.new("RGB", (400, 20), "red"))
        return [Sample(f"s/{i}", self.wording.format(a=i, b=i), (picture,), 2 * i) for i in range(self.count)]

    def prompt(self, sample: Sample) -> Prompt:
        if sample.id == "s/7":
            raise DataError("seven.png: no such file")
        return Prompt(Conversation((user(sample.question),)))

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        if not answer.text.isdigit():
            return Verdict({"accuracy": 0.0}, valid=False)
        right = float(int(answer.text) == sample.reference)
        return Verdict({"accuracy": right}, int(answer.text), compat={"lenient": 1.0})

    def aggregate(self, records: Sequence[Record]) -> list[Measure]:
        values = [r.verdict.scores["accuracy"] for r in records if r.verdict]
        return [Measure("accuracy", sum(values) / len(values) if values else None, len(values))]


class Adds:
    """Adds right; stops (as a kill would) after `most` answers. With a temperature it tells its seed."""

    name = "adds"

    def __init__(self, *, batch: int = 4, independent: bool = True, most: int = 10**9, weights: str = "w") -> None:
        self.batch, self.independent, self.most, self.weights = batch, independent, most, weights
        self.asked: list[list[str]] = []

    def description(self) -> Mapping[str, Any]:
        return {"kind": "stub", "weights": self.weights}

    def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
        self.asked.append([prompt.id for prompt in prompts])
        for index in reversed(range(len(prompts))):
            if not self.most:
                raise KeyboardInterrupt
            self.most -= 1
            yield index, self.one(prompts[index])

    def one(self, prompt: Prompt) -> Answer:
        a, _, b, _ = prompt.conversation.messages[0].text.split()
        if prompt.sampling.temperature:
            return Answer(str(prompt.sampling.seed))
        if a == "3":
            return Answer("three \ud800", thought="hm")
        if a == "5":
            return Answer(finish_reason="error", error="out of order")
        return Answer(str(int(a) + int(b)), prompt_tokens=int(a))


def quiet() -> Progress:
    return Progress(io.StringIO(), interval=1e9)


def run(model: Any, folder: Path, *tasks: Any, **settings: Any) -> dict[str, Any]:
    return run_tasks(model, tasks or [Sums()], folder, RunSettings(**settings), progress=quiet())


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_everything_is_counted_once_and_nothing_is_guessed(tmp_path):
    results = run(Adds(), tmp_path)
    task = results["tasks"]["sums"]
    assert (task["n"], task["errors"], task["invalid"]) == (18, 2, 1)
    assert task["measures"][0] == {
        "metric": "accuracy", "value": 17 / 18, "n": 18, "group": "", "low": None, "high": None, "stderr": None,
    }  # fmt: skip
    assert task["compat"] == [{**task["measures"][0], "metric": "lenient", "value": 1.0, "n": 17}]
    assert task["problems"] == [
        "out of order (1 sample, first s/5)",
        "seven.png: no such file (1 sample, first s/7)",
    ]
    assert results == read_results(tmp_path)
    lines = list(read_lines(tmp_path / "sums.jsonl"))
    assert [line["id"] for line in lines] == [sample.id for sample in Sums().samples()]
    known = {sample.id: sample for sample in Sums().samples()}
    records = [from_json(line, known[line["id"]]) for line in lines]
    assert records[3].answer == Answer("three \ud800", thought="hm")
    assert records[4].verdict == Verdict({"accuracy": 1.0}, 8, compat={"lenient": 1.0})
    assert records[7].verdict is None
    assert not (tmp_path / "parts").exists()
    assert results_table(results).splitlines()[2].split()[:3] == ["sums", "accuracy", "94.4%"]


@pytest.mark.parametrize("independent", [True, False])
@pytest.mark.parametrize("batch", [1, 3, 64])
def test_a_stop_after_any_answer_leaves_no_trace(tmp_path, independent, batch):
    whole = tmp_path / "whole"
    run(Adds(batch=batch, independent=independent), whole)
    for most in range(0, 19, 2):
        folder = tmp_path / str(most)
        with pytest.raises(KeyboardInterrupt):
            run(Adds(batch=batch, independent=independent, most=most), folder)
        model = Adds(batch=batch, independent=independent)
        run(model, folder)
        assert contents(folder) == contents(whole)
        if independent:  # only an error is asked again
            asked = [name for batch in model.asked for name in batch]
            assert len(asked) <= 19 - most + 1


def test_a_torn_line_is_asked_again(tmp_path):
    run(Adds(), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(Adds(most=9), tmp_path / "torn")
    part = tmp_path / "torn" / "parts" / "sums.0.jsonl"
    part.write_bytes(part.read_bytes()[:-20])
    run(Adds(), tmp_path / "torn")
    assert contents(tmp_path / "torn") == contents(tmp_path / "whole")


def test_a_broken_line_in_the_middle_is_named(tmp_path):
    run(Adds(), tmp_path)
    path = tmp_path / "sums.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"run"', b'{run"', 1))
    results = run(Adds(), tmp_path)
    assert "sums.jsonl:1: not a record" in results["tasks"]["sums"]["problems"][0]


def test_an_answered_question_is_not_asked_again_and_a_failed_one_is(tmp_path):
    run(Adds(), tmp_path)
    again = Adds()
    run(again, tmp_path)
    assert [name for batch in again.asked for name in batch] == ["s/5"]


def test_more_samples_and_more_repeats_go_on_from_what_is_there(tmp_path):
    whole, model = tmp_path / "whole", Adds(independent=False)
    run(Adds(independent=False), whole, limit=12, repeats=2, temperature=1.0)
    run(Adds(independent=False), tmp_path / "grown", limit=8, temperature=1.0)
    run(model, tmp_path / "grown", limit=12, repeats=2, temperature=1.0)
    assert contents(tmp_path / "grown") == contents(whole)
    lines = list(read_lines(whole / "sums.jsonl"))
    assert len({line["answer"] for line in lines if line["error"] is None}) == 22  # each with a seed of its own


def test_a_lower_limit_loses_nothing(tmp_path):
    run(Adds(), tmp_path / "short", limit=6)
    run(Adds(), tmp_path / "run", limit=12, repeats=2)
    whole = contents(tmp_path / "run")
    model = Adds()
    assert run(model, tmp_path / "run", limit=6)["tasks"]["sums"]["n"] == 5
    assert model.asked == [["s/5"]]  # which fails each time
    short = contents(tmp_path / "run")
    assert short["sums.jsonl"] == contents(tmp_path / "short")["sums.jsonl"]
    assert short["parts/sums.beyond.jsonl"].count(b"\n") == 18
    run(model, tmp_path / "run", limit=12, repeats=2)
    assert contents(tmp_path / "run") == whole
    assert {name for batch in model.asked for name in batch} == {"s/5"}


def test_an_answer_counts_more_than_an_earlier_error_of_another_process(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run(Adds(batch=20, most=17), tmp_path)  # s/5 has failed
    part = tmp_path / "parts" / "sums.0.jsonl"
    part.rename(part.with_name("sums.10.jsonl"))

    class Repaired(Adds):
        def one(self, prompt: Prompt) -> Answer:
            return Answer("10") if prompt.id == "s/5" else super().one(prompt)

    assert run(Repaired(), tmp_path)["tasks"]["sums"]["problems"] == ["seven.png: no such file (1 sample, first s/7)"]


def test_a_part_of_a_task_with_a_longer_name_is_not_its_own(tmp_path):
    class Dotted(Sums):
        name = "sums.2"

    with pytest.raises(KeyboardInterrupt):
        run(Adds(most=3), tmp_path, Dotted())
    assert run(Adds(), tmp_path)["tasks"]["sums"]["n"] == 18
    assert (tmp_path / "parts" / "sums.2.0.jsonl").exists()


def test_a_process_that_answers_nothing_is_noticed(tmp_path):
    class Alone(Processes):
        __slots__ = ()

        def wait(self) -> None:
            pass

    results = run_tasks(Adds(), [Sums()], tmp_path, RunSettings(), processes=Alone(0, 2), progress=quiet())
    (problem,) = results["tasks"]["sums"]["problems"]
    assert problem.startswith("not evaluated: 8 of 20 questions have no answer, another process has stopped before")
    assert run(Adds(), tmp_path)["tasks"]["sums"]["n"] == 18


def test_two_tasks_of_one_name_are_refused(tmp_path):
    class Other(Sums):
        name = "su:ms"

    class Same(Sums):
        name = "su-ms"

    with pytest.raises(UsageError, match="2 tasks are called sums; give them names"):
        run(Adds(), tmp_path / "x", Sums(), Sums(3))
    with pytest.raises(UsageError, match="2 tasks are called su:ms, su-ms; give"):
        run(Adds(), tmp_path / "x", Other(), Same())
    assert not (tmp_path / "x").exists()


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "inner"):
        with pytest.raises(UsageError, match="a file stands where the run's folder should be"):
            run(Adds(), folder)


class Faulty(Sums):
    """Raises, or gives what is no verdict, for some samples."""

    def prompt(self, sample: Sample) -> Prompt:
        if sample.id == "s/0":
            raise KeyError("column")
        return super().prompt(sample)

    def score(self, sample: Sample, answer: Answer) -> Verdict:
        if sample.id == "s/1":
            raise ZeroDivisionError("division by zero")
        if sample.id == "s/2":
            return None  # type: ignore[return-value]
        if sample.id == "s/4":
            return Verdict({"accuracy": float("nan")})
        if sample.id == "s/6":
            return Verdict({"accuracy": np.float32(1)}, np.array([1.0, np.nan]))  # type: ignore[dict-item]
        return super().score(sample, answer)


def test_a_fault_in_a_task_costs_one_sample(tmp_path):
    task = run(Adds(), tmp_path, Faulty(10))["tasks"]["sums"]
    assert (task["n"], task["errors"]) == (4, 6)
    here = r" \(test_runner\.py:\d+\) \(1 sample, first s/"
    for said in (
        rf"can't be asked: KeyError: 'column'{here}0\)",
        rf"can't be scored: ZeroDivisionError: division by zero{here}1\)",
        r"can't be scored: the task gave NoneType instead of a verdict \(1 sample, first s/2\)",
        r"can't be scored: accuracy is nan, no finite number \(1 sample, first s/4\)",
    ):
        assert any(re.fullmatch(said, problem) for problem in task["problems"]), (said, task["problems"])
    line = list(read_lines(tmp_path / "sums.jsonl"))[6]
    assert (line["scores"], line["extracted"]) == ({"accuracy": 1.0}, [1.0, "nan"])


def test_a_fault_in_a_measure_costs_one_task(tmp_path):
    class Unmeasured(Sums):
        name = "unmeasured"

        def aggregate(self, records: Sequence[Record]) -> list[Measure]:
            raise RuntimeError("no mean\nof these")

    results = run(Adds(), tmp_path, Unmeasured(3), Sums(3))
    assert results["tasks"]["sums"]["n"] == 3
    (problem,) = results["tasks"]["unmeasured"]["problems"]
    assert problem.startswith(
        "not evaluated: its 3 answers, which are kept, can't be measured: RuntimeError: no mean of"
    )
    assert len(list(read_lines(tmp_path / "unmeasured.jsonl"))) == 3


def test_errors_that_differ_in_the_sample_alone_are_one_line(tmp_path):
    class Late(Sums):
        def score(self, sample: Sample, answer: Answer) -> Verdict:
            raise DataError(f"{sample.id}: the judge is late" if sample.id < "s/2" else f"fault {sample.id}")

    problems = run(Adds(), tmp_path, Late(26))["tasks"]["sums"]["problems"]
    assert problems[0] == "can't be scored: the judge is late (12 samples, first s/0)"
    assert len(problems) == 15
    assert len(run(Adds(), tmp_path / "more", Late(40))["tasks"]["sums"]["problems"]) == 21
    assert read_results(tmp_path / "more")["tasks"]["sums"]["problems"][-1] == "9 more kinds of errors (9 samples)"


def test_results_of_two_processes_with_different_tasks_are_both_kept(tmp_path):
    class Named(Sums):
        def __init__(self, name: str) -> None:
            super().__init__(1)
            self.name = name

    def some(prefix: str) -> None:
        run(Adds(), tmp_path, *(Named(f"{prefix}{number}") for number in range(12)))

    threads = [threading.Thread(target=some, args=(prefix,)) for prefix in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(read_results(tmp_path)["tasks"]) == sorted(f"{p}{n}" for p in "ab" for n in range(12))


def test_ids_and_tags_may_hold_anything(tmp_path):
    class Odd(Sums):
        def samples(self) -> Sequence[Sample]:
            return [replace(sample, id=f"\ud800{sample.id}\n") for sample in super().samples()]

        def prompt(self, sample: Sample) -> Prompt:
            raise DataError(f"no {sample.id}")

    assert "\ud800" in run(Adds(), tmp_path, Odd(1))["tasks"]["sums"]["problems"][0]


def test_progress_is_told_once_a_batch_and_by_each_process_of_its_own_share(tmp_path):
    shown: list[str] = []

    class Shows(Progress):
        def show(self, text: str) -> None:
            shown.append(text.split("  ")[0])

    run_tasks(Adds(batch=8, independent=False), [Sums()], tmp_path, RunSettings(), progress=Shows(io.StringIO()))
    assert shown == ["sums 8/20", "sums 16/20", "sums 20/20"]
    shown.clear()
    model, second = Adds(batch=8, independent=False), Interrupted(1, 2)
    whole = {"processes": second, "progress": Shows(io.StringIO())}
    with pytest.raises(threading.BrokenBarrierError):
        run_tasks(model, [Sums()], tmp_path / "x", RunSettings(), **whole)
    assert shown == ["sums, process 2 of 2, 8/8"]


class Interrupted(Processes):
    """Ends where processes would wait for one another."""

    __slots__ = ()

    def wait(self) -> None:
        raise threading.BrokenBarrierError


def test_a_stop_does_not_wait_for_what_is_being_scored(tmp_path):
    stopped = threading.Event()

    class Judged(Sums):
        scoring_threads = 2

        def score(self, sample: Sample, answer: Answer) -> Verdict:
            assert stopped.wait(timeout=30), "nobody has said that it is over"
            raise DataError("stopped")

        def stop(self) -> None:
            stopped.set()

    with pytest.raises(KeyboardInterrupt):
        run(Adds(most=3), tmp_path, Judged())


def test_two_processes_give_the_files_of_one(tmp_path):
    run(Adds(), tmp_path / "one")
    threads = []
    barrier = threading.Barrier(2)

    class Two(Processes):
        __slots__ = ()

        def wait(self) -> None:
            barrier.wait(timeout=20)

    for rank in (1, 0):
        arguments = (Adds(), [Sums()], tmp_path / "two", RunSettings())
        options = {"processes": Two(rank, 2), "progress": quiet()}
        threads.append(threading.Thread(target=run_tasks, args=arguments, kwargs=options))
        threads[-1].start()
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert contents(tmp_path / "two") == contents(tmp_path / "one")


def test_a_stop_may_be_followed_by_another_number_of_processes(tmp_path):
    run(Adds(), tmp_path / "whole")
    for rank in range(3):  # three processes are killed after two answers each, before any of them is through
        with pytest.raises(KeyboardInterrupt):
            run_tasks(
                Adds(most=2, batch=2), [Sums()], tmp_path / "x", RunSettings(), processes=Processes(rank, 3),
                progress=quiet(),
            )  # fmt: skip
    assert len(list((tmp_path / "x" / "parts").iterdir())) == 3
    run(Adds(), tmp_path / "x")
    assert contents(tmp_path / "x") == contents(tmp_path / "whole")


def test_answers_of_something_else_are_refused(tmp_path):
    run(Adds(), tmp_path)
    with pytest.raises(UsageError, match="results of another model"):
        run(Adds(weights="other"), tmp_path)
    with pytest.raises(UsageError, match=r"sums\.jsonl: holds answers of sums .* another version of the task"):
        run(Adds(), tmp_path, Sums(wording="{a} + {b} ="[:-1] + "?"))
    with pytest.raises(UsageError, match="other settings"):
        run(Adds(), tmp_path, max_tokens=3)


def test_a_task_without_data_is_reported_and_the_next_one_runs(tmp_path):
    class Gone(Sums):
        name = "gone"

        def samples(self) -> Sequence[Sample]:
            raise DataError("data not found at nowhere")

    class Twice(Sums):
        name = "twice"

        def samples(self) -> Sequence[Sample]:
            return [replace(sample, id="same") for sample in super().samples()]

    results = run(Adds(), tmp_path, Gone(), Twice(), Sums(2))
    assert results["tasks"]["gone"]["problems"] == ["not evaluated: data not found at nowhere"]
    assert results["tasks"]["twice"]["problems"] == ["not evaluated: 1 ids stand for several samples: same"]
    assert results["tasks"]["sums"]["n"] == 2
    table = results_table(results)
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    assert rows["task"][-2:] == ["errors", "lenient"], "what another rule gives the same answers"
    assert rows["gone"] == ["-", "not", "evaluated", "-", "0", "0", "0", "-"]
    assert rows["sums"][-1] == "100.0%"


def test_an_unanswered_prompt_is_an_error(tmp_path):
    class Silent(Adds):
        def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
            yield from list(super().answer(prompts))[1:]

    results = run(Silent(batch=2), tmp_path, Sums(4))
    assert (results["tasks"]["sums"]["n"], results["tasks"]["sums"]["errors"]) == (2, 2)
    assert "the model gave no answer (2 samples" in results["tasks"]["sums"]["problems"][0]


def test_scoring_may_wait_in_threads(tmp_path):
    both = threading.Barrier(2)

    class Judged(Sums):
        scoring_threads = 2

        def score(self, sample: Sample, answer: Answer) -> Verdict:
            if sample.id in ("s/0", "s/1"):
                both.wait(timeout=20)  # only passes if two are scored at the same time
            return super().score(sample, answer)

    run(Adds(), tmp_path / "plain")
    run(Adds(), tmp_path / "judged", Judged())
    assert contents(tmp_path / "judged") == contents(tmp_path / "plain")


def test_small_pictures_are_kept_of_the_first_samples(tmp_path):
    run(Adds(), tmp_path, keep_media=3)
    lines = list(read_lines(tmp_path / "sums.jsonl"))
    shown = [line["media"][0]["thumbnail"] for line in lines]
    assert all(shown[:3])
    assert not any(shown[3:])
    assert (lines[0]["media"][0]["width"], lines[0]["media"][0]["height"]) == (400, 20)
    kept = Image.open(tmp_path / shown[0])
    assert kept.size == (320, 16)
    assert len(list((tmp_path / "media" / "sums").iterdir())) == 3


def test_a_folder_in_use_is_refused(tmp_path):
    class Nested(Adds):
        def answer(self, prompts: Sequence[Prompt]) -> Iterator[tuple[int, Answer]]:
            with pytest.raises(UsageError, match="another process is writing"):
                run(Adds(), tmp_path)
            return super().answer(prompts)

    run(Nested(batch=64), tmp_path)


@pytest.mark.parametrize("kills", [5])
def test_killed_at_random_the_files_are_those_of_an_unbroken_run(small_run, tmp_path, kills):
    """The command itself, on a real checkpoint, with SIGKILL while it answers."""
    command = [sys.executable, "-m", "vergence", "eval", str(small_run), "--task", "digit,colour", "--limit", "24"]
    options = ["--batch", "4", "--output"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, *options, str(tmp_path / "whole")], check=True, capture_output=True, env=environment)
    folder = tmp_path / "broken"
    for number in range(kills):
        process = subprocess.Popen([*command, *options, str(folder)], stderr=subprocess.DEVNULL, env=environment)
        wanted = 1 + 7 * number  # stop when about so many more lines are there
        while process.poll() is None and lines_in(folder) < wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, *options, str(folder)], check=True, capture_output=True, env=environment)
    assert contents(folder) == contents(tmp_path / "whole")
    results = json.loads((folder / FILE).read_text())
    assert [task["n"] for task in results["tasks"].values()] == [24] * 4


def lines_in(folder: Path) -> int:
    try:
        return sum(path.read_bytes().count(b"\n") for path in folder.rglob("*.jsonl"))
    except FileNotFoundError:  # the run gathers its parts, and their folder goes, while it is looked through
        return 0
