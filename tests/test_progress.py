"""Progress: one line that is redrawn on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import io

import pytest

from vergence import progress
from vergence.progress import Progress, duration


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (9.99, "0:09"),
        (61, "1:01"),
        (3599, "59:59"),
        (3600, "1:00:00"),
        (36_061, "10:01:01"),
        (90_000, "25:00:00"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_log_gets_a_line_now_and_then(clock):
    stream = io.StringIO()
    shown = Progress(stream, interval=10)
    for second in range(25):
        clock[0] = 1000.0 + second
        shown.show(f"step {second}")
    assert stream.getvalue() == "step 0\nstep 10\nstep 20\n"
    shown.line("done")
    assert stream.getvalue().endswith("step 20\ndone\n")


def test_a_terminal_gets_one_line_that_is_redrawn(clock):
    stream = Terminal()
    shown = Progress(stream)
    shown.show("a long line")
    clock[0] += 0.1
    shown.show("too early")
    clock[0] += 0.2
    shown.show("short")
    assert stream.getvalue() == "\ra long line\rshort      "


def test_what_stays_is_not_mixed_with_what_was_redrawn(clock):
    stream = Terminal()
    shown = Progress(stream)
    shown.line("first")
    shown.show("status")
    shown.line("it")
    shown.line("last")
    assert stream.getvalue() == "first\n\rstatus\r      \rit\nlast\n"


def test_it_writes_to_standard_error(capsys):
    Progress().line("hello")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "hello\n")
