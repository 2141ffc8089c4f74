"""The folders of a run."""

from pathlib import Path

from lib.config.run_paths import RunPaths
from lib.config.schema import Config, ModelConfig, ModelExtraConfig


def test_a_run_writes_below_its_data_model_configuration_and_name():
    config = Config(
        output_dir="out", log_dir="logs", model=ModelConfig(extra=ModelExtraConfig(num_layers=18))
    )
    paths = RunPaths.for_run(config, "experiments/demo/people.yaml", "coco_to_mpii", "ours1")
    inside = Path("coco_to_mpii/pose_resnet_18/people/ours1")
    assert paths == RunPaths(Path("out") / inside, Path("logs") / inside)
    assert paths == RunPaths.for_transfer(config, "experiments/demo/people.yaml", "ours1")
    assert paths.child("again") == RunPaths(paths.output / "again", paths.board / "again")
