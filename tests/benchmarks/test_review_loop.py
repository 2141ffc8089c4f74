"""The benchmark of the second search, on a small drawing of the built-in people."""

import json

import pytest

from benchmarks import review_loop
from lib.review.found import read_found
from lib.synthetic.generate import PeopleConfig, make_people
from tests.review.test_find import SETTINGS

SMALL = {"source_people": 20, "source_val_people": 2, "target_train_people": 15, "test_people": 8}


@pytest.mark.slow
def test_three_searches_of_each_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        review_loop, "draw", lambda drawn: make_people(drawn.folder, PeopleConfig(drawn.seed, **SMALL))
    )
    settings = [str(word) for pair in SETTINGS.items() for word in pair]
    words = [
        "--data",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path / "out"),
        "--seeds",
        "5",
        "--effort",
        "quick",
    ]
    words += ["--noise", "low", "--reviews", "30", *settings]
    assert review_loop.main(words) == 0
    rows = json.loads((tmp_path / "out/rows.json").read_text())
    assert [row["search"] for row in rows] == ["first", "corrected", "reviewed"]
    assert len({(row["labels"], row["wrong"]) for row in rows}) == 1 and rows[0]["wrong"] > 5
    folder = tmp_path / "out/5-30"
    decisions = (folder / "first/decisions-simulated.jsonl").read_text().splitlines()
    assert len(decisions) == 31
    file, labels = read_found(folder / "reviewed")
    assert (folder / "reviewed/decisions-simulated.jsonl").read_text().splitlines() == decisions
    assert (labels.kind == "reviewed").sum() >= 30
    _, first = read_found(folder / "first")
    assert len(first) and (first.rank > 0).sum() - (labels.kind == "reviewed").sum() <= rows[0]["labels"]
    assert "| 30 | reviewed | " in capsys.readouterr().out

    monkeypatch.setattr(review_loop, "find_labels", lambda *_: pytest.fail("searched again"))
    assert review_loop.main(words) == 0
    assert review_loop.main([*words, "--noise", "nothing:0.3", "--seeds", "6"]) == 2
