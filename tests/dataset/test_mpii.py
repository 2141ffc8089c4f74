import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from lib.dataset.annotations import ReadOptions
from lib.dataset.keypoints import MPII_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping, map_by_name
from lib.dataset.layouts import MPIILayout
from lib.dataset.skeleton import Skeleton
from lib.dataset.splits import is_validation
from lib.utils.errors import InputError
from tests.factories.data_sets import NASTY_VALUES, mpii_person, read_mpii, write_json, write_mpii

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "mpii"
needs_mpii = pytest.mark.skipif(not DATA.is_dir(), reason=f"no MPII sample in {DATA}")
ASPECT = 192 / 256


def read(root, image_set="train", names=MPII_KEYPOINTS, aspect=ASPECT):
    return read_mpii(root, image_set, names, aspect)


def complaint(root, *parts, image_set="train"):
    """The message of the InputError, which is one line and holds all ``parts``."""
    with pytest.raises(InputError) as caught:
        read(root, image_set)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message


def image_names(people):
    return [Path(people.image_paths[p]).name for p in people.image_index]


def test_a_person_by_hand(tmp_path):
    write_mpii(tmp_path, [mpii_person(scale=1.2, center=[100, 200])])
    people = read(tmp_path, names=SHARED_KEYPOINTS)
    assert people.ids.tolist() == [0]
    assert people.image_paths == (str(tmp_path / "images" / "a.jpg"),)
    # 15 px per scale down, 1 px off since MATLAB counts from 1; 1.2 * 200 * 1.25 = 300.
    np.testing.assert_allclose(people.centers, [[99, 217]])
    np.testing.assert_allclose(people.sizes, [[225, 300]])
    positions = [0, 1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14, 15]
    np.testing.assert_array_equal(people.joints[0, 1:], [(10 + k, 20 + 2 * k) for k in positions[1:]])
    np.testing.assert_array_equal(people.visible[0], [0] + [1] * 12)
    # No head box outside valid: an eighth of the body's 200 * 1.2 px.
    np.testing.assert_allclose(people.head_sizes, [30])


def test_a_joint_without_a_keypoint_is_not_labelled(tmp_path):
    """A target in coco_format may have joints that MPII lacks; the last keypoint must not stand in for them."""
    write_mpii(tmp_path, [mpii_person(joints_vis=[1] * 16)])
    mapping = map_by_name("mpii", MPII_KEYPOINTS, Skeleton.of(("left_wrist", "tail", "head_top")))
    people = MPIILayout(tmp_path, "jpg").read("train", mapping, ReadOptions(ASPECT))
    assert people.visible.tolist() == [[1, 0, 1]]


@pytest.mark.parametrize("aspect", [0.5, 0.75, 1.0, 1.5])
def test_a_crop_is_as_high_as_the_box_for_any_aspect(tmp_path, aspect):
    write_mpii(tmp_path, [mpii_person(scale=0.3), mpii_person(scale=2.0)])
    sizes = read(tmp_path, aspect=aspect).sizes
    np.testing.assert_allclose(sizes[:, 1], [75, 500], rtol=1e-6)
    np.testing.assert_allclose(sizes[:, 0], [75 * aspect, 500 * aspect], rtol=1e-6)


def test_valid_reads_its_truth_from_the_mat_file(tmp_path):
    annotated = [mpii_person("a.jpg"), mpii_person("b.jpg")]
    truth = [
        mpii_person(joints=[[k + 1.5, 2 * k + 1.25] for k in range(16)], joints_vis=[1] * 15 + [0]),
        mpii_person(joints_vis=[0, 1] * 8),
    ]
    write_mpii(tmp_path, annotated, "valid", truth_people=truth)
    people = read(tmp_path, "valid")
    np.testing.assert_allclose(people.joints[0], [(k + 0.5, 2 * k + 0.25) for k in range(16)])
    np.testing.assert_array_equal(people.visible, [[1] * 15 + [0], [0, 1] * 8])
    np.testing.assert_allclose(people.head_sizes, [30, 30])  # 0.6 of the diagonal of 30 x 40
    np.testing.assert_allclose(people.sizes[:, 1], 250 * 0.16, rtol=1e-6)


@needs_mpii
def test_real_sample():
    train = read(DATA)
    assert train.ids.tolist() == [0, 1, 2]
    assert is_validation(train, "image").sum() == 1
    assert all(Path(image).is_file() for image in train.image_paths)
    raw = json.loads((DATA / "annot" / "train.json").read_text())
    np.testing.assert_array_equal(train.joints, np.array([p["joints"] for p in raw], np.float32) - 1)
    np.testing.assert_array_equal(train.visible, [p["joints_vis"] for p in raw])
    assert image_names(train) == [p["image"] for p in raw]


@needs_mpii
def test_real_valid_sample_has_the_head_sizes_of_its_mat_file():
    people = read(DATA, "valid")
    assert len(people) == 2
    truth = loadmat(DATA / "annot" / "gt_valid.mat")
    (x1, y1), (x2, y2) = truth["headboxes_src"]
    np.testing.assert_allclose(people.head_sizes, 0.6 * np.hypot(x2 - x1, y2 - y1), rtol=1e-6)
    np.testing.assert_array_equal(people.visible, 1 - truth["jnt_missing"].T)
    np.testing.assert_allclose(people.joints, truth["pos_gt_src"].transpose(2, 0, 1) - 1, rtol=1e-6)


def test_files_that_are_not_there(tmp_path):
    complaint(tmp_path, "train.json", "No such file")
    complaint(tmp_path, "nonsense.json", "No such file", image_set="nonsense")
    path = write_mpii(tmp_path, [mpii_person()], "valid")
    (path.parent / "gt_valid.mat").unlink()
    complaint(tmp_path, "gt_valid.mat", "cannot be read", image_set="valid")


def test_mat_file_of_other_people(tmp_path):
    write_mpii(tmp_path, [mpii_person()] * 3, "valid", truth_people=[mpii_person()] * 2)
    complaint(tmp_path, "valid.json", "3 people", "gt_valid.mat", "2", image_set="valid")


@pytest.mark.parametrize("text", ["", "[", "[{]", "[{'image': 1}]", "[" * 100_000], ids=range(5))
def test_broken_json(tmp_path, text):
    write_mpii(tmp_path, [mpii_person()]).write_text(text)
    complaint(tmp_path, "train.json", "not valid JSON")


@pytest.mark.parametrize("tree", [{}, None, 5, "people"], ids=str)
def test_wrong_top_level(tmp_path, tree):
    write_json(write_mpii(tmp_path, [mpii_person()]), tree)
    complaint(tmp_path, "train.json", "expected a list of people")


def test_nobody(tmp_path):
    write_json(write_mpii(tmp_path, [mpii_person()]), [])
    complaint(tmp_path, "train.json", "no person")


@pytest.mark.parametrize("key", ["joints", "joints_vis", "center", "scale", "image"])
def test_missing_key(tmp_path, key):
    path = write_mpii(tmp_path, [mpii_person()])
    person = mpii_person()
    del person[key]
    write_json(path, [mpii_person(), person])
    complaint(tmp_path, "train.json: person 1 ", key)


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"joints": [[1, 2]] * 15}, "joints should have shape (16, 2), found (15, 2)"),
        ({"joints": [[1, 2]] * 15 + [[1]]}, "joints should be numbers"),
        ({"joints": [[1, float("nan")]] * 16}, "joints holds a number that is not finite"),
        ({"joints": [["1", "2"]] * 16}, "joints should be numbers"),
        ({"joints_vis": [1] * 15}, "joints_vis should have shape (16,), found (15,)"),
        ({"center": [1, float("inf")]}, "center holds a number that is not finite"),
        ({"center": 5}, "center should have shape (2,), found ()"),
        ({"scale": 0}, "scale should be positive"),
        ({"scale": -1.0}, "scale should be positive"),
        ({"scale": "1.5"}, "scale should be a number, found '1.5'"),
        ({"scale": [1.5]}, "scale should be a number, found [1.5]"),
        ({"image": "gone.jpg"}, "'gone.jpg' is not in"),
        ({"image": "../annot/train.json"}, "is not in"),
        ({"image": None}, "not the name of a file"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else next(iter(value)),
)
def test_bad_person_is_named(tmp_path, changed, found):
    path = write_mpii(tmp_path, [mpii_person()])
    write_json(path, [mpii_person(), mpii_person(**changed)])
    complaint(tmp_path, "train.json: person 1:", found)


@pytest.mark.parametrize("key", [None, *mpii_person()])
def test_nothing_in_a_person_raises_anything_else(tmp_path, key):
    path = write_mpii(tmp_path, [mpii_person()])
    for value in NASTY_VALUES:
        write_json(path, [mpii_person(), value if key is None else mpii_person(**{key: value})])
        try:
            people = read(tmp_path)
        except InputError as error:
            message = str(error)
            assert "\n" not in message and f"{path}: person 1" in message
            message.encode("utf-8")
        else:
            for array in (people.joints, people.visible, people.centers, people.sizes, people.head_sizes):
                assert np.isfinite(array).all()
            assert (people.sizes > 0).all() and (people.head_sizes > 0).all()


def test_missing_images_are_counted_or_left_out(tmp_path):
    people = [mpii_person(image=name) for name in ("a.jpg", "b.jpg", "b.jpg")]
    write_mpii(tmp_path, people)
    (tmp_path / "images" / "b.jpg").unlink()
    layout = MPIILayout(tmp_path)
    mapping = joint_mapping("mpii", MPII_KEYPOINTS)
    with pytest.raises(InputError, match="person 1: image 'b.jpg' is not in .*1 of 2 images are missing"):
        layout.read("train", mapping, ReadOptions(1.0))
    kept = layout.read("train", mapping, ReadOptions(1.0, skip_missing_images=True))
    assert kept.ids.tolist() == [0] and kept.notes.left_out == {"whose image is missing": 2}
