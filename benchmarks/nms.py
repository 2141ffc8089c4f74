"""Non-maximum suppression: the extension against NumPy and torchvision, in one run.

    python benchmarks/nms.py [--boxes 1000] [--poses 100] [--images 5000] [--repeat 20] [--json FILE]

Prints medians over interleaved repetitions (of many images a tenth of them), and how many times faster the
extension is. Poses lie apart, so that all stay and every pair is compared, or crowd around ten people.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
import torchvision

from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.nms import numpy_nms
from lib.nms.nms import COCO_SIGMAS

try:
    from lib.nms import cpu_nms
except ImportError:
    sys.exit("error: the extension is not built: run make in lib/")

PEOPLE = 10  # in an image of a crowd
PRECISIONS = 1 / (2 * np.array(COCO_SIGMAS)) ** 2


def poses_apart(rng: np.random.Generator, images: int, count: int) -> np.ndarray:
    """Random poses that do not overlap, [images * count, 17, 3]."""
    total = images * count
    return rng.normal(0, 15, (total, 17, 3)) + rng.uniform(0, 400, (total, 1, 3))


def poses_in_crowds(rng: np.random.Generator, images: int, count: int) -> np.ndarray:
    """Poses around PEOPLE people per image, each joint about three pixels off, [images * count, 17, 3]."""
    people = rng.uniform(0, 500, (images, PEOPLE, 1, 2)) + rng.uniform(0, 120, (images, PEOPLE, 17, 2))
    chosen = people[np.arange(images)[:, None], rng.integers(0, PEOPLE, (images, count))]
    joints = chosen.reshape(-1, 17, 2) + rng.normal(0, 3, (images * count, 17, 2))
    return np.concatenate([joints, rng.random((*joints.shape[:2], 1))], axis=2)


def box_variants(rng: np.random.Generator, count: int) -> dict:
    """{implementation: function that suppresses ``count`` random boxes}."""
    corners = rng.uniform(0, 900, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 200, (count, 2))], axis=1)
    tensors = torch.from_numpy(boxes), torch.linspace(1, 0, count, dtype=torch.float64)
    return {
        "extension": lambda: cpu_nms.keep_boxes(boxes, 0.5),
        "numpy": lambda: numpy_nms.keep_boxes(boxes, 0.5),
        "torchvision": lambda: torchvision.ops.nms(*tensors, 0.5),
    }


def pose_variants(rng: np.random.Generator, poses: np.ndarray, images: int) -> dict:
    """The two implementations; RuntimeError if they keep different poses."""
    areas = rng.uniform(2000, 20000, len(poses))
    starts = np.arange(images) * (len(poses) // images)
    arguments = (poses, areas, starts, PRECISIONS, 0.9, -np.inf)
    if not np.array_equal(cpu_nms.keep_poses(*arguments), numpy_nms.keep_poses(*arguments)):
        raise RuntimeError("the extension and NumPy keep different poses")
    return {
        "extension": lambda: cpu_nms.keep_poses(*arguments),
        "numpy": lambda: numpy_nms.keep_poses(*arguments),
    }


def main() -> None:
    """Run the command."""
    parser = benchmark_parser(__doc__, repeat=20)
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--poses", type=int, default=100, help="of each image")
    parser.add_argument("--images", type=int, default=5000)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    write_numbers(arguments.json, measure(arguments))


def measure(arguments: argparse.Namespace) -> dict:
    """All measurements, as written to the JSON file."""
    rng = np.random.default_rng(0)
    count, images = arguments.poses, arguments.images
    few, numbers = max(1, arguments.repeat // 10), {"ratios": {}, "seconds": {}}
    report(numbers, f"{arguments.boxes} boxes, IoU 0.5", box_variants(rng, arguments.boxes), arguments.repeat)
    for where, make in (("apart", poses_apart), ("in crowds", poses_in_crowds)):
        for several, repeat in ((1, arguments.repeat), (images, few)):
            title = f"OKS-NMS, {count} poses {where} in {several} image{'s' * (several > 1)}"
            report(numbers, title, pose_variants(rng, make(rng, several, count), several), repeat)
    return numbers


def report(numbers: dict, title: str, variants: dict, repeat: int) -> None:
    """Time ``variants``, print the medians and add them to ``numbers``."""
    times = median_times(variants, repeat)
    print(title)
    for name, seconds in times.items():
        ratio = seconds / times["extension"]
        numbers["seconds"][f"{title}: {name}"] = seconds
        if name != "extension":
            numbers["ratios"][f"{title}: {name} / extension"] = ratio
        print(f"  {name:12} {1000 * seconds:10.3f} ms   {ratio:6.1f} x the extension")


if __name__ == "__main__":
    main()
