from dataclasses import replace

import cv2
import numpy as np

from lib.ignoring.weight_table import WeightTable, read_weight_table, write_weight_table
from lib.label_noise.source import source_of_run
from lib.visualization.labels import CELL, LABEL, PROPOSED, RIGHT
from pose_estimation.show_ignored import LETTERS, LINE, caption_of, main, shortened, with_caption
from tests.factories.reports import annotations_of
from tests.factories.small_run import RUNS, make_data, run, write_config
from tests.factories.suspects import suspects_of

BAR = 2 * LINE + 6  # below each picture: two lines, or three of a label that was judged


def test_the_gallery_shows_labels_and_truth(tmp_path, capsys):
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--ours1", "LBI.FIND_WRONG_LABELS", "true") == 0
    folder = tmp_path / "output" / RUNS / "ours1"
    assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "3"]) == 0
    image = cv2.imread(str(tmp_path / "g.png"))[..., ::-1]
    assert image.shape == (CELL + BAR + LINE + 2, 3 * (CELL + 2), 3)
    for colour in (LABEL, RIGHT):
        assert (np.abs(image.astype(int) - colour).sum(axis=2) < 60).sum() > 20
    capsys.readouterr()

    assert main([str(folder)]) == 0
    assert cv2.imread(str(folder / "ignored.png")).shape == (
        2 * (CELL + BAR + LINE + 2),
        6 * (CELL + 2),
        3,
    )
    assert capsys.readouterr().out.strip() == str(folder / "ignored.png")
    assert main([str(folder), "--output", str(tmp_path / "g.none")]) == 2
    assert "g.none" in capsys.readouterr().err

    (folder / "ignoring_weights.csv").write_text("annotation_id,weight\n1,0.5\n")
    assert main([str(folder)]) == 2
    assert "not the weights of these 20 " in capsys.readouterr().err


def test_a_baseline_learns_no_weights(tmp_path, capsys):
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--baseline2") == 0
    folder = tmp_path / "output" / RUNS / "baseline2"
    capsys.readouterr()
    assert main([str(folder)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert str(folder) in line and "baseline2" in line and "no weights" in line
    assert not (folder / "ignored.png").exists()


def test_captions_keep_the_end_of_a_long_name():
    """The end of a name tells frames apart, and it stays within the picture."""

    def caption(name):
        return with_caption(np.full((CELL, CELL, 3), 90, np.uint8), ["left knee: 0.25", name])

    folders = "video1/" * 9
    assert not (caption(f"{folders}1.jpg") == caption(f"{folders}2.jpg")).all()
    assert caption("x" * 99)[-20:, -3:].max() == 0
    assert (caption("x")[:CELL] == 90).all() and caption("x").shape == (CELL + BAR, CELL, 3)


def test_captions_say_what_is_wrong():
    annotations = annotations_of(np.ones((1, 13), int))
    plain = WeightTable(np.full((1, 13), 0.25), np.ones((1, 13), int))
    assert caption_of(plain, annotations, 0, 1) == ["right knee: 0.25", "images/0.jpg"]
    kinds, partners = np.full((1, 13), "exchanged"), np.full((1, 13), 0)
    judged = replace(plain, suspects=suspects_of(np.full((1, 13), 0.968), kind=kinds, partner=partners))
    assert caption_of(judged, annotations, 0, 1) == [
        "right knee: wrong 97 %",
        "exchanged with right ankle",
        "images/0.jpg",
    ]
    assert max(map(len, caption_of(judged, annotations, 0, 1))) <= LETTERS


def test_the_most_suspect_label_is_drawn_with_its_proposal(tmp_path):
    """Of scores that contradict the weights; a run of an earlier version has neither probability nor proposal."""
    config = write_config(tmp_path, make_data(tmp_path))
    assert run(config, "--ours1") == 0
    folder = tmp_path / "output" / RUNS / "ours1"
    _, annotations, _ = source_of_run(folder)
    table = read_weight_table(folder / "ignoring_weights.csv", annotations)
    (i, j), (other, k) = np.argwhere(annotations.visible > 0)[[3, -1]]
    proposed = np.full((*table.weights.shape, 2), np.nan)
    proposed[i, j] = annotations.centers[i]
    weights, scores = np.ones_like(table.weights), np.zeros_like(table.weights)
    weights[other, k], scores[i, j] = 0.0, 5.0
    suspects = suspects_of(np.where(scores > 0, 0.97, 0.1), proposed=proposed)

    def drawn(table):
        write_weight_table(folder / "ignoring_weights.csv", annotations, table)
        assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "1"]) == 0
        return cv2.imread(str(tmp_path / "g.png"))[..., ::-1].astype(int)

    with_proposal = drawn(WeightTable(weights, table.seen * 0, scores, suspects))
    assert (np.abs(with_proposal - PROPOSED).sum(axis=2) < 60).sum() > 20
    old = drawn(WeightTable(weights, table.seen + 1))
    assert len(old) == len(with_proposal) - LINE and (np.abs(old - PROPOSED).sum(axis=2) < 60).sum() < 20


def test_long_joint_names_keep_side_and_weight():
    name = "metatarsophalangeal joint number five"
    captions = {shortened(f"{side} {name}: 0.25") for side in ("left", "right")}
    assert len(captions) == 2 and max(map(len, captions)) == LETTERS
    assert {line.split()[0] for line in captions} == {"left", "right"}
    assert all(line.endswith("number five: 0.25") for line in captions)
    assert shortened("left knee: 0.25") == "left knee: 0.25"


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
    write_weight_table(
        folder / "ignoring_weights.csv", annotations, WeightTable(1.0 - added, visible.astype(int))
    )
    assert main([str(folder), "--output", str(tmp_path / "g.png"), "--rows", "1", "--columns", "1"]) == 0
    image = cv2.imread(str(tmp_path / "g.png"))[..., ::-1].astype(int)
    assert (np.abs(image - LABEL).sum(axis=2) < 60).sum() > 20
    assert (np.abs(image - RIGHT).sum(axis=2) < 60).sum() < 20
