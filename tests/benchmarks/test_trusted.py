import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import trusted
from benchmarks.trusted import DRAWN, POSES, Row, measured, missing, page, read_rows, subset, write
from lib.utils.errors import InputError
from tests.factories.predicted_people import write_predicted_people

ROW = Row(DRAWN, 20, 100, 0.9, 0.6, 0.25, 10.0)


def test_rows_are_read_again_and_tell_what_is_missing(tmp_path):
    rows = [ROW, replace(ROW, trusted=40, seed=101), replace(ROW, ground=POSES, trusted=0, seed=0)]
    write(rows, tmp_path)
    assert read_rows(tmp_path / "trusted.json") == rows and read_rows(tmp_path / "no.json") == []
    assert list(missing(rows, DRAWN, [20, 40], [100, 101])) == [(40, 100), (20, 101)]
    assert measured(rows) == {DRAWN: {20: [0.6], 40: [0.6]}}
    assert (tmp_path / "trusted.svg").read_text().count("<circle") == 2


def test_a_line_for_each_number_with_all_seeds():
    text = page([ROW, replace(ROW, seed=101, average_precision=0.8, off=-0.5), replace(ROW, trusted=40)])
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if "|" in line]
    assert cells[2][0] == "20" and cells[2][2].startswith("0.700") and cells[2][3] == "+25 %, -50 %"
    assert cells[3][0] == "40" and cells[3][4] == "1"


def test_the_first_people_of_a_set(tmp_path):
    (tmp_path / "data/annot").mkdir(parents=True)
    (tmp_path / "data/images").mkdir()
    (tmp_path / "data/annot/train.json").write_text(json.dumps([{"image": name} for name in "abc"]))
    path = subset(tmp_path / "data", 2, tmp_path / "part")
    assert json.loads(path.read_text()) == [{"image": "a"}, {"image": "b"}]
    assert (tmp_path / "part/images").resolve() == tmp_path / "data/images"
    with pytest.raises(InputError, match="has 3 trusted people, expected 4"):
        subset(tmp_path / "data", 4, tmp_path / "more")


def test_numbers_that_cannot_be_had_are_refused(tmp_path, capsys):
    assert trusted.main(["--out", str(tmp_path), "--counts", "20,321"]) == 2
    assert "expected 1 to 320" in capsys.readouterr().err


def test_who_is_trusted_is_not_judged(monkeypatch, tmp_path):
    monkeypatch.setattr(trusted, "COUNTS", (4,))
    monkeypatch.setattr(trusted, "NETWORK", "net")
    monkeypatch.setattr(trusted, "MIXTURES", {trusted.NOISE: "jitter:0.3"})
    asked = []
    judge = trusted.judge_predictions
    monkeypatch.setattr(trusted, "judge_predictions", lambda *sets: asked.append(sets) or judge(*sets))
    poses = trusted.Poses(write_predicted_people(tmp_path), seed=0)
    row = poses.row(3)
    (judged, known, _), labels = asked[0], poses.people
    assert len(judged.annotations) == 20 and len(known.annotations) == 3
    assert not set(judged.annotations.ids) & set(known.annotations.ids)
    assert (known.annotations.joints == labels.joints[known.annotations.ids]).all()
    assert not (judged.annotations.joints == labels.joints[judged.annotations.ids]).all()
    assert row.trusted == 3 and row.auroc > 0.9 and np.isfinite(row.off)
    poses.row(0)
    assert asked[1][1] is None and (asked[1][0].annotations.ids == judged.annotations.ids).all()
