from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision

from lib.predict.detector import DETECTORS, Detector
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError


def test_detector_without_weights_and_without_network(tmp_path, monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr("torch.hub.urlopen", unreachable)
    with pytest.raises(InputError) as error:
        Detector(DETECTORS[0], torch.device("cpu"), 0.5, 0.7)
    message = str(error.value)
    assert "\n" not in message and "no network" in message and "--boxes" in message
    assert f"{tmp_path}/hub/checkpoints/fasterrcnn_resnet50_fpn_coco-" in message and "https://" in message


def test_detector_keeps_people_in_pixels_of_the_image(monkeypatch):
    """With a stand-in for torchvision's model, which returns fixed detections and keeps its input."""
    inputs = []

    class FixedDetections(torch.nn.Module):
        def forward(self, images):
            inputs.extend(images)
            output = {"boxes": torch.tensor([[1.0, 2, 11, 22], [1, 2, 11, 21], [30, 0, 40, 9], [5, 5, 9, 9]]),
                     "labels": torch.tensor([1, 1, 1, 2]), "scores": torch.tensor([0.9, 0.8, 0.3, 0.9])}  # fmt: skip
            return [output for _ in images]

    class Weights:
        url = "https://example.org/weights.pth"

        def get_state_dict(self, **_):
            return {}

    class All:
        DEFAULT = Weights()

    monkeypatch.setattr(torchvision.models, "get_model_weights", lambda _: All)
    monkeypatch.setattr(torchvision.models, "get_model", lambda *_, **__: FixedDetections())
    image = np.zeros((30, 40, 3), np.uint8)
    image[..., 0] = 255  # red
    frames = [Frame(Source(Path("a.jpg")), image)] * 6
    people = Detector(DETECTORS[0], torch.device("cpu"), 0.5, 0.7)(frames)
    assert [of_frame.boxes.tolist() for of_frame in people] == [[[1, 2, 10, 20]]] * 6
    assert people[0].scores == pytest.approx([0.9])
    assert len(inputs) == 6 and inputs[0].shape == (3, 30, 40)
    assert inputs[0][0].min() == 1 and inputs[0][1:].max() == 0
