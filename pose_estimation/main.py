"""Learning By Ignoring, and the baselines it is compared with.

    python pose_estimation/main.py --cfg experiments/demo/people.yaml --ours2 [KEY VALUE ...]

trains one of nine modes, chooses the best epoch on the target's validation part and tests it.

    torchrun --nproc_per_node=2 pose_estimation/main.py --cfg experiments/demo/people.yaml --ours2

does so in two processes.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.cli.launch import run_together, start_on_gpus
from lib.config.run_paths import RunPaths
from lib.tracking.boards import import_wandb
from lib.training.data import build_data
from lib.training.profiling import profile
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.utils.distributed import Group

FLAGS = {"lam": "LBI.LAM", "gamma": "LBI.GAMMA", "meta_loop": "LBI.META_LOOP"} | shared.FLAGS


def build_parser() -> argparse.ArgumentParser:
    parser = shared.settings_parser(__doc__, FLAGS)
    parser.add_argument("--profile", nargs="?", type=int, const=10, metavar="STEPS", help="don't train: say where the time of a step goes, over STEPS of them (default 10), and write torch's trace")  # fmt: skip
    shared.add_terminal_flags(parser)
    shared.add_mode_flags(parser, "mode, exactly one of")
    return parser


def command(words: list[str] | None, group: Group) -> Path:
    arguments = build_parser().parse_intermixed_args(words)
    shared.show_on_terminal(arguments, group)
    mode = shared.chosen_mode(arguments)
    config = shared.configuration(arguments)
    start_on_gpus(config, group, __file__, words)
    if config.wandb:
        import_wandb()  # now, and not after the data are read
    with group.main_process_first():  # so that the others find the annotations that it keeps
        data = build_data(config, mode.uses_source)
    names = f"{config.dataset_src.dataset}_to_{config.dataset_target.dataset}"
    run = mode.name if arguments.profile is None else f"{mode.name}_profile"
    spec = RunSpec(config, mode, data, RunPaths.for_run(config, arguments.cfg, names, run), group)
    return train(spec) if arguments.profile is None else profile(spec, arguments.profile)


def main(words: list[str] | None = None) -> int:
    return run_together(command, words)


if __name__ == "__main__":
    sys.exit(main())
