import pickle
import zipfile

import pytest
import torch

from lib.utils.checkpoint import load_checkpoint, load_newest, load_plain, save_checkpoint
from lib.utils.errors import InputError
from lib.utils.log import captured_messages


class Malicious:
    def __reduce__(self):
        return (exec, ("raise SystemExit('ran code from a checkpoint')",))


def test_round_trip(tmp_path):
    state = {
        "target_model": {"w": torch.arange(3.0)},
        "step": 7,
        "best": 1.5,
        "nested": [{"a": torch.tensor(2)}],
    }
    save_checkpoint(tmp_path / "c.pth", state)
    found = load_checkpoint(tmp_path / "c.pth")
    assert torch.equal(found["target_model"]["w"], state["target_model"]["w"])
    assert found["step"] == 7 and found["nested"][0]["a"] == 2


@pytest.mark.parametrize("content", [b"", b"garbage", pickle.dumps(Malicious()), pickle.dumps({"a": 1})])
def test_what_is_no_checkpoint_is_refused_and_never_run(tmp_path, content):
    (tmp_path / "c.pth").write_bytes(content)
    with pytest.raises(InputError, match="c.pth"):
        load_checkpoint(tmp_path / "c.pth")


def test_truncated_missing_and_foreign_files(tmp_path):
    save_checkpoint(tmp_path / "c.pth", {"target_model": {"w": torch.zeros(1000)}})
    whole = (tmp_path / "c.pth").read_bytes()
    (tmp_path / "half.pth").write_bytes(whole[: len(whole) // 2])
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pth")
    for name in ("half.pth", "none.pth", "other.pth"):
        with pytest.raises(InputError, match=name):
            load_checkpoint(tmp_path / name)
    with pytest.raises(InputError, match="found .'other'.*MODEL.PRETRAINED"):
        load_checkpoint(tmp_path / "other.pth")


def test_a_changed_number_is_found_by_its_checksum(tmp_path):
    path, weights = tmp_path / "c.pth", torch.arange(1000, dtype=torch.float32)
    save_checkpoint(path, {"target_model": {"w": weights}})
    content = bytearray(path.read_bytes())
    position = content.index(weights.numpy().tobytes()) + 400
    content[position] ^= 1
    path.write_bytes(content)
    # torch itself does not notice it.
    assert not torch.equal(torch.load(path, weights_only=True)["target_model"]["w"], weights)
    with pytest.raises(InputError, match=r"c\.pth.*checksum"):
        load_checkpoint(path)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(tmp_path):
    save_checkpoint(tmp_path / "c.pth", {"target_model": {"w": torch.zeros(1000)}})
    with (
        zipfile.ZipFile(tmp_path / "c.pth") as stored,
        zipfile.ZipFile(tmp_path / "small.pth", "w", zipfile.ZIP_DEFLATED) as compressed,
    ):
        for name in stored.namelist():
            compressed.writestr(name, stored.read(name))
    with pytest.raises(ValueError, match="compressed"):
        load_plain(tmp_path / "small.pth")


def test_the_newest_usable_checkpoint_is_loaded(tmp_path):
    last, previous = tmp_path / "last.pth", tmp_path / "previous.pth"
    for step in (1, 2):
        save_checkpoint(last, {"target_model": {}, "step": step}, previous)
    with captured_messages() as messages:
        checkpoint, path = load_newest(last, previous)
    assert (checkpoint["step"], path, messages) == (2, last, [])
    last.write_bytes(b"damaged")
    with captured_messages() as messages:
        checkpoint, path = load_newest(last, previous)
    assert (checkpoint["step"], path) == (1, previous)
    assert str(last) in messages[0] and str(previous) in messages[0]
    previous.unlink()
    with pytest.raises(InputError, match=r"last\.pth"):
        load_newest(last, previous)


def test_a_full_disk_is_an_oserror(tmp_path, monkeypatch):
    class Full:
        def write(self, _):
            raise OSError(28, "No space left on device")

        def flush(self):
            pass

    def save(state, file):
        torch.serialization.save(state, Full())

    monkeypatch.setattr("lib.utils.checkpoint.torch.save", save)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(tmp_path / "c.pth", {"target_model": {"w": torch.zeros(1000)}})
    assert list(tmp_path.iterdir()) == []
