import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.dataset.packed_strings import PackedStrings

# Bytes of file names that are not UTF-8 become these lone surrogates.
strings = st.lists(st.text("aö€😀/.", max_size=5) | st.just("caf\udce9.jpg"), max_size=9)


@given(strings, strings)
def test_packed_strings_are_the_list(first, second):
    packed = PackedStrings.of(first)
    assert len(packed) == len(first) and list(packed) == first
    assert [packed[k] for k in range(-len(first), len(first))] == first + first
    assert packed == first and packed == tuple(first) and packed == PackedStrings.of(first)
    assert (packed == second) == (first == second)
    assert list(packed + second) == first + second
    assert list(pickle.loads(pickle.dumps(packed))) == first


@pytest.mark.parametrize("index", [3, -4])
def test_there_is_nothing_outside(index):
    with pytest.raises(IndexError):
        PackedStrings.of(["a", "", "ö"])[index]


def test_two_arrays_hold_it_all():
    packed = PackedStrings.of(["a", "", "ö"])
    assert packed.text.dtype == np.uint8 and packed.text.tobytes() == "aö".encode()
    assert packed.ends.tolist() == [1, 1, 3]
    assert packed[np.int32(2)] == "ö"
    assert packed != 3 and "a" in packed and "b" not in packed
