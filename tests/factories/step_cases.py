"""Small models, variables and batches for a training step, and the project's step with them."""

from dataclasses import replace

import torch

from lib.ignoring.batch import SourceBatch, StepBatches
from lib.ignoring.bilevel_step import StepModels, TrainingStep, Weighting
from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.modes import MODES, SourceUse
from lib.ignoring.variables import OnlineWeights, PersistentWeights
from tests.factories.setups import PARTNER, as_batch, learner, small_batches
from tests.reference.plain_step import PlainOnline, PlainPersistent, plain_loss_aware

LAM, GAMMA, LR, COUNT, FLOOR = 0.05, 0.7, 0.7, 8, 0.02
OURS = [name for name, mode in MODES.items() if mode.ignores]
BASELINES = [name for name in MODES if name not in OURS]
# The second phase of a schedule that trains the source model first, as the oracle names its modes
FIXED = {
    f"{mode.joint_loss.value}, near a fixed model": replace(mode, anchor=SourceUse.FROZEN)
    for mode in (MODES["baseline3"], MODES["baseline4"], MODES["ours3"])
}
ALL_MODES = MODES | FIXED


def material(step):
    """TrainingBatches of one step, and which annotations the source's are; some are met again, mirrored or not."""
    rng = torch.Generator().manual_seed(1000 + step)
    index = torch.randperm(COUNT, generator=rng)[:5]
    return small_batches(seed=step), index, torch.rand(5, generator=rng) < 0.5


def of_source(batches, index, flipped):
    return SourceBatch(*batches["source"], index, flipped)


def take(mode, options, target, source, variables, batches, index, flipped, weighting=Weighting.UPDATE):
    """A step of the project, given no more than the mode needs."""
    learns = mode.ignores and weighting is Weighting.UPDATE
    step_batches = StepBatches(
        as_batch(*batches["target"]),
        of_source(batches, index, flipped) if mode.uses_source else None,
        as_batch(*batches["validation"]) if learns else None,
    )
    return TrainingStep(mode, options, StepModels(target, source, variables), step_batches, weighting).run()


def take_source_first(mode, options, source, variables, batches, index, flipped, weighting=Weighting.UPDATE):
    learns = bool(variables) and weighting is Weighting.UPDATE
    step_batches = StepBatches(
        source=of_source(batches, index, flipped),
        validation=as_batch(*batches["validation"]) if learns else None,
    )
    models = StepModels(None, source, variables)
    return TrainingStep(mode, options, models, step_batches, weighting).run_source_first()


def learners(name, optimizer="adam", warm=3, decay=1e-3, layers=()):
    target = learner(optimizer, decay, warm, layers=layers)
    if not ALL_MODES[name].has_source_model:
        return target, None
    return target, learner(optimizer, decay, warm, seed=1, layers=layers)


def made_variables(name, kind):
    """({A and B that the mode learns: the project's}, the same in plain Python)."""
    mode = ALL_MODES[name]
    places = [place for place, how in (("A", mode.anchor), ("B", mode.joint_loss)) if how.value == "weighted"]
    if kind == "online":
        return {p: OnlineWeights(COUNT, PARTNER).double() for p in places}, {p: PlainOnline() for p in places}
    if kind == "loss_aware":
        found = {p: LossAwareWeights(COUNT, PARTNER, LR, FLOOR).double() for p in places}
        return found, {p: plain_loss_aware(made, LR, FLOOR) for p, made in found.items()}
    found = {p: PersistentWeights(COUNT, PARTNER, LR).double() for p in places}
    return found, {p: PlainPersistent(LR, PARTNER) for p in places}


def assert_same(found, expected, what):
    torch.testing.assert_close(
        found, expected, rtol=1e-9, atol=1e-9, msg=lambda text: f"{what}: {text}", check_dtype=False
    )


def parameters_of(made):
    return [p.detach().clone() for p in made.parameters]
