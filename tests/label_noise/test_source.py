"""The source annotations of a configuration and of a finished run, with and without injected noise."""

import re
import shutil

import numpy as np
import pytest

from lib.config.loader import load_config
from lib.label_noise.injection import inject
from lib.label_noise.source import INJECTED_TRUTH, read_source, source_of_run, write_injected_truth
from lib.label_noise.truth import read_truth
from lib.utils.errors import InputError
from lib.utils.log import captured_messages

NOISE, SEED = "jitter:0.4+missing:0.2", 3
SETTINGS = {"LBI.INJECT_NOISE": NOISE, "LBI.INJECT_SEED": SEED}


def settings_with_noise(path):
    return load_config(path, SETTINGS)


def test_noise_is_injected_into_the_labels_on_disk_and_counted(config):
    on_disk, before = read_source(load_config(config))
    with captured_messages() as lines:
        annotations, truth = read_source(settings_with_noise(config))
    expected, expected_truth = inject(on_disk, NOISE, SEED, before)
    np.testing.assert_array_equal(annotations.joints, expected.joints)
    np.testing.assert_array_equal(annotations.visible, expected.visible)
    np.testing.assert_array_equal(truth.corrupted, expected_truth.corrupted)

    # Only labels that noise changed are counted, not those that were wrong on disk.
    changed = (annotations.visible != on_disk.visible) | (
        (annotations.joints != on_disk.joints).any(axis=2) & (on_disk.visible > 0)
    )
    counted = (changed & truth.corrupted).sum()
    (line,) = [line for line in lines if "LBI.INJECT_NOISE" in line]
    assert f"{NOISE}, seed {SEED}: {counted} of {(on_disk.visible > 0).sum()} " in line
    assert 0 < counted < truth.corrupted.sum()


@pytest.fixture
def folder(config, tmp_path):
    """What a run with noise leaves: its configuration and the truth of its labels."""
    folder = tmp_path / "run"
    folder.mkdir()
    text = config.read_text()
    assert "LBI: {" in text
    (folder / "config.yaml").write_text(
        text.replace("LBI: {", f"LBI: {{INJECT_NOISE: '{NOISE}', INJECT_SEED: {SEED}, ")
    )
    settings = settings_with_noise(config)
    annotations, truth = read_source(settings)
    write_injected_truth(settings.lbi, annotations, truth, folder)
    return folder


def test_the_record_of_a_run_names_its_noise(folder):
    content = read_truth(folder / INJECTED_TRUTH)
    assert (content["noise"], content["seed"]) == (NOISE, SEED)


def test_a_run_is_read_back_as_it_was_trained(folder, config):
    annotations, truth = read_source(settings_with_noise(config))
    settings, again, truth_again = source_of_run(folder)
    assert settings.lbi.inject_noise == NOISE
    np.testing.assert_array_equal(again.joints, annotations.joints)
    np.testing.assert_array_equal(again.visible, annotations.visible)
    np.testing.assert_array_equal(truth_again.corrupted, truth.corrupted)
    np.testing.assert_array_equal(truth_again.clean_joints, truth.clean_joints)


def test_a_run_whose_noise_would_be_another_now_is_refused(folder):
    text = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(text.replace(f"INJECT_SEED: {SEED}", "INJECT_SEED: 4"))
    with pytest.raises(InputError, match=f"{INJECTED_TRUTH}.*{re.escape(NOISE)}"):
        source_of_run(folder)


def test_a_folder_that_is_not_a_run_is_refused(folder):
    shutil.move(folder / "config.yaml", folder / "other.yaml")
    with pytest.raises(InputError, match=r"config\.yaml"):
        source_of_run(folder)
