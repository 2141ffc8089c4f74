"""What a training run is given: the settings, the mode, the data, where it writes, and the ranks."""

from dataclasses import dataclass

from lib.config.run_paths import RunPaths
from lib.config.schema import Config
from lib.dataset.loader import InfiniteBatchSampler
from lib.ignoring.modes import Mode
from lib.models.loss import OverPixels
from lib.training.data import Data
from lib.training.phases import Phase, phases
from lib.utils.distributed import ALONE, Group


@dataclass(frozen=True)
class RunSpec:
    """The input of a training run; nothing in it changes while the run goes on.

    paths: where the run writes.   group: the ranks that train together; the main one writes.
    over_pixels: the scale of the loss that is trained on; train.py's is SimpleBaseline's.
    """

    config: Config
    mode: Mode
    data: Data
    paths: RunPaths
    group: Group = ALONE
    over_pixels: OverPixels = OverPixels.SUM

    @property
    def phases(self) -> list[Phase]:
        """The phases of the run in order."""
        return phases(self.config.train, self.config.lbi, self.mode)

    @property
    def steps_per_epoch(self) -> int:
        """TRAIN.STEPS_PER_EPOCH, or one pass over the target's training part."""
        train = self.config.train
        sampler = InfiniteBatchSampler(len(self.data.target), train.batch_size, self.config.seed)
        return train.steps_per_epoch or sampler.batches_per_pass
