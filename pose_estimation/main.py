"""Train Learning By Ignoring, or one of the baselines that it is compared with.

    python pose_estimation/main.py --cfg experiments/demo/people.yaml --ours2 [KEY VALUE ...]

trains in one of nine modes, selects the best epoch on the target's validation part V, and tests it.

    torchrun --nproc_per_node=2 pose_estimation/main.py --cfg experiments/demo/people.yaml --ours2

does the same in two processes.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.cli.launch import run_together, start_on_gpus
from lib.config.run_paths import RunPaths
from lib.label_noise.source_record import check_ids
from lib.tracking.trackers import import_wandb
from lib.training.data import build_data, with_packs
from lib.training.profiling import profile
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.utils.distributed import Group

FLAGS = {"lam": "LBI.LAM", "gamma": "LBI.GAMMA", "meta_loop": "LBI.META_LOOP"} | shared.FLAGS


def build_parser() -> argparse.ArgumentParser:
    """The parser of main.py's arguments."""
    parser = shared.settings_parser(__doc__, FLAGS)
    parser.add_argument("--profile", nargs="?", type=int, const=10, metavar="STEPS", help="do not train, but profile STEPS training steps (default 10): print a table of their parts, write torch's trace")  # fmt: skip
    shared.add_terminal_flags(parser)
    shared.add_mode_flags(parser, "mode, exactly one of")
    return parser


def command(argv: list[str] | None, group: Group) -> Path:
    """Train or profile as the arguments say; the path of the results."""
    arguments = build_parser().parse_intermixed_args(argv)
    shared.show_on_terminal(arguments, group)
    mode = shared.chosen_mode(arguments)
    config = shared.training_configuration(arguments)
    start_on_gpus(config, group, __file__, argv)
    if config.wandb:
        import_wandb()  # fail now if it is missing, not after the data are read
    with group.main_process_first():  # it writes the annotation cache that the other ranks read
        data = build_data(config, mode.uses_source)
    if mode.ignores:
        check_ids(data.source.annotations, data.source_record.file)
    data = with_packs(config, data, group)
    run = mode.name if arguments.profile is None else f"{mode.name}_profile"
    spec = RunSpec(config, mode, data, RunPaths.for_transfer(config, arguments.cfg, run), group)
    return train(spec) if arguments.profile is None else profile(spec, arguments.profile)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run_together(command, argv)


if __name__ == "__main__":
    sys.exit(main())
