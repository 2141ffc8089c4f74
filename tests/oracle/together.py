"""Training steps of a small network on several processes, or on one: the same global batches for either."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from lib.ignoring.learner import Batch, Learner
from lib.ignoring.modes import MODES
from lib.ignoring.shared_batchnorm import share_batchnorm
from lib.ignoring.step import Options, Record, SourceBatch, Weighting, source_first_step, training_step
from lib.ignoring.weights import LossAwareWeights, OnlineWeights, PersistentWeights
from lib.utils.distributed import ALONE, Group
from tests.oracle.setups import PARTNER, as_batch, learner, small_batches

COUNT, STEPS, TABLE = 7, 5, 12
LAM, GAMMA, LR, FLOOR = 0.05, 0.7, 0.7, 0.02
KINDS = {
    "online": lambda: OnlineWeights(TABLE, PARTNER),
    "persistent": lambda: PersistentWeights(TABLE, PARTNER, LR),
    "loss_aware": lambda: LossAwareWeights(TABLE, PARTNER, LR, FLOOR),
}


@dataclass(frozen=True)
class Case:
    """A run of STEPS steps; ``weightings`` of the steps in turn; ``holder``: the one process that holds all
    of the source batches, where it isn't everybody in equal parts.   shared: BatchNorm in training, by the
    batch of all processes (otherwise each sample is normalised by running statistics)."""

    mode: str
    kind: str = "online"
    optimizer: str = "adam"
    meta_loop: int = 1
    validate_at_source: bool = False
    source_first: bool = False
    weightings: tuple[str, ...] = ("learned",)
    clip: float = 0.0
    holder: int | None = None
    shared: bool = False


CASES = {
    **{f"{mode}, {kind}": Case(mode, kind) for mode in ("ours1", "ours2", "ours5") for kind in KINDS},
    **{mode: Case(mode) for mode in MODES if mode not in ("ours1", "ours2", "ours5")},
    "several look-aheads": Case("ours5", "persistent", "momentum", meta_loop=3),
    "validated at the source": Case("ours5", validate_at_source=True),
    "kept and one": Case("ours5", "loss_aware", weightings=("one", "learned", "kept")),
    "source first": Case(
        "ours2", "loss_aware", source_first=True, weightings=("learned", "kept"), meta_loop=2
    ),
    "clipped": Case("ours1", "persistent", "momentum", clip=0.01),
    "all of the source in one process": Case("ours5", "persistent", holder=1),
    "shared BatchNorm": Case("ours5", "persistent", shared=True),
    "shared BatchNorm, all of the source in one process": Case("ours5", shared=True, holder=0),
}


def batches_of(step: int, group: Group, holder: int | None) -> tuple[Batch, SourceBatch, Batch]:
    """Target, source and validation of a step: this process's rows, of a global batch of COUNT people."""
    rng = torch.Generator().manual_seed(500 + step)
    index, flipped = torch.randperm(TABLE, generator=rng)[:COUNT], torch.rand(COUNT, generator=rng) < 0.5
    equal = tuple(len(range(COUNT)[replace(group, rank=r).part(COUNT)]) for r in range(group.size))
    counts = {"target": equal, "source": equal, "validation": equal}
    if holder is not None and group.size > 1:
        counts["source"] = tuple(COUNT if r == holder else 0 for r in range(group.size))
    made = {}
    for role, parts in small_batches(step, COUNT).items():
        own = group.own(counts[role])
        batch = as_batch(*(part[own] for part in parts))
        made[role] = replace(batch, counts=counts[role] if group.size > 1 else ())
        if role == "source":
            labelled = parts[2][own]
            made[role] = SourceBatch(
                batch.images, batch.losses, index[own], flipped[own], labelled, counts=made[role].counts
            )
    return made["target"], made["source"], made["validation"]


def made_learner(case: Case, seed: int, group: Group) -> Learner:
    made = replace(learner(case.optimizer, 1e-3, warm=2, seed=seed), clip=case.clip, group=group)
    if case.shared:
        share_batchnorm(made.model, group)
        return made
    for module in made.model.modules():
        if isinstance(module, nn.BatchNorm2d):  # normalises each sample by what was before
            module.eval()
    return made


def run_case(case: Case, group: Group = ALONE) -> dict:
    """What a case ends with, and what its steps recorded."""
    mode, options = MODES[case.mode], Options(LAM, GAMMA, case.meta_loop, True, case.validate_at_source)
    target, source = made_learner(case, 0, group), made_learner(case, 1, group)
    places = [place for place, how in (("A", mode.near), ("B", mode.in_loss)) if how.value == "weighted"]
    variables = {place: KINDS[case.kind]().double() for place in places}
    records = []
    for step in range(STEPS):
        weighting = Weighting[case.weightings[step % len(case.weightings)].upper()]
        target_batch, source_batch, validation = batches_of(step, group, case.holder)
        if case.source_first:
            record = source_first_step(mode, options, source, variables, source_batch, validation, weighting)
        else:
            record = training_step(
                mode, options, target, source if mode.has_source_model else None, variables,
                target_batch, source_batch, validation, weighting,
            )  # fmt: skip
        records.append(_told(record))
    return {
        "target": target.model.state_dict(),
        "source": source.model.state_dict(),
        "variables": {place: made.state_dict() for place, made in variables.items()},
        "records": records,
    }


def _told(record: Record) -> dict:
    return {"losses": record.losses, "weights": record.weights, "gradients": record.gradients}


def all_cases(group: Group) -> dict[str, dict]:
    return {name: run_case(case, group) for name, case in CASES.items()}
