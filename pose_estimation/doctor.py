"""Look at all that a run will need, before it takes hours: data, labels, joints, images, weights, machine.

    python pose_estimation/doctor.py --cfg C.yaml [--ours2] [--output DIR] [KEY VALUE ...]

Each finding is ok, a warning (worth a look) or an error (the run would stop, or be spoilt), with what to do.
The exit code is 0 where all is ok, 1 with warnings and 2 with errors. A few steps of training are taken for
the estimates of time and memory; nothing is kept of them. samples.png in DIR shows samples with their labels.
"""

import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.run_paths import RunPaths
from lib.doctor.examine import examine
from lib.doctor.findings import Examination
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

DEFAULT_MODE = "ours2"


def command(words: list[str] | None) -> Examination:
    parser = shared.settings_parser(__doc__)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="for samples.png (default: doctor in OUTPUT_DIR)"
    )
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="of training in each phase, to measure time and memory; 0: none (default: %(default)s)")  # fmt: skip
    shared.add_mode_flags(parser, f"mode that is to be run, one of (default: --{DEFAULT_MODE})")
    arguments = parser.parse_intermixed_args(words)
    if arguments.steps < 0:
        raise InputError(f"--steps is {arguments.steps}, expected 0 or more")
    mode = shared.chosen_mode(arguments, DEFAULT_MODE)
    with captured_messages() as notes:
        config = shared.configuration(arguments)
    names = f"{config.dataset_src.dataset}_to_{config.dataset_target.dataset}"
    folders = RunPaths.for_run(config, arguments.cfg, names, mode.name)
    output = arguments.output or Path(config.output_dir) / "doctor"
    return examine(config, mode, folders, notes, output, arguments.steps)


def main(words: list[str] | None = None) -> int:
    return shared.run_command(command, words)


if __name__ == "__main__":
    sys.exit(main())
