import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.api_pb2 import Status
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

import lib.tracking.trackers
from lib.tracking.trackers import TensorBoard, WandB, import_wandb
from lib.utils.errors import InputError
from tests.harness import fake_wandb
from tests.harness.event_files import values_of

SETTINGS = {"SEED": 3, "TRAIN.LR": 0.5, "TRAIN.RESUME": True}


def hparams(value):
    return HParamsPluginData.FromString(value.metadata.plugin_data.content)


@pytest.mark.parametrize("failed", [False, True])
def test_tensorboard_writes_everything_that_it_gets(failed, tmp_path):
    board = TensorBoard(tmp_path, 0)
    board.scalars(2, {"loss/a": 0.5, "loss/b": 1.5})
    board.histogram(2, "weights", np.array([[0.0, 1.0], [1.0, 1.0]]))
    board.image(2, "image", np.zeros((4, 6, 3), np.uint8))
    board.text("command", "`main.py`")
    board.layout({"losses": {"both": ["loss/a", "loss/b"]}})
    board.settings(SETTINGS, ("TRAIN.LR", "SEED"), ("loss/a",))
    board.close(failed)
    values = values_of(tmp_path)
    assert [values[tag][0].simple_value for tag in ("loss/a", "loss/b")] == [0.5, 1.5]
    assert (values["weights"][0].histo.num, values["weights"][0].histo.sum) == (4, 3)
    assert (values["image"][0].image.height, values["image"][0].image.width) == (4, 6)
    assert any("command" in tag for tag in values)
    begin = hparams(values["_hparams_/session_start_info"][0]).session_start_info.hparams
    # Sorted by name, the columns are in the given order; a whole number is a string.
    assert begin["01 TRAIN.LR"].number_value == 0.5 and begin["02 SEED"].string_value == "3"
    end = hparams(values["_hparams_/session_end_info"][0]).session_end_info
    assert end.status == Status.Value("STATUS_FAILURE" if failed else "STATUS_SUCCESS")
    assert board.error is None


def test_a_full_disk_is_an_error_and_no_endless_wait(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    board = TensorBoard(tmp_path, 0)
    monkeypatch.setattr(EventsWriter, "write_event", full)
    monkeypatch.setattr(EventsWriter, "flush", full)

    def write():
        for step in range(200):  # more than the queue of tensorboardX's thread holds
            board.scalars(step, {"loss/a": 0.5})
        board.close(failed=True)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(timeout=20)
    assert not writing.is_alive() and board.error.errno == 28


def test_a_tensorboardx_with_other_private_attributes_is_used_without_the_guard(tmp_path, monkeypatch):
    class OtherVersion:
        def __init__(self, folder):
            self.file_writer = SimpleNamespace(event_writer=SimpleNamespace())
            self.scalars = []

        def add_scalar(self, *scalar):
            self.scalars.append(scalar)

        def close(self):
            self.scalars.append("closed")

    made = []
    monkeypatch.setattr(
        lib.tracking.trackers, "SummaryWriter", lambda folder: made.append(OtherVersion(folder)) or made[-1]
    )
    board = TensorBoard(tmp_path, 0)
    board.scalars(1, {"loss/a": 0.5})
    board.close(failed=False)
    assert board.error is None and made[0].scalars == [("loss/a", 0.5, 1), "closed"]


def test_wandb_continues_its_run_only_after_a_step(tmp_path, monkeypatch):
    runs = fake_wandb.install(monkeypatch)
    board = WandB("poses", "a/b", tmp_path, 0)
    board.scalars(1, {"loss/a": 0.5})
    board.image(1, "image", np.zeros((4, 6, 3), np.uint8))
    board.histogram(1, "weights", np.array([0.5]))
    board.settings(SETTINGS, ("SEED",), ())
    board.text("command", "`main.py`")
    board.layout({})
    board.close(failed=True)
    assert runs[0].logged[:2] == [(1, {"loss/a": 0.5}), (1, {"image": ("image", (4, 6, 3))})]
    assert runs[0].config == SETTINGS and runs[0].exit_code == 1 and board.error is None
    WandB("poses", "a/b", tmp_path, 5).close(failed=False)
    WandB("poses", "a/b", tmp_path, 0)
    first, resumed, new = (run.how["id"] for run in runs)
    assert first == resumed != new and runs[1].exit_code == 0
    assert (runs[0].how["project"], runs[0].how["name"], runs[0].how["dir"]) == (
        "poses",
        "a/b",
        str(tmp_path),
    )


def test_wandb_that_is_missing_or_cannot_start_is_an_input_error(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="WANDB.*pip install wandb"):
        import_wandb()

    def refuse(**_):
        raise RuntimeError("no\nnetwork")

    fake_wandb.install(monkeypatch)
    monkeypatch.setattr(sys.modules["wandb"], "init", refuse)
    with pytest.raises(InputError, match=r"WANDB.*poses.*no network.*WANDB_MODE=offline"):
        WandB("poses", "a/b", tmp_path, 0)
