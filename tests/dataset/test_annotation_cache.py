"""Annotations from an earlier start: never stale, never an error."""

import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest

import lib.dataset.annotation_cache as cache_module
from lib.dataset.annotation_cache import CacheKey, load_or_build
from lib.dataset.annotations import Annotations
from lib.dataset.coco import annotation_file, image_folder
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco, write_image

SET = "train2017"


class Place:
    """A COCO layout, a folder for the cache, and a count of what was really read."""

    def __init__(self, folder):
        self.root, self.cache = folder / "coco", folder / "cache"
        self.people = [coco_person(n, 1 + n % 3) for n in range(5)]
        self.json = write_coco(self.root, self.people, [coco_image(n) for n in (1, 2, 3)])
        self.reads, self.hashes, self.messages = 0, 0, []

    def key(self, names=COCO_KEYPOINTS, aspect=0.75, **changed):
        mapping = joint_mapping("coco", names)
        files, images = (annotation_file(self.root, SET),), ImageFolder(image_folder(self.root, SET))
        return replace(CacheKey("coco", mapping, {"aspect": aspect}, files, images), **changed)

    def read(self, folder="cache", names=COCO_KEYPOINTS, aspect=0.75, **changed):
        def really():
            self.reads += 1
            return read_coco(self.root, SET, names, aspect)

        where = self.cache if folder == "cache" else folder
        with captured_messages() as messages:
            annotations = load_or_build(where, self.key(names, aspect, **changed), really)
        self.messages += messages
        return annotations

    def change(self, **changed):
        """One value of the file, which keeps its length."""
        before = self.json.stat().st_size
        self.people[3] |= changed
        tree = json.loads(self.json.read_text()) | {"annotations": self.people}
        self.json.write_text(json.dumps(tree))
        assert self.json.stat().st_size == before

    @property
    def file(self):
        (path,) = self.cache.iterdir()
        return path


@pytest.fixture(params=["settled", "just written"])
def place(tmp_path, monkeypatch, request):
    """With files that seem old enough for their times to be trusted, and as new as they are."""
    monkeypatch.setattr(
        cache_module, "MTIME_GRANULARITY_NS", -(10**10) if request.param == "settled" else 10**12
    )
    monkeypatch.setattr(cache_module, "MIN_JSON_BYTES", 1)
    made = Place(tmp_path)
    plain_hash = cache_module.hash_file

    def counted(path):
        made.hashes += 1
        return plain_hash(path)

    monkeypatch.setattr(cache_module, "hash_file", counted)
    made.settled = request.param == "settled"
    return made


def assert_same_people(one, other):
    assert one.mapping == other.mapping and list(one.image_paths) == list(other.image_paths)
    first, second = one.arrays(), other.arrays()
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name])


def test_the_second_start_reads_nothing(place):
    first = place.read()
    place.hashes = 0
    second = place.read()
    assert place.reads == 1 and place.messages == []
    assert place.hashes == (0 if place.settled else 1)
    assert_same_people(first, second)
    assert isinstance(second, Annotations) and second.image_ids is not None and second.head_sizes is None


def test_what_is_kept_is_mapped_and_can_be_read_by_numpy_alone(place):
    expected = place.read()
    people, content = place.read(), place.file.read_bytes()
    for name, array in people.arrays().items():
        assert array.flags.aligned and array.flags.c_contiguous, name
        assert isinstance(array.base, np.memmap), name
    people.joints[:] = -1  # a process may change its own
    assert place.file.read_bytes() == content
    with open(place.file, "rb") as file:
        head = json.loads(np.load(file, allow_pickle=False).tobytes())
        for name in head["arrays"]:
            np.testing.assert_array_equal(np.load(file, allow_pickle=False), expected.arrays()[name])


def test_other_content_of_the_same_size_is_noticed(place):
    place.read()
    place.change(bbox=[8, 6, 21, 39])
    people = place.read()
    assert place.reads == 2
    assert_same_people(people, read_coco(place.root, SET, COCO_KEYPOINTS, 0.75))
    place.read()
    assert place.reads == 2 and place.messages == []


def test_other_content_with_the_same_size_and_time_is_noticed(place):
    place.read()
    before = place.json.stat()
    place.change(id=4)
    os.utime(place.json, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert place.json.stat().st_mtime_ns == before.st_mtime_ns
    assert place.read().ids.tolist() == [0, 1, 2, 4, 4]


def test_another_time_of_the_same_content_is_no_change(place):
    first = place.read()
    os.utime(place.json, (1, 1))
    place.hashes = 0
    assert_same_people(place.read(), first)
    assert place.reads == 1 and place.hashes == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"names": SHARED_KEYPOINTS},
        {"names": COCO_KEYPOINTS[::-1]},
        {"aspect": 1.0},
        {"settings": {"aspect": 0.75, "split": "image"}},
        {"images": "zip"},
        {"name": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_other_settings_are_another_reading(place, changed):
    place.read()
    if "images" in changed:
        changed = {"images": ImageFolder(image_folder(place.root, SET), changed["images"])}
        changed["images"].location.write_bytes(b"")
    names, aspect = changed.get("names", COCO_KEYPOINTS), changed.get("aspect", 0.75)
    assert_same_people(place.read(**changed), read_coco(place.root, SET, names, aspect))
    assert place.reads == 2
    place.read()
    assert place.reads == 2  # the first is still there


def test_a_file_of_other_settings_under_the_name_is_not_taken(place, monkeypatch):
    place.read()
    monkeypatch.setattr(cache_module, "VERSION", cache_module.VERSION + 1)
    other, first = place.key(), place.file
    first.rename(other.cache_file(place.cache))
    place.read()
    assert place.reads == 2 and len(list(place.cache.iterdir())) == 1


def test_images_that_come_and_go(place):
    place.read()
    write_image(place.root / "images" / SET / "another.jpg")
    place.read()
    assert place.reads == 1
    (place.root / "images" / SET / "000000000002.jpg").unlink()
    with pytest.raises(InputError, match="'000000000002.jpg' is not in"):
        place.read()
    assert place.reads == 2


def test_a_missing_file_is_the_readers_to_tell(place):
    place.read()
    place.json.unlink()
    with pytest.raises(InputError, match="No such file"):
        place.read()


def test_a_missing_folder_is_the_readers_to_tell(place):
    place.read()
    (place.root / "images" / SET).rename(place.root / "elsewhere")
    with pytest.raises(InputError, match="cannot read the image folder"):
        place.read()


def test_what_changes_while_it_is_read_is_not_kept(place):
    def changing():
        people = read_coco(place.root, SET, COCO_KEYPOINTS, 0.75)
        place.change(id=4)
        return people

    with captured_messages() as messages:
        load_or_build(place.cache, place.key(), changing)
    assert not place.cache.exists() and messages == []
    assert place.read().ids.tolist() == [0, 1, 2, 4, 4]


def damaged_ways(content):
    yield from (content[: int(share * len(content))] for share in (0, 0.02, 0.2, 0.5, 0.9, 0.999))
    yield b"no arrays\n"
    yield content + b"more"
    for at in range(0, len(content), 41):
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_damaged_file_is_made_again(place):
    expected = place.read()
    content = place.file.read_bytes()
    noted = 0
    for damaged in damaged_ways(content):
        place.file.write_bytes(damaged)
        place.messages.clear()
        assert_same_people(place.read(), expected)
        for message in place.messages:
            assert str(place.file) in message and "corrupt" in message
        noted += len(place.messages)
        reads = place.reads
        place.read()
        assert place.reads == reads and len(place.messages) < 2
    assert noted > 50  # a flipped bit in a file's stamp or hash is a file that has changed, without a note


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("pickled", ["plain", "array"])
def test_nothing_is_unpickled(place, pickled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place.read()
    if pickled == "plain":
        place.file.write_bytes(pickle.dumps(Bomb()))
    else:
        with open(place.file, "wb") as file:
            np.save(file, np.array([Bomb()]), allow_pickle=True)
    place.read()
    assert len(place.messages) == 1 and not (tmp_path / "exploded").exists()


def test_a_folder_that_cannot_be_written_is_done_without(place, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        place.messages.clear()
        expected = read_coco(place.root, SET, COCO_KEYPOINTS, 0.75)
        assert_same_people(place.read(folder=folder), expected)
        (message,) = place.messages
        assert str(folder) in message and "cannot write" in message


def test_without_a_folder_nothing_is_kept(place):
    place.read(folder=None)
    place.read(folder=None)
    assert place.reads == 2 and not place.cache.exists()


def test_small_files_are_not_worth_it(place, monkeypatch):
    monkeypatch.setattr(cache_module, "MIN_JSON_BYTES", place.json.stat().st_size + 1)
    place.read()
    place.read()
    assert place.reads == 2 and not place.cache.exists()
