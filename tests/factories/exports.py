"""A source and the files of a finished run on it, as the export of cleaned annotations reads them."""

import csv
import json
from dataclasses import replace

import numpy as np

from lib.config.loader import dump_config, load_config
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.ignoring.weight_table import WeightTable, write_weight_table
from lib.label_noise.source import INJECTED_TRUTH, read_source
from lib.label_noise.truth import write_truth_of
from pose_estimation.export_cleaned import main
from tests.factories.data_sets import coco_image, coco_person, write_coco
from tests.factories.suspects import suspects_of

ALL = ["--allow-share", "1"]
NATIVE = {name: name for name in SHARED_KEYPOINTS} | {"head": "nose"}
NOT_SHARED = [k for k, name in enumerate(COCO_KEYPOINTS) if name not in NATIVE.values()]


def write_source(tmp_path):
    """A source with a crowd, a person without labels, and fields that the project does not read."""
    persons = [coco_person(number, 1 + number % 2, score="kept") for number in (9, 4, 12)]
    for person in persons:  # no two alike
        person["keypoints"][0] += person["id"]
    persons.append(coco_person(5, 1, keypoints=[0] * 51, num_keypoints=0))
    persons.append(coco_person(6, 2, iscrowd=1, segmentation={"counts": [1], "size": [2, 2]}))
    path = write_coco(tmp_path / "coco", persons, [coco_image(1), coco_image(2, license=3)])
    more = {"info": {"year": 2017}, "licenses": [{"id": 3, "name": "ä"}],
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS)}]}  # fmt: skip
    path.write_text(json.dumps(json.loads(path.read_text()) | more))
    return tmp_path / "coco"


def run_writer(tmp_path, root):
    """Function that writes the files of a run on ``root`` that the export reads; returns the folder."""

    def make(weight=lambda i, j: ((7 * i + 3 * j) % 11) / 10, noise="", probability=None):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        (tmp_path / "some.yaml").write_text("")
        config = load_config(
            tmp_path / "some.yaml", {"DATASET_SRC.ROOT": str(root), "LBI.INJECT_NOISE": noise}
        )
        (folder / "config.yaml").write_text(dump_config(config))
        annotations, truth = read_source(config)
        visible = annotations.visible
        weights = [[weight(i, j) for j in range(13)] for i in range(len(annotations))]
        for name, table in (("ignoring_weights.csv", visible * 0 + weights), ("other.csv", visible * 0)):
            table = WeightTable(table, visible.astype(int))
            if probability is not None:
                judged = np.array([[probability(i, j) for j in range(13)] for i in range(len(annotations))])
                table = replace(table, suspects=suspects_of(judged))
            write_weight_table(folder / name, annotations, table)
        if noise:
            write_truth_of(folder / INJECTED_TRUTH, noise, 0, annotations, truth)
        return folder

    return make


def original(root):
    return json.loads(annotation_file(root, "train2017").read_text())


def rows_of(folder, name="ignoring_weights.csv"):
    with open(folder / name, newline="") as file:
        return list(csv.DictReader(file))


def exported(folder, output, *flags):
    """The annotations written with ``flags``, by id."""
    assert main([str(folder), "--output", str(output), *flags]) == 0
    return {a["id"]: a for a in json.loads(output.read_text())["annotations"]}


def labels_missing(root, annotations):
    """(id, keypoint) of the file's labels that have v = 0 in ``annotations``."""
    return {
        (a["id"], k)
        for a in original(root)["annotations"]
        for k in range(17)
        if a["keypoints"][3 * k + 2] and not annotations[a["id"]]["keypoints"][3 * k + 2]
    }


def as_labels(rows):
    return {(int(row["annotation_id"]), COCO_KEYPOINTS.index(NATIVE[row["joint"]])) for row in rows}
