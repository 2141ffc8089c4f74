"""What runs are called in tables and reports."""

from pathlib import Path

import pytest

from lib.config.loader import with_settings
from lib.config.schema import Config
from lib.report.names import run_names
from lib.utils.errors import InputError


def named(*runs, folders=None, known=True):
    """The names of runs given as (mode, seed, settings)."""
    results = [{"mode": mode, "seed": seed} for mode, seed, _ in runs]
    configs = [with_settings(Config(), {"SEED": seed, **settings}) for _, seed, settings in runs]
    paths = [Path(folder) for folder in folders or (f"out/{number}/run" for number in range(len(runs)))]
    return run_names(paths, results, configs if known else [None] * len(runs))


def test_different_modes_need_no_more():
    assert named(("ours1", 0, {}), ("ours2", 1, {"TRAIN.LR": 0.5})) == ["ours1", "ours2"]


def test_seeds_and_settings_tell_runs_of_one_mode_apart():
    assert named(("ours1", 0, {}), ("ours1", 1, {}), ("ours2", 0, {})) == [
        "ours1, seed 0",
        "ours1, seed 1",
        "ours2",
    ]
    runs = [("ours1", seed, {"TRAIN.LR": rate}) for seed, rate in ((0, 0.5), (0, 0.25), (1, 0.5))]
    expected = ["ours1, seed 0, TRAIN.LR 0.5", "ours1, seed 0, TRAIN.LR 0.25", "ours1, seed 1, TRAIN.LR 0.5"]
    assert named(*runs) == expected
    assert named(("ours1", 0, {}), ("ours1", 1, {}), known=False) == ["ours1, seed 0", "ours1, seed 1"]
    flips = [("train", 0, {"DATASET.FLIP": flip}) for flip in (True, False)]
    assert named(*flips) == ["train, DATASET.FLIP true", "train, DATASET.FLIP false"]


def test_what_has_no_influence_does_not_tell_runs_apart():
    settings = {
        "OUTPUT_DIR": "x",
        "WORKERS": 3,
        "LBI.LAM": 5,
        "DATASET.ROOT": "y",
    }  # ours1 reads neither of the last
    assert named(("ours1", 0, {}), ("ours1", 0, settings)) == ["ours1, 0", "ours1, 1"]


@pytest.mark.parametrize(
    "folders, parts",
    [
        (["a/x/people/ours1", "a/y/people/ours1"], ["x", "y"]),
        (["a/x/people/ours1", "a/y/other/ours1"], ["x/people", "y/other"]),
        (["a/ours1", "a/ours1.1"], ["ours1", "ours1.1"]),
        (["a/ours1", "a/ours1/retrained"], ["ours1", "ours1/retrained"]),
    ],
)
def test_the_shortest_part_of_the_path(folders, parts):
    alike = [("ours1", 0, {})] * len(folders)
    expected = [part if part.startswith("ours1") else f"ours1, {part}" for part in parts]
    assert named(*alike, folders=folders) == expected


def test_many_or_long_settings_give_way_to_the_path():
    many = {"TRAIN.LR": 0.5, "TRAIN.WD": 0.5, "LBI.GAMMA": 2, "LBI.LR": 2}
    assert named(("ours1", 0, {}), ("ours1", 0, many)) == ["ours1, 0", "ours1, 1"]
    long = {"DATASET_SRC.ROOT": "a" * 100}
    assert named(("ours1", 0, {}), ("ours1", 0, long)) == ["ours1, 0", "ours1, 1"]


def test_a_run_given_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="given twice"):
        named(("ours1", 0, {}), ("ours2", 0, {}), folders=[tmp_path / "a", tmp_path / "b/../a"])
