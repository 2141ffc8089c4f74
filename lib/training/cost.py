"""The cost of a training run in forward passes, by calculation: nothing here is measured.

F is one forward pass of one target batch through the network; a backward pass counts 2 F, and so does
forward-mode AD beside a forward pass. Along a part of the network (LBI.HYPERGRAD_LAYERS) both count the part's
multiplications.
"""

from dataclasses import dataclass
from functools import cache

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lib.config.schema import Config, ModelConfig, TestConfig, TrainConfig
from lib.dataset.splits import VALIDATION_SHARE
from lib.ignoring.modes import Mode, SourceUse
from lib.models.pose_resnet import HYPERGRADIENT_LAYERS, build_pose_resnet
from lib.training.phases import Phase, phases

BACKWARD = 2
FORWARD_BACKWARD = 1 + BACKWARD


@dataclass(frozen=True)
class Cost:
    """Cost of a run.

    steps: training steps.
    training, validation: F of all steps, and of all validations.
    source_passes: mean number of visits of a source annotation.
    hypergradients: the hypergradients' share of ``training``.
    """

    steps: int
    training: float
    validation: float
    source_passes: float
    hypergradients: float = 0.0

    @property
    def forwards(self) -> float:
        """F of the whole run."""
        return self.training + self.validation

    def hours(self, seconds: float, in_hypergradients: float | None = None) -> float:
        """Hours of the whole run, given the seconds that F takes, and those that F of a hypergradient takes."""
        added = (in_hypergradients or seconds) - seconds
        return (self.forwards * seconds + self.hypergradients * added) / 3600


def forwards_of_step(train: TrainConfig, phase: Phase) -> float:
    """F of one step of ``phase`` without a hypergradient (see lib/ignoring/bilevel_step.py)."""
    source = FORWARD_BACKWARD * _source_share(train)
    step = FORWARD_BACKWARD * phase.uses_target
    step += source * (phase.mode.joint_loss is not SourceUse.NONE)
    return step + source * ("source" in phase.roles and phase.mode.has_source_model)


def forwards_of_hypergradient(config: Config, phase: Phase) -> float:
    """F that the hypergradient adds to a step; 0 if no weights are learned."""
    train, lbi, mode = config.train, config.lbi, phase.mode
    learned = [mode.joint_loss, mode.anchor].count(SourceUse.WEIGHTED)
    if not learned:
        return 0.0
    # A validation gradient for each model that needs one, and a tangent for each set of weights (beside the
    # source forward pass of the weighted loss); from the second loop on also the gradient of the source losses
    # with the weights of the loop before.
    gradients = 2 if learned == 2 and lbi.meta_model == "source" else 1
    along = _forwards_along(config.model, lbi.hypergrad_layers)
    validation = (1 + along) * (lbi.val_batch_size or train.batch_size) / train.batch_size
    source = _source_share(train)
    again = (lbi.meta_loop - 1) * learned * FORWARD_BACKWARD * source
    return lbi.meta_loop * (gradients * validation + learned * along * source) + again


def forwards_of_validation(train: TrainConfig, test: TestConfig, people: int) -> float:
    """F of evaluating one model on ``people`` samples."""
    return (2 if test.flip_test else 1) * people / train.batch_size


def training_cost(config: Config, mode: Mode, target_people: int, source_people: int) -> Cost:
    """The cost of a run by ``config``, without LBI.RETRAIN.

    Args:
        target_people: annotations in MPII's train; T is taken as exactly two thirds of them, V as the rest.
        source_people: annotations of the source.
    """
    batch = config.train.batch_size
    validated = target_people // VALIDATION_SHARE
    trained = target_people - (0 if config.lbi.val_in_train else validated)
    steps_per_epoch = config.train.steps_per_epoch or trained // batch
    steps, training, hypergradients, validations, source_steps = 0, 0.0, 0.0, 0, 0
    for phase in phases(config.train, config.lbi, mode):
        epochs = phase.end - max(phase.begin, config.train.begin_epoch)
        learning = (
            min(epochs, config.lbi.freeze_weights_epoch or epochs)
            * steps_per_epoch
            / config.lbi.hypergrad_interval
        )
        steps += epochs * steps_per_epoch
        training += epochs * steps_per_epoch * forwards_of_step(config.train, phase)
        hypergradients += learning * forwards_of_hypergradient(config, phase)
        validations += len(phase.roles) * -(-epochs // config.test.eval_epochs)
        source_steps += epochs * steps_per_epoch * phase.uses_source
    return Cost(
        steps=steps,
        training=training + hypergradients,
        validation=validations * forwards_of_validation(config.train, config.test, validated),
        source_passes=source_steps * batch * _source_share(config.train) / source_people,
        hypergradients=hypergradients,
    )


@cache
def _forwards_along(model: ModelConfig, layers: str) -> float:
    """F of a backward pass, or of the tangent beside a forward pass, along ``layers``: LBI.HYPERGRAD_LAYERS."""
    parts = HYPERGRADIENT_LAYERS[layers]
    if not parts:
        return BACKWARD
    with torch.device("meta"):  # counts without computing
        network, (width, height) = build_pose_resnet(model), model.image_size
        return backward_share(network, torch.empty(2, 3, height, width), parts)


def backward_share(network: nn.Module, images: torch.Tensor, parts: tuple[str, ...]) -> float:
    """Multiplications of the backward pass for the modules ``parts`` of a network, over those of a forward pass.

    The tangent along these modules takes as many: where the one has the gradient of a layer's weight or input,
    the other has the tangent that comes from it.
    """
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name.startswith(tuple(f"{part}." for part in parts)))
    moving = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with FlopCounterMode(display=False) as forward:
        outputs = network(images)
    with FlopCounterMode(display=False) as backward:
        torch.autograd.grad(outputs.sum(), moving)
    return backward.get_total_flops() / forward.get_total_flops()


def _source_share(train: TrainConfig) -> float:
    """Size of a source batch, in target batches."""
    return (train.src_batch_size or train.batch_size) / train.batch_size
