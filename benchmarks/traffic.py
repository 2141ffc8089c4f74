"""Messages of several processes in a training step: calculated, not measured.

Counts the messages of one process and their content (Group.messages and Group.sent) by kind: ``sum``,
gradients and losses; ``gather``, the input of the ignoring variables; ``counts``, the number of samples of
each rank. The small messages that TRAIN.SYNC_BN adds for every layer and pass are not included.
"""

from collections import Counter
from dataclasses import dataclass, field

from lib.config.schema import Config
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.modes import SourceUse
from lib.ignoring.trainable_model import TrainableModel
from lib.training.phases import Phase

FLOAT, INDEX, FLAG = 4, 8, 1  # bytes


@dataclass(frozen=True)
class Parameters:
    """Numbers of parameters of a model: all of them, and those along which hypergradients are taken."""

    whole: int
    in_direction: int

    @classmethod
    def of(cls, model: TrainableModel) -> "Parameters":
        """Those of ``model``."""
        part = model.select_direction(model.parameters)
        return cls(*(sum(tensor.numel() for tensor in tensors) for tensors in (model.parameters, part)))


@dataclass(frozen=True)
class Traffic:
    """Number of messages of one process in one step, and bytes of their content, by kind."""

    messages: Counter = field(default_factory=Counter)
    sent: Counter = field(default_factory=Counter)

    def add(self, kind: str, number: int, content: int) -> None:
        """Add ``number`` messages of ``content`` bytes each."""
        if number:
            self.messages[kind] += number
            self.sent[kind] += number * content


def traffic_of_step(
    config: Config, phase: Phase, weighting: Weighting, parameters: Parameters, processes: int
) -> Traffic:
    """The traffic of a step of ``phase`` (see lib/ignoring/bilevel_step.py), if no image is skipped.

    Args:
        parameters: of a model.
        processes: number of ranks.
    """
    mode, lbi, joints = phase.mode, config.lbi, config.model.num_joints
    weighted = [mode.joint_loss, mode.anchor].count(SourceUse.WEIGHTED)
    steps_source_model = mode.anchor in (SourceUse.UNIFORM, SourceUse.WEIGHTED)
    gradients = phase.uses_target + steps_source_model
    losses = gradients + (mode.joint_loss is not SourceUse.NONE)
    # Per source sample: index, flipped, whether each joint is labelled, and its loss.
    row = INDEX + FLAG + 2 * joints * FLOAT
    gathers, validated = weighted, 0
    if weighted and weighting is Weighting.UPDATE:
        # In every loop a validation gradient of each evaluated model, along some layers only, and a gradient for
        # each weighted place; the source model's update reuses the last one.
        validated = lbi.meta_loop * (2 if weighted == 2 and lbi.meta_model == "source" else 1)
        gradients = phase.uses_target + (mode.anchor is SourceUse.UNIFORM) + lbi.meta_loop * weighted
        row += joints * FLOAT  # the hypergradient
        gathers = lbi.meta_loop * weighted
    largest_part = -(-(config.train.src_batch_size or config.train.batch_size) // processes)
    traffic = Traffic()
    traffic.add("sum", gradients, parameters.whole * FLOAT)
    traffic.add("sum", validated, parameters.in_direction * FLOAT)
    traffic.add("sum", 1, losses * FLOAT)
    traffic.add("gather", gathers, largest_part * row)
    traffic.add("counts", 1, 4 * INDEX)
    return traffic


def ring_seconds(traffic: Traffic, processes: int, bandwidth: float, latency: float) -> float:
    """Seconds of ``traffic`` with ring algorithms, without overlap with computation.

    A sum (ring all-reduce, Patarasuk & Yuan, 2009) passes all but one share of its content over every link
    twice; gathers and counts bring the content of every process to every other.

    Args:
        bandwidth, latency: of the slowest link, in bytes per second and seconds.
    """
    others = processes - 1
    seconds = 0.0
    for kind, content in traffic.sent.items():
        moved, rounds = (2 * content / processes, 2) if kind == "sum" else (content, 1)
        seconds += others * (moved / bandwidth + rounds * traffic.messages[kind] * latency)
    return seconds
