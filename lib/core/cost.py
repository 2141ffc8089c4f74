"""What a training run costs in forward passes, by calculation: nothing here is measured.

F is one forward pass of one training batch through the network; a backward pass counts 2 F, and
forward-mode AD beside a forward pass 2 F more.
"""

from dataclasses import dataclass

from easydict import EasyDict

from lib.dataset.mpii import VALIDATION_SHARE
from lib.ignoring.modes import Mode, Source

FORWARD_BACKWARD = 3
FORWARD_TANGENT = 3


@dataclass(frozen=True)
class Cost:
    """steps: of training.   step: F of one of them.   validation: F of all validations.
    source_passes: how often each source person is seen, on average."""

    steps: int
    step: int
    validation: float
    source_passes: float

    @property
    def forwards(self) -> float:
        return self.steps * self.step + self.validation

    def hours(self, seconds_per_forward: float) -> float:
        return self.forwards * seconds_per_forward / 3600


def forwards_per_step(mode: Mode, meta_loop: int = 1) -> int:
    """F of one training step of ``mode`` (see lib/ignoring/step.py), every batch of the same size."""
    learned = [mode.in_loss, mode.near].count(Source.WEIGHTED)
    step = FORWARD_BACKWARD  # the target batch
    step += FORWARD_BACKWARD * (mode.in_loss is not Source.NO)  # the source in the target's loss
    step += FORWARD_BACKWARD * mode.has_source_model
    if learned:
        # A validation gradient, and a tangent for each set of weights; from the second loop on
        # also the gradient of the source as weighted in the loop before.
        step += meta_loop * (FORWARD_BACKWARD + learned * FORWARD_TANGENT)
        step += (meta_loop - 1) * learned * FORWARD_BACKWARD
    return step


def training_cost(config: EasyDict, mode: Mode, target_people: int, source_people: int) -> Cost:
    """What ``config`` costs with so many people in MPII's train and in the source.

    T is taken as exactly two thirds of the target's people, V as the rest.
    """
    batch, epochs = config.TRAIN.BATCH_SIZE, config.TRAIN.END_EPOCH - config.TRAIN.BEGIN_EPOCH
    validated = target_people // VALIDATION_SHARE
    steps = epochs * (config.TRAIN.STEPS_PER_EPOCH or (target_people - validated) // batch)
    models = 1 + mode.has_source_model
    passes = models * (2 if config.TEST.FLIP_TEST else 1) * -(-epochs // config.TEST.EVAL_EPOCHS)
    return Cost(
        steps=steps,
        step=forwards_per_step(mode, config.LBI.META_LOOP),
        validation=passes * validated / batch,
        source_passes=steps * batch / source_people if mode.uses_source else 0.0,
    )
