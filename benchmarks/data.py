"""The cost of COCO's 149,813 people: memory of a worker, start-up time, and samples per second.

    python benchmarks/data.py [--json FILE] [--repeat 3] [--coco FOLDER] [--people 262465]

Against the usual toolbox (plain_data.py: a dictionary for each person, samples step by step), on an
annotation file as large as COCO's (big_coco.py); every measurement in a fresh process.
Memory is that of a DataLoader's two workers, forked or spawned, after each has accessed every person.
private: pages of that process only (USS); proportional: shared pages divided by the number of processes
that share them (PSS); _of_people: minus the memory of workers without any people. Start-up times are CPU
seconds, with the file in the system's cache. Samples come from --coco, COCO's layout with real images, or
from generated noisy images.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks import big_coco
from benchmarks.plain_data import plain_people, plain_sample
from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, median_times, write_numbers
from lib.config.loader import load_config
from lib.dataset.annotations import Annotations
from lib.dataset.build import build_codec, read_annotations
from lib.dataset.coco import annotation_file
from lib.dataset.keypoint_dataset import Augmentation, KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping
from lib.dataset.layouts import COCOLayout, ImageSet
from lib.dataset.loader import SharedMemoryDataset

HERE = Path(__file__).resolve()
CONFIG = HERE.parents[1] / "experiments/coco/resnet50/256x192_d256x3_adam_lr1e-3_lbi.yaml"
WORKERS = 2
USUAL = Augmentation(flip=True, rotation=40.0, scale=0.3)
GREY_LEVELS = 255 * torch.tensor([0.229, 0.224, 0.225])[:, None, None]  # per unit of a normalised image


def configuration(root: Path, output: Path, cached: bool = True, reduced: bool = False):
    """Settings with COCO below ``root`` as the source.

    Args:
        cached: DATASET.ANNOTATION_CACHE.
        reduced: DATASET.REDUCED_DECODE.
    """
    settings = {
        "DATASET_SRC.ROOT": str(root),
        "OUTPUT_DIR": str(output),
        "MODEL.NUM_JOINTS": 17,
        "DATASET.ANNOTATION_CACHE": cached,
        "DATASET.REDUCED_DECODE": reduced,
    }
    return load_config(CONFIG, settings)


def read_as_a_run_does(root: Path, output: Path, cached: bool) -> Annotations:
    """Read the large annotation file as a training run does, with or without the annotation cache."""
    config = configuration(root, output, cached)
    return read_annotations(config, ImageSet(config.dataset_src, big_coco.SET))


def child(*arguments: object) -> dict:
    """The JSON that ``python data.py --child arguments`` prints."""
    done = subprocess.run(
        [sys.executable, str(HERE), "--child", *map(str, arguments)], capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


# Start-up


def start_up(what: str, root: Path, output: Path) -> dict:
    """CPU seconds of one way to load the annotations; called in a fresh process."""
    begun = time.process_time()  # CPU time, so that other load on the machine does not count
    if what == "json_load":
        with open(annotation_file(root, big_coco.SET), encoding="utf-8") as file:
            annotations = json.load(file)
    elif what == "usual":
        annotations = plain_people(root, big_coco.SET, 0.75)
    else:
        annotations = read_as_a_run_does(root, output, cached=what != "read")
    seconds = time.process_time() - begun
    del annotations  # not freed within the measured time
    return {"seconds": seconds}


def measure_start_up(root: Path, output: Path, repeat: int) -> dict[str, float]:
    """Median CPU seconds of each way to load the annotations, in fresh processes."""
    taken: dict[str, list[float]] = {}
    path = annotation_file(root, big_coco.SET)
    for _ in range(repeat):
        for cache_file in (output / "annotations").glob("*"):
            cache_file.unlink()
        for what in ("json_load", "usual", "read", "read_and_keep", "kept", "kept_other_time"):
            if what == "kept_other_time":
                os.utime(path)
            taken.setdefault(what, []).append(child("start", what, root, output)["seconds"])
    return {what: statistics.median(times) for what, times in taken.items()}


# Memory


class Looking(Dataset):
    """An item is the memory of the worker that reads it, after accessing every person."""

    def __init__(self, people: list[dict] | KeypointDataset | SharedMemoryDataset):
        self.people = people

    def __len__(self) -> int:
        return WORKERS

    def __getitem__(self, index: int) -> dict[str, float]:
        people = self.people.dataset if isinstance(self.people, SharedMemoryDataset) else self.people
        seen = 0.0
        if isinstance(people, list):
            for person in people:
                seen += len(person["image"]) + person["joints_3d"].sum() + person["joints_3d_vis"].sum()
                seen += person["center"].sum() + person["scale"].sum() + len(person["filename"])
        else:
            arrays = people.annotations
            for i in range(len(arrays)):
                seen += len(arrays.image_paths[arrays.image_index[i]]) + arrays.joints[i].sum()
                seen += arrays.visible[i].sum() + arrays.centers[i].sum() + arrays.sizes[i].sum()
        time.sleep(3)  # until the other worker has accessed them, too
        return memory()


def memory() -> dict[str, float]:
    """MiB of this process, from /proc."""
    pages = {}
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]:
        name, kilobytes, *_ = line.split()
        pages[name.rstrip(":")] = int(kilobytes) / 1024
    private = pages["Private_Clean"] + pages["Private_Dirty"]
    return {"private": private, "proportional": pages["Pss"], "resident": pages["Rss"]}


def worker_memory(kept_as: str, method: str, root: Path, output: Path) -> dict[str, float]:
    """Mean memory of the workers; called in a fresh process."""
    if kept_as == "list":
        people = plain_people(root, big_coco.SET, 0.75)
    elif kept_as == "nothing":
        people = []
    else:
        arrays = read_as_a_run_does(root, output, cached=True)
        people = KeypointDataset(arrays, build_codec(configuration(root, output).model))
        people = SharedMemoryDataset(people) if method == "spawn" else people
    loader = DataLoader(Looking(people), batch_size=None, num_workers=WORKERS, multiprocessing_context=method)
    by_worker = list(loader)
    return {key: statistics.mean(worker[key] for worker in by_worker) for key in by_worker[0]}


def measure_memory(root: Path, output: Path) -> dict[str, dict[str, float]]:
    """MiB of a worker for each way to store the annotations (list, arrays) and to start workers (fork, spawn)."""
    table = {}
    for method in ("fork", "spawn"):
        nothing = child("memory", "nothing", method, root, output)
        table[f"nothing_{method}"] = nothing
        for kept_as in ("list", "arrays"):
            row = child("memory", kept_as, method, root, output)
            of_people = {f"{kind}_of_people": row[kind] - nothing[kind] for kind in nothing}
            table[f"{kept_as}_{method}"] = row | of_people
    return table


# Samples


def write_noisy_coco(root: Path, people: int = 40) -> None:
    """Write COCO's layout with images of 640 x 480 that compress about as well as real ones."""
    big_coco.write_big_coco(root, images=people, people=people, labelled=people)
    rng = np.random.default_rng(0)
    tree = json.loads(annotation_file(root, big_coco.SET).read_text())
    for image in tree["images"]:
        height, width = image["height"], image["width"]
        coarse = rng.uniform(0, 255, (height // 8, width // 8, 3)).astype(np.float32)
        pixels = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(pixels + rng.normal(0, 12, pixels.shape), 0, 255).astype(np.uint8)
        cv2.imwrite(str(root / "images" / big_coco.SET / image["file_name"]), pixels)


def plain_of(people: Annotations, index: int) -> dict:
    """One person as the usual toolbox's dictionary."""
    joints, visible = np.zeros((17, 3)), np.zeros((17, 3))
    joints[:, :2], visible[:, :2] = people.joints[index], people.visible[index][:, None]
    return {
        "image": people.image_paths[people.image_index[index]], "center": people.centers[index].copy(),
        "scale": people.sizes[index] / 200, "joints_3d": joints, "joints_3d_vis": visible,
        "filename": "", "imgnum": 0,
    }  # fmt: skip


class Samples:
    """The same samples, made in three ways: all people of a set, augmented as in training."""

    def __init__(self, people: Annotations):
        codec = build_codec(configuration(Path(), Path()).model)
        self.usual = [plain_of(people, i) for i in range(len(people))]
        self.here = KeypointDataset(people, codec, USUAL)
        self.reduced = KeypointDataset(people, codec, USUAL, reduced_decode=True)
        self.codec = codec

    def drawn(self, index: int, visit: int) -> tuple[float, float, bool]:
        """The random augmentation of a sample."""
        return self.here.augmentation.draw(np.random.default_rng([0, visit, index]))

    def plain(self, index: int, visit: int):
        """A sample of the usual toolbox, with the same augmentation."""
        codec = self.codec
        change = self.drawn(index, visit)
        return plain_sample(self.usual[index], codec.image_size, codec.heatmap_size, codec.sigma, *change)

    def seconds(self, repeat: int) -> dict[str, float]:
        """Seconds per sample of each way, median over passes."""
        ways = {
            "usual": self.plain,
            "here": lambda i, visit: self.here[i, visit],
            "reduced": lambda i, visit: self.reduced[i, visit],
        }
        count = len(self.usual)
        taken = median_times(
            {
                name: lambda sample=sample: [sample(i, 0) for i in range(count)]
                for name, sample in ways.items()
            },
            repeat,
        )
        return {name: seconds / count for name, seconds in taken.items()}

    def differences(self, visits: int = 3) -> dict[str, float]:
        """Differences from the usual way: of pixels in grey levels (of 255), and of heatmaps."""
        upright, mirrored, heatmaps, reduced = [], [], 0.0, []
        for visit in range(visits):
            for i in range(len(self.usual)):
                image, maps, weights, _ = self.plain(i, visit)
                here, smaller = self.here[i, visit], self.reduced[i, visit]
                levels = (GREY_LEVELS * (here.image - image)).abs()
                (mirrored if here.flipped else upright).append(levels)
                heatmaps = max(heatmaps, float((here.heatmaps - torch.from_numpy(maps)).abs().max()))
                if not torch.equal(here.image, smaller.image):
                    reduced.append((GREY_LEVELS * (smaller.image - here.image)).abs())
        differences = {"largest_heatmap_difference": heatmaps}
        differences["share_decoded_smaller"] = len(reduced) / (visits * len(self.usual))
        for name, images in (("upright", upright), ("mirrored", mirrored), ("reduced", reduced)):
            if images:
                levels = torch.stack(images)
                differences[f"{name}_largest_level"] = float(levels.max())
                differences[f"{name}_mean_level"] = float(levels.mean())
                differences[f"{name}_share_within_one_level"] = float((levels < 1.01).float().mean())
        return differences


def measure_samples(people: Annotations, repeat: int) -> dict[str, dict[str, float]]:
    """Seconds per sample of each way, and the differences of the samples."""
    samples = Samples(people)
    return {"seconds": samples.seconds(repeat), "differences": samples.differences()}


def ratios(start: dict, memory_of: dict, samples: dict) -> dict[str, float]:
    """The ratios of the results, by name."""
    by_name = {
        "start_up_from_json / json.load": start["read"] / start["json_load"],
        "start_up_from_json_and_keeping / json.load": start["read_and_keep"] / start["json_load"],
        "start_up_from_kept_arrays / json.load": start["kept"] / start["json_load"],
        "start_up_from_kept_arrays_hash_checked / json.load": start["kept_other_time"] / start["json_load"],
        "usual_start_up / json.load": start["usual"] / start["json_load"],
    }
    for method in ("fork", "spawn"):
        arrays, plain = memory_of[f"arrays_{method}"], memory_of[f"list_{method}"]
        for kind in arrays:
            by_name[f"worker_memory_{method}_{kind}: arrays / list"] = arrays[kind] / plain[kind]
    for name, measured in samples.items():
        seconds = measured["seconds"]
        by_name[f"samples_per_second_{name}: here / usual"] = seconds["usual"] / seconds["here"]
        by_name[f"samples_per_second_{name}: reduced / usual"] = seconds["usual"] / seconds["reduced"]
    return by_name


def run_child(what: str, arguments: list[str]) -> None:
    """Print the result of a measurement as JSON; the counterpart of `child`."""
    *names, root, output = arguments
    call = {"start": start_up, "memory": worker_memory}[what]
    print(json.dumps(call(*names, Path(root), Path(output))))


def main() -> None:
    """Run the command."""
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], sys.argv[3:])
        return
    parser = benchmark_parser(__doc__, repeat=3)
    parser.add_argument(
        "--coco", type=Path, help="COCO's layout with real images; default: generated noisy images"
    )
    parser.add_argument("--people", type=int, default=big_coco.PEOPLE, help="annotations of the large file")
    options: argparse.Namespace = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(0)
    share = options.people / big_coco.PEOPLE
    with tempfile.TemporaryDirectory() as folder:
        root, output = Path(folder, "coco"), Path(folder, "output")
        images, labelled = (round(share * count) for count in (big_coco.IMAGES, big_coco.LABELLED))
        path = big_coco.write_big_coco(root, images, options.people, labelled)
        size = path.stat().st_size / 1e6
        print(f"{size:.0f} MB of annotations")
        start = measure_start_up(root, output, options.repeat)
        memory_of = measure_memory(root, output)
        coco = options.coco
        if coco is None:
            coco = Path(folder, "noisy")
            write_noisy_coco(coco)
        people = COCOLayout(coco).read(big_coco.SET, joint_mapping("coco", COCO_KEYPOINTS), 0.75)
        samples = {"all": measure_samples(people, 3 * options.repeat)}
        large = people.sizes[:, 0] > 2.5 * 192
        if large.any():
            samples["large_people"] = measure_samples(people.subset(large), 3 * options.repeat)
    numbers = {
        "ratios": ratios(start, memory_of, samples),
        "annotations_mb": size,
        "images": "real" if options.coco else "noisy",
        "start_up_seconds": start,
        "worker_memory_mib": memory_of,
        "seconds of a sample": {name: measured["seconds"] for name, measured in samples.items()},
        "differences": {name: measured["differences"] for name, measured in samples.items()},
    }
    print(tables(numbers))
    write_numbers(options.json, numbers)


if __name__ == "__main__":
    main()
