"""What several processes send each other in a training step, by calculation: nothing here is measured.

Counted is the content of the messages that one process takes part in (Group.messages and Group.sent), by
kind: ``sum``, gradients and losses; ``gather``, what the ignoring variables learn from; ``counts``, how many
samples everybody holds. TRAIN.SYNC_BN adds small messages for every layer and pass, which are left out here.
"""

from collections import Counter
from dataclasses import dataclass, field

from lib.config.schema import Config
from lib.ignoring.bilevel_step import Weighting
from lib.ignoring.modes import SourceUse
from lib.training.phases import Phase

FLOAT, INDEX, FLAG = 4, 8, 1  # bytes


@dataclass(frozen=True)
class Traffic:
    """Of one process and one step, by kind: messages, and bytes of their content."""

    messages: Counter = field(default_factory=Counter)
    sent: Counter = field(default_factory=Counter)

    def add(self, kind: str, number: int, content: int) -> None:
        """``number`` messages of ``content`` bytes each."""
        if number:
            self.messages[kind] += number
            self.sent[kind] += number * content


def traffic_of_step(
    config: Config, phase: Phase, weighting: Weighting, parameters: int, processes: int
) -> Traffic:
    """Of a step of ``phase`` with so many numbers in a model, no image left out (see lib/ignoring/bilevel_step.py)."""
    mode, lbi, joints = phase.mode, config.lbi, config.model.num_joints
    weighted = [mode.joint_loss, mode.anchor].count(SourceUse.WEIGHTED)
    steps_source_model = mode.anchor in (SourceUse.UNIFORM, SourceUse.WEIGHTED)
    gradients = phase.uses_target + steps_source_model
    losses = gradients + (mode.joint_loss is not SourceUse.NONE)
    # Index, mirrored or not, whether labelled, and the loss: for every source sample that variables hear of.
    row = INDEX + FLAG + 2 * joints * FLOAT
    gathers = weighted
    if weighted and weighting is Weighting.UPDATE:
        # In every loop one gradient of validation at each model asked, one of each weighted source; the
        # source model's real step takes the last of those.
        asked = 2 if weighted == 2 and lbi.meta_model == "source" else 1
        gradients = (
            phase.uses_target + (mode.anchor is SourceUse.UNIFORM) + lbi.meta_loop * (asked + weighted)
        )
        row += joints * FLOAT  # the hypergradient
        gathers = lbi.meta_loop * weighted
    most = -(-(config.train.src_batch_size or config.train.batch_size) // processes)
    traffic = Traffic()
    traffic.add("sum", gradients, parameters * FLOAT)
    traffic.add("sum", 1, losses * FLOAT)
    traffic.add("gather", gathers, most * row)
    traffic.add("counts", 1, 4 * INDEX)
    return traffic


def ring_seconds(traffic: Traffic, processes: int, bandwidth: float, latency: float) -> float:
    """Time of ``traffic`` where each message goes round a ring of ``processes``, its slowest link with
    ``bandwidth`` bytes a second and ``latency`` seconds; nothing is computed meanwhile.

    Sums pass every link twice, all but one share of it (Patarasuk & Yuan, 2009); gathers and counts
    bring every process what each of the others has.
    """
    others = processes - 1
    seconds = 0.0
    for kind, content in traffic.sent.items():
        moved, rounds = (2 * content / processes, 2) if kind == "sum" else (content, 1)
        seconds += others * (moved / bandwidth + rounds * traffic.messages[kind] * latency)
    return seconds
