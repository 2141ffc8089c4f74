"""Judgements of suspect labels by eye: how many of each list's first labels are wrong."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from scipy.stats import binomtest

from benchmarks.csv_rows import rows_of
from benchmarks.tables import rows as table
from lib.dataset.annotations import read_json
from lib.utils.errors import InputError, short_repr

VERDICTS = ("wrong", "right", "undecidable")
COLUMNS = ("tile", "annotation_id", "joint", "verdict")
UNJUDGED = ""


@dataclass(frozen=True)
class Judged:
    """A shown label with its verdict, which is UNJUDGED as long as there is none.   ranks: {list: rank from 1}."""

    joint: str
    verdict: str
    ranks: dict[str, int]


def read_judgements(path: Path) -> tuple[list[str], list[Judged]]:
    """Read a filled-in judgements.csv together with the key.json beside it.

    Returns:
        The names of the lists, and every shown label. A tile without a line is not judged.

    Raises:
        InputError: a file cannot be read, or a line's verdict or label is not as written.
    """
    key = path.with_name("key.json")
    tree = read_json(key)
    try:
        tiles = {str(tile["tile"]): tile for tile in tree["tiles"]}
        labels = {n: (str(tile["annotation_id"]), tile["joint"]) for n, tile in tiles.items()}
        lists, ranks = list(tree["lists"]), {n: dict(tile["ranks"]) for n, tile in tiles.items()}
    except (KeyError, TypeError, ValueError):
        raise InputError(
            f"{key}: expected lists, and tiles with tile, annotation_id, joint and ranks"
        ) from None
    verdicts: dict[str, str] = {}
    for where, row in rows_of(path, COLUMNS):
        number, verdict = row["tile"], row["verdict"]
        if labels.get(number) != (row["annotation_id"], row["joint"]):
            found = f"tile {short_repr(number)} with {row['joint']} of annotation {row['annotation_id']}"
            raise InputError(f"{where}: {found}, which is no tile of {key.name}")
        if number in verdicts:
            raise InputError(f"{where}: tile {number} is there twice")
        if verdict not in (*VERDICTS, UNJUDGED):
            raise InputError(
                f"{where}: verdict {short_repr(verdict)}, expected {', '.join(VERDICTS)} or none"
            )
        verdicts[number] = verdict
    return lists, [Judged(labels[n][1], verdicts.get(n, UNJUDGED), ranks[n]) for n in tiles]


def summary(lists: list[str], judged: list[Judged]) -> str:
    """Tables in Markdown: the verdicts of every list, and its wrong and decided ones by joint."""
    rows = [
        [
            "list",
            *VERDICTS,
            "not judged",
            "wrong of all judged, 95 % (Wilson)",
            "wrong of wrong + right, 95 %",
        ]
    ]
    own = {name: [label for label in judged if name in label.ranks] for name in lists}
    for name, labels in {**own, "every shown label once": judged}.items():
        count = Counter(label.verdict for label in labels)
        decided = count["wrong"] + count["right"]
        shares = [share(count["wrong"], decided + count["undecidable"]), share(count["wrong"], decided)]
        rows.append([name, *(str(count[v]) for v in (*VERDICTS, UNJUDGED)), *shares])
    joints = sorted({label.joint for label in judged})
    by_joint = [["wrong / wrong + right", *lists]]
    by_joint += [[joint, *(_of_joint(own[name], joint) for name in lists)] for joint in joints]
    return f"{table(rows[0], rows[1:])}\n{table(by_joint[0], by_joint[1:])}".rstrip()


def share(hits: int, count: int) -> str:
    """``hits`` of ``count`` in percent with its Wilson interval; "-" of none."""
    if not count:
        return "-"
    interval = binomtest(hits, count).proportion_ci(0.95, method="wilson")
    return f"{100 * hits / count:.0f} % ({100 * interval.low:.0f} to {100 * interval.high:.0f})"


def _of_joint(labels: list[Judged], joint: str) -> str:
    count = Counter(label.verdict for label in labels if label.joint == joint)
    return f"{count['wrong']} / {count['wrong'] + count['right']}"


def key_text(command: str, lists: dict[str, str], tiles: list[dict]) -> str:
    """The content of key.json: the sheets' command, {list: its file}, and what each tile shows."""
    return json.dumps({"command": command, "lists": lists, "tiles": tiles}, indent=1) + "\n"
