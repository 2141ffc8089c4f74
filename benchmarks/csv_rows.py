"""Tables of the benchmarks in CSV files, read by the names of their columns."""

import csv
from pathlib import Path

from lib.utils.errors import InputError

SCORES = (
    "annotation_id",
    "joint",
    "score",
)  # of a method's ranking of labels; a higher score is more suspect


def rows_of(path: Path, columns: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    """The lines of a CSV file with at least ``columns``: ("file: line 2", {column: text without outer blanks})."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in columns if name not in (reader.fieldnames or ())]
            rows = [(f"{path}: line {reader.line_num}", row) for row in reader]
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8 ({error})") from None
    if missing:
        raise InputError(f"{path}: no column {missing[0]}, expected {', '.join(columns)}")
    return [(where, {name: (row[name] or "").strip() for name in columns}) for where, row in rows]
