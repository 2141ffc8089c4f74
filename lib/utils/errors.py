"""The exceptions of the program, and how their messages show values."""

import re
from typing import Any


class InputError(Exception):
    """Input of the user (flag, configuration, file, annotation, image) cannot be used.

    The message must name the file or setting, what was found and what was expected: commands print it on one
    line, without a stack trace.
    """


class PartlyDoneError(Exception):
    """Some of the input could not be used; the rest is done. The message has a line for each problem."""


class StoppedError(Exception):
    """A signal stopped the program after everything done so far was saved.

    signal: its number.
    """

    def __init__(self, signal: int, message: str):
        super().__init__(message)
        self.signal = signal


class ProcessLostError(Exception):
    """Another process of the same training has ended; it prints its own error."""


class NonFiniteError(Exception):
    """A loss or a hypergradient is infinite or NaN; the message names it and the step."""


def short_repr(value: Any) -> str:
    """The first 80 characters of ``repr(value)``, on one line."""
    try:
        return re.sub(r"\s*\n\s*", " ", f"{value!r:.80}")  # the repr of a tensor has several
    except ValueError:  # Python limits the digits of an int's repr
        return "a number of thousands of digits"


def one_line(message: Any) -> str:
    """``message`` on one line of printable characters, even if a file name in it has line breaks."""
    line = " ".join(str(message).split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
