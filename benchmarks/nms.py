"""Non-maximum suppression: the extension against NumPy and torchvision, in one run.

    python benchmarks/nms.py [--boxes 1000] [--repeat 20]

Prints medians over interleaved repetitions, and how many times faster the extension is.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
import torchvision

from lib.nms import numpy_nms
from lib.nms.nms import COCO_SIGMAS

try:
    from lib.nms import cpu_nms
except ImportError:
    sys.exit("error: the extension is not built: run make in lib/")


def median_times(variants: dict, repeat: int) -> dict[str, float]:
    """Median seconds of each of ``variants`` {name: function}, called in turn ``repeat`` times."""
    taken = {name: [] for name in variants}
    for _ in range(repeat + 1):
        for name, call in variants.items():
            begun = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - begun)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}  # the first warms up


def report(title: str, times: dict[str, float]) -> None:
    print(title)
    for name, seconds in times.items():
        print(f"  {name:12} {1000 * seconds:8.3f} ms   {seconds / times['extension']:6.1f} x the extension")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--boxes", type=int, default=1000)
    parser.add_argument("--poses", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=20)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)

    corners = rng.uniform(0, 900, (arguments.boxes, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(20, 200, (arguments.boxes, 2))], axis=1)
    scores = np.sort(rng.random(arguments.boxes))[::-1].copy()
    tensors = torch.from_numpy(boxes), torch.from_numpy(scores)
    report(
        f"{arguments.boxes} boxes, best first, IoU 0.5",
        median_times(
            {
                "extension": lambda: cpu_nms.keep_boxes(boxes, 0.5),
                "numpy": lambda: numpy_nms.keep_boxes(boxes, 0.5),
                "torchvision": lambda: torchvision.ops.nms(*tensors, 0.5),
            },
            arguments.repeat,
        ),
    )

    poses = rng.normal(0, 15, (arguments.poses, 17, 3)) + rng.uniform(0, 400, (arguments.poses, 1, 3))
    areas = rng.uniform(2000, 20000, arguments.poses)
    precisions = 1 / (2 * np.array(COCO_SIGMAS)) ** 2
    report(
        f"{arguments.poses} poses of one image, best first, OKS 0.9",
        median_times(
            {
                "extension": lambda: cpu_nms.keep_poses(poses, areas, precisions, 0.9, -np.inf),
                "numpy": lambda: numpy_nms.keep_poses(poses, areas, precisions, 0.9, -np.inf),
            },
            arguments.repeat,
        ),
    )


if __name__ == "__main__":
    main()
