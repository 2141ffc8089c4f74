"""The real ground of the benchmark: its sets, on drawn objects and on the real data; a run of each kind of method."""

import json
from pathlib import Path

import pytest

from benchmarks import modes, real_ground
from benchmarks.evidence import tuning
from benchmarks.evidence.cases import Case, jobs_of, row_key
from benchmarks.evidence.summary import lines_by_noise, markdown
from lib.config.loader import load_config
from tests.factories.excavators import JOINTS, make_set

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "lspet_mpii"
RECIPE = Path(__file__).resolve().parents[2] / "experiments/real/mpii_noise.yaml"
NAMES = {joint: joint for joint in JOINTS}
CONFIG = """\
DATASET_SRC: {DATASET: coco_format, TRAIN_SET: source.json, IMAGES: images}
DATASET_TARGET: {DATASET: coco_format, TRAIN_SET: trusted.json, VAL_SET: trusted.json, TEST_SET: test.json, IMAGES: images}
MODEL:
  NUM_JOINTS: 7
  IMAGE_SIZE: [64, 64]
  EXTRA: {HEATMAP_SIZE: [16, 16], SIGMA: 1, NUM_LAYERS: 18, WIDTH: 4, NUM_DECONV_FILTERS: [8, 8, 8]}
TRAIN: {BATCH_SIZE: 4, END_EPOCH: 1, STEPS_PER_EPOCH: 2, LR: 0.003, LR_STEP: [1]}
LBI: {META_DATA: target}
WORKERS: 0
"""


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Drawn excavators, one or two in a picture, under the names of MPII's files."""
    folder = tmp_path_factory.mktemp("drawn")
    for name, pictures, seed in (("train", 16, 1), ("test", 4, 2)):
        path = folder / f"mpii_{name}.json"
        make_set(folder, path.name, name, NAMES, pictures, seed)
        tree = read(path)
        tree["annotations"] = [a for a in tree["annotations"] if "keypoints" in a]  # no cones
        path.write_text(json.dumps(tree))
    return folder


def read(path):
    return json.loads(path.read_text())


def ids(path, key):
    return [entry["id"] for entry in read(path)[key]]


def test_sets_share_no_image_and_hold_everyone(drawn, tmp_path):
    counts = real_ground.make_ground(drawn, tmp_path / "a", 3, trusted=5)
    every, out = read(drawn / "mpii_train.json"), tmp_path / "a"
    for key in ("images", "annotations"):
        split = ids(out / "source.json", key) + ids(out / "trusted.json", key)
        assert sorted(split) == sorted(entry["id"] for entry in every[key])
    # The objects of a picture stay together, and trusted ones are alone in theirs.
    of_image = [a["image_id"] for a in every["annotations"]]
    assert len(set(of_image)) < len(of_image)
    trusted = [a["image_id"] for a in read(out / "trusted.json")["annotations"]]
    assert len(trusted) == 5 and all(of_image.count(image) == 1 for image in trusted)
    assert read(out / "test.json") == read(drawn / "mpii_test.json")
    assert read(out / "source.json")["categories"] == every["categories"]
    assert counts == {"source.json": len(of_image) - 5, "trusted.json": 5, "test.json": len(ids(out / "test.json", "annotations"))}  # fmt: skip
    assert (out / "images" / "train").is_dir()


def test_the_seed_draws_who_is_trusted(drawn, tmp_path):
    def trusted(seed, name):
        real_ground.make_ground(drawn, tmp_path / name, seed, trusted=5)
        return ids(tmp_path / name / "trusted.json", "annotations")

    assert trusted(0, "a") == trusted(0, "b") == trusted(0, "a") != trusted(1, "c")


def test_images_cut_out_of_one_picture_count_as_one(drawn, tmp_path):
    tree = read(drawn / "mpii_train.json")
    alone = [image for image in tree["images"] if len([a for a in tree["annotations"] if a["image_id"] == image["id"]]) == 1]  # fmt: skip
    for image in alone[:2]:
        image["source_file"] = "picture.jpg"
    (tmp_path / "images").symlink_to(drawn / "images")
    (tmp_path / "mpii_train.json").write_text(json.dumps(tree))
    (tmp_path / "mpii_test.json").write_text((drawn / "mpii_test.json").read_text())
    real_ground.make_ground(tmp_path, tmp_path / "out", 0, trusted=len(alone) - 2)
    assert not {image["id"] for image in alone[:2]} & set(ids(tmp_path / "out/trusted.json", "images"))

    test = read(drawn / "mpii_test.json")
    test["images"][0]["source_file"] = "picture.jpg"
    (tmp_path / "mpii_test.json").write_text(json.dumps(test))
    words = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--trusted", "1"]
    assert real_ground.main(words) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trusted", "999"], "--trusted is 999, expected 1 to"),
        (["--seed", "-1"], "--seed is -1"),
        (["--data", "nowhere"], "mpii_train.json: cannot be read"),
    ],
)
def test_errors_of_the_command(drawn, tmp_path, capsys, words, message):
    assert real_ground.main(["--data", str(drawn), "--out", str(tmp_path), "--trusted", "5", *words]) == 2
    assert message in capsys.readouterr().err


def test_a_link_is_renewed_and_a_folder_is_kept(drawn, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/images").symlink_to(tmp_path)
    real_ground.make_ground(drawn, tmp_path / "out", 0, trusted=5)
    assert (tmp_path / "out/images").resolve() == (drawn / "images").resolve()
    (tmp_path / "other/images").mkdir(parents=True)
    words = ["--data", str(drawn), "--out", str(tmp_path / "other"), "--trusted", "5"]
    assert real_ground.main(words) == 2 and "is no link" in capsys.readouterr().err


@pytest.fixture
def words(drawn, tmp_path, monkeypatch):
    """A command line of the benchmark on the drawn excavators."""
    monkeypatch.setattr(real_ground.make_ground, "__defaults__", (6,))
    (tmp_path / "small.yaml").write_text(CONFIG)
    return ["--ground", "mpii", "--ground-data", str(drawn), "--cfg", str(tmp_path / "small.yaml"), "--data",
            str(tmp_path / "sets"), "--out", str(tmp_path / "rows.json"), "--jobs", "1", "--seeds", "4",
            "--noise", "jitter:0.5"]  # fmt: skip


def test_methods_run_on_the_ground(words, tmp_path, capsys):
    assert modes.main([*words, "--modes", "baseline2,ours1,oracle1,small_loss,distance,target_distance"]) == 0
    rows = read(tmp_path / "rows.json")
    assert len(rows) == 6 and {row["ground"] for row in rows} == {"mpii"}
    assert all(0 <= row["pckh"] <= 100 for row in rows)
    assert 0 <= next(row["auroc"] for row in rows if row["method"] == "ours1") <= 1
    assert (tmp_path / "sets/mpii/4/trusted.json").exists()
    text = (tmp_path / "rows.md").read_text()
    assert "### mpii jitter:0.5" in text and "Ground mpii: PCK@0.1" in text
    capsys.readouterr()
    assert modes.main([*words, "--modes", "baseline2"]) == 0
    assert "1 exist, 0 runs" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ground", "people"], "--ground-data"),
        (["--noise", "convention:0.5"], "convention: only on the ground people"),
    ],
)
def test_what_the_ground_does_not_have(words, capsys, more, message):
    assert modes.main([*words, "--modes", "baseline2", *more]) == 2
    assert message in capsys.readouterr().err


def test_the_folder_of_the_data_must_be_given(words, capsys):
    at = words.index("--ground-data")
    assert modes.main([*words[:at], *words[at + 2 :], "--modes", "baseline2"]) == 2
    assert "--ground-data" in capsys.readouterr().err


def test_grounds_are_kept_apart(tmp_path):
    drawn, real = Case("baseline2", None, "jitter", 0.5, 0), Case("baseline2", None, "jitter", 0.5, 0, ground="mpii")  # fmt: skip
    assert drawn.key != real.key and len(jobs_of([drawn, real], tmp_path, tmp_path)) == 2
    before = {key: value for key, value in vars(drawn).items() if key != "ground"}
    assert row_key(before) == drawn.key  # rows of before there were grounds
    assert drawn.people(tmp_path).folder != real.people(tmp_path).folder
    assert tuning.group_of(before) == tuning.group_of(drawn) != tuning.group_of(real)
    rows = [{**vars(case), "pckh": value, "val": value, "auroc": None, "mean_weight": None, "seconds": 1.0,
             "steps": 1, "machine": "a machine"} for case, value in ((drawn, 70.0), (real, 50.0))]  # fmt: skip
    assert list(lines_by_noise(rows)) == ["jitter:0.5", "mpii jitter:0.5"]
    assert "Ground mpii" in markdown(rows) and "Ground mpii" not in markdown(rows[:1])


def test_every_source_person_is_visited_ten_times():
    """While weights are learned, by the recipe's own numbers; 1,907 people, of whom 200 are trusted."""
    config = load_config(RECIPE)
    steps = config.train.steps_per_epoch * config.lbi.freeze_weights_epoch
    assert steps * config.train.src_batch_size >= 10 * (1907 - real_ground.TRUSTED)


@pytest.mark.skipif(not REAL.exists(), reason="the real people are not here")
def test_the_real_people(tmp_path):
    counts = real_ground.make_ground(REAL, tmp_path, 0)
    assert counts == {"source.json": 1707, "trusted.json": 200, "test.json": 264}
    pictures = [{image["source_file"] for image in read(tmp_path / name)["images"]} for name in counts]
    assert not pictures[0] & pictures[1] and not pictures[2] & (pictures[0] | pictures[1])
    assert len(pictures[1]) == 200
    joints = read(tmp_path / "source.json")["categories"][0]["keypoints"]
    assert len(joints) == load_config(RECIPE).model.num_joints
