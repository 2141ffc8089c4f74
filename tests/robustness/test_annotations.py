"""Spoilt annotation, detection, truth and prediction files: read to something sane, or one clear error."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from scipy.io import loadmat, savemat

from lib.dataset.annotations import ReadOptions
from lib.dataset.coco import ObjectFile, read_objects
from lib.dataset.coco_format import read_category
from lib.dataset.detections import read_detections
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import ImageFolder
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, joint_mapping, map_by_name
from lib.dataset.layouts import COCOLayout, MPIILayout
from lib.dataset.skeleton import Skeleton
from lib.dataset.splits import is_validation
from lib.evaluation.coco import (
    coco_average_precision,
    object_average_precision,
    read_coco_results,
)
from lib.evaluation.evaluators import score_predictions
from lib.evaluation.ground_truth import read_ground_truth
from lib.label_noise.injection import inject
from lib.label_noise.truth import read_truth, read_truth_of, truth_file, write_truth_of
from lib.utils.errors import InputError
from tests.factories.data_sets import (
    coco_image,
    coco_person,
    mpii_person,
    read_coco,
    read_mpii,
    write_coco,
    write_gt_valid,
    write_mpii,
)
from tests.harness.mutations import FEW_AND_MANY, PLACES, outcome, put, spoilt_bytes, spoilt_tree, try_many

ASPECT = 0.75
IMAGES = [coco_image(1), coco_image(2), coco_image(3, file_name="a.png")]
PEOPLE = [coco_person(7, 1), coco_person(8, 1, iscrowd=1), coco_person(9, 2), coco_person(10, 3)]
RESULTS = [
    {"image_id": p["image_id"], "category_id": 1, "score": 0.5, "keypoints": p["keypoints"]} for p in PEOPLE
]
BOXES = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.5} for p in PEOPLE]


def spoilt_json(tree):
    """Bytes of a JSON file: the tree is spoilt, or its text."""
    text = json.dumps(tree).encode()
    return st.one_of(spoilt_tree(tree).map(lambda t: json.dumps(t).encode()), spoilt_bytes(text))


def placed(contents):
    """(bytes, what is in the file's place), mostly the file."""
    return st.tuples(contents, st.one_of(st.just("file"), st.just("file"), st.sampled_from(PLACES)))


def assert_sane(people, root):
    """Whoever was read is finite and in range, and so is a sample made of them."""
    count, joints = len(people), len(people.mapping.names)
    assert count > 0
    shapes = {
        "ids": (),
        "image_index": (),
        "joints": (joints, 2),
        "visible": (joints,),
        "centers": (2,),
        "sizes": (2,),
    }
    for name, shape in shapes.items():
        array = getattr(people, name)
        assert array.shape == (count, *shape) and np.isfinite(array).all(), name
    assert (people.sizes >= 1).all() and set(np.unique(people.visible)) <= {0, 1}
    assert people.image_index.min() >= 0 and people.image_index.max() < len(people.image_paths)
    for path in people.image_paths:
        assert Path(path).parent.is_relative_to(root / "images") and ".." not in Path(path).parts
    codec = HeatmapCodec((24, 32), (6, 8), 1)
    for augmentation in (None, Augmentation(True, 40.0, 0.3)):
        sample = KeypointDataset(people, codec, augmentation)[count - 1, 0]
        assert all(np.isfinite(part.numpy()).all() for part in sample[:3]), sample
        assert sample.heatmaps.min() >= 0 and sample.heatmaps.max() <= 1


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_coco(tmp_path, examples):
    path = write_coco(tmp_path, PEOPLE, IMAGES)
    noise = "jitter:0.5+wrong_person:0.5+visibility:0.5+offset:0.5+limb_swap:0.5"

    def check(content_and_place):
        put(path, *content_and_place)
        people = outcome(read_coco, tmp_path, "train2017", COCO_KEYPOINTS, ASPECT)
        if people is not None:
            assert_sane(people, tmp_path)
            made, truth = inject(people, noise, 0)
            assert np.isfinite(made.joints).all() and truth.corrupted.shape == made.visible.shape
        values = outcome(coco_average_precision, path, RESULTS)
        assert values is None or all(np.isnan(v) or 0 <= v <= 1 for v in values.values())

    tree = {"images": IMAGES, "annotations": PEOPLE}
    try_many(examples, placed(spoilt_json(tree)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_objects_in_cocos_format(tmp_path, examples):
    write_coco(tmp_path, PEOPLE, IMAGES)
    path, names = tmp_path / "a.json", ["left_a", "b", "right_a"]
    points = [10, 8, 2, 12, 9, 1, 20, 30, 2]
    things = [{**person, "category_id": 2, "keypoints": points} for person in PEOPLE]
    kinds = [{"id": 1, "name": "cup"}, {"id": 2, "name": "crab", "keypoints": names}]

    def read():
        category = read_category(path)
        folder = tmp_path / "images" / "train2017"
        mapping = map_by_name("coco_format", category.keypoints, Skeleton.of(category.keypoints))
        file = ObjectFile(path, ImageFolder(folder, nested=True), category.numbers)
        people = read_objects(file, mapping, ReadOptions(ASPECT))
        truth = read_ground_truth(file, (0.05,) * len(mapping.names))
        return people, object_average_precision(truth.only(people.ids.tolist()), [])

    def check(content_and_place):
        put(path, *content_and_place)
        found = outcome(read)
        if found is not None:
            people, precision = found
            assert_sane(people, tmp_path)
            assert (people.box_sizes >= 1).all() and (np.isnan(precision) or precision == 0)

    tree = {"images": IMAGES, "annotations": things, "categories": kinds}
    try_many(examples, placed(spoilt_json(tree)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_mpii(tmp_path, examples):
    everyone = [mpii_person(f"{n % 3}.jpg", scale=0.1 + n / 9) for n in range(5)]
    path = write_mpii(tmp_path, everyone)

    def check(content_and_place):
        put(path, *content_and_place)
        people = outcome(read_mpii, tmp_path, "train", MPII_KEYPOINTS, ASPECT)
        if people is not None:
            assert_sane(people, tmp_path)
            assert (people.head_sizes > 0).all() and np.isfinite(people.head_sizes).all()
            assert is_validation(people, "image").any() and is_validation(people, "annotation")[0]

    try_many(examples, placed(spoilt_json(everyone)), check)


def mat_bytes(content, compress=False):
    file = io.BytesIO()
    savemat(file, content, do_compression=compress)
    return file.getvalue()


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_truth_of_mpii(tmp_path, examples):
    everyone = [mpii_person(), mpii_person()]
    write_mpii(tmp_path, everyone, "valid")
    path = tmp_path / "annot" / "gt_valid.mat"
    write_gt_valid(path, everyone)
    whole = path.read_bytes()
    plain = {k: v for k, v in loadmat(path).items() if not k.startswith("__")}
    put(tmp_path / "preds.mat", mat_bytes({"preds": np.ones((2, 16, 2))}))

    @st.composite
    def spoilt_arrays(draw):
        """Numbers of the file replaced."""
        arrays = {name: array.copy() for name, array in plain.items()}
        name = draw(st.sampled_from(["jnt_missing", "pos_gt_src", "headboxes_src"]))
        array = arrays[name].astype(draw(st.sampled_from([np.float64, np.float32, np.int16])))
        flat = array.reshape(-1)
        with np.errstate(all="ignore"):
            flat[draw(st.integers(0, flat.size - 1))] = np.array(draw(st.floats())).astype(array.dtype)
        return mat_bytes(arrays | {name: array[: draw(st.integers(1, len(array)))]})

    def check(content_and_place):
        put(path, *content_and_place)
        people = outcome(read_mpii, tmp_path, "valid", MPII_KEYPOINTS, ASPECT)
        if people is not None:
            assert len(people) == 2 and (people.head_sizes > 0).all()
            assert np.isfinite(people.joints[people.visible > 0]).all()
        scored = outcome(
            score_predictions, MPIILayout(tmp_path), "valid", MPII_KEYPOINTS, tmp_path / "preds.mat", False
        )
        assert scored is None or all(np.isnan(v) or 0 <= v <= 100 for v in scored[1].values())

    try_many(examples, placed(st.one_of(spoilt_bytes(whole), spoilt_arrays())), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_predictions_for_mpii(tmp_path, examples):
    write_mpii(tmp_path, [mpii_person(), mpii_person()], "valid")
    path = tmp_path / "preds.mat"
    whole = [mat_bytes({"preds": np.full((2, 16, 2), 30.0)}, compress) for compress in (False, True)]
    shapes = st.sampled_from([(2, 16, 2), (2, 16, 3), (1, 16, 2), (16, 2, 2), (0,), (2,), (2, 16, 2, 1)])
    values = st.sampled_from([np.nan, np.inf, -1e308, 5, True, "a", b"a", 1j, {"a": 1}, [1, "b"]])
    arrays = st.builds(
        lambda shape, v: mat_bytes({"preds": np.full(shape, v) if np.ndim(v) == 0 else v}), shapes, values
    )

    def check(content_and_place):
        put(path, *content_and_place)
        scored = outcome(score_predictions, MPIILayout(tmp_path), "valid", MPII_KEYPOINTS, path, False)
        assert scored is None or all(np.isnan(v) or 0 <= v <= 100 for v in scored[1].values())

    try_many(examples, placed(st.one_of(*map(spoilt_bytes, whole), arrays)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_detections(tmp_path, examples):
    write_coco(tmp_path, PEOPLE, IMAGES)
    path, mapping = tmp_path / "boxes.json", joint_mapping("coco", COCO_KEYPOINTS)

    def check(content_and_place):
        put(path, *content_and_place)
        found = outcome(
            read_detections, path, COCOLayout(tmp_path), "train2017", mapping, ReadOptions(ASPECT), 0.1, 0.7
        )
        if found is not None:
            assert_sane(found.annotations, tmp_path)
            assert found.scores.shape == (len(found.annotations),) and (found.scores >= 0.1).all()

    try_many(examples, placed(spoilt_json(BOXES)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_results_for_coco(tmp_path, examples):
    annotations = write_coco(tmp_path, PEOPLE, IMAGES)
    path = tmp_path / "results.json"

    def check(content_and_place):
        put(path, *content_and_place)
        results = outcome(read_coco_results, path)
        if results is not None:
            values = outcome(coco_average_precision, annotations, results)
            assert values is None or all(np.isnan(v) or 0 <= v <= 1 for v in values.values())

    try_many(examples, placed(spoilt_json(RESULTS)), check)


@pytest.mark.parametrize("examples", FEW_AND_MANY)
def test_truth_beside_the_annotations(tmp_path, examples):
    write_coco(tmp_path, PEOPLE, IMAGES)
    people = read_coco(tmp_path, "train2017", COCO_KEYPOINTS, ASPECT)
    path = truth_file(tmp_path, "train2017")
    write_truth_of(path, "jitter:0.5", 0, *inject(people, "jitter:0.5", 0))
    tree = json.loads(path.read_text())

    def check(content_and_place):
        put(path, *content_and_place)
        truth = outcome(read_truth_of, path, people)
        if truth is not None:
            assert truth.corrupted.shape == people.visible.shape and truth.corrupted.dtype == bool
            known = np.isfinite(truth.clean_joints).all(axis=2)
            assert (known | np.isnan(truth.clean_joints).all(axis=2)).all()
            assert (np.abs(truth.clean_joints[known]) < 1e9).all()

    try_many(examples, placed(spoilt_json(tree)), check)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"keypoints": [10**400] * 51}, "keypoints should be numbers"),
        ({"keypoints": [1e300] * 51}, "keypoints holds a number that is not finite or far too large"),
        ({"keypoints": ["1"] * 51}, "keypoints should be numbers"),
        ({"wrong": ["False"] * 17}, "'wrong' should be 17 booleans"),
        ({"wrong": 1}, "'wrong' should be 17 booleans"),
        ({"wrong": None}, "'wrong' should be 17 booleans"),
    ],
)
def test_a_label_that_is_no_truth(tmp_path, changed, message):
    label = {"keypoints": [0] * 51, "wrong": [False] * 17} | changed
    (tmp_path / "t.json").write_text(json.dumps({"noise": "x", "seed": 0, "annotations": {"7": label}}))
    with pytest.raises(InputError, match=rf"t\.json: annotation 7: {message}"):
        read_truth(tmp_path / "t.json")


def test_a_truth_of_thousands_of_levels(tmp_path):
    (tmp_path / "t.json").write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"t\.json: not valid JSON"):
        read_truth(tmp_path / "t.json")
