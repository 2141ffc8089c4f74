"""Training steps of a small network on several processes, or on one: the same global batches for either."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from benchmarks.pose_case import TINY, PoseCase, config_of
from benchmarks.traffic import Parameters, traffic_of_step
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.keypoints import network_joints
from lib.evaluation.evaluators import MPIISet, evaluate
from lib.evaluation.inference import InferenceOptions, Predictions
from lib.ignoring.batch import Batch, SourceBatch, StepBatches
from lib.ignoring.bilevel_step import Options, StepModels, StepOutput, TrainingStep, Weighting
from lib.ignoring.loss_aware import LossAwareWeights
from lib.ignoring.modes import MODES
from lib.ignoring.sync_batchnorm import convert_sync_batchnorm
from lib.ignoring.trainable_model import TrainableModel
from lib.ignoring.variables import OnlineWeights, PersistentWeights
from lib.training.batches import StepSamples, raise_if_unreadable, with_counts
from lib.training.phases import phases
from lib.training.state import State
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError, ProcessLostError
from lib.utils.log import captured_messages
from pose_estimation.main import command
from tests.factories.data_sets import read_mpii
from tests.factories.setups import PARTNER, as_batch, learner, small_batches
from tests.factories.small_network import small_network

COUNT, TABLE = 7, 12
LAM, GAMMA, LR, FLOOR = 0.05, 0.7, 0.7, 0.02
THREE = ("ours1", "ours2", "ours5")
KINDS = {
    "online": lambda: OnlineWeights(TABLE, PARTNER),
    "persistent": lambda: PersistentWeights(TABLE, PARTNER, LR),
    "loss_aware": lambda: LossAwareWeights(TABLE, PARTNER, LR, FLOOR),
}


@dataclass(frozen=True)
class Case:
    """A run of ``steps``; ``weightings`` of the steps in turn; ``holder``: the one process that holds all
    of the source batches, where it isn't everybody in equal parts.   shared: BatchNorm in training, by the
    batch of all processes (otherwise each sample is normalised by running statistics)."""

    mode: str
    kind: str = "online"
    steps: int = 2
    optimizer: str = "adam"
    meta_loop: int = 1
    validate_at_source: bool = False
    source_first: bool = False
    weightings: tuple[str, ...] = ("update",)
    clip: float = 0.0
    layers: tuple[str, ...] = ()
    holder: int | None = None
    shared: bool = False


CASES = {
    **{f"{mode}, {kind}": Case(mode, kind, 5) for mode in THREE for kind in ("online", "persistent")},
    **{mode: Case(mode) for mode in MODES if mode not in THREE},
    "several look-aheads": Case("ours5", "persistent", optimizer="momentum", meta_loop=3),
    "validated at the source": Case("ours5", validate_at_source=True),
    "kept and one": Case("ours5", "loss_aware", 5, weightings=("uniform", "update", "current")),
    "source first": Case(
        "ours2", "loss_aware", 5, source_first=True, weightings=("update", "current"), meta_loop=2
    ),
    "clipped": Case("ours1", "persistent", optimizer="momentum", clip=0.01),
    **{f"{mode}, along the last layer": Case(mode, "loss_aware", layers=("final",)) for mode in THREE},
    "along the head, source first": Case(
        "ours2", "persistent", source_first=True, meta_loop=2, layers=("deconv", "bn3", "final")
    ),
    "along the last layer, all of the source in one process": Case("ours5", holder=1, layers=("final",)),
    "along the last layer, shared BatchNorm": Case("ours5", "persistent", shared=True, layers=("final",)),
    "all of the source in one process": Case("ours5", "persistent", holder=1),
    "shared BatchNorm": Case("ours5", "persistent", 5, shared=True),
    "shared BatchNorm, all of the source in one process": Case("ours5", shared=True, holder=0),
}


def batches_of(step: int, group: Group, holder: int | None) -> tuple[Batch, SourceBatch, Batch]:
    """Target, source and validation of a step: this process's rows, of a global batch of COUNT people."""
    rng = torch.Generator().manual_seed(500 + step)
    index, flipped = torch.randperm(TABLE, generator=rng)[:COUNT], torch.rand(COUNT, generator=rng) < 0.5
    equal = tuple(len(range(COUNT)[replace(group, rank=r).shard(COUNT)]) for r in range(group.size))
    counts = {"target": equal, "source": equal, "validation": equal}
    if holder is not None and group.size > 1:
        counts["source"] = tuple(COUNT if r == holder else 0 for r in range(group.size))
    made = {}
    for role, parts in small_batches(step, COUNT).items():
        own = group.own_rows(counts[role])
        batch = as_batch(*(part[own] for part in parts))
        made[role] = replace(batch, counts=counts[role] if group.size > 1 else ())
        if role == "source":
            made[role] = SourceBatch(
                batch.images,
                batch.heatmaps,
                batch.loss_weights,
                index[own],
                flipped[own],
                counts=made[role].counts,
            )
    return made["target"], made["source"], made["validation"]


def made_learner(case: Case, seed: int, group: Group) -> TrainableModel:
    made = learner(case.optimizer, 1e-3, warm=2, seed=seed, layers=case.layers)
    made = replace(made, clip=case.clip, group=group)
    if case.shared:
        if group.size > 1:
            convert_sync_batchnorm(made.model, group)
        return made
    for module in made.model.modules():
        if isinstance(module, nn.BatchNorm2d):  # normalises each sample by what was before
            module.eval()
    return made


def run_case(case: Case, group: Group = ALONE) -> dict:
    """What a case ends with, and what its steps recorded."""
    mode, options = MODES[case.mode], Options(LAM, GAMMA, case.meta_loop, True, case.validate_at_source)
    target, source = made_learner(case, 0, group), made_learner(case, 1, group)
    places = [place for place, how in (("A", mode.anchor), ("B", mode.joint_loss)) if how.value == "weighted"]
    variables = {place: KINDS[case.kind]().double() for place in places}
    records = []
    for step in range(case.steps):
        weighting = Weighting[case.weightings[step % len(case.weightings)].upper()]
        target_batch, source_batch, validation = batches_of(step, group, case.holder)
        if case.source_first:
            models = StepModels(None, source, variables)
            batches = StepBatches(source=source_batch, validation=validation)
            output = TrainingStep(mode, options, models, batches, weighting).run_source_first()
        else:
            models = StepModels(target, source if mode.has_source_model else None, variables)
            batches = StepBatches(target_batch, source_batch, validation)
            output = TrainingStep(mode, options, models, batches, weighting).run()
        records.append(_recorded(output))
    return {
        "target": target.model.state_dict(),
        "source": source.model.state_dict(),
        "variables": {place: made.state_dict() for place, made in variables.items()},
        "records": records,
    }


def _recorded(output: StepOutput) -> dict:
    return {"losses": output.losses, "weights": output.weights, "gradients": output.hypergradients}


SMALL = TINY | {"TRAIN__BATCH_SIZE": 8}
SENT = (
    {"LBI__META_MODEL": "source"},
    {"LBI__META_LOOP": 2},
    {"LBI__HYPERGRAD_INTERVAL": 2},
    {"LBI__HYPERGRAD_LAYERS": "final"},
    {"LBI__HYPERGRAD_LAYERS": "head", "LBI__META_LOOP": 2},
)


# Kinds of variables make no difference to a mode without any.
RUNS_OF_MODES = [(k, mode) for k in KINDS for mode in MODES if MODES[mode].ignores or k == "online"]


def evaluated(data: Path, batch_size: int, group: Group) -> tuple[dict, Predictions]:
    """The test people of tests.factories.small_run's ``data``, by a network that was never trained."""
    network, codec = small_network(13), HeatmapCodec((64, 64), (16, 16), 1.0)
    people = read_mpii(str(data / "mpii"), "valid", network_joints(13), 1.0)
    options = InferenceOptions(batch_size, 0, True, True, "raise", group)
    return evaluate(network, MPIISet(KeypointDataset(people, codec)), torch.device("cpu"), options)


def agreed(group: Group) -> dict:
    """A state whose processes saw other samples, and then one that came apart in a weight; made one again."""
    made = replace(learner(), group=group)
    made.model.bn1.running_mean += group.rank
    state = State("ours1", made, None, {"B": PersistentWeights(TABLE, PARTNER, LR)})
    with captured_messages() as before:
        state.synchronize()
    statistics = made.model.bn1.running_mean.clone()
    with torch.no_grad():
        made.model.conv1.weight += group.rank
    with captured_messages() as warnings:
        state.synchronize()
    told = [*before, "then", *warnings]
    return {"statistics": statistics, "weight": made.model.conv1.weight.detach(), "told": told}


def counted(group: Group) -> dict:
    """What is exchanged about images that only some processes could read."""

    def held(count: int) -> Sample:
        return Sample(None, None, None, torch.arange(count), None, [""] * count)

    samples, problems = with_counts(
        group, StepSamples(held(group.rank), None, held(4)), [f"a{group.rank}"] * group.rank
    )
    found = {"counts": samples.counts, "problems": problems}
    raise_if_unreadable(samples, problems)
    unread = with_counts(group, StepSamples(held(1), held(0), None), [f"b{group.rank}"])
    try:
        raise_if_unreadable(*unread)
    except InputError as error:
        found["error"] = str(error)
    return found


def methods(group: Group) -> dict:
    """Of ``group``, each asked once, with something that differs between the processes."""
    rank, size = group.rank, group.size
    group.messages.clear(), group.sent.clear()
    rows = tuple(range(size))  # process r holds r rows, so the first none
    index = torch.full((rank,), 2**40 + rank)
    flags, numbers = torch.full((rank,), rank == 1), torch.full((rank, 2), rank / 3)
    with group.main_process_first():
        entered = group.store.add("entered", 1)
    with group.main_process_first_however_long("packing"):
        packing = group.store.add("packs", 1)
    try:
        with group.main_process_first_however_long("failing"):
            raise InputError("too little space")
    except (InputError, ProcessLostError) as error:
        failed = type(error).__name__, str(error)
    tall = torch.full((1, 2, 2, 2), float(rank)).contiguous(memory_format=torch.channels_last)
    group.broadcast_([tall])
    return {
        "sum": group.all_reduce_([torch.tensor(float(rank)), torch.full((2, 3), 10.0 * rank)]),
        "gather": group.all_gather(rows, index, flags, numbers),
        "own": torch.arange(sum(rows))[group.own_rows(rows)],
        "counts": group.counts(rank, 10 * rank),
        "all": group.all_gather_object(f"process {rank}"),
        "first": group.broadcast_object(lambda: {"rank": rank}),
        "copied": tall,
        "entered": entered,
        "packing": packing,
        "failed": failed,
        "says": [group.is_first_to_report("the same"), group.is_first_to_report(f"own {rank}")],
        "messages": dict(group.messages),
        "sent": dict(group.sent),
    }


def sent_in_steps(group: Group) -> dict[str, tuple[dict, dict]]:
    """{mode and settings: (what a step sends, what the calculation says)}, of a small network."""
    found = {}
    for mode, settings in [(mode, {}) for mode in MODES] + list(itertools.product(("ours2", "ours5"), SENT)):
        config = config_of(**SMALL | settings)
        (phase,) = phases(config.train, config.lbi, MODES[mode])
        case = PoseCase(mode, config, group)
        # The second step is one without a hypergradient, where not every step has one.
        for _ in range(config.lbi.hypergrad_interval):
            group.messages.clear(), group.sent.clear()
            case.step()
        weighting = Weighting.UPDATE if config.lbi.hypergrad_interval == 1 else Weighting.CURRENT
        parameters = Parameters.of(case.state.target)
        expected = traffic_of_step(config, phase, weighting, parameters, group.size)
        found[f"{mode} {settings}"] = (
            {"messages": dict(group.messages), "sent": dict(group.sent)},
            {"messages": dict(expected.messages), "sent": dict(expected.sent)},
        )
    return found


def train_every_mode(config: Path, group: Group) -> None:
    """main.py's run of every mode and every kind of variables, into a folder "two" beside ``config``."""
    for kind, mode in RUNS_OF_MODES:
        words = ["--cfg", str(config), f"--{mode}", "LBI.VARIABLES", kind]
        command([*words, "OUTPUT_DIR", f"{config.parent}/two/{kind}"], group)


def everything(data: Path, group: Group) -> dict:
    """What the tests look at, from one start of the processes."""
    return {
        "cases": {name: run_case(case, group) for name, case in CASES.items()},
        "evaluated": {size: evaluated(data, size, group) for size in (3, 8)},
        "agreed": agreed(group),
        "counted": counted(group),
        "methods": methods(group),
        "sent": sent_in_steps(group),
    }
