"""The one kind of error that is the user's to mend."""


class InputError(Exception):
    """Something the user gave (flag, config, file, annotation, picture) cannot be used.

    The message alone must say what was looked at, what was found and what was expected:
    commands print it on one line, without a stack trace.
    """


class PartlyDoneError(Exception):
    """Some of the input could not be used, the rest is done; the message has a line for each."""


class NonFiniteError(Exception):
    """A loss or a hypergradient became infinite or NaN; the message names it and the step."""
