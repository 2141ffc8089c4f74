import logging
import re

import pytest

from lib.predict import progress as module
from lib.predict.progress import Progress
from lib.utils.log import LOG, STEP
from lib.utils.progress import LOG_INTERVAL


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds, which the test sets."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_with_the_time_left(clock, caplog, monkeypatch):
    monkeypatch.setattr(LOG, "handlers", [])
    monkeypatch.setattr(LOG, "propagate", True)
    progress = Progress(total=100)
    with caplog.at_level(STEP, LOG.name):
        for second in range(1, 62):
            clock[0] = 100.0 + second
            progress.add(people=3)
    assert [record.levelno for record in caplog.records] == [STEP] * 2  # every thirty seconds
    first, second = (record.getMessage() for record in caplog.records)
    assert first == "30 of 100 images, 1.0 images/s, 3.0 people/s: 30 %, 1 min 10 s left"
    assert second.startswith("60 of 100 images") and second.endswith("60 %, 40.0 s left")


def test_other_objects_are_not_called_people(clock):
    progress = Progress(1, "objects")
    progress.add(2)
    assert progress.summary().startswith("2 objects in 1 images")


def test_the_summary_counts_images_and_people(clock):
    progress = Progress(total=1)
    for people in (2, 0, 1):
        progress.add(people)
    clock[0] += 1.5
    assert progress.summary() == "3 people in 3 images, 1.5 s (2.0 images/s, 2.0 people/s)"


def test_more_images_than_expected_leave_no_time(clock, caplog, monkeypatch):
    monkeypatch.setattr(LOG, "handlers", [])
    monkeypatch.setattr(LOG, "propagate", True)
    progress = Progress(total=1)
    progress.add(1)
    clock[0] += LOG_INTERVAL
    with caplog.at_level(logging.DEBUG, LOG.name):
        progress.add(1)
    assert re.match(r"2 of 1 images.* 0\.0 s left$", caplog.messages[0])
