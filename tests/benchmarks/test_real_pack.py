"""The pack of the real data: smaller pictures on which labels stay where they were, and its limit."""

import json
import tarfile

import cv2
import numpy as np
import pytest

from benchmarks import lspet_ground, real_pack
from tests.factories.real_people import make_layout

SETS = ("lspet_train", "mpii_train", "mpii_test")


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    return make_layout(tmp_path_factory.mktemp("layout"), lspet=6, train=4, test=3, asked=4)


@pytest.fixture(scope="module")
def packed(layout, tmp_path_factory):
    out = tmp_path_factory.mktemp("packed") / "small"
    assert real_pack.main(["--data", str(layout), "--out", str(out), "--pixels", "40"]) == 0
    return out


def read(path):
    return json.loads(path.read_text())


def test_labels_stay_on_their_pictures(layout, packed):
    for name in SETS:
        before, after = read(layout / f"{name}.json"), read(packed / f"{name}.json")
        assert len(after["annotations"]) == len(before["annotations"])
        assert after["categories"] == before["categories"]
        for image, old, person, was in zip(after["images"], before["images"], after["annotations"], before["annotations"]):  # fmt: skip
            picture, large = (cv2.imread(str(folder / "images" / image["file_name"])) for folder in (packed, layout))  # fmt: skip
            assert (image["height"], image["width"]) == picture.shape[:2] < large.shape[:2]
            ratio = np.array([image["width"] / old["width"], image["height"] / old["height"]])
            assert image["crop_scale"] == pytest.approx(ratio, abs=1e-4)
            points, places = (np.array(p["keypoints"]).reshape(-1, 3) for p in (person, was))
            assert points[:, :2] == pytest.approx(places[:, :2] * ratio, abs=0.006)
            assert (points[:, 2] == places[:, 2]).all()
            assert person["bbox"] == pytest.approx(np.array(was["bbox"]) * np.tile(ratio, 2), abs=0.006)
            assert 38 <= max(person["bbox"][2:]) <= 41
            # The same picture, only smaller.
            again = cv2.resize(large, picture.shape[1::-1], interpolation=cv2.INTER_AREA)
            assert np.abs(picture.astype(int) - again).mean() < 8


def test_places_of_the_second_opinion_are_scaled(layout, packed):
    """They are drawn a pixel to the right of the label."""
    tree = read(packed / "lspet_train.json")
    widths = {person["id"]: image["width"] for image, person in zip(tree["images"], tree["annotations"])}
    before, after = read(layout / lspet_ground.SECOND_OPINION), read(packed / lspet_ground.SECOND_OPINION)
    for person, was in zip(after["people"], before["people"]):
        assert person["verdict"] == was["verdict"]
        ratio = widths[person["annotation_id"]] / 60
        assert np.array(person["movenet"])[:, 0] == pytest.approx(np.array(was["movenet"])[:, 0] * ratio, abs=0.001)  # fmt: skip
        assert np.array(person["movenet"])[:, 2] == pytest.approx(0.9)


def test_the_ground_can_be_drawn_of_it(packed, tmp_path):
    assert lspet_ground.make_lspet_ground(packed, tmp_path, 0) == {"source.json": 6, "trusted.json": 4, "test.json": 3}  # fmt: skip


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz"])
def test_an_archive_has_the_same_files_each_time(layout, packed, tmp_path, capsys, suffix):
    for name in "ab":
        words = ["--data", str(layout), "--out", str(tmp_path / (name + suffix)), "--pixels", "40"]
        assert real_pack.main(words) == 0
    assert "13 pictures, 13 of them made smaller, 0.0 MiB" in capsys.readouterr().out
    assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()
    with tarfile.open(tmp_path / f"a{suffix}") as archive:
        archive.extractall(tmp_path / "out", filter="data")
    files = [path.relative_to(packed) for path in packed.rglob("*") if path.is_file()]
    assert len(files) == 13 + 4
    assert all((tmp_path / "out" / file).read_bytes() == (packed / file).read_bytes() for file in files)


def test_pictures_that_are_small_enough_keep_their_size(layout, tmp_path):
    assert real_pack.main(["--data", str(layout), "--out", str(tmp_path / "x")]) == 0
    before, after = (read(folder / "mpii_test.json") for folder in (layout, tmp_path / "x"))
    assert before["images"] == after["images"]
    for key in ("keypoints", "bbox"):
        assert [person[key] for person in before["annotations"]] == [
            person[key] for person in after["annotations"]
        ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "0.001"], "MiB, above --limit 0.001"),
        (["--quality", "0"], "--quality: 1 to 100"),
        (["--data", "nowhere"], "lspet_second_opinion.json: cannot be read"),
    ],
)
def test_nothing_is_written_after_an_error(layout, tmp_path, capsys, words, message):
    out = tmp_path / "x.tar"
    assert real_pack.main(["--data", str(layout), "--out", str(out), *words]) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.iterdir())
    (tmp_path / "there").mkdir()
    assert real_pack.main(["--data", str(layout), "--out", str(tmp_path / "there")]) == 2


def test_a_picture_that_is_missing_is_named(layout, tmp_path, capsys):
    (tmp_path / "images").mkdir()
    for path in layout.glob("*.json"):
        (tmp_path / path.name).symlink_to(path)
    assert real_pack.main(["--data", str(tmp_path), "--out", str(tmp_path / "x.tar")]) == 2
    assert "lspet_train_001.jpg: cannot be read as an image" in capsys.readouterr().err
