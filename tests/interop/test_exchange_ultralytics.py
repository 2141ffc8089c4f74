"""Poses in doubt as Ultralytics' data set class reads them, and as it leaves the files."""

from dataclasses import replace

import numpy as np
import pytest

from lib.exchange import yolo
from tests.factories.exchanges import DECISIONS, JOINTS, SIZE, exchange_of, found_with_image, give, take
from tests.factories.found_labels import KEYPOINTS
from tests.factories.tool_edits import edit_yolo

dataset = pytest.importorskip(
    "ultralytics.data.dataset", reason="ultralytics (requirements-interop.txt) is not installed"
)

from ultralytics.data.utils import check_det_dataset  # noqa: E402

pytestmark = pytest.mark.interop


def read(output):
    """The labels of each image as Ultralytics has them, and data.yaml as it reads it."""
    data = check_det_dataset(str(output / "data.yaml"), autodownload=False)
    poses = dataset.YOLODataset(img_path=data["train"], data=data, task="pose", augment=False, imgsz=64)
    return poses.labels, data


def test_ultralytics_reads_every_pose(tmp_path):
    labels, data = read(give(found_with_image(tmp_path), "yolo"))
    (image,) = labels
    assert data["kpt_names"] == {0: list(JOINTS)} and data["names"] == {0: "person"}
    assert image["im_file"].endswith("images/train/a/5.jpg") and image["shape"] == SIZE[::-1]
    expected = np.array([[[x / SIZE[0], y / SIZE[1], v] for x, y, v in own] for own in KEYPOINTS.values()])
    np.testing.assert_allclose(image["keypoints"], expected, atol=1e-6)
    np.testing.assert_allclose(image["bboxes"], [[0.4, 0.375, 0.8, 0.75]] * 2, atol=1e-6)


def test_what_is_changed_is_read_by_both(tmp_path, capsys):
    found = found_with_image(tmp_path)
    path = edit_yolo(give(found, "yolo"))
    (image,), _ = read(path)
    assert len(image["keypoints"]) == 2
    assert set(take(found, "yolo", path)) == DECISIONS and "warning" not in capsys.readouterr().out


def test_labels_outside_of_the_image_do_not_cost_it(tmp_path, monkeypatch):
    """Ultralytics leaves an image out whose shares are beyond 1.01."""
    monkeypatch.setitem(KEYPOINTS, 7, [[130, 30, 2], *KEYPOINTS[7][1:]])
    found = found_with_image(tmp_path)
    output = give(found, "yolo")
    (image,), _ = read(output)
    assert image["keypoints"][0, 0, 0] == 1
    assert take(found, "yolo", output) == []


def test_a_folder_called_images_hides_no_labels(tmp_path):
    """Ultralytics puts labels in place of the last images of a path."""
    found = found_with_image(tmp_path)
    exchange = exchange_of(found, "yolo")
    (image,) = exchange.images
    yolo.write(replace(exchange, images=(replace(image, name="images/5.jpg"),)), tmp_path / "out")
    (image,), _ = read(tmp_path / "out")
    assert len(image["keypoints"]) == 2
