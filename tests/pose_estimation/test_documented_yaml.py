"""The YAML of docs/data.md, on drawn fish with eight joints that are no person's: as printed, apart from folders."""

import json
import re
from pathlib import Path

import pytest
import yaml

from lib.config.loader import load_config
from lib.utils.log import captured_messages
from pose_estimation.main import main
from tests.factories.fish import JOINTS, make_fish

PAGE = Path(__file__).resolve().parents[2] / "docs/data.md"
SHORT = ["TRAIN.STEPS_PER_EPOCH", "15"]


@pytest.fixture(scope="module")
def printed() -> str:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return text


def weights_of_a_run(printed, folder, *words) -> dict:
    """The summary of the weights B in results.json, after training ``printed`` on fish in ``folder``."""
    make_fish(folder / "data/mine")
    (folder / "mine.yaml").write_text(printed.replace("data/mine", f"{folder}/data/mine"), encoding="utf-8")
    places = ["OUTPUT_DIR", f"{folder}/output", "LOG_DIR", f"{folder}/log", "THREADS", "1"]
    assert main(["--cfg", str(folder / "mine.yaml"), "--ours1", *places, *words]) == 0
    (results,) = folder.glob("output/**/results.json")
    return json.loads(results.read_text())["weights"]["B"]


def test_it_is_read_without_a_remark_and_leaves_the_variables_to_the_defaults(printed, tmp_path):
    (tmp_path / "mine.yaml").write_text(printed, encoding="utf-8")
    with captured_messages() as messages:
        config = load_config(tmp_path / "mine.yaml")
    assert messages == [] and config.model.num_joints == len(JOINTS)
    assert not {"VARIABLES", "SCHEDULE", "HYPERGRAD_THROUGH"} & yaml.safe_load(printed)["LBI"].keys()
    assert config.lbi.freeze_weights_epoch == config.train.lr_step[0]


def test_a_third_of_its_steps_find_wrong_labels(printed, tmp_path):
    found = weights_of_a_run(printed, tmp_path, *SHORT)
    assert found["auroc"] > 0.8 and 0.2 < found["mean"] < 0.98


@pytest.mark.slow
def test_trained_as_printed_it_finds_the_wrong_labels(printed, tmp_path):
    found = weights_of_a_run(printed, tmp_path)
    assert found["auroc"] > 0.95 and found["mean"] == pytest.approx(0.7, abs=0.1)
