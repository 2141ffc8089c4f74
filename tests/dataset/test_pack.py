"""A pack in use: by workers, by other annotations."""

import shutil
from itertools import islice
from multiprocessing.reduction import ForkingPickler

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from lib.dataset.loader import InfiniteBatchSampler, SharedMemoryDataset, training_batches
from lib.dataset.packing import packed
from tests.dataset.test_packing import SKIP, assert_same, dataset_of, make_people


@pytest.mark.parametrize("method", ["fork", "shared memory", pytest.param("spawn", marks=pytest.mark.slow)])
def test_workers_share_the_pack(tmp_path, monkeypatch, method):
    dataset = dataset_of(make_people(tmp_path / "images"))
    with_pack = packed(dataset, tmp_path / "a.pack", SKIP)
    with_pack[0, 0]  # mapped before workers start
    shutil.rmtree(tmp_path / "images")  # whatever they read, they read from the pack
    order = InfiniteBatchSampler(len(dataset), 6, seed=3)
    expected = [[with_pack[key] for key in batch] for batch in islice(order, 4)]
    if method == "spawn":
        shared = SharedMemoryDataset(with_pack)
        batches = DataLoader(shared, batch_sampler=order, num_workers=1, multiprocessing_context="spawn")
    else:
        monkeypatch.setattr("lib.dataset.loader.workers_are_forked", lambda: method == "fork")
        batches = training_batches(with_pack, order, 2, pin=False)
    for batch, samples in zip(islice(batches, 4), expected, strict=True):
        assert torch.equal(batch.image, torch.stack([sample.image for sample in samples]))
        assert list(batch.problem) == [""] * 6


def test_the_table_of_a_pack_is_sent_by_handle(tmp_path):
    people = make_people(tmp_path / "images")
    many = dataset_of(people.subset(np.arange(20).repeat(1000)))
    shared = SharedMemoryDataset(packed(many, tmp_path / "a.pack", SKIP))
    assert len(bytes(ForkingPickler.dumps(shared))) < 20_000
    assert shared.dataset.pack.rows.ctypes.data == shared.shared_rows.data_ptr()
    assert torch.equal(shared[19_999, 3].image, many[19_999, 3].image)


def test_joined_packs_and_other_annotations(tmp_path):
    one, two = make_people(tmp_path / "one"), make_people(tmp_path / "two", seed=5)
    both = [packed(dataset_of(p), tmp_path / f"{k}.pack", SKIP) for k, p in enumerate((one, two))]
    together = both[0].with_annotations(one.joined(two))
    assert together.pack is None  # a pack is of its own annotations
    assert_same(together.with_pack(both[0].pack.joined(both[1].pack)), dataset_of(one.joined(two)))
