"""Which source labels are wrong, where that is known: a truth file beside the annotations."""

from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.coco import annotation_file
from lib.dataset.people import read_truth


def wrong_labels(root: str | Path, image_set: str, people: Annotations) -> np.ndarray | None:
    """[N, J] true where the label of a COCO-layout set is wrong; None where nobody knows."""
    path = annotation_file(root, image_set).with_name(f"person_keypoints_{image_set}_truth.json")
    if people.mapping.dataset != "coco" or not path.exists():
        return None
    truth = read_truth(path)["annotations"]
    wrong = np.array([truth[number]["wrong"] for number in people.ids.tolist()])
    return wrong[:, list(people.mapping.index)]
