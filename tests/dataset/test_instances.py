"""What annotation tools leave out, and what the reader fills in: the right values, each of them counted."""

import json

import cv2
import numpy as np
import pytest

from lib.dataset.annotations import ReadOptions
from lib.dataset.coco import ObjectFile, read_objects
from lib.dataset.coco_file import read_coco_file
from lib.dataset.images import ImageFolder
from lib.dataset.instances import Wanted, read_instances
from lib.dataset.keypoints import map_by_name
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError

NAMES = ("nose", "left_ear", "right_ear")
POINTS = [20, 30, 2, 60, 30, 2, 40, 70, 1]
NAN = float("nan")


def annotation(number=1, **changed):
    entry = {
        "id": number,
        "image_id": 1,
        "category_id": 5,
        "bbox": [15, 25, 50, 50],
        "area": 900.0,
        "keypoints": POINTS,
    }
    return {key: value for key, value in (entry | changed).items() if value != "gone"}


def write(folder, *annotations, image=None, categories=None):
    folder.joinpath("images").mkdir(exist_ok=True)
    cv2.imwrite(str(folder / "images" / "a.png"), np.zeros((90, 120, 3), np.uint8))
    entry = {"id": 1, "file_name": "a.png", "width": 120, "height": 90} if image is None else image
    kinds = [{"id": 5, "name": "bird", "keypoints": list(NAMES)}] if categories is None else categories
    tree = {"images": [entry], "annotations": list(annotations), "categories": kinds}
    (folder / "a.json").write_text(json.dumps(tree))
    return folder / "a.json"


def read(path, categories=(5,), drop_zero=False):
    wanted = Wanted(categories, len(NAMES), drop_zero)
    return read_instances(read_coco_file(path), wanted, ImageFolder(path.parent / "images", nested=True))


def samples(path, categories=(5,), skip=False):
    file = ObjectFile(path, ImageFolder(path.parent / "images", nested=True), categories)
    return read_objects(file, map_by_name("coco_format", NAMES, Skeleton.of(NAMES)), ReadOptions(1.0, skip))


def filled(instances):
    return {what: count for what, count in instances.notes.filled_in.items() if count}


def test_a_complete_annotation_is_read_as_it_is(tmp_path):
    instances = read(write(tmp_path, annotation(7, segmentation=[], num_keypoints=99, iscrowd=0)))
    assert instances.ids.tolist() == [7] and instances.category_ids.tolist() == [5]
    np.testing.assert_array_equal(instances.points[0], np.reshape(POINTS, (3, 3)))
    assert instances.boxes.tolist() == [[15, 25, 50, 50]] and instances.areas.tolist() == [900]
    assert instances.bounds.tolist() == [[120, 90]] and instances.notes.sentences() == {}


@pytest.mark.parametrize("area", ["gone", None, 0, 0.0, NAN])
def test_an_area_that_is_missing_null_or_zero_is_that_of_the_box(tmp_path, area):
    instances = read(write(tmp_path, annotation(area=area)))
    assert instances.areas.tolist() == [2500] and list(filled(instances).values()) == [1]
    assert len(samples(tmp_path / "a.json")) == 1


@pytest.mark.parametrize(
    "box", ["gone", None, [], [0, 0, 0, 0], [20, 30, 0, 0], [5, 5, 40, 0], [NAN, 1, 2, 3]]
)
def test_a_box_that_is_missing_or_empty_comes_from_the_keypoints(tmp_path, box):
    instances = read(write(tmp_path, annotation(bbox=box)))
    # The joints span 40 x 40 from (20, 30); the margin is the larger of 0.1 * 40 and 0.05 * 120.
    assert instances.boxes.tolist() == [[14, 24, 52, 52]] and sum(filled(instances).values()) == 1


def test_a_single_joint_has_a_box_too(tmp_path):
    points = [20, 30, 2, 0, 0, 0, 0, 0, 0]
    path = write(tmp_path, annotation(bbox=[20, 30, 0, 0], area=0.0, keypoints=points))
    assert read(path).boxes.tolist() == [[14, 24, 12, 12]]
    assert samples(path).visible.tolist() == [[1, 0, 0]]


def test_ids_that_are_missing_follow_the_largest(tmp_path):
    instances = read(write(tmp_path, annotation("gone"), annotation(4), annotation(None)))
    assert instances.ids.tolist() == [5, 4, 6]
    assert filled(instances) == {"ids of annotations, numbered in the order of the file": 2}


@pytest.mark.parametrize("gap", [(NAN, NAN, 0), (None, None, 0), (None, None, None), (3, NAN, 0.0)])
def test_unlabelled_keypoints_may_be_no_numbers(tmp_path, gap):
    instances = read(write(tmp_path, annotation(keypoints=POINTS[:6] + list(gap))))
    assert (
        instances.points[0].tolist() == [[20, 30, 2], [60, 30, 2], [0, 0, 0]]
        and sum(filled(instances).values()) == 1
    )


def test_labelled_keypoints_must_be_numbers(tmp_path):
    path = write(tmp_path, annotation(), annotation(4711, keypoints=[*POINTS[:6], NAN, 4, 2]))
    with pytest.raises(InputError, match=r"a\.json: annotation 4711: keypoints"):
        read(path)


def test_keypoints_as_a_list_of_points(tmp_path):
    nested = np.reshape(POINTS, (3, 3)).tolist()
    instances = read(write(tmp_path, annotation(keypoints=nested)))
    np.testing.assert_array_equal(instances.points[0], nested)


@pytest.mark.parametrize("size", [{}, {"width": None, "height": None}, {"width": 0, "height": 0}])
def test_the_size_of_an_image_is_read_from_it(tmp_path, size):
    instances = read(write(tmp_path, annotation(), image={"id": 1, "file_name": "a.png", **size}))
    assert instances.bounds.tolist() == [[120, 90]] and sum(filled(instances).values()) == 1
    assert instances.sized.tolist() == [False]


@pytest.mark.parametrize(("name", "error"), [("gone.png", "image 'gone.png' is not in"), ("a.json", "image 1 has no width and height, and .*a.json cannot")])  # fmt: skip
def test_an_image_without_a_size_that_cannot_be_read(tmp_path, name, error):
    path = write(tmp_path, annotation(), annotation(2, image_id=2), image={"id": 1, "file_name": name})
    tree = json.loads(path.read_text())
    tree["images"].append({"id": 2, "file_name": "a.png"})
    path.write_text(json.dumps(tree))
    (tmp_path / "images" / "a.json").write_text("no image")
    with pytest.raises(InputError, match=error):
        samples(path)
    read_without = samples(path, skip=True)
    assert read_without.ids.tolist() == [2] and sum(read_without.notes.left_out.values()) == 1


@pytest.mark.parametrize(("value", "crowd"), [(0, False), ("0", False), (NAN, False), (None, False), ("false", False), (1, True), ("1", True), (True, True)])  # fmt: skip
def test_crowds_in_every_spelling(tmp_path, value, crowd):
    assert read(write(tmp_path, annotation(iscrowd=value))).crowd.tolist() == [crowd]


def test_tables_write_whole_numbers_as_floats(tmp_path):
    image = {"id": 1.0, "file_name": "a.png", "width": 120.0, "height": 90.0}
    path = write(tmp_path, annotation(7.0, image_id=1.0, category_id=5.0), image=image)
    people = samples(path)
    assert (people.ids.tolist(), people.image_ids.tolist(), people.category_ids.tolist()) == ([7], [1], [5])
    with pytest.raises(InputError, match="1.5"):
        samples(write(tmp_path, annotation(1.5)))


def test_keypoints_where_none_can_be_are_doubted(tmp_path):
    def doubts(*entries):
        return {what.split(" ")[-2]: count for what, count in samples(write(tmp_path, *entries)).notes.doubts.items() if count}  # fmt: skip

    near = [16, 26, 2, 64, 74, 2, 72, 40, 2]  # the last a bit outside of its box
    assert doubts(annotation(keypoints=near), annotation(2)) == {}
    assert doubts(annotation(keypoints=[20, 30, 2, 60, 30, 2, 140, 70, 2]), annotation(2)) == {"their": 1}
    # shares of the image in one annotation of many
    shares = [0.2, 0.3, 2, 0.6, 0.3, 2, 0.4, 0.7, 1]
    assert doubts(annotation(keypoints=shares), annotation(2)) == {"their": 1}


def test_one_category_needs_no_category_id(tmp_path):
    instances = read(write(tmp_path, annotation(category_id="gone")))
    assert len(instances) == 1 and sum(filled(instances).values()) == 1
    others = [{"id": 5, "name": "bird"}, {"id": 6, "name": "cat"}]
    with pytest.raises(InputError, match="annotation 1 needs category_id"):
        read(write(tmp_path, annotation(category_id="gone"), categories=others))


def test_placeholders_at_zero_are_named_and_can_be_left_out(tmp_path):
    placeholder = annotation(bbox=[0, 0, 60, 70], keypoints=[*POINTS[:6], 0, 0, 2])
    path = write(tmp_path, placeholder, annotation(2))
    kept = read(path)
    assert kept.labelled.all() and (kept.points[0, 2] == [0, 0, 2]).all()
    assert list(kept.notes.doubts.values()) == [1] and "DROP_ZERO_KEYPOINTS" in next(iter(kept.notes.doubts))
    dropped = read(path, drop_zero=True)
    assert dropped.points[..., 2].tolist() == [[2, 2, 0], [2, 2, 1]] and list(
        dropped.notes.left_out.values()
    ) == [1]
    # The box reached to the placeholder: 40 x 0 from (20, 30), with a margin of 0.05 * 120.
    assert dropped.boxes.tolist() == [[14, 24, 52, 12], [15, 25, 50, 50]]


def test_everything_left_out_is_counted_by_its_reason(tmp_path):
    path = write(
        tmp_path,
        annotation(1),
        annotation(2, iscrowd=1),
        annotation(3, keypoints=[0] * 9),
        annotation(4, keypoints="gone"),
        annotation(5, bbox=[500, 10, 20, 20]),
        annotation(6, category_id=8),
        annotation(7, category_id=8),
    )
    people = samples(path)
    assert people.ids.tolist() == [1]
    assert {what: count for what, count in people.notes.left_out.items() if count} == {
        "of category 8": 2,
        "crowds": 1,
        "without a labelled keypoint": 2,
        "whose box is outside of the image": 1,
    }
    with pytest.raises(InputError, match=r"2 of category 5.*1 without a labelled keypoint"):
        samples(
            write(tmp_path, annotation(1), annotation(2), annotation(3, category_id=8, keypoints=[])), (8,)
        )


def test_several_categories_with_the_same_joints_are_read_together(tmp_path):
    kinds = [
        {"id": number, "name": name, "keypoints": list(NAMES)} for number, name in ((5, "cow"), (8, "dog"))
    ]
    path = write(tmp_path, annotation(1), annotation(2, category_id=8), categories=kinds)
    assert samples(path, (5, 8)).category_ids.tolist() == [5, 8]


def test_entries_of_images_that_share_a_file_are_doubtful(tmp_path):
    path = write(tmp_path, annotation())
    tree = json.loads(path.read_text())
    tree["images"].append(tree["images"][0] | {"id": 2})
    path.write_text(json.dumps(tree))
    assert list(read(path).notes.doubts.values()) == [1]


def test_missing_images_are_counted_or_left_out(tmp_path):
    path = write(
        tmp_path,
        annotation(1),
        annotation(2, image_id=2),
        annotation(3, image_id=2),
        annotation(4, image_id=3),
    )
    tree = json.loads(path.read_text())
    tree["images"] += [
        tree["images"][0] | {"id": number, "file_name": f"gone{number}.png"} for number in (2, 3)
    ]
    path.write_text(json.dumps(tree))
    with pytest.raises(
        InputError,
        match=r"annotation 2: image 'gone2.png' is not in .*2 of 3 images are missing.*ON_BAD_IMAGE",
    ):
        samples(path)
    people = samples(path, skip=True)
    assert people.ids.tolist() == [1] and people.notes.left_out["whose image is missing"] == 3
    (tmp_path / "images" / "a.png").unlink()
    with pytest.raises(InputError, match="3 of 3 images are missing"):
        samples(path, skip=True)


def test_the_error_says_where_else_a_missing_image_is(tmp_path):
    path = write(tmp_path, annotation())
    (tmp_path / "pictures").mkdir()
    (tmp_path / "images" / "a.png").rename(tmp_path / "pictures" / "a.png")
    images = ImageFolder(tmp_path / "images", nested=True, setting="IMAGES")
    file = ObjectFile(path, images, (5,))
    with pytest.raises(
        InputError, match=r"is not in \S*images; a file of that name is in \S*pictures, .*IMAGES"
    ):
        read_objects(file, map_by_name("coco_format", NAMES, Skeleton.of(NAMES)), ReadOptions(1.0))
    assert images.elsewhere("no.png") is None


def test_a_box_that_an_unlabelled_zero_stretches_comes_from_the_labels(tmp_path):
    points = [80, 50, 2, 100, 70, 2, 0, 0, 0]
    instances = read(
        write(
            tmp_path, annotation(1, bbox=[0, 0, 100, 70], keypoints=points), annotation(2, keypoints=points)
        )
    )
    # The labels span 20 x 20; the margin is 0.05 * 120. The second box is not one of labels and (0, 0).
    assert instances.boxes.tolist() == [[74, 44, 32, 32], [15, 25, 50, 50]]


def test_a_list_of_images_alone_has_nothing_to_train_on(tmp_path):
    path = write(tmp_path)
    tree = json.loads(path.read_text())
    del tree["annotations"]
    path.write_text(json.dumps(tree))
    with pytest.raises(InputError, match="expected COCO's lists 'images' and 'annotations'"):
        samples(path)


def test_frames_of_videos_that_share_a_name_are_not_mixed_up(tmp_path):
    """The folder of video 1 is not there; its frames are not those of video 2."""
    path = write(tmp_path, annotation(1), annotation(2, image_id=2))
    tree = json.loads(path.read_text())
    tree["images"] = [tree["images"][0] | {"id": n, "file_name": f"video{n}/a.png"} for n in (1, 2)]
    path.write_text(json.dumps(tree))
    (tmp_path / "images" / "video2").mkdir()
    (tmp_path / "images" / "a.png").rename(tmp_path / "images" / "video2" / "a.png")
    with pytest.raises(
        InputError, match=r"annotation 1: image 'video1/a\.png' .*another image, 'video2/a\.png'"
    ):
        samples(path)
    tree["annotations"].pop()  # video 2 has no label: the file of its name may be that of video 1, moved
    path.write_text(json.dumps(tree))
    (doubt,) = (words for words, count in samples(path).notes.doubts.items() if count)
    assert "'video1/a.png' is read from" in doubt and doubt.endswith("video2/a.png")


def test_images_that_are_found_by_the_end_of_their_path_are_counted(tmp_path):
    path = write(
        tmp_path,
        annotation(1),
        annotation(2),
        image={"id": 1, "file_name": "C:\\up\\a.png", "width": 120, "height": 90},
    )
    people = samples(path)
    assert list(people.image_paths) == [str(tmp_path / "images" / "a.png")]
    assert list(people.image_names) == ["C:\\up\\a.png"]
    assert {what: count for what, count in people.notes.filled_in.items() if count} == {
        "images, found by the end of their path": 1
    }
