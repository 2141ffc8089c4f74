"""The folders of a run."""

from dataclasses import replace
from pathlib import Path

from lib.config.run_paths import RunPaths
from lib.config.schema import Config


def test_folders():
    config = replace(Config(), output_dir="out", log_dir="logs")
    paths = RunPaths.for_run(config, "experiments/demo/people.yaml", "coco_to_mpii", "ours2")
    model = f"{config.model.name}_{config.model.extra.num_layers}"
    assert paths.output == Path("out/coco_to_mpii", model, "people", "ours2")
    assert paths.board == Path("logs/coco_to_mpii", model, "people", "ours2")
    assert paths.child("retrained") == RunPaths(paths.output / "retrained", paths.board / "retrained")
