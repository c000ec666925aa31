"""Shards made by several processes of this machine, or by Ray's: who makes what makes no difference to the bytes."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from vergence.data.make import Plan, make_shard
from vergence.errors import UsageError, VergenceError
from vergence.progress import duration

Show = Callable[[str], None]

_counters: Any = None


def make_here(planned: Plan, output: Path, shards: list[int], *, jobs: int, show: Show) -> None:
    """Make shards in `jobs` processes (1: in this one). Raises what the first shard that failed raised."""
    begun = time.monotonic()
    total = sum(_size(planned, shard) for shard in shards)
    if jobs == 1 or len(shards) == 1:
        before = 0

        def tell(done: int) -> None:
            show(_line(before + done, total, begun))

        for shard in shards:
            make_shard(planned, output, shard, tell)
            before += _size(planned, shard)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy whatever threads the caller has
    counters = context.Array("q", len(shards))
    with ProcessPoolExecutor(
        min(jobs, len(shards)), context, initializer=_start, initargs=(counters, os.getpid())
    ) as pool:
        waiting: set[Future[None]] = {
            pool.submit(_make, planned, output, shard, place) for place, shard in enumerate(shards)
        }
        while waiting:
            done, waiting = wait(waiting, timeout=0.5, return_when=FIRST_COMPLETED)
            show(_line(sum(counters[:]), total, begun))
            for future in done:
                _raise(future, pool)


def _raise(future: Future[None], pool: ProcessPoolExecutor) -> None:
    try:
        future.result()
    except BrokenProcessPool:
        raise VergenceError("a process that made a shard was killed; the same command goes on") from None
    except BaseException:
        pool.shutdown(cancel_futures=True)
        raise


def _start(counters: Any, parent: int) -> None:
    global _counters
    _counters = counters
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()


def _die_with(parent: int) -> None:
    """A pool's processes outlive a parent that was killed, and would go on writing beside its successor's."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _make(planned: Plan, output: Path, shard: int, place: int) -> None:
    def tell(done: int) -> None:
        _counters[place] = done

    make_shard(planned, output, shard, tell)


def make_on_ray(planned: Plan, output: Path, shards: list[int], *, show: Show) -> None:
    """Make shards as Ray tasks, on the cluster that RAY_ADDRESS names or on this machine; `output` is shared by all.

    Raises `UsageError` without ray.
    """
    try:
        import ray  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        raise UsageError("--on ray needs Ray: pip install 'vergence[ray]'") from None
    begun = time.monotonic()
    total = sum(_size(planned, shard) for shard in shards)
    ours = not ray.is_initialized()
    if ours:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        task = ray.remote(make_shard)
        waiting = {task.remote(planned, output.resolve(), shard): shard for shard in shards}
        finished = 0
        while waiting:
            done, _ = ray.wait(list(waiting), timeout=1.0)
            for reference in done:
                finished += _size(planned, waiting.pop(reference))
                try:
                    ray.get(reference)
                except ray.exceptions.RayTaskError as error:
                    raise error.cause if isinstance(error.cause, VergenceError) else error from None
            show(_line(finished, total, begun))
    finally:
        if ours:
            ray.shutdown()


def _size(planned: Plan, shard: int) -> int:
    return min(planned.count - shard * planned.shard_samples, planned.shard_samples)


def _line(done: int, total: int, begun: float) -> str:
    seconds = max(time.monotonic() - begun, 1e-9)
    left = f", {duration((total - done) * seconds / done)} left" if done else ""
    return f"{done:,} of {total:,} samples, {done / seconds:.1f} a second{left}"
