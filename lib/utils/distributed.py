"""Several processes that train one model together, as torchrun starts them; one alone is a group too.

Everybody calls the same methods in the same order, as in all of torch.distributed. Numbers on a GPU go
through NCCL, all else through gloo.
"""

import hashlib
import math
import os
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

PATIENCE = timedelta(minutes=10)  # for another process, say one that reads annotations for all


@dataclass(eq=False)
class Group:
    """Process ``rank`` of ``size``; number ``local_rank_and_size[0]`` of the ``local_rank_and_size[1]`` on its machine.

    Alone, every method gives back what it was given, at no cost. ``messages`` and ``sent`` count what
    goes to the others, by kind: messages, and bytes of their content (see benchmarks/traffic.py).
    Every method that needs the others raises ProcessLostError where one is gone.
    """

    rank: int = 0
    size: int = 1
    local_rank_and_size: tuple[int, int] = (0, 1)
    store: "dist.Store | None" = None  # some builds of torch have none
    messages: Counter = field(default_factory=Counter)
    sent: Counter = field(default_factory=Counter)

    @property
    def is_main(self) -> bool:
        """Whether this is the one process that writes."""
        return self.rank == 0

    def part(self, count: int) -> slice:
        """This process's share of ``count`` things in a row: consecutive ones, as many for each to within one."""
        return slice(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def own(self, counts: tuple[int, ...]) -> slice:
        """This process's rows of a batch of which process r holds ``counts[r]``."""
        return slice(sum(counts[: self.rank]), sum(counts[: self.rank + 1])) if counts else slice(None)

    @profiled("communication")
    def all_reduce_(self, tensors: list[Tensor], kind: str = "sum") -> list[Tensor]:
        """``tensors``, of one type, summed over the processes in place, in one message."""
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
        """The rows of all processes, [sum of counts, ...], of ``tensors`` [counts[rank], ...]; in one message."""
        if self.size == 1:
            return tensors
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
        """For each of ``numbers``, what it is in every process."""
        if self.size == 1:
            return [(number,) for number in numbers]
        mine = torch.tensor(numbers)
        everyone = [torch.empty_like(mine) for _ in range(self.size)]
        with self._message("counts", mine):
            dist.all_gather(everyone, mine)
        return list(zip(*(other.tolist() for other in everyone)))

    def all_gather_object(self, value: Any) -> list[Any]:
        """What ``value``, plain and small, is in every process."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        with self._others():
            dist.all_gather_object(found, value)
        return found

    def broadcast_object(self, make: Callable[[], Any]) -> Any:
        """What ``make()``, plain and small, is in the first process; the others don't call it."""
        return self.all_gather_object(make() if self.is_main else None)[0]

    def broadcast_(self, tensors: list[Tensor]) -> None:
        """Give ``tensors`` the first process's numbers."""
        for tensor in tensors if self.size > 1 else []:
            # A copy, since what lies in memory otherwise than row by row cannot be sent.
            sent = tensor.contiguous()
            with self._others():
                dist.broadcast(sent, 0)
            tensor.copy_(sent)

    def barrier(self) -> None:
        """Until everybody is here."""
        self.counts(0)

    @contextmanager
    def main_process_first(self) -> Iterator[None]:
        """A ``with`` block that the first process leaves before the others enter it."""
        if not self.is_main:
            self.barrier()
        yield
        if self.is_main:
            self.barrier()

    def is_first_to_report(self, message: str) -> bool:
        """True in one process alone, whichever asks first."""
        if self.store is None:
            return True
        try:
            return self.store.add(hashlib.sha256(message.encode()).hexdigest(), 1) == 1
        except RuntimeError:  # nobody keeps count any more
            return True

    @contextmanager
    def _message(self, kind: str, content: Tensor) -> Iterator[None]:
        self.messages[kind] += 1
        self.sent[kind] += content.numel() * content.element_size()
        with self._others():
            yield

    @contextmanager
    def _others(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise ProcessLostError(f"process {self.rank} lost the others ({one_line(error)[:200]})") from None


ALONE = Group()


def init_distributed() -> Group:
    """The group that the environment names, as torchrun sets it; this process alone where there is none.

    Raises InputError where the others can't be reached.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ:
        return Group()
    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    try:
        store, rank, size = next(dist.rendezvous("env://", timeout=PATIENCE))
        backend = "cpu:gloo,cuda:nccl" if on_gpus else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (RuntimeError, ValueError) as error:
        raise InputError(
            f"the other {size - 1} processes can't be reached ({one_line(error)[:200]})"
        ) from None
    place = (int(os.environ.get("LOCAL_RANK", rank)), int(os.environ.get("LOCAL_WORLD_SIZE", size)))
    return Group(rank, size, place, dist.PrefixStore("said", store))


def shutdown(group: Group) -> None:
    """Wait for the others and part; the group is of no use afterwards."""
    if group.size > 1:
        group.barrier()
        dist.destroy_process_group()


def _as_bytes(tensor: Tensor) -> Tensor:
    """[N, ...] -> [N, bytes of a row]."""
    return _own_memory(tensor.reshape(len(tensor), math.prod(tensor.shape[1:]))).view(torch.uint8)


def _own_memory(tensor: Tensor) -> Tensor:
    # contiguous() would leave a single row as it is, wherever it lies.
    return tensor.clone(memory_format=torch.contiguous_format)
