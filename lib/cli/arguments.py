"""Command-line arguments that the commands share, and `run_command`, which turns errors into exit codes."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from lib.config.loader import describe_settings, load_config, parse_overrides, with_settings
from lib.config.schema import Config, settings
from lib.ignoring.modes import MODES, Mode
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError, NonFiniteError, PartlyDoneError, StoppedError, one_line
from lib.utils.log import close_terminal, open_terminal, silence_log
from lib.utils.stopping import kill_leftover_workers
from lib.utils.terminal import colourise

# Flags that are short for a setting; their help is that of the setting.
FLAGS = {
    "gpus": "GPUS",
    "workers": "WORKERS",
    "batch_size": "TRAIN.BATCH_SIZE",
    "num_epochs": "TRAIN.END_EPOCH",
    "random_seed": "SEED",
    "save_dir": "OUTPUT_DIR",
    "load_ckpt": "TRAIN.LOAD_CKPT",
    "resume": "TRAIN.RESUME",
    "wandb": "WANDB",
}


def settings_parser(
    description: str, flags: dict[str, str] = FLAGS, needs_file: bool = True
) -> argparse.ArgumentParser:
    """Return a parser of --cfg, of ``flags`` {flag: setting}, and of any setting as KEY VALUE.

    Args:
        needs_file: whether --cfg must be given.
    """
    parser = argparse.ArgumentParser(
        description=description,
        epilog="settings, in the YAML file or as KEY VALUE pairs:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cfg", required=needs_file, metavar="FILE", help="YAML file of settings")
    group = parser.add_argument_group("short for settings")
    for flag, key in flags.items():
        is_switch = isinstance(settings()[key].default, bool)
        options: dict[str, Any] = (
            {"action": "store_const", "const": "true"} if is_switch else {"metavar": "VALUE"}
        )
        group.add_argument(f"--{flag}", help=f"{key}: {settings()[key].meaning}", **options)
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY VALUE", help="any setting; overrides the YAML file"
    )
    parser.set_defaults(setting_flags=flags)
    return parser


def add_terminal_flags(parser: argparse.ArgumentParser) -> None:
    """Add --quiet and --verbose; see `show_on_terminal`."""
    group = parser.add_mutually_exclusive_group()
    for verbosity, meaning in (
        ("quiet", "print only warnings, errors and the result; log files are unaffected"),
        ("verbose", "print every step, and every file that is read"),
    ):
        group.add_argument(
            f"--{verbosity}", dest="verbosity", action="store_const", const=verbosity, help=meaning
        )
    parser.set_defaults(verbosity="normal")


def show_on_terminal(arguments: argparse.Namespace, group: Group = ALONE) -> None:
    """Show the log on the terminal, as detailed as the flags of `add_terminal_flags` say.

    `run_command` closes it. Ranks other than 0 log nothing.
    """
    if group.is_main:
        open_terminal(arguments.verbosity)
    else:
        silence_log()


def add_mode_flags(parser: argparse.ArgumentParser, title: str) -> None:
    """Add a flag for each of the nine modes; see `chosen_mode`."""
    group = parser.add_argument_group(title)
    for mode in MODES.values():
        group.add_argument(f"--{mode.name}", action="store_true", help=mode.meaning)


def chosen_mode(arguments: argparse.Namespace, default: str | None = None) -> Mode:
    """Return the mode whose flag is given, or the mode ``default`` if none is.

    Raises:
        InputError: if several flags are given, or none and there is no default.
    """
    chosen = [mode for mode in MODES.values() if getattr(arguments, mode.name)]
    if not chosen and default:
        return MODES[default]
    if len(chosen) != 1:
        given = " and ".join(f"--{mode.name}" for mode in chosen) or "none"
        names = ", ".join(f"--{name}" for name in MODES)
        raise InputError(f"exactly one mode must be given, found {given}; the modes are {names}")
    return chosen[0]


def configuration(arguments: argparse.Namespace) -> Config:
    """Load the configuration that the arguments of a `settings_parser` give; remarks on it are logged.

    KEY VALUE pairs override the YAML file, and flags override both.

    Raises:
        InputError: for an unreadable file, an unknown key or an invalid value.
    """
    return load_config(arguments.cfg, overrides_of(arguments))


def overrides_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """{key: value} of the flags and KEY VALUE pairs of a `settings_parser`. Raises InputError."""
    given = [
        (key, getattr(arguments, flag.replace("-", "_"))) for flag, key in arguments.setting_flags.items()
    ]
    pairs = [text for key, value in given if value is not None for text in (key, value)]
    return parse_overrides(arguments.overrides) | parse_overrides(pairs)


def training_configuration(arguments: argparse.Namespace) -> Config:
    """`configuration` for training, where DATASET.COLOR_RGB auto is true."""
    config = configuration(arguments)
    return with_settings(config, {"DATASET.COLOR_RGB": config.dataset.reads_rgb})


def run_command(
    command: Callable[[list[str] | None], Any], argv: list[str] | None, group: Group = ALONE
) -> int:
    """Run ``command`` with the arguments ``argv``, print its result, and return the exit code.

    Expected errors are printed as one line, by a single rank.

    Returns:
        0, or the ``exit_code`` of the command's result if it has one; 1 if a part of the work failed; 2 for
        invalid input or an error of the file system; 3 for a number that is not finite; 128 plus the number
        of the signal that stopped it.
    """
    try:
        result = command(argv)
        close_terminal()
        if group.is_main:
            print(result)
        return getattr(result, "exit_code", 0)
    except (InputError, OSError) as error:  # OSError: a full disk, or no write permission
        code, message = 2, _as_error(error)
    except PartlyDoneError as error:
        code, message = 1, str(error)
    except NonFiniteError as error:
        code, message = 3, _as_error(f"{error}; the last good checkpoint is kept")
    except StoppedError as error:
        code, message = 128 + error.signal, one_line(error)  # the convention of shells
    finally:
        close_terminal()
        kill_leftover_workers()
    if group.is_first_to_report(message):
        print(message, file=sys.stderr, flush=True)
    return code


def _as_error(error: Exception | str) -> str:
    return f"{colourise('error:', 'red', sys.stderr)} {one_line(error)}"
