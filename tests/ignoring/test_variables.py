"""The ignoring variables against hand-computed steps and plain loops."""

import copy
import math
from dataclasses import replace

import pytest
import torch

from lib.dataset.keypoints import SHARED_KEYPOINTS
from lib.ignoring.variables import (
    minmax,
)
from tests.factories.visits import COUNT, JOINTS, LR, PARTNER, random_visits, variables, visit
from tests.reference.plain_step import PlainOnline, PlainPersistent

BOTH = pytest.mark.parametrize("kind", ["online", "persistent"])
ALL = pytest.mark.parametrize("kind", ["online", "persistent", "loss_aware"])
# Of LossAwareWeights, what a batch changes for everyone; the rest are tables by annotation.
FOR_ALL = {"linear", "moments", "mean", "variance", "batches", "steps"}


@pytest.mark.parametrize(
    "values, expected",
    [
        ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]),
        ([[0.3, 0.3], [0.3, 0.3]], [[1.0, 1.0], [1.0, 1.0]]),
        ([[0.0]], [[0.0]]),
        ([[5.0]], [[1.0]]),
        ([[1.0, 2.0], [3.0, 5.0]], [[0.0, 0.25], [0.5, 1.0]]),
        ([[0.0, 1e-30], [4e-30, 2e-30]], [[0.0, 0.25], [1.0, 0.5]]),
    ],
)
def test_minmax(values, expected):
    torch.testing.assert_close(minmax(torch.tensor(values)), torch.tensor(expected))


@pytest.mark.parametrize("bad", [[1.0, math.nan], [math.nan, 0.0], [math.nan, math.nan], [1.0, math.inf]])
def test_minmax_hides_nothing_that_is_not_finite(bad):
    assert minmax(torch.tensor(bad)).isnan().any()


@BOTH
def test_nan_does_not_become_a_weight(kind):
    gradient = torch.full((2, JOINTS), -1.0)
    gradient[1, 3] = math.nan
    assert variables(kind).preview(gradient, visit([0, 1])).isnan().any()


def test_online_weights_scale_over_the_whole_batch():
    gradient = torch.tensor([[-4.0, -1.0, 0.0], [-2.0, 3.0, 8.0]])
    found = variables("online", flip_indices=(0, 1, 2)).update(gradient, visit([0, 1], joints=3))
    assert found.tolist() == [[1.0, 0.25, 0.0], [0.5, 0.0, 0.0]]


def test_online_weights_where_nothing_helps_or_all_help_alike():
    online = variables("online")
    assert (online.preview(torch.rand(2, JOINTS), visit([0, 1])) == 0).all()
    assert (online.preview(torch.zeros(2, JOINTS), visit([0, 1])) == 0).all()
    assert (online.preview(torch.full((2, JOINTS), -0.1), visit([0, 1])) == 1).all()


@BOTH
def test_equals_plain_loops(kind):
    found = variables(kind).double()
    plain = PlainOnline() if kind == "online" else PlainPersistent(LR, PARTNER)
    total, seen = torch.zeros(COUNT, JOINTS).double(), torch.zeros(COUNT, JOINTS)
    for gradient, seen_now in random_visits():
        weights = found.update(gradient, seen_now)
        expected = plain.weigh(
            gradient, seen_now.losses, seen_now.index, seen_now.flipped, seen_now.labelled, commit=True
        )
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=1e-12)
        for i, annotation in enumerate(seen_now.index.tolist()):
            for j in range(JOINTS):
                joint = PARTNER[j] if seen_now.flipped[i] else j
                if seen_now.labelled[i, j]:
                    seen[annotation, joint] += 1
                    total[annotation, joint] += expected[i, j]
    torch.testing.assert_close(found.seen.float(), seen)
    if kind == "online":
        table = torch.where(seen > 0, total / seen, 1.0)
    else:
        logits = [[plain.logits.get((i, j), 0.0) for j in range(JOINTS)] for i in range(COUNT)]
        table = total.new_tensor([[1 / (1 + math.exp(-x)) for x in row] for row in logits])
    torch.testing.assert_close(found.all_weights(), table, rtol=1e-12, atol=1e-12)
    assert found.all_weights().min() >= 0 and found.all_weights().max() <= 1


def test_persistent_step_by_hand():
    """G = (3, -1, 0, -1) over three labelled keypoints: rms = sqrt(11/3)."""
    found = variables("persistent", flip_indices=(0, 1, 2, 3)).double()
    gradient = torch.tensor([[3.0, -1.0, 0.0, -1.0]]).double()
    batch = visit([4], labelled=torch.tensor([[1.0, 1.0, 0.0, 1.0]]), joints=4)
    rms = math.sqrt(11 / 3)
    weights = found.update(gradient, batch)
    first = [-LR * 3 / rms, LR / rms, 0.0, LR / rms]  # 4 a (1 - a) is 1 at a = 1/2
    assert found.logits[4].tolist() == pytest.approx(first)
    assert weights[0].tolist() == pytest.approx([1 / (1 + math.exp(-x)) for x in first])
    found.update(gradient, batch)
    a = [1 / (1 + math.exp(-x)) for x in first]
    slopes = [4 * x * (1 - x) for x in a]
    second = [x - LR * g / rms * s for x, g, s in zip(first, (3, -1, 0, -1), slopes)]
    assert found.logits[4].tolist() == pytest.approx(second)


def test_one_persistent_step_goes_no_further_than_two_rms():
    gradient = torch.zeros(1, JOINTS)
    gradient[0, 2] = -1.0  # sqrt(13) = 3.6 times the root mean square
    found = variables("persistent")
    found.update(gradient, visit([0]))
    assert found.logits[0, 2].item() == pytest.approx(2 * LR)
    found.update(-gradient, visit([1]))
    assert found.logits[1, 2].item() == pytest.approx(-2 * LR)


def test_logits_stay_within_six():
    found = variables("persistent")
    gradient = torch.ones(2, JOINTS)
    gradient[1] = -1
    # A step shrinks with the sigmoid's slope, so bring the logits near the limits first.
    found.logits[0], found.logits[1] = -5.999, 5.999
    before = found.logits.clone()
    found.update(gradient, visit([0, 1]))
    assert (found.logits[0] == -6).all() and (found.logits[1] == 6).all()
    assert not torch.equal(before, found.logits)
    found.update(gradient, visit([0, 1]))
    assert found.logits.abs().max() == 6
    assert found.all_weights()[0].max() < 0.01 and found.all_weights()[1].min() > 0.99


def test_persistent_step_does_not_depend_on_the_gradients_size():
    (gradient, batch), *_ = random_visits()
    steps = []
    for size in (1.0, 1e-18, 1e12):
        found = variables("persistent")
        found.update((gradient * size).float(), batch)
        steps.append(found.logits)
    torch.testing.assert_close(steps[1], steps[0])
    torch.testing.assert_close(steps[2], steps[0])


def test_zero_gradient_moves_no_logit():
    found = variables("persistent")
    found.logits.uniform_(-3, 3)
    before = found.logits.clone()
    weights = found.update(torch.zeros(2, JOINTS), visit([3, 5]))
    assert torch.equal(found.logits, before)
    torch.testing.assert_close(weights, before[[3, 5]].sigmoid())
    nothing = visit([3, 5], labelled=torch.zeros(2, JOINTS))
    assert torch.isfinite(found.update(torch.zeros(2, JOINTS), nothing)).all()


@pytest.mark.parametrize(
    "sampled, named", [("left_wrist", "right_wrist"), ("right_hip", "left_hip"), ("head", "head")]
)
def test_mirrored_sample_speaks_of_the_joint_that_the_annotation_names(sampled, named):
    j, k = SHARED_KEYPOINTS.index(sampled), SHARED_KEYPOINTS.index(named)
    labelled = torch.zeros(1, JOINTS)
    labelled[0, j] = 1
    gradient = -labelled  # more of this keypoint would help
    for kind in ("online", "persistent"):
        found = variables(kind)
        weights = found.update(gradient, visit([2], [True], labelled))
        assert weights.argmax() == j
        assert found.seen.nonzero().tolist() == [[2, k]]
    assert found.logits.nonzero().tolist() == [[2, k]]
    # Unmirrored, the same annotation is met under its own name, and the two visits agree.
    labelled = torch.zeros(1, JOINTS)
    labelled[0, k] = 1
    weights = found.preview(torch.zeros(1, JOINTS), visit([2], labelled=labelled))
    assert weights[0, k] == found.all_weights()[2, k] > 0.5


def test_joints_without_label_neither_move_nor_count():
    labelled = torch.ones(3, JOINTS)
    labelled[0, 4:] = 0
    labelled[2] = 0
    gradient = torch.randn(3, JOINTS) * labelled
    for kind in ("online", "persistent"):
        found = variables(kind)
        found.update(gradient, visit([0, 1, 2], labelled=labelled))
        assert torch.equal(found.seen[:3], labelled.int())
    assert (found.logits[:3][labelled == 0] == 0).all()
    assert (found.logits[:3][labelled == 1] != 0).all()


@ALL
def test_propose_remembers_nothing_and_commit_exactly_once(kind):
    found = variables(kind).double()
    for gradient, batch in random_visits(batches=3):
        before = copy.deepcopy(found.state_dict())
        proposed = found.preview(gradient, batch)
        torch.testing.assert_close(found.preview(gradient, batch), proposed, rtol=0, atol=0)
        torch.testing.assert_close(found.state_dict(), before, rtol=0, atol=0)
        seen = found.seen.sum().item()
        torch.testing.assert_close(found.update(gradient, batch), proposed, rtol=0, atol=0)
        assert found.seen.sum() - seen == batch.labelled.sum()


@ALL
def test_only_visited_rows_change(kind):
    found = variables(kind).double()
    for gradient, batch in random_visits():
        before = copy.deepcopy(found.state_dict())
        found.update(gradient, batch)
        others = [i for i in range(COUNT) if i not in batch.index]
        for name, table in found.state_dict().items():
            if name in ("agreement", "recent_pairs"):  # of pairs, which first visits are not
                continue
            if name in FOR_ALL:
                assert not torch.equal(table, before[name]), name
                continue
            assert torch.equal(table[others], before[name][others]), name
            if name != "met":
                assert not torch.equal(table[batch.index], before[name][batch.index]), name


@ALL
def test_state_survives_a_checkpoint_and_a_change_of_precision(kind):
    found = variables(kind).double()
    visits = list(random_visits())
    for gradient, batch in visits[:3]:
        found.update(gradient, batch)
    other = variables(kind).double()
    other.load_state_dict(copy.deepcopy(found.state_dict()))
    single = copy.deepcopy(found).to(torch.float32)
    for gradient, batch in visits[3:]:
        expected = found.update(gradient, batch)
        torch.testing.assert_close(other.update(gradient, batch), expected, rtol=0, atol=0)
        weights = single.update(gradient.float(), replace(batch, losses=batch.losses.float()))
        assert weights.dtype == torch.float32
        torch.testing.assert_close(weights, expected.float(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(other.all_weights(), found.all_weights(), rtol=0, atol=0)
    assert single.seen.dtype == torch.int32 and single.all_weights().dtype == torch.float32
    torch.testing.assert_close(single.all_weights(), found.all_weights().float(), rtol=1e-4, atol=1e-5)


@ALL
def test_weights_take_the_precision_of_the_losses(kind):
    found = variables(kind)
    for dtype in (torch.float32, torch.float64):
        gradient, losses = torch.randn(2, JOINTS, dtype=dtype), torch.rand(2, JOINTS, dtype=dtype)
        assert found.update(gradient, visit([0, 1], losses=losses)).dtype == dtype
        assert found.current(visit([0, 1], losses=losses)).dtype == dtype


def test_table_of_what_was_never_seen():
    assert (variables("online").all_weights() == 1).all()
    assert (variables("persistent").all_weights() == 0.5).all()
    assert variables("online").all_weights().shape == (COUNT, JOINTS)


@ALL
def test_recall_counts_and_looks_but_does_not_learn(kind):
    found = variables(kind).double()
    (gradient, first), *rest = random_visits(seed=4)
    found.update(gradient, first)
    looks = {"average", "met", "mean", "variance", "batches"} if kind == "loss_aware" else set()
    for _, batch in rest:
        before = copy.deepcopy(found.state_dict())
        weights = found.current(batch)
        changed = {name for name, table in found.state_dict().items() if not torch.equal(table, before[name])}
        assert {"seen"} <= changed <= looks | {"seen"}
        assert not looks or "average" in changed
        assert (found.seen - before["seen"]).sum() == batch.labelled.sum()
        if kind == "online":
            assert (weights == 1).all()
        else:
            table = found.all_weights()
            for i, annotation in enumerate(batch.index.tolist()):
                for j in range(JOINTS):
                    assert weights[i, j] == table[annotation, PARTNER[j] if batch.flipped[i] else j]
