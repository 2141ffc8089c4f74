import torch

from lib.utils.random_state import random_state, set_random_state


def test_the_same_numbers_follow_a_restored_state():
    before = random_state()
    drawn = torch.rand(5)
    assert not torch.equal(torch.rand(5), drawn)
    set_random_state(before)
    assert torch.equal(torch.rand(5), drawn)


def test_a_state_is_a_copy():
    before = random_state()
    copy = before["cpu"].clone()
    torch.rand(5)
    assert torch.equal(before["cpu"], copy) and not torch.equal(random_state()["cpu"], copy)


def test_cuda_is_part_of_it_only_if_it_is_in_use(monkeypatch):
    states, restored = [torch.zeros(3), torch.ones(3)], []
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: False)
    assert random_state().keys() == {"cpu"}
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_rng_state_all", lambda: states)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", restored.append)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    state = random_state()
    assert state["cuda"] is states
    set_random_state(state)
    assert restored == [states]
    # On a machine with another number of devices, or from a checkpoint of a run on the CPU, CUDA's stays.
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    set_random_state(state)
    set_random_state({"cpu": state["cpu"]})
    assert restored == [states]
