"""The source of a run with injected noise, from the settings to the files that the run leaves."""

import re
from dataclasses import replace

import numpy as np
import pytest

import lib.dataset.annotation_cache
import lib.dataset.coco_file
import lib.dataset.mpii
from lib.config.loader import load_config
from lib.label_noise.source import INJECTED_TRUTH, read_source, source_of_run
from lib.label_noise.truth import read_truth, truth_file
from lib.training.batches import meta_dataset
from lib.training.data import build_data, build_single_data, with_packs
from lib.utils.distributed import ALONE, Group
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.small_run import RUNS, run


def configured(config, noise="jitter:0.4", **more):
    return load_config(config, {"LBI.INJECT_NOISE": noise, **more})


def test_without_noise_the_source_is_that_on_disk(config, data):
    people, truth = read_source(configured(config, ""))
    known = read_truth(truth_file(data / "coco", "train2017"))["annotations"]
    for i, number in enumerate(people.ids.tolist()):
        wrong = known[number]["wrong"][list(people.mapping.index)]
        assert truth.corrupted[i].tolist() == wrong.tolist()


def test_what_is_made_wrong_is_counted_in_the_log(config):
    on_disk, before = read_source(configured(config, ""))
    with captured_messages() as lines:
        built = build_data(configured(config), True)
    people = built.source.annotations
    moved = ((people.joints != on_disk.joints).any(axis=2) & (people.visible > 0)).sum()
    (line,) = [line for line in lines if "LBI.INJECT_NOISE" in line]
    assert f"{moved} of {int(people.visible.sum())} " in line
    np.testing.assert_array_equal(built.source_truth.clean_joints, before.clean_joints)
    assert built.source_truth.corrupted.sum() > before.corrupted.sum()


def test_a_mode_without_a_source_says_that_nothing_is_made_wrong(config):
    with captured_messages() as lines:
        built = build_data(configured(config), False)
    assert built.source is None and built.source_truth is None
    assert "LBI.INJECT_NOISE: this mode has no source, so nothing is made wrong" in lines


@pytest.mark.parametrize(
    ("noise", "more", "says"),
    [
        ("jiter:0.4", {}, "LBI.INJECT_NOISE: noise 'jiter:0.4'.*did you mean 'jitter'"),
        ("jitter:2", {}, "LBI.INJECT_NOISE: noise 'jitter:2'"),
        ("convention:0.4", {}, "LBI.INJECT_NOISE: noise 'convention': no second convention"),
        ("jitter:0.4", {"DATASET_SRC.DATASET": "mpii", "DATASET_SRC.TRAIN_SET": "train"}, "LBI.INJECT_NOISE needs.*mpii"),
    ],
)  # fmt: skip
def test_noise_that_cannot_be_made(config, data, noise, more, says):
    if more:
        more["DATASET_SRC.ROOT"] = str(data / "mpii")
    with pytest.raises(InputError, match=says):
        read_source(configured(config, noise, **more))


def test_a_run_leaves_its_truth_the_same_for_any_seed_of_training(config):
    noise = ["LBI.INJECT_NOISE", "mixed:0.5+visibility:0.2", "TRAIN.END_EPOCH", "1"]
    for name, words in (
        ("a", ["LBI.FIND_WRONG_LABELS", "true"]),
        ("b", ["--random_seed", "5"]),
        ("c", ["LBI.INJECT_SEED", "1"]),
    ):
        assert run(config, "--ours1", *noise, "--save_dir", str(config.parent / name), *words) == 0
    folders = [config.parent / name / RUNS / "ours1" for name in "abc"]
    a, b, c = ((folder / INJECTED_TRUTH).read_text() for folder in folders)
    assert a == b and a != c
    _, people, truth = source_of_run(folders[0])
    written = read_truth(folders[0] / INJECTED_TRUTH)["annotations"]
    assert sorted(written) == sorted(people.ids)
    auroc, _ = re.findall(r"AUROC ([0-9.]+)", (folders[0] / "train.log").read_text())
    weights = np.genfromtxt(
        folders[0] / "ignoring_weights.csv", delimiter=",", names=True, dtype=None, encoding="utf-8"
    )
    place = {
        (number, name): (i, j)
        for i, number in enumerate(people.ids.tolist())
        for j, name in enumerate(people.mapping.names)
    }
    wrong, right = [], []
    for row in weights[weights["target_weight"] == 1]:
        i, j = place[row["annotation_id"], row["joint"]]
        k = people.mapping.index[j]
        (wrong if written[row["annotation_id"]]["wrong"][k] else right).append(row["weight"])
        assert people.visible[i, j] == 1
    pairs = [(r > w) + (r == w) / 2 for r in right for w in wrong]
    assert float(auroc) == pytest.approx(np.mean(pairs), abs=1e-3)


def test_no_noise_no_file(config):
    assert run(config, "--ours1", "TRAIN.END_EPOCH", "1", "--save_dir", str(config.parent / "a")) == 0
    assert not (config.parent / "a" / RUNS / "ours1" / INJECTED_TRUTH).exists()


def refuse(path):
    raise AssertionError(f"{path} is read")


def test_a_second_start_reads_no_json(config, monkeypatch):
    monkeypatch.setattr(lib.dataset.annotation_cache, "MIN_JSON_BYTES", 1)
    before = build_data(configured(config, ""), True)
    for module in (lib.dataset.coco_file, lib.dataset.mpii):
        monkeypatch.setattr(module, "read_json", refuse)
    with captured_messages() as lines:
        after = build_data(configured(config, ""), True)
    kept = sorted(path.name[:-17] for path in (config.parent / "output/annotations").iterdir())
    assert kept == ["coco_person_keypoints_train2017", "mpii_train", "mpii_valid"]
    for old, new in (
        (before.source, after.source),
        (before.target, after.target),
        (before.validation.dataset, after.validation.dataset),
        (before.test.dataset, after.test.dataset),
    ):
        assert list(old.annotations.image_paths) == list(new.annotations.image_paths)
        first, second = old.annotations.arrays(), new.annotations.arrays()
        assert first.keys() == second.keys()
        for name in first:
            np.testing.assert_array_equal(first[name], second[name])
    assert not [line for line in lines if "annotations" in line]
    build_data(configured(config, "", **{"DATASET_TARGET.SPLIT": "annotation"}), True)
    with pytest.raises(AssertionError, match="is read"):
        build_data(configured(config, "", **{"DATASET.ANNOTATION_CACHE": False}), True)


def test_annotations_are_not_kept_where_that_is_not_wanted(config, monkeypatch):
    monkeypatch.setattr(lib.dataset.annotation_cache, "MIN_JSON_BYTES", 1)
    build_data(configured(config, "", **{"DATASET.ANNOTATION_CACHE": False}), True)
    assert not (config.parent / "output").exists()


@pytest.mark.parametrize("val_in_train", [False, True])
def test_packs_hold_what_the_run_reads_more_than_once(config, val_in_train):
    settings = configured(config, "", **{"DATASET.PACK": True, "LBI.VAL_IN_TRAIN": val_in_train})
    plain = build_data(settings, True)
    data = with_packs(settings, plain, ALONE)
    assert data.test is plain.test and data.source_truth is plain.source_truth
    for one, other in (
        (data.source, plain.source),
        (data.target, plain.target),
        (data.validation.dataset, plain.validation.dataset),
        (
            meta_dataset(replace(settings.lbi, meta_data="target"), data),
            meta_dataset(replace(settings.lbi, meta_data="target"), plain),
        ),
    ):
        assert len(one.pack) == len(one) == len(other) and other.pack is None
        for index in range(0, len(one), 5):
            for x, y in zip(one[index, 1][:-1], other[index, 1][:-1]):
                assert np.array_equal(x, y)
    # Another process opens what the first one has made.
    other = with_packs(settings, plain, Group(rank=1, size=1))
    assert np.array_equal(other.source.pack.rows, data.source.pack.rows)


def test_without_the_setting_there_are_no_packs(config):
    settings = configured(config, "")
    data = build_data(settings, True)
    assert with_packs(settings, data, ALONE) is data


def test_a_pack_and_a_cache_in_memory_are_one_too_many(config):
    settings = configured(config, "", **{"DATASET.PACK": True, "DATASET.CACHE": True})
    with pytest.raises(InputError, match="DATASET.CACHE and DATASET.PACK"):
        build_data(settings, True)


def test_train_has_packs_of_both_of_its_sets(config, data):
    given = {"DATASET.ROOT": str(data / "mpii"), "DATASET.PACK": True}
    settings = load_config(config, given)
    plain = build_single_data(settings)
    packed = with_packs(settings, plain, ALONE)
    assert packed.validation is packed.test and packed.source is None
    assert packed.target.pack is not None and packed.test.dataset.pack is not None
