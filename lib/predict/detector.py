"""Person detection with torchvision's Faster R-CNN, trained on COCO."""

from http.client import HTTPException
from pathlib import Path

import torch
import torchvision

from lib.dataset.coco_file import PERSON
from lib.predict.people import People
from lib.predict.sources import Frame
from lib.utils.errors import InputError

DETECTORS = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)
BATCH_SIZE = 4  # images


class Detector:
    """Detects the people in images.

    Args:
        name: One of ``DETECTORS``.
        device: Where the detector runs.
        min_score: Detections with a lower score are dropped.
        max_overlap: Of detections with a higher IoU, only the best one is kept.

    Raises:
        InputError: The weights are neither in torch's cache nor can be downloaded.
    """

    def __init__(self, name: str, device: torch.device, min_score: float, max_overlap: float):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        cached = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, HTTPException, RuntimeError) as error:
            raise InputError(
                f"--detect: weights of {name} not found at {cached}, and {weights.url} cannot be downloaded "
                f"({error}); put the file there, or give boxes (--boxes, --box)"
            ) from error
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        model.load_state_dict(state)
        self.model = model.to(device).eval()
        self.device = device
        self.min_score, self.max_overlap = min_score, max_overlap

    @torch.inference_mode()
    def __call__(self, frames: list[Frame]) -> list[People]:
        """The people of each of ``frames``."""
        people = []
        for start in range(0, len(frames), BATCH_SIZE):
            batch = frames[start : start + BATCH_SIZE]
            images = [torch.from_numpy(frame.image).to(self.device) for frame in batch]
            outputs = self.model([image.permute(2, 0, 1).float() / 255 for image in images])
            people += [self._people(output) for output in outputs]
        return people

    def _people(self, output: dict) -> People:
        """Convert torchvision's detections (boxes as x1, y1, x2, y2) of one image."""
        is_person = output["labels"] == PERSON
        boxes = output["boxes"][is_person].double().cpu().numpy()
        boxes[:, 2:] -= boxes[:, :2]
        scores = output["scores"][is_person].double().cpu().numpy()
        return People.from_boxes(boxes, scores).filtered(self.min_score, self.max_overlap)
