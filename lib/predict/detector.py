"""People by a detector of torchvision, trained on COCO."""

from http.client import HTTPException
from pathlib import Path

import torch
import torchvision

from lib.dataset.coco import PERSON
from lib.predict.people import People
from lib.predict.sources import Frame
from lib.utils.errors import InputError

DETECTORS = (
    "fasterrcnn_resnet50_fpn",
    "fasterrcnn_resnet50_fpn_v2",
    "fasterrcnn_mobilenet_v3_large_fpn",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
)
AT_ONCE = 4  # images in a batch of the detector


class Detector:
    """Finds people in images. Raises InputError where the weights are neither here nor can be fetched."""

    def __init__(self, name: str, device: torch.device, min_score: float, max_overlap: float):
        weights = torchvision.models.get_model_weights(name).DEFAULT
        kept = Path(torch.hub.get_dir(), "checkpoints", weights.url.rpartition("/")[2])
        try:
            state = weights.get_state_dict(progress=False, check_hash=True)
        except (OSError, HTTPException, RuntimeError) as error:
            raise InputError(
                f"--detect: the weights of {name} are not at {kept} and {weights.url} cannot be fetched ({error}); "
                "put them there, or give boxes (--boxes, --box)"
            ) from error
        model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
        model.load_state_dict(state)
        self.model = model.to(device).eval()
        self.device = device
        self.min_score, self.max_overlap = min_score, max_overlap

    @torch.inference_mode()
    def __call__(self, frames: list[Frame]) -> list[People]:
        people = []
        for start in range(0, len(frames), AT_ONCE):
            images = [torch.from_numpy(f.image).to(self.device) for f in frames[start : start + AT_ONCE]]
            found = self.model([image.permute(2, 0, 1).float() / 255 for image in images])
            people += [self._people(detections) for detections in found]
        return people

    def _people(self, detections: dict) -> People:
        is_person = detections["labels"] == PERSON
        boxes = detections["boxes"][is_person].double().cpu().numpy()
        boxes[:, 2:] -= boxes[:, :2]
        scores = detections["scores"][is_person].double().cpu().numpy()
        return People(boxes, scores).filtered(self.min_score, self.max_overlap)
