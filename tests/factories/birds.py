"""Four birds in two pictures, for the annotation tools that tests/interop runs, and what is read of their files.

The second bird lacks its left eye, the third has only its bill, and the fourth's joints lie on a line: what tools
write of these differs (a box without width, area 0, coordinates of a joint that is not there).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.config.loader import load_config
from lib.config.schema import Config
from lib.dataset.annotations import Annotations
from lib.dataset.build import read_annotations
from lib.dataset.layouts import ImageSet
from lib.evaluation.build import evaluation_set
from lib.evaluation.inference import Predictions

JOINTS = ("bill", "left_eye", "right_eye")
LIMBS = ((0, 1), (0, 2))
WIDTH, HEIGHT = 160, 120
UNLABELED = (float("nan"), float("nan"))


@dataclass(frozen=True)
class Bird:
    """An annotated bird.

    image: file name of its picture.
    joints: x and y of each of JOINTS, or UNLABELED.
    box: x, y, width and height.
    """

    image: str
    joints: tuple[tuple[float, float], ...]
    box: tuple[float, float, float, float]


BIRDS = (
    Bird("a.png", ((12.5, 22), (30, 25), (44, 40.25)), (10, 20, 40, 30)),
    Bird("a.png", ((80.25, 50), UNLABELED, (100, 60)), (70, 40, 40, 25)),
    Bird("b.png", ((60, 70), UNLABELED, UNLABELED), (55, 60, 20, 20)),
    Bird("b.png", ((10, 50), (20, 50), (30, 50)), (5, 45, 30, 10)),
)
IMAGES = tuple(dict.fromkeys(bird.image for bird in BIRDS))


def draw_images(folder: Path, names: tuple[str, ...] = IMAGES) -> None:
    """Write a plain picture for each of ``names`` in ``folder``."""
    for shade, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), np.full((HEIGHT, WIDTH, 3), 60 + 20 * shade, np.uint8))


def configured(root: Path, file: str, **settings: object) -> tuple[Config, ImageSet]:
    """The target set ``file`` in ``root``, as a YAML names it; ``settings`` are keys of DATASET_TARGET."""
    changed = {f"DATASET_TARGET.{key.upper()}": value for key, value in settings.items()}
    names = {f"DATASET_TARGET.{key}": file for key in ("TRAIN_SET", "VAL_SET", "TEST_SET")}
    own = {
        "DATASET_TARGET.ROOT": str(root),
        "MODEL.NUM_JOINTS": len(JOINTS),
        "OUTPUT_DIR": str(root / "output"),
    }
    config = load_config("experiments/custom/excavator.yaml", own | names | changed)
    return config, ImageSet(config.dataset_target, file)


def read(root: Path, file: str, **settings: object) -> Annotations:
    """The annotations that any run with the set of `configured` reads."""
    return read_annotations(*configured(root, file, **settings))


def scores_of_the_labels(root: Path, file: str, **settings: object) -> dict[str, float]:
    """PCK and OKS-AP, in percent, of a network that predicts exactly the labels of the set of `configured`."""
    to_evaluate = evaluation_set(*configured(root, file, **settings), "test")
    joints = to_evaluate.dataset.annotations.joints
    labels = Predictions(np.arange(len(joints)), joints, np.ones(joints.shape[:2]), 0.0, 1.0)
    return to_evaluate.score(labels)


def points(annotations: Annotations) -> np.ndarray:
    """The joints, float [N, J, 2] in the order of JOINTS, with NaN where a joint is not labelled."""
    order = [annotations.mapping.names.index(joint) for joint in JOINTS]
    joints = np.where(annotations.visible[..., None] > 0, annotations.joints, np.nan)
    return joints[:, order]


def picture_names(annotations: Annotations) -> list[str]:
    """Name of the file that each object is cut out of."""
    return [Path(annotations.image_paths[index]).name for index in annotations.image_index]


def boxes(annotations: Annotations) -> np.ndarray:
    """Middle of each object's box and its longer side, float [N, 3]."""
    return np.column_stack([annotations.centers, annotations.box_sizes])


def assert_birds(annotations: Annotations, birds: tuple[Bird, ...] = BIRDS, tolerance: float = 1e-3) -> None:
    """Assert that exactly ``birds`` were read, in any order: their joints, and the pictures they are in."""
    found, names = points(annotations), picture_names(annotations)
    assert len(found) == len(birds)
    for bird in birds:
        fits = [
            i for i in range(len(found)) if np.allclose(found[i], bird.joints, atol=tolerance, equal_nan=True)
        ]
        assert [names[i] for i in fits] == [Path(bird.image).name], bird


def assert_joints_inside_crops(annotations: Annotations) -> None:
    """Assert that every labelled joint lies within the crop that its object is cut out with."""
    low, high = annotations.centers - annotations.sizes / 2, annotations.centers + annotations.sizes / 2
    joints = points(annotations)
    inside = (joints > low[:, None]) & (joints < high[:, None])
    assert (inside | np.isnan(joints)).all()


def counts(notes: Mapping[str, int]) -> list[int]:
    """The counts of one kind of a reader's notes that are above 0, the smallest first."""
    return sorted(count for count in notes.values() if count)


def assert_evaluated(root: Path, file: str, **settings: object) -> None:
    """Assert that the set can be evaluated on: its labels as predictions score 100 % throughout."""
    scores = scores_of_the_labels(root, file, **settings)
    assert {name: round(score, 6) for name, score in scores.items()} == dict.fromkeys(
        [*JOINTS, "Mean", "Mean@0.05", "OKS-AP"], 100
    )
