"""The ground of real label errors: its sets, on drawn people and on the real ones."""

import json
from pathlib import Path

import pytest

from benchmarks import lspet_ground
from benchmarks.evidence.second_opinion import read_second_opinion
from lib.config.loader import load_config
from tests.factories.real_people import JOINTS, make_layout

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "lspet_mpii"
RECIPES = Path(__file__).resolve().parents[2] / "experiments" / "real"
FILES = ("source.json", "trusted.json", "test.json")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return make_layout(tmp_path_factory.mktemp("layout"))


def read(path):
    return json.loads(path.read_text())


def ids(path):
    return {person["id"] for person in read(path)["annotations"]}


def test_everyone_of_the_second_opinion_and_others_by_seed(layout, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        counts = lspet_ground.make_lspet_ground(layout, tmp_path / name, seed, people=16)
        assert counts == {"source.json": 16, "trusted.json": 24, "test.json": 8}
    drawn = [ids(tmp_path / name / "source.json") for name in "abc"]
    asked = set(read_second_opinion(layout / "lspet_second_opinion.json").ids.tolist())
    assert len(asked) == 12 and all(asked < people for people in drawn)
    assert drawn[0] == drawn[1] != drawn[2]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in FILES)
    source = read(tmp_path / "a/source.json")
    assert {image["id"] for image in source["images"]} == {p["image_id"] for p in source["annotations"]}
    assert (tmp_path / "a/images" / source["images"][0]["file_name"]).exists()
    lspet_ground.make_lspet_ground(layout, tmp_path / "all", 0, people=0)
    assert ids(tmp_path / "all/source.json") == ids(layout / "lspet_train.json")


def test_twelve_joints_keep_their_places_and_lines(layout, tmp_path):
    lspet_ground.make_lspet_ground(layout, tmp_path, 0)
    for name, origin in zip(FILES, ("lspet_train", "mpii_train", "mpii_test")):
        tree, before = read(tmp_path / name), read(layout / f"{origin}.json")
        (category,) = tree["categories"]
        assert category["keypoints"] == list(JOINTS[:12])
        assert [1, 2] in category["skeleton"] and [9, 13] not in category["skeleton"]
        assert max(max(line) for line in category["skeleton"]) <= 12
        for person, old in zip(tree["annotations"], before["annotations"]):
            assert person["keypoints"] == old["keypoints"][:36] and person["num_keypoints"] == 12


def test_joints_are_left_out_by_name():
    category = {"keypoints": ["a", "neck", "b", "head_top", "c"], "skeleton": [[1, 3], [3, 5], [2, 3]]}
    person = {"id": 4, "keypoints": [1, 2, 2, 9, 9, 2, 0, 0, 0, 9, 9, 2, 5, 6, 1], "num_keypoints": 4}
    tree = lspet_ground.without_joints({"categories": [category], "annotations": [person]}, Path("x.json"))
    assert tree["categories"] == [{"keypoints": ["a", "b", "c"], "skeleton": [[1, 2], [2, 3]]}]
    assert tree["annotations"] == [{"id": 4, "keypoints": [1, 2, 2, 0, 0, 0, 5, 6, 1], "num_keypoints": 2}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--people", "11"], "--people is 11, expected 0 (all) or at least 12"),
        (["--seed", "-1"], "--seed is -1"),
        (["--data", "nowhere"], "lspet_train.json: cannot be read"),
    ],
)
def test_errors_of_the_command(layout, tmp_path, capsys, words, message):
    assert lspet_ground.main(["--data", str(layout), "--out", str(tmp_path), *words]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tree: tree["people"][0].update(verdict=["right"]), "found 1 verdicts, expected 12 of"),
        (lambda tree: tree["people"][0]["verdict"].__setitem__(3, "good"), "found 'good'"),
        (lambda tree: tree["people"].append(tree["people"][0]), "annotation 101 is there twice"),
        (lambda tree: tree.pop("joints"), "expected joints, and people"),
        (lambda tree: tree["people"][0].update(annotation_id=7), "annotation 7 is not in lspet_train.json"),
    ],
)
def test_a_second_opinion_that_cannot_be_used(layout, tmp_path, capsys, change, message):
    for path in layout.iterdir():
        (tmp_path / path.name).symlink_to(path)
    tree = read(layout / lspet_ground.SECOND_OPINION)
    change(tree)
    (tmp_path / lspet_ground.SECOND_OPINION).unlink()
    (tmp_path / lspet_ground.SECOND_OPINION).write_text(json.dumps(tree))
    assert lspet_ground.main(["--data", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert message in capsys.readouterr().err


def test_a_half_of_the_second_opinion(layout):
    opinion = read_second_opinion(layout / lspet_ground.SECOND_OPINION)
    halves = [opinion.half(which) for which in ("even", "odd")]
    assert [half.ids.tolist() for half in halves] == [list(range(102, 113, 2)), list(range(101, 113, 2))]
    assert (opinion.count("wrong"), opinion.count("doubt")) == (4, 12)
    assert sum(half.count("right") for half in halves) == opinion.count("right") == 12 * 12 - 12 - 4
    assert opinion.labels("wrong") == {(number, "left_wrist") for number in (101, 104, 107, 110)}


@pytest.mark.parametrize(("size", "people"), [("cpu", 3000), ("gpu", 10000)])
def test_every_source_person_is_visited_ten_times(size, people):
    config = load_config(RECIPES / f"lspet_to_mpii_{size}.yaml")
    steps = config.train.steps_per_epoch * config.train.end_epoch
    assert steps * config.train.src_batch_size >= 10 * people
    assert config.model.num_joints == 12


@pytest.mark.skipif(not REAL.exists(), reason="the real people are not here")
def test_the_real_people(tmp_path):
    counts = lspet_ground.make_lspet_ground(REAL, tmp_path, 0)
    assert counts == {"source.json": 3000, "trusted.json": 1907, "test.json": 264}
    opinion = read_second_opinion(REAL / lspet_ground.SECOND_OPINION)
    assert len(opinion.ids) == 364 and set(opinion.ids.tolist()) <= ids(tmp_path / "source.json")
    assert (opinion.count("wrong"), opinion.count("right"), opinion.count("doubt")) == (80, 2399, 1385)
    assert tuple(read(tmp_path / "source.json")["categories"][0]["keypoints"]) == opinion.joints
