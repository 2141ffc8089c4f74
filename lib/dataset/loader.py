"""TrainingBatches: endless shuffled ones for training, one pass in order for evaluation."""

import multiprocessing
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.stopping import leave_stopping_to_parent


class InfiniteBatchSampler(Sampler):
    """TrainingBatches of (index, visit) without end, a function of seed and position alone.

    Every pass is a new permutation (or the same order, with ``shuffle`` false). The remainder
    that does not fill a batch is left out of its pass; a set smaller than a batch is one batch.
    So no person comes twice in one batch. ``start`` is the number of batches already taken.
    Of every batch a process gets its own part, whatever the number of processes of ``group``.
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
        self.part = group.part(self.batch_size)

    @property
    def batches_per_pass(self) -> int:
        return self.count // self.batch_size

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        visit, first = divmod(self.start, self.batches_per_pass)
        while True:
            order = np.arange(self.count)
            if self.shuffle:
                order = np.random.default_rng([self.seed, visit]).permutation(self.count)
            for batch in range(first, self.batches_per_pass):
                chosen = order[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [(int(index), visit) for index in chosen[self.part]]
            visit, first = visit + 1, 0


class SharedPeople(Dataset):
    """``dataset`` for workers that inherit nothing: its annotations lie in memory that all of them share.

    Multiprocessing sends torch's tensors by handle, and NumPy's arrays as copies.
    """

    def __init__(self, dataset: KeypointDataset):
        people = dataset.annotations
        self.count = len(dataset)
        self.mapping = people.mapping
        self.shared = {
            name: torch.from_numpy(np.array(array)).share_memory_() for name, array in people.arrays().items()
        }
        self.without_people = dataset.of(None)
        self.dataset: KeypointDataset | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        return self.opened()[key]

    def opened(self) -> KeypointDataset:
        """The data set, its arrays those that are shared."""
        if self.dataset is None:
            arrays = {name: tensor.numpy() for name, tensor in self.shared.items()}
            self.dataset = self.without_people.of(Annotations.of_arrays(self.mapping, arrays))
        return self.dataset


def workers_inherit() -> bool:
    """Whether worker processes are forks of this one, so that they share its memory as it is."""
    default = multiprocessing.get_all_start_methods()[0]
    return (multiprocessing.get_start_method(allow_none=True) or default) == "fork"


def _start_worker(_worker: int) -> None:
    leave_stopping_to_parent()
    # One thread a worker: several workers with OpenCV's own threads fight for the same cores.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def training_batches(
    dataset: KeypointDataset, batches: InfiniteBatchSampler, workers: int, pin: bool
) -> Iterator[Sample]:
    """Iterate ``dataset`` in the order of ``batches``, read ahead by ``workers`` processes."""
    return iter(_loader(dataset, {"batch_sampler": batches}, workers, pin))


def evaluation_batches(
    dataset: KeypointDataset, batch_size: int, workers: int, pin: bool, group: Group = ALONE
) -> DataLoader:
    """Every person of ``dataset`` once, in order; of the batches, this process's part."""
    mine = group.part(-(-len(dataset) // batch_size))
    people = range(mine.start * batch_size, min(mine.stop * batch_size, len(dataset)))
    keys = [(index, 0) for index in people]
    return _loader(dataset, {"sampler": keys, "batch_size": batch_size}, workers, pin)


def _loader(dataset: KeypointDataset, order: dict, workers: int, pin: bool) -> DataLoader:
    if workers and not workers_inherit():
        dataset = SharedPeople(dataset)
    # A generator of its own keeps the loader from drawing on, and so changing, torch's global one.
    return DataLoader(
        dataset,
        num_workers=workers,
        pin_memory=pin,
        worker_init_fn=_start_worker,
        generator=torch.Generator(),
        **order,
    )


def readable(
    batch: Sample, on_bad_image: str, report: Callable[[str], None], or_nobody: bool = False
) -> Sample:
    """The samples whose image could be read; others raise InputError or go to ``report``.

    Raises InputError too where nothing of the batch is left, unless it may be nobody.
    """
    problems = [problem for problem in batch.problem if problem]
    if not problems:
        return batch
    if on_bad_image == "raise":
        raise InputError(f"{problems[0]}; DATASET.ON_BAD_IMAGE skip leaves such images out")
    for problem in problems:
        report(problem)
    if len(problems) == len(batch.problem) and not or_nobody:
        raise InputError(f"no image of a whole batch can be read, among them {problems[0]}")
    return batch.select(torch.tensor([not problem for problem in batch.problem]))
