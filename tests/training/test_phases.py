"""Which models are trained when, by hand."""

from dataclasses import replace

import pytest

from lib.config.schema import Config, IgnoringConfig, TrainConfig
from lib.ignoring.modes import MODES, SourceUse
from lib.training.phases import check_epochs, phases, trains_source_first
from lib.utils.errors import InputError

TRAIN = TrainConfig(lr=0.01, lr_factor=0.5, lr_step=(2, 4), end_epoch=5)
WITH_SOURCE_MODEL = [name for name, mode in MODES.items() if mode.has_source_model]


def phases_of(config, mode):
    return phases(config.train, config.lbi, mode)


def configured(schedule, source_model_on="source", **train):
    lbi = IgnoringConfig(schedule=schedule, target_lr=0.25, source_model_on=source_model_on)
    return Config(train=replace(TRAIN, **train), lbi=lbi)


def rates(phase):
    return [phase.learning_rate(TRAIN, epoch) for epoch in range(phase.begin, phase.end)]


def seen(phase):
    return phase.roles, phase.mode.joint_loss.value, phase.mode.anchor.value, phase.begin, phase.end


@pytest.mark.parametrize("name", MODES)
def test_together_is_one_phase_of_the_mode_itself(name):
    config, mode = configured("together"), MODES[name]
    (phase,) = phases_of(config, mode)
    assert not trains_source_first(config.lbi, mode)
    assert phase.mode == mode and (phase.begin, phase.end) == (0, 5)
    assert phase.roles == (("source", "target") if name in WITH_SOURCE_MODEL else ("target",))
    assert phase.uses_target and phase.uses_source == (name != "baseline1")
    assert phase.ignores == name.startswith("ours")
    assert rates(phase) == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025])


# (in the loss, near) of the source model's phase and of the target model's
SOURCE_FIRST = {
    "baseline3": (("no", "plain"), ("no", "fixed")),
    "baseline4": (("no", "plain"), ("plain", "fixed")),
    "ours2": (("no", "weighted"), ("no", "fixed")),
    "ours3": (("no", "plain"), ("weighted", "fixed")),
    "ours4": (("no", "weighted"), ("plain", "fixed")),
    "ours5": (("no", "weighted"), ("weighted", "fixed")),
}


@pytest.mark.parametrize("name", MODES)
def test_source_first_is_two_phases_where_there_is_a_source_model(name):
    config, mode = configured("source_first"), MODES[name]
    if name not in WITH_SOURCE_MODEL:
        assert phases_of(config, mode) == phases_of(configured("together"), mode)
        assert not trains_source_first(config.lbi, mode)
        return
    assert trains_source_first(config.lbi, mode)
    first, second = phases_of(config, mode)
    of_source, of_target = SOURCE_FIRST[name]
    assert seen(first) == (("source",), *of_source, 0, 5)
    assert seen(second) == (("target",), *of_target, 5, 10)
    assert first.uses_source and not first.uses_target
    assert second.uses_target and second.uses_source == (of_target[0] != "no")
    assert first.ignores == (of_source[1] == "weighted")
    assert second.ignores == (of_target[0] == "weighted")
    assert second.mode.name == mode.name and second.mode.anchor is SourceUse.FROZEN


@pytest.mark.parametrize("name", WITH_SOURCE_MODEL)
def test_a_source_model_on_both_has_the_source_in_its_loss_as_it_was_to_be_trained(name):
    alone, second = phases_of(configured("source_first"), MODES[name])
    both, same = phases_of(configured("source_first", "both"), MODES[name])
    assert seen(both) == (("source",), alone.mode.anchor.value, "no", 0, 5) and same == second
    assert both.uses_source and both.uses_target and not both.trains_target
    assert both.ignores == alone.ignores and rates(both) == rates(alone)


@pytest.mark.parametrize("name", WITH_SOURCE_MODEL)
def test_learning_rates_start_again_for_the_target_model_at_its_share(name):
    first, second = phases_of(configured("source_first"), MODES[name])
    assert rates(first) == pytest.approx([0.01, 0.01, 0.005, 0.005, 0.0025])
    assert rates(second) == pytest.approx([0.0025, 0.0025, 0.00125, 0.00125, 0.000625])


def test_without_epochs_there_is_nothing_to_train():
    for phase in phases_of(configured("source_first", end_epoch=0), MODES["ours2"]):
        assert phase.begin == phase.end == 0


@pytest.mark.parametrize(("name", "last"), [("baseline1", 5), ("ours1", 5), ("ours2", 10), ("ours5", 10)])
def test_a_run_has_an_epoch_to_train(name, last):
    config = configured("source_first")
    of_run = phases_of(config, MODES[name])
    check_epochs(replace(config.train, begin_epoch=last - 1), of_run)
    with pytest.raises(InputError, match=f"BEGIN_EPOCH is {last}, TRAIN.END_EPOCH 5"):
        check_epochs(replace(config.train, begin_epoch=last), of_run)
    check_epochs(replace(config.train, begin_epoch=last, load_ckpt="last.pth"), of_run)
    none = configured("source_first", end_epoch=0)
    with pytest.raises(InputError, match="nothing to train"):
        check_epochs(none.train, phases_of(none, MODES[name]))
