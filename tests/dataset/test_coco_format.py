"""Objects of any kind in COCO's format, against the drawing that they were made from."""

import json
import os
import zipfile

import numpy as np
import pytest

import lib.dataset.annotation_cache
import lib.dataset.coco_file
from lib.config.loader import load_config
from lib.dataset.build import read_annotations
from lib.dataset.coco_format import read_category
from lib.dataset.layouts import ImageSet
from lib.training.data import build_data
from lib.utils.errors import InputError
from tests.factories.excavators import JOINTS, SOURCE_JOINTS, make_excavators

CONFIG = "experiments/custom/excavator.yaml"


@pytest.fixture(scope="module")
def excavators(tmp_path_factory):
    return make_excavators(tmp_path_factory.mktemp("excavators"), source=6, target=9, test=3)


def configured(root, **changed):
    roots = {"DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target")}
    return load_config(CONFIG, roots | {"OUTPUT_DIR": str(root / "output")} | changed)


def annotations_in(path):
    """{id: annotation} of the excavators, and {id: file_name} of the images."""
    tree = json.loads(path.read_text())
    return {a["id"]: a for a in tree["annotations"] if a["category_id"] == 3}, {i["id"]: i["file_name"] for i in tree["images"]}  # fmt: skip


def test_the_target_is_read_as_it_is(excavators):
    config = configured(excavators)
    people = read_annotations(config, ImageSet(config.dataset_target, "annotations/test.json"))
    by_id, files = annotations_in(excavators / "target/annotations/test.json")
    assert people.ids.tolist() == sorted(by_id) and people.mapping.names == JOINTS
    for i, number in enumerate(people.ids.tolist()):
        points = np.array(by_id[number]["keypoints"]).reshape(7, 3)
        np.testing.assert_allclose(people.joints[i], points[:, :2], rtol=1e-6)
        np.testing.assert_array_equal(people.visible[i], points[:, 2] > 0)
        assert people.image_paths[people.image_index[i]].endswith(
            "images/" + files[by_id[number]["image_id"]]
        )
        assert people.box_sizes[i] == pytest.approx(max(by_id[number]["bbox"][2:]), abs=1)


def test_the_source_is_read_by_the_targets_names(excavators):
    config = configured(excavators)
    people = read_annotations(config, ImageSet(config.dataset_src, "train.json"))
    by_id, _ = annotations_in(excavators / "source/train.json")
    assert people.mapping.missing == ("counterweight",) and people.mapping.unused == ("lamp",)
    for i, number in enumerate(people.ids.tolist()):
        points = dict(zip(SOURCE_JOINTS, np.array(by_id[number]["keypoints"]).reshape(7, 3)))
        for j, name in enumerate(JOINTS):
            theirs = {"cab": "cabin", "left_track": "track_left", "right_track": "track_right"}.get(
                name, name
            )
            expected = points.get(theirs, np.zeros(3))
            assert people.visible[i, j] == (expected[2] > 0)
            np.testing.assert_allclose(people.joints[i, j], expected[:2], rtol=1e-6)


def test_one_file_is_cut_into_t_and_v_by_image(excavators):
    data = build_data(configured(excavators), False)
    by_id, _ = annotations_in(excavators / "target/annotations/train.json")
    trained, validated = data.target.annotations, data.validation.dataset.annotations
    assert sorted([*trained.ids, *validated.ids]) == sorted(by_id)
    images = [{p.image_paths[k] for k in p.image_index} for p in (trained, validated)]
    assert not images[0] & images[1] and [len(p) for p in images] == [6, 3]


def test_v_may_be_a_file_of_its_own(excavators):
    data = build_data(configured(excavators, **{"DATASET_TARGET.VAL_SET": "annotations/test.json"}), False)  # fmt: skip
    by_id, _ = annotations_in(excavators / "target/annotations/train.json")
    assert data.target.annotations.ids.tolist() == sorted(by_id)
    assert data.validation.dataset.annotations.ids.tolist() == data.test.dataset.annotations.ids.tolist()


def test_a_second_start_reads_no_annotations(tmp_path, monkeypatch):
    make_excavators(tmp_path, source=2, target=6, test=2)
    monkeypatch.setattr(lib.dataset.annotation_cache, "MIN_JSON_BYTES", 1)
    config = configured(tmp_path)
    before = build_data(config, True)

    def refuse(path):
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(lib.dataset.coco_file, "read_json", refuse)
    after = build_data(config, True)
    for name in ("source", "target"):
        first, second = (getattr(data, name).annotations for data in (before, after))
        assert first.mapping == second.mapping and list(first.image_paths) == list(second.image_paths)
        for field in ("ids", "joints", "visible", "centers", "sizes", "box_sizes"):
            np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    with pytest.raises(AssertionError, match="train.json is read"):  # with other joints it is another reading
        build_data(configured(tmp_path, **{"DATASET_SRC.JOINTS": {"cab": "lamp"}}), True)


def test_too_few_images_to_be_cut(tmp_path):
    make_excavators(tmp_path, source=1, target=1, test=1)
    with pytest.raises(InputError, match="too few images"):
        build_data(configured(tmp_path), False)


def test_images_in_folders_named_by_the_set_and_in_an_archive(excavators, tmp_path):
    folder = excavators / "target" / "images"
    tree = json.loads((excavators / "target/annotations/test.json").read_text())
    for image in tree["images"]:
        image["file_name"] = image["file_name"].removeprefix("test/")
    (tmp_path / "test.json").write_text(json.dumps(tree))
    (tmp_path / "pictures").mkdir()
    os.symlink(folder / "test", tmp_path / "pictures" / "test")
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for file in (folder / "test").iterdir():
            archive.write(file, f"all/{file.name}")
    names = []
    for more in ({"IMAGES": "pictures/{set}"}, {"IMAGES": "all", "DATA_FORMAT": "zip"}):
        settings = {f"DATASET_TARGET.{key}": value for key, value in more.items()}
        config = configured(
            excavators,
            **settings,
            **{"DATASET_TARGET.ROOT": str(tmp_path), "DATASET_TARGET.TRAIN_SET": "test.json"},
        )
        people = read_annotations(config, ImageSet(config.dataset_target, "test.json"))
        names.append([p.rpartition("/")[2] for p in people.image_paths])
    assert names[0] == names[1] == [image["file_name"] for image in tree["images"]]


def write_categories(path, *categories):
    path.write_text(json.dumps({"images": [], "annotations": [], "categories": list(categories)}))
    return path


HAND = {"id": 4, "name": "hand", "keypoints": ["thumb", "index"]}


def test_the_category_with_keypoints(tmp_path):
    path = write_categories(tmp_path / "a.json", {"id": 1, "name": "cup"}, HAND)
    category = read_category(path)
    assert (category.numbers, category.name, category.keypoints) == ((4,), "hand", ("thumb", "index"))
    path = write_categories(tmp_path / "a.json", HAND | {"id": 5, "name": "paw"}, HAND)
    assert read_category(path, ("paw",)).numbers == (5,)  # the file has changed since


@pytest.mark.parametrize(
    ("categories", "wanted", "says"),
    [
        ([{"id": 1, "name": "cup"}], "", "none of its 'categories' names any 'keypoints'"),
        ([HAND, HAND | {"id": 5, "name": "paw"}], "", "2 categories have keypoints.*CATEGORY.*hand, paw"),
        ([HAND], "hnd", "no category 'hnd' with keypoints, the nearest is 'hand'"),
        ([HAND, HAND | {"name": "paw"}], "", "two categories have the number 4"),
        ([HAND, HAND | {"id": 5}], "", "two categories have the name 'hand'"),
        ([HAND | {"keypoints": ["a", "a"]}], "", "two keypoints are called 'a'"),
        ([HAND | {"keypoints": "a"}], "", "keypoints should be a list of names"),
        ([HAND | {"keypoints": ["a", 3]}], "", "keypoints should be a list of names"),
        ([HAND | {"id": "4"}], "", "a whole number as id"),
        ([{"keypoints": ["a"]}], "", "needs id and name"),
        (["hand"], "", "needs id and name"),
    ],
)
def test_categories_that_cannot_be_used(tmp_path, categories, wanted, says):
    path = write_categories(tmp_path / "a.json", *categories)
    with pytest.raises(InputError, match=says) as error:
        read_category(path, (wanted,))
    assert str(path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("content", ["[]", "{}", '{"categories": {}}'])
def test_no_categories(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match="a.json: expected COCO's list 'categories'"):
        read_category(tmp_path / "a.json")
    with pytest.raises(InputError, match="gone.json: cannot be read"):
        read_category(tmp_path / "gone.json")


@pytest.mark.parametrize(
    "skeleton",
    [
        [[1, 2], [2, 3]], [[0, 1], [1, 2]], [["a", "b"], ["b", "c"]], [["1", "2"], ["2", "3"]], [[1.0, 2.0], [2, 3]],
        [[1, 2], [2, 3], [3, 9], [1, 1], [None, 2], [1], "x", [True, 2], ["a", "z"], [[1], 2], [{}, 1]],
    ],
)  # fmt: skip
def test_skeletons_as_tools_write_them(tmp_path, skeleton):
    kind = {"id": 1, "name": "bird", "keypoints": ["a", "b", "c"], "skeleton": skeleton}
    (tmp_path / "a.json").write_text(json.dumps({"images": [], "annotations": [], "categories": [kind]}))
    assert read_category(tmp_path / "a.json").lines == (("a", "b"), ("b", "c"))
