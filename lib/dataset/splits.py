"""Split a training set into the training part T and the validation part V."""

import numpy as np

from lib.dataset.annotations import Annotations

VALIDATION_SHARE = 3  # every third image (or annotation) is for validation


def is_validation(annotations: Annotations, split: str) -> np.ndarray:
    """Return which annotations belong to V.

    The result depends on the image names (or the order of the annotations) alone, so it is the same on
    every machine.

    Args:
        annotations: N instances.
        split: "image" keeps all instances of an image in the same part; "annotation" takes every third
            annotation, as the original LBI code does.

    Returns:
        bool [N].
    """
    if split == "annotation":
        return np.arange(len(annotations)) % VALIDATION_SHARE == 0
    rank_of_image = np.argsort(np.argsort(list(annotations.image_paths)))
    return rank_of_image[annotations.image_index] % VALIDATION_SHARE == 0
