"""Where each layout has its files, and which part of them an image set is."""

import pytest

from lib.config.loader import load_config
from lib.dataset.annotations import ReadOptions
from lib.dataset.coco_format import KeypointCategory
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.dataset.layouts import (
    COCOFormatLayout,
    COCOLayout,
    ImageSet,
    MPIILayout,
    ObjectFileLayout,
    layout_of,
    target_sets,
    training_set,
)
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco, write_json


@pytest.fixture
def section(tmp_path):
    """A function of a layout and other settings -> section DATASET_TARGET of the configuration."""
    (tmp_path / "empty.yaml").write_text("")
    common = {"ROOT": str(tmp_path), "TRAIN_SET": "a.json", "VAL_SET": "a.json"}

    def make(dataset, **changed):
        settings = common | {"DATASET": dataset} | changed
        values = {f"DATASET_TARGET.{key}": value for key, value in settings.items()}
        return load_config(tmp_path / "empty.yaml", values).dataset_target

    return make


@pytest.mark.parametrize(
    ("dataset", "image_set", "files", "images", "keypoints"),
    [
        ("mpii", "train", ["annot/train.json"], "images", MPII_KEYPOINTS),
        ("mpii", "train_validate", ["annot/train.json"], "images", MPII_KEYPOINTS),
        ("mpii", "valid", ["annot/valid.json", "annot/gt_valid.mat"], "images", MPII_KEYPOINTS),
        ("coco", "val2017", ["annotations/person_keypoints_val2017.json"], "images/val2017", COCO_KEYPOINTS),
    ],
)
def test_files_of_published_sets(section, tmp_path, dataset, image_set, files, images, keypoints):
    layout = layout_of(section(dataset))
    assert layout.name == dataset and layout.noun == "people"
    assert isinstance(layout, ObjectFileLayout) == (dataset == "coco")
    assert layout.annotation_files(image_set) == tuple(tmp_path / file for file in files)
    assert layout.image_folder(image_set) == layout.images(image_set).folder == tmp_path / images
    assert layout.keypoints(image_set) == keypoints and layout.category(image_set) is None


def test_files_of_any_set_in_cocos_format(section, tmp_path):
    categories = [{"id": 1, "name": "cup"}, {"id": 4, "name": "hand", "keypoints": ["thumb", "index"]}]
    write_json(tmp_path / "sets" / "a.json", {"categories": categories})
    layout = layout_of(section("coco_format", IMAGES="images/{set}", DATA_FORMAT="zip"))
    assert isinstance(layout, COCOFormatLayout) and layout.noun == "objects"
    assert layout.annotation_files("sets/a.json") == (tmp_path / "sets/a.json",)
    assert layout.images("sets/a.json").location == tmp_path / "images/a.zip"
    assert layout.category("sets/a.json") == KeypointCategory((4,), "hand", ("thumb", "index"))
    assert layout.keypoints("sets/a.json") == ("thumb", "index")


def test_a_coco_file_is_read_alike_in_both_layouts(tmp_path):
    write_coco(tmp_path, [coco_person()])
    people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO_KEYPOINTS)}]
    write_json(
        tmp_path / "all.json",
        {"images": [coco_image()], "annotations": [coco_person()], "categories": categories},
    )
    layout = COCOFormatLayout(tmp_path, image_folder_name="images/train2017")
    objects = layout.read("all.json", people.mapping, ReadOptions(0.75))
    assert objects.image_paths == people.image_paths and objects.box_sizes.tolist() == [31]
    for name in ("ids", "joints", "visible", "centers", "sizes", "bounds"):
        assert getattr(objects, name).tolist() == getattr(people, name).tolist()


def test_parts_by_name(section):
    assert [MPIILayout("").part(name) for name in ("train", "train_finetune", "train_validate", "valid")] == [
        None, False, True, None,
    ]  # fmt: skip
    assert COCOLayout("").part("train_validate") is None
    assert ImageSet(section("mpii"), "train_validate").part is True
    assert ImageSet(section("coco_format"), "a.json", validation=False).part is False
    assert training_set(section("coco")).part is None


def test_t_and_v_are_split_if_they_are_one_file(section):
    def parts(target):
        return [(image_set.name, image_set.part) for image_set in target_sets(target)]

    assert parts(section("coco_format")) == [("a.json", False), ("a.json", True)]
    assert parts(section("coco_format", VAL_SET="b.json")) == [("a.json", None), ("b.json", None)]
    assert parts(section("mpii", TRAIN_SET="train", VAL_SET="train")) == [("train", None), ("train", None)]
    mpii = section("mpii", TRAIN_SET="train_finetune", VAL_SET="train_validate")
    assert parts(mpii) == [("train_finetune", False), ("train_validate", True)]


@pytest.mark.parametrize(
    ("image_set", "image", "found"),
    [
        ("train/_annotations.coco.json", "train/a.jpg", "train"),  # Roboflow: beside the annotation file
        ("labels.json", "data/a.jpg", "."),  # FiftyOne: in a folder beside it
        ("annotations/a.json", "train/a.jpg", "."),
        ("a.json", "images/a.jpg", "images"),
        ("a.json", "a.txt", "images"),  # none anywhere: errors name the folder that IMAGES says
    ],
)
def test_images_are_looked_for_near_the_annotation_file(section, tmp_path, image_set, image, found):
    for name in (image_set, image):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert layout_of(section("coco_format")).image_folder(image_set) == tmp_path / found
