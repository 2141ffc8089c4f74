"""Samples in doubt as FiftyOne has them; without its database, which a data set needs."""

import json
import os

import numpy as np
import pytest

from tests.factories.exchanges import DECISIONS, EDITS, JOINTS, SIZE, found_with_image, give, take
from tests.factories.found_labels import KEYPOINTS

os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "1")
fiftyone = pytest.importorskip(
    "fiftyone", reason="fiftyone (1 GB, see requirements-interop.txt) is not installed"
)

pytestmark = pytest.mark.interop


def samples(output):
    content = json.loads((output / "samples.json").read_text())
    return [fiftyone.Sample.from_dict(sample) for sample in content["samples"]], content


def test_fiftyone_has_places_confidences_and_ids(tmp_path):
    (sample,), content = samples(give(found_with_image(tmp_path), "fiftyone"))
    assert (sample.metadata.width, sample.metadata.height) == SIZE and sample.filepath.endswith("a/5.jpg")
    fiftyone.KeypointSkeleton(labels=content["joints"], edges=content["edges"]).validate()
    for keypoint in sample["labels"].keypoints:
        shares = [
            (x / SIZE[0], y / SIZE[1]) if v else (np.nan, np.nan)
            for x, y, v in KEYPOINTS[keypoint.annotation_id]
        ]
        np.testing.assert_allclose(keypoint.points, shares, atol=1e-8)
    seven = sample["labels"].keypoints[0]
    assert seven.confidence == [0.1, 0.2, 0.9, 0.95] and seven.kind[0] == "exchanged"
    assert sample["proposed"].keypoints[0].points[0] == [0.4, 0.375]


def test_what_is_changed_is_decided(tmp_path, capsys):
    """A data set writes its samples' JSON (SampleCollection.to_dict)."""
    found = found_with_image(tmp_path)
    (sample,), _ = samples(give(found, "fiftyone"))
    for keypoint in sample["labels"].keypoints:
        for k, joint in enumerate(JOINTS):
            if (keypoint.annotation_id, joint) in EDITS:
                place = EDITS[keypoint.annotation_id, joint]
                keypoint.points[k] = (
                    [np.nan] * 2 if place is None else [place[0] / SIZE[0], place[1] / SIZE[1]]
                )
    path = tmp_path / "back.json"
    path.write_text(json.dumps({"name": "suspects", "samples": [json.loads(sample.to_json())]}))
    assert set(take(found, "fiftyone", path)) == DECISIONS and "warning" not in capsys.readouterr().out
