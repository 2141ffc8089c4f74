import json
from dataclasses import replace

import pytest

from lib.review.annotated import Annotated, read_annotated
from lib.review.found import sha256_of


def described(found, content):
    found.path.write_text(json.dumps(content))
    return read_annotated(replace(found.file, sha256=sha256_of(found.path)))


def test_sizes_and_annotators(found):
    known = read_annotated(found.file)
    assert known.sizes == {"a/5.jpg": (100, 80)} and known.annotators == {7: "107", 3: "103"}


def test_what_is_not_known_or_makes_no_sense_is_left_out(found):
    images = [{"file_name": "b.jpg", "width": 9, "height": None}, {"width": 9, "height": 9}, 5]
    people = [{"id": 1, "annotator": "ann", "annotator_id": 4}, {"id": 2, "annotator": None}, {"id": "3", "annotator": "bob"}]  # fmt: skip
    assert described(found, {"images": images, "annotations": people}) == Annotated({}, {1: "ann"})


@pytest.mark.parametrize("content", [[], {}, {"images": 5, "annotations": None}])
def test_files_without_them(found, content):
    assert described(found, content) == Annotated({}, {})


def test_mpii_s_layout_has_neither(found):
    assert read_annotated(replace(found.file, layout="mpii")) == Annotated({}, {})
