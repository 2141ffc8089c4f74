"""Learning By Ignoring, and the baselines it is compared with.

    python pose_estimation/main.py --cfg experiments/demo/people.yaml --ours2 [KEY VALUE ...]

trains one of nine modes, chooses the best epoch on the target's validation part and tests it.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.core.config import describe_settings, load_config, parse_overrides, settings
from lib.core.errors import InputError, NonFiniteError
from lib.core.training import Folders, train
from lib.ignoring.modes import MODES, Mode

# Flags that stand for a setting: what each means is the setting's own sentence.
FLAGS = {
    "lam": "LBI.LAM",
    "gamma": "LBI.GAMMA",
    "meta_loop": "LBI.META_LOOP",
    "gpus": "GPUS",
    "workers": "WORKERS",
    "batch_size": "TRAIN.BATCH_SIZE",
    "num_epochs": "TRAIN.END_EPOCH",
    "random_seed": "SEED",
    "save_dir": "OUTPUT_DIR",
    "load_ckpt": "TRAIN.LOAD_CKPT",
}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="settings, for the YAML file or as KEY VALUE pairs:\n" + describe_settings(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--cfg", required=True, metavar="FILE", help="YAML file of settings")
    modes = parser.add_argument_group("mode, exactly one of")
    for mode in MODES.values():
        modes.add_argument(f"--{mode.name}", action="store_true", help=mode.meaning)
    flags = parser.add_argument_group("short for settings")
    for flag, key in FLAGS.items():
        flags.add_argument(f"--{flag}", metavar="VALUE", help=f"{key}: {settings()[key].meaning}")
    parser.add_argument("overrides", nargs="*", metavar="KEY VALUE", help="any setting, over the YAML file")
    return parser


def chosen_mode(arguments: argparse.Namespace) -> Mode:
    chosen = [mode for mode in MODES.values() if getattr(arguments, mode.name)]
    if len(chosen) != 1:
        found = " and ".join(f"--{mode.name}" for mode in chosen) or "none"
        names = ", ".join(f"--{name}" for name in MODES)
        raise InputError(f"exactly one mode must be given, found {found}; the modes are {names}")
    return chosen[0]


def main(words: list[str] | None = None) -> int:
    arguments = build_parser().parse_intermixed_args(words)
    try:
        mode = chosen_mode(arguments)
        given = [(key, getattr(arguments, flag)) for flag, key in FLAGS.items()]
        pairs = [word for key, value in given if value is not None for word in (key, value)]
        overrides = parse_overrides(arguments.overrides) | parse_overrides(pairs)
        config, notes = load_config(arguments.cfg, overrides)
        results = train(config, mode, Folders.of(config, arguments.cfg, mode), notes)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except NonFiniteError as error:
        print(f"error: {error}; the last good checkpoint is kept", file=sys.stderr)
        return 3
    print(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
