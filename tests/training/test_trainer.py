"""The training loop: which steps it takes, and what it leaves."""

import json
import os
import signal

import pytest
import torch

from lib.training.checkpoints import BEST, LAST, Checkpointer
from lib.training.trainer import Trainer, train
from lib.utils.errors import InputError, NonFiniteError, StoppedError
from tests.factories.small_run import assert_same
from tests.factories.training import finished_step, make_spec, make_state


def load(folder, name):
    return torch.load(folder / name, weights_only=True)


def test_epochs_steps_and_learning_rates(config):
    """Two epochs of two steps, the rate divided by ten after the first."""
    spec = make_spec(config)
    trainer = Trainer(spec)
    path = trainer.train()
    state = trainer.state
    assert (state.epoch, state.step, state.step_of_epoch) == (2, 4, 0)
    assert state.target.optimizer.param_groups[0]["lr"] == pytest.approx(spec.config.train.lr / 10)
    lines = [json.loads(line) for line in (spec.paths.output / "metrics.jsonl").read_text().splitlines()]
    rates = {line["step"]: line["train/learning_rate_target"] for line in lines if "loss/target" in line}
    assert rates == {
        step: pytest.approx(spec.config.train.lr / (1 if step < 3 else 10)) for step in range(1, 5)
    }
    assert json.loads(path.read_text())["steps"] == load(spec.paths.output, LAST)["step"] == 4


def test_the_best_epoch_is_that_of_the_highest_score(config, monkeypatch):
    spec = make_spec(config, "baseline1", TRAIN__END_EPOCH=4)
    scores = [10.0, 30.0, 30.0, 20.0]
    monkeypatch.setattr(
        "lib.training.metric_logger.MetricLogger.log_validation", lambda self, phase, epoch: scores[epoch]
    )
    trainer = Trainer(spec)
    trainer.train()
    assert (trainer.state.best_epoch, trainer.state.best_score) == (1, 30.0)
    best = load(spec.paths.output, BEST)
    assert (best["best_epoch"], best["epoch"], best["step"]) == (1, 2, 4)


def test_without_a_validation_set_of_its_own_the_last_epoch_is_kept(config, monkeypatch):
    spec = make_spec(config, "baseline1", LBI__VAL_IN_TRAIN=True)
    monkeypatch.setattr(
        "lib.training.metric_logger.MetricLogger.log_validation", lambda self, phase, epoch: -epoch
    )
    trainer = Trainer(spec)
    trainer.train()
    assert trainer.state.best_epoch == 1


def test_the_target_model_starts_from_the_source_model_in_the_second_phase(config):
    spec = make_spec(config, "baseline3", LBI__SCHEDULE="source_first", LBI__TARGET_LR=0.0)
    trainer = Trainer(spec)
    trainer.train()
    state = trainer.state
    assert state.epoch == 4
    for ours, theirs in zip(state.target.parameters, state.source.parameters):
        assert torch.equal(ours, theirs)  # with a learning rate of 0 it stays there


def test_resuming_within_an_epoch_gives_the_same_state(config):
    spec = make_spec(config, TRAIN__RESUME=True)
    state = make_state(spec)
    finished_step(spec, state, seconds=0.0)
    state.step_of_epoch = 1
    Checkpointer(spec, state, lambda: 0).save_last()
    resumed = Trainer(spec)
    resumed.train()
    at_once = Trainer(make_spec(config))
    at_once.train()
    assert_same(resumed.state.state_dict(), at_once.state.state_dict())


def test_a_resumed_run_does_not_need_the_checkpoint_that_it_started_from(config):
    start = config.parent / "start.pth"
    first = make_spec(config, "baseline1")
    torch.save(make_state(first).state_dict(), start)
    train(make_spec(config, "baseline1", TRAIN__LOAD_CKPT=str(start)))
    start.unlink()
    longer = {"TRAIN__END_EPOCH": 3, "TRAIN__LOAD_CKPT": str(start)}
    train(make_spec(config, "baseline1", TRAIN__RESUME=True, **longer))
    assert load(first.paths.output, LAST)["epoch"] == 3
    with pytest.raises(InputError, match="start.pth"):
        train(make_spec(config, "baseline1", **longer))


def test_a_signal_during_the_last_validation_stops_before_the_test(config, monkeypatch):
    spec = make_spec(config, "baseline1", TRAIN__RESUME=True)

    def interrupted(self, phase, epoch):
        if epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
        return float(epoch)

    with monkeypatch.context() as patched:
        patched.setattr("lib.training.metric_logger.MetricLogger.log_validation", interrupted)
        with pytest.raises(StoppedError) as stopped:
            train(spec)
    assert stopped.value.signal == signal.SIGTERM
    assert not (spec.paths.output / "results.json").exists()
    last = load(spec.paths.output, LAST)
    assert (last["epoch"], last["step_of_epoch"], last["best_epoch"]) == (2, 0, 1)
    assert json.loads(train(spec).read_text())["steps"] == 4


def test_divergence_keeps_the_last_good_checkpoint(config):
    spec = make_spec(config, "baseline1", TRAIN__LR=1e30, TRAIN__STEPS_PER_EPOCH=1)
    with pytest.raises(NonFiniteError, match="'target'.* 2"):
        train(spec)
    assert load(spec.paths.output, LAST)["step"] == 1
