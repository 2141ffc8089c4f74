"""Where a run writes."""

from dataclasses import dataclass
from pathlib import Path

from lib.config.schema import Config


@dataclass(frozen=True)
class RunPaths:
    """Where a run writes: logs, checkpoints and results; and tensorboard's files."""

    output: Path
    board: Path

    @classmethod
    def for_run(cls, config: Config, config_path: str | Path, data: str, run: str) -> "RunPaths":
        """``data``: name of the data set(s); ``run``: of what is done with them, such as the mode."""
        model = f"{config.model.name}_{config.model.extra.num_layers}"
        folder = Path(data, model, Path(config_path).stem, run)
        return cls(Path(config.output_dir) / folder, Path(config.log_dir) / folder)

    def child(self, name: str) -> "RunPaths":
        return RunPaths(self.output / name, self.board / name)
