"""Which annotations a run's ignoring weights belong to: recorded at its start, compared whenever they are used.

Weights go by position in a checkpoint and by annotation id in a weight table. Of annotations that were mended,
renumbered or left out meanwhile, both would name other labels.
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import Annotations, read_json
from lib.dataset.file_state import hash_file
from lib.utils.errors import InputError, short_repr
from lib.utils.files import write_text
from lib.utils.log import LOG

SOURCE_RECORD = "source.json"


@dataclass(frozen=True)
class SourceRecord:
    """The source's annotations as they are on disk.

    file: annotation file, as the configuration names it.
    sha256: of its content.
    instances: number of annotations that are read.
    labels: SHA-256 of their ids, images (the file's names) and labelled joints, whatever their order.
    order: SHA-256 of their ids in the file's order.
    """

    file: str
    sha256: str
    instances: int
    labels: str
    order: str

    @classmethod
    def of(cls, file: Path, annotations: Annotations) -> "SourceRecord":
        """The record of ``annotations``, which were read from ``file``, before any injected noise."""
        by_id = np.argsort(annotations.ids, kind="stable")
        visible = annotations.visible[by_id] > 0
        joints = np.where(visible[..., None], annotations.joints[by_id], 0)
        images = "\0".join(annotations.image_names[k] for k in annotations.image_index[by_id].tolist())
        names = np.frombuffer(images.encode("utf-8", "surrogatepass"), np.uint8)
        columns = (annotations.ids[by_id].astype("<i8"), names, visible, joints.astype("<f4"))
        ids = annotations.ids.astype("<i8")
        return cls(str(file), hash_file(file), len(annotations), _sha256(*columns), _sha256(ids))

    @classmethod
    def from_dict(cls, values: Any, where: str) -> "SourceRecord":
        """The inverse of ``asdict``; InputError, which names ``where``, for anything else."""
        kinds = cls.__annotations__
        if (
            not isinstance(values, dict)
            or values.keys() != kinds.keys()
            or not all(type(values[name]) is kind for name, kind in kinds.items())
        ):
            raise InputError(f"{where}: expected {', '.join(kinds)}, found {short_repr(values)}")
        return cls(**values)


def check_ids(annotations: Annotations, file: Path | str) -> None:
    """Raise InputError, which names the annotation ``file``, if an id occurs twice."""
    ids, counts = np.unique(annotations.ids, return_counts=True)
    repeated = ids[counts > 1]
    if repeated.size:
        others = f", as {repeated.size - 1:,} others" if repeated.size > 1 else ""
        raise InputError(
            f"{file}: annotation {repeated[0]}: id given twice{others}; expected an id of its own for each: "
            "weights and cleaned files go by id"
        )


def write_source_record(folder: Path, record: SourceRecord) -> None:
    """Write ``source.json`` into a run's folder."""
    write_text(folder / SOURCE_RECORD, json.dumps(asdict(record), indent=2) + "\n")


def check_source_of_folder(folder: Path, now: SourceRecord) -> None:
    """Compare the annotations of now with those that the run in ``folder`` was trained on.

    Raises:
        InputError: ids, images or labels differ. That the file differs in anything else is only logged.
    """
    path = folder / SOURCE_RECORD
    if not path.exists():  # a run of an earlier version
        LOG.warning(
            f"{folder}: has no {SOURCE_RECORD}, so {now.file} is taken for the file of the run unchecked"
        )
        return
    _compare(SourceRecord.from_dict(read_json(path), str(path)), now, str(path))


def check_source_of_checkpoint(stored: Any, now: SourceRecord, path: Path | str) -> None:
    """Compare the annotations of now with those of the checkpoint ``path``, whose weights go by position.

    Args:
        stored: the checkpoint's record as a dictionary; None in checkpoints of earlier versions.
        now: the record of the run that loads it.
        path: named in errors.

    Raises:
        InputError: ids, images, labels or their order differ. That the file differs in anything else is only logged.
    """
    if stored is None:
        LOG.info(f"{path}: does not say which annotations its weights belong to; {now.file} is not checked")
        return
    recorded = SourceRecord.from_dict(stored, f"{path}: source")
    _compare(recorded, now, str(path))
    if recorded.order != now.order:
        raise InputError(
            f"{path}: its weights belong to the annotations of {recorded.file}; {now.file} has the same ones in "
            "another order, expected the order of then"
        )


def _compare(recorded: SourceRecord, now: SourceRecord, where: str) -> None:
    if recorded.labels == now.labels:
        if recorded.sha256 != now.sha256:
            LOG.warning(
                f"{now.file}: not the same file as at the start of the run ({recorded.file}), but the same "
                f"{now.instances:,} ids, images and labels"
            )
        return
    same_file = recorded.sha256 == now.sha256
    raise InputError(
        f"{where}: the weights belong to {recorded.file} (SHA-256 {recorded.sha256[:12]}, {recorded.instances:,} "
        f"annotations), but {now.file} (SHA-256 {now.sha256[:12]}, {now.instances:,} annotations) has other ids, "
        f"images or labels{' by other settings or another version' if same_file else ''}; expected those that were trained on"
    )


def _sha256(*arrays: np.ndarray) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
