"""Train a pose network on one data set, as SimpleBaseline does.

    python pose_estimation/train.py --cfg experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml [KEY VALUE ...]

evaluates it after every epoch on DATASET.TEST_SET and keeps the best epoch. The loss is SimpleBaseline's: the mean
of squared errors over pixels, where main.py takes their sum.
"""

import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import add_terminal_flags, settings_parser, show_on_terminal, training_configuration
from lib.cli.launch import run_together, start_on_gpus
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import Mode, SourceUse
from lib.models.loss import OverPixels
from lib.tracking.trackers import import_wandb
from lib.training.data import build_single_data, with_packs
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from lib.utils.distributed import Group

ALONE = Mode("train", "one data set", SourceUse.NONE, SourceUse.NONE)


def command(argv: list[str] | None, group: Group) -> Path:
    """Train as the arguments say; the path of results.json."""
    parser = settings_parser(__doc__)
    add_terminal_flags(parser)
    arguments = parser.parse_intermixed_args(argv)
    show_on_terminal(arguments, group)
    config = training_configuration(arguments)
    start_on_gpus(config, group, __file__, argv)
    if config.wandb:
        import_wandb()  # fail now if it is missing, not after the data are read
    with group.main_process_first():  # it writes the annotation cache that the other ranks read
        data = build_single_data(config)
    data = with_packs(config, data, group)
    paths = RunPaths.for_run(config, arguments.cfg, config.dataset.dataset, ALONE.name)
    return train(RunSpec(config, ALONE, data, paths, group, OverPixels.MEAN))


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return run_together(command, argv)


if __name__ == "__main__":
    sys.exit(main())
