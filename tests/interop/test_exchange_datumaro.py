"""Labels in doubt, given to CVAT, on their way through datumaro, which knows no skeletons."""

import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("datumaro", reason="datumaro (requirements-interop.txt) is not installed")

from datumaro.components.annotation import AnnotationType
from datumaro.components.dataset import Dataset

from lib.exchange.cvat import read
from tests.factories.exchanges import DECISIONS, exchange_of, found_with_image, give, take
from tests.factories.found_labels import KEYPOINTS
from tests.factories.tool_edits import edit_cvat

pytestmark = pytest.mark.interop


def through_datumaro(found, path):
    """The XML file that datumaro writes of the one at ``path``."""
    if path.name != "annotations.xml":
        path.replace(path.with_name("annotations.xml"))
    dataset = Dataset.import_from(str(path.parent), "cvat")
    dataset.export(str(found.folder / "back"), "cvat", save_media=True)
    return dataset, found.folder / "back/annotations.xml"


def test_datumaro_reads_every_point_with_its_attributes(tmp_path):
    found = found_with_image(tmp_path)
    dataset, _ = through_datumaro(found, give(found, "cvat") / "annotations.xml")
    (item,) = dataset
    names = dataset.categories()[AnnotationType.label]
    points = {
        (int(each.attributes["annotation_id"]), names[each.label].name): (
            each.points,
            each.attributes.get("probability"),
        )
        for each in item.annotations
    }
    assert len(points) == len(item.annotations) == 8
    for number, labels in KEYPOINTS.items():
        for joint, (x, y, v) in zip(found.file.joints, labels):
            assert not v or points[number, joint][0] == [x, y]
    assert points[7, "left_wrist"][1] == "0.9000"


def test_what_datumaro_writes_is_read_as_it_was(tmp_path):
    found = found_with_image(tmp_path)
    path = give(found, "cvat") / "annotations.xml"
    _, back = through_datumaro(found, path)
    assert not ET.parse(back).findall("image/skeleton")  # taken apart
    exchange = exchange_of(found, "cvat")
    assert read(back, exchange) == read(path, exchange)


def test_a_point_that_was_hidden_comes_out_of_datumaro_as_it_was(tmp_path, capsys):
    """datumaro loses "outside"; all other changes come through."""
    found = found_with_image(tmp_path)
    _, back = through_datumaro(found, edit_cvat(give(found, "cvat")))
    assert set(take(found, "cvat", back)) == {each for each in DECISIONS if each[2] != "wrong"}
    assert "warning" not in capsys.readouterr().out
