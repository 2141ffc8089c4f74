"""predict.py as a command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.models.category import Category
from pose_estimation import predict, train, valid
from tests.factories.small_network import small_network, write_checkpoint


@pytest.fixture
def here(tmp_path):
    """A checkpoint, images p/1.jpg to p/3.jpg, and a video."""
    write_checkpoint(tmp_path / "a.pth", small_network())
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    for number in (1, 2, 3):
        cv2.imwrite(str(tmp_path / f"p/{number}.jpg"), rng.integers(0, 256, (50, 40, 3), np.uint8))
    video = cv2.VideoWriter(str(tmp_path / "clip.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 8.0, (64, 48))
    for number in range(20):
        video.write(np.full((48, 64, 3), 20 + 10 * number, np.uint8))
    video.release()
    return tmp_path


def run(here, *words):
    paths = [str(here / word) if "/" in word or word.endswith(".avi") else word for word in words]
    return predict.main(
        [*paths, "--model-file", str(here / "a.pth"), "--output", str(here / "out"), "--device", "cpu"]
    )


def lines(here):
    return [json.loads(line) for line in (here / "out/predictions.jsonl").read_text().splitlines()]


def results(here):
    return json.loads((here / "out/keypoints_results.json").read_text())


def files(here):
    return sorted(str(path.relative_to(here / "out")) for path in (here / "out").rglob("*") if path.is_file())


def test_a_folder_of_images(here, capsys):
    assert run(here, "p/") == 0
    assert files(here) == [
        "drawn/1.jpg",
        "drawn/2.jpg",
        "drawn/3.jpg",
        "keypoints_results.json",
        "predictions.jsonl",
    ]
    entries, poses = lines(here), results(here)
    assert [(line["file"], line["image_id"], line["width"], line["height"]) for line in entries] == [
        (f"{number}.jpg", number, 40, 50) for number in (1, 2, 3)
    ]
    for line, result in zip(entries, poses):
        (person,) = line["people"]
        assert person["box"] == [0, 0, 40, 50] and person["score"] == 1
        assert tuple(person["keypoints"]) == SHARED_KEYPOINTS
        assert result["image_id"] == line["image_id"] and result["category_id"] == 1
        assert np.reshape(result["keypoints"], (-1, 3)).tolist() == list(person["keypoints"].values())
    output = capsys.readouterr()
    assert "3 people in 3 images" in output.out and "people/s" in output.out and not output.err
    assert cv2.imread(str(here / "out/drawn/1.jpg")).shape == (50, 40, 3)


# Joints whose names tell neither pairs nor limbs.
FISH = Category((7,), "fish", Skeleton(("a", "b", "c", "d"), (("a", "b"),), (("c", "d"),)))


def test_results_have_the_category_of_the_checkpoint(here, capsys):
    write_checkpoint(here / "a.pth", small_network(4), category=FISH)
    assert run(here, "p/") == 0
    assert {result["category_id"] for result in results(here)} == {7}
    output = capsys.readouterr().out
    assert "one fish is taken to fill each image" in output and "fish (category 7)" in output
    assert "3 objects in 3 images" in output


def test_what_fills_an_image_is_said_only_without_boxes(here, capsys):
    assert run(here, "p/") == 0
    assert "one person is taken to fill each image" in capsys.readouterr().out
    assert run(here, "p/", "--box", "1,2,30,30") == 0
    assert "taken to fill" not in capsys.readouterr().out


def test_objects_of_unknown_category(here, capsys):
    write_checkpoint(here / "a.pth", small_network(4), category=FISH)
    content = torch.load(here / "a.pth", weights_only=True)
    del content["category"]  # as in earlier versions
    torch.save(content, here / "a.pth")
    assert run(here, "p/") == 0
    assert {result["category_id"] for result in results(here)} == {1}
    assert "does not say what its objects are" in capsys.readouterr().out


def test_results_of_detected_objects_have_the_detections_category(here):
    animals = Category((5, 7), "cat, fish", FISH.skeleton)
    write_checkpoint(here / "a.pth", small_network(4), category=animals)
    boxes = [
        {"image_id": 1, "category_id": number, "bbox": [0, 0, 20, 20], "score": 0.9} for number in (7, 5, 1)
    ]
    (here / "p/boxes.json").write_text(json.dumps(boxes))
    assert run(here, "p/1.jpg", "--boxes", "p/boxes.json", "--max-overlap", "1") == 0
    assert sorted(result["category_id"] for result in results(here)) == [5, 7]


def test_a_video_round_trip(here):
    assert run(here, "clip.avi", "--box", "5,5,20,30", "--box", "30,5,20,30") == 0
    assert files(here) == ["drawn/clip.mp4", "keypoints_results.json", "predictions.jsonl"]
    assert [(line["file"], line["frame"], line["image_id"]) for line in lines(here)] == [
        ("clip.avi", number, number + 1) for number in range(20)
    ]
    assert {len(line["people"]) for line in lines(here)} == {2} and len(results(here)) == 40
    video = cv2.VideoCapture(str(here / "out/drawn/clip.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == 8
    drawn = []
    while (read := video.read())[0]:
        drawn.append(read[1])
    assert len(drawn) == 20 and drawn[0].shape == (48, 64, 3)
    corner = [image[44:, 60:].mean() for image in drawn]  # nobody is there
    assert corner == pytest.approx(20 + 10 * np.arange(20), abs=6)


def test_the_same_numbers_as_valid(config, data, capsys, tmp_path):
    """Detected boxes of COCO through valid.py and through predict.py, with the flip test."""
    words = ["--cfg", str(config), "DATASET.DATASET", "coco", "DATASET.ROOT", f"{data}/coco", "DATASET.TRAIN_SET",
             "train2017", "DATASET.TEST_SET", "train2017", "MODEL.NUM_JOINTS", "17", "TEST.OKS_THRE", "1"]  # fmt: skip
    assert train.main([*words, "--num_epochs", "1"]) == 0
    model = str(Path(capsys.readouterr().out.splitlines()[-1]).with_name("last.pth"))
    assert torch.load(model, weights_only=True)["joints"] == list(COCO_KEYPOINTS)
    people = json.loads((data / "coco/annotations/person_keypoints_train2017.json").read_text())[
        "annotations"
    ]
    boxes = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.1 + 0.04 * i}
             for i, p in enumerate(people)]  # fmt: skip
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    flags = ["--model-file", model, "--use-detect-bbox", "TEST.COCO_BBOX_FILE", str(tmp_path / "boxes.json")]
    assert valid.main([*words, *flags]) == 0
    path = Path(capsys.readouterr().out.splitlines()[-1]).with_name("keypoints_results.json")
    expected = json.loads(path.read_text())

    words = [f"{data}/coco/images/train2017", "--model-file", model, "--boxes", str(tmp_path / "boxes.json")]
    words += ["--min-score", "0", "--max-overlap", "1", "--flip-test", "--no-drawing"]
    words += ["--output", str(tmp_path / "out")]
    assert predict.main(words) == 0
    assert files(tmp_path) == ["keypoints_results.json", "predictions.jsonl"]
    predicted = results(tmp_path)
    assert len(predicted) == len(expected) == len(people)
    for result, reference in zip(predicted, expected):
        assert result["image_id"] == reference["image_id"]
        assert result["keypoints"] == pytest.approx(reference["keypoints"], abs=1e-3)
        assert result["score"] == pytest.approx(reference["score"], abs=1e-5)


def test_bad_files_are_listed_at_the_end(here, capsys):
    (here / "p/2.jpg").write_bytes(b"no image")
    (here / "p/4.mp4").write_bytes(b"no video")
    assert run(here, "p/") == 1
    assert [line["file"] for line in lines(here)] == ["1.jpg", "3.jpg"] and len(results(here)) == 2
    error = capsys.readouterr().err.splitlines()
    assert error[0].startswith("2 of 4 files ")
    assert "2.jpg: cannot be read as an image" in error[1] and "4.mp4: cannot be read as a video" in error[2]


def test_nothing_is_written_when_it_stops_halfway(here, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lib.predict.writing.write_image", full)
    assert run(here, "clip.avi", "p/") == 2
    assert "No space left on device" in capsys.readouterr().err
    assert [file for file in files(here) if "clip" not in file] == []


@pytest.mark.parametrize(
    "words, expected",
    [
        (["p/none.jpg"], "no such file"),
        (["p/", "--box", "1,2,3"], "--box 1,2,3"),
        (["p/", "--boxes", "p/none.json"], "none.json"),
        (["p/", "--batch-size", "0"], "--batch-size"),
        (["p/", "--max-overlap", "2"], "--max-overlap"),
        (["p/", "--image-size", "64"], "--image-size 64"),
        (["p/", "--image-size", "60x64"], "multiples of 32"),
        (["p/", "--device", "cuda"], "no CUDA device"),
        (["p/1.jpg", "q/1.jpg"], "both be drawn"),
    ],
)
def test_one_clear_error(words, expected, here, capsys):
    (here / "q").mkdir()
    (here / "q/1.jpg").write_bytes((here / "p/1.jpg").read_bytes())
    paths = [str(here / word) if "/" in word else word for word in words]
    assert predict.main([*paths, "--model-file", str(here / "a.pth"), "--output", str(here / "out")]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and expected in error and "\n" not in error
    assert not (here / "out").exists()


def test_an_image_is_never_replaced(here, capsys):
    (here / "drawn").mkdir()
    image = here / "drawn/1.jpg"
    image.write_bytes((here / "p/1.jpg").read_bytes())
    before = image.read_bytes()
    assert predict.main([str(image), "--model-file", str(here / "a.pth"), "--output", str(here)]) == 2
    assert "would replace" in capsys.readouterr().err and image.read_bytes() == before


def test_an_output_that_is_no_folder(here, capsys):
    words = [str(here / "p"), "--model-file", str(here / "a.pth"), "--output", str(here / "a.pth")]
    assert predict.main(words) == 2
    assert "cannot be written" in capsys.readouterr().err
