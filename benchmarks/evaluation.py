"""Evaluation without its network: heatmaps to joints to PCKh, and the scoring of predictions.

    python benchmarks/evaluation.py [--people 3000] [--predictions 100000] [--repeat 5] [--json FILE]

Times decoding, un-cropping and PCKh of MPII-like people, batch by batch as in validation, against a plain
loop over joints, which must find the same; and the scoring of predictions: PCKh, and COCO's AP (once).
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch

from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.dataset.heatmap import HeatmapCodec, to_image
from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.evaluation.coco import PoseNMS, PredictedPoses, coco_average_precision, coco_results
from lib.evaluation.pck import normalized_errors, pckh
from tests.reference import plain_evaluation

CODEC = HeatmapCodec((192, 256), (48, 64), 2)
BATCH = 32
IN_IMAGE = 20  # predictions of one COCO image, as many as its evaluation looks at


class People:
    """MPII-like people in images, and heatmaps [N, 16, 64, 48] that show their joints roughly."""

    def __init__(self, count: int):
        rng = np.random.default_rng(0)
        joints = len(MPII_KEYPOINTS)
        self.centers, self.sizes = (
            rng.uniform(200, 900, (count, 2)),
            rng.uniform(150, 500, (count, 1)) * (1, 4 / 3),
        )
        self.head_sizes = self.sizes[:, 0] / 8
        self.visible = rng.random((count, joints)) < 0.9
        in_crop = rng.uniform(0.1, 0.9, (count, joints, 2)) * CODEC.image_size
        self.joints = self.centers[:, None] + (in_crop / CODEC.image_size - 0.5) * self.sizes[:, None]
        predicted = in_crop + rng.normal(0, 8, in_crop.shape)
        self.heatmaps = np.stack([CODEC.encode(person, np.ones(joints))[0] for person in predicted])
        # Between equal neighbours the place of a peak would be a matter of rounding.
        self.heatmaps += 0.01 * rng.random(self.heatmaps.shape, np.float32)

    def batches(self):
        """The slices of the people, ``BATCH`` at a time."""
        return (slice(i, i + BATCH) for i in range(0, len(self.heatmaps), BATCH))


def in_one_sweep(people: People) -> list[float]:
    """PCKh of the joint groups and its means, in percent."""
    predicted = []
    for part in people.batches():
        coords, _ = CODEC.decode(people.heatmaps[part])
        predicted.append(to_image(coords, people.centers[part], people.sizes[part], CODEC.heatmap_size))
    errors = normalized_errors(np.concatenate(predicted), people.joints, people.head_sizes)
    return [*pckh(errors, people.visible, MPII_KEYPOINTS).values()]


def joint_by_joint(people: People) -> list[float]:
    """PCKh of every joint in percent, from the plain loop."""
    predicted = []
    for part in people.batches():
        coords, _ = plain_evaluation.decode(people.heatmaps[part])
        predicted.append(
            plain_evaluation.to_image(coords, people.centers[part], people.sizes[part], CODEC.heatmap_size)
        )
    return plain_evaluation.correct_share(
        np.concatenate(predicted), people.joints, people.visible, people.head_sizes
    )


def check_agreement(people: People) -> None:
    """Raise RuntimeError if the two ways differ in a group's PCKh."""
    plain = dict(zip(MPII_KEYPOINTS, joint_by_joint(people)))
    expected = [plain["head_top"]]
    expected += [
        (plain[f"left_{name}"] + plain[f"right_{name}"]) / 2
        for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    ]
    if not np.allclose(in_one_sweep(people)[:7], expected, rtol=0, atol=1e-9):
        raise RuntimeError("the evaluation and the plain loop differ")


def measure_decoding(count: int, repeat: int) -> dict[str, float]:
    """Median seconds to decode and score ``count`` people, of both ways."""
    people = People(count)
    check_agreement(people)
    return median_times(
        {
            "in one sweep": lambda: in_one_sweep(people),
            "joint by joint": lambda: joint_by_joint(people),
        },
        repeat,
    )


def measure_pckh(predictions: int, repeat: int) -> float:
    """Median seconds to compute the PCKh of ``predictions`` people."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(0, 1000, (predictions, len(MPII_KEYPOINTS), 2))
    predicted = truth + rng.normal(0, 20, truth.shape)
    visible, heads = rng.random(truth.shape[:2]) < 0.9, rng.uniform(20, 80, predictions)

    def score() -> dict[str, float]:
        return pckh(normalized_errors(predicted, truth, heads), visible, MPII_KEYPOINTS)

    return median_times({"PCKh": score}, repeat)["PCKh"]


def measure_ap(predictions: int) -> tuple[float, float]:
    """Seconds to make COCO results of ``predictions``, with OKS-NMS, and to score as many."""
    rng = np.random.default_rng(0)
    images = max(1, predictions // IN_IMAGE)
    people = rng.uniform(0, 400, (2 * images, 1, 2)) + rng.uniform(0, 120, (2 * images, 17, 2))
    image_ids = np.arange(predictions) % images
    joints = people[2 * image_ids + rng.integers(0, 2, predictions)]
    joints = joints + rng.normal(0, 5, joints.shape)
    poses = PredictedPoses(
        joints, rng.random(joints.shape[:2]), image_ids, np.ones(predictions), np.full(predictions, 2e4)
    )
    begun = time.perf_counter()
    coco_results(poses, PoseNMS(in_vis_thre=0.2, oks_thre=0.9))
    made = time.perf_counter() - begun
    everyone = coco_results(poses, PoseNMS(in_vis_thre=0.2, oks_thre=None))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "annotations.json"
        path.write_text(json.dumps(coco_annotations(people)))
        begun = time.perf_counter()
        coco_average_precision(path, everyone)
        return made, time.perf_counter() - begun


def coco_annotations(people: np.ndarray) -> dict:
    """A COCO file of ``people`` [N, 17, 2], two in every image."""
    low, size = people.min(axis=1), np.ptp(people, axis=1)
    keypoints = np.concatenate([people, np.full((*people.shape[:2], 1), 2)], axis=2).reshape(len(people), -1)
    annotations = [
        {
            "id": i,
            "image_id": i // 2,
            "category_id": 1,
            "bbox": [*low[i].tolist(), *size[i].tolist()],
            "area": float(0.6 * size[i].prod()),
            "iscrowd": 0,
            "num_keypoints": 17,
            "keypoints": keypoints[i].tolist(),
        }
        for i in range(len(people))
    ]
    images = [
        {"id": i, "file_name": f"{i}.jpg", "width": 640, "height": 640} for i in range(len(people) // 2)
    ]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def measure(arguments: argparse.Namespace) -> dict:
    """All measurements, as written to the JSON file."""
    people, predictions = arguments.people, arguments.predictions
    times = measure_decoding(people, arguments.repeat)
    made, scored = measure_ap(predictions)
    seconds = {
        f"decoding, un-cropping and PCKh of {people} people: {name}": value for name, value in times.items()
    }
    seconds[f"PCKh of {predictions} predictions"] = measure_pckh(predictions, arguments.repeat)
    seconds[f"COCO results of {predictions} predictions, with OKS-NMS"] = made
    seconds[f"COCO's AP of {predictions} predictions"] = scored
    ratio = times["joint by joint"] / times["in one sweep"]
    return {
        "ratios": {f"evaluation of {people} people: joint by joint / in one sweep": ratio},
        "seconds": seconds,
    }


def main() -> None:
    """Run the command."""
    parser = benchmark_parser(__doc__, repeat=5)
    parser.add_argument("--people", type=int, default=3000)
    parser.add_argument("--predictions", type=int, default=100_000)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    numbers = measure(arguments)
    for name, value in numbers["seconds"].items():
        print(f"{name:70} {value:8.3f} s")
    for name, value in numbers["ratios"].items():
        print(f"{name:70} {value:8.1f}")
    write_numbers(arguments.json, numbers)


if __name__ == "__main__":
    main()
