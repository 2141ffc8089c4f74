"""The time left, against a clock on which every forward pass takes a second."""

from types import SimpleNamespace

import pytest

from lib.config.loader import load_config, parse_overrides
from lib.ignoring.modes import MODES
from lib.training import progress
from lib.training.cost import forwards_of_hypergradient, forwards_of_step, training_cost
from lib.training.phases import phases
from lib.training.run_spec import RunSpec

STEPS, PEOPLE = 5, 30  # V and the test are a third of the people each


def made(tmp_path, mode, *words, learns=True):
    (tmp_path / "c.yaml").write_text(
        "TRAIN: {BATCH_SIZE: 4, END_EPOCH: 4, LR_STEP: [2], STEPS_PER_EPOCH: 5}\n"
    )
    config = load_config(tmp_path / "c.yaml", parse_overrides(list(words)))
    part = lambda: SimpleNamespace(dataset=range(PEOPLE // 3))  # noqa: E731
    data = SimpleNamespace(validation=part(), test=part(), target=range(PEOPLE))
    models = dict.fromkeys(("target", "source") if MODES[mode].has_source_model else ("target",))
    state = SimpleNamespace(epoch=0, step_of_epoch=0, learns=learns, models=lambda: models)
    spec = RunSpec(config, MODES[mode], data, None)
    return config, progress.Progress(spec, state), state


@pytest.mark.parametrize("mode", ["baseline2", "ours1", "ours2", "ours5"])
@pytest.mark.parametrize(
    "words",
    [
        [],
        ["LBI.SCHEDULE", "source_first", "LBI.SOURCE_MODEL_ON", "both", "TEST.FLIP_TEST", "true"],
        ["LBI.HYPERGRAD_INTERVAL", "2", "LBI.FREEZE_WEIGHTS_EPOCH", "2", "TEST.EVAL_EPOCHS", "2"],
    ],
)
def test_the_work_is_that_of_the_calculation_of_cost(mode, words, tmp_path):
    config, made_of, _ = made(tmp_path, mode, *words)
    cost = training_cost(config, MODES[mode], PEOPLE, 100)
    assert made_of.whole - made_of.after == pytest.approx(cost.forwards)
    flips, models = 1 + config.test.flip_test, 1 + MODES[mode].has_source_model
    assert made_of.after == pytest.approx(models * flips * 2 * (PEOPLE // 3) / 4)


@pytest.mark.parametrize("going_on_from", [(0, 0), (1, 2), (5, 0)])
def test_time_left_is_right_where_a_forward_pass_takes_a_second(going_on_from, tmp_path, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    words = ["LBI.SCHEDULE", "source_first", "LBI.FREEZE_WEIGHTS_EPOCH", "3", "LBI.HYPERGRAD_INTERVAL", "2"]
    config, _, _ = made(tmp_path, "ours2", *words)
    course = []  # (epoch, steps done after it, seconds of the step and of a validation behind it)
    for phase in phases(config.train, config.lbi, MODES["ours2"]):
        for epoch in range(phase.begin, phase.end):
            learns = epoch - phase.begin < 3
            seconds = (
                forwards_of_step(config.train, phase) + learns * forwards_of_hypergradient(config, phase) / 2
            )
            course += [(epoch, done, seconds, 10 / 4 if done == STEPS else 0) for done in range(1, STEPS + 1)]
    course = [part for part in course if part[:2] > going_on_from]
    total = sum(step + validation for *_, step, validation in course) + 2 * 2 * 10 / 4

    _, run, state = made(tmp_path, "ours2", *words)
    state.epoch, state.step_of_epoch = going_on_from
    run.at_start, shares = run.work_left(), []
    for epoch, done, step, validation in course:
        state.epoch, state.step_of_epoch = epoch, done
        now[0] += step
        assert run.seconds_left() == pytest.approx(1000 + total - now[0])
        shares.append(run.share())
        now[0] += validation
    assert shares == sorted(shares) and 0 < shares[0] < shares[-1] < 1


def test_a_second_training_is_counted(tmp_path):
    _, once, _ = made(tmp_path, "ours1")
    _, plain, _ = made(tmp_path, "ours1", learns=False)
    _, twice, _ = made(tmp_path, "ours1", "LBI.RETRAIN", "0.5")
    assert twice.whole == pytest.approx(once.whole + plain.whole)
    assert plain.whole < once.whole
    _, second, _ = made(tmp_path, "ours1", "LBI.RETRAIN", "0.5", learns=False)
    assert second.whole == pytest.approx(plain.whole)
