"""What the commands share: the flags for settings, and errors as one line."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from lib.config.loader import describe_settings, load_config, parse_overrides
from lib.config.schema import Config, settings
from lib.ignoring.modes import MODES, Mode
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError, NonFiniteError, PartlyDoneError, StoppedError, one_line
from lib.utils.log import close_terminal, open_terminal, silence_log
from lib.utils.terminal import colourise

# Flags that stand for a setting: what each means is the setting's own sentence.
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


def settings_parser(description: str, flags: dict[str, str] = FLAGS) -> argparse.ArgumentParser:
    """A parser of --cfg, of ``flags`` {flag: setting}, and of any setting as KEY VALUE."""
    parser = argparse.ArgumentParser(
        description=description,
        epilog="settings, for the YAML file or as KEY VALUE pairs:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML file of settings")
    group = parser.add_argument_group("short for settings")
    for flag, key in flags.items():
        switch = isinstance(settings()[key].default, bool)
        how: dict[str, Any] = {"action": "store_const", "const": "true"} if switch else {"metavar": "VALUE"}
        group.add_argument(f"--{flag}", help=f"{key}: {settings()[key].meaning}", **how)
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, over the YAML file")
    parser.set_defaults(setting_flags=flags)
    return parser


def add_terminal_flags(parser: argparse.ArgumentParser) -> None:
    """--quiet and --verbose; see `show_on_terminal`."""
    group = parser.add_mutually_exclusive_group()
    for shown, meaning in (
        (
            "quiet",
            "print warnings, errors and the last line alone; files of logs hold everything all the same",
        ),
        ("verbose", "print every step, and every file that is read"),
    ):
        group.add_argument(f"--{shown}", dest="shown", action="store_const", const=shown, help=meaning)
    parser.set_defaults(shown="normal")


def show_on_terminal(arguments: argparse.Namespace, group: Group = ALONE) -> None:
    """Show the log on the terminal as the flags of `add_terminal_flags` ask; `run_command` closes it.

    Ranks other than 0 log nothing.
    """
    if group.is_main:
        open_terminal(arguments.shown)
    else:
        silence_log()


def add_mode_flags(parser: argparse.ArgumentParser, title: str) -> None:
    """A flag for each of the nine modes; see `chosen_mode`."""
    group = parser.add_argument_group(title)
    for mode in MODES.values():
        group.add_argument(f"--{mode.name}", action="store_true", help=mode.meaning)


def chosen_mode(arguments: argparse.Namespace, default: str | None = None) -> Mode:
    """The one mode whose flag is given, or the one called ``default``. Raises InputError."""
    chosen = [mode for mode in MODES.values() if getattr(arguments, mode.name)]
    if not chosen and default:
        return MODES[default]
    if len(chosen) != 1:
        found = " and ".join(f"--{mode.name}" for mode in chosen) or "none"
        names = ", ".join(f"--{name}" for name in MODES)
        raise InputError(f"exactly one mode must be given, found {found}; the modes are {names}")
    return chosen[0]


def configuration(arguments: argparse.Namespace) -> Config:
    """Load the configuration that the arguments of a ``settings_parser`` ask for; notes on it are logged."""
    given = [
        (key, getattr(arguments, flag.replace("-", "_"))) for flag, key in arguments.setting_flags.items()
    ]
    pairs = [word for key, value in given if value is not None for word in (key, value)]
    overrides = parse_overrides(arguments.overrides) | parse_overrides(pairs)
    return load_config(arguments.cfg, overrides)


def run_command(
    command: Callable[[list[str] | None], Any], words: list[str] | None, group: Group = ALONE
) -> int:
    """Run ``command``, print what it returns; the exit code. An error of ours, or of a file, is one line.

    The code is 0 where all went well, unless what the command returns has an ``exit_code`` of its own.
    What several processes of ``group`` would print alike, one of them prints.
    """
    try:
        result = command(words)
        close_terminal()
        if group.is_main:
            print(result)
        return getattr(result, "exit_code", 0)
    except (InputError, OSError) as error:  # OSError: a full disk, or a place where nothing can be written
        code, message = 2, _as_error(error)
    except PartlyDoneError as error:
        code, message = 1, str(error)
    except NonFiniteError as error:
        code, message = 3, _as_error(f"{error}; the last good checkpoint is kept")
    except StoppedError as error:
        code, message = 128 + error.signal, one_line(error)  # as shells say it of what a signal ended
    finally:
        close_terminal()
    if group.is_first_to_report(message):
        print(message, file=sys.stderr, flush=True)
    return code


def _as_error(error: Exception | str) -> str:
    return f"{colourise('error:', 'red', sys.stderr)} {one_line(error)}"
