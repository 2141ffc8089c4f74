import json
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO

from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping
from lib.utils.errors import InputError
from tests.factories.data_sets import NASTY_VALUES, coco_image, coco_person, read_coco, write_coco, write_json

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco"
needs_coco = pytest.mark.skipif(not DATA.is_dir(), reason=f"no COCO sample in {DATA}")
ASPECT = 192 / 256


def read(root, names=COCO_KEYPOINTS, aspect=ASPECT):
    return read_coco(root, "train2017", names, aspect)


def complaint(root, *parts):
    """The message of the InputError, which is one line and holds all ``parts``."""
    with pytest.raises(InputError) as caught:
        read(root)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message
    return message


@needs_coco
@pytest.mark.parametrize(("image_set", "count"), [("train2017", 86), ("val2017", 68)])
@pytest.mark.parametrize("names", [COCO_KEYPOINTS, SHARED_KEYPOINTS], ids=["17", "13"])
def test_real_sample_is_what_pycocotools_reads(image_set, count, names):
    api = COCO(str(annotation_file(DATA, image_set)))
    people = read_coco(DATA, image_set, names, ASPECT)
    labelled = {
        annotation["id"]: annotation
        for annotation in api.loadAnns(api.getAnnIds(iscrowd=False))
        if max(annotation["keypoints"])
    }
    assert len(people) == count
    assert sorted(people.ids) == sorted(labelled)
    index = list(joint_mapping("coco", names).index)
    for i, number in enumerate(people.ids):
        annotation = labelled[number]
        points = np.reshape(annotation["keypoints"], (17, 3))[index]
        np.testing.assert_array_equal(people.joints[i], points[:, :2])
        np.testing.assert_array_equal(people.visible[i], points[:, 2] > 0)
        path = Path(people.image_paths[people.image_index[i]])
        assert path.is_file()
        (image,) = api.loadImgs(annotation["image_id"])
        assert path.name == image["file_name"]
        assert people.image_ids[i] == annotation["image_id"]
        # The crop holds the box, but for the pixel that the clean-up takes off.
        x, y, width, height = annotation["bbox"]
        slack = 1.01
        assert (people.centers[i] - people.sizes[i] / 2 <= np.array([x, y]) + slack).all()
        assert (people.centers[i] + people.sizes[i] / 2 >= np.array([x + width, y + height]) - slack).all()
    np.testing.assert_allclose(people.sizes[:, 0] / people.sizes[:, 1], ASPECT, rtol=1e-6)
    assert people.head_sizes is None


def test_a_person_by_hand(tmp_path):
    write_coco(tmp_path, [coco_person(bbox=[8, 6, 21, 31])])
    people = read(tmp_path, SHARED_KEYPOINTS)
    assert people.mapping.names == SHARED_KEYPOINTS
    assert people.ids.tolist() == [7]
    assert list(people.image_paths) == [str(tmp_path / "images" / "train2017" / "000000000001.jpg")]
    assert list(people.image_names) == ["000000000001.jpg"] and people.category_ids.tolist() == [1]
    # The clean box is 20 x 30 from (8, 6); 3 : 4 makes it 22.5 wide, the margin a quarter larger.
    np.testing.assert_allclose(people.centers, [[18, 21]])
    np.testing.assert_allclose(people.sizes, [[22.5 * 1.25, 30 * 1.25]])
    positions = [16, 14, 12, 11, 13, 15, 0, 10, 8, 6, 5, 7, 9]
    np.testing.assert_array_equal(people.joints[0], [(10 + k, 8 + k) for k in positions])
    np.testing.assert_array_equal(people.visible[0], [k % 3 != 2 for k in positions])


@pytest.mark.parametrize(
    ("box", "center", "side"),
    [
        ([10, 10, 11, 11], (15, 15), 10),
        ([-5, 4, 21, 21], (10, 14), 20),  # the corner moves into the image, the width stays
        ([50, 40, 31, 31], (56.5, 43.5), 13),  # the far side ends at the last pixel, 63 and 47
        ([10.5, 10.5, 1, 0.2], (10.5, 10.5), 1),  # nothing left of it: one pixel
    ],
)
def test_boxes_are_cut_to_the_image(tmp_path, box, center, side):
    write_coco(tmp_path, [coco_person(bbox=box)])
    people = read(tmp_path, aspect=1.0)
    np.testing.assert_allclose(people.centers, [center])
    np.testing.assert_allclose(people.sizes, [[1.25 * side, 1.25 * side]])


@pytest.mark.parametrize(
    "left_out",
    [
        {"iscrowd": 1, "keypoints": [], "num_keypoints": 0},
        {"keypoints": [0] * 51, "num_keypoints": 0},
        {"bbox": [64, 10, 20, 20]},
        {"bbox": [10, 50, 20, 20]},
    ],
    ids=["crowd", "no keypoints", "right of the image", "below the image"],
)
def test_who_is_left_out(tmp_path, left_out):
    path = write_coco(tmp_path, [coco_person(3), coco_person(4, **left_out), coco_person(5)])
    assert read(tmp_path).ids.tolist() == [3, 5]
    write_json(path, {"images": [coco_image()], "annotations": [coco_person(4, **left_out)]})
    complaint(tmp_path, path.name, "no annotation with labelled keypoints", "1 ")


def test_people_of_one_image_share_it(tmp_path):
    images = [coco_image(1), coco_image(2)]
    write_coco(tmp_path, [coco_person(1, 2), coco_person(2, 1), coco_person(3, 2)], images)
    people = read(tmp_path)
    assert [Path(people.image_paths[p]).name[-5] for p in people.image_index] == ["2", "1", "2"]
    assert len(people.image_paths) == 2
    part = people.subset(np.array([True, False, True]))
    assert part.ids.tolist() == [1, 3]
    assert {
        len(getattr(part, name)) for name in ("image_index", "joints", "visible", "centers", "sizes")
    } == {2}


def test_missing_file_and_missing_folder(tmp_path):
    complaint(tmp_path, "person_keypoints_train2017.json", "No such file")
    write_json(
        annotation_file(tmp_path, "train2017"), {"images": [coco_image()], "annotations": [coco_person()]}
    )
    complaint(tmp_path, str(tmp_path / "images" / "train2017"), "No such file")


@pytest.mark.parametrize(
    "text", ["", "{", '{"images": [}', "\ufeff{", '{"a": 1', "[" * 100_000], ids=range(6)
)
def test_broken_json(tmp_path, text):
    path = write_coco(tmp_path, [])
    path.write_text(text, encoding="utf-8")
    complaint(tmp_path, path.name, "not valid JSON")


def test_not_text(tmp_path):
    path = write_coco(tmp_path, [])
    path.write_bytes(b"\xff\xfe\x00{}")
    complaint(tmp_path, path.name, "not valid JSON")


@pytest.mark.parametrize(
    "tree", [[], None, 3, "images", {}, {"images": []}, {"images": {}, "annotations": []}], ids=str
)
def test_wrong_top_level(tmp_path, tree):
    path = write_coco(tmp_path, [])
    write_json(path, tree)
    complaint(tmp_path, path.name, "'images' and 'annotations'")


def test_two_images_of_one_number(tmp_path):
    write_coco(tmp_path, [coco_person()], [coco_image(1), coco_image(1, file_name="other.jpg")])
    with pytest.raises(InputError, match="person_keypoints_train2017.json: 2 images have 1 different ids"):
        read_coco(tmp_path, "train2017", COCO_KEYPOINTS, 0.75)


def test_empty_lists(tmp_path):
    path = write_coco(tmp_path, [], images=[])
    (tmp_path / "images" / "train2017").mkdir(parents=True)
    complaint(tmp_path, path.name, "no annotation")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"keypoints": [1, 2, 2] * 16}, "keypoints should have shape (51,), found (48,)"),
        ({"keypoints": [float("nan"), 1, 2] * 17}, "keypoints holds a number that is not finite"),
        ({"keypoints": [1] * 50 + [float("inf")]}, "keypoints holds a number that is not finite"),
        ({"keypoints": ["1"] * 51}, "keypoints should be numbers"),
        ({"bbox": [1, 2, 3]}, "bbox should have shape (4,), found (3,)"),
        ({"bbox": [1, 2, 3, -float("inf")]}, "bbox holds a number that is not finite"),
        ({"bbox": [1, 2, "3", 4]}, "bbox should be numbers"),
        ({"bbox": [[1, 2], [3]]}, "bbox should be numbers"),
        ({"bbox": [1, 2, 3, 1e300]}, "bbox holds a number that is not finite or far too large"),
        ({"area": "big"}, "area should be a number, found 'big'"),
        ({"image_id": 99}, "image_id 99 is not among the images"),
        ({"image_id": [1]}, "image_id [1] is not among the images"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else next(iter(value)),
)
def test_bad_annotation_is_named(tmp_path, changed, found):
    path = write_coco(tmp_path, [coco_person(1), coco_person(4711, **changed)])
    complaint(tmp_path, path.name, "annotation 4711", found)


def test_an_annotation_of_no_image_is_named(tmp_path):
    person = coco_person(4711)
    del person["image_id"]
    path = write_coco(tmp_path, [person])
    complaint(tmp_path, path.name, "annotation 4711", "image_id None is not among the images")


@pytest.mark.parametrize("key", ["id", "file_name"])
def test_missing_key_of_an_image(tmp_path, key):
    path = write_coco(tmp_path, [coco_person()])
    image = coco_image()
    del image[key]
    write_json(path, {"images": [image], "annotations": [coco_person()]})
    complaint(tmp_path, path.name, "an image needs id and file_name")


@pytest.mark.parametrize("number", ["1", 1.5, None, 2**63])
def test_number_of_an_image_that_is_not_whole(tmp_path, number):
    path = write_coco(tmp_path, [coco_person()])
    write_json(path, {"images": [coco_image(id=number)], "annotations": [coco_person()]})
    complaint(tmp_path, path.name, f"image {number!r}: id should be a whole number")


@pytest.mark.parametrize("name", ["gone.jpg", "../x.jpg", "/etc/hostname", "", "..", ".", "a/b.jpg", 5])
def test_image_that_is_not_in_the_folder(tmp_path, name):
    path = write_coco(tmp_path, [coco_person(4711)])
    (tmp_path / "images" / "x.jpg").write_bytes(b"")
    write_json(path, {"images": [coco_image(file_name=name)], "annotations": [coco_person(4711)]})
    complaint(tmp_path, path.name, "annotation 4711", repr(name), str(tmp_path / "images" / "train2017"))


@pytest.mark.parametrize("size", [(-64, 48), (float("nan"), 48), (64, float("inf")), (64, "48")])
def test_bad_size_of_an_image(tmp_path, size):
    path = write_coco(tmp_path, [coco_person()])
    image = coco_image(width=size[0], height=size[1])
    write_json(path, {"images": [image], "annotations": [coco_person()]})
    complaint(tmp_path, path.name, "image 1", "width and height")


@pytest.mark.parametrize("key", [None, *coco_person()])
def test_nothing_in_an_annotation_raises_anything_else(tmp_path, key):
    path = write_coco(tmp_path, [])
    for value in NASTY_VALUES:
        bad = value if key is None else coco_person(8, **{key: value})
        check_nasty(tmp_path, path, {"images": [coco_image()], "annotations": [coco_person(), bad]})


@pytest.mark.parametrize("key", [None, *coco_image()])
def test_nothing_in_an_image_raises_anything_else(tmp_path, key):
    path = write_coco(tmp_path, [])
    for value in NASTY_VALUES:
        bad = value if key is None else coco_image(**{key: value})
        check_nasty(tmp_path, path, {"images": [bad], "annotations": [coco_person()]})


def check_nasty(root, path, tree):
    """Either people with finite numbers, or a message of one printable line that names the file."""
    path.write_text(json.dumps(tree), encoding="utf-8")
    try:
        people = read(root)
    except InputError as error:
        message = str(error)
        assert "\n" not in message and str(path) in message
        message.encode("utf-8")
    else:
        for array in (people.ids, people.joints, people.visible, people.centers, people.sizes):
            assert np.isfinite(array).all()
        assert (people.sizes > 0).all()


@pytest.mark.parametrize(("numbers", "count"), [((0, 0), 2), ((3, 3), 2), ((1, 2), 1), ((1, 1), 2)])
def test_people_of_a_file_without_categories(tmp_path, numbers, count):
    people = [coco_person(n, 1, category_id=number) for n, number in enumerate(numbers)]
    path = write_coco(tmp_path, people, [coco_image(1)])
    tree = json.loads(path.read_text())
    tree.pop("categories", None)
    path.write_text(json.dumps(tree))
    assert len(read(tmp_path)) == count
