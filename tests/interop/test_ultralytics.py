"""YOLO's label files for poses, written by Ultralytics' converter, on their way back through sleap-io."""

import json

import numpy as np
import pytest

from tests.factories.birds import BIRDS, HEIGHT, IMAGES, JOINTS, WIDTH, assert_birds, draw_images, read

sio = pytest.importorskip("sleap_io", reason="sleap-io (requirements-interop.txt) is not installed")
converter = pytest.importorskip(
    "ultralytics.data.converter", reason="ultralytics (requirements-interop.txt) is not installed"
)

pytestmark = pytest.mark.interop


def coco_file(folder):
    """Write the birds in COCO's format."""
    annotations = []
    for number, bird in enumerate(BIRDS, 1):
        triples = [[0, 0, 0] if np.isnan(x) else [x, y, 2] for x, y in bird.joints]
        annotations.append(
            {
                "id": number, "image_id": 1 + IMAGES.index(bird.image), "category_id": 1, "bbox": list(bird.box),
                "iscrowd": 0, "keypoints": np.ravel(triples).tolist(),
            }
        )  # fmt: skip
    images = [
        {"id": k, "file_name": name, "width": WIDTH, "height": HEIGHT} for k, name in enumerate(IMAGES, 1)
    ]
    categories = [{"id": 1, "name": "bird", "keypoints": list(JOINTS)}]
    folder.mkdir()
    tree = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "train.json").write_text(json.dumps(tree))


def test_from_coco_to_yolo_and_back(tmp_path):
    coco_file(tmp_path / "coco")
    converter.convert_coco(
        str(tmp_path / "coco"), str(tmp_path / "yolo"), use_keypoints=True, cls91to80=False
    )
    written = tmp_path / "yolo/labels/train"
    assert sorted(path.stem for path in written.iterdir()) == ["a", "b"]
    root = tmp_path / "set/train"
    draw_images(root / "images")
    written.rename(root / "labels")
    (tmp_path / "set/data.yaml").write_text(
        f"path: .\ntrain: train/images\nkpt_shape: [3, 3]\nnames: [bird]\nnode_names: {json.dumps(JOINTS)}\n"
    )
    labels = sio.load_ultralytics(str(tmp_path / "set"))
    sio.save_coco(labels, root / "birds.json")
    assert_birds(read(root, "birds.json"), tolerance=0.01)
