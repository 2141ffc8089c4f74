import numpy as np
import pytest

from benchmarks.evaluation import CODEC, People, check_agreement, coco_annotations, in_one_sweep, measure_ap
from lib.dataset.heatmap import to_image
from tests.reference import plain_evaluation


def test_the_evaluation_finds_what_the_plain_loop_finds():
    people = People(40)
    check_agreement(people)
    assert 20 < in_one_sweep(people)[-2] < 99  # neither all wrong nor all right
    coords, scores = CODEC.decode(people.heatmaps)
    plain_coords, plain_scores = plain_evaluation.decode(people.heatmaps)
    np.testing.assert_array_equal(coords, plain_coords)
    np.testing.assert_array_equal(scores, plain_scores)
    of_crops = (people.centers, people.sizes, CODEC.heatmap_size)
    np.testing.assert_allclose(
        to_image(coords, *of_crops), plain_evaluation.to_image(coords, *of_crops), rtol=0, atol=1e-9
    )


def test_another_result_of_the_plain_loop_is_noticed(monkeypatch):
    people = People(40)
    monkeypatch.setattr(plain_evaluation, "decode_joint", lambda heatmap: (0.0, 0.0, 1.0))
    with pytest.raises(RuntimeError, match="differ"):
        check_agreement(people)


def test_predictions_of_coco_are_made_and_scored():
    assert all(seconds > 0 for seconds in measure_ap(60))
    written = coco_annotations(np.arange(4 * 17 * 2).reshape(4, 17, 2).astype(float))
    assert [a["image_id"] for a in written["annotations"]] == [0, 0, 1, 1]
    assert written["annotations"][0]["bbox"] == [0, 1, 32, 32]
