"""The one kind of error that is the user's to mend, and how messages say what was found."""

import re
from typing import Any


class InputError(Exception):
    """Something the user gave (flag, config, file, annotation, image) cannot be used.

    The message alone must say what was looked at, what was found and what was expected:
    commands print it on one line, without a stack trace.
    """


class PartlyDoneError(Exception):
    """Some of the input could not be used, the rest is done; the message has a line for each."""


class StoppedError(Exception):
    """A signal asked the program to stop; everything up to then is saved."""

    def __init__(self, signal: int, message: str):
        super().__init__(message)
        self.signal = signal


class ProcessLostError(Exception):
    """Another process of the same training can't be reached any more; which one ended says its own error."""


class NonFiniteError(Exception):
    """A loss or a hypergradient became infinite or NaN; the message names it and the step."""


def shown(value: Any) -> str:
    """``value`` for a message, in short and on one line."""
    try:
        return re.sub(r"\s*\n\s*", " ", f"{value!r:.80}")  # tensors and arrays say themselves in several
    except ValueError:  # Python refuses to write whole numbers of thousands of digits
        return "a number of thousands of digits"


def one_line(message: Any) -> str:
    """``message`` on one line, whatever names of files or of others' errors bring into it."""
    line = " ".join(str(message).split())
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
