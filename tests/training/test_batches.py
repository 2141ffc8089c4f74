"""Which people are in the batches of a step, whatever came before in the same process; how long it waits."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.dataset.keypoint_dataset import Sample
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.modes import MODES
from lib.ignoring.variables import PersistentWeights
from lib.training.batches import StepSamples, TrainingBatches, as_source_batch, raise_if_unreadable
from lib.training.data import build_data
from lib.training.phases import phases
from lib.training.run_spec import RunSpec
from lib.training.state import State
from lib.utils.distributed import ALONE
from lib.utils.errors import InputError
from tests.factories.setups import learner


@pytest.fixture
def start(config):
    """TrainingBatches of ours1 as a run has them that begins at a step, and what validation they read."""
    settings = load_config(config, {"LBI.HYPERGRAD_INTERVAL": 3, "TRAIN.BATCH_SIZE": 2})
    data = build_data(settings, True)
    (phase,) = phases(settings.train, settings.lbi, MODES["ours1"])

    def batches_from(step):
        variables = {"B": PersistentWeights(20, tuple(range(13)), 0.7)}
        state = State("ours1", learner(), None, variables, step=step)
        spec = RunSpec(settings, MODES["ours1"], data, RunPaths(Path("output"), Path("log")))
        made = TrainingBatches(spec, phase, state)
        made.read = []
        read = made._read

        def watched(people, order):
            for batch in read(people, order):
                if people is made.meta_dataset:
                    made.read.append(batch.index.tolist())
                yield batch

        made._read = watched
        return made

    return batches_from


def people(sample):
    return sample and sample.index.tolist()


def run(batches, begin, end, learned):
    """{step: people of target, source and validation}."""
    weightings = {
        step: Weighting.UPDATE if step in learned else Weighting.CURRENT for step in range(begin, end)
    }
    return {step: [people(p) for p in batches.next(step, w)[:3]] for step, w in weightings.items()}


def test_validation_is_read_only_where_it_is_used(start):
    batches, learned = start(0), {0, 3, 6}
    found = run(batches, 0, 8, learned)
    assert {step for step, (_, _, validation) in found.items() if validation} == learned
    assert batches.read == [found[step][2] for step in sorted(learned)]
    assert len({tuple(of) for of in batches.read}) == 3


@pytest.mark.parametrize(
    "learned", [{0, 3, 6, 9}, {6, 9}, {0, 3}], ids=["all", "after a warm-up", "before a rest"]
)
def test_batches_follow_from_the_step_alone(start, learned):
    whole = run(start(0), 0, 10, learned)
    for begin in (1, 3, 5):
        assert run(start(begin), begin, 10, learned) == {step: whole[step] for step in range(begin, 10)}
    everywhere = run(start(0), 0, 10, {0, 3, 6, 9})
    assert all(whole[step] == everywhere[step] for step in learned)


def test_waiting_is_counted_until_it_is_taken(monkeypatch):
    clock = SimpleNamespace(now=100.0)
    monkeypatch.setattr(time, "perf_counter", lambda: clock.now)

    def slow(seconds):
        for number in range(9):
            clock.now += seconds
            yield SimpleNamespace(index=[number])

    batches = TrainingBatches.__new__(TrainingBatches)
    batches.target, batches.source, batches.meta_dataset, batches.waited = slow(2), slow(0.5), None, 0.0
    batches.validation, batches.group, batches.problems = None, ALONE, []
    target, source, validation, _ = batches.next(0, Weighting.UNIFORM)
    assert (target.index, source.index, validation) == ([0], [0], None)
    clock.now += 30  # the step
    batches.next(0, Weighting.UNIFORM)
    assert batches.take_waited() == pytest.approx(5)
    assert batches.take_waited() == 0
    batches.next(0, Weighting.UNIFORM)
    assert batches.take_waited() == pytest.approx(2.5)


def test_what_some_processes_could_not_read_is_counted_and_told_once(together):
    for size, processes in together.items():
        lines = [f"a{rank}" for rank in range(size) for _ in range(rank)]
        for found in processes:
            told = found["counted"]
            assert told["counts"] == (tuple(range(size)), (0,) * size, (4,) * size)
            assert told["problems"] == lines
            assert "no readable image" in told["error"] and "b0" in told["error"]


def test_a_batch_without_a_readable_image_stops_a_single_process():
    samples = StepSamples(SimpleNamespace(index=[3]), SimpleNamespace(index=[]), None)
    with pytest.raises(InputError, match="no readable image.*a.jpg"):
        raise_if_unreadable(samples, ["a.jpg: broken"])
    raise_if_unreadable(samples._replace(source=None), ["a.jpg: broken"])


@pytest.mark.parametrize("use_target_weight", [True, False])
def test_keypoints_with_ignoring_variables_are_those_in_the_loss(use_target_weight):
    weight = torch.tensor([[1.0, 0.0]])
    sample = Sample(
        torch.zeros(1, 3, 8, 8),
        torch.ones(1, 2, 4, 4),
        weight,
        torch.tensor([0]),
        torch.tensor([False]),
        [""],
    )
    batch = as_source_batch(sample, use_target_weight)
    in_loss = batch.losses(torch.zeros(1, 2, 4, 4)) > 0
    assert torch.equal(batch.loss_weights > 0, in_loss)
    assert in_loss.tolist() == [[True, not use_target_weight]]
