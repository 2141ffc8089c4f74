import pytest
import torch

from lib.core.errors import InputError
from lib.utils.device import pick_device


def test_auto_falls_back_to_the_cpu_and_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device, said = pick_device("auto", "0")
    assert device.type == "cpu" and "no CUDA device" in said
    with pytest.raises(InputError, match="no CUDA device"):
        pick_device("cuda", "0")


def test_the_number_picks_the_cuda_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a device")
    assert pick_device("auto", "1")[0] == torch.device("cuda", 1)
    assert pick_device("cpu", "1")[0].type == "cpu"
    for gpus in ("2", "0,1", "first", ""):
        with pytest.raises(InputError, match="GPUS"):
            pick_device("cuda", gpus)
