"""What the commands share: the flags for settings, and errors as one line."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from easydict import EasyDict

from lib.core.config import describe_settings, load_config, parse_overrides, settings
from lib.core.errors import InputError, NonFiniteError, one_line

# Flags that stand for a setting: what each means is the setting's own sentence.
FLAGS = {
    "gpus": "GPUS",
    "workers": "WORKERS",
    "batch_size": "TRAIN.BATCH_SIZE",
    "num_epochs": "TRAIN.END_EPOCH",
    "random_seed": "SEED",
    "save_dir": "OUTPUT_DIR",
    "load_ckpt": "TRAIN.LOAD_CKPT",
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
        group.add_argument(f"--{flag}", metavar="VALUE", help=f"{key}: {settings()[key].meaning}")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, over the YAML file")
    parser.set_defaults(setting_flags=flags)
    return parser


def configuration(arguments: argparse.Namespace) -> tuple[EasyDict, list[str]]:
    """The configuration that the arguments of a ``settings_parser`` ask for, and notes on it."""
    given = [
        (key, getattr(arguments, flag.replace("-", "_"))) for flag, key in arguments.setting_flags.items()
    ]
    pairs = [word for key, value in given if value is not None for word in (key, value)]
    return load_config(arguments.cfg, parse_overrides(arguments.overrides) | parse_overrides(pairs))


def run_command(command: Callable[[list[str] | None], Any], words: list[str] | None) -> int:
    """Run ``command``, print what it returns; the exit code. An error of ours, or of a file, is one line."""
    try:
        print(command(words))
    except InputError as error:
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except OSError as error:  # a full disk, or a place where nothing can be written
        print(f"error: {one_line(error)}", file=sys.stderr)
        return 2
    except NonFiniteError as error:
        print(f"error: {one_line(error)}; the last good checkpoint is kept", file=sys.stderr)
        return 3
    return 0
