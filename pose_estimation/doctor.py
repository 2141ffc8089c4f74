"""Check everything that a run needs before it takes hours: data, labels, joints, images, weights, machine.

    python pose_estimation/doctor.py --cfg C.yaml [--ours2] [--output DIR] [KEY VALUE ...]

Each finding is ok, a warning (the result may suffer) or an error (the run would stop or be worthless), with
advice. The exit code is 0 if all is ok, 1 with warnings and 2 with errors. A few training steps are taken to
estimate time and memory, and discarded. samples.png in DIR shows samples with their labels.
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


def command(argv: list[str] | None) -> Examination:
    """Examine as the arguments say."""
    parser = shared.settings_parser(__doc__)
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of samples.png (default: doctor in OUTPUT_DIR)"
    )
    parser.add_argument("--steps", type=int, default=4, metavar="N", help="training steps of each phase, to measure time and memory; 0: none (default: %(default)s)")  # fmt: skip
    shared.add_mode_flags(parser, f"mode to check, one of (default: --{DEFAULT_MODE})")
    arguments = parser.parse_intermixed_args(argv)
    if arguments.steps < 0:
        raise InputError(f"--steps is {arguments.steps}, expected 0 or more")
    mode = shared.chosen_mode(arguments, DEFAULT_MODE)
    with captured_messages() as notes:
        config = shared.configuration(arguments)
    folders = RunPaths.for_transfer(config, arguments.cfg, mode.name)
    output = arguments.output or Path(config.output_dir) / "doctor"
    return examine(config, mode, folders, notes, output, arguments.steps)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
