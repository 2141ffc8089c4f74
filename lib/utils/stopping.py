"""Stopping when asked to: a signal is remembered, and what runs looks at it where it can stop."""

import os
import signal
import threading
from types import FrameType
from typing import Any

ASKING = (signal.SIGINT, signal.SIGTERM)


class GracefulShutdown:
    """Within its ``with`` block, which of SIGINT (Ctrl-C) and SIGTERM asked the program to stop.

    ``signal`` is the first one's number, None so far. The next one ends the program as it would have
    without this. Outside the main thread, where Python allows no handlers, nothing is remembered.
    """

    def __init__(self):
        self.signal: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "GracefulShutdown":
        if threading.current_thread() is threading.main_thread():
            for number in ASKING:
                # What was to be ignored from the start, as Ctrl-C in a shell's background, still is.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._remember)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.__exit__()


GRACE = 60  # seconds


def leave_stopping_to_parent() -> None:
    """For worker processes: what a terminal or a scheduler sends to all of a run's processes is for the one
    that started them, which may still want their batches for a step before it saves, and ends them itself.

    SIGTERM ends them too, but ``GRACE`` seconds later, where nobody has until then.
    """
    if hasattr(os, "setsid"):
        os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # In place of a GracefulShutdown's, which a fork inherits.
    later = hasattr(signal, "alarm")
    signal.signal(signal.SIGTERM, (lambda *_: signal.alarm(GRACE)) if later else signal.SIG_DFL)
