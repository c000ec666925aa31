"""Packed rows of a mixture, in a deterministic global order, from any number of workers and ranks.

The order is cut into `lanes`: lane `l` packs the positions `l, l + lanes, l + 2 lanes, ...` by itself, and row `b` of
the whole run comes from lane `b mod lanes`. A lane belongs to one worker of one rank, so no sample is drawn twice,
and the rows are the same however many workers and ranks share them. The state (per lane: how far it is, and which
samples wait in its open rows) rides on the row that it belongs to, so reading ahead can't put it out of step.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Generator, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from vergence.data.mixture import Mixture, MixtureEndError
from vergence.data.packing import BestFitPacker, Row
from vergence.errors import DataError, UsageError
from vergence.inputs import ModelInputs, PackedBatch, pack
from vergence.processing.processor import Learn, Processor

MAX_SKIPPED = 1000  # unusable samples in a row after which a lane gives up


@dataclass(frozen=True)
class LaneState:
    """How many positions of its own a lane has read, and the positions that wait in its open rows."""

    read: int = 0
    open: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class LoadedRow:
    """A packed row with the positions it holds, the lane's state after it, and what was skipped on the way."""

    batch: PackedBatch
    positions: tuple[int, ...]
    index: int
    lane: int
    state: LaneState
    skipped: tuple[str, ...] = ()
    given: tuple[tuple[int, int], ...] = ()
    """For each sample of the row the entry of the mixture that gave it, and its tokens."""


class Given(NamedTuple):
    """What an entry of a mixture has given to training."""

    samples: int
    tokens: int


@dataclass
class LoaderState:
    """What a checkpoint keeps of the data: the next row of the global order, every lane's state, and the account.

    `account` says for each entry of the mixture how many samples and tokens of it were trained on.
    """

    next_row: int = 0
    lanes: dict[int, LaneState] = field(default_factory=dict)
    account: dict[int, Given] = field(default_factory=dict)

    def after(self, row: LoadedRow) -> None:
        """Move past a row that was trained on; rows are given in the global order."""
        self.next_row = row.index + 1
        self.lanes[row.lane] = row.state
        for entry, tokens in row.given:
            samples, before = self.account.get(entry, Given(0, 0))
            self.account[entry] = Given(samples + 1, before + tokens)

    def to_json(self) -> dict[str, Any]:
        """Plain data; `from_json` reads it back."""
        return {
            "next_row": self.next_row,
            "lanes": {str(lane): asdict(state) for lane, state in sorted(self.lanes.items())},
            "account": {str(entry): list(given) for entry, given in sorted(self.account.items())},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> LoaderState:
        """The state that `to_json` wrote."""
        lanes = {
            int(lane): LaneState(state["read"], tuple(tuple(row) for row in state["open"]))
            for lane, state in data["lanes"].items()
        }
        account = {int(entry): Given(*given) for entry, given in data.get("account", {}).items()}
        return cls(data["next_row"], lanes, account)


@dataclass(frozen=True)
class RowSettings:
    """How rows are made: their budget in tokens, the lanes, the rows a lane keeps open, and what is learned."""

    row_tokens: int
    lanes: int = 8
    open_rows: int = 8
    learn: Learn = "answers"


class Lane:
    """One packer over every `lanes`-th position of the mixture."""

    def __init__(
        self, lane: int, mixture: Mixture, processor: Processor, settings: RowSettings, state: LaneState
    ) -> None:
        self.lane, self.mixture, self.processor, self.settings = lane, mixture, processor, settings
        self.read = state.read
        self.packer: BestFitPacker[tuple[int, ModelInputs]] = BestFitPacker(settings.row_tokens, settings.open_rows)
        for positions in state.open:
            items = [(position, self._sample(position)) for position in positions]
            self.packer.rows.append(Row(items, [len(sample) for _, sample in items]))

    def _sample(self, position: int) -> ModelInputs:
        conversation = self.mixture.conversation(position)
        try:
            sample = self.processor(conversation, learn=self.settings.learn)
        except DataError as error:  # which knows the name of a file, but not whose picture some bytes are
            raise DataError(f"{self.mixture.name(position)}: {error}") from None
        longest = min(self.settings.row_tokens, self.processor.config.language.context)
        if len(sample) > longest:
            name = self.mixture.name(position)
            raise DataError(f"{name}: {len(sample)} tokens, more than the {longest} that fit; dropped whole")
        return sample

    def next_row(self) -> tuple[Row[tuple[int, ModelInputs]], list[str]]:
        """Read samples until a row is finished; returns it with what had to be skipped."""
        skipped: list[str] = []
        unusable = 0
        while True:
            position = self.lane + self.read * self.settings.lanes
            self.read += 1
            try:
                sample = self._sample(position)
            except MixtureEndError:
                raise
            except DataError as error:
                skipped.append(str(error))
                unusable += 1
                if unusable >= MAX_SKIPPED:
                    raise DataError(f"{MAX_SKIPPED} samples in a row are unusable; the last: {error}") from None
                continue
            unusable = 0
            row = self.packer.add((position, sample), len(sample))
            if row is not None:
                return row, skipped

    def state(self) -> LaneState:
        """The state from which another lane object goes on exactly."""
        return LaneState(self.read, tuple(tuple(p for p, _ in row.items) for row in self.packer.rows))


class _Rows(IterableDataset[LoadedRow | DataError]):
    """The rows of one worker. An error travels as the last item, since one that is raised in a worker would reach the
    user with the worker's whole traceback for its text."""

    def __init__(
        self, mixture: Mixture, processor: Processor, settings: RowSettings, state: LoaderState, rank: int, ranks: int
    ) -> None:
        self.mixture, self.processor, self.settings = mixture, processor, settings
        # A copy: the caller goes on to change its own while lanes here start one after the other.
        self.state, self.rank, self.ranks = LoaderState(state.next_row, dict(state.lanes)), rank, ranks

    def __iter__(self) -> Iterator[LoadedRow | DataError]:
        try:
            yield from self._rows()
        except DataError as error:
            yield error

    def _rows(self) -> Iterator[LoadedRow]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        if info:
            torch.set_num_threads(1)
        lanes: dict[int, Lane] = {}
        index = self.state.next_row + self.rank + self.ranks * worker
        while True:
            number = index % self.settings.lanes
            if number not in lanes:
                start = self.state.lanes.get(number, LaneState())
                lanes[number] = Lane(number, self.mixture, self.processor, self.settings, start)
            row, skipped = lanes[number].next_row()
            # Equal lengths side by side: one attention call serves the neighbours.
            items = sorted(row.items, key=lambda item: len(item[1]))
            yield LoadedRow(
                batch=pack([sample for _, sample in items]),
                positions=tuple(position for position, _ in items),
                index=index,
                lane=number,
                state=lanes[number].state(),
                skipped=tuple(skipped),
                given=tuple((self.mixture.place(position)[0], len(sample)) for position, sample in items),
            )
            index += self.ranks * workers


def load_rows(
    mixture: Mixture,
    processor: Processor,
    settings: RowSettings,
    *,
    state: LoaderState | None = None,
    workers: int = 0,
    rank: int = 0,
    ranks: int = 1,
) -> Generator[LoadedRow, None, None]:
    """The endless rows of one rank, from `state` on; `close()` ends its workers.

    Raises `UsageError` where ranks x workers doesn't divide lanes.
    """
    shares = ranks * max(workers, 1)
    if settings.lanes % shares:
        raise UsageError(f"loader.lanes {settings.lanes} must be a multiple of ranks x workers = {ranks} x {workers}")
    rows = _Rows(mixture, processor, settings, state or LoaderState(), rank, ranks)
    extra: dict[str, Any] = {"prefetch_factor": 4, "worker_init_fn": _end_with_the_run} if workers else {}
    return _raising(iter(DataLoader(rows, batch_size=None, num_workers=workers, **extra)))


def _end_with_the_run(_: int) -> None:
    """Let a worker end as soon as the process that started it does, even if that one is killed this very moment.

    torch's workers look at times whether their parent is still the one they had when they were ready: one whose parent
    is killed before that takes the process that inherits it for its parent, and stays for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _raising(items: Iterator[LoadedRow | DataError]) -> Generator[LoadedRow, None, None]:
    try:
        for item in items:
            if isinstance(item, DataError):
                raise item
            yield item
    finally:
        del items  # the workers end with the rows, not when somebody forgets an error's traceback
