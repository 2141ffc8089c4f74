import cv2
import numpy as np

from lib.ignoring.weight_table import write_weight_table
from lib.label_noise.source import source_of_run
from lib.visualization.labels import CELL, LABEL, RIGHT
from pose_estimation.show_ignored import main
from tests.factories.small_run import RUNS, make_data, run, write_config


def test_the_gallery_shows_labels_and_truth(tmp_path, capsys):
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--ours1") == 0
    folder = tmp_path / "output" / RUNS / "ours1"
    assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "3"]) == 0
    image = cv2.imread(str(tmp_path / "g.png"))[..., ::-1]
    assert image.shape == (CELL + 2, 3 * (CELL + 2), 3)
    for colour in (LABEL, RIGHT):
        assert (np.abs(image.astype(int) - colour).sum(axis=2) < 60).sum() > 20
    capsys.readouterr()

    (folder / "ignoring_weights.csv").write_text("annotation_id,weight\n1,0.5\n")
    assert main([str(folder)]) == 2
    assert "not the weights of these 20 " in capsys.readouterr().err


def test_a_label_without_a_true_position_gets_no_cross(tmp_path):
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--ours1", "LBI.INJECT_NOISE", "visibility:1") == 0
    folder = tmp_path / "output" / RUNS / "ours1"
    _, annotations, truth = source_of_run(folder)
    visible = annotations.visible
    added = np.isnan(truth.clean_joints).any(axis=2) & (
        visible > 0
    )  # labels of joints that have none in truth
    assert added.any() and truth.corrupted[added].all()
    write_weight_table(folder / "ignoring_weights.csv", annotations, 1.0 - added, visible.astype(int))
    assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "1"]) == 0
    image = cv2.imread(str(tmp_path / "g.png"))[..., ::-1].astype(int)
    assert (np.abs(image - LABEL).sum(axis=2) < 60).sum() > 20
    assert (np.abs(image - RIGHT).sum(axis=2) < 60).sum() < 20
