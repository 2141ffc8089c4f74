"""Weights and the annotations that they belong to, through the commands: refused where they would be mixed up."""

import json
import shutil

import pytest
import torch

from lib.dataset.coco_file import annotation_file
from lib.label_noise.source_record import SOURCE_RECORD
from pose_estimation import export_cleaned, report, show_ignored
from tests.factories.small_run import RUNS, run, weights_file, write_config


@pytest.fixture
def own(tmp_path, data):
    """(configuration, annotation file) of a copy of the data, which may be changed."""
    shutil.copytree(data, tmp_path / "people")
    config = write_config(tmp_path, tmp_path / "people")
    return config, annotation_file(tmp_path / "people" / "coco", "train2017")


def change(file, change):
    tree = json.loads(file.read_text())
    change(tree["annotations"])
    file.write_text(json.dumps(tree))


def give_an_id_twice(annotations):
    annotations[3]["id"] = annotations[1]["id"]


def number_anew(annotations):
    """All else is equal; in the order of the file, the annotations are as before."""
    for annotation, number in zip(annotations, [a["id"] for a in annotations][::-1]):
        annotation["id"] = number


def test_ids_given_twice_stop_a_run_that_learns_weights_at_its_start(own, capsys):
    config, file = own
    change(file, give_an_id_twice)
    number = json.loads(file.read_text())["annotations"][1]["id"]
    assert run(config, "--ours1") == 2
    error = capsys.readouterr().err
    assert f"{file}: annotation {number}: id given twice" in error and len(error.splitlines()) == 1
    assert not (config.parent / "output" / RUNS).exists()


def test_a_baseline_may_train_on_ids_given_twice(own):
    config, file = own
    (file.with_name(f"{file.stem}_truth.json")).unlink()
    change(file, give_an_id_twice)
    assert run(config, "--baseline2", "TRAIN.END_EPOCH", "1") == 0


@pytest.fixture
def finished(own):
    config, file = own
    (file.with_name(f"{file.stem}_truth.json")).unlink()
    assert run(config, "--ours1", "TRAIN.END_EPOCH", "1") == 0
    return config, file, config.parent / "output" / RUNS / "ours1"


def test_every_command_refuses_weights_of_other_annotations(finished, capsys):
    config, file, folder = finished
    commands = {
        export_cleaned: ["--count", "5", "--output", str(folder / "cleaned.json")],
        show_ignored: ["--output", str(folder / "shown.png")],
        report: ["--output", str(folder / "written.html")],
    }
    for command, words in commands.items():
        assert command.main([str(folder), *words]) == 0, command
    for name in ("cleaned.json", "shown.png", "written.html"):
        (folder / name).unlink()
    before = weights_file(config, "ours1")

    change(file, number_anew)
    capsys.readouterr()
    for command, words in commands.items():
        assert command.main([str(folder), *words]) == 2, command
        error = capsys.readouterr().err
        assert str(file) in error and str(folder / SOURCE_RECORD) in error
    assert not any((folder / name).exists() for name in ("cleaned.json", "shown.png", "written.html"))

    assert run(config, "--ours1", "--resume", "TRAIN.END_EPOCH", "2") == 2
    error = capsys.readouterr().err
    assert str(file) in error and str(folder / "last.pth") in error and "images or labels" in error
    assert weights_file(config, "ours1")["step"] == before["step"]


def test_a_run_goes_on_with_annotations_that_differ_in_nothing_that_counts(finished, capsys):
    config, file, folder = finished

    def mark(annotations):
        for annotation in annotations:
            annotation["checked"] = True

    change(file, mark)
    assert run(config, "--ours1", "--resume", "TRAIN.END_EPOCH", "2") == 0
    assert "the same 20 ids, images and labels" in capsys.readouterr().out
    assert json.loads((folder / SOURCE_RECORD).read_text()) == weights_file(config, "ours1")["source"]


def test_a_run_does_not_go_on_with_the_annotations_in_another_order(finished, capsys):
    config, file, folder = finished
    change(file, lambda annotations: annotations.reverse())
    assert run(config, "--ours1", "--resume", "TRAIN.END_EPOCH", "2") == 2
    assert "another order" in capsys.readouterr().err
    assert export_cleaned.main([str(folder), "--count", "5", "--output", str(folder / "c.json")]) == 0


def test_a_checkpoint_of_an_earlier_version_goes_on(finished, capsys):
    config, file, folder = finished
    checkpoint = torch.load(folder / "last.pth", weights_only=True)
    del checkpoint["source"]
    torch.save(checkpoint, folder / "last.pth")
    assert run(config, "--ours1", "--resume", "TRAIN.END_EPOCH", "2") == 0
    assert "does not say which annotations" in capsys.readouterr().out


def test_a_source_model_and_its_weights_come_from_a_run_on_the_same_annotations(own, capsys):
    config, file = own
    (file.with_name(f"{file.stem}_truth.json")).unlink()
    words = ["TRAIN.END_EPOCH", "1", "LBI.SCHEDULE", "source_first", "LBI.SOURCE_MODEL_ON", "both"]
    assert run(config, "--ours1", *words) == 0
    checkpoint = config.parent / "output" / RUNS / "ours1" / "last.pth"
    change(file, number_anew)
    assert run(config, "--ours2", *words, "LBI.SOURCE_CKPT", str(checkpoint)) == 2
    error = capsys.readouterr().err
    assert str(checkpoint) in error and "images or labels" in error
