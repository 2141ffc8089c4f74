"""Stand-ins for the functions and classes that pickled NumPy numbers name, so that torch.load reads them safely.

Trainers keep the score of the epoch, a NumPy number, beside the weights (SimpleBaseline, HRNet), or arrays that
describe the data set (mmpose). NumPy's own functions would do more than make a number (they accept any Python
object), and their module is numpy.core or numpy._core, by the version that wrote the file.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pickle import UnpicklingError
from typing import Any, cast

import numpy as np
from torch import serialization

PLAIN = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)|[SU]\d{1,6}")  # numbers and texts
MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")  # before and since NumPy 2


class PlainType:
    """In place of numpy.dtype: types of numbers and texts alone."""

    def __init__(self, code: Any, *_: Any):
        if not isinstance(code, str) or not PLAIN.fullmatch(code):
            raise UnpicklingError(f"a NumPy value of type {code!r:.40}, expected numbers")
        self.code, self.byte_order = code, "="

    def __setstate__(self, state: Any) -> None:
        # (version, byte order, ...); the rest describes types that are not plain.
        if not isinstance(state, tuple) or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise UnpicklingError("a damaged NumPy type")
        self.byte_order = state[1]


class DroppedArray:
    """In place of numpy.ndarray: its values are not kept, as nothing here uses arrays of other programs."""

    def __setstate__(self, state: Any) -> None:
        pass


def plain_number(kind: Any, data: Any) -> Any:
    """In place of multiarray.scalar: the Python number or text that ``data`` holds."""
    if not isinstance(kind, PlainType) or not isinstance(data, bytes):
        raise UnpicklingError("a damaged NumPy number")
    dtype = np.dtype(kind.code).newbyteorder(cast(Any, kind.byte_order))
    if len(data) != dtype.itemsize:
        raise UnpicklingError("a damaged NumPy number")
    return np.frombuffer(data, dtype)[0].item()


def latin1_bytes(text: Any, encoding: Any = None) -> bytes:
    """In place of _codecs.encode, with which bytes are pickled; torch has it in its own list from 2.5 on."""
    if not isinstance(text, str) or encoding != "latin1":
        raise UnpicklingError("damaged bytes")
    return text.encode("latin1")


class _Function:
    """A function that torch.load takes for the one of another name."""

    def __init__(self, module: str, name: str, function: Callable[..., Any]):
        self.__module__, self.__name__, self.__qualname__ = module, name, name
        self.function = function

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)


def _class(name: str, base: type) -> type:
    """A class that torch.load takes for numpy.``name``."""
    return type(name, (base,), {"__module__": "numpy"})


def _stand_ins() -> list[Any]:
    # torch.load only sets the state of objects whose class itself is in the list.
    array = _class("ndarray", DroppedArray)
    stand_ins = [array, _class("dtype", PlainType), _Function("_codecs", "encode", latin1_bytes)]
    for module in MODULES:
        stand_ins.append(_Function(module, "scalar", plain_number))
        stand_ins.append(_Function(module, "_reconstruct", lambda *_: array()))
    return stand_ins


STAND_INS = _stand_ins()


@contextmanager
def numpy_numbers() -> Iterator[None]:
    """While the block runs, torch.load reads NumPy's numbers as Python's, and arrays without their values."""
    # torch 2.4 has no context manager for it, and returns the list itself.
    before = list(serialization.get_safe_globals())
    serialization.add_safe_globals(STAND_INS)
    try:
        yield
    finally:
        serialization.clear_safe_globals()
        serialization.add_safe_globals(before)
