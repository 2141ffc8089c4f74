"""MPII's evaluation files: what is read from them, and files that are not as expected."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from lib.dataset.mpii_truth import head_sizes_from_scales, read_mpii_predictions, read_mpii_truth
from lib.utils.errors import InputError
from tests.factories.data_sets import NAMES_IN_GT_VALID

MPII_EVAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "mpii_eval"
needs_mpii_eval = pytest.mark.skipif(not MPII_EVAL.is_dir(), reason=f"no MPII validation data in {MPII_EVAL}")


def write_truth(path, people=3, **changed):
    rng = np.random.default_rng(0)
    content = {
        "dataset_joints": np.array([NAMES_IN_GT_VALID], dtype=object),
        "jnt_missing": rng.integers(0, 2, (16, people)).astype(np.uint8),
        "pos_gt_src": rng.uniform(1, 500, (16, 2, people)),
        "headboxes_src": np.stack((np.zeros((2, people)), np.tile([[30.0], [40.0]], people))),
    }
    content.update(changed)
    savemat(path, {key: value for key, value in content.items() if value is not None})
    return content


@pytest.mark.parametrize("people", [1, 3])
def test_read_mpii_truth_reads_what_was_written(tmp_path, people):
    content = write_truth(tmp_path / "gt.mat", people)
    if people == 1:  # as MATLAB itself writes it
        content = write_truth(tmp_path / "gt.mat", people, pos_gt_src=content["pos_gt_src"][..., 0],
                              headboxes_src=content["headboxes_src"][..., 0])  # fmt: skip
    truth = read_mpii_truth(tmp_path / "gt.mat")
    assert truth.joints.shape == (people, 16, 2)
    assert truth.joints[-1, 5, 1] == content["pos_gt_src"].reshape(16, 2, people)[5, 1, -1]
    np.testing.assert_array_equal(truth.visible, content["jnt_missing"].T == 0)
    np.testing.assert_allclose(truth.head_sizes, np.full(people, 0.6 * 50))


@needs_mpii_eval
def test_read_mpii_truth_agrees_with_the_annotations():
    truth = read_mpii_truth(MPII_EVAL / "annot" / "gt_valid.mat")
    people = json.loads((MPII_EVAL / "annot" / "valid.json").read_text())
    np.testing.assert_array_equal(truth.visible, [p["joints_vis"] for p in people])
    joints = np.array([p["joints"] for p in people])
    np.testing.assert_array_equal(truth.joints[truth.visible], joints[truth.visible])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"jnt_missing": None}, "has no 'jnt_missing'"),
        (
            {"dataset_joints": np.array([NAMES_IN_GT_VALID[::-1]], object)},
            "'dataset_joints' is lwri .*expected ra",
        ),
        ({"pos_gt_src": np.zeros((16, 3, 3))}, r"'pos_gt_src'.*\(16, 3, 3\); expected .*\(16, 2, 3\)"),
        ({"jnt_missing": np.zeros((16, 4))}, r"'jnt_missing'.*\(16, 4\); expected .*\(16, 3\)"),
        ({"headboxes_src": np.zeros((2, 2, 3), complex)}, "'headboxes_src' is complex"),
        ({"pos_gt_src": np.full((16, 2, 3), np.nan)}, "'pos_gt_src' holds a joint that is not finite"),
        ({"pos_gt_src": np.full((16, 2, 3), 1e300)}, "'pos_gt_src' holds a joint that is not finite"),
        ({"headboxes_src": np.zeros((2, 2, 3))}, "'headboxes_src' of person 1 has diagonal 0"),
    ],
)
def test_a_truth_that_is_not_as_expected_is_refused(tmp_path, changed, message):
    write_truth(tmp_path / "gt.mat", **changed)
    with pytest.raises(InputError, match=rf"gt\.mat: .*{message}"):
        read_mpii_truth(tmp_path / "gt.mat")


@pytest.mark.parametrize("read", [read_mpii_truth, read_mpii_predictions])
def test_files_that_are_missing_or_no_matlab_files_are_refused(tmp_path, read):
    with pytest.raises(InputError, match="none.mat: cannot be read"):
        read(tmp_path / "none.mat")
    (tmp_path / "text.mat").write_text("these are not the joints you are looking for" * 9)
    with pytest.raises(InputError, match="text.mat: not a MATLAB file"):
        read(tmp_path / "text.mat")
    (tmp_path / "empty.mat").write_bytes(b"")
    with pytest.raises(InputError, match="empty.mat: not a MATLAB file"):
        read(tmp_path / "empty.mat")


def test_read_mpii_predictions_checks_key_and_shape(tmp_path):
    predicted = np.random.default_rng(0).random((4, 16, 2))
    savemat(tmp_path / "preds.mat", {"preds": predicted})
    np.testing.assert_array_equal(read_mpii_predictions(tmp_path / "preds.mat"), predicted)
    savemat(tmp_path / "preds.mat", {"preds": predicted[:, :13]})
    with pytest.raises(InputError, match=r"preds\.mat: 'preds' .*\(4, 13, 2\); expected .*\(4, 16, 2\)"):
        read_mpii_predictions(tmp_path / "preds.mat")
    savemat(tmp_path / "preds.mat", {"joints": predicted})
    with pytest.raises(InputError, match="has no 'preds'"):
        read_mpii_predictions(tmp_path / "preds.mat")


def test_head_sizes_are_an_eighth_of_the_body():
    # scale is the body height / 200 px, and 200 / 8 = 25.
    assert head_sizes_from_scales(np.array([1.0, 0.16], np.float32)).tolist() == pytest.approx([25, 4])


@needs_mpii_eval
def test_head_sizes_follow_from_the_scales_of_the_annotations():
    truth = read_mpii_truth(MPII_EVAL / "annot" / "gt_valid.mat")
    scales = np.array([p["scale"] for p in json.loads((MPII_EVAL / "annot" / "valid.json").read_text())])
    np.testing.assert_allclose(head_sizes_from_scales(scales), truth.head_sizes, rtol=1e-4)
