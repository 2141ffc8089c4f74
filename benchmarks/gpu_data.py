"""Throughput of the data loader for a GPU, and training on the built-in data on one. Parts of gpu.py.

python benchmarks/gpu_data.py loader --file output/loader.json
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2

from benchmarks import big_coco
from benchmarks.data import USUAL, configuration, write_noisy_coco
from benchmarks.gpu_case import PEOPLE, Task, run_part
from lib.dataset.annotations import ReadOptions
from lib.dataset.build import build_codec
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping
from lib.dataset.layouts import COCOLayout
from lib.dataset.loader import InfiniteBatchSampler, training_batches
from lib.dataset.packing import Packing, packed

ROOT = Path(__file__).resolve().parents[1]
WORKERS = (1, 8, 16)
DEMO = "experiments/demo/people.yaml"
DEMO_MODES = ("baseline2", "ours1", "ours2")
MAX_DIFFERENCE = 1.0  # in points of PCKh; larger ones are marked


# Samples per second


def dataset(root: Path, people: int) -> KeypointDataset:
    """Write noisy images of 640 x 480 pixels and about 225 kB below ``root``; augmented samples of 256x192."""
    write_noisy_coco(root, people)
    mapping = joint_mapping("coco", COCO_KEYPOINTS)
    annotations = COCOLayout(root).read(big_coco.SET, mapping, ReadOptions(0.75))
    return KeypointDataset(annotations, build_codec(configuration(Path(), Path()).model), USUAL)


def samples_per_second(batches: Iterator[Sample], task: Task, workers: int) -> float:
    """Throughput of loading batches and copying them to the device, once every worker has delivered some."""
    for _ in range(2 * max(workers, 1)):
        next(batches).to(task.device)
    begun, count, seconds = time.perf_counter(), 0, 0.3 if task.tiny else 5.0
    while time.perf_counter() - begun < seconds:
        count += len(next(batches).to(task.device).image)
    return count / (time.perf_counter() - begun)


def loader(task: Task) -> None:
    """Throughput with different numbers of workers, from JPEGs and from a pack."""
    cv2.setNumThreads(0)
    cores, rows = os.cpu_count() or 1, []
    with tempfile.TemporaryDirectory() as folder:
        people = dataset(Path(folder), 2 * PEOPLE if not task.tiny else 4)
        pack = packed(people, Path(folder) / "people.pack", Packing(threads=cores))
        counts = (0, 1) if task.tiny else WORKERS
        for source, samples in (("JPEG", people), ("DATASET.PACK", pack)):
            for workers in counts:
                order = InfiniteBatchSampler(len(samples), PEOPLE, seed=0)
                batches = training_batches(samples, order, workers, task.on_cuda)
                speed = samples_per_second(batches, task, workers)
                rows.append({"images": source, "workers": workers, "cores": cores, "samples/s": speed})
                del batches
                task.save({"data path": rows})


# The built-in data


def start(mode: str, folder: Path, task: Task) -> subprocess.Popen:
    """Start main.py's training in a mode; output, results and log go to ``folder``."""
    arguments = [
        "--cfg", DEMO, f"--{mode}", "DEVICE", task.device.type, "WORKERS", "4", "THREADS", "1",
        "OUTPUT_DIR", str(folder / "output"), "LOG_DIR", str(folder / "log"),
        *(["TRAIN.END_EPOCH", "1", "TRAIN.STEPS_PER_EPOCH", "2"] if task.tiny else []),
    ]  # fmt: skip
    with open(folder / f"{mode}.txt", "w") as log:
        return subprocess.Popen(
            [sys.executable, "pose_estimation/main.py", *arguments], cwd=ROOT, stdout=log, stderr=log
        )


def demo_on_cpu(readme: str) -> dict[str, dict[str, str]]:
    """{mode: {column: cell}} of the demo's table in the text of the README, measured on a CPU."""
    lines = [line.split() for line in readme.splitlines()]
    columns = next(line for line in lines if line[:1] == ["mode"] and "AUROC" in line)
    rows = [line for line in lines if len(line) == len(columns) and line[0] in DEMO_MODES]
    return {row[0]: dict(zip(columns, row)) for row in rows}


def demo_row(mode: str, results: dict, seconds: float, on_cpu: dict[str, str]) -> dict:
    """A run's scores next to those of the README's table, its row ``on_cpu``: AUROC is that of the detector."""
    score = results["test"]["PCKh"]["Mean"]
    detectors = [summary.get("wrong_labels", {}) for summary in (results.get("weights") or {}).values()]
    aurocs = [detector["auroc"] for detector in detectors if "auroc" in detector]
    differs = abs(score - float(on_cpu["Mean"])) > MAX_DIFFERENCE
    return {
        "mode": mode, "PCKh Mean": score, "on a CPU": on_cpu["Mean"], "AUROC": aurocs[0] if aurocs else "-",
        "AUROC on a CPU": on_cpu["AUROC"], "s": seconds, "ms a step": 1000 * results["seconds_per_step"],
        "note": f"more than {MAX_DIFFERENCE:g} points apart" if differs else "",
    }  # fmt: skip


def demo(task: Task) -> None:
    """Train the three modes of the demo at the same time, which their times include."""
    subprocess.run(
        [sys.executable, "pose_estimation/make_people.py", "--output", "data/people"], cwd=ROOT, check=True
    )
    with tempfile.TemporaryDirectory() as name:
        folder, begun, rows = Path(name), time.monotonic(), {}
        on_cpu = demo_on_cpu((ROOT / "README.md").read_text(encoding="utf-8"))
        running = {mode: start(mode, folder, task) for mode in DEMO_MODES}
        while running:
            time.sleep(0.2)
            for mode, process in list(running.items()):
                if process.poll() is None:
                    continue
                del running[mode]
                print(
                    mode, "exit", process.returncode, (folder / f"{mode}.txt").read_text()[-4000:], flush=True
                )
                rows[mode] = {"mode": mode, "note": f"exit {process.returncode}, see demo.txt"}
                for file in folder.glob(f"output/*/*/*/{mode}/results.json"):
                    results, seconds = json.loads(file.read_text()), time.monotonic() - begun
                    rows[mode] = demo_row(mode, results, seconds, on_cpu[mode])
                task.save({"demo": [rows[mode] for mode in DEMO_MODES if mode in rows]})


PARTS = {"loader": loader, "demo": demo}


if __name__ == "__main__":
    run_part(PARTS, __doc__)
