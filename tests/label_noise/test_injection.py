"""Wrong labels put into real or drawn people, against loops over their keypoints."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.coco import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.label_noise.corruptions import NOISE_KINDS
from lib.label_noise.injection import changed_labels, inject
from lib.label_noise.truth import Truth, read_truth, read_truth_of, truth_beside, write_truth_of
from lib.utils.errors import InputError
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco, write_image
from tests.factories.small_run import make_data

ASPECT = 192 / 256
KINDS = sorted(set(NOISE_KINDS) - {"convention"})
WIDTH, HEIGHT = 64, 48


def people_with_gaps(root, names=SHARED_KEYPOINTS, count=60):
    """People two to an image, a third of whose keypoints at random places has no label."""
    rng = np.random.default_rng(1)
    annotations = []
    for number in range(count):
        points = np.column_stack([rng.uniform(0, [WIDTH - 1, HEIGHT - 1], (17, 2)), rng.integers(0, 3, 17)])
        points[points[:, 2] == 0] = 0
        points[5] = 20, 20, 2
        annotations.append(coco_person(number + 1, number // 2 + 1, keypoints=points.ravel().tolist()))
    images = [coco_image(i + 1, width=WIDTH, height=HEIGHT) for i in range((count + 1) // 2)]
    write_coco(root, annotations, images)
    for image in images:
        write_image(root / "images" / "train2017" / image["file_name"])
    return read_coco(root, "train2017", names, ASPECT)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return people_with_gaps(tmp_path_factory.mktemp("coco"))


@pytest.mark.parametrize("kind", KINDS)
def test_exactly_what_changed_is_wrong_and_right_places_stay(people, kind):
    before = people.joints.copy(), people.visible.copy()
    noisy, truth = inject(people, f"{kind}:0.7" if kind != "none" else kind, seed=2)
    assert np.array_equal(people.joints, before[0]) and np.array_equal(people.visible, before[1])
    assert noisy.joints.dtype == people.joints.dtype and noisy.visible.dtype == people.visible.dtype
    assert truth.wrong.any() == (kind != "none")
    for i, j in np.ndindex(*people.visible.shape):
        had, has = people.visible[i, j], noisy.visible[i, j]
        moved = tuple(noisy.joints[i, j]) != tuple(people.joints[i, j])
        assert truth.wrong[i, j] == (had != has or bool(had and moved))
        if had:
            assert tuple(truth.right[i, j]) == tuple(people.joints[i, j])
            assert has or kind == "missing"
        else:
            assert np.isnan(truth.right[i, j]).all()
            assert not has or kind == "visibility"
        if has and moved:
            assert 0 <= noisy.joints[i, j, 0] <= WIDTH - 1 and 0 <= noisy.joints[i, j, 1] <= HEIGHT - 1
    for name in ("ids", "image_paths", "image_index", "centers", "sizes", "image_ids"):
        assert getattr(noisy, name) is getattr(people, name)


def test_the_seed_alone_decides(people):
    (a, truth_a), (b, truth_b), (c, _) = (inject(people, "mixed:0.5+missing:0.1", s) for s in (1, 1, 2))
    assert np.array_equal(a.joints, b.joints) and np.array_equal(a.visible, b.visible)
    assert np.array_equal(truth_a.wrong, truth_b.wrong)
    assert not np.array_equal(a.joints, c.joints)


def test_the_share_is_that_of_the_labels(people):
    _, truth = inject(people, "jitter:0.4", 0)
    labelled = people.visible > 0
    assert not truth.wrong[~labelled].any()
    share, deviation = truth.wrong[labelled].mean(), math.sqrt(0.4 * 0.6 / labelled.sum())
    assert abs(share - 0.4) < 4 * deviation


def test_jitter_is_far_for_the_size_of_the_person(people):
    noisy, truth = inject(people, "jitter:1", 0)
    inside = ((noisy.joints > 0) & (noisy.joints < [WIDTH - 1, HEIGHT - 1])).all(axis=2)
    distance = np.linalg.norm(noisy.joints - people.joints, axis=2)[truth.wrong & inside]
    longer_side = 30  # of the box of every coco_person, 20 x 30 without its last pixels
    assert len(distance) > 100
    assert 0.2 * longer_side - 1e-3 <= distance.min() and distance.max() <= 0.5 * longer_side + 1e-3


def test_half_a_pair_is_not_swapped(people):
    noisy, truth = inject(people, "person_swap:1", 0)
    for i, j in np.ndindex(*people.visible.shape):
        side, _, part = SHARED_KEYPOINTS[j].partition("_")
        flip_indices = {"left": f"right_{part}", "right": f"left_{part}"}.get(side)
        other = SHARED_KEYPOINTS.index(flip_indices) if flip_indices else j
        both = people.visible[i, j] and people.visible[i, other]
        expected = people.joints[i, other if both else j]
        assert not people.visible[i, j] or tuple(noisy.joints[i, j]) == tuple(expected)
        assert truth.wrong[i, j] == bool(both and other != j)


def test_two_swaps_undo_each_other(people):
    noisy, truth = inject(people, "person_swap:1+person_swap:1", 0)
    assert not truth.wrong.any() and not changed_labels(people, noisy).any()


def test_what_was_wrong_before_stays_so_unless_it_is_put_right(people):
    """The labels on disk are themselves swapped for every other person, and that is known."""
    swapped, known = inject(people, "person_swap:1", 0)
    odd = np.arange(len(people)) % 2 == 1
    joints = np.where(odd[:, None, None], swapped.joints, people.joints)
    on_disk = replace(people, joints=joints)
    truth = Truth(known.right, known.wrong & odd[:, None])

    noisy, after = inject(on_disk, "person_swap:1", 0, truth)
    np.testing.assert_array_equal(after.right, known.right)
    np.testing.assert_array_equal(after.wrong, known.wrong & ~odd[:, None])
    noisy, after = inject(on_disk, "none", 0, truth)
    np.testing.assert_array_equal(after.wrong, truth.wrong)
    noisy, after = inject(on_disk, "jitter:0.5", 0, truth)
    np.testing.assert_array_equal(after.wrong, truth.wrong | changed_labels(on_disk, noisy))


@pytest.mark.parametrize("names", [SHARED_KEYPOINTS, COCO_KEYPOINTS], ids=["13", "17"])
def test_the_truth_is_read_back_as_written(tmp_path, names):
    people = people_with_gaps(tmp_path, names, 6)
    _, truth = inject(people, "jitter:0.5+visibility:0.5", 4)
    write_truth_of(tmp_path / "truth.json", "jitter:0.5", 4, people, truth)
    again = read_truth_of(tmp_path / "truth.json", people)
    np.testing.assert_array_equal(again.right, truth.right)
    np.testing.assert_array_equal(again.wrong, truth.wrong)

    content = read_truth(tmp_path / "truth.json")
    assert (content["noise"], content["seed"]) == ("jitter:0.5", 4)
    assert sorted(content["annotations"]) == sorted(people.ids)
    mapped = set(people.mapping.index)
    for i, number in enumerate(people.ids):
        label = content["annotations"][number]
        for k in range(17):
            if k not in mapped:
                assert not label["wrong"][k] and not label["keypoints"][k].any()
        for j, k in enumerate(people.mapping.index):
            assert (label["keypoints"][k, 2] > 0) == (people.visible[i, j] > 0)

    with pytest.raises(InputError, match="has no annotation 7"):
        read_truth_of(tmp_path / "truth.json", people_with_gaps(tmp_path, names, 8))


def test_the_truth_beside_drawn_people(tmp_path):
    root = make_data(tmp_path) / "coco"
    people = read_coco(root, "train2017", SHARED_KEYPOINTS, 1.0)
    truth = truth_beside(annotation_file(root, "train2017"), people)
    known = np.isfinite(truth.right).all(axis=2)
    moved = np.abs(truth.right - people.joints).max(axis=2) > 0.006  # labels are written with two decimals
    np.testing.assert_array_equal(truth.wrong, (known != (people.visible > 0)) | (known & moved))
    assert truth.wrong.any()
    assert truth_beside(annotation_file(root, "val2017"), people) is None


@pytest.mark.parametrize(
    ("noise", "says"),
    [("jiter:0.5", "did you mean 'jitter'"), ("jitter:0.5+", "no kind ''"), ("convention:0.5", "convention")],
)
def test_noise_that_cannot_be_made(people, noise, says):
    with pytest.raises(InputError, match=says):
        inject(people, noise, 0)
