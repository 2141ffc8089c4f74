"""Create the built-in demo data: drawn people, in the layouts of COCO (source) and MPII (target)."""

import argparse
import sys
from dataclasses import fields
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.label_noise.corruptions import NOISE_KINDS
from lib.synthetic.generate import PeopleConfig, describe, make_people
from lib.utils.errors import InputError

HELP = {
    "seed": "the same seed gives the same bytes",
    "noise": "label noise of the source: KIND:SHARE, or several joined by +",
    "mix": "share of source images in the target's look",
    "source_people": "source people with noisy labels",
    "source_val_people": "source people with clean labels",
    "target_train_people": "target people to train on",
    "test_people": "target people to test on",
}


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse the command line: ``output`` and a flag for each field of PeopleConfig."""
    kinds = "".join(f"\n  {name:13} {kind.meaning}" for name, kind in NOISE_KINDS.items())
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog=f"kinds of label noise:{kinds}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--output", default="data/people", help="folder to write (default: %(default)s)")
    for field in fields(PeopleConfig):
        flag, text = f"--{field.name.replace('_', '-')}", f"{HELP[field.name]} (default: {field.default})"
        parser.add_argument(flag, type=type(field.default), default=field.default, help=text)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    """Create the data and print one line about it; returns the exit code."""
    options = vars(parse_arguments(arguments))
    output = options.pop("output")
    try:
        created = make_people(output, PeopleConfig(**options))
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{'created' if created else 'already there:'} {describe(output)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
