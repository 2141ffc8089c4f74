"""NumPy's numbers in files of torch.save, as old and new versions of NumPy write them."""

import io
import pickle

import numpy as np
import pytest
import torch

from lib.utils.numpy_in_pickles import numpy_numbers

NUMBERS = [
    np.float64(0.704), np.float32(0.25), np.float16(-2), np.int64(-3), np.uint8(255), np.bool_(True),
    np.complex64(1 + 2j), np.str_("rené"), np.frombuffer(b"\x3f\x80\0\0", ">f4")[0],
]  # fmt: skip


def saved(content, legacy=True):
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=not legacy)
    return buffer.getvalue()


def loaded(data):
    with numpy_numbers():
        return torch.load(io.BytesIO(data), weights_only=True)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: type(number).__name__)
@pytest.mark.parametrize("legacy", [True, False])
def test_numbers_come_as_pythons(number, legacy):
    found = loaded(saved({"perf": number}, legacy))["perf"]
    assert found == number.item() and type(found) is type(number.item())


@pytest.mark.parametrize("module", [b"numpy.core.multiarray", b"numpy._core.multiarray"])
def test_both_names_of_numpys_module(module):
    """numpy.core until NumPy 1.26, numpy._core since 2.0."""
    data = saved({"perf": np.float32(0.5), "sigmas": np.arange(3)})
    for name in (b"numpy.core.multiarray", b"numpy._core.multiarray"):
        data = data.replace(name, module)
    assert data.count(module) == 2
    found = loaded(data)
    assert found["perf"] == 0.5 and not isinstance(found["sigmas"], np.ndarray)


@pytest.mark.parametrize(
    "value", [np.array([{}]), np.datetime64("2020-01-01"), np.dtype([("a", "f4")]), np.random.RandomState(0)]
)
def test_other_values_of_numpy_are_refused(value):
    with pytest.raises(pickle.UnpicklingError):
        loaded(saved({"value": value}))


class Scalar:
    """numpy's scalar with arguments of one's choice."""

    def __init__(self, *arguments):
        self.arguments = arguments

    def __reduce__(self):
        return np.float64(1).__reduce__()[0], self.arguments


@pytest.mark.parametrize(
    "arguments", [(), ("f8", b"\0" * 8), (np.dtype("f8"), b"\0" * 7), (np.dtype("f8"), "text")]
)
def test_damaged_numbers_raise(arguments):
    with pytest.raises((pickle.UnpicklingError, TypeError)):
        loaded(saved({"perf": Scalar(*arguments)}))


def test_other_loading_is_as_before():
    before = list(torch.serialization.get_safe_globals())
    data = saved({"perf": np.float64(1)})
    loaded(data)
    with pytest.raises(pickle.UnpicklingError):
        loaded(saved({"perf": np.array([{}])}))
    assert torch.serialization.get_safe_globals() == before
    with pytest.raises(pickle.UnpicklingError):
        torch.load(io.BytesIO(data), weights_only=True)
