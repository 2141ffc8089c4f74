"""The file of a pack: written, read back, cut off anywhere, damaged anywhere."""

import multiprocessing
import os
import time

import numpy as np
import pytest

from lib.dataset import pack_file
from lib.dataset.pack_file import Contents, NotComplete, Record


def image_record(number, boxes, reduce=1):
    return Record(f"folder/{number}\udcff.jpg", [number, 2, 3, 4], f"{number:064x}", reduce, (30, 20), boxes)


BOXES = [[[0, 0, 5, 4], [7, 1, 30, 20]], [], [[3, 3, 4, 9]]]


def pixels_of(boxes, seed):
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 256, (b - t, r - left, 3), np.uint8) for left, t, r, b in boxes]


def write(path, images=3):
    """The records of a pack and the position behind each."""
    with pack_file.locked(path) as file:
        pack_file.begin(file)
        records, ends = [], [file.tell()]
        for k in range(images):
            pixels = pixels_of(BOXES[k], k)
            records.append(pack_file.append(file, image_record(k, BOXES[k]), pixels))
            ends.append(file.tell())
        pack_file.finish(file, Contents.of(records))
    return records, ends


def assert_holds(path, contents, numbers):
    """Exactly the images ``numbers`` with their pixels."""
    assert list(contents.paths) == [image_record(k, []).path for k in numbers]
    assert contents.states[:, 0].tolist() == list(numbers)
    assert contents.sizes.tolist() == [[30, 20]] * len(numbers)
    content, region = path.read_bytes(), 0
    for place, k in enumerate(numbers):
        for box, expected in zip(BOXES[k], pixels_of(BOXES[k], k)):
            assert contents.boxes[region].tolist() == box and contents.record[region] == place
            start = contents.offsets[region]
            assert content[start : start + expected.size] == expected.tobytes()
            region += 1
    assert region == len(contents.boxes)


def read(path):
    with open(path, "rb") as file:
        return pack_file.read_contents(file)


def recovered(path):
    with open(path, "r+b") as file:
        return pack_file.recover(file)


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "new" / "a.pack"
    records, ends = write(path)
    contents = read(path)
    assert_holds(path, contents, range(3))
    assert contents.begins.tolist() == ends[:-1]
    assert [digest.decode() for digest in contents.digests] == [record.digest for record in records]
    assert_holds(path, recovered(path), range(3))
    assert_holds(path, read(path), range(3))  # the table is still the file's end


def test_more_images_can_follow_a_table_of_contents(tmp_path):
    path = tmp_path / "a.pack"
    records, _ = write(path, images=2)
    with pack_file.locked(path) as file:
        added = pack_file.append(file, image_record(2, BOXES[2]), pixels_of(BOXES[2], 2))
        contents = pack_file.recover(file)  # as after an interruption here
        assert len(contents) == 3
        pack_file.finish(file, Contents.of(records).joined(Contents.of([added])))
    assert_holds(path, read(path), range(3))
    assert_holds(path, recovered(path), range(3))


def test_a_file_cut_off_anywhere_keeps_the_images_before(tmp_path):
    path = tmp_path / "a.pack"
    _, ends = write(path)
    content = path.read_bytes()
    for length in [*range(0, ends[1], 37), *(end + d for end in ends for d in (-1, 0, 1)), len(content) - 1]:
        path.write_bytes(content[:length])
        with pytest.raises(NotComplete):
            read(path)
        whole = sum(end <= length for end in ends[1:])
        assert_holds(path, recovered(path), range(whole))
        assert path.stat().st_size in (*ends, len(content) - pack_file.TRAILER.size)


def test_a_changed_byte_anywhere_is_noticed_or_harmless(tmp_path):
    path = tmp_path / "a.pack"
    records, ends = write(path)
    content = path.read_bytes()
    for at in range(0, len(content), 11):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        damaged = [k for k in range(3) if ends[k] <= at < ends[k + 1]]
        with open(path, "rb") as file:
            whole = [pack_file.data_is_whole(file, record.begin) for record in records]
        assert [k for k in range(3) if not whole[k]] == damaged
        if at >= ends[-1]:
            with pytest.raises((NotComplete, ValueError)):
                read(path)
        contents = recovered(path)
        numbers = contents.states[:, 0].tolist()
        assert set(numbers).isdisjoint(damaged)
        assert_holds(path, contents, numbers)


@pytest.mark.parametrize(("content", "says"), [
    (b"", "empty"), (b"LBI", "header"), (b"something else entirely, of any length", "not a pack"),
    (pack_file.HEADER.pack(pack_file.MAGIC, 99, bytes(16)), "version 99"),
])  # fmt: skip
def test_files_that_are_no_packs(tmp_path, content, says):
    path = tmp_path / "a.pack"
    path.write_bytes(content)
    with pytest.raises(NotComplete, match=says):
        read(path)
    assert len(recovered(path)) == 0
    assert path.stat().st_size == pack_file.HEADER.size


def test_every_pack_has_its_own_identity(tmp_path):
    found = set()
    for name in "aba":
        write(tmp_path / name)
        with open(tmp_path / name, "rb") as file:
            found.add(pack_file.identity(file))
    assert len(found) == 3


def test_subsets_keep_regions_with_their_images(tmp_path):
    path = tmp_path / "a.pack"
    write(path)
    contents = read(path)
    for keep in ([True, False, True], [False, True, True], [False, False, False]):
        numbers = [k for k in range(3) if keep[k]]
        assert_holds(path, contents.subset(np.array(keep)), numbers)
    assert_holds(path, contents.subset(np.array([True, False, False])).joined(contents.subset(np.array([False, False, True]))), [0, 2])  # fmt: skip


def hold(path, seconds, entered):
    with pack_file.locked(path):
        entered.set()
        time.sleep(seconds)
        os.replace(path, path.with_suffix(".old"))


def test_a_second_process_waits_and_then_opens_the_file_of_that_name(tmp_path):
    path = tmp_path / "a.pack"
    write(path)
    context = multiprocessing.get_context("fork")
    entered = context.Event()
    other = context.Process(target=hold, args=(path, 0.5, entered))
    other.start()
    assert entered.wait(20)
    with pack_file.locked(path) as file:
        assert path.with_suffix(".old").exists()  # only after the other one was done
        assert os.path.samestat(os.fstat(file.fileno()), os.stat(path)) and not file.read()
    other.join()
    assert other.exitcode == 0
