"""Run what may hang or crash in worker processes, bounded in time and memory.

```
pool = Pool(workers=2)
pool.call(function, (1, 2), seconds=5.0)   # function's result, its exception, TimeoutError or WorkerCrashed
```

A worker is a fresh Python interpreter at the other end of a socket. It is kept for the next call, so that a call costs
one round trip (some 0.1 ms); one that exceeds its time is killed, together with what it started, and replaced when the
next call needs it. Nothing here uses signals or alarms, so calls may come from any thread.

A worker whose parent is gone sees its socket close and ends; should it be in an endless loop just then, its limit on
processor time, set anew for each call, ends it.
"""

from __future__ import annotations

import atexit
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

Result = TypeVar("Result")

START_SECONDS = 120.0
"""How long a worker may take to start and to import what a call needs; this doesn't count towards the call's time."""

MEMORY_BYTES = 4 * 2**30
"""Address space of a worker, where the system enforces it (Linux): `MemoryError` instead of an exhausted machine."""

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from vergence.verifiers.pool import _serve; _serve(int(sys.argv[2]), int(sys.argv[3]))"
)


class WorkerCrashed(RuntimeError):  # noqa: N818 - what happened, not whose fault it is
    """The worker process ended before it had an answer."""


class Pool:
    """Up to `workers` processes, started when needed; safe to use from many threads, and in a forked child."""

    def __init__(
        self, workers: int = 1, *, memory: int = MEMORY_BYTES, prepare: Callable[[], object] | None = None
    ) -> None:
        """Nothing is started yet. `memory` bounds each worker's address space in bytes; 0 leaves it unbounded.

        Each worker calls `prepare` once, before its first call and outside of that call's time, to import what is slow
        to import. What it raises, the calls raise.
        """
        if workers < 1:
            raise ValueError(f"a pool needs at least one worker, got {workers}")
        self._memory, self._size, self._prepare = memory, workers, prepare
        self._reset()
        _POOLS.add(self)

    def _reset(self) -> None:
        self._places = threading.BoundedSemaphore(self._size)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()

    def call(self, function: Callable[..., Result], args: tuple[Any, ...] = (), seconds: float = 5.0) -> Result:
        """`function(*args)`, computed by a worker; waits for a free one if all are busy.

        `function` must be importable by its module and name, and `args` and the result must be picklable. Raises what
        the function raises; `TimeoutError` if it takes more than `seconds` (waiting for a worker and imports excluded);
        `WorkerCrashed` if its process ends; `ValueError` for a function that a worker can't import.
        """
        if function.__module__ == "__main__" or "<" in function.__qualname__:
            raise ValueError(f"{function.__module__}.{function.__qualname__} can't be imported by a worker")
        request = pickle.dumps((self._prepare, function, args))
        with self._places:
            worker = self._take()
            try:
                try:
                    failure = worker.begin(request, seconds)
                except (EOFError, OSError):
                    # It may have ended while it was idle; what ends a new one too is the call's own fault.
                    self._release(worker, usable=False)
                    worker = self._take(new=True)
                    failure = worker.begin(request, seconds)
                good, value = failure or worker.finish(seconds)
            except TimeoutError:
                self._release(worker, usable=False)
                raise TimeoutError(f"{function.__qualname__} took more than {seconds:g} s") from None
            except (EOFError, OSError):
                self._release(worker, usable=False)
                raise WorkerCrashed(f"the worker ended in {function.__qualname__}") from None
            except BaseException:
                self._release(worker, usable=False)  # its next answer would be to this question
                raise
            self._release(worker, usable=True)
        if good:
            return value
        raise value

    def close(self) -> None:
        """Ends every worker, also those at work, whose calls raise `WorkerCrashed`. The pool can be used again."""
        with self._lock:
            idle, self._idle = self._idle, []
            busy = list(self._busy)
        for worker in idle:
            worker.kill()
            worker.connection.close()
        for worker in busy:
            worker.kill()  # the calling thread is listening to the connection, and closes it

    def _take(self, new: bool = False) -> _Worker:
        """An idle worker, the last used first because it is warm, or a new one."""
        with self._lock:
            worker = self._idle.pop() if self._idle and not new else None
        # Outside of the lock: starting one takes a moment, and others may find theirs meanwhile.
        worker = worker or _Worker(self._memory)
        with self._lock:
            self._busy.add(worker)
        return worker

    def _release(self, worker: _Worker, usable: bool) -> None:
        if not usable:
            worker.kill()
            worker.connection.close()
        with self._lock:
            self._busy.discard(worker)
            if usable:
                self._idle.append(worker)


class _Worker:
    """One process and the parent's end of its socket."""

    def __init__(self, memory: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, json.dumps(sys.path), str(theirs.fileno()), str(memory)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # a group of its own, so that killing it ends its children too
            )
        self.connection = Connection(ours.detach())
        self._killing = threading.Lock()

    def begin(self, request: bytes, seconds: float) -> tuple[bool, Any] | None:
        """Sends the request and waits until its function is imported: None, or why it couldn't be."""
        self.connection.send((request, seconds))
        if not self.connection.poll(START_SECONDS):
            raise EOFError("the worker did not start")
        failure: tuple[bool, Any] | None = self.connection.recv()
        return failure

    def finish(self, seconds: float) -> tuple[bool, Any]:
        """Whether the function returned, and what it returned or raised. Raises `TimeoutError` or `EOFError`."""
        if not self.connection.poll(seconds):
            raise TimeoutError
        answer: tuple[bool, Any] = self.connection.recv()
        return answer

    def kill(self) -> None:
        """Ends the process and its children, and waits until it is gone."""
        with self._killing:
            if self.process.returncode is not None:
                return  # already waited for: its number may be another process's by now
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                self.process.kill()
            self.process.wait()


_POOLS: weakref.WeakSet[Pool] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for pool in list(_POOLS):
        pool.close()


def _forget_all() -> None:
    """In a forked child: the workers are the parent's, and two processes must not read from one socket."""
    for pool in list(_POOLS):
        for worker in [*pool._idle, *pool._busy]:
            worker.connection.close()
            worker.process.returncode = 0  # not this process's child: nothing to wait for
        pool._reset()


os.register_at_fork(after_in_child=_forget_all)


def _serve(descriptor: int, memory: int) -> None:
    """A worker's life: requests one after another, until the parent closes the socket."""
    connection = Connection(descriptor)
    _limit_memory(memory)
    prepared: set[Callable[[], object]] = set()
    while True:
        try:
            request, seconds = connection.recv()
        except (EOFError, OSError):
            return
        try:
            prepare, function, args = pickle.loads(request)
            if prepare is not None and prepare not in prepared:
                prepare()
                prepared.add(prepare)
        except BaseException as error:
            connection.send((False, _portable(error)))
            continue
        _limit_processor(seconds)
        connection.send(None)
        try:
            answer = pickle.dumps((True, function(*args)))
        except BaseException as error:  # also SystemExit: a worker outlives what it runs
            answer = pickle.dumps((False, _portable(error)))
        connection.send_bytes(answer)


def _portable(error: BaseException) -> Exception:
    """The error itself if it survives pickling, otherwise a `RuntimeError` that tells it."""
    try:
        copy = pickle.loads(pickle.dumps(error))
        if isinstance(copy, Exception):
            return copy
    except Exception:
        pass  # whatever goes wrong here, the next line says what the error was
    return RuntimeError(f"{type(error).__name__}: {error}")


def _limit_memory(memory: int) -> None:
    import resource

    if memory:
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        soft = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
        # Some systems refuse the limit; the time limit still holds there.
        try:
            resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        except (OSError, ValueError):
            return


def _limit_processor(seconds: float) -> None:
    """An end to the worker even if its parent is no longer there to kill it: generous, because threads add up."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    soft = int(time.process_time() + 8 * seconds + 60)
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))
