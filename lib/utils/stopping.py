"""Graceful shutdown: SIGINT and SIGTERM set a flag that the training loop polls."""

import multiprocessing
import os
import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_PERIOD = 60  # seconds that a worker process lives on after SIGTERM


class GracefulShutdown:
    """Context manager that records SIGINT (Ctrl-C) or SIGTERM instead of ending the program.

    A second signal ends the program as usual. Outside the main thread, where Python allows no signal
    handlers, signals act as usual.

    signal: number of the first signal, None before one arrives.
    """

    def __init__(self):
        self.signal: int | None = None
        self._handlers_before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():
            for number in SIGNALS:
                # Signals that are ignored stay so: shells start background jobs with Ctrl-C ignored.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._handlers_before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        self._handlers_before = {}

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.__exit__()  # the next signal acts as usual


def leave_stopping_to_parent() -> None:
    """Make a data loader worker survive the signals that a terminal or scheduler sends to all processes of a run.

    The main process may need another batch before it saves, and then ends its workers itself. If it does not,
    SIGTERM ends a worker after GRACE_PERIOD seconds.
    """
    if hasattr(os, "setsid"):
        os.setsid()  # a terminal signals its whole session
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Replaces the handler of a GracefulShutdown that a fork inherits.
    has_alarm = hasattr(signal, "alarm")  # not on Windows
    signal.signal(signal.SIGTERM, (lambda *_: signal.alarm(GRACE_PERIOD)) if has_alarm else signal.SIG_DFL)


def kill_leftover_workers() -> None:
    """Kill the processes of multiprocessing that are still alive when a command ends.

    They are data loader workers that outlived their loader. Python would wait for them at exit, and they
    ignore its SIGTERM for GRACE_PERIOD seconds, see `leave_stopping_to_parent`.
    """
    workers = multiprocessing.active_children()
    if workers and threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGCHLD"):
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # torch's handler raises an error if a worker is killed
    for worker in workers:
        worker.kill()
        worker.join()
