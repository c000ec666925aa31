"""Worker processes contain what hangs, crashes or fails, and are cheap where nothing does."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from vergence.verifiers.pool import Pool, WorkerCrashed


def double(x: int) -> int:
    return 2 * x


def process() -> int:
    return os.getpid()


def loop_for_ever() -> None:
    while True:
        pass


def grow_for_ever() -> int:
    """Holds the interpreter lock in one C call: no Python thread of the worker could interrupt it."""
    return 9**9**9**9


def leave() -> None:
    os._exit(3)


def leave_by_exception() -> None:
    raise SystemExit(3)


def fail(message: str) -> None:
    raise KeyError(message)


class UnportableError(Exception):
    def __init__(self, first: int, second: int) -> None:
        super().__init__(f"{first} {second}")


def fail_unportably() -> None:
    raise UnportableError(1, 2)


def unportable_result() -> object:
    return threading.Lock()


def exhaust() -> int:
    return len(bytearray(2**40))


def loop_with_a_child(path: str) -> None:
    child = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    Path(path).write_text(str(child.pid))
    loop_for_ever()


def gone(pid: int) -> bool:
    """Whether the process has ended (one that nobody has waited for yet counts as ended)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z"


PREPARED: list[int] = []


def prepare() -> None:
    PREPARED.append(len(PREPARED))


def prepared() -> list[int]:
    return PREPARED


def prepare_in_vain() -> None:
    raise ImportError("no module named nowhere")


@pytest.fixture(scope="module")
def pool():
    pool = Pool(workers=2)
    yield pool
    pool.close()


def test_a_call_returns_what_the_function_returns_from_another_process(pool):
    assert [pool.call(double, (x,)) for x in range(5)] == [0, 2, 4, 6, 8]
    assert pool.call(process) not in (os.getpid(), None)


def test_a_worker_prepares_once():
    pool = Pool(prepare=prepare)
    assert [pool.call(prepared), pool.call(prepared)] == [[0], [0]]
    pool.close()
    pool = Pool(prepare=prepare_in_vain)
    for _ in range(2):
        with pytest.raises(ImportError, match="nowhere"):
            pool.call(double, (1,))
    pool.close()


def test_a_worker_is_kept_for_the_next_call(pool):
    assert pool.call(process) == pool.call(process)


@pytest.mark.parametrize("function", [loop_for_ever, grow_for_ever])
def test_what_hangs_is_ended_in_time_and_the_next_call_works(pool, function):
    before = pool.call(process)
    start = time.monotonic()
    with pytest.raises(TimeoutError, match=function.__name__):
        pool.call(function, seconds=0.2)
    assert time.monotonic() - start < 5
    assert gone(before)
    assert pool.call(double, (4,)) == 8


def test_a_crash_is_reported_and_the_next_call_works(pool):
    with pytest.raises(WorkerCrashed, match="leave"):
        pool.call(leave)
    assert pool.call(double, (4,)) == 8


def test_what_a_worker_started_ends_with_it(pool, tmp_path):
    with pytest.raises(TimeoutError):
        pool.call(loop_with_a_child, (str(tmp_path / "pid"),), seconds=0.5)
    child = int((tmp_path / "pid").read_text())
    end = time.monotonic() + 5
    while not gone(child) and time.monotonic() < end:
        time.sleep(0.01)
    assert gone(child)


def test_errors_come_back_and_the_worker_stays(pool):
    before = pool.call(process)
    with pytest.raises(KeyError, match="lost"):
        pool.call(fail, ("lost",))
    with pytest.raises(RuntimeError, match="UnportableError: 1 2"):
        pool.call(fail_unportably)
    with pytest.raises(RuntimeError, match="SystemExit: 3"):
        pool.call(leave_by_exception)
    with pytest.raises(TypeError, match="pickle"):
        pool.call(unportable_result)
    assert pool.call(process) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit of the address space")
def test_memory_is_bounded(pool):
    with pytest.raises(MemoryError):
        pool.call(exhaust)


def test_a_function_that_a_worker_cannot_import_is_refused(pool):
    with pytest.raises(ValueError, match=r"<lambda> can't be imported"):
        pool.call(lambda: 1)


def test_a_worker_that_ended_while_idle_is_replaced(pool):
    before = pool.call(process)
    os.kill(before, 9)
    after = pool.call(process)
    assert after != before


def test_many_threads_share_few_workers(pool):
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda x: pool.call(double, (x,)), range(200)))
        pids = set(threads.map(lambda _: pool.call(process), range(50)))
    assert results == [2 * x for x in range(200)]
    assert len(pids) <= 2


def test_one_that_hangs_does_not_disturb_the_others(pool):
    with ThreadPoolExecutor(2) as threads:
        hanging = threads.submit(pool.call, loop_for_ever, (), 1.0)
        assert [pool.call(double, (x,)) for x in range(50)] == [2 * x for x in range(50)]
        with pytest.raises(TimeoutError):
            hanging.result()


def test_a_call_costs_a_round_trip(pool):
    pool.call(double, (1,))
    start = time.perf_counter()
    for x in range(200):
        pool.call(double, (x,))
    # Some 0.1 ms on an idle machine; a new process each would take 20 ms.
    assert (time.perf_counter() - start) / 200 < 0.01


def test_closing_ends_the_workers_and_calls_at_work():
    pool = Pool()
    idle = pool.call(process)
    pool.close()
    assert gone(idle)
    assert pool.call(double, (3,)) == 6
    outcome: list[BaseException] = []
    started = threading.Event()

    def call() -> None:
        started.set()
        try:
            pool.call(loop_for_ever, seconds=60)
        except BaseException as error:
            outcome.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    started.wait()
    while thread.is_alive():
        pool.close()
    thread.join()
    assert [type(error) for error in outcome] == [WorkerCrashed]


def test_a_forked_child_uses_workers_of_its_own():
    pool = Pool()
    ours = pool.call(process)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(write, str(pool.call(process)).encode())
            pool.close()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(read, 100))
    os.close(read)
    os.close(write)
    assert theirs != ours
    assert pool.call(process) == ours
    pool.close()


def test_workers_end_with_their_parent():
    program = (
        "import os, sys; sys.path[:0] = [sys.argv[1]]; import test_pool; from vergence.verifiers.pool import Pool\n"
        "print(Pool().call(test_pool.process), flush=True); os._exit(1)"  # no exit handlers: as if it was killed
    )
    command = [sys.executable, "-c", program, str(Path(__file__).parent)]
    root = Path(__file__).parents[2]
    pid = int(subprocess.run(command, capture_output=True, text=True, check=False, cwd=root).stdout)
    end = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert gone(pid)


def test_a_pool_without_workers_is_refused():
    with pytest.raises(ValueError, match="at least one worker, got 0"):
        Pool(0)
