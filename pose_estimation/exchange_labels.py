"""Give labels in doubt to an annotation tool, and take back what was corrected there.

    python pose_estimation/exchange_labels.py to DIR --tool cvat --output suspects
    python pose_estimation/exchange_labels.py from DIR --tool cvat --input annotations.zip --reviewer NAME

DIR is the folder of find_labels.py. Tools: CVAT, Label Studio, FiftyOne, SLEAP, DeepLabCut, YOLO pose (docs/exchange.md
says how to import and export there, and what each cannot hold).

"to" writes the images of the most suspect labels that nobody has reviewed, with all of their instances that were judged,
and records in DIR what was given. Repeated after "from", it gives the next ones.

"from" compares what comes back with that, and adds to DIR/decisions-NAME.jsonl: a label that was moved or added is moved,
one that was removed or hidden is wrong, and two that are exactly where the other was are exchanged. What is unchanged is
not decided, unless --unchanged right says that the suspects among it are right. apply_corrections.py then writes the
corrected file, as after review.py. No decision is taken back; the same file can be read again.
"""

import argparse
import sys
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.cli.arguments import run_command
from lib.exchange.comparison import Change, Comparison, compare
from lib.exchange.decide import Added, append, new_decisions
from lib.exchange.record import everything, nearest, read_records, record_path, write_records
from lib.exchange.source import Source
from lib.exchange.tools import TOOLS, Options, Tool, losses
from lib.review.decisions import Verdict
from lib.utils.errors import InputError

SUSPECTS = 200  # as many as review.py --static shows
UNDECIDED, RIGHT = "undecided", "right"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    ways = parser.add_subparsers(dest="way", required=True, metavar="to|from")
    out = ways.add_parser("to", help="write files for a tool")
    back = ways.add_parser("from", help="read the tool's file")
    for way in (out, back):
        way.add_argument("folder", type=Path, metavar="DIR", help="folder of find_labels.py")
        way.add_argument("--tool", choices=TOOLS, required=True)
        way.add_argument("--labels", type=Path, metavar="FILE", help="the annotation file, if it is not where it was")  # fmt: skip
        way.add_argument("--images", type=Path, metavar="DIR", help="where the images are now, if they were moved")  # fmt: skip
    out.add_argument("--output", type=Path, required=True, metavar="PATH", help="folder to write, new or empty; for DeepLabCut labeled-data/VIDEO of the project")  # fmt: skip
    out.add_argument("--suspects", type=int, default=SUSPECTS, metavar="N", help="the N most suspect labels that nobody has reviewed (default: %(default)s)")  # fmt: skip
    out.add_argument("--all", action="store_true", help="all images, not only those of the suspects")
    out.add_argument("--image-prefix", metavar="TEXT", help=f"Label Studio: before the names of images (default: {Options.prefix})")  # fmt: skip
    out.add_argument("--scorer", metavar="NAME", help=f"DeepLabCut: scorer in config.yaml (default: {Options.scorer})")  # fmt: skip
    back.add_argument("--input", type=Path, required=True, metavar="PATH", help="what the tool exported")
    back.add_argument("--reviewer", required=True, metavar="NAME", help="who corrected the labels")
    back.add_argument("--unchanged", choices=(UNDECIDED, RIGHT), default=UNDECIDED, help="what suspects are that came back as they were (default: %(default)s)")  # fmt: skip
    back.add_argument("--dry-run", action="store_true", help="show the counts, and write nothing")
    return parser


def command(argv: list[str] | None) -> str:
    """Write files for a tool, or read its file; says what was done."""
    arguments = build_parser().parse_args(argv)
    if not arguments.folder.is_dir():
        raise InputError(f"{arguments.folder}: is no folder, expected that of find_labels.py")
    source = Source(arguments.folder, arguments.labels, arguments.images)
    tool = TOOLS[arguments.tool]
    return _to(arguments, source, tool) if arguments.way == "to" else _from(arguments, source, tool)


def _to(arguments: argparse.Namespace, source: Source, tool: Tool) -> str:
    options = _options(arguments)
    if arguments.suspects < 1:
        raise InputError(f"--suspects is {arguments.suspects}, expected a number of labels")
    output: Path = arguments.output
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"--output {output}: exists; choose a folder that is new or empty")
    before = read_records(arguments.folder, arguments.tool, source.file, source.labels)
    given = source.choose(arguments.suspects, arguments.all)
    exchange = source.exchange(given)
    tool.write(exchange, output, options)
    write_records(arguments.folder, arguments.tool, source.file, [*before, given])
    count = sum(len(image.instances) for image in exchange.images)
    print(f"{len(given.suspects)} suspects; {count} instances in {len(exchange.images)} images, {len(exchange.joints)} joints")  # fmt: skip
    if turned := source.turned(exchange):
        print(f"warning: {len(turned)} images have an EXIF orientation that their labels do not follow, but tools do; the first: {turned[0]}")  # fmt: skip
    if lost := losses(tool, exchange):
        print(f"{tool.title} cannot hold, and is not given: {lost}")
    return f"{output}: import {tool.file}"


def _options(arguments: argparse.Namespace) -> Options:
    """InputError for an option of another tool."""
    for flag, value, tool in (
        ("--image-prefix", arguments.image_prefix, "label_studio"),
        ("--scorer", arguments.scorer, "deeplabcut"),
    ):
        if value is not None and arguments.tool != tool:
            raise InputError(f"{flag}: has no effect with --tool {arguments.tool}")
    given = {"prefix": arguments.image_prefix, "scorer": arguments.scorer}
    return Options(**{name: value for name, value in given.items() if value is not None})


def _from(arguments: argparse.Namespace, source: Source, tool: Tool) -> str:
    file = source.file
    records = read_records(arguments.folder, arguments.tool, file, source.labels)
    if not records:
        raise InputError(
            f"{record_path(arguments.folder, arguments.tool)}: is missing; nothing of {arguments.folder} was given to "
            f"{tool.title} (exchange_labels.py to), so nothing can come back"
        )
    known = source.exchange(everything(records))
    answer = tool.read(arguments.input, known)
    came = {image.name for name in (*answer.images, *answer.untouched) if (image := known.image(name))}
    exchange = source.exchange(nearest(records, came))
    comparison = compare(exchange, answer, tool.slack)
    if not comparison.instances:
        raise InputError(
            f"{arguments.input}: none of the {sum(len(image.instances) for image in exchange.images)} instances came back: "
            + "; ".join(comparison.remarks)
        )
    changes, unchanged = comparison.changes, comparison.unchanged
    if arguments.unchanged == RIGHT:
        changes = changes + [Change(number, joint, Verdict.RIGHT) for number, joint in comparison.suspects]
        unchanged = sorted(set(unchanged) - set(comparison.suspects))
    added = new_decisions(arguments.folder, file, arguments.reviewer, changes, unchanged)
    print("\n".join(_lines(comparison, added, arguments.unchanged)), flush=True)
    if arguments.dry_run:
        return "nothing written (--dry-run)"
    if not added.new:
        return "nothing written: no decision is new"
    append(added, file)
    return str(added.path)


def _lines(comparison: Comparison, added: Added, unchanged: str) -> list[str]:
    counts = added.counts
    lines = [f"warning: {remark}" for remark in comparison.remarks]
    if added.standing:
        lines.append(f"warning: {added.standing} labels came back as they were, but were decided otherwise before, which stands")  # fmt: skip
    lines += [
        f"{comparison.instances} instances came back",
        f"new decisions: {counts[Verdict.MOVED]} moved, {counts[Verdict.WRONG]} wrong, "
        f"{counts[Verdict.EXCHANGED]} exchanges, {counts[Verdict.RIGHT]} right"
        + (f"; {added.known} were known" if added.known else ""),
        f"{len(comparison.suspects)} suspects unchanged: {unchanged}",
    ]
    return lines


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
