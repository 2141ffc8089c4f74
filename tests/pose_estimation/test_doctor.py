"""The command: its flags, what it prints, and its exit code."""

import json

from lib.utils.errors import InputError
from pose_estimation.doctor import main
from tests.factories.excavators import make_excavators

CONFIG = "experiments/custom/excavator.yaml"


def run(root, *more):
    words = ["DATASET_SRC.ROOT", str(root / "source"), "DATASET_TARGET.ROOT", str(root / "target"),
             "OUTPUT_DIR", str(root / "output"), "THREADS", "1", "DEVICE", "cpu"]  # fmt: skip
    return main(["--cfg", CONFIG, *more, *words])


def test_the_exit_code_and_the_report(tmp_path, capsys):
    root = make_excavators(tmp_path, source=8, target=9, test=3)
    assert run(root, "--steps", "0") == 1
    text = capsys.readouterr().out
    assert text.startswith("ours2: held near a source model trained with weights\n")
    assert "warning  joints that the source lacks: counterweight" in text
    assert text.splitlines()[-1].endswith("warnings, 0 errors")
    assert all(len(line) <= 110 or str(root) in line for line in text.splitlines())
    assert (root / "output/doctor/samples.png").exists()

    assert run(root, "--steps", "0", "--baseline1", "--output", str(root / "here")) == 1
    assert capsys.readouterr().out.startswith("baseline1: ") and (root / "here/samples.png").exists()

    (root / "target/annotations/test.json").write_text(json.dumps([]))
    assert run(root) == 2
    assert "error    test:" in capsys.readouterr().out


def test_findings_are_printed_as_they_are_made(tmp_path, capsys, monkeypatch):
    root = make_excavators(tmp_path, source=8, target=9, test=3)
    before = []

    def stop(*_):
        before.append(capsys.readouterr().out)
        raise InputError("stopped")

    monkeypatch.setattr("lib.doctor.examine.try_steps", stop)
    assert run(root) == 2
    (text,) = before
    assert "source: 12 objects in 8 images" in text and "disk: " in text


def test_train_and_valid(tmp_path, capsys):
    root = make_excavators(tmp_path, source=8, target=9, test=3)
    data = ["DATASET.DATASET", "coco_format", "DATASET.ROOT", str(root / "target")]
    data += ["DATASET.TRAIN_SET", "annotations/train.json", "DATASET.TEST_SET", "annotations/test.json"]
    assert run(root, "--train", "--steps", "1", *data) == 0
    assert capsys.readouterr().out.startswith("train: ")
    assert run(root, "--valid", "--data", "single", *data) == 0
    text = capsys.readouterr().out
    assert text.startswith("valid: ") and "note     TEST.MODEL_FILE" in text
    missing = ["--model-file", str(root / "none.pth")]
    assert run(root, "--valid", "--data", "single", *missing, *data) == 2
    assert "error    TEST.MODEL_FILE" in capsys.readouterr().out


def test_valid_looks_at_the_test_set_that_valid_py_chooses(tmp_path, capsys):
    root = make_excavators(tmp_path, source=8, target=9, test=3)
    assert run(root, "--valid") == 0  # the YAML file has DATASET_TARGET alone
    text = capsys.readouterr().out
    assert "test set: DATASET_TARGET.TEST_SET" in text and "objects in 3 images" in text
    assert run(root, "--valid", "--data", "single", "DATASET.ROOT", str(root)) == 2  # mpii
    assert "test set: DATASET.TEST_SET" in capsys.readouterr().out


def test_what_is_no_examination(tmp_path, capsys):
    for more, says in (
        (["--steps", "-1"], "--steps is -1"),
        (["--max-seconds", "0"], "--max-seconds is 0"),
        (["--max-seconds", "nan"], "--max-seconds is nan"),
        (["--ours1", "--ours2"], "--ours1 and --ours2"),
        (["--ours1", "--train"], "--ours1 and --train"),
        (["TRAIN.LRR", "1"], "TRAIN.LR"),
    ):
        assert run(tmp_path, *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and says in line
