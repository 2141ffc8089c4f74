import pickle

import pytest
import torch

from lib.utils.checkpoint import load_checkpoint, save_checkpoint
from lib.utils.errors import InputError


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
