"""Damaged input by the hundred: strategies that spoil trees, bytes and places of files, and what must come of it."""

import copy
import os
import signal
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.utils.errors import InputError
from tests.factories.data_sets import NASTY_VALUES

LONGEST = 30  # seconds for one input: far above what any takes, so that a hang is an error

# How many inputs a property is tried on: always the same few in the ordinary suite, new ones in the large run.
FEW_AND_MANY = [
    pytest.param(50, id="few"),
    pytest.param(1000, id="many", marks=pytest.mark.slow),
]

ENCODED = [
    b"",
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\x00",
    b"\xff\xd8\xff\xe0",
    b"PK\x03\x04",
    b"\x80\x02",
    b"{",
    b"[",
]
PLACES = ("file", "missing", "empty", "directory", "loop", "beside")


def try_many(examples, strategy, check):
    """``check`` on ``examples`` inputs of ``strategy``, none of which may hang."""

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=examples < 100,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def tried(value):
        with within(LONGEST):
            check(value)

    tried()


class HangError(BaseException):
    """Not an Exception, of which readers catch all kinds."""


@contextmanager
def within(seconds):
    """HangError where what is inside takes longer."""

    def stop(*_):
        raise HangError(f"took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def outcome(call, *args):
    """What the call returns; None where it ends in an error of ours, whose message is a short line."""
    try:
        return call(*args)
    except InputError as error:
        message = str(error)
        assert message and len(message.splitlines()) == 1 and len(message) < 1500, message[:2000]
        return None


def nasty_values():
    return st.one_of(
        st.sampled_from(NASTY_VALUES),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.lists(st.one_of(st.integers(-5, 5), st.floats(), st.none()), max_size=4),
    )


@st.composite
def spoilt_tree(draw, tree, values=None):
    """A copy of nested dicts and lists in which one to three places hold something else, or are gone or twice."""
    values = nasty_values() if values is None else values
    tree = {"root": copy.deepcopy(tree)}
    for _ in range(draw(st.integers(1, 3))):
        node, key = tree, "root"
        # Every step down is a coin thrown, so that the top and the leaves both have their turn.
        while isinstance(node[key], (dict, list)) and node[key] and draw(st.integers(0, 5)):
            node = node[key]
            key = draw(st.sampled_from(sorted(node, key=str) if isinstance(node, dict) else range(len(node))))
        change = draw(st.sampled_from(["replace", "replace", "delete", "twice", "move"]))
        if change == "replace" or node is tree:
            node[key] = copy.deepcopy(draw(values))
        elif change == "delete":
            del node[key]
        elif change == "twice" and isinstance(node, list):
            node.insert(key, copy.deepcopy(node[key]))
        elif isinstance(node, dict):
            node[draw(st.sampled_from(sorted(node, key=str)))] = copy.deepcopy(node[key])
    return tree["root"]


@st.composite
def spoilt_bytes(draw, content):
    """Bytes cut, with others in their place, put in, taken out, or behind another beginning."""
    content = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(content)))
        length = draw(st.integers(0, 64))
        change = draw(st.sampled_from(["cut", "flip", "set", "insert", "delete", "repeat", "begin"]))
        if change == "cut":
            del content[place:]
        elif change == "flip" and place < len(content):
            content[place] ^= 1 << draw(st.integers(0, 7))
        elif change == "set":
            content[place : place + length] = draw(st.binary(min_size=length, max_size=length))
        elif change == "insert":
            content[place:place] = draw(st.binary(max_size=64))
        elif change == "delete":
            del content[place : place + length]
        elif change == "repeat":
            content[place:place] = content[place : place + length] * draw(st.integers(1, 20))
        else:
            content[:0] = draw(st.sampled_from(ENCODED))
    return bytes(content)


def put(path, content, place="file"):
    """``content`` at ``path``, or in its ``place`` something that is no such file."""
    clear(path)
    if place == "file":
        path.write_bytes(content)
    elif place == "empty":
        path.write_bytes(b"")
    elif place == "directory":
        path.mkdir()
    elif place == "loop":
        path.symlink_to(path)
    elif place == "beside":  # a link to a file elsewhere is as good as the file
        other = path.with_name(f"{path.name}.other")
        other.write_bytes(content)
        path.symlink_to(other)


def clear(path):
    if path.is_symlink() or path.is_file():
        os.unlink(path)
    elif path.is_dir():
        path.rmdir()
