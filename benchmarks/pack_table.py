"""A pack as large as COCO's but without its pixels, to measure how long one takes to open. Used by data.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.dataset import pack_file
from lib.dataset.file_state import file_state
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.pack_file import Contents, Record
from lib.dataset.packing import Wanted
from lib.dataset.regions import areas, clip, joined


def write_pack_table(dataset: KeypointDataset, path: Path) -> dict[str, float]:
    """Write the pack of ``dataset`` with all records and regions, taking image sizes from the annotations.

    Returns:
        What it would hold: people, images, regions and GB of pixels.
    """
    wanted, bounds = Wanted.by(dataset), dataset.annotations.bounds.astype(int)
    with pack_file.locked(path) as file:
        pack_file.begin(file)
        records, pixels = [], 0
        for number, instances in enumerate(wanted.by_image()):
            size = tuple(bounds[instances[0]].tolist())
            boxes = clip(wanted.regions[instances], size)
            boxes = joined(boxes[areas(boxes) > 0])
            pixels += int(areas(boxes).sum())
            image = wanted.images[number]
            record = Record(image.key, file_state(image.path), "0" * 64, 1, size, boxes.tolist())
            records.append(pack_file.append(file, record, []))
        contents = Contents.of(records)
        pack_file.finish(file, contents)
    return {
        "people": len(dataset), "images": len(records), "regions": len(contents.boxes), "GB": 3 * pixels / 1e9
    }  # fmt: skip
