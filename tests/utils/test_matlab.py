"""The reader of MATLAB files against SciPy's."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from lib.utils.errors import InputError
from lib.utils.matlab import read_mat

SAMPLES = sorted((Path(__file__).resolve().parents[3] / "shared" / "data").rglob("*.mat"))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_real_files_read_as_scipy_reads_them(path):
    expected = scipy.io.loadmat(path)
    names = tuple(name for name in expected if not name.startswith("__"))
    found = read_mat(path, names)
    assert found.keys() == set(names)
    for name in names:
        if expected[name].dtype == object:
            assert found[name].tolist() == [
                [str(np.ravel(cell)[0]) for cell in row] for row in expected[name]
            ]
        else:
            assert found[name].dtype == expected[name].dtype
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("kind", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "bool"])
def test_every_kind_of_number_and_shape(tmp_path, kind, compress):
    rng = np.random.default_rng(0)
    written = {
        f"a{n}": rng.integers(0, 100, shape).astype(kind)
        for n, shape in enumerate([(1, 1), (1, 3), (2, 1), (3, 5), (2, 3, 4), (0, 3), (2, 2, 1, 2)])
    }
    scipy.io.savemat(tmp_path / "a.mat", written, do_compression=compress)
    found = read_mat(tmp_path / "a.mat", tuple(written))
    for name, array in written.items():
        assert found[name].dtype == ("u1" if kind == "bool" else kind)
        np.testing.assert_array_equal(found[name], array)


def test_cells_of_texts_and_numbers(tmp_path):
    cells = np.empty((2, 2), object)
    cells[:] = [["rank", ""], ["a longer name than four", np.arange(3.0)]]
    scipy.io.savemat(tmp_path / "a.mat", {"c": cells, "other": {"a": 1}, "text": "t"})
    found = read_mat(tmp_path / "a.mat", ("c", "absent"))
    assert list(found) == ["c"]
    assert found["c"][:, 0].tolist() == cells[:, 0].tolist() and found["c"][0, 1] == ""
    assert found["c"][1, 1].tolist() == [[0, 1, 2]]


@pytest.mark.parametrize(
    "value",
    [{"a": 1}, "text", 1j, np.array([[[1], "a"]], object)],
    ids=["struct", "text", "complex", "nested"],
)
def test_what_is_no_array_of_numbers_is_refused(tmp_path, value):
    scipy.io.savemat(tmp_path / "a.mat", {"preds": value})
    if isinstance(value, np.ndarray):
        cell = np.empty((1, 1), object)
        cell[0, 0] = value
        scipy.io.savemat(tmp_path / "a.mat", {"preds": cell})
    with pytest.raises(InputError, match=r"a\.mat: a damaged MATLAB file, or one of another kind"):
        read_mat(tmp_path / "a.mat", ("preds",))


def test_big_endian_files(tmp_path):
    def element(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    array = element(6, struct.pack(">II", 6, 0)) + element(5, struct.pack(">ii", 1, 2))
    array += struct.pack(">HH4s", 1, 1, b"a") + element(9, struct.pack(">dd", 1.5, -2))
    (tmp_path / "a.mat").write_bytes(bytes(124) + b"\x01\x00MI" + element(14, array))
    assert read_mat(tmp_path / "a.mat", ("a",))["a"].tolist() == [[1.5, -2]]


@pytest.mark.parametrize("said", [2**31 - 1, 2**31, 2**32 - 1, 3])
def test_sizes_are_not_believed(tmp_path, said):
    scipy.io.savemat(tmp_path / "a.mat", {"preds": np.arange(6.0)})
    whole = (tmp_path / "a.mat").read_bytes()
    for place in range(128, len(whole), 4):
        (tmp_path / "a.mat").write_bytes(whole[:place] + struct.pack("<I", said) + whole[place + 4 :])
        try:
            array = read_mat(tmp_path / "a.mat", ("preds",)).get("preds", np.empty(0))
        except InputError:
            continue
        assert array.size <= 6


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.utils.matlab.MAX_BYTES", 10_000)
    packed = zlib.compress(bytes(20_000))
    header = bytes(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(header + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(InputError, match="has more than 10000 bytes"):
        read_mat(tmp_path / "a.mat", ("preds",))
