"""Review labels in doubt on a page in the browser: whether they are right, and where they belong.

    python pose_estimation/review.py DIR

DIR is what find_labels.py left. The page is served on 127.0.0.1 alone, to whoever has the address with the token
that is printed; on a machine reached by ssh, forward the same port (ssh -L 8765:127.0.0.1:8765, and --port 8765).
Every decision is written to DIR/decisions-REVIEWER.jsonl before the next label is shown. Labels that anybody
reviewed are not shown again. Several people can review: each with a name, in a folder they share or in copies of
it, whose files of decisions are then put into one folder. apply_corrections.py writes the corrected labels.
Needs two packages: pip install starlette uvicorn
--static FILE writes the page of the most suspect labels as one HTML file instead, which needs neither them nor this
machine. Whoever opens it gets a file of decisions to send back, which belongs into DIR.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.review.server import ReviewOptions, default_reviewer, open_folder, prepare
from lib.review.static_page import write_static


def command(argv: list[str] | None) -> str:
    """Serve the page until it is stopped; says what was decided."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", metavar="DIR", type=Path, help="folder that find_labels.py wrote")
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: a free one")
    parser.add_argument(
        "--reviewer", default=default_reviewer(), metavar="NAME", help="your name (default: %(default)s)"
    )
    parser.add_argument(
        "--images", type=Path, metavar="DIR", help="where the images are now, if they were moved"
    )
    parser.add_argument("--all", action="store_true", help="also show labels that were reviewed")
    parser.add_argument("--no-browser", action="store_true", help="only print the address")
    parser.add_argument("--static", type=Path, metavar="FILE", help="write one HTML file, and serve nothing")
    parser.add_argument(
        "--count", type=int, default=200, metavar="N", help="labels in that file (default: %(default)s)"
    )
    arguments = parser.parse_args(argv)
    options = ReviewOptions(arguments.reviewer, arguments.images, arguments.port, arguments.all)
    if arguments.static is not None:
        session, crops = open_folder(arguments.folder, options)
        count = write_static(arguments.static, session, crops, arguments.count, arguments.all)
        return f"{arguments.static}: the page of {count} labels, to open in a browser anywhere"
    server = prepare(arguments.folder, options)
    print(f"review: {server.address}   (stop with Ctrl-C)", flush=True)
    server.run(opens_browser=not arguments.no_browser)
    progress = server.session.progress()
    return (
        f"{progress.reviewed} of {progress.total} labels reviewed, {progress.wrong} of them wrong; "
        f"your decisions: {server.session.path}"
    )


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
