"""The record of what was given to a tool, which stays in the folder of find_labels.py."""

import json
from collections.abc import Sequence, Set
from dataclasses import dataclass
from pathlib import Path

from lib.dataset.annotations import read_json
from lib.review.corrections import Label
from lib.review.found import FoundLabels, LabelFile
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text

FORMAT = "lbi-exchange 1"


@dataclass(frozen=True)
class Given:
    """What was given to a tool at once.

    images: {name in the tool: name in the annotation file}.
    suspects: the labels that were to be looked at.
    """

    images: dict[str, str]
    suspects: frozenset[Label]


def record_path(folder: Path, tool: str) -> Path:
    """Where it is recorded what ``tool`` was given of a ``folder`` of find_labels.py."""
    return folder / f"exchange-{tool}.json"


def write_records(folder: Path, tool: str, file: LabelFile, entries: Sequence[Given]) -> None:
    """Record what ``tool`` was given, one after the other; of what was given twice only the last time."""
    entries = [entry for k, entry in enumerate(entries) if entry not in entries[k + 1 :]]
    content = {
        "format": FORMAT,
        "sha256": file.sha256,
        "given": [{"images": each.images, "suspects": sorted(map(list, each.suspects))} for each in entries],
    }
    write_text(record_path(folder, tool), json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_records(folder: Path, tool: str, file: LabelFile, labels: FoundLabels) -> list[Given]:
    """What was given to ``tool``, one after the other; nothing if there is no record.

    Raises:
        InputError: it is no such record, or labels of another file were given.
    """
    path = record_path(folder, tool)
    if not path.exists():
        return []
    content = read_json(path)
    try:
        entries = [
            Given(
                {str(name): str(source) for name, source in entry["images"].items()},
                frozenset((int(number), str(joint)) for number, joint in entry["suspects"]),
            )
            for entry in content["given"]
        ]
        is_ours, sha256 = content["format"] == FORMAT and bool(entries), content["sha256"]
    except (TypeError, ValueError, KeyError, AttributeError):
        is_ours, entries, sha256 = False, [], ""
    if not is_ours:
        raise InputError(f"{path}: is no record of exchange_labels.py ({FORMAT})")
    if sha256 != file.sha256:
        raise InputError(
            f"{path}: labels of another annotation file were given to {tool}, SHA-256 {str(sha256)[:12]}..., expected "
            f"{file.sha256[:12]}... ({file.path})"
        )
    if unknown := set(everything(entries).images.values()) - set(labels.image.tolist()):
        raise InputError(f"{path}: image {short_repr(min(unknown))} is not among the labels of {folder}")
    return entries


def everything(entries: Sequence[Given]) -> Given:
    """All that was given."""
    images = {name: source for entry in entries for name, source in entry.images.items()}
    return Given(images, frozenset().union(*(entry.suspects for entry in entries)))


def nearest(entries: Sequence[Given], names: Set[str]) -> Given:
    """What was given of which the images ``names`` came back: the last that differs from them by the fewest images."""
    return min(reversed(entries), key=lambda entry: len(names ^ entry.images.keys()))
