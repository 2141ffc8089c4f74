"""The cost of COCO's 149,813 people: memory of a worker, start-up time, and samples per second.

    python benchmarks/data.py [--json FILE] [--repeat 3] [--real FOLDER] [--people 262465]

Against the usual toolbox (plain_data.py: a dictionary for each person, samples step by step), on an
annotation file as large as COCO's (big_coco.py); every measurement in a fresh process.
Memory is that of a DataLoader's two workers, forked or spawned, after each has accessed every person.
private: pages of that process only (USS); proportional: shared pages divided by the number of processes
that share them (PSS); _of_people: minus the memory of workers without any people. Start-up times are CPU
seconds, with the file in the system's cache; with a pack, one of the large set's size but without pixels.
Samples are made of generated noisy images ("all", and of these "large_people") and of real ones.
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
import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks import big_coco
from benchmarks.pack_table import write_pack_table
from benchmarks.plain_data import plain_people
from benchmarks.sample_steps import step_times
from benchmarks.samples import (
    COCO,
    GREY_LEVELS,
    USUAL,
    Samples,
    configuration,
    measure_samples,
    real_people,
    write_noisy_coco,
)
from benchmarks.tables import tables
from benchmarks.timing import benchmark_parser, write_numbers
from lib.dataset.annotations import Annotations, ReadOptions
from lib.dataset.build import build_codec, pack_path, read_annotations, training_dataset, with_pack
from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.layouts import COCOLayout, ImageSet
from lib.dataset.loader import SharedMemoryDataset

__all__ = [
    "GREY_LEVELS",
    "USUAL",
    "Samples",
    "configuration",
    "write_noisy_coco",
]  # gpu_data.py and tests use them
HERE = Path(__file__).resolve()
WORKERS = 2
REAL = HERE.parents[2] / "shared" / "data"


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
    if what == "pack":
        people = read_as_a_run_does(root, output, cached=True)
        annotations = packed_people(root, output, people)
    elif what == "json_load":
        with open(annotation_file(root, big_coco.SET), encoding="utf-8") as file:
            annotations = json.load(file)
    elif what == "usual":
        annotations = plain_people(root, big_coco.SET, 0.75)
    else:
        annotations = read_as_a_run_does(root, output, cached=what != "read")
    seconds = time.process_time() - begun
    del annotations  # not freed within the measured time
    return {"seconds": seconds}


def packed_people(root: Path, output: Path, people: Annotations) -> KeypointDataset:
    """The large set's samples with the pack that lies in ``output``, opened and checked as a run does."""
    config = configuration(root, output)
    dataset = training_dataset(config, config.dataset_src, people)
    return with_pack(config, ImageSet(config.dataset_src, big_coco.SET), "source", dataset, make=True)


def write_pack(root: Path, output: Path) -> dict:
    """Write a pack of the large set's size, as `packed_people` expects it; called in a fresh process."""
    config = configuration(root, output)
    dataset = training_dataset(config, config.dataset_src, read_as_a_run_does(root, output, cached=True))
    path = pack_path(config, ImageSet(config.dataset_src, big_coco.SET), "source")
    return write_pack_table(dataset, path)


def measure_start_up(root: Path, output: Path, repeat: int) -> dict[str, float]:
    """Median CPU seconds of each way to load the annotations, in fresh processes."""
    taken: dict[str, list[float]] = {}
    path = annotation_file(root, big_coco.SET)
    child("write_pack", root, output)
    for _ in range(repeat):
        for cache_file in (output / "annotations").glob("*"):
            cache_file.unlink()
        for what in ("json_load", "usual", "read", "read_and_keep", "kept", "pack", "kept_other_time"):
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


# All together


def ratios(start: dict, memory_of: dict, samples: dict) -> dict[str, float]:
    """The ratios of the results, by name."""
    by_name = {
        "start_up_from_json / json.load": start["read"] / start["json_load"],
        "start_up_from_json_and_keeping / json.load": start["read_and_keep"] / start["json_load"],
        "start_up_from_kept_arrays / json.load": start["kept"] / start["json_load"],
        "start_up_from_kept_arrays_hash_checked / json.load": start["kept_other_time"] / start["json_load"],
        "start_up_from_kept_arrays_with_a_pack / json.load": start["pack"] / start["json_load"],
        "usual_start_up / json.load": start["usual"] / start["json_load"],
    }
    for method in ("fork", "spawn"):
        arrays, plain = memory_of[f"arrays_{method}"], memory_of[f"list_{method}"]
        for kind in arrays:
            by_name[f"worker_memory_{method}_{kind}: arrays / list"] = arrays[kind] / plain[kind]
    for name, measured in samples.items():
        seconds = measured["seconds"]
        for way in [way for way in seconds if way != "usual"]:
            by_name[f"samples_per_second_{name}: {way} / usual"] = seconds["usual"] / seconds[way]
    return by_name


def run_child(what: str, arguments: list[str]) -> None:
    """Print the result of a measurement as JSON; the counterpart of `child`."""
    *names, root, output = arguments
    call = {"start": start_up, "memory": worker_memory, "write_pack": write_pack}[what]
    print(json.dumps(call(*names, Path(root), Path(output))))


def main() -> None:
    """Run the command."""
    if sys.argv[1:2] == ["--child"]:
        run_child(sys.argv[2], sys.argv[3:])
        return
    parser = benchmark_parser(__doc__, repeat=3)
    parser.add_argument(
        "--real",
        type=Path,
        default=REAL,
        help="folder with real images in coco/ and mpii/; default: ../shared/data",
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
        write_noisy_coco(Path(folder, "noisy"))
        drawn = COCOLayout(Path(folder, "noisy")).read(big_coco.SET, COCO, ReadOptions(0.75))
        people = {"all": drawn, "large_people": drawn.subset(drawn.sizes[:, 0] > 2.5 * 192)}
        people |= real_people(options.real)
        samples = {name: measure_samples(of_set, 3 * options.repeat) for name, of_set in people.items()}
        steps = {name: step_times(people[name], options.repeat) for name in ("all", "coco") if name in people}
    numbers = {
        "ratios": ratios(start, memory_of, samples),
        "annotations_mb": size,
        "start_up_seconds": start,
        "worker_memory_mib": memory_of,
        "seconds of a sample": {name: measured["seconds"] for name, measured in samples.items()},
        "packs, per person": {name: measured["sizes"] for name, measured in samples.items()},
        "differences": {name: measured["differences"] for name, measured in samples.items()},
        "ms of the parts of a sample": steps,
    }
    print(tables(numbers))
    write_numbers(options.json, numbers)


if __name__ == "__main__":
    main()
