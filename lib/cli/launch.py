"""The commands that run in several processes: as torchrun starts them, or as GPUS asks for."""

import logging
import os
import sys
import time
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

from lib.cli.arguments import run_command
from lib.config.schema import Config
from lib.utils.device import cuda_numbers
from lib.utils.distributed import Group, init_distributed, shutdown
from lib.utils.errors import ProcessLostError, one_line

PATIENCE = 30  # seconds in which whoever started the processes ends those that are left


def run_together(command: Callable[[list[str] | None, Group], Any], words: list[str] | None) -> int:
    """``run_command`` in every process of the group; what all of them would say is said once.

    Returns where there is no other process, and ends this one otherwise.
    """
    group = init_distributed()
    if group.size == 1:
        return run_command(lambda words: command(words, group), words)
    try:
        code = run_command(lambda words: command(words, group), words, group)
        if code == 0:
            shutdown(group)
    except ProcessLostError as error:
        # The one that ended has said why. Ending now, this one could be taken for the first to fail.
        time.sleep(PATIENCE)
        print(f"error: {one_line(error)}", file=sys.stderr)
        code = 1
    end_process(code)


def end_process(code: int) -> NoReturn:
    """Without taking it down in order: threads of torch.distributed now and then abort a process that does."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start_on_gpus(config: Config, group: Group, script: str, words: list[str] | None) -> None:
    """Where GPUS names several devices: run ``script`` with ``words`` in a process for each, and exit as they do.

    Does nothing in a process that has been started so, or by torchrun. Raises InputError.
    """
    numbers = cuda_numbers(config.device, config.gpus)
    if group.size > 1 or len(numbers) < 2:
        return
    # Takes a second to import, which most runs don't need.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.getLogger("torch.distributed.elastic").setLevel(
        logging.CRITICAL
    )  # the processes speak themselves
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does: each process would take all cores
    started = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=len(numbers),
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    words = sys.argv[1:] if words is None else words
    try:
        elastic_launch(started, sys.executable)("-u", script, *words)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            print(f"error: process {rank} was ended by {failure.signal_name()}", file=sys.stderr)
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)
    except SignalException as error:  # Ctrl-C, or an end asked for from outside: the processes got it too
        sys.exit(128 + error.sigval)
    sys.exit(0)
