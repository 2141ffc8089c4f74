import pytest
import torch

from lib.utils.device import cuda_numbers, one_thread, pick_device
from lib.utils.errors import InputError


def test_auto_falls_back_to_the_cpu_and_says_so(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    device, description = pick_device("auto", "0")
    assert device.type == "cpu" and "no CUDA device" in description
    with pytest.raises(InputError, match="no CUDA device"):
        pick_device("cuda", "0")


def test_the_number_picks_the_cuda_device(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a device")
    assert pick_device("auto", "1")[0] == torch.device("cuda", 1)
    assert pick_device("cpu", "1")[0].type == "cpu"
    for gpus in ("2", "0,1", "first", "", "0,0"):
        with pytest.raises(InputError, match="GPUS"):
            pick_device("cuda", gpus)


def test_a_device_is_named_once(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert cuda_numbers("cuda", "1,0") == [1, 0]
    with pytest.raises(InputError, match="GPUS is '0,0'"):
        cuda_numbers("cuda", "0,0")


def test_every_process_of_a_machine_gets_a_device_of_its_own(monkeypatch):
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a device")
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert [pick_device("auto", "0", n, 3)[0].index for n in range(3)] == [0, 1, 2]
    assert [pick_device("auto", "3,1", n, 2)[0].index for n in range(2)] == [3, 1]
    assert [device.index for device in chosen] == [0, 1, 2, 3, 1]
    for gpus, processes in (("0", 5), ("1,2", 3), ("0,4", 2)):
        with pytest.raises(InputError, match="device"):
            pick_device("cuda", gpus, 0, processes)
    assert cuda_numbers("auto", "2, 0") == [2, 0] and cuda_numbers("cpu", "2,0") == []


def test_one_thread_within_a_block_only():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with pytest.raises(ZeroDivisionError), one_thread():
            assert torch.get_num_threads() == 1
            raise ZeroDivisionError
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
