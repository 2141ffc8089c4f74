"""The training step that benchmarks measure: a mode's step on ResNet-50, with random batches."""

from pathlib import Path

import torch

from lib.config.loader import load_config
from lib.config.schema import Config
from lib.dataset.keypoint_dataset import Sample
from lib.dataset.keypoints import network_joints
from lib.dataset.skeleton import Skeleton
from lib.ignoring.bilevel_step import StepOutput, Weighting
from lib.ignoring.modes import MODES
from lib.training.batches import StepSamples, as_step_batches
from lib.training.phases import Phase, phases
from lib.training.state import Placement, State, TableShape, build_state
from lib.training.step import run_phase_step
from lib.utils.distributed import ALONE, Group

CONFIG = Path(__file__).resolve().parents[1] / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml"
PEOPLE = 8  # in each of the three batches
# The original's way, whatever the file says: a hypergradient in every step.
ORIGINAL = {
    "MODEL.INIT_WEIGHTS": False,
    "LBI.VARIABLES": "online",
    "LBI.HYPERGRAD_THROUGH": "optimizer",
    "LBI.HYPERGRAD_LAYERS": "all",
    "LBI.SCHEDULE": "together",
    "LBI.META_MODEL": "target",
    "LBI.HYPERGRAD_INTERVAL": 1,
    "LBI.META_LOOP": 1,
}
# For `config_of`: the recommended way instead, with a hypergradient in every step.
RECOMMENDED = {
    "LBI__VARIABLES": "loss_aware",
    "LBI__HYPERGRAD_THROUGH": "sgd",
    "LBI__HYPERGRAD_LAYERS": "final",
    "LBI__SCHEDULE": "source_first",
    "LBI__SOURCE_MODEL_ON": "both",
    "LBI__META_MODEL": "source",
}
# For `config_of`: a network so small that its step takes milliseconds.
TINY = {
    "MODEL__EXTRA__NUM_LAYERS": 10,
    "MODEL__EXTRA__WIDTH": 2,
    "MODEL__EXTRA__NUM_DECONV_FILTERS": [4, 4, 4],
    "MODEL__IMAGE_SIZE": [32, 32],
    "MODEL__EXTRA__HEATMAP_SIZE": [8, 8],
}


def config_of(**overrides: object) -> Config:
    """The configuration of the published network with random weights; ``overrides`` as TRAIN__AMP='bf16'."""
    given = {key.replace("__", "."): value for key, value in overrides.items()}
    return load_config(CONFIG, ORIGINAL | given)


def device() -> torch.device:
    """The CUDA device if there is one, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def drawn(seed: int, config: Config) -> Sample:
    """A batch of noise images, with a Gaussian at a random place in each heatmap, and a fifth of the joints unlabelled."""
    rng = torch.Generator().manual_seed(seed)
    (width, height), (columns, rows) = config.model.image_size, config.model.extra.heatmap_size
    joints = config.model.num_joints
    x, y = torch.rand(2, PEOPLE, joints, 1, 1, generator=rng)
    squared = (torch.arange(columns) - x * columns) ** 2 + (torch.arange(rows)[:, None] - y * rows) ** 2
    return Sample(
        torch.randn(PEOPLE, 3, height, width, generator=rng),
        torch.exp(-squared / (2 * config.model.extra.sigma**2)),
        (torch.rand(PEOPLE, joints, generator=rng) < 0.8).float(),
        torch.arange(PEOPLE),
        torch.zeros(PEOPLE, dtype=torch.bool),
        [""] * PEOPLE,
    ).to(device())


class PoseCase:
    """A mode's models, optimizers and ignoring variables, and one set of batches for all steps.

    With several processes, each has its part of the batches.
    """

    def __init__(self, mode: str, config: Config, group: Group = ALONE):
        self.mode, self.config = MODES[mode], config
        tables = TableShape(PEOPLE, Skeleton.of(network_joints(config.model.num_joints)).flip_indices)
        self.state: State = build_state(config, self.mode, tables, Placement(device(), group))
        (self.counts,) = group.counts(len(range(PEOPLE)[group.shard(PEOPLE)]))
        self.phases = phases(config.train, config.lbi, self.mode)
        own = torch.zeros(PEOPLE, dtype=torch.bool, device=device())
        own[group.shard(PEOPLE)] = True
        self.target, self.source, self.validation = (drawn(seed, config).select(own) for seed in range(3))

    def step(self, weighting: Weighting | None = None, phase: Phase | None = None) -> StepOutput:
        """Take a training step of ``phase``, by default the first.

        Every LBI.HYPERGRAD_INTERVAL-th learns weights, unless ``weighting`` is given.
        """
        lbi, phase = self.config.lbi, phase or self.phases[0]
        learns = weighting is None and phase.ignores and self.state.step % lbi.hypergrad_interval == 0
        validation = self.validation if learns else None
        samples = StepSamples(self.target, self.source, validation, (self.counts,) * 3)
        weighting = Weighting.UPDATE if learns else weighting or Weighting.CURRENT
        output = run_phase_step(lbi, phase, self.state, as_step_batches(samples, True), weighting)
        self.state.step += 1
        return output
