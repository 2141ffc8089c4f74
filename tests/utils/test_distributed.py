"""A group of processes, asked in 2 and in 3 gloo processes and alone."""

import pytest
import torch

from lib.utils.distributed import ALONE, Group, init_distributed
from lib.utils.errors import InputError


@pytest.mark.parametrize("size", [1, 2, 3, 8])
@pytest.mark.parametrize("count", [0, 1, 5, 8, 33])
def test_parts_are_disjoint_whole_and_alike(size, count):
    things = list(range(count))
    parts = [things[Group(rank, size).shard(count)] for rank in range(size)]
    assert sum(parts, []) == things
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_everything_stays_as_it_is():
    given = [torch.rand(2), torch.rand(3, 4)]
    kept = [tensor.clone() for tensor in given]
    assert ALONE.all_reduce_(given) is given and ALONE.all_gather((), *given) == tuple(given)
    assert all(torch.equal(a, b) for a, b in zip(given, kept))
    assert (
        ALONE.counts(3, 0) == [(3,), (0,)]
        and ALONE.all_gather_object("x") == ["x"]
        and ALONE.broadcast_object(dict) == {}
    )
    assert ALONE.own_rows(()) == slice(None)
    assert ALONE.is_first_to_report("x") and ALONE.is_first_to_report("x")
    with ALONE.main_process_first():
        ALONE.barrier()
    with ALONE.main_process_first_however_long("packing"):
        pass
    assert not ALONE.messages


@pytest.mark.parametrize("size", [2, 3])
def test_every_method_finds_what_all_have(together, size):
    found = [one["methods"] for one in together[size]]
    ranks = range(size)
    total, rows = sum(ranks), [rank for rank in ranks for _ in range(rank)]
    for rank, one in enumerate(found):
        assert one["sum"][0] == total and torch.equal(one["sum"][1], torch.full((2, 3), 10.0 * total))
        index, flags, numbers = one["gather"]
        assert index.tolist() == [2**40 + r for r in rows] and flags.tolist() == [r == 1 for r in rows]
        assert flags.dtype == torch.bool
        assert torch.equal(numbers, torch.tensor(rows)[:, None] / 3 * torch.ones(2))
        assert [rows[i] for i in one["own"].tolist()] == [rank] * rank
        assert one["counts"] == [tuple(ranks), tuple(10 * r for r in ranks)]
        assert one["all"] == [f"process {r}" for r in ranks] and one["first"] == {"rank": 0}
        assert (one["copied"] == 0).all()
        # Both waits of "first before the others", and the counts themselves.
        assert one["messages"] == {"sum": 1, "gather": 1, "counts": 2}
        # 7 numbers of float32; padded to the most rows: an int64, a bool and two float32; one and two int64.
        assert one["sent"] == {"sum": 7 * 4, "gather": (size - 1) * (8 + 1 + 8), "counts": 8 + 16}
    assert found[0]["entered"] == 1 and sorted(one["entered"] for one in found) == [r + 1 for r in ranks]
    assert found[0]["packing"] == 1 and sorted(one["packing"] for one in found) == [r + 1 for r in ranks]
    assert found[0]["failed"] == ("InputError", "too little space")
    assert {one["failed"] for one in found[1:]} == {("ProcessLostError", "process 0 failed in failing")}
    assert sum(one["says"][0] for one in found) == 1 and all(one["says"][1] for one in found)


def test_without_torchrun_there_is_nobody_else(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "1")
    monkeypatch.setenv("RANK", "0")
    assert (init_distributed().rank, init_distributed().size, init_distributed().store) == (0, 1, None)


def test_others_that_cannot_be_reached_are_an_input_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    for name in ("MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="other 1 processes can't be reached.*MASTER_ADDR"):
        init_distributed()
