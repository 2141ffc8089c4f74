from dataclasses import replace

import numpy as np
import pytest

from lib.report.predictions import BEST, predict_instances
from lib.utils.checkpoint import save_checkpoint
from lib.utils.errors import InputError
from tests.factories.data_sets import write_image
from tests.factories.reports import JOINTS, annotations_of, make_run
from tests.factories.small_network import SMALL_NETWORK, small_network


@pytest.fixture
def run(tmp_path):
    """A run with two different models in its best.pth."""
    run = make_run(tmp_path / "run", settings=SMALL_NETWORK)
    models = {
        f"{role}_model": small_network(JOINTS, seed).state_dict()
        for seed, role in enumerate(("target", "source"))
    }
    save_checkpoint(run.folder / BEST, models)
    return run


@pytest.fixture
def annotations(tmp_path):
    """Four instances in two images; the second image is missing."""
    annotations = annotations_of(np.ones((4, JOINTS), int))
    write_image(tmp_path / "0.jpg")
    paths = (str(tmp_path / "0.jpg"), str(tmp_path / "1.jpg"))
    sizes = np.array([[40.0, 40], [20, 20], [40, 40], [40, 40]])
    return replace(annotations, image_paths=paths, centers=np.full((4, 2), 30.0), sizes=sizes)


def test_predictions_by_instance_without_unreadable_images(run, annotations):
    predictions = predict_instances(run, "target", annotations, [1, 2, 0])
    assert list(predictions) == [1, 0] and predictions[0].shape == (JOINTS, 2)
    assert not np.array_equal(predictions[0], predictions[1])
    (alone,) = predict_instances(run, "target", annotations, [0]).values()
    assert alone == pytest.approx(predictions[0], abs=1e-4)
    # Heatmap pixels of a crop of 40 pixels around (30, 30).
    assert (np.abs(predictions[0] - 30) <= 20).all()


def test_the_two_models_are_told_apart(run, annotations):
    target, source = (predict_instances(run, role, annotations, [0])[0] for role in ("target", "source"))
    assert not np.array_equal(target, source)


def test_without_a_checkpoint_or_a_readable_image_there_are_none(run, annotations):
    assert predict_instances(run, "target", annotations, [2, 3]) == {}
    (run.folder / BEST).unlink()
    assert predict_instances(run, "target", annotations, [0]) == {}


def test_a_checkpoint_of_another_network_is_an_error(run, annotations):
    save_checkpoint(run.folder / BEST, {"target_model": small_network(JOINTS + 1).state_dict()})
    for role in ("target", "source"):
        with pytest.raises(InputError, match=f"best.pth: expected the {role} model"):
            predict_instances(run, role, annotations, [0])
