import json
from pathlib import Path

import numpy as np
import pytest

from lib.dataset.annotations import ReadOptions
from lib.dataset.detections import read_detections
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping
from lib.dataset.layouts import COCOLayout
from lib.utils.errors import InputError
from tests.factories.data_sets import NASTY_VALUES, coco_image, write_coco, write_json

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "coco"
DETECTIONS = DATA / "person_detection_results" / "COCO_val2017_detections_AP_H_56_person.json"
needs_coco = pytest.mark.skipif(
    not DETECTIONS.is_file(), reason=f"no detections of the COCO sample in {DATA}"
)
ASPECT = 192 / 256


def detection(image_id=1, bbox=(8, 6, 20, 30), score=0.9, **changed):
    return {"image_id": image_id, "category_id": 1, "bbox": bbox, "score": score, **changed}


@pytest.fixture
def root(tmp_path):
    """Two images without annotations."""
    write_coco(tmp_path, [], [coco_image(1), coco_image(2)])
    return tmp_path


def read(root, detections, image_thre=0.0, names=COCO_KEYPOINTS, aspect=ASPECT, skip=False, **options):
    path = root / "detections.json"
    write_json(path, detections)
    mapping = joint_mapping("coco", names)
    return read_detections(
        path, COCOLayout(root), "train2017", mapping, ReadOptions(aspect, skip), image_thre, **options
    )


def complaint(root, detections, *parts, **options):
    """The message of the InputError, which is one line, names the file and holds all ``parts``."""
    with pytest.raises(InputError) as caught:
        read(root, detections, **options)
    message = str(caught.value)
    assert "\n" not in message and message.startswith(str(root / "detections.json"))
    for part in parts:
        assert part in message


def simple_baselines_crop(box, aspect):
    """Middle and size of a crop, in SimpleBaseline's units of 200 pixels."""
    x, y, width, height = box
    center = (x + width * 0.5, y + height * 0.5)
    if width > aspect * height:
        height = width / aspect
    elif width < aspect * height:
        width = height * aspect
    return center, (width / 200 * 1.25 * 200, height / 200 * 1.25 * 200)


@needs_coco
@pytest.mark.parametrize("image_thre", [0.0, 0.5])
@pytest.mark.parametrize("names", [COCO_KEYPOINTS, SHARED_KEYPOINTS], ids=["17", "13"])
def test_real_detections_are_read_as_simple_baseline_does(image_thre, names):
    raw = [d for d in json.loads(DETECTIONS.read_text()) if d["score"] >= image_thre]
    detected = read_detections(
        DETECTIONS, COCOLayout(DATA), "val2017", joint_mapping("coco", names), ReadOptions(ASPECT), image_thre
    )
    people = detected.annotations
    assert len(people) == len(raw) == len(detected.scores) and (image_thre or len(raw) == 155)
    np.testing.assert_array_equal(detected.scores, [d["score"] for d in raw])
    np.testing.assert_array_equal(people.image_ids, [d["image_id"] for d in raw])
    for i, d in enumerate(raw):
        center, size = simple_baselines_crop(d["bbox"], ASPECT)
        np.testing.assert_allclose(people.centers[i], center, rtol=1e-5)
        np.testing.assert_allclose(people.sizes[i], size, rtol=1e-5)
        image = Path(people.image_paths[people.image_index[i]])
        assert image.is_file() and image.name == f"{d['image_id']:012}.jpg"
    assert people.joints.shape == (len(raw), len(names), 2) and people.visible.shape == (len(raw), len(names))
    assert not people.joints.any() and not people.visible.any()


@needs_coco
def test_detected_people_are_samples_without_labels():
    mapping = joint_mapping("coco", COCO_KEYPOINTS)
    people = read_detections(
        DETECTIONS, COCOLayout(DATA), "val2017", mapping, ReadOptions(ASPECT), 0.9
    ).annotations
    sample = KeypointDataset(people, HeatmapCodec((96, 128), (24, 32), 2))[0, 0]
    assert sample.problem == "" and sample.image.std() > 0.1
    assert not sample.heatmaps.any() and not sample.target_weight.any()


def test_who_is_left_out_and_what_they_are_called(root):
    detected = read(
        root,
        [
            detection(1, score=0.1),
            detection(2, score=0.3),
            detection(1, score=0.9, category_id=2),
            detection(99, bbox=(1, 2), score="?", category_id=18),  # other categories are not checked
            detection(1, score=0.29),
            detection(1, score=1.0),
        ],
        image_thre=0.3,
    )
    assert detected.annotations.ids.tolist() == [1, 5]
    assert detected.annotations.image_ids.tolist() == [2, 1]
    assert detected.scores.tolist() == [0.3, 1.0]
    assert [Path(detected.annotations.image_paths[p]).name[-5] for p in detected.annotations.image_index] == [
        "2",
        "1",
    ]


@pytest.mark.parametrize(
    ("box", "center", "size"),
    [
        ((10, 20, 30, 40), (25, 40), (37.5, 50)),  # already 3 : 4
        ((10, 20, 60, 40), (40, 40), (75, 100)),  # made higher
        ((10, 20, 3, 40), (11.5, 40), (37.5, 50)),  # made wider
        ((-50, -20, 30, 40), (-35, 0), (37.5, 50)),  # not cut to the image
        ((10.5, 20.5, 0, 0), (10.5, 20.5), (1.25, 5 / 3)),  # nothing in it: one pixel
    ],
)
def test_crops_by_hand(root, box, center, size):
    people = read(root, [detection(bbox=box)]).annotations
    np.testing.assert_allclose(people.centers, [center])
    np.testing.assert_allclose(people.sizes, [size], rtol=1e-6)


def test_of_boxes_that_overlap_the_best_stays_image_by_image(root):
    detections = [
        detection(1, (90, 50, 30, 40), 0.5),
        detection(2, (90, 50, 30, 40), 0.2),
        detection(1, (90, 50, 30, 39), 0.8),  # IoU with the first: 0.975
        detection(1, (90, 70, 30, 40), 0.1),  # IoU with the two: a third and less
        detection(1, (90, 50, 30, 40), 0.7),
        detection(2, (90, 50, 30, 40), 0.2),
    ]
    expected = {1.0: [0, 1, 2, 3, 4, 5], 0.98: [1, 2, 3, 4], 0.97: [1, 2, 3], 0.3: [1, 2]}
    for threshold, ids in expected.items():
        detected = read(root, detections, bbox_thre=threshold)
        assert detected.annotations.ids.tolist() == ids
        assert detected.annotations.image_ids.tolist() == [detections[i]["image_id"] for i in ids]
        assert detected.scores.tolist() == [detections[i]["score"] for i in ids]
        assert len(detected.annotations.sizes) == len(ids)


def test_missing_files(root):
    mapping = joint_mapping("coco", COCO_KEYPOINTS)
    with pytest.raises(InputError, match=r"gone\.json: cannot be read \(No such file"):
        read_detections(root / "gone.json", COCOLayout(root), "train2017", mapping, ReadOptions(ASPECT), 0.0)
    with pytest.raises(InputError, match=r"person_keypoints_gone\.json: cannot be read"):
        read_detections(root / "gone.json", COCOLayout(root), "gone", mapping, ReadOptions(ASPECT), 0.0)


def test_broken_json(root):
    (root / "detections.json").write_text('[{"image_id"')
    with pytest.raises(InputError, match=r"detections\.json: not valid JSON"):
        read_detections(
            root / "detections.json",
            COCOLayout(root),
            "train2017",
            joint_mapping("coco", COCO_KEYPOINTS),
            ReadOptions(ASPECT),
            0.0,
        )


@pytest.mark.parametrize("tree", [{}, None, 3, "people", {"annotations": []}], ids=str)
def test_wrong_top_level(root, tree):
    complaint(root, tree, "expected a list of detections, found")


@pytest.mark.parametrize(
    ("detections", "reason"),
    [
        ([], "it has no detection"),
        ([detection(score=0.2)], "1 with a score below 0.25"),
        ([detection(category_id=0)], "1 of category 0, where people are category 1"),
        ([detection(99), detection("frame_7")], "2 of images that are not in"),
        ([detection("frame_7"), detection(99)], "such as 'frame_7'"),
    ],
)
def test_nobody(root, detections, reason):
    complaint(root, detections, "no person detected: ", reason, image_thre=0.25)


@pytest.mark.parametrize("key", ["image_id", "category_id", "bbox", "score"])
def test_missing_key(root, key):
    lacking = detection()
    del lacking[key]
    complaint(root, [detection(), lacking], "detection 1 needs image_id, category_id, bbox and score")


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"bbox": [1, 2, 3]}, "bbox should have shape (4,), found (3,)"),
        ({"bbox": [1, 2, 3, float("nan")]}, "bbox holds a number that is not finite"),
        ({"bbox": [1, 2, -3, 4]}, "width and height of bbox should not be negative"),
        ({"bbox": ["1", "2", "3", "4"]}, "bbox should be numbers"),
        ({"bbox": None}, "bbox should be numbers"),
        ({"score": float("nan")}, "score holds a number that is not finite"),
        ({"score": float("inf")}, "score holds a number that is not finite"),
        ({"score": "0.9"}, "score should be a number, found '0.9'"),
        ({"score": [0.9]}, "score should be a number, found [0.9]"),
        ({"image_id": None}, "image_id should be a whole number"),
    ],
    ids=str,
)
def test_bad_detection_is_named(root, changed, found):
    complaint(root, [detection(), detection(**changed)], "detection 1:", found)


def test_an_image_that_is_missing_is_named(root):
    (root / "images" / "train2017" / "000000000002.jpg").unlink()
    complaint(root, [detection(1), detection(2)], "detection 1: image '000000000002.jpg' is not in")
    assert len(read(root, [detection(1), detection(2, score=0.1)], image_thre=0.5).annotations) == 1


@pytest.mark.parametrize("key", [None, *detection()])
def test_nothing_in_a_detection_raises_anything_else(root, key):
    for value in NASTY_VALUES:
        bad = value if key is None else detection(**{key: value})
        try:
            detected = read(root, [detection(), bad])
        except InputError as error:
            message = str(error)
            assert "\n" not in message and message.startswith(f"{root / 'detections.json'}: detection 1")
            message.encode("utf-8")
        else:
            people = detected.annotations
            for array in (people.ids, people.image_ids, people.centers, people.sizes, detected.scores):
                assert np.isfinite(array).all()
            assert (people.sizes > 0).all()


def test_detections_of_other_images_are_skipped_and_counted(root):
    people = read(root, [detection(1), detection(99), detection(98), detection(2, category_id=7)]).annotations
    assert people.ids.tolist() == [0]
    assert sorted(filter(None, people.notes.left_out.values())) == [1, 2]


def test_images_may_be_named_by_their_files(root):
    people = read(
        root, [detection("000000000002"), detection("000000000001.jpg"), detection("other")]
    ).annotations
    assert people.image_ids.tolist() == [2, 1] and sum(people.notes.left_out.values()) == 1
    assert read(root, [detection("2")]).annotations.image_ids.tolist() == [2]


def test_people_are_the_category_that_the_annotation_file_calls_so(root):
    file = root / "annotations" / "person_keypoints_train2017.json"
    tree = json.loads(file.read_text())
    write_json(file, tree | {"categories": [{"id": 0, "name": "person"}, {"id": 1, "name": "dog"}]})
    people = read(root, [detection(1), detection(2, category_id=0)]).annotations
    assert people.image_ids.tolist() == [2] and people.category_ids.tolist() == [0]


def test_missing_images_are_counted_or_left_out(root):
    (root / "images" / "train2017" / "000000000002.jpg").unlink()
    detections = [detection(1), detection(2), detection(2, bbox=(1, 1, 20, 30))]
    complaint(
        root, detections, "detection 1: image '000000000002.jpg' is not in", "1 of 2 images are missing"
    )
    people = read(root, detections, skip=True).annotations
    assert people.ids.tolist() == [0] and people.notes.left_out["whose image is missing"] == 2


def named_images(root, *names):
    write_coco(root, [], [coco_image(k) | {"file_name": name} for k, name in enumerate(names, 1)])
    for name in names:
        path = root / "images" / "train2017" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


@pytest.mark.parametrize(
    "image_id", ["2", "b", "b.jpg", "/x/b.jpg", "C:\\x\\b.jpg", "http://h/b.jpg?s=1", 2, 2.0]
)
def test_an_image_named_in_every_way(tmp_path, image_id):
    named_images(tmp_path, "a.jpg", "b.jpg")
    assert read(tmp_path, [detection(image_id)]).annotations.image_ids.tolist() == [2]


def test_a_name_of_several_images_is_an_error(tmp_path):
    path = tmp_path / "annotations" / "person_keypoints_train2017.json"
    named_images(tmp_path, "a.jpg", "b.jpg")
    tree = json.loads(path.read_text())
    for image, name in zip(tree["images"], ("v1/a.jpg", "v2/a.jpg")):
        image["file_name"] = name
    write_json(path, tree)
    complaint(tmp_path, [detection("a")], "detection 0", "2 images", "1 and 2")
    complaint(tmp_path, [detection("up/a.jpg")], "detection 0", "2 images")


def test_boxes_out_of_their_image_are_doubted(root):
    width, height = coco_image(1)["width"], coco_image(1)["height"]
    doubts = read(
        root, [detection(bbox=(5, 5, width - 4, height - 4)), detection(2)]
    ).annotations.notes.doubts
    assert not any(doubts.values())
    corners = detection(bbox=(width / 2, height / 2, width, height))
    assert list(read(root, [corners, detection(2)]).annotations.notes.doubts.values()) == [1]
