import multiprocessing
import os
import signal
import threading
import time

import pytest

from lib.utils.stopping import (
    SIGNALS,
    GracefulShutdown,
    kill_leftover_workers,
    leave_stopping_to_parent,
)


@pytest.fixture(autouse=True)
def usual_handlers():
    """Whoever started the tests may have them ignore Ctrl-C."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_is_remembered_and_handlers_are_put_back(number):
    before = signal.getsignal(number)
    with GracefulShutdown() as stop:
        assert stop.signal is None
        os.kill(os.getpid(), number)
        assert stop.signal == number
    assert signal.getsignal(number) == before


def test_the_second_signal_ends_the_program_as_ever():
    with pytest.raises(KeyboardInterrupt), GracefulShutdown() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal == signal.SIGINT
        os.kill(os.getpid(), signal.SIGINT)


def test_outside_the_main_thread_nothing_is_changed():
    handlers = []

    def look():
        with GracefulShutdown() as stop:
            handlers.append((stop.signal, signal.getsignal(signal.SIGTERM)))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [(None, before)]


def test_what_is_ignored_stays_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with GracefulShutdown() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.signal is None


def _outlive_sigterm(ready):
    leave_stopping_to_parent()
    ready.set()
    time.sleep(120)


def test_a_worker_that_ignores_sigterm_does_not_hold_up_the_end():
    ready = multiprocessing.Event()
    worker = multiprocessing.Process(target=_outlive_sigterm, args=(ready,), daemon=True)
    worker.start()
    assert ready.wait(60)
    worker.terminate()
    worker.join(0.5)
    assert worker.is_alive()  # for a minute: see leave_stopping_to_parent
    kill_leftover_workers()
    assert not worker.is_alive() and not multiprocessing.active_children()
    kill_leftover_workers()  # nothing left
