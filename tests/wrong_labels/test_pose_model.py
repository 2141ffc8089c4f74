import numpy as np
import pytest
from scipy.stats import multivariate_normal

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError
from lib.wrong_labels import pose_model
from lib.wrong_labels.pose_model import PoseModel, name_permutations

SKELETON = Skeleton.of(MPII_KEYPOINTS)
JOINTS = len(MPII_KEYPOINTS)
BOX = (300.0, 200.0, 150.0)


def people(count, seed=0, joints=JOINTS):
    """Poses of one kind in pixels: a random figure whose joints bend a little, all of them labelled."""
    shape = np.random.default_rng(7).uniform(-0.5, 0.5, (joints, 2))
    rng = np.random.default_rng(seed)
    bends = rng.normal(0, 0.04, (count, 2, 1, 1)) * np.random.default_rng(8).normal(size=(2, joints, 2))
    poses = shape + bends.sum(axis=1) + rng.normal(0, 0.01, (count, joints, 2))
    boxes = np.tile(BOX, (count, 1)) + rng.uniform(0, 50, (count, 3))
    return poses * boxes[:, None, 2:] + boxes[:, None, :2], np.ones((count, joints)), boxes


def log_odds_of(model, joints, visible, boxes):
    """Without any permutation of names."""
    return model.explain(joints, visible, boxes, np.arange(joints.shape[1])[None]).log_odds


@pytest.fixture(scope="module")
def model():
    return PoseModel.fit(*people(200))


def test_conditionals_are_those_of_the_joint_gaussian(model):
    """The oracle partitions the joint Gaussian of labels and joints explicitly, one joint at a time."""
    joints, visible, boxes = people(3, seed=1)
    visible[1, 4] = 0
    right = np.random.default_rng(2).uniform(size=visible.shape)
    poses = (joints - boxes[:, None, :2]) / boxes[:, None, 2:]
    beside, covariances = model._others(poses, visible > 0, pose_model._noise(visible > 0, right))
    means = poses - beside
    variance = right * pose_model.TOLERANCE**2 + (1 - right) * pose_model.REACH**2
    for i in range(3):
        for j in range(JOINTS):
            others = [k for k in range(JOINTS) if k != j and visible[i, k]]
            at = np.array([[2 * k, 2 * k + 1] for k in others]).ravel()
            own = [2 * j, 2 * j + 1]
            covariance = model.covariance[np.ix_(at, at)] + np.diag(np.repeat(variance[i, others], 2))
            gain = np.linalg.solve(covariance, model.covariance[np.ix_(at, own)]).T
            mean = model.mean[j] + gain @ (poses[i, others] - model.mean[others]).ravel()
            rest = model.covariance[np.ix_(own, own)] - gain @ model.covariance[np.ix_(at, own)]
            # Missing labels have a huge variance, not an infinite one.
            if visible[i, j]:
                np.testing.assert_allclose(means[i, j], mean, atol=1e-4)
            np.testing.assert_allclose(covariances[i, j], rest, atol=3e-6)


def test_density_is_scipys(model):
    joints, visible, boxes = people(4, seed=3)
    poses = (joints - boxes[:, None, :2]) / boxes[:, None, 2:]
    noise = np.full(visible.shape, 0.01)
    own = model._log_density(poses, visible > 0, noise)
    covariance = model.covariance + 0.01 * np.eye(2 * JOINTS)
    theirs = multivariate_normal(model.mean.ravel(), covariance).logpdf(poses.reshape(4, -1))
    np.testing.assert_allclose(np.diff(own), np.diff(theirs))


def test_fit_finds_mean_and_covariance_of_clean_poses():
    joints, visible, boxes = people(3000)
    poses = ((joints - boxes[:, None, :2]) / boxes[:, None, 2:]).reshape(3000, -1)
    model = PoseModel.fit(joints, visible, boxes)
    np.testing.assert_allclose(model.mean.ravel(), poses.mean(axis=0), atol=1e-3)
    covariance, share = np.cov(poses.T), pose_model.SHRINKAGE
    shrunk = (1 - share) * covariance + share * np.trace(covariance) / (2 * JOINTS) * np.eye(2 * JOINTS)
    # Of the labels' scatter, the fit takes a part for inaccuracy.
    np.testing.assert_allclose(model.covariance, shrunk, atol=pose_model.TOLERANCE**2 / 2)


def test_fit_with_missing_joints_is_near_the_fit_without():
    joints, visible, boxes = people(1000)
    complete = PoseModel.fit(joints, visible, boxes)
    visible[np.random.default_rng(0).random(visible.shape) < 0.3] = 0
    joints[visible == 0] = -1
    partial = PoseModel.fit(joints, visible, boxes)
    np.testing.assert_allclose(partial.mean, complete.mean, atol=0.01)
    np.testing.assert_allclose(partial.covariance, complete.covariance, atol=0.003)


def test_planted_wrong_labels_have_the_highest_odds(model):
    joints, visible, boxes = people(300, seed=5)
    wrong = np.random.default_rng(6).random(visible.shape) < 0.1
    joints[wrong] += 0.3 * 150
    log_odds = log_odds_of(model, joints, visible, boxes)
    assert (log_odds[wrong] > 0).mean() > 0.95
    assert (log_odds[~wrong] < 0).mean() > 0.98


def test_planted_permutations_are_found(model):
    joints, visible, boxes = people(400, seed=9)
    permutations = name_permutations(SKELETON)
    true = np.where(np.random.default_rng(1).random(400) < 0.5, 0, np.arange(400) % len(permutations))
    inverse = np.argsort(permutations, axis=1)
    noisy = np.take_along_axis(joints, inverse[true][..., None], axis=1)
    found = model.explain(noisy, visible, boxes, permutations)
    np.testing.assert_allclose(found.posterior.sum(axis=1), 1)
    assert (found.posterior.argmax(axis=1) == true).mean() > 0.95
    wrong = permutations[true] != np.arange(JOINTS)
    wrong = np.take_along_axis(wrong, inverse[true], axis=1)
    assert ((found.log_odds > 0) == wrong).mean() > 0.98


def test_missing_labels_have_no_odds_and_do_not_matter(model):
    joints, visible, boxes = people(5, seed=11)
    visible[:, 3] = 0
    first = log_odds_of(model, joints, visible, boxes)
    joints[:, 3] = np.nan
    np.testing.assert_array_equal(log_odds_of(model, joints, visible, boxes), first)
    assert (first[:, 3] == 0).all()


def test_position_and_size_do_not_matter(model):
    joints, visible, boxes = people(100)
    moved = boxes * 3 + (100, -50, 0)
    np.testing.assert_allclose(
        log_odds_of(model, joints * 3 + (100, -50), visible, moved),
        log_odds_of(model, joints, visible, boxes),
        atol=1e-6,
    )


def test_mirrored_copies_make_the_mean_symmetric():
    model = PoseModel.fit(*people(50), SKELETON.flip_indices)
    np.testing.assert_allclose(model.mean[list(SKELETON.flip_indices)] * (-1, 1), model.mean, atol=1e-6)


@pytest.mark.parametrize(
    ("count", "joints"), [(1, 1), (1, 2), (3, 1), (3, 2), (2, 16)]
)  # fewer instances than joints
def test_small_sets_give_finite_odds(count, joints):
    labels, visible, boxes = people(count, joints=joints)
    model = PoseModel.fit(labels, visible, boxes)
    assert np.isfinite(log_odds_of(model, labels, visible, boxes)).all()
    visible[0] = 0
    assert np.isfinite(log_odds_of(model, labels, visible, boxes)).all()


def test_constant_joints_give_finite_odds():
    joints, visible, boxes = np.full((20, 4, 2), 7.0), np.ones((20, 4)), np.tile(BOX, (20, 1))
    model = PoseModel.fit(joints, visible, boxes)
    assert np.isfinite(log_odds_of(model, joints, visible, boxes)).all()


def test_nothing_to_learn_from_is_refused_and_nothing_to_judge_is_not(model):
    joints, visible, boxes = people(3)
    with pytest.raises(InputError, match="at least one label"):
        PoseModel.fit(joints, np.zeros_like(visible), boxes)
    assert log_odds_of(model, joints[:0], visible[:0], boxes[:0]).shape == (0, JOINTS)
