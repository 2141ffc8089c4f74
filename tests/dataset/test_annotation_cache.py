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
from lib.dataset.coco_file import annotation_file, image_folder
from lib.dataset.image_index import IMAGE_MISSING
from lib.dataset.image_sizes import SIZES_READ
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco, write_image

SET = "train2017"


class CountingReader:
    """A data set in COCO's layout, a cache folder, and the number of times that files were read and hashed."""

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
        def read_and_count():
            self.reads += 1
            return read_coco(self.root, SET, names, aspect)

        cache = self.cache if folder == "cache" else folder
        with captured_messages() as messages:
            annotations = load_or_build(cache, self.key(names, aspect, **changed), read_and_count)
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
def reader(tmp_path, monkeypatch, request):
    """With files that seem old enough for their times to be trusted, and as new as they are."""
    granularity = -(10**10) if request.param == "settled" else 10**12
    monkeypatch.setattr("lib.dataset.file_state.MTIME_GRANULARITY_NS", granularity)
    monkeypatch.setattr(cache_module, "MIN_JSON_BYTES", 1)
    counting = CountingReader(tmp_path)
    plain_hash = cache_module.hash_file

    def counted(path):
        counting.hashes += 1
        return plain_hash(path)

    monkeypatch.setattr(cache_module, "hash_file", counted)
    counting.settled = request.param == "settled"
    return counting


def assert_same_people(one, other):
    assert one.mapping == other.mapping and list(one.image_paths) == list(other.image_paths)
    first, second = one.arrays(), other.arrays()
    assert first.keys() == second.keys()
    for name, array in first.items():
        assert array.dtype == second[name].dtype
        np.testing.assert_array_equal(array, second[name])


def test_the_second_start_reads_nothing(reader):
    first = reader.read()
    reader.hashes = 0
    second = reader.read()
    assert reader.reads == 1 and reader.messages == []
    assert reader.hashes == (0 if reader.settled else 1)
    assert_same_people(first, second)
    assert isinstance(second, Annotations) and second.image_ids is not None and second.head_sizes is None


def test_what_is_kept_is_mapped_and_can_be_read_by_numpy_alone(reader):
    expected = reader.read()
    people, content = reader.read(), reader.file.read_bytes()
    for name, array in people.arrays().items():
        assert array.flags.aligned and array.flags.c_contiguous, name
        assert isinstance(array.base, np.memmap), name
    people.joints[:] = -1  # a process may change its own
    assert reader.file.read_bytes() == content
    with open(reader.file, "rb") as file:
        head = json.loads(np.load(file, allow_pickle=False).tobytes())
        for name in head["arrays"]:
            np.testing.assert_array_equal(np.load(file, allow_pickle=False), expected.arrays()[name])


def test_other_content_of_the_same_size_is_noticed(reader):
    reader.read()
    reader.change(bbox=[8, 6, 21, 39])
    people = reader.read()
    assert reader.reads == 2
    assert_same_people(people, read_coco(reader.root, SET, COCO_KEYPOINTS, 0.75))
    reader.read()
    assert reader.reads == 2 and reader.messages == []


def test_other_content_with_the_same_size_and_time_is_noticed(reader):
    reader.read()
    before = reader.json.stat()
    reader.change(id=4)
    os.utime(reader.json, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reader.json.stat().st_mtime_ns == before.st_mtime_ns
    assert reader.read().ids.tolist() == [0, 1, 2, 4, 4]


def test_another_time_of_the_same_content_is_no_change(reader):
    first = reader.read()
    os.utime(reader.json, (1, 1))
    reader.hashes = 0
    assert_same_people(reader.read(), first)
    assert reader.reads == 1 and reader.hashes == 1


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
def test_other_settings_are_another_reading(reader, changed):
    reader.read()
    if "images" in changed:
        changed = {"images": ImageFolder(image_folder(reader.root, SET), changed["images"])}
        changed["images"].location.write_bytes(b"")
    names, aspect = changed.get("names", COCO_KEYPOINTS), changed.get("aspect", 0.75)
    assert_same_people(reader.read(**changed), read_coco(reader.root, SET, names, aspect))
    assert reader.reads == 2
    reader.read()
    assert reader.reads == 2  # the first is still there


def test_a_file_of_other_settings_under_the_name_is_not_taken(reader, monkeypatch):
    reader.read()
    monkeypatch.setattr(cache_module, "VERSION", cache_module.VERSION + 1)
    other, first = reader.key(), reader.file
    first.rename(other.cache_file(reader.cache))
    reader.read()
    assert reader.reads == 2 and len(list(reader.cache.iterdir())) == 1


def test_images_that_come_and_go(reader):
    reader.read()
    write_image(reader.root / "images" / SET / "another.jpg")
    reader.read()
    assert reader.reads == 1
    (reader.root / "images" / SET / "000000000002.jpg").unlink()
    with pytest.raises(InputError, match="'000000000002.jpg' is not in"):
        reader.read()
    assert reader.reads == 2


def test_a_missing_file_is_the_readers_to_tell(reader):
    reader.read()
    reader.json.unlink()
    with pytest.raises(InputError, match="No such file"):
        reader.read()


def test_a_missing_folder_is_the_readers_to_tell(reader):
    reader.read()
    (reader.root / "images" / SET).rename(reader.root / "elsewhere")
    with pytest.raises(InputError, match="cannot read the image folder"):
        reader.read()


def test_what_changes_while_it_is_read_is_not_kept(reader):
    def changing():
        people = read_coco(reader.root, SET, COCO_KEYPOINTS, 0.75)
        reader.change(id=4)
        return people

    with captured_messages() as messages:
        load_or_build(reader.cache, reader.key(), changing)
    assert not reader.cache.exists() and messages == []
    assert reader.read().ids.tolist() == [0, 1, 2, 4, 4]


def damaged_ways(content):
    yield from (content[: int(share * len(content))] for share in (0, 0.02, 0.2, 0.5, 0.9, 0.999))
    yield b"no arrays\n"
    yield content + b"more"
    for at in range(0, len(content), 41):
        yield content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_damaged_file_is_made_again(reader):
    expected = reader.read()
    content = reader.file.read_bytes()
    logged = 0
    for damaged in damaged_ways(content):
        reader.file.write_bytes(damaged)
        reader.messages.clear()
        assert_same_people(reader.read(), expected)
        for message in reader.messages:
            assert str(reader.file) in message and "corrupt" in message
        logged += len(reader.messages)
        reads = reader.reads
        reader.read()
        assert reader.reads == reads and len(reader.messages) < 2
    assert (
        logged > 50
    )  # a flipped bit in a file's state or hash counts as a changed file, which is not logged


class Bomb:
    def __reduce__(self):
        return (os.mkdir, ("exploded",))


@pytest.mark.parametrize("pickled", ["plain", "array"])
def test_nothing_is_unpickled(reader, pickled, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    reader.read()
    if pickled == "plain":
        reader.file.write_bytes(pickle.dumps(Bomb()))
    else:
        with open(reader.file, "wb") as file:
            np.save(file, np.array([Bomb()]), allow_pickle=True)
    reader.read()
    assert len(reader.messages) == 1 and not (tmp_path / "exploded").exists()


def test_a_folder_that_cannot_be_written_is_done_without(reader, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        reader.messages.clear()
        expected = read_coco(reader.root, SET, COCO_KEYPOINTS, 0.75)
        assert_same_people(reader.read(folder=folder), expected)
        (message,) = reader.messages
        assert str(folder) in message and "cannot write" in message


def test_without_a_folder_nothing_is_kept(reader):
    reader.read(folder=None)
    reader.read(folder=None)
    assert reader.reads == 2 and not reader.cache.exists()


def test_small_files_are_not_worth_it(reader, monkeypatch):
    monkeypatch.setattr(cache_module, "MIN_JSON_BYTES", reader.json.stat().st_size + 1)
    reader.read()
    reader.read()
    assert reader.reads == 2 and not reader.cache.exists()


def test_annotations_that_depend_on_missing_images_are_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module, "MIN_JSON_BYTES", 1)
    data = CountingReader(tmp_path)
    whole = data.read(None)
    for notes in (ReadingNotes(left_out={IMAGE_MISSING: 1}), ReadingNotes(filled_in={SIZES_READ: 1})):
        load_or_build(data.cache, data.key(), lambda notes=notes: replace(whole, notes=notes))
        assert not data.cache.exists()
    load_or_build(data.cache, data.key(), lambda: whole)
    assert data.file.exists()
