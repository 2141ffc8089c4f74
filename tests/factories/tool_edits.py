"""Files of annotation tools, changed as their users would: each `edit_` makes EDITS in what was written for a tool.

Each takes the folder that was written, and returns what the tool would export. They read and write the formats by hand.
"""

import csv
import json
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.factories.exchanges import EDITS, SIZE
from tests.factories.found_labels import JOINTS, KEYPOINTS


def edit_cvat(folder: Path) -> Path:
    """A point is dragged, or switched to "outside"; CVAT writes the attributes of a skeleton behind its points."""
    tree = ET.parse(folder / "annotations.xml")
    for skeleton in tree.iter("skeleton"):
        number = int(skeleton.find("attribute[@name='annotation_id']").text)
        for point in skeleton.iter("points"):
            if (number, point.get("label")) in EDITS:
                place = EDITS[number, point.get("label")]
                point.set("outside", str(int(place is None)))
                if place is not None:
                    point.set("points", "{:.2f},{:.2f}".format(*place))
    path = folder / "exported.xml"
    tree.write(path)
    return path


def edit_label_studio(folder: Path, version: str = "labels") -> Path:
    """An annotation is made from a pre-annotation: the ids of its regions get the annotation's, scores are gone."""
    tasks = json.loads((folder / "tasks.json").read_text())
    for k, task in enumerate(tasks, start=1):
        (made,) = [each["result"] for each in task["predictions"] if each["model_version"] == version]
        result = []
        seen = set()
        for region in made:
            region = {key: value for key, value in region.items() if key not in ("score", "meta")}
            if region["type"] == "keypointlabels":
                number, joint = region["id"].split(":")
                seen.add((int(number), joint))
                place = EDITS.get((int(number), joint), region)
                if place is None:
                    continue
                if place is not region:
                    x, y = (100 * value / length for value, length in zip(place, SIZE))
                    region["value"] = region["value"] | {"x": x, "y": y}
            result.append(region)
        for (number, joint), place in EDITS.items():  # drawn anew, in the instance's box
            if (number, joint) not in seen and place is not None:
                x, y = (100 * value / length for value, length in zip(place, SIZE))
                new = {"id": "Xu3_k", "parentID": str(number), "type": "keypointlabels", "from_name": "joint",
                       "to_name": "image", "original_width": SIZE[0], "original_height": SIZE[1],
                       "value": {"x": x, "y": y, "width": 0.5, "keypointlabels": [joint]}}  # fmt: skip
                result.append(new)
        task |= {
            "id": k,
            "annotations": [{"id": k, "completed_by": 1, "was_cancelled": False, "result": result}],
        }
    path = folder / "project-1-at-2026.json"
    path.write_text(json.dumps(tasks))
    return path


def edit_fiftyone(folder: Path) -> Path:
    """`dataset.write_json()`, whose NaN are objects."""
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    for sample in samples:
        for keypoint in sample["labels"]["keypoints"]:
            for k, joint in enumerate(JOINTS):
                point = keypoint["points"][k]
                place = EDITS.get((keypoint["annotation_id"], joint), point)
                if place is None or place[0] != place[0]:
                    keypoint["points"][k] = [{"$numberDouble": "NaN"}] * 2
                elif place is not point:
                    keypoint["points"][k] = [value / length for value, length in zip(place, SIZE)]
    path = folder / "back.json"
    path.write_text(json.dumps({"name": "suspects", "media_type": "image", "samples": samples}))
    return path


def edit_deeplabcut(folder: Path) -> Path:
    """The table of several individuals: the first is 7, the second 3."""
    path = folder / "CollectedData_lbi.csv"
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    individuals = {7: "individual1", 3: "individual2"}
    for (number, joint), place in EDITS.items():
        for k, axis in enumerate("xy"):
            column = list(zip(*rows[1:4])).index((individuals[number], joint, axis))
            rows[4][column] = "" if place is None else str(place[k])
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows(rows)
    return path


def edit_yolo(folder: Path) -> Path:
    """The lines in another order, as some tools write them."""
    (path,) = (folder / "labels").rglob("*.txt")
    lines = dict(zip(KEYPOINTS, path.read_text().splitlines()))
    edited = []
    for number, line in lines.items():
        cells = line.split()
        for k, joint in enumerate(JOINTS):
            if (number, joint) in EDITS:
                place = EDITS[number, joint]
                shares = (0, 0, 0) if place is None else (place[0] / SIZE[0], place[1] / SIZE[1], 2)
                cells[5 + 3 * k : 8 + 3 * k] = [f"{value:.6g}" for value in shares]
        edited.append(" ".join(cells))
    path.write_text("\n".join(edited[::-1]) + "\n")
    return folder


TOOL_EDITS = {
    "cvat": edit_cvat,
    "label_studio": edit_label_studio,
    "fiftyone": edit_fiftyone,
    "deeplabcut": edit_deeplabcut,
    "yolo": edit_yolo,
}
