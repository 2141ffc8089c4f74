"""Check everything that a run needs before it takes hours: data, labels, joints, images, weights, machine.

    python pose_estimation/doctor.py --cfg C.yaml [--ours2 | --train | --valid] [--output DIR] [KEY VALUE ...]

Each finding is ok, a note, a warning (the result may suffer) or an error (the run would stop or be worthless),
with advice, and is printed as soon as it is known. The exit code is 0 if all is ok or a note, 1 with warnings
and 2 with errors. samples.png in DIR shows samples with their labels. At the end a few training steps are
taken to estimate time and memory, and discarded.
"""

import argparse
import math
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli import arguments as shared
from lib.config.loader import settings_of_file
from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.doctor.examine import examine
from lib.doctor.findings import Conclusion, Finding
from lib.doctor.request import Program, Request, Trial
from lib.evaluation.tested_set import SECTIONS, ChosenSet, choose_tested_set
from lib.ignoring.modes import MODES, Mode, SourceUse
from lib.models.weights_file import read_weights
from lib.utils.errors import InputError
from lib.utils.log import captured_messages, open_terminal

DEFAULT_MODE = "ours2"
OTHER_PROGRAMS: dict[Program, str] = {
    "train": "train.py: DATASET alone",
    "valid": "valid.py: evaluation alone",
}


def build_parser() -> argparse.ArgumentParser:
    """The parser of doctor.py's arguments."""
    trial = Trial()
    parser = shared.settings_parser(__doc__, shared.FLAGS | {"model-file": "TEST.MODEL_FILE"})
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help="folder of samples.png (default: doctor in OUTPUT_DIR)"
    )
    parser.add_argument("--steps", type=int, default=trial.steps, metavar="N", help="training steps of each phase, to measure time and memory; 0: none (default: %(default)s)")  # fmt: skip
    parser.add_argument("--max-seconds", type=float, default=trial.seconds, metavar="S", help="time limit of all training steps together; one step of a phase is always finished (default: %(default)g)")  # fmt: skip
    shared.add_mode_flags(parser, f"what to check, one of (default: --{DEFAULT_MODE})")
    group = parser.add_argument_group("or another command than main.py")
    for program, meaning in OTHER_PROGRAMS.items():
        group.add_argument(f"--{program}", action="store_true", help=meaning)
    group.add_argument("--data", choices=SECTIONS, help="with --valid: the test set of DATASET (single), or of DATASET_TARGET (target); default: as valid.py chooses")  # fmt: skip
    return parser


def command(argv: list[str] | None) -> Conclusion:
    """Examine as the arguments say, and print the findings as they are made."""
    arguments = build_parser().parse_intermixed_args(argv)
    if arguments.steps < 0:
        raise InputError(f"--steps is {arguments.steps}, expected 0 or more")
    if not 0 < arguments.max_seconds < math.inf:
        raise InputError(f"--max-seconds is {arguments.max_seconds:g}, expected a time above 0")
    request = _request(arguments)
    open_terminal()  # for the progress of the training steps
    print(f"{request.mode.name}: {request.mode.meaning}", flush=True)
    findings = []
    for item in examine(request):
        print(item, flush=True)
        if isinstance(item, Finding):
            findings.append(item)
    return Conclusion(findings)


def _request(arguments: argparse.Namespace) -> Request:
    program, mode = _chosen(arguments)
    with captured_messages() as remarks:
        config = (shared.configuration if program == "valid" else shared.training_configuration)(arguments)
    return Request(
        config=config,
        program=program,
        mode=mode,
        paths=_paths(config, arguments.cfg, program, mode),
        notes=tuple(remarks),
        output=arguments.output or Path(config.output_dir) / "doctor",
        trial=Trial(arguments.steps, arguments.max_seconds),
        tested=_tested(arguments, config) if program == "valid" else None,
    )


def _tested(arguments: argparse.Namespace, config: Config) -> ChosenSet:
    """The test set that valid.py chooses."""
    given = {
        "the command line": shared.overrides_of(arguments),
        arguments.cfg: settings_of_file(arguments.cfg),
    }
    path = config.test.model_file
    return choose_tested_set(arguments.data, given, (path, _mode_of(path)) if path else None)


def _mode_of(path: str) -> object:
    """The mode in a checkpoint; None if there is none, or the file cannot be read, which a finding tells later."""
    try:
        return read_weights(path).other.get("mode")
    except InputError:
        return None


def _chosen(arguments: argparse.Namespace) -> tuple[Program, Mode]:
    """The program and the mode that the flags name."""
    others = [program for program in OTHER_PROGRAMS if getattr(arguments, program)]
    modes = [name for name in MODES if getattr(arguments, name)]
    if not others:
        return "main", shared.chosen_mode(arguments, DEFAULT_MODE)
    if len(others) + len(modes) > 1:
        given = " and ".join(f"--{name}" for name in (*modes, *others))
        raise InputError(f"one run can be checked at a time, found {given}")
    (program,) = others
    return program, Mode(program, OTHER_PROGRAMS[program], SourceUse.NONE, SourceUse.NONE)


def _paths(config: Config, path: str, program: Program, mode: Mode) -> RunPaths:
    if program == "main":
        return RunPaths.for_transfer(config, path, mode.name)
    return RunPaths.for_run(config, path, config.dataset.dataset, program)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    return shared.run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
