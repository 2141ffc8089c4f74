"""The command: its flags, what it prints, and its exit code."""

import json

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


def test_what_is_no_examination(tmp_path, capsys):
    for more, says in (
        (["--steps", "-1"], "--steps is -1"),
        (["--ours1", "--ours2"], "--ours1 and --ours2"),
        (["TRAIN.LRR", "1"], "TRAIN.LR"),
    ):
        assert run(tmp_path, *more) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ") and says in line
