"""Process group of data-parallel training, as torchrun starts it; a single process is a group of size 1.

As in all of torch.distributed, every rank must call the same collective methods in the same order. Tensors on
a GPU go through NCCL, everything else through gloo.
"""

import hashlib
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lib.utils.errors import InputError, ProcessLostError, one_line
from lib.utils.profile import profiled

TIMEOUT = timedelta(minutes=10)  # of a collective call: rank 0 may be reading annotations for all ranks

POLL_SECONDS = 0.2
SUCCEEDED, FAILED = 1, 2


@dataclass(eq=False)
class Group:
    """The ranks that train together, and the collective calls between them.

    With size 1, every method returns its arguments and sends nothing. Methods that communicate raise
    ProcessLostError if another process has ended.

    rank, size: number of this process (from 0), and how many there are.
    local_rank, local_size: the same on this machine alone.
    store: key-value store shared by the ranks; None with a single process.
    messages, sent: number of messages and of bytes sent so far, by kind; see benchmarks/traffic.py.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    store: "dist.Store | None" = None  # some builds of torch have none
    messages: Counter = field(default_factory=Counter)
    sent: Counter = field(default_factory=Counter)

    @property
    def is_main(self) -> bool:
        """Whether this is rank 0, the only one that writes files and logs."""
        return self.rank == 0

    def shard(self, count: int) -> slice:
        """This rank's share of ``count`` items: consecutive ones, as many as the other ranks' to within one."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def own_rows(self, counts: tuple[int, ...]) -> slice:
        """This rank's rows of a gathered batch of which rank r holds ``counts[r]``; all rows without counts."""
        return slice(sum(counts[: self.rank]), sum(counts[: self.rank + 1])) if counts else slice(None)

    @profiled("communication")
    def all_reduce_(self, tensors: list[Tensor], kind: str = "sum") -> list[Tensor]:
        """Sum ``tensors`` over the ranks, in place and in one message.

        Args:
            tensors: of one dtype, on one device, with the same shapes on every rank.
            kind: what `messages` and `sent` count it as.

        Returns:
            ``tensors``.
        """
        if self.size == 1:
            return tensors
        whole = torch.cat([tensor.reshape(-1) for tensor in tensors])
        with self._message(kind, whole):
            dist.all_reduce(whole)
        for tensor, part in zip(tensors, whole.split([tensor.numel() for tensor in tensors])):
            tensor.copy_(part.view(tensor.shape))
        return tensors

    @profiled("communication")
    def all_gather(self, counts: tuple[int, ...], *tensors: Tensor) -> tuple[Tensor, ...]:
        """Concatenate the rows of all ranks' ``tensors``, in one message.

        Args:
            counts: number of rows on each rank.
            tensors: [counts[rank], ...] each, of any dtypes, on one device.

        Returns:
            Tensors [sum(counts), ...] of the same dtypes, with the rows of rank 0 first.
        """
        if self.size == 1:
            return tensors
        # Different dtypes go as bytes of one message, padded to the same number of rows on every rank.
        rows = [_as_bytes(tensor) for tensor in tensors]
        mine = torch.cat(rows, dim=1)
        padded = mine.new_zeros(max(counts), mine.shape[1])
        padded[: len(mine)] = mine
        parts = [torch.empty_like(padded) for _ in counts]
        with self._message("gather", padded):
            dist.all_gather(parts, padded)
        whole = torch.cat([part[:count] for part, count in zip(parts, counts)])
        split = whole.split([row.shape[1] for row in rows], dim=1)
        return tuple(
            _own_memory(part).view(tensor.dtype).view(len(whole), *tensor.shape[1:])
            for part, tensor in zip(split, tensors)
        )

    @profiled("communication")
    def counts(self, *numbers: int) -> list[tuple[int, ...]]:
        """For each of ``numbers``, its value on every rank: [(rank 0's, rank 1's, ...), ...]."""
        if self.size == 1:
            return [(number,) for number in numbers]
        mine = torch.tensor(numbers)
        everyone = [torch.empty_like(mine) for _ in range(self.size)]
        with self._message("counts", mine):
            dist.all_gather(everyone, mine)
        return list(zip(*(other.tolist() for other in everyone)))

    def all_gather_object(self, value: Any) -> list[Any]:
        """The ``value`` of every rank; it is pickled, so it should be small."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        with self._process_loss():
            dist.all_gather_object(values, value)
        return values

    def broadcast_object(self, make: Callable[[], Any]) -> Any:
        """The result of ``make()`` on rank 0, small enough to be pickled; the other ranks do not call it."""
        return self.all_gather_object(make() if self.is_main else None)[0]

    def broadcast_(self, tensors: list[Tensor]) -> None:
        """Overwrite ``tensors`` with those of rank 0."""
        for tensor in tensors if self.size > 1 else []:
            # torch.distributed sends contiguous memory only, and channels_last weights are not contiguous.
            contiguous = tensor.contiguous()
            with self._process_loss():
                dist.broadcast(contiguous, 0)
            tensor.copy_(contiguous)

    def barrier(self) -> None:
        """Wait until every rank has called this."""
        self.counts(0)

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """A ``with`` block that rank 0 leaves before the other ranks enter it."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    @contextmanager
    def main_process_first_however_long(self, name: str) -> Iterator[None]:
        """Like `main_process_first`, but the other ranks wait as long as it takes, without sending anything.

        Args:
            name: of the work; used once in a run.

        Raises:
            ProcessLostError: on the other ranks, if rank 0 failed.
        """
        if self.store is None:
            yield
            return
        if not self.is_main:
            with self._process_loss():
                while not (ended := self.store.add(name, 0)):
                    time.sleep(POLL_SECONDS)
            if ended != SUCCEEDED:
                raise ProcessLostError(f"process 0 failed in {name}")
            yield
            return
        try:
            yield
        except BaseException:
            self.store.add(name, FAILED)
            raise
        self.store.add(name, SUCCEEDED)

    def is_first_to_report(self, message: str) -> bool:
        """True on exactly one rank: the first to call it with this ``message``."""
        if self.store is None:
            return True
        try:
            return self.store.add(hashlib.sha256(message.encode()).hexdigest(), 1) == 1
        except RuntimeError:  # the process that holds the store has ended
            return True

    @contextmanager
    def _message(self, kind: str, content: Tensor) -> Iterator[None]:
        """Count a message of ``content`` that the ``with`` block sends."""
        self.messages[kind] += 1
        self.sent[kind] += content.numel() * content.element_size()
        with self._process_loss():
            yield

    @contextmanager
    def _process_loss(self) -> Iterator[None]:
        """Turn torch.distributed's errors in the ``with`` block into ProcessLostError."""
        try:
            yield
        except RuntimeError as error:
            raise ProcessLostError(f"process {self.rank} lost the others ({one_line(error)[:200]})") from None


ALONE = Group()


def init_distributed() -> Group:
    """Join the group that torchrun's environment variables describe; without them, a group of size 1.

    Raises:
        InputError: the other processes can't be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        return Group()
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=TIMEOUT))
        backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=TIMEOUT)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the other {size - 1} processes can't be reached ({one_line(error)[:200]})"
        ) from None
    local_rank = int(os.environ.get("LOCAL_RANK", rank))
    local_size = int(os.environ.get("LOCAL_WORLD_SIZE", size))
    return Group(rank, size, local_rank, local_size, dist.PrefixStore("reported", store))


def shutdown(group: Group) -> None:
    """Wait for the other ranks and leave the process group; ``group`` cannot be used afterwards."""
    if group.size > 1:
        group.barrier()
        dist.destroy_process_group()


def _as_bytes(tensor: Tensor) -> Tensor:
    """[N, ...] of any dtype to uint8 [N, bytes of a row]."""
    return _own_memory(tensor.reshape(len(tensor), math.prod(tensor.shape[1:]))).view(torch.uint8)


def _own_memory(tensor: Tensor) -> Tensor:
    """A contiguous copy."""
    # contiguous() returns a single row as it is, and view(dtype) then depends on where it lies in memory.
    return tensor.clone(memory_format=torch.contiguous_format)
