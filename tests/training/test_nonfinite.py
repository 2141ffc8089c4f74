"""What is said of a number that is not finite."""

import math

import numpy as np
import pytest
import torch

from lib.dataset.annotations import Annotations
from lib.dataset.keypoint_dataset import Sample
from lib.dataset.keypoints import joint_mapping
from lib.ignoring import batch
from lib.training.nonfinite import BatchTrace, locate_nonfinite, most_specific
from tests.factories.small_run import run

NAN, INF = math.nan, math.inf


def seen(*passes, role="source", flipped=(False, False)):
    people = Annotations(
        mapping=joint_mapping("mpii", ("left_knee", "right_knee")),
        ids=np.array([70, 71, 72]),
        image_paths=("a.jpg", "b.jpg"),
        image_index=np.array([0, 1, 1]),
        joints=np.zeros((3, 2, 2)),
        visible=np.ones((3, 2)),
        centers=np.zeros((3, 2)),
        sizes=np.ones((3, 2)),
    )
    nothing = torch.zeros(2)
    sample = Sample(nothing, nothing, nothing, torch.tensor([2, 0]), torch.tensor(flipped), ["", ""])
    return BatchTrace(role, sample, people, [torch.tensor(losses) for losses in passes])


FINE = [[1.0, 2.0], [3.0, 4.0]]


@pytest.mark.parametrize(("flipped", "joint"), [((False, False), "left_knee"), ((False, True), "right_knee")])
def test_a_keypoint_among_finite_ones_is_named(flipped, joint):
    told = locate_nonfinite(
        [seen(FINE, role="target"), seen(FINE, [[1, 2], [INF, NAN]], flipped=flipped)], []
    )
    assert told == f": the loss of {joint} of annotation 70 in a.jpg (source batch) is inf, and 1 more"


def test_a_spoilt_batch_is_named_as_a_whole():
    assert locate_nonfinite([seen([[NAN, INF], [INF, NAN]])], []) == ": so is every loss of the source batch"
    assert locate_nonfinite([seen([[NAN, NAN]]), seen([[1, NAN]], role="target")], []).startswith(
        ": the loss of right_knee"
    )


def test_of_several_processes_the_one_that_names_a_keypoint_is_heard():
    spoilt, named = (
        locate_nonfinite([seen([[NAN, INF], [INF, NAN]])], []),
        locate_nonfinite([seen([[1, NAN], [1, 1]])], []),
    )
    assert most_specific(["", spoilt, named]) == most_specific([named, spoilt]) == named
    assert most_specific(["", spoilt]) == spoilt and most_specific(["", ""]) == ""


def test_a_hypergradient_is_of_the_source():
    batches_ = [seen(FINE, role="target"), seen(FINE), seen(FINE, role="validation")]
    bad = torch.tensor([[1, NAN], [0, 0]])
    assert locate_nonfinite(batches_, [torch.ones(2, 2), bad]) == (
        ": that of right_knee of annotation 72 in b.jpg (source batch) is nan"
    )
    assert locate_nonfinite(batches_, [torch.full((2, 2), NAN)]) == "" == locate_nonfinite([], [bad])


@pytest.mark.parametrize("mode", ["baseline2", "ours2"])
def test_a_run_says_whose_loss_is_not_finite(config, capsys, monkeypatch, mode):
    plain = batch.keypoint_losses

    def one_is_bad(*given):
        losses = plain(*given)
        return losses + torch.zeros_like(losses).index_put_(
            (torch.tensor(1), torch.tensor(2)), torch.tensor(NAN)
        )

    monkeypatch.setattr(batch, "keypoint_losses", one_is_bad)
    assert run(config, f"--{mode}", "TRAIN.END_EPOCH", "1") == 3
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "is not finite at step 1: the loss of " in line
    assert "of annotation " in line and ".jpg (" in line
    assert "batch) is nan" in line
