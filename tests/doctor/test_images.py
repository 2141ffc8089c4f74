"""Reading a sample of images, and the scale of people, by hand."""

from pathlib import Path

import numpy as np
import pytest

from lib.doctor.findings import Level
from lib.doctor.images import SAMPLED_IMAGES, SampledImages, check_images, check_scale
from tests.factories.annotations import make_annotations, write_images


def test_readable_images(tmp_path):
    annotations = make_annotations(4, paths=write_images(tmp_path))
    (finding,), sampled = check_images("test", annotations, "raise")
    assert finding.level is Level.OK and finding.subject == "test, images"
    assert finding.result.startswith("4 of 4 read") and "100 x 80" in finding.result
    assert sampled.sizes.tolist() == [[100, 80]] * 4 and sampled.total == 4
    assert sampled.bytes_decoded == 4 * 100 * 80 * 3


def test_only_a_sample_of_many_images_is_read(tmp_path):
    count = 3 * SAMPLED_IMAGES
    path = write_images(tmp_path, 1)[0]
    (finding,), sampled = check_images("source", make_annotations(count, paths=[path] * count), "raise")
    assert len(sampled.sizes) == SAMPLED_IMAGES and sampled.total == count
    assert sampled.bytes_decoded == count * 100 * 80 * 3


@pytest.mark.parametrize(("on_bad", "level"), [("raise", Level.ERROR), ("skip", Level.WARNING)])
def test_an_unreadable_image(tmp_path, on_bad, level):
    paths = write_images(tmp_path)
    Path(paths[2]).write_bytes(b"none")
    (finding,), sampled = check_images("source", make_annotations(4, paths=paths), on_bad)
    assert finding.level is level and finding.result.startswith("1 of 4 ") and paths[2] in finding.result
    assert len(sampled.sizes) == 3


def test_an_image_of_another_size(tmp_path):
    paths = write_images(tmp_path)
    write_images(tmp_path, 1, width=50)
    (finding,), _ = check_images("source", make_annotations(4, paths=paths), "raise")
    assert finding.level is Level.ERROR
    assert (
        finding.result.startswith("1 of 4 ") and "50 x 80" in finding.result and "100 x 80" in finding.result
    )
    (finding,), _ = check_images("source", make_annotations(4, paths=paths, bounds=None), "raise")
    assert finding.level is Level.OK  # nothing to compare with


def test_no_image_has_no_size():
    assert SampledImages(np.zeros((0, 2), int), 5).bytes_decoded == 0


@pytest.mark.parametrize(
    ("source_side", "level"),
    [(40.0, Level.OK), (40 / 1.3, Level.OK), (40 / 1.4, Level.WARNING), (60.0, Level.WARNING)],
)
def test_scale_of_source_and_target(source_side, level):
    """The same joints in boxes of another size."""
    target = make_annotations(side=40.0)
    source = make_annotations(side=source_side, joints=target.joints)
    findings, table = check_scale({"source": source, "target T": target}, (32, 32))
    (finding,) = [f for f in findings if f.subject == "scale of source and target"]
    assert finding.level is level
    assert f"{20 / source_side:.2f} of the box in the source, 0.50 in the target" in finding.result
    assert [row.split()[0] for row in table[1:]] == ["source", "target"] and "0.50" in table[2]


def test_crops_smaller_than_the_input():
    crop = 1.25 * 40
    findings, _ = check_scale({"test": make_annotations(side=40.0)}, (int(2 * crop), 8))
    assert findings == []
    (finding,), _ = check_scale({"test": make_annotations(side=40.0)}, (int(2 * crop) + 1, 8))
    assert (finding.level, finding.subject) == (Level.WARNING, "test, scale")


def test_the_span_needs_half_of_the_joints():
    target, source = make_annotations(), make_annotations()
    source.visible[:, 1:] = 0  # one of three labelled
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        findings, table = check_scale({"source": source, "target T": target}, (32, 32))
    assert "nan" in findings[-1].result and findings[-1].level is Level.OK
    assert table[1].split()[-1] == "-"
