"""Messages of several processes in a training step: measured on this machine, and calculated for GPUs.

    python benchmarks/communication.py --json output/communication.json --repeat 3 [--processes 2]

ResNet-50, 256x192, 8 people in each batch, Adam, on processes of this machine: gloo, or NCCL if there are
GPUs. ``messages``: the time that they take once all ranks are ready for them, with packing and unpacking.
The tables for 8 and for 4 x 8 GPUs are a calculation (benchmarks/traffic.py): 32 people of each batch in
every process, a step of baseline2 assumed to take 100 ms without messages, links as in the titles.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.pose_case import PoseCase, config_of
from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, median_times, write_numbers
from benchmarks.traffic import Parameters, ring_seconds, traffic_of_step
from lib.cli.launch import end_process
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.modes import MODES
from lib.training.cost import forwards_of_hypergradient, forwards_of_step
from lib.training.phases import phases
from lib.utils.device import wait_for_device
from lib.utils.distributed import Group, init_distributed, shutdown

# What is measured and calculated: each mode with hypergradients along the whole network, and along its last layer.
VARIANTS = {name: (name, {}) for name in MODES} | {
    f"{name}_final": (name, {"LBI__HYPERGRAD_LAYERS": "final"})
    for name, mode in MODES.items()
    if mode.ignores
}
MEASURED = ("baseline1", "baseline2", "ours1", "ours1_final", "ours2", "ours2_final", "ours5")
PEOPLE = 32  # of each batch in every process, of the calculation
BASELINE2 = 0.1  # seconds of its step, assumed as in docs/transfer.md
# title: (processes, bytes a second and seconds of latency of the slowest link of a ring through all)
LINKS = {
    "8 GPUs, 100 GB/s links": (8, 100e9, 10e-6),
    "8 GPUs, 16 GB/s links": (8, 16e9, 10e-6),
    "4 x 8 GPUs, 12.5 GB/s between machines": (32, 12.5e9, 30e-6),
    "4 x 8 GPUs, 3.1 GB/s between machines": (32, 3.1e9, 30e-6),
}


class TimedGroup(Group):
    """A group that times its messages.   seconds: their total, each counted from when all ranks are ready."""

    seconds = 0.0

    def _timed(self, call):
        wait_for_device()
        self.barrier()
        begun = time.perf_counter()
        result = call()
        wait_for_device()
        self.seconds += time.perf_counter() - begun
        return result

    def all_reduce_(self, tensors, kind="sum"):
        """As `Group.all_reduce_`, timed."""
        return self._timed(lambda: super(TimedGroup, self).all_reduce_(tensors, kind))

    def all_gather(self, counts, *tensors):
        """As `Group.all_gather`, timed."""
        return self._timed(lambda: super(TimedGroup, self).all_gather(counts, *tensors))


def measured(variant: str, group: TimedGroup, repeat: int) -> dict[str, float]:
    """Median seconds of a step of one of ``VARIANTS``; mean seconds and MB of its messages."""
    mode, settings = VARIANTS[variant]
    case = PoseCase(mode, config_of(**settings), group)
    case.step()
    group.seconds, steps = 0.0, case.state.step
    group.sent.clear()
    seconds = median_times({mode: case.step}, repeat)[mode]
    steps = case.state.step - steps
    sent = sum(bytes_ for kind, bytes_ in group.sent.items() if kind != "counts")
    return {"seconds": seconds, "messages": group.seconds / steps, "MB": sent / steps / 1e6}


def calculated(title: str, parameters: dict[str, Parameters]) -> dict[str, dict[str, float]]:
    """A row for each of ``VARIANTS``: what a step sends, ms of computation and of messages, and the throughput of all
    processes relative to a single one.

    Args:
        title: of ``LINKS``.
        parameters: of a model, by LBI.HYPERGRAD_LAYERS.
    """
    processes, bandwidth, latency = LINKS[title]
    sizes = {"TRAIN__BATCH_SIZE": PEOPLE * processes, "LBI__VAL_BATCH_SIZE": 0}
    config, table = config_of(**sizes), {}
    (joint,) = phases(config.train, config.lbi, MODES["baseline2"])
    forward = BASELINE2 / forwards_of_step(config.train, joint)
    for name, (mode, settings) in VARIANTS.items():
        config = config_of(**sizes, **settings)
        (phase,) = phases(config.train, config.lbi, MODES[mode])
        moving = parameters[config.lbi.hypergrad_layers]
        traffic = traffic_of_step(config, phase, Weighting.UPDATE, moving, processes)
        computing = forward * (
            forwards_of_step(config.train, phase) + forwards_of_hypergradient(config, phase)
        )
        messages = ring_seconds(traffic, processes, bandwidth, latency)
        table[name] = {
            "MB": sum(traffic.sent.values()) / 1e6,
            "messages": sum(traffic.messages.values()),
            "ms computing": 1000 * computing,
            "ms messages": 1000 * messages,
            "times one process": processes * computing / (computing + messages),
        }
    return table


def main() -> None:
    """Run the command: start the processes, or measure if this is one of them."""
    parser = benchmark_parser(__doc__, repeat=3)
    parser.add_argument(
        "--processes", type=int, default=2, help="to measure with on this machine; default: 2"
    )
    parser.add_argument("--only", metavar="MODE,...", help=f"to measure; default: {','.join(MEASURED)}")
    arguments = parser.parse_args()
    if "WORLD_SIZE" not in os.environ:
        starter = ["-m", "torch.distributed.run", "--nproc_per_node", str(arguments.processes)]
        sys.exit(subprocess.run([sys.executable, *starter, __file__, *sys.argv[1:]]).returncode)
    torch.set_num_threads(arguments.threads)
    joined = init_distributed()
    if torch.cuda.is_available():
        torch.cuda.set_device(joined.local_rank)
    group = TimedGroup(joined.rank, joined.size, joined.local_rank, joined.local_size, joined.store)
    names = arguments.only.split(",") if arguments.only else MEASURED
    by_mode = {mode: measured(mode, group, arguments.repeat) for mode in names}
    shutdown(joined)
    if joined.is_main:
        report(by_mode, joined.size, arguments.json)
    end_process(0)


def report(by_mode: dict[str, dict[str, float]], processes: int, path: Path | None) -> None:
    """Print and write the measurements of each mode, and the calculated tables."""
    parameters = {
        layers: Parameters.of(PoseCase("baseline1", config_of(LBI__HYPERGRAD_LAYERS=layers)).state.target)
        for layers in ("all", "final")
    }
    numbers = {
        "ratios": {
            f"{mode}: messages/step": row["messages"] / row["seconds"] for mode, row in by_mode.items()
        },
        f"seconds of a step, {processes} processes": by_mode,
        **{f"calculated: {title}": calculated(title, parameters) for title in LINKS},
    }
    print(tables(numbers))
    write_numbers(path, numbers)


if __name__ == "__main__":
    main()
