"""Which predicted pose is whose, against trying every assignment."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from lib.utils.errors import InputError
from lib.wrong_labels.matched_poses import LEAST, match_poses, nearness
from tests.factories.predicted import results_of, scene
from tests.factories.readings import PEOPLE

FLIP = list(PEOPLE.flip_indices)


def shuffled(results, seed=0):
    order = np.random.default_rng(seed).permutation(len(results))
    return results.subset(order)


def owners(matched, predicted):
    """For each instance the person whose predicted pose it got, -1 for none."""
    same = (matched.points[:, None] == predicted[None]).all(axis=(2, 3))
    return np.where(same.any(axis=1), same.argmax(axis=1), -1)


def test_the_assignment_is_the_best_of_all():
    drawn = scene(5, per_image=5, seed=3)
    # Crowded: the poses are near several people.
    rng = np.random.default_rng(0)
    predicted = drawn.predicted + rng.normal(0, 60, (5, 1, 2))
    results = results_of(drawn, points=predicted)
    near = nearness(drawn.annotations, results)
    allowed = np.where(near >= LEAST, near, 0)
    best = max(itertools.permutations(range(5)), key=lambda p: sum(allowed[i, k] for i, k in enumerate(p)))
    expected = [k if near[i, k] >= LEAST else -1 for i, k in enumerate(best)]
    assert len(set(expected)) > 2
    assert owners(match_poses(drawn.annotations, shuffled(results)), predicted).tolist() == expected


def test_nearness_of_one_pair_by_hand():
    drawn = scene(1)
    annotations = replace(drawn.annotations, visible=np.eye(1, 13, 4, dtype=np.float32))
    box = annotations.sizes[0, 0] / 1.25
    points = np.full((1, 13, 2), np.nan)
    points[0, 4] = annotations.joints[0, 4] + [0.1 * box, 0]
    value = nearness(annotations, results_of(drawn, points=points))
    inside = np.abs(points[0, 4] - annotations.centers[0]).max() <= box / 2
    assert value[0, 0] == pytest.approx((np.exp(-0.5) + inside) / 2, abs=1e-5)
    # The mirror image of the joint counts as well.
    assert nearness(annotations, results_of(drawn, points=points[:, FLIP]))[0, 0] == pytest.approx(
        np.exp(-0.5) / 2
    )


@pytest.mark.parametrize("kind", ["exchanged", "limb sides", "person sides"])
def test_mistakes_in_the_labels_do_not_lead_to_another_person(kind):
    drawn = scene(60, {kind: 1.0}, per_image=3)
    matched = match_poses(drawn.annotations, shuffled(results_of(drawn)))
    assert owners(matched, drawn.predicted).tolist() == list(range(60))
    assert matched.way == "their places"


def test_people_without_a_pose_and_poses_without_people_are_counted():
    drawn = scene(12, per_image=2)
    results = results_of(drawn).subset(np.arange(12) != 5)
    stray = replace(results.subset([0]), points=results.points[:1] + 1000)
    elsewhere = replace(results.subset([1]), images=[999])
    repeated = replace(results.subset([2]), points=results.points[2:3] + 1, pose_scores=np.array([0.1]))
    parts = [results, stray, elsewhere, repeated]
    every = replace(
        results,
        images=[image for part in parts for image in part.images],
        **{
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("points", "scores", "pose_scores", "categories")
        },
    )
    matched = match_poses(drawn.annotations, every)
    assert owners(matched, drawn.predicted).tolist() == [k if k != 5 else -1 for k in range(12)]
    assert (matched.unpredicted, matched.unplaced) == (1, 0)
    assert {why: count for why, count in matched.left_out.items() if count} == {
        "of images without annotations": 1,
        "that repeat a better one": 1,
        "of no annotated instance": 1,
    }
    assert matched.lines() == [
        "11 of 12 instances have a predicted pose, found by their places",
        "1 instances have none: their labels are not judged",
        "results that are not used: 1 of images without annotations, 1 that repeat a better one, "
        "1 of no annotated instance",
    ]


def test_many_poor_detections_do_not_take_the_place_of_the_good_one():
    drawn = scene(4, {"moved": 0.5}, per_image=2)
    # Poor ones that happen to agree with the labels, wrong as these are.
    labels = np.asarray(drawn.annotations.joints, np.float64)
    both = results_of(drawn)
    both = replace(
        both,
        images=both.images * 2,
        points=np.concatenate([drawn.predicted, (drawn.predicted * 2 + labels) / 3]),
        scores=np.concatenate([both.scores, both.scores]),
        pose_scores=np.repeat([0.8, 0.05], 4),
        categories=np.ones(8, np.int64),
    )
    assert owners(match_poses(drawn.annotations, both), drawn.predicted).tolist() == [0, 1, 2, 3]


def test_missing_keypoints_of_a_pose_are_counted():
    drawn = scene(3)
    points = drawn.predicted.copy()
    points[1, [2, 7]] = np.nan
    matched = match_poses(drawn.annotations, results_of(drawn, points=points))
    assert (matched.unpredicted, matched.unplaced) == (0, 2)
    assert "2 more labels are not judged: their pose has no such keypoint" in matched.lines()


def test_joints_are_mapped_to_the_keypoints_of_the_file():
    drawn = scene(3)
    mapping = drawn.annotations.mapping
    turned = replace(mapping, own=mapping.own[::-1], native=(None, *mapping.native[1:]))
    annotations = replace(drawn.annotations, mapping=turned)
    matched = match_poses(annotations, results_of(drawn, points=drawn.predicted[:, ::-1]))
    assert np.isnan(matched.points[:, 0]).all()
    assert np.array_equal(matched.points[:, 1:], drawn.predicted[:, 1:])


def test_images_by_name():
    drawn = scene(6)
    names = [str(name) for name in drawn.annotations.image_names]
    for images in (names, [f"/elsewhere/{name}" for name in names], [name[:-4] for name in names]):
        matched = match_poses(drawn.annotations, shuffled(results_of(drawn, images=images)))
        assert owners(matched, drawn.predicted).tolist() == list(range(6))


def test_a_name_of_two_images_is_refused():
    drawn = scene(2)
    annotations = replace(drawn.annotations, image_names=["a/1.jpg", "b/1.jpg"])
    with pytest.raises(InputError, match="results.json: image_id '1' may be 2 images"):
        match_poses(annotations, results_of(drawn, images=["1", "1"]))


def test_annotation_ids_are_used_even_where_places_say_otherwise():
    drawn = scene(6, per_image=2)
    other = [1, 0, 3, 2, 5, 4]
    named = results_of(drawn, named=drawn.annotations.ids[other], id_key="annotation_id")
    matched = match_poses(drawn.annotations, shuffled(named))
    assert owners(matched, drawn.predicted).tolist() == other
    assert matched.way == "their annotation_id"


def test_an_annotation_id_of_another_image_is_refused():
    drawn = scene(6, per_image=2)
    named = results_of(drawn, named=drawn.annotations.ids[[2, 1, 0, 3, 4, 5]], id_key="annotation_id")
    with pytest.raises(InputError, match="result of image 7 has annotation_id 1002, .* of another image"):
        match_poses(drawn.annotations, named)


@pytest.mark.parametrize("order, way", [([0, 1, 2, 3], "their id"), ([1, 0, 3, 2], "their places")])
def test_an_id_must_be_proven_to_be_the_annotations(order, way):
    drawn = scene(4, per_image=2)
    results = results_of(drawn, named=drawn.annotations.ids[order], id_key="id")
    matched = match_poses(drawn.annotations, results)
    assert matched.way == way
    assert owners(matched, drawn.predicted).tolist() == [0, 1, 2, 3]


def test_running_numbers_are_no_annotations():
    drawn = scene(4)
    results = results_of(drawn, named=np.arange(4) + 1, id_key="id")
    assert match_poses(drawn.annotations, results).way == "their places"


def test_categories():
    drawn = scene(4)
    other = results_of(drawn, categories=np.zeros(4, np.int64))
    assert match_poses(drawn.annotations, other).unpredicted == 0  # the only one of each
    annotations = replace(drawn.annotations, category_ids=np.array([1, 1, 2, 2]))
    matched = match_poses(annotations, results_of(drawn, categories=np.array([1, 2, 3, 3])))
    assert (matched.unpredicted, matched.left_out["of another category"]) == (2, 2)
    with pytest.raises(InputError, match="expected results of category 1 or 2, found 5 or 6"):
        match_poses(annotations, results_of(drawn, categories=np.array([5, 5, 6, 6])))


def test_results_of_other_images_are_refused():
    drawn = scene(4)
    with pytest.raises(
        InputError, match="none of its images .* first image_id is 90, that of an annotation is 7"
    ):
        match_poses(drawn.annotations, results_of(drawn, images=[90, 91, 92, 93]))
