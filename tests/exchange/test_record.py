"""The record of what was given to a tool, and which of it came back."""

import json

import pytest

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.exchange.record import Given, everything, nearest, read_records, record_path
from lib.exchange.source import Source
from lib.utils.errors import InputError
from pose_estimation.exchange_labels import main
from tests.factories.data_sets import mpii_person, read_mpii, write_mpii
from tests.factories.exchanges import L, R, exchange_of, found_with_image, give, take
from tests.factories.reviews import judge

SUSPECTS = frozenset({(7, L), (7, R)})


@pytest.fixture
def found(tmp_path):
    return found_with_image(tmp_path)


def records(found, tool="cvat"):
    source = Source(found.folder)
    return read_records(found.folder, tool, source.file, source.labels)


def test_the_record_gives_the_same_labels_again(found):
    exchange = exchange_of(found, "cvat", count=3)
    (given,) = records(found)
    assert Source(found.folder).exchange(given) == exchange and len(given.suspects) == 3


def test_what_is_given_later_comes_behind_and_nothing_is_there_twice(found):
    for count in (1, 2, 3, 1):
        exchange_of(found, "cvat", count)
    assert [len(given.suspects) for given in records(found)] == [2, 3, 1]
    assert everything(records(found)) == records(found)[1]


def test_several_people_bring_back_their_parts_in_any_order():
    parts = [Given({name: name for name in names}, frozenset()) for names in ("abc", "cde", "abc")]
    parts[2] = Given(parts[2].images, SUSPECTS)
    assert nearest(parts, {"c", "d", "e"}) is parts[1]
    assert nearest(parts, {"d"}) is parts[1]  # most images are missing
    assert nearest(parts, {"a", "b", "c"}) is parts[2]  # the last of two
    assert everything(parts) == Given({name: name for name in "abcde"}, SUSPECTS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content.update(format="lbi-exchange 9"), "no record"),
        (lambda content: content.update(given=[]), "no record"),
        (lambda content: content["given"][0].update(images=["a/5.jpg"]), "no record"),
        (lambda content: content["given"][0].update(suspects=[[7]]), "no record"),
        (lambda content: content.update(sha256="0" * 64), "another annotation file"),
        (lambda content: content["given"][0].update(images={"b.jpg": "b.jpg"}), "b.jpg"),
    ],
)
def test_records_of_something_else(found, change, message, capsys):
    exchange_of(found, "cvat")
    path = record_path(found.folder, "cvat")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match=message):
        records(found)
    argv = ["to", str(found.folder), "--tool", "cvat", "--output", str(found.folder / "out")]
    assert main(argv) == 2 and message in capsys.readouterr().err
    assert json.loads(path.read_text()) == content and not (found.folder / "out").exists()


def test_each_file_is_compared_with_the_part_that_it_is_of(tmp_path, capsys):
    """The first part is one image, the second both."""
    path = write_mpii(tmp_path, [mpii_person(), mpii_person("b.jpg")])
    found = judge(tmp_path, path, read_mpii(tmp_path, "train", MPII_KEYPOINTS, 1))
    first = give(found, "cvat", "--suspects", 1, "--images", tmp_path / "images").rename(tmp_path / "first")
    second = give(found, "cvat", "--suspects", 30, "--images", tmp_path / "images")
    assert len(take(found, "cvat", first / "annotations.xml", "--unchanged", "right")) == 1
    printed = capsys.readouterr().out
    assert "1 instances came back" in printed and "warning" not in printed
    assert len(take(found, "cvat", second / "annotations.xml", "--unchanged", "right")) == 30
    printed = capsys.readouterr().out
    assert "2 instances came back" in printed and "1 were known" in printed and "warning" not in printed
