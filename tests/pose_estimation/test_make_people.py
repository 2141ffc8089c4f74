import subprocess
import sys
from pathlib import Path

import pytest

from lib.label_noise.corruptions import NOISE_KINDS
from lib.synthetic.generate import PeopleConfig
from pose_estimation.make_people import parse_arguments

REPOSITORY = Path(__file__).parents[2]
SMALL = {"source_people": 24, "source_val_people": 5, "target_train_people": 7, "test_people": 16}


def test_flags_are_the_fields_of_the_configuration():
    options = vars(parse_arguments([]))
    assert options.pop("output") == "data/people" and PeopleConfig(**options) == PeopleConfig()
    options = vars(parse_arguments(["--source-people", "3", "--mix", "0.25", "--seed=4", "--noise", "none"]))
    del options["output"]
    assert PeopleConfig(**options) == PeopleConfig(seed=4, noise="none", mix=0.25, source_people=3)


def test_help_lists_every_flag_and_kind_of_noise(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["--help"])
    text = capsys.readouterr().out
    assert all(f"--{name.replace('_', '-')}" in text for name in SMALL)
    assert all(f"\n  {kind} " in text for kind in NOISE_KINDS)


def command(*arguments):
    script = REPOSITORY / "pose_estimation" / "make_people.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_the_command_describes_the_data(tmp_path):
    counts = [f"--{name.replace('_', '-')}={count}" for name, count in SMALL.items()]
    for word in ("created", "already there"):
        done = command("--output", tmp_path / "p", "--noise", "missing:0.5", *counts)
        assert done.returncode == 0 and done.stdout.startswith(word) and done.stdout.count("\n") == 1
        assert "24 people" in done.stdout and str(tmp_path / "p") in done.stdout


def test_the_command_names_what_it_cannot_use(tmp_path):
    done = command("--output", tmp_path / "p", "--noise", "jiter:0.5")
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and "'jitter'" in done.stderr and done.stderr.count("\n") == 1
