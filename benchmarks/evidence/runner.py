"""Run tasks in parallel processes; a failing task does not stop the others."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from lib.utils.errors import StoppedError
from lib.utils.log import format_duration


def run_side_by_side(
    tasks: list,
    function: Callable[[Any], Any],
    jobs: int,
    finished: Callable[[Any], str],
    report: Callable[[str], None] = print,
) -> int:
    """Call ``function`` on every task, in order, ``jobs`` at a time; with one job, in this process.

    Args:
        finished: called here with each result as soon as it is available; returns the text to print.

    Returns:
        The number of failed tasks. After every task its text or error, and the time left, are printed.
    """
    failed, started = 0, time.monotonic()
    for done, (task, result, error) in enumerate(_results(tasks, function, min(jobs, len(tasks))), 1):
        left = (time.monotonic() - started) / done * (len(tasks) - done)
        if error is None:
            line = finished(result)
        else:
            failed += 1
            line = f"failed: {type(error).__name__}: {error}"
        report(f"[{done}/{len(tasks)}] {task}: {line}; {format_duration(left)} left")
    return failed


def _results(tasks: list, function: Callable, jobs: int) -> Iterator[tuple[Any, Any, Exception | None]]:
    if jobs <= 1:
        for task in tasks:
            yield task, *_outcome(lambda task=task: function(task))
        return
    # Spawned, not forked: a fork of a process that has used torch's threads may hang.
    spawn = multiprocessing.get_context("spawn")
    with _stopped_early(ProcessPoolExecutor(jobs, spawn, end_with, (os.getpid(),))) as pool:
        futures = {pool.submit(function, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], *_outcome(future.result)


def end_with(parent: int) -> None:
    """Make this process exit within seconds of ``parent``, however that one ends."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _outcome(call: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return call(), None
    except StoppedError as stopped:  # by a signal, which is meant for all tasks
        raise SystemExit(128 + stopped.signal) from None
    except Exception as error:  # of any kind: the other tasks continue
        return None, error


@contextmanager
def _stopped_early(pool: Executor) -> Iterator[Executor]:
    """On an interruption, cancel the tasks that have not started."""
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)
