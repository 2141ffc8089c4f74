"""Batches of samples: infinite and shuffled for training, one pass in order for evaluation."""

import functools
import multiprocessing
import warnings
from collections.abc import Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.stopping import leave_stopping_to_parent


class InfiniteBatchSampler(Sampler):
    """Infinite sequence of batches of (index, visit), determined by the seed and the position alone.

    Every pass over the data set is a new permutation. The remainder that does not fill a batch is left out of
    its pass, so an instance is in a batch at most once. A data set smaller than a batch is one batch.

    Args:
        count: number of samples N of the data set.
        batch_size: of all ranks together.
        seed: of the permutations.
        shuffle: False: the same order in every pass.
        start: number of batches already taken (to resume).
        group: process group; each rank gets its own part of every batch.
    """

    def __init__(
        self,
        count: int,
        batch_size: int,
        seed: int,
        shuffle: bool = True,
        start: int = 0,
        group: Group = ALONE,
    ):
        self.count = count
        self.batch_size = min(batch_size, count)
        self.seed = seed
        self.shuffle = shuffle
        self.start = start
        self.part = group.shard(self.batch_size)

    @property
    def batches_per_pass(self) -> int:
        """Number of full batches in one pass over the data set."""
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        visit, first = divmod(self.start, self.batches_per_pass)
        while True:
            order = np.arange(self.count)
            if self.shuffle:
                order = np.random.default_rng([self.seed, visit]).permutation(self.count)
            for batch in range(first, self.batches_per_pass):
                indices = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [(int(index), visit) for index in indices[self.part]]
            visit, first = visit + 1, 0


class SharedMemoryDataset(Dataset):
    """``dataset`` for workers that are not forked: its annotations are in shared memory.

    multiprocessing pickles NumPy arrays by value, but torch tensors in shared memory by handle.
    """

    def __init__(self, dataset: KeypointDataset):
        annotations = dataset.annotations
        self.count = len(dataset)
        self.mapping = annotations.mapping
        self.shared = {
            name: torch.from_numpy(np.array(array)).share_memory_()
            for name, array in annotations.arrays().items()
        }
        self.without_annotations = dataset.with_annotations(None)
        self.pack = dataset.pack
        if self.pack is not None:
            self.shared_rows = torch.from_numpy(self.pack.rows.copy()).share_memory_()
            self.pack = self.pack.with_rows(np.empty(0))

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        return self.dataset[key]

    @functools.cached_property
    def dataset(self) -> KeypointDataset:
        """The data set in this process; its arrays are views of the shared memory."""
        arrays = {name: tensor.numpy() for name, tensor in self.shared.items()}
        dataset = self.without_annotations.with_annotations(
            Annotations.from_arrays(self.mapping, ReadingNotes(), arrays)
        )
        return (
            dataset if self.pack is None else dataset.with_pack(self.pack.with_rows(self.shared_rows.numpy()))
        )


def workers_are_forked() -> bool:
    """Whether worker processes are forks of this one, which share its memory."""
    default = multiprocessing.get_all_start_methods()[0]
    return (multiprocessing.get_start_method(allow_none=True) or default) == "fork"


def _start_worker(_worker: int) -> None:
    leave_stopping_to_parent()
    # One thread per worker: OpenCV's own threads in several workers compete for the same cores.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def training_batches(
    dataset: KeypointDataset, batches: InfiniteBatchSampler, workers: int, pin: bool
) -> Iterator[Sample]:
    """Iterate over ``dataset`` in the order of ``batches``.

    Args:
        dataset: samples by (index, visit).
        batches: which samples make up each batch.
        workers: processes that prepare batches ahead; 0: this process.
        pin: put batches into pinned memory, for faster copies to a GPU.
    """
    return iter(_loader(dataset, {"batch_sampler": batches}, workers, pin))


def close_workers(batches: Iterator) -> None:
    """Shut down the workers of an iterator that `training_batches` returned, if it has any.

    torch does so when the iterator is garbage-collected. With pinned memory that was seen to happen only at
    the program's end, and torch has no public way to ask for it.
    """
    shutdown = getattr(batches, "_shutdown_workers", None)
    if shutdown is not None:
        shutdown()


def evaluation_batches(
    dataset: KeypointDataset, batch_size: int, workers: int, pin: bool, group: Group = ALONE
) -> DataLoader:
    """Batches of every sample of ``dataset`` once, in order; of those, this rank's contiguous part.

    Args:
        dataset: samples by (index, visit).
        batch_size: samples per batch.
        workers: processes that prepare batches ahead; 0: this process.
        pin: put batches into pinned memory, for faster copies to a GPU.
        group: process group.
    """
    own = group.shard(-(-len(dataset) // batch_size))  # a slice of the batches, rounded up
    indices = range(own.start * batch_size, min(own.stop * batch_size, len(dataset)))
    keys = [(index, 0) for index in indices]
    return _loader(dataset, {"sampler": keys, "batch_size": batch_size}, workers, pin)


def _loader(dataset: KeypointDataset, order: dict, workers: int, pin: bool) -> DataLoader:
    if workers and not workers_are_forked():
        dataset = SharedMemoryDataset(dataset)
    # More workers than cores are the default on a small machine: slower by little, and nothing to act on.
    warnings.filterwarnings("ignore", message="This DataLoader will create .* worker processes")
    # With its own generator, the loader does not draw from torch's global one.
    return DataLoader(
        dataset,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),
        **order,
    )


def drop_unreadable(batch: Sample, on_bad_image: str) -> tuple[Sample, list[str]]:
    """Select the samples of ``batch`` whose image could be read.

    Args:
        batch: samples with ``problem``.
        on_bad_image: DATASET.ON_BAD_IMAGE: "raise" or "skip".

    Returns:
        The batch without unreadable samples, maybe empty, and the problem of each of these.

    Raises:
        InputError: an image is unreadable and is not to be skipped.
    """
    problems = [problem for problem in batch.problem if problem]
    if not problems:
        return batch, []
    if on_bad_image == "raise":
        raise InputError(f"{problems[0]}; DATASET.ON_BAD_IMAGE skip leaves such images out")
    return batch.select(torch.tensor([not problem for problem in batch.problem])), problems
