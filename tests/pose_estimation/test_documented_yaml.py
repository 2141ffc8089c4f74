"""The YAML of docs/data.md, on drawn fish with eight joints that are no person's: as printed, apart from folders."""

import json
import re
from pathlib import Path

import pytest
import torch
import yaml

from lib.config.loader import load_config
from lib.ignoring import bilevel_step
from lib.utils.log import captured_messages
from pose_estimation.main import main
from tests.factories.fish import JOINTS, make_fish

PAGE = Path(__file__).resolve().parents[2] / "docs/data.md"
SHORT = ["TRAIN.STEPS_PER_EPOCH", "15", "LBI.FIND_WRONG_LABELS", "false"]


@pytest.fixture(scope="module")
def printed() -> str:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    return text


def results_of_a_run(printed, folder, *words, source=300) -> dict:
    """The content of results.json, after training ``printed`` on ``source`` fish in ``folder``."""
    make_fish(folder / "data/mine", source=source)
    (folder / "mine.yaml").write_text(printed.replace("data/mine", f"{folder}/data/mine"), encoding="utf-8")
    places = ["OUTPUT_DIR", f"{folder}/output", "LOG_DIR", f"{folder}/log", "THREADS", "1"]
    assert main(["--cfg", str(folder / "mine.yaml"), "--ours1", *places, *words]) == 0
    (results,) = folder.glob("output/**/results.json")
    return json.loads(results.read_text())


def test_it_is_read_without_a_remark_and_leaves_the_variables_to_the_defaults(printed, tmp_path):
    (tmp_path / "mine.yaml").write_text(printed, encoding="utf-8")
    with captured_messages() as messages:
        config = load_config(tmp_path / "mine.yaml")
    assert messages == [] and config.model.num_joints == len(JOINTS)
    assert not {"VARIABLES", "SCHEDULE", "HYPERGRAD_THROUGH"} & yaml.safe_load(printed)["LBI"].keys()
    assert config.lbi.freeze_weights_epoch == config.train.lr_step[0]


def test_a_third_of_its_steps_find_wrong_labels(printed, tmp_path):
    results = results_of_a_run(printed, tmp_path, *SHORT)
    weights = results["weights"]["B"]
    assert weights["auroc"] > 0.8 and weights["sign_agreement"] > 0.55 and results["warnings"] == []


@pytest.mark.slow
def test_along_a_random_direction_the_run_warns(printed, tmp_path, monkeypatch, capsys):
    own = bilevel_step.validation_gradient

    def noise(*arguments):
        gradient, losses = own(*arguments)
        return [torch.randn_like(part) for part in gradient], losses

    monkeypatch.setattr(bilevel_step, "validation_gradient", noise)
    results = results_of_a_run(printed, tmp_path, "TRAIN.STEPS_PER_EPOCH", "8", source=60)
    weights = results["weights"]["B"]
    assert weights["auroc"] == pytest.approx(0.5, abs=0.25)
    assert weights["sign_agreement"] == pytest.approx(0.5, abs=0.03)
    (warning,) = [text for text in results["warnings"] if "the validation gradient is noise" in text]
    assert warning.startswith("weights B: ") and warning in capsys.readouterr().out


@pytest.mark.slow
def test_trained_as_printed_it_finds_the_wrong_labels(printed, tmp_path):
    results = results_of_a_run(printed, tmp_path)
    found = results["weights"]["B"]
    assert found["auroc"] > 0.95 and found["mean"] == pytest.approx(0.7, abs=0.1)
    assert results["warnings"] == []
