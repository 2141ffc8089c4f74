"""Where a run writes."""

from dataclasses import dataclass
from pathlib import Path

from easydict import EasyDict


@dataclass(frozen=True)
class RunPaths:
    """Where a run writes: logs, checkpoints and results; and tensorboard's files."""

    output: Path
    board: Path

    @classmethod
    def for_run(cls, config: EasyDict, config_path: str | Path, data: str, run: str) -> "RunPaths":
        """``data``: name of the data set(s); ``run``: of what is done with them, such as the mode."""
        model = f"{config.MODEL.NAME}_{config.MODEL.EXTRA.NUM_LAYERS}"
        folder = Path(data, model, Path(config_path).stem, run)
        return cls(Path(config.OUTPUT_DIR) / folder, Path(config.LOG_DIR) / folder)

    def child(self, name: str) -> "RunPaths":
        return RunPaths(self.output / name, self.board / name)
