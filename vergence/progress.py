"""Progress of long work: one line that is redrawn on a terminal, a line now and then where there is none."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """Shows a status line, at most every `interval` seconds (a terminal: five times a second)."""

    def __init__(self, stream: TextIO | None = None, *, interval: float = 10.0) -> None:
        self.stream = stream or sys.stderr
        self.live = self.stream.isatty()
        self.interval = 0.2 if self.live else interval
        self._shown = 0.0
        self._width = 0

    def show(self, text: str) -> None:
        """Show `text` if enough time has passed since the last."""
        now = time.monotonic()
        if now - self._shown < self.interval:
            return
        self._shown = now
        if self.live:
            self.stream.write("\r" + text.ljust(self._width))
            self._width = len(text)
        else:
            self.stream.write(text + "\n")
        self.stream.flush()

    def line(self, text: str) -> None:
        """Print a line that stays, below whatever was redrawn before."""
        if self.live and self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self._width = 0
        self.stream.write(text + "\n")
        self.stream.flush()


class Meter:
    """Smoothed loss and speed for the progress line."""

    def __init__(self) -> None:
        self.loss = 0.0
        self.tokens_per_second = 0.0
        self._steps = 0

    def add(self, loss: float, tokens_per_second: float) -> None:
        """Take in one step."""
        self._steps += 1
        weight = max(0.05, 1 / self._steps)
        self.loss += weight * (loss - self.loss)
        self.tokens_per_second += weight * (tokens_per_second - self.tokens_per_second)


def duration(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, second = divmod(int(seconds), 60)
    hour, minute = divmod(minutes, 60)
    return f"{hour}:{minute:02}:{second:02}" if hour else f"{minute}:{second:02}"
