"""Judge the most suspect labels of several methods by eye, without sight of the method.

    python benchmarks/contact_sheet.py --data lspet_train.json --images images --first 100 --out sheets \\
        --scores ours1=A.csv distance=B.csv geometry=C.csv

takes the first labels of every list (columns annotation_id, joint and score; the highest score is the first), mixes
them, each once and those of a person together, and writes into --out

    sheet-01.png ...  numbered pairs: the person's crop as it is, and with all labels, the one to judge in a ring
    judgements.csv    a line for each tile; its column verdict is to be filled in
    key.json          which list has which tile at which rank: not to be looked at before

Verdicts: wrong (the ring's dot lies clearly off the joint that the caption names, or on that of the other side or of
somebody else), right, undecidable (hidden, too small, cut off). Left and right are the person's own. Columns may be
added, such as remarks.

    python benchmarks/contact_sheet.py --judged sheets/judgements.csv

prints the verdicts of every list. The pictures belong to the data set and stay out of the project.
"""

import argparse
import csv
import io
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np

from benchmarks.judgements import COLUMNS, UNJUDGED, key_text, read_judgements, summary
from benchmarks.suspect_lists import Suspect, mixed, read_first, read_source
from benchmarks.suspect_tiles import draw_sheet, draw_tile
from lib.cli.arguments import run_command
from lib.dataset.annotations import Annotations
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text


@dataclass(frozen=True)
class Grid:
    """How many tiles a sheet has."""

    columns: int
    rows: int


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--judged", type=Path, metavar="CSV", help="a filled-in judgements.csv: print its summary and draw nothing")  # fmt: skip
    parser.add_argument("--data", type=Path, metavar="JSON", help="the labels, in COCO's format")
    parser.add_argument("--images", type=Path, metavar="DIR", help="folder of their images")
    parser.add_argument("--scores", nargs="+", default=[], metavar="NAME=CSV", help="a list for each method")
    parser.add_argument("--first", type=int, default=100, metavar="N", help="labels of each list; default: 100")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write into")
    parser.add_argument("--seed", type=int, default=0, help="of the mixture; default: 0")
    parser.add_argument("--columns", type=int, default=2, help="tiles beside each other; default: 2")
    parser.add_argument("--rows", type=int, default=4, help="tiles below each other; default: 4")
    return parser


def command(argv: list[str] | None) -> str:
    """Draw sheets or sum up judgements; returns what to print."""
    arguments = build_parser().parse_args(argv)
    if arguments.judged:
        return summary(*read_judgements(arguments.judged))
    _check(arguments)
    lists = _named_files(arguments.scores)
    annotations = read_source(arguments.data, arguments.images)
    firsts = {name: read_first(path, annotations, arguments.first) for name, path in lists.items()}
    suspects = mixed(firsts, arguments.seed)
    sheets = write_sheets(arguments.out, annotations, suspects, Grid(arguments.columns, arguments.rows))
    words = sys.argv[1:] if argv is None else argv
    files = {name: str(path) for name, path in lists.items()}
    entries = [
        _entry(annotations, suspect) | {"tile": number, "ranks": suspect.ranks}
        for number, suspect in enumerate(suspects, start=1)
    ]
    text = key_text(f"python benchmarks/contact_sheet.py {shlex.join(words)}", files, entries)
    write_text(arguments.out / "key.json", text)
    write_text(arguments.out / "judgements.csv", _empty_judgements(entries))
    return f"{len(suspects)} labels on {sheets} sheets; verdicts go into {arguments.out / 'judgements.csv'}"


def write_sheets(folder: Path, annotations: Annotations, suspects: list[Suspect], grid: Grid) -> int:
    """Write sheet-01.png and so on into ``folder``; returns how many."""
    a_sheet = grid.columns * grid.rows
    count = -(-len(suspects) // a_sheet)
    for k in range(count):
        start = k * a_sheet
        tiles = [
            draw_tile(annotations, suspect.instance, suspect.joint, number)
            for number, suspect in enumerate(suspects[start : start + a_sheet], start=start + 1)
        ]
        _write_png(folder / f"sheet-{k + 1:02d}.png", draw_sheet(tiles, grid.columns, f"Sheet {k + 1} of {count}"))  # fmt: skip
    return count


def _check(arguments: argparse.Namespace) -> None:
    """Raise InputError for flags that are missing or out of range, and where judgements would be lost."""
    missing = [name for name in ("data", "images", "scores", "out") if not getattr(arguments, name)]
    if missing:
        raise InputError(f"--{missing[0]} is missing; sheets need --data, --images, --scores and --out")
    for name, least in (("first", 1), ("columns", 1), ("rows", 1), ("seed", 0)):
        if (value := getattr(arguments, name)) < least:
            raise InputError(f"--{name} is {value}, expected at least {least}")
    if (there := arguments.out / "judgements.csv").exists():
        raise InputError(f"{there}: exists and may have verdicts; expected another folder as --out")


def _named_files(texts: list[str]) -> dict[str, Path]:
    """{name: file} of NAME=CSV."""
    files: dict[str, Path] = {}
    for text in texts:
        name, _, path = text.partition("=")
        if not name or not path:
            raise InputError(f"--scores {text}: expected NAME=CSV")
        if name in files:
            raise InputError(f"--scores: {name} is there twice")
        files[name] = Path(path)
    return files


def _entry(annotations: Annotations, suspect: Suspect) -> dict:
    names = annotations.mapping.names
    return {"annotation_id": int(annotations.ids[suspect.instance]), "joint": names[suspect.joint]}


def _empty_judgements(entries: list[dict]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(entry | {"verdict": UNJUDGED} for entry in entries)
    return text.getvalue()


def _write_png(path: Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 RGB."""
    _, content = cv2.imencode(".png", np.ascontiguousarray(image[..., ::-1]))
    write_atomically(path, lambda file: file.write(content.tobytes()))


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
