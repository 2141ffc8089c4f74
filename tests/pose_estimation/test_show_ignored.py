import cv2
import numpy as np

from lib.report.drawing import CELL, LABEL, RIGHT
from pose_estimation.show_ignored import main
from tests.oracle.small_run import RUNS, make_data, run, write_config


def test_the_gallery_shows_labels_and_truth(tmp_path, capsys):
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--ours1") == 0
    folder = tmp_path / "output" / RUNS / "ours1"
    assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "3"]) == 0
    picture = cv2.imread(str(tmp_path / "g.png"))[..., ::-1]
    assert picture.shape == (CELL + 2, 3 * (CELL + 2), 3)
    for colour in (LABEL, RIGHT):
        assert (np.abs(picture.astype(int) - colour).sum(axis=2) < 60).sum() > 20
    capsys.readouterr()

    (folder / "ignoring_weights.csv").write_text("annotation_id,weight\n1,0.5\n")
    assert main([str(folder)]) == 2
    assert "not the weights of these 20 people" in capsys.readouterr().err
