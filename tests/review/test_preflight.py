"""What is logged before the training that finds labels."""

import pytest

from lib.doctor.findings import Heading, error, note, ok, warning
from lib.review import preflight
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

QUIET = [
    Heading("data"),
    ok("device", "a CPU"),
    note("images", "large"),
    warning("validation V and target T", "the same images", "choose others"),  # here it is on purpose
]
SHOWN = [ok("the whole run", "5 steps, about 1 s"), warning("boxes", "2 are empty", "look at them")]


def logged(monkeypatch, findings):
    monkeypatch.setattr(preflight, "examine", lambda request: iter(findings))
    with captured_messages() as messages:
        preflight.check(None)
    return messages


def test_only_what_may_be_wrong_and_the_time(monkeypatch):
    assert logged(monkeypatch, [*QUIET, *SHOWN]) == [str(finding) for finding in SHOWN]


def test_errors_are_counted_and_stop(monkeypatch):
    with pytest.raises(InputError, match="^2 of the checks above"):
        logged(
            monkeypatch, [error("joints", "none", "name some"), *SHOWN, error("disk", "full", "make room")]
        )
