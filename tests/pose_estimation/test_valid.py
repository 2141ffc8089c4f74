"""train.py and valid.py: tiny runs on the built-in data, and published predictions of MPII."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from pose_estimation import train, valid
from tests.factories.small_network import small_network
from tests.factories.small_run import RUNS, make_data, results_of, run, write_config

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MPII_256 = "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the sample of real data is not here")

PUBLISHED = {  # Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle, Mean, Mean at 0.1, Mean at 0.11
    "newell_hourglass": (95.88, 95.19, 89.14, 84.17, 86.97, 83.20, 80.40, 88.41, 21.18, 25.00),
    "tompson": (95.60, 92.71, 83.36, 76.74, 81.93, 73.32, 65.40, 82.31, 28.91, 33.08),
    "bearpaw_hg_s1": (95.12, 93.61, 85.53, 79.56, 84.51, 78.28, 73.41, 85.07, 23.25, 27.32),
}


def single(kind, data):
    """Settings that make the built-in source or target the one data set."""
    sets = {"coco": ("train2017", "val2017", 17), "mpii": ("train", "valid", 16)}[kind]
    return ["DATASET.DATASET", kind, "DATASET.ROOT", f"{data}/{kind}", "DATASET.TRAIN_SET", sets[0],
            "DATASET.TEST_SET", sets[1], "MODEL.NUM_JOINTS", str(sets[2])]  # fmt: skip


def last_line(capsys):
    return Path(capsys.readouterr().out.splitlines()[-1])


@needs_shared
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("legacy", [False, True])
def test_published_predictions_give_the_published_table(name, legacy, tmp_path, capsys):
    words = ["--cfg", MPII_256, "--predictions", str(SHARED / f"mpii_eval/preds/{name}.mat"), "--save_dir", str(tmp_path),
             "DATASET.ROOT", str(SHARED / "mpii_eval"), "TEST.PCKH_LEGACY_01", str(legacy).lower()]  # fmt: skip
    assert valid.main(words) == 0
    found = json.loads(last_line(capsys).read_text())["test"]["PCKh"]
    expected = PUBLISHED[name][:8] + (PUBLISHED[name][9 if legacy else 8],)
    assert list(found.values())[:9] == pytest.approx(expected, abs=0.0051)


@pytest.mark.parametrize("kind, measure", [("mpii", "PCKh"), ("coco", "AP")])
def test_train_then_valid_then_its_predictions_agree(kind, measure, config, data, capsys):
    words = ["--cfg", str(config), *single(kind, data)]
    assert train.main(words) == 0
    path = last_line(capsys)
    trained = json.loads(path.read_text())
    assert trained["mode"] == "train" and trained["source_model"] is None

    assert valid.main([*words, "--model-file", str(path.with_name("best.pth")), "--flip-test"]) == 0
    validated = json.loads(last_line(capsys).read_text())
    assert validated["test"] == trained["test"]

    assert valid.main([*words, "--predictions", validated["predictions"]]) == 0
    rescored = json.loads(last_line(capsys).read_text())["test"][measure]
    assert rescored == pytest.approx(trained["test"][measure], abs=1e-6)


def test_flip_test_changes_the_numbers(config, data, capsys):
    words = ["--cfg", str(config), *single("mpii", data)]
    assert train.main(words) == 0
    model = str(last_line(capsys).with_name("last.pth"))
    losses = []
    for flip in ([], ["--flip-test"]):
        assert valid.main([*words, "--model-file", model, "TEST.FLIP_TEST", "false", *flip]) == 0
        losses.append(json.loads(last_line(capsys).read_text())["test"]["loss"])
    assert losses[0] != losses[1]


def test_images_are_read_as_the_weights_were_trained_unless_told_otherwise(config, data, capsys, tmp_path):
    words = ["--cfg", str(config), *single("mpii", data)]
    assert train.main([*words, "--num_epochs", "1"]) == 0
    own = last_line(capsys).with_name("last.pth")
    # The same weights as SimpleBaseline publishes them, without settings: trained on BGR by their 16 joints.
    published = tmp_path / "pose_resnet_10_64x64.pth.tar"
    content = torch.load(own, weights_only=True)
    state = content["target_model"]
    state["final_layer.weight"] *= 1000  # so that the heatmaps, and the loss, tell the images apart
    torch.save(content, own)
    torch.save({f"module.{name}": value for name, value in state.items()}, published)

    def loss_and_log(model, *settings):
        assert valid.main([*words, "--model-file", str(model), *settings]) == 0
        output = capsys.readouterr().out
        return json.loads(Path(output.splitlines()[-1]).read_text())["test"]["loss"], output

    def loss(model, *settings):
        return loss_and_log(model, *settings)[0]

    rgb, bgr = (loss(own, "DATASET.COLOR_RGB", given) for given in ("true", "false"))
    assert rgb != bgr
    assert loss(own) == loss(own, "DATASET.COLOR_RGB", "auto") == rgb
    assert loss(published, "DATASET.COLOR_RGB", "true") == rgb
    found, output = loss_and_log(published)
    assert found == bgr and "BGR" in output


def test_detected_boxes(config, data, capsys, tmp_path):
    words = ["--cfg", str(config), *single("coco", data)]
    assert train.main([*words, "--num_epochs", "1"]) == 0
    model = str(last_line(capsys).with_name("last.pth"))
    people = json.loads((data / "coco/annotations/person_keypoints_val2017.json").read_text())["annotations"]
    boxes = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.5} for p in people]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    words += ["--model-file", model, "TEST.COCO_BBOX_FILE", str(tmp_path / "boxes.json")]
    assert valid.main([*words, "--use-detect-bbox"]) == 0
    found = json.loads(last_line(capsys).read_text())
    assert found["test"]["people"] == len(people)
    assert found["test"]["loss"] is None and found["test"]["accuracy"] is None
    for result in json.loads(Path(found["predictions"]).read_text()):
        assert result["score"] <= 0.5 * np.max(result["keypoints"][2::3]) + 1e-6


def test_predictions_of_a_network_with_the_shared_joints_are_saved_in_mpii_order(config, data, capsys):
    words = ["--cfg", str(config), *single("mpii", data)]
    words[-1] = "13"
    assert train.main(words) == 0
    folder = last_line(capsys).parent
    joints = scipy.io.loadmat(folder / "predictions.mat")["preds"]
    assert joints.shape == (8, 16, 2)
    assert np.isnan(joints[:, [6, 7, 8]]).all() and np.isfinite(np.delete(joints, [6, 7, 8], axis=1)).all()


@pytest.mark.parametrize(
    "words, expected",
    [
        ([], "--predictions"),
        (["--model-file", "a.pth", "--predictions", "b.mat"], "--predictions"),
        (["--model-file", "none.pth"], "none.pth"),
        (["--predictions", "none.mat"], "none.mat"),
        (["--run", "folder"], "--run"),
        (["--model-file", "weights.pth", "MODEL.NUM_JOINTS", "17"], "no label for 'nose'"),
    ],
)
def test_bad_input_is_one_line(words, expected, config, data, capsys, tmp_path):
    weights = tmp_path / "weights.pth"
    torch.save(small_network().state_dict(), weights)
    words = [str(weights) if word == weights.name else word for word in words]
    assert valid.main(["--cfg", str(config), *single("mpii", data), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and expected in error and "\n" not in error


def validated(capsys, *words):
    """The results of valid.py, and what it printed."""
    capsys.readouterr()
    assert valid.main(list(words)) == 0
    out = capsys.readouterr().out
    return json.loads(Path(out.splitlines()[-1]).read_text()), out


# What changes how the images of any data set are read, or how a network computes and is scored.
UNUSUAL = ["DATASET.COLOR_RGB", "false", "TRAIN.CHANNELS_LAST", "true", "TEST.SHIFT_HEATMAP", "false", "SEED", "3",
           "TRAIN.LR", "0.02"]  # fmt: skip


@pytest.fixture(scope="module")
def of_main(tmp_path_factory):
    """The YAML file and the folder of a finished run of main.py."""
    root = tmp_path_factory.mktemp("of_main")
    config = write_config(root, make_data(root))
    assert run(config, "--ours2", *UNUSUAL) == 0
    return config, root / "output" / RUNS / "ours2"


def ways_to_name_a_run(config, folder):
    best = str(folder / "best.pth")
    return {
        "its folder": ["--run", str(folder)],
        "its config.yaml": ["--cfg", str(folder / "config.yaml")],
        "both its files": ["--cfg", str(folder / "config.yaml"), "--model-file", best],
        "its checkpoint": ["--model-file", best],
        "its YAML file": ["--cfg", str(config), "--model-file", best, *UNUSUAL],
    }


@pytest.mark.parametrize("way", ways_to_name_a_run(Path(), Path()))
def test_a_run_of_main_has_its_own_numbers_to_the_bit(of_main, capsys, way):
    config, folder = of_main
    found, out = validated(capsys, *ways_to_name_a_run(config, folder)[way])
    assert found["test"] == results_of(config, "ours2")["test"]
    data = {
        "section": "DATASET_TARGET",
        "dataset": "mpii",
        "root": str(config.parent / "people/mpii"),
        "set": "valid",
    }
    assert found["data"] == data
    assert f"evaluated: mpii valid in {data['root']} (DATASET_TARGET.TEST_SET; " in out
    below = folder if way != "its YAML file" else config.parent / "output/mpii/pose_resnet_18/small"
    assert Path(found["predictions"]) == below / "valid/predictions.mat"
    theirs, own = (
        scipy.io.loadmat(path)["preds"] for path in (found["predictions"], folder / "predictions.mat")
    )
    assert np.array_equal(theirs, own, equal_nan=True)


def test_its_saved_predictions_have_its_numbers(of_main, capsys):
    config, folder = of_main
    words = ["--cfg", str(config), "--predictions", str(folder / "predictions.mat")]
    found, _ = validated(capsys, *words)
    expected = results_of(config, "ours2")["test"]["PCKh"]
    assert (
        found["test"]["PCKh"] == pytest.approx(expected, abs=1e-6)
        and found["data"]["section"] == "DATASET_TARGET"
    )


def test_settings_of_a_run_can_be_changed_and_written_elsewhere(of_main, capsys, tmp_path):
    config, folder = of_main
    found, _ = validated(
        capsys,
        "--run",
        str(folder),
        "TEST.FLIP_TEST",
        "false",
        "--save_dir",
        str(tmp_path),
        "--data",
        "target",
    )
    assert found["test"]["loss"] != results_of(config, "ours2")["test"]["loss"]
    assert Path(found["predictions"]) == tmp_path / "mpii/pose_resnet_18/ours2/valid/predictions.mat"


def test_without_a_best_epoch_the_last_one_is_evaluated(of_main, capsys, tmp_path):
    _, folder = of_main
    for name in ("config.yaml", "last.pth"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    found, _ = validated(capsys, "--run", str(tmp_path))
    assert found["model_file"] == str(tmp_path / "last.pth")


def test_a_single_data_set_that_is_named_is_evaluated_and_told(of_main, capsys):
    config, folder = of_main
    single_set = ["DATASET.ROOT", str(config.parent / "people/mpii"), "DATASET.TEST_SET", "train"]
    found, out = validated(capsys, "--run", str(folder), *single_set)
    assert found["data"]["section"] == "DATASET" and found["data"]["set"] == "train"
    assert found["test"]["people"] == 15
    assert "mpii train" in out and "of mode ours2, whose own test set is another one" in out


def test_a_run_of_train_is_evaluated_on_its_own_set(config, data, capsys):
    assert train.main(["--cfg", str(config), *single("mpii", data)]) == 0
    path = last_line(capsys)
    for words in (["--run", str(path.parent)], ["--model-file", str(path.with_name("best.pth"))]):
        found, _ = validated(capsys, *words)
        assert found["test"] == json.loads(path.read_text())["test"] and found["data"]["section"] == "DATASET"


def test_what_cannot_be_told_is_refused_naming_both_ways(of_main, capsys, tmp_path):
    _, folder = of_main
    plain = tmp_path / "plain.pth"
    torch.save(torch.load(folder / "best.pth", weights_only=True)["target_model"], plain)
    words = ["--cfg", str(folder / "config.yaml"), "--model-file", str(plain)]
    assert valid.main(words) == 2
    error = capsys.readouterr().err.strip()
    assert "--data target" in error and "--data single" in error and "\n" not in error
    assert validated(capsys, *words, "--data", "target")[0]["test"]["people"] == 8

    assert valid.main(["--model-file", str(plain)]) == 2
    assert "holds no settings" in capsys.readouterr().err
    assert valid.main(["--run", str(tmp_path)]) == 2
    assert "expected the folder of a run" in capsys.readouterr().err


def test_a_network_that_is_only_partly_loaded_is_refused(of_main, capsys):
    _, folder = of_main
    assert valid.main(["--run", str(folder), "MODEL.EXTRA.NUM_DECONV_FILTERS", "[8, 8, 16]"]) == 2
    error = capsys.readouterr().err.strip()
    assert "expected all of a trained network" in error and "\n" not in error


def test_joints_are_matched_by_name(of_main, capsys, tmp_path):
    _, folder = of_main
    content = torch.load(folder / "best.pth", weights_only=True)
    order = list(range(12, -1, -1))
    for part in ("weight", "bias"):
        content["target_model"][f"final_layer.{part}"] = content["target_model"][f"final_layer.{part}"][order]
    content["joints"] = [content["joints"][joint] for joint in order]
    torch.save(content, tmp_path / "other_order.pth")
    found, _ = validated(capsys, "--model-file", str(tmp_path / "other_order.pth"))
    own, _ = validated(capsys, "--run", str(folder))
    assert found["test"]["PCKh"] == pytest.approx(own["test"]["PCKh"])
