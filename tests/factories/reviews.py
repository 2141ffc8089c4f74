"""Reviewed labels: decisions in the folder of find_labels.py, and annotation files of unusual forms."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import WeightTable
from lib.review.decisions import Decision, Verdict, append_decision, decisions_path
from lib.review.found import FoundLabels, LabelFile, sha256_of, write_found
from tests.factories.found_labels import FoundFolder

NOW = "2026-01-02T03:04:05+00:00"


def decide(folder: Path, file: LabelFile, reviewer: str, *said: tuple) -> None:
    """Append decisions, each (annotation id, joint, verdict) and a dictionary of further fields if there are any."""
    for number, (annotation_id, joint, verdict, *more) in enumerate(said, start=1):
        decision = Decision(number, NOW, annotation_id, joint, Verdict(verdict), **(more[0] if more else {}))
        append_decision(decisions_path(folder, reviewer), file, decision)


def with_eyes(file: LabelFile) -> LabelFile:
    """The same labels with those of eyes, which are of no limb, so that limbs are not all that has sides."""
    eyes = ("left_eye", "right_eye")
    return replace(
        file,
        joints=(*file.joints, *eyes),
        keypoints=(*file.keypoints, *eyes),
        positions=(*file.positions, *range(len(file.joints), len(file.joints) + 2)),
        pairs=(*file.pairs, eyes),
    )


def with_text(found: FoundFolder, text: str, **changed) -> FoundFolder:
    """The same labels, found in a file with another ``text`` (and other fields of LabelFile)."""
    found.path.write_text(text)
    file = replace(found.file, sha256=sha256_of(found.path), **changed)
    write_found(found.folder, file, found.labels)
    return replace(found, file=file)


def judge(folder: Path, path: Path, annotations: Annotations) -> FoundFolder:
    """The folder in which all labels of ``annotations``, read from the file at ``path``, are in doubt."""
    shape = annotations.visible.shape
    suspects = Suspects(
        probability=np.full(shape, 0.25),
        kind=np.full(shape, "moved"),
        partner=np.full(shape, -1),
        proposed=np.full((*shape, 2), np.nan),
        sureness=np.ones(shape),
    )
    table = WeightTable(np.ones(shape), np.ones(shape, int), suspects=suspects)
    file = LabelFile.of(path, annotations.mapping.dataset, path.parent, annotations)
    labels = FoundLabels.of(annotations, table)
    write_found(folder, file, labels)
    return FoundFolder(folder, path, annotations, file, labels)


def differences(before, after, where: tuple = ()) -> dict[tuple, tuple]:
    """{path in a JSON tree: (value before, value after)}, with None for a member that is not there."""
    if isinstance(before, dict) and isinstance(after, dict):
        assert [key for key in after if key in before] == list(before)  # nothing lost, in the same order
        keys = after
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        before, after, keys = dict(enumerate(before)), dict(enumerate(after)), range(len(after))
    else:
        same = before == after and type(before) is type(after)
        return {} if same else {where: (before, after)}
    return {
        path: change
        for key in keys
        for path, change in differences(before.get(key), after[key], (*where, key)).items()
    }
