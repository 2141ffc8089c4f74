"""Checkpoint files, and what a run may and may not resume from."""

import time

import pytest
import torch

from lib.training.checkpoints import BEST, DAMAGED, LAST, PREVIOUS, Checkpointer, has_checkpoint, resume
from lib.training.state import Placement, TableShape, build_state
from lib.utils.distributed import Group
from lib.utils.errors import InputError
from lib.utils.files import TEMPORARY
from lib.utils.log import captured_messages
from tests.factories.small_run import assert_same
from tests.factories.training import finished_step, make_spec, make_state


@pytest.fixture
def run(config):
    """The spec and state of a run after one step, and its checkpointer."""
    spec = make_spec(config)
    state = make_state(spec)
    finished_step(spec, state)
    return spec, state, Checkpointer(spec, state, lambda: 123)


def content(path):
    return torch.load(path, weights_only=True)


def test_the_last_becomes_the_previous(run):
    spec, state, checkpointer = run
    folder = spec.paths.output
    assert not has_checkpoint(folder)
    checkpointer.save_last()
    assert has_checkpoint(folder) and not (folder / PREVIOUS).exists()
    state.step = 9
    checkpointer.save_last()
    assert [content(folder / name)["step"] for name in (LAST, PREVIOUS)] == [9, 1]
    (folder / LAST).unlink()
    assert has_checkpoint(folder)
    checkpointer.save_best()
    assert content(folder / BEST)["step"] == 9 and not (folder / LAST).exists()
    assert content(folder / BEST)["joints"] == list(spec.data.joints)
    entry = content(folder / BEST)["category"]
    assert (entry["ids"], entry["name"], entry["keypoints"]) == ([1], "person", list(spec.data.joints))
    assert len(entry["flip_pairs"]) == 6 and ["right_ankle", "right_knee"] in entry["skeleton"]


def test_resume_restores_everything(run):
    spec, state, checkpointer = run
    state.epoch, state.best_epoch, state.best_score = 1, 0, 12.5
    checkpointer.save_last()
    fresh = make_state(spec)
    assert resume(spec, fresh) == 123
    assert (fresh.step, fresh.epoch, fresh.best_epoch, fresh.best_score) == (1, 1, 0, 12.5)
    assert_same(fresh.state_dict(), state.state_dict())


def test_a_damaged_last_checkpoint_is_set_aside(run):
    spec, state, checkpointer = run
    checkpointer.save_last()
    state.step = 9
    checkpointer.save_last()
    (spec.paths.output / LAST).write_bytes(b"damaged")
    fresh = make_state(spec)
    resume(spec, fresh)
    assert fresh.step == 1
    assert (spec.paths.output / DAMAGED).read_bytes() == b"damaged" and not (
        spec.paths.output / LAST
    ).exists()


def test_only_the_main_rank_removes_temporary_files(run):
    """The main rank resumes first, and may be writing when the others do."""
    spec, state, checkpointer = run
    checkpointer.save_last()
    temporary = spec.paths.output / f"{TEMPORARY}config.abc.yaml"
    temporary.write_text("")
    tables = TableShape.of(spec.data.source.annotations)
    other = build_state(spec.config, spec.mode, tables, Placement(state.device, Group(1, 2)))
    resume(spec, other)
    assert other.step == state.step and temporary.exists()
    resume(spec, make_state(spec))
    assert not temporary.exists()


def test_a_finished_run_says_so(config, run):
    spec, state, checkpointer = run
    for epoch, finished in ((1, False), (2, True)):
        state.epoch = epoch
        checkpointer.save_last()
        with captured_messages() as messages:
            resume(spec, make_state(spec))
        assert any("nothing is left to train" in message for message in messages) is finished
    longer = make_spec(config, TRAIN__END_EPOCH=3)
    with captured_messages() as messages:
        resume(longer, make_state(longer))
    assert not any("nothing is left" in message for message in messages)


def test_the_optimizer_goes_on_with_the_settings_of_now(config, run):
    _, _, checkpointer = run
    checkpointer.save_last()
    changed = make_spec(config, TRAIN__WD=0.25, TRAIN__RESUME_CHANGED=["TRAIN.WD"])
    state = make_state(changed)
    resume(changed, state)
    (group,) = state.target.optimizer.param_groups
    assert group["weight_decay"] == 0.25 and state.target.optimizer.state


def test_an_impossible_size_of_the_metrics_file(run):
    spec, state, _ = run
    Checkpointer(spec, state, lambda: -1).save_last()
    with pytest.raises(InputError, match="metrics_bytes is -1"):
        resume(spec, make_state(spec))


def test_checkpoints_by_the_clock(config, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    spec = make_spec(config, TRAIN__SAVE_EVERY_MINUTES=0.5)
    checkpointer = Checkpointer(spec, make_state(spec), lambda: 0)
    now[0] += 29
    assert not checkpointer.due()
    now[0] += 1
    assert checkpointer.due()
    checkpointer.save_last()
    assert not checkpointer.due()
    never = make_spec(config, TRAIN__SAVE_EVERY_MINUTES=0)
    checkpointer = Checkpointer(never, make_state(never), lambda: 0)
    now[0] += 1e6
    assert not checkpointer.due()
