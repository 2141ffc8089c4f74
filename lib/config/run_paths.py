"""The folders that a run writes to."""

from dataclasses import dataclass
from pathlib import Path

from lib.config.schema import Config


@dataclass(frozen=True)
class RunPaths:
    """The folders of a run.

    output: logs, checkpoints and results.
    board: TensorBoard's event files.
    """

    output: Path
    board: Path

    @classmethod
    def for_run(cls, config: Config, config_path: str | Path, data: str, run: str) -> "RunPaths":
        """Return DATA/MODEL/CONFIG/RUN below OUTPUT_DIR and below LOG_DIR.

        Args:
            config_path: the YAML file; its name becomes a part of the path.
            data: name of the data set or sets, such as coco_to_mpii.
            run: name of the run, such as the mode.
        """
        model = f"{config.model.name}_{config.model.extra.num_layers}"
        folder = Path(data, model, Path(config_path).stem, run)
        return cls(Path(config.output_dir) / folder, Path(config.log_dir) / folder)

    @classmethod
    def for_transfer(cls, config: Config, config_path: str | Path, run: str) -> "RunPaths":
        """`for_run` of main.py's runs, whose data are named after source and target, such as coco_to_mpii."""
        data = f"{config.dataset_src.dataset}_to_{config.dataset_target.dataset}"
        return cls.for_run(config, config_path, data, run)

    def child(self, name: str) -> "RunPaths":
        """The folders ``name`` within both."""
        return RunPaths(self.output / name, self.board / name)
