"""find_labels.py on very small data: what it leaves, and what it says."""

import csv
import json

import numpy as np
import pytest

from lib.review.found import read_found
from pose_estimation.find_labels import main

SETTINGS = {
    "TRAIN.STEPS_PER_EPOCH": "2",
    "TRAIN.END_EPOCH": "2",
    "TRAIN.LR_STEP": "[1]",
    "MODEL.EXTRA.WIDTH": "4",
    "MODEL.EXTRA.NUM_DECONV_FILTERS": "[8,8,8]",
    "TEST.FLIP_TEST": "false",
    "DEVICE": "cpu",
    "THREADS": "1",
}
SMALL = [word for pair in SETTINGS.items() for word in pair]


def find(data, folder, *words):
    labels = data / "coco/annotations/person_keypoints_train2017.json"
    return main(
        [
            "--labels",
            str(labels),
            "--trusted",
            str(data / "mpii/annot/train.json"),
            "--output",
            str(folder),
            *words,
        ]
    )


@pytest.fixture(scope="module")
def found(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("found")
    assert find(data, folder, *SMALL) == 0
    return folder


def test_every_label_is_in_the_table_once(found, data):
    file, labels = read_found(found)
    content = json.loads((data / "coco/annotations/person_keypoints_train2017.json").read_text())
    names = content["categories"][0]["keypoints"]
    expected = {}
    for person in content["annotations"]:
        for joint, keypoint in zip(file.joints, file.keypoints):
            x, y, v = person["keypoints"][3 * names.index(keypoint) :][:3]
            if v:
                expected[person["id"], joint] = (round(x, 2), round(y, 2))
    with open(found / "labels.csv", newline="") as table:
        rows = [row for row in csv.DictReader(table) if row["kind"] != "missing"]
    assert {(int(r["annotation_id"]), r["joint"]): (float(r["x"]), float(r["y"])) for r in rows} == expected
    assert len(rows) == len(expected) and [int(row["rank"]) for row in rows] == list(range(1, len(rows) + 1))
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert {row["image"] for row in rows} <= {image["file_name"] for image in content["images"]}
    file.check_unchanged()


def test_the_report_is_written(found):
    text = (found / "report.html").read_text()
    assert "PCKh@0.5 on its training data" in text and "test set" not in text and "labels are wrong" in text


def test_what_is_done_is_not_done_again(found, data, capsys):
    before = (found / "labels.csv").read_bytes()
    (found / "labels.csv").unlink()
    assert find(data, found, *SMALL) == 0
    printed = capsys.readouterr()
    assert (found / "labels.csv").read_bytes() == before
    assert "resumed from" in printed.out + printed.err
    last = printed.out.strip().splitlines()[-3:]
    assert "labels are wrong" in last[0] and "flagged" in last[1] and "report.html" in last[2]


def results_of(labels, path, swap=()):
    """A results file that repeats the labels of an annotation file; those of the people ``swap`` left for right."""
    content = json.loads(labels.read_text())
    names = content["categories"][0]["keypoints"]
    other = [
        names.index(n.replace("left", "RIGHT").replace("right", "left").replace("RIGHT", "right"))
        for n in names
    ]
    results = []
    for person in content["annotations"]:
        points = np.array(person["keypoints"], float).reshape(-1, 3)
        if person["id"] in swap:
            points = points[other]
        points[:, 2] = 0.9
        fields = {"image_id": person["image_id"], "category_id": person["category_id"], "score": 0.9}
        results.append(fields | {"keypoints": points.ravel().tolist()})
    path.write_text(json.dumps(results))
    return path


def test_predictions_take_the_place_of_a_training(data, tmp_path, capsys):
    labels, images = data / "coco/annotations/person_keypoints_train2017.json", data / "coco/images/train2017"
    people = json.loads(labels.read_text())["annotations"]
    swapped = max(people, key=lambda person: person["num_keypoints"])["id"]
    results = results_of(labels, tmp_path / "results.json", swap=[swapped])
    words = ["--labels", str(labels), "--images", str(images), "--predictions", str(results)]
    assert main([*words, "--output", str(tmp_path / "found")]) == 0
    file, found = read_found(tmp_path / "found")
    assert len(file.joints) == 17 and np.isnan(found.weight).all()
    assert (found.rank > 0).sum() == sum(person["num_keypoints"] for person in people)
    own = (found.annotation_id == swapped) & (found.rank > 0)
    assert np.median(found.rank[own]) < np.median(found.rank[~own & (found.rank > 0)]) / 4
    printed = capsys.readouterr().out
    assert f"{len(people)} of {len(people)} instances have a predicted pose" in printed
    assert "labels are wrong" in printed and "review.py" in printed.splitlines()[-1]
    page = (tmp_path / "found" / "report.html").read_text()
    assert str(tmp_path / "found" / "report.html") in printed.splitlines()[-1]
    assert f"{len(people)} of {len(people)} instances have a predicted pose" in page
    assert "Most suspect" in page and page.count("<img") == 2 * min(len(people), 24)
    assert f"id {swapped}<br>" in page and "seen" not in page and "weight" not in page.partition("<main>")[2]


def changed(labels, path, change):
    """The annotation file with ``change(content)`` made in it."""
    content = json.loads(labels.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return path


def test_predictions_on_labels_that_cannot_be_told_apart(data, tmp_path, capsys):
    labels, images = data / "coco/annotations/person_keypoints_train2017.json", data / "coco/images/train2017"
    results = results_of(labels, tmp_path / "results.json")
    twice = changed(
        labels, tmp_path / "twice.json", lambda c: c["annotations"][1].update(id=c["annotations"][0]["id"])
    )
    words = ["--images", str(images), "--predictions", str(results), "--output", str(tmp_path / "found")]
    assert main(["--labels", str(twice), *words]) == 2
    assert "id given twice" in capsys.readouterr().err
    assert not (tmp_path / "found/labels.csv").exists()


def test_predictions_on_several_categories(data, tmp_path, capsys):
    labels, images = data / "coco/annotations/person_keypoints_train2017.json", data / "coco/images/train2017"
    results = results_of(labels, tmp_path / "results.json")
    two = changed(
        labels,
        tmp_path / "two.json",
        lambda c: c["categories"].append(c["categories"][0] | {"id": 2, "name": "ape"}),
    )
    words = [
        "--labels",
        str(two),
        "--images",
        str(images),
        "--predictions",
        str(results),
        "--output",
        str(tmp_path / "found"),
    ]
    assert main(words) == 2
    assert "name one as CATEGORY" in capsys.readouterr().err
    assert main([*words, "DATASET_SRC.CATEGORY", "person"]) == 0
    assert len(read_found(tmp_path / "found")[1]) > 0


def test_a_folder_is_trusted_once_it_was_reviewed(found, data, tmp_path, capsys):
    assert find(data, tmp_path / "next", "--reviewed", str(found)) == 2
    assert f"{found}: has no decisions" in capsys.readouterr().err
    assert find(data, tmp_path / "next", "--reviewed", str(found), "TRAIN.END_EPOCH", "2") == 2
    assert (
        "--reviewed TRAIN.END_EPOCH: is no folder; settings (KEY VALUE) come before"
        in capsys.readouterr().err
    )
    assert find(data, tmp_path / "next", "--reviewed", str(tmp_path / "no"), "--reviewed", str(found)) == 2
    assert (
        f"{tmp_path / 'no'}: is no folder" in capsys.readouterr().err
    )  # the second flag does not replace the first
    decisions = {"number": 1, "time": "", "annotation_id": 7, "joint": "head", "verdict": "right"}
    head = {"format": "lbi-decisions 1", "sha256": read_found(found)[0].sha256, "labels": ""}
    path = found / "decisions-ann.jsonl"
    path.write_text(f"{json.dumps(head)}\n{json.dumps(decisions)}\n")
    assert find(data, tmp_path / "next", *SMALL, "--reviewed", str(found)) == 0
    assert "reviewed before: 1 labels, of which 1 are right in their places" in capsys.readouterr().out
    assert (tmp_path / "next/decisions-ann.jsonl").read_text() == path.read_text()
    path.unlink()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "expected --trusted, to train with, or --predictions"),
        (["--trusted-predictions", "r.json"], "expected --trusted, to train with, or --predictions"),
        (["--trusted", "t.json", "--predictions", "r.json"], "belong together"),
        (["--predictions", "r.json", "--trusted-images", "."], "there is no --trusted"),
        (["--predictions", "r.json", "--effort", "quick"], "--effort is about a training"),
    ],
)
def test_arguments_that_do_not_say_how(words, told, tmp_path, capsys):
    assert main(["--labels", "a.json", "--output", str(tmp_path / "found"), *words]) == 2
    assert not (tmp_path / "found").exists()
    assert told in capsys.readouterr().err


def test_errors_stop_before_anything_is_trained(tmp_path, data, capsys):
    broken = tmp_path / "annotations"
    broken.mkdir()
    path = broken / "people.json"
    content = json.loads((data / "coco/annotations/person_keypoints_train2017.json").read_text())
    path.write_text(json.dumps(content))
    words = [
        "--labels",
        str(path),
        "--images",
        str(tmp_path),
        "--trusted",
        str(data / "mpii/annot/train.json"),
    ]
    assert main([*words, "--output", str(tmp_path / "found"), *SMALL]) == 2
    assert "error:" in capsys.readouterr().err
    assert not (tmp_path / "found/training").exists()
