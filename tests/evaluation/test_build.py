"""The evaluation set of each layout."""

import pytest

from lib.config.loader import load_config
from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.dataset.layouts import ImageSet
from lib.evaluation.build import evaluation_set, oks_sigmas
from lib.evaluation.evaluators import COCOSet, MPIISet
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import coco_person, mpii_person, write_coco, write_json, write_mpii


@pytest.fixture
def configured(tmp_path):
    """A function of settings -> configuration."""
    (tmp_path / "empty.yaml").write_text("")

    def make(**settings):
        values = {
            "DATASET.ROOT": str(tmp_path),
            "TEST.COCO_BBOX_FILE": str(tmp_path / "boxes.json"),
            "OUTPUT_DIR": str(tmp_path / "output"),
        }
        return load_config(tmp_path / "empty.yaml", values | settings)

    return make


def test_mpii_is_measured_by_pckh(configured, tmp_path):
    write_mpii(tmp_path, [mpii_person()], "valid")
    config = configured()
    with captured_messages() as lines:
        built = evaluation_set(config, ImageSet(config.dataset, "valid"), "test")
    assert isinstance(built, MPIISet) and len(built.dataset) == 1 and built.dataset.augmentation is None
    assert lines[0].startswith("test: 1 people")


@pytest.mark.parametrize("annotated", [True, False])
def test_coco_is_measured_by_ap_on_annotated_or_detected_boxes(configured, tmp_path, annotated):
    path = write_coco(tmp_path, [coco_person()])
    boxes = [{"image_id": 1, "category_id": 1, "bbox": [8, 6, 20, 30], "score": s} for s in (0.75, 0.5)]
    write_json(tmp_path / "boxes.json", boxes)
    config = configured(**{"DATASET.DATASET": "coco", "MODEL.NUM_JOINTS": 17, "TEST.USE_GT_BBOX": annotated})
    built = evaluation_set(config, ImageSet(config.dataset, "train2017"), "test")
    assert isinstance(built, COCOSet) and built.file.path == path
    assert built.box_scores.tolist() == ([1] if annotated else [0.75, 0.5])
    assert built.dataset.annotations.image_ids.tolist() == [1] * len(built.dataset)


def test_sigmas():
    names = ("nose", "tail")
    assert oks_sigmas([0.05], names).tolist() == [0.05] * 2
    assert oks_sigmas([0.1, 0.2], names).tolist() == [0.1, 0.2]
    with pytest.raises(InputError, match="SIGMAS has 2 numbers.* 17"):
        oks_sigmas([0.1, 0.2], COCO_KEYPOINTS)
