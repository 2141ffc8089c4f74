"""The same function in several processes at once, joined as torchrun joins them."""

import multiprocessing
import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.multiprocessing

from lib.utils.distributed import Group, init_distributed, shutdown


def in_processes(
    function: Callable[[Group], Any], sizes: tuple[int, ...], folder: Path
) -> dict[int, list[Any]]:
    """{size: [what ``function(group)`` returned in each process]}, every size by the same processes."""
    ports = [_free_port() for _ in sizes]
    method = "spawn"
    if "forkserver" in multiprocessing.get_all_start_methods():  # which imports torch once for all
        method = "forkserver"
        multiprocessing.set_forkserver_preload([getattr(function, "func", function).__module__])
    torch.multiprocessing.start_processes(
        _run, (function, sizes, ports, folder), nprocs=max(sizes), start_method=method
    )
    return {
        size: [pickle.loads((folder / f"{size}_{rank}").read_bytes()) for rank in range(size)]
        for size in sizes
    }


def _run(rank: int, function: Callable, sizes: tuple[int, ...], ports: list[int], folder: Path) -> None:
    torch.set_num_threads(1)
    for size, port in zip(sizes, ports):
        if rank < size:
            os.environ.update(
                RANK=str(rank), WORLD_SIZE=str(size), MASTER_ADDR="localhost", MASTER_PORT=str(port)
            )
            group = init_distributed()
            (folder / f"{size}_{rank}").write_bytes(pickle.dumps(function(group)))
            shutdown(group)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]
