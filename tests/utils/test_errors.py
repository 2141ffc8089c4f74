import numpy as np
import pytest

from lib.utils.errors import StoppedError, one_line, short_repr


@pytest.mark.parametrize(
    "value, text",
    [
        ("a", "'a'"),
        ({"a": 1}, "{'a': 1}"),
        (list(range(100)), str(list(range(100)))[:80]),
        (np.zeros((2, 1)), "array([[0.], [0.]])"),
    ],
)
def test_a_value_in_a_message_is_short_and_on_one_line(value, text):
    assert short_repr(value) == text


def test_a_number_that_python_does_not_print():
    assert short_repr(10**5000) == "a number of thousands of digits"


def test_a_message_is_one_line_of_printable_characters():
    assert one_line("a\n b\t c ") == "a b c"
    assert one_line("bell\a and \x1b[31mred, été") == "bell\\x07 and \\x1b[31mred, été"
    assert one_line(ValueError("of\nan error")) == "of an error"


def test_a_stop_keeps_its_signal():
    error = StoppedError(15, "stopped")
    assert error.signal == 15 and str(error) == "stopped"
