"""The benchmark of judging by predictions, on a few made-up people in MPII's files."""

import numpy as np
import pytest

from benchmarks.predictions import main, read_people
from tests.factories.predicted_people import write_predicted_people


@pytest.fixture
def data(tmp_path):
    return write_predicted_people(tmp_path)


def test_people_are_those_of_the_reader(data):
    people = read_people(data)
    assert people.centers[0].tolist() == [300, 300] and people.sizes[0].tolist() == [250, 250]
    assert (len(people), len(people.image_paths), people.head_sizes[0]) == (24, 12, 30)
    assert np.abs(people.joints - 300).max() < 110


def test_each_ranking_has_a_row(data, capsys):
    arguments = ["--network", "net", "--noise", "jitter:0.2", "--seeds", "0,1"]
    assert main(["--data", str(data), *arguments]) == 0
    *_, header, _, judged, distance, geometry = capsys.readouterr().out.strip().splitlines()
    assert header == "| noise | ranking | AUROC | average precision | AUROC within a joint | seeds |"
    # Every label is moved by at least 32 pixels, and the predictions are a pixel off.
    assert distance.startswith("| jitter:0.2 | distance | 1.000 ± 0.000 | 1.000 ± 0.000 |")
    assert judged.startswith("| jitter:0.2 | judged | ") and geometry.startswith("| jitter:0.2 | geometry | ")
    assert float(judged.split("|")[3].split("±")[0]) > 0.97
