"""Write the report of a finished run, or a comparison of several, as a single HTML file.

python pose_estimation/report.py OUTPUT_DIR [OTHER ...] [--output FILE] [--rows N]
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.report.page import write_report


def command(argv: list[str] | None) -> Path:
    """Write the report and return its path."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", metavar="OUTPUT_DIR", help="output folder of a run")
    parser.add_argument("--output", metavar="FILE", help="default: report.html in the first folder")
    parser.add_argument(
        "--rows",
        type=int,
        default=2,
        metavar="N",
        help="rows of images in each gallery (default: %(default)s)",
    )
    arguments = parser.parse_args(argv)
    return write_report(arguments.folders, arguments.output, arguments.rows)


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
