"""Commands that run in several processes, started by torchrun or for the devices of GPUS."""

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

LAUNCHER_GRACE = 30  # seconds for the launcher to end the remaining processes after one has failed


def run_together(command: Callable[[list[str] | None, Group], Any], argv: list[str] | None) -> int:
    """Run ``command(argv, group)`` as `run_command` does, in every process of the group.

    Returns the exit code if this is the only process; otherwise it ends the process with that code.
    """
    group = init_distributed()
    if group.size == 1:
        return run_command(lambda argv: command(argv, group), argv)
    try:
        code = run_command(lambda argv: command(argv, group), argv, group)
        if code == 0:
            shutdown(group)
    except ProcessLostError as error:
        # The failed process reports the cause. Wait, so that the launcher does not report this one as the first to fail.
        time.sleep(LAUNCHER_GRACE)
        print(f"error: {one_line(error)}", file=sys.stderr)
        code = 1
    end_process(code)


def end_process(code: int) -> NoReturn:
    """Exit at once, without the interpreter's shutdown, during which threads of torch.distributed sometimes abort."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def start_on_gpus(config: Config, group: Group, script: str, argv: list[str] | None) -> None:
    """If GPUS names several devices, run ``script`` with ``argv`` in a process for each, and exit with their code.

    Does nothing in a process that was itself started in this way, or by torchrun.

    Raises:
        InputError: if GPUS names a device that does not exist.
    """
    numbers = cuda_numbers(config.device, config.gpus)
    if group.size > 1 or len(numbers) < 2:
        return
    # Imported here since it takes a second, and most runs do not need it.
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The processes report their errors themselves.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # as torchrun does; otherwise each would use all cores
    launch_config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=len(numbers),
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    argv = sys.argv[1:] if argv is None else argv
    try:
        elastic_launch(launch_config, sys.executable)("-u", script, *argv)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            print(f"error: process {rank} was ended by {failure.signal_name()}", file=sys.stderr)
        sys.exit(failure.exitcode if failure.exitcode > 0 else 1)
    except SignalException as error:  # Ctrl-C or SIGTERM, which the processes received, too
        sys.exit(128 + error.sigval)
    sys.exit(0)
