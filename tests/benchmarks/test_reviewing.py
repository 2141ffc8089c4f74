"""The benchmark of reviewing: rows and tables, on a small drawing of the built-in people and made-up predictions."""

import json

import numpy as np
import pytest

from benchmarks import reviewing
from benchmarks.corrected_source import write_corrected
from benchmarks.evidence import benchmark as evidence
from benchmarks.evidence.cases import Case
from benchmarks.evidence.trial import Trial
from benchmarks.review_tables import Row, markdown, read_rows, write_rows
from lib.synthetic.generate import PeopleConfig, make_people
from tests.factories.small_run import write_config

ORDERS = ("ours1_gain", "loss", "geometry", "random", "ideal")
SMALL = {"source_people": 20, "source_val_people": 2, "target_train_people": 15, "test_people": 8}


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(
        evidence, "draw", lambda drawn: make_people(drawn.folder, PeopleConfig(drawn.seed, **SMALL))
    )
    cfg = write_config(tmp_path, tmp_path)
    folders = ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "found.json"), "--cfg", str(cfg)]
    return ["people", *folders, "--seeds", "5", "--jobs", "1", "--orders", ",".join(ORDERS), "--reviews", "5,1000", "LBI.FIND_WRONG_LABELS", "true"]  # fmt: skip


def test_rows_of_the_built_in_people(words, tmp_path, monkeypatch, capsys):
    assert reviewing.main([*words, "--pckh", "loss:0,loss:5,random:1000"]) == 0
    rows = {(row.order, row.reviews): row for row in read_rows(tmp_path / "found.json")}
    reviewed = {(order, count) for order in ORDERS for count in (5, 1000)}
    assert set(rows) == reviewed | {("none", 0), ("loss", 0)}
    start = rows["none", 0]
    assert start.left == start.wrong > 10
    for order in ORDERS:
        assert rows[order, 1000].left == 0 and start.wrong - 60 <= rows[order, 5].left <= start.wrong
        assert rows[order, 5].settled >= 5 and rows[order, 5].left >= rows["ideal", 5].left
    trained = {key for key, row in rows.items() if row.pckh is not None}
    assert trained == {("none", 0), ("loss", 0), ("loss", 5), ("random", 1000)}
    # Without any correction it is the same training, to the last bit.
    assert rows["loss", 0].pckh == start.pckh and rows["loss", 0].left == start.wrong
    assert "| none | " in capsys.readouterr().out

    monkeypatch.setattr(reviewing, "train", lambda training: pytest.fail("trained again"))
    monkeypatch.setattr(reviewing, "review", lambda *_: reviewing.Reviewed(None, (), np.zeros(1), 0))
    assert reviewing.main([*words, "--pckh", "loss:5"]) == 0
    again = {(row.order, row.reviews): row for row in read_rows(tmp_path / "found.json")}
    assert {key: again[key] for key in rows if key != ("none", 0)} == {
        key: rows[key] for key in rows if key != ("none", 0)
    }


def test_a_corrected_source_is_read_as_it_was_written(tmp_path):
    case = Case("baseline2", None, "low", 0.0, 5)
    people = case.people(tmp_path / "data")
    make_people(people.folder, PeopleConfig(people.seed, **SMALL))
    cfg = write_config(tmp_path, tmp_path)

    def source_of(people, noise):
        return Trial(cfg, "baseline2", people, noise, 5, {}, tmp_path / "run").data({}).source.annotations

    clean, noisy = source_of(people, ""), source_of(people, case.injected)
    written = source_of(write_corrected(people, noisy, tmp_path / "written"), "")
    assert (noisy.joints != clean.joints).any()
    seen = noisy.visible > 0
    assert (written.visible == noisy.visible).all()
    assert (written.joints[seen] == noisy.joints[seen]).all() and written.joints.dtype == noisy.joints.dtype
    assert (written.ids == noisy.ids).all() and (written.sizes == noisy.sizes).all()


def test_wrong_arguments(words, capsys):
    assert reviewing.main([*words, "--pckh", "ours1:5"]) == 2
    assert "--pckh ours1:5: expected ORDER:N of people, an order of ours1_gain, loss, geometry, random, ideal" in capsys.readouterr().err  # fmt: skip
    assert reviewing.main(["predictions", "--out", words[4]]) == 2
    assert "--data is missing" in capsys.readouterr().err
    assert reviewing.main([*words, "--orders", "lost"]) == 2


def test_tables(tmp_path):
    numbers = {"ours1": (10, 20), "loss": (40, 40), "random": (90, 80)}
    rows = [
        Row("people", "low", seed, order, 100, 100, left, 5)
        for order, both in numbers.items()
        for seed, left in enumerate(both)
    ]
    rows += [Row("people", "low", 0, "none", 0, 100, 100, 0, 50.0), Row("people", "low", 0, "loss", 300, 100, 4, 9, 60.0)]  # fmt: skip
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows
    lines = markdown(rows).splitlines()
    assert "100 ± 0 labels are wrong." in lines[2]
    (ours,) = [line for line in lines if line.startswith("| ours1 |") and "±" in line and "%" not in line][:1]
    # Student's t for two values: 12.706 / sqrt(2) times their standard deviation, 7.07 percent.
    assert ours == "| ours1 | 15.0 ± 63.5 (15) | - | 2 |"
    assert any(line.startswith("| ours1 / best rival | 0.38 ± 1.59 of loss | - |") for line in lines)
    assert "| 0 | none | 50.0 | 1 |" in lines and "| 300 | loss | 60.0 | 1 |" in lines


def test_a_results_file_of_something_else_is_refused(tmp_path, words, capsys):
    (tmp_path / "found.json").write_text(json.dumps([{"seed": 1, "loss": 2}]))
    assert reviewing.main(words) == 2
    assert "expected the rows of benchmarks/reviewing.py" in capsys.readouterr().err
