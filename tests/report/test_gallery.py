import base64
from dataclasses import replace

import cv2
import numpy as np

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.report.gallery import MAX_JPEG_BYTES, QUALITIES, gallery_section, image_uri
from lib.visualization.labels import CELL, PROPOSED
from tests.factories.reports import JOINTS, Page, learned_weights, make_run
from tests.factories.suspects import suspects_of


def test_an_image_in_a_uri():
    colours = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    kind, _, content = image_uri(colours).partition(",")
    assert kind == "data:image/jpeg;base64"
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(content), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(decoded[..., ::-1].astype(int) - colours).max() < 8


def test_a_noisy_image_is_kept_small():
    noise = np.random.default_rng(0).integers(0, 256, (CELL, CELL, 3), np.uint8)
    _, best = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, QUALITIES[0]])
    assert len(image_uri(noise)) * 3 / 4 <= MAX_JPEG_BYTES + 24 < best.size


def gallery(tmp_path, seen=None, wrong=None, scores=None, suspects=None):
    """The gallery of two instances in one image of a run without a checkpoint, at most one each."""
    weights = np.full((2, JOINTS), 0.5)
    weights[1, 0], weights[0, 1] = 0.25, 0.75
    learned = learned_weights(weights, seen=seen, wrong=wrong, scores=scores, suspects=suspects)
    assert cv2.imwrite(str(tmp_path / "0.jpg"), np.full((64, 64, 3), 128, np.uint8))
    annotations = replace(
        learned.annotations,
        image_paths=(str(tmp_path / "0.jpg"),),
        image_names=("video1/0.jpg",),
        centers=np.full((2, 2), 30.0),
        sizes=np.full((2, 2), 40.0),
    )
    return Page(
        gallery_section(
            make_run(tmp_path), replace(learned, annotations=annotations), 1, "Example labels", "gallery"
        )
    )


def test_a_gallery_shows_the_extremes(tmp_path):
    wrong = np.zeros((2, JOINTS), bool)
    wrong[1, 0] = True
    page = gallery(tmp_path, wrong=wrong)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert [image["alt"] for image in images] == [
        "right ankle of annotation 11, weight 0.25", "right knee of annotation 10, weight 0.75",
    ]  # fmt: skip
    assert all(image["src"].startswith("data:image/jpeg;base64,") for image in images)
    assert page.texts.index("wrong label") < page.texts.index("correct label")
    assert "id 11, seen 1 time" in page.texts and page.texts.count("video1/0.jpg") == 2
    assert "ring: label" in page.texts and "cross: true joint position" in page.texts
    assert "The run has no best.pth" in page.text and "prediction of" not in page.text


def test_scores_tell_equal_weights_apart(tmp_path):
    scores = np.zeros((2, JOINTS))
    scores[1, 5], scores[0, 4] = 3.0, -3.0
    assert [text.split(",")[0] for text in gallery(tmp_path, scores=scores).image_texts] == [
        f"{SHARED_KEYPOINTS[5].replace('_', ' ')} of annotation 11",
        f"{SHARED_KEYPOINTS[4].replace('_', ' ')} of annotation 10",
    ]


def test_without_truth_there_is_no_verdict(tmp_path):
    page = gallery(tmp_path)
    assert "wrong label" not in page.texts and "cross: true joint position" not in page.texts


def test_labels_of_no_batch_are_not_shown(tmp_path):
    page = gallery(tmp_path, seen=np.zeros((2, JOINTS), int))
    assert page.text.count("Nothing is known of any labelled keypoint.") == 2
    assert not any(tag == "img" for tag, _ in page.tags)


def test_a_judged_label_says_what_is_wrong_and_where_it_belongs(tmp_path):
    """Also one of no batch; the label with the lowest weight is another one."""
    scores, probability = np.zeros((2, JOINTS)), np.full((2, JOINTS), 0.25)
    scores[1, 5], probability[1, 5] = 3.0, 0.968
    kind, partner = np.full((2, JOINTS), "right", "<U16"), np.full((2, JOINTS), -1)
    kind[1, 5], partner[1, 5] = "exchanged", 0
    suspects = suspects_of(probability, kind=kind, partner=partner, proposed=np.full((2, JOINTS, 2), 20.0))
    seen = np.zeros((2, JOINTS), int)
    seen[0, 0] = 1
    page = gallery(tmp_path, seen=seen, scores=scores, suspects=suspects)
    first, last = [attributes for tag, attributes in page.tags if tag == "img"]
    name = SHARED_KEYPOINTS[5].replace("_", " ")
    assert first["alt"] == f"{name} of annotation 11, weight 0.50, wrong 97 %"
    assert f"{name}: wrong 97\u00a0%" in page.texts and "exchanged with right ankle" in page.texts
    assert "weight 0.50, id 11, seen 0 times" in page.texts
    assert last["alt"].endswith("wrong 25 %")
    assert page.headings == ["Example labels"] and "Most suspect" in page.texts
    assert any(text.startswith("diamond: ") for text in page.texts)

    def proposals(image):
        content = np.frombuffer(base64.b64decode(image["src"].partition(",")[2]), np.uint8)
        colours = cv2.imdecode(content, cv2.IMREAD_COLOR)[..., ::-1].astype(int)
        return int((np.abs(colours - PROPOSED).sum(axis=2) < 90).sum())

    assert proposals(first) > 20 and proposals(last) == 0  # what is rather right stays where it is


def test_labels_that_were_not_judged_have_no_proposal(tmp_path):
    page = gallery(tmp_path)
    assert "diamond" not in page.text and "Most ignored" in page.texts
