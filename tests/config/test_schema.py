import typing
from pathlib import Path

import pytest

from lib.config.loader import flat_config, load_config
from lib.config.schema import Config, settings
from lib.config.setting import Setting


def test_a_setting_takes_its_type_from_the_annotation_of_its_field():
    known = settings()
    assert known["TRAIN.LR"] == Setting(1e-3, "learning rate of both models", minimum=0, kind=float)
    assert (known["TRAIN.AMP"].kind, known["TRAIN.AMP"].choices) == (str, ("off", "bf16"))
    assert (known["MODEL.EXTRA.FINAL_CONV_KERNEL"].kind, known["MODEL.EXTRA.FINAL_CONV_KERNEL"].choices) == (
        int,
        (1, 3),
    )
    size, steps = known["MODEL.IMAGE_SIZE"], known["TRAIN.LR_STEP"]
    assert (size.default, size.kind, size.is_list, size.length) == ([192, 256], int, True, 2)
    assert (steps.default, steps.kind, steps.is_list, steps.length) == ([90, 120], int, True, None)
    assert known["DATASET_SRC.JOINTS"].is_mapping and not known["DATASET_SRC.JOINTS"].is_list


def test_defaults_are_of_the_type_that_the_annotation_says():
    for key, setting in settings().items():
        entries = setting.default if setting.is_list else [] if setting.is_mapping else [setting.default]
        assert all(type(entry) is setting.kind for entry in entries), key
        assert not setting.choices or setting.default in setting.choices, key


def test_the_defaults_of_the_dataclasses_are_those_of_the_settings():
    config = Config()
    for key, setting in settings().items():
        value = config
        for part in key.split("."):
            value = getattr(value, part.lower())
        assert (list(value) if isinstance(value, tuple) else value) == setting.default, key


# What docs/evidence.md shows to work, and what docs/modes.md prints in bold.
RECOMMENDED = {"LBI.VARIABLES": "loss_aware", "LBI.SCHEDULE": "source_first", "LBI.SOURCE_MODEL_ON": "both",
               "LBI.TARGET_LR": 0.03, "LBI.HYPERGRAD_THROUGH": "sgd", "LBI.HYPERGRAD_LAYERS": "final",
               "LBI.HYPERGRAD_INTERVAL": 2, "LBI.LR": 1.0, "LBI.META_MODEL": "target", "LBI.META_LOOP": 1,
               "LBI.GAMMA": 1.0}  # fmt: skip
EXPERIMENTS = sorted((Path(__file__).resolve().parents[2] / "experiments").rglob("*.yaml"))


def test_the_defaults_of_lbi_are_the_recommendation():
    assert {key: settings()[key].default for key in RECOMMENDED} == RECOMMENDED


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: "/".join(path.parts[-2:]))
def test_no_experiment_recommends_anything_else(path):
    config = flat_config(load_config(path))
    assert {key: config[key] for key in RECOMMENDED} == RECOMMENDED


def test_keys_are_unique_and_sections_typed():
    sections = {key.rpartition(".")[0].partition(".")[0] for key in settings()} - {""}
    assert sections == {"CUDNN", "MODEL", "LOSS", "DATASET", "DATASET_SRC", "DATASET_TARGET", "TRAIN", "LBI",
                        "TEST", "DEBUG"}  # fmt: skip
    hints = typing.get_type_hints(Config)
    assert {name.lower() for name in sections} <= hints.keys()
