"""Make the pack of a data set, or what is missing of it.

A pack is used only where decoding would give the same pixels. At every start it is compared with what the
data set needs now: each instance's region must lie within one that is stored, and the image's file must be
unchanged (see file_state.py; only if size, times or inode differ is its content compared, by SHA-256).
Whatever else has changed, annotations, augmentation or the size of crops, shows in the regions.
Images that are missing or have changed are decoded and appended; an interrupted start continues there.
"""

import hashlib
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from lib.dataset import pack_file
from lib.dataset.file_state import file_state, is_settled
from lib.dataset.image_spec import ImageSpec, path_of_key
from lib.dataset.images import decode_image, file_of, problem_of, read_content
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.pack import UNREADABLE, Pack
from lib.dataset.pack_file import Contents, NotComplete, Record
from lib.dataset.regions import areas, clip, joined
from lib.utils.errors import InputError
from lib.utils.log import LOG
from lib.utils.progress import ProgressLines, track

MISSING, OUTSIDE = -1, -2  # in place of a region: none contains it; the crop does not touch the image
SAMPLED = 32  # images whose pixels are checked at a start, and whose size is measured for the space needed
UNKNOWN_STATE = [0, 0, 0, 0]
GB = 1e9


@dataclass(frozen=True, eq=False)
class Wanted:
    """What the N instances of a data set need of their images.

    images: the M images.
    image: int [N], position in ``images``.
    regions: int64 [N, 4], not clipped to the image, in pixels of the image decoded at 1 / ``reduce``.
    reduce: int64 [N].
    ids: [N], of the annotations.
    """

    images: Sequence[ImageSpec]
    image: np.ndarray
    regions: np.ndarray
    reduce: np.ndarray
    ids: np.ndarray

    @classmethod
    def by(cls, dataset: KeypointDataset) -> "Wanted":
        """What ``dataset`` needs."""
        annotations = dataset.annotations
        # An image may be in the list twice; those without an instance are of no interest.
        _, first, image = np.unique(annotations.image_index, return_index=True, return_inverse=True)
        numbers: dict[ImageSpec, int] = {}
        number = [numbers.setdefault(annotations.image(k), len(numbers)) for k in first.tolist()]
        return cls(list(numbers), np.array(number, np.int64)[image], *dataset.regions(), annotations.ids)

    def sizes(self) -> np.ndarray:
        """Width and height of each image as annotated, int64 [M, 2]; 0 if unknown."""
        return np.array([image.size or (0, 0) for image in self.images], np.int64).reshape(-1, 2)

    def by_image(self) -> list[np.ndarray]:
        """The instances of each image."""
        order = np.argsort(self.image, kind="stable")
        return np.split(order, np.searchsorted(self.image[order], np.arange(1, len(self.images))))


@dataclass(frozen=True)
class Packing:
    """How packs are made.

    on_bad_image: DATASET.ON_BAD_IMAGE.
    threads: that decode images.
    """

    on_bad_image: str = "raise"
    threads: int = 1


def packed(dataset: KeypointDataset, path: Path, how: Packing) -> KeypointDataset:
    """The same samples, with their pixels from the pack at ``path``, which is made or completed first.

    Raises:
        InputError: an image is unreadable and ON_BAD_IMAGE is "raise", or the disk has too little space.
    """
    wanted = Wanted.by(dataset)
    try:
        with pack_file.locked(path) as file:
            contents, changed = _read(file, path)
            contents, updated = _without_changed(contents, wanted)
            found = find(contents, wanted)
            missing = np.unique(wanted.image[found == MISSING])
            if len(missing) and _is_mostly_useless(file, contents, found):
                LOG.info(f"{path}: most of it is of other settings; making it anew")
                path.unlink()  # a run that uses it keeps its content
                return packed(dataset, path, how)
            added = _append_images(file, path, wanted, missing, how)
            if added:
                contents = contents.joined(Contents.of(added))
                found = find(contents, wanted)
            if changed or updated or added:
                pack_file.finish(file, contents)
            return dataset.with_pack(_pack(path, pack_file.identity(file), contents, found))
    except OSError as error:
        raise InputError(
            f"{path}: cannot write the pack ({error.strerror or error}); what is written is kept"
        ) from None


def opened(dataset: KeypointDataset, path: Path) -> KeypointDataset:
    """As `packed`, in a process that only uses the pack that another one has just made."""
    try:
        with open(path, "rb") as file:
            contents = pack_file.read_contents(file)
            found = find(contents, Wanted.by(dataset))
            return dataset.with_pack(_pack(path, pack_file.identity(file), contents, found))
    except (OSError, NotComplete) as error:
        raise InputError(f"{path}: cannot be read ({error}), but the first process has just written it") from None  # fmt: skip


def _pack(path: Path, identity: bytes, contents: Contents, found: np.ndarray) -> Pack:
    rows = np.zeros((len(found), 7), np.int64)
    rows[:, 1] = UNREADABLE
    rows[:, 6] = 1
    rows[found == OUTSIDE, 1] = pack_file.HEADER.size  # any position: no pixel is read
    stored = found >= 0
    regions = found[stored]
    rows[stored, 1] = contents.offsets[regions]
    rows[stored, 2:6] = contents.boxes[regions]
    rows[stored, 6] = contents.reduce[contents.record[regions]]
    return Pack(((str(path), identity),), rows)


# What a pack holds already


def _read(file: BinaryIO, path: Path) -> tuple[Contents, bool]:
    """The contents of a pack, and whether they have to be written again."""
    try:
        contents = pack_file.read_contents(file)
        chosen = np.unique(np.linspace(0, max(0, len(contents) - 1), SAMPLED).round().astype(int))
        if not all(pack_file.data_is_whole(file, start) for start in contents.begins[chosen].tolist()):
            raise NotComplete("its pixels are damaged")
        return contents, False
    except NotComplete as problem:
        reason = str(problem)
    except Exception as problem:  # corruption can raise any exception
        reason = f"damaged: {problem or type(problem).__name__}"
    contents = pack_file.recover(file)
    if reason != "empty":
        LOG.info(f"{path}: {reason}; keeping {len(contents):,} images of it, the others are decoded again")
    return contents, True


def _without_changed(contents: Contents, wanted: Wanted) -> tuple[Contents, bool]:
    """Leave out the images whose file has changed; also whether states were updated."""
    used, known = {image.key for image in wanted.images}, {}
    keep, states = np.ones(len(contents), bool), contents.states.copy()
    stored, lines = contents.states.tolist(), ProgressLines()
    for k, key in enumerate(contents.paths):
        lines.log_if_due("comparing images with the pack", k / len(contents))
        if key not in used:
            continue
        path = path_of_key(key)
        location = file_of(path)
        if location not in known:
            known[location] = file_state(location)
        state = known[location]
        if state == stored[k]:
            continue
        content = read_content(path)
        if content is None or hashlib.sha256(content).hexdigest() != contents.digests[k].decode():
            keep[k] = False
        elif state is not None and is_settled(state):
            states[k] = state
    updated = bool((states != contents.states).any() or not keep.all())
    if not keep.all():
        LOG.info(f"{(~keep).sum():,} images have changed since they were packed")
    if updated:
        contents = Contents(**{**contents.__dict__, "states": states})
        contents = contents if keep.all() else contents.subset(keep)
    return contents, updated


def find(contents: Contents, wanted: Wanted) -> np.ndarray:
    """For each instance a stored region that contains its own: int64 [N]; MISSING or OUTSIDE if there is none."""
    numbers = {image.key: k for k, image in enumerate(wanted.images)}
    image = np.array([numbers.get(key, -1) for key in contents.paths], np.int64)
    # Pixels of another size lie in another frame than the labels, such as that of the image before it is turned.
    sizes = wanted.sizes()[image] if len(wanted.images) else np.zeros((len(image), 2), np.int64)
    reduced = -(-sizes // contents.reduce[:, None])
    image[((sizes > 0) & (reduced != contents.sizes)).any(axis=1)] = -1
    # Images decoded at another size have other pixels.
    stored_key, key = image * 16 + contents.reduce, wanted.image * 16 + wanted.reduce
    found = np.full(len(key), MISSING, np.int64)

    # The size of an image is known from any of its records.
    for instances, records in _matches(key, stored_key):
        inside = clip(wanted.regions[instances], contents.sizes[records])
        found[instances[areas(inside) == 0]] = OUTSIDE
    for instances, regions in _matches(key, stored_key[contents.record]):
        inside = clip(wanted.regions[instances], contents.sizes[contents.record[regions]])
        box = contents.boxes[regions]
        contained = (inside[:, :2] >= box[:, :2]).all(axis=1) & (inside[:, 2:] <= box[:, 2:]).all(axis=1)
        contained &= found[instances] == MISSING
        found[instances[contained]] = regions[contained]
    return found


def _matches(keys: np.ndarray, stored: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Positions in ``keys`` and in ``stored`` of equal values: every pair once, each key at most once a time."""
    order = np.argsort(stored, kind="stable")
    ordered = stored[order]
    first, last = np.searchsorted(ordered, keys, "left"), np.searchsorted(ordered, keys, "right")
    for k in range(int((last - first).max(initial=0))):
        chosen = np.flatnonzero(first + k < last)
        yield chosen, order[first[chosen] + k]


def _is_mostly_useless(file: BinaryIO, contents: Contents, found: np.ndarray) -> bool:
    """Whether less than half of the file are pixels of regions that an instance uses."""
    used = areas(contents.boxes[np.unique(found[found >= 0])]).sum()
    return len(contents) > 0 and 2 * 3 * used < file.seek(0, os.SEEK_END)


# Adding images


def _append_images(
    file: BinaryIO, path: Path, wanted: Wanted, missing: np.ndarray, how: Packing
) -> list[Record]:
    """Append the images at positions ``missing`` to the file; what is appended."""
    if not len(missing):
        return []
    of_images = wanted.by_image()
    need, free = space_needed(wanted, missing), shutil.disk_usage(path.parent).free
    amounts = f"{len(missing):,} images, about {need / GB:.1f} GB; {free / GB:.1f} GB are free"
    if need > free:
        raise InputError(
            f"{path}: too little space to pack {amounts}; set OUTPUT_DIR to another disk or DATASET.PACK false"
        )
    LOG.info(f"{path}: packing {amounts}")

    added: list[Record] = []
    unreadable = 0
    cuts = _in_threads(lambda k: cut_image(wanted, k, of_images[k]), missing.tolist(), how.threads)
    for number in track(missing.tolist(), f"packing {path.stem}"):
        parts = next(cuts)
        if parts is None:
            unreadable += 1
            _complain(wanted, number, of_images[number], how.on_bad_image)
            continue
        added.extend(pack_file.append(file, record, pixels) for record, pixels in parts)
    if unreadable:
        LOG.warning(f"{path}: {unreadable:,} images cannot be read; their people are skipped")
    return added


def space_needed(wanted: Wanted, images: np.ndarray) -> float:
    """Estimate the bytes of the regions of ``images`` (positions) from some of them."""
    of_images = wanted.by_image()
    chosen = images[np.unique(np.linspace(0, len(images) - 1, SAMPLED).round().astype(int))].tolist()
    cut = [cut_image(wanted, k, of_images[k]) or () for k in chosen]
    return float(np.mean([sum(part.nbytes for _, pixels in of_one for part in pixels) for of_one in cut])) * len(images)  # fmt: skip


def _complain(wanted: Wanted, number: int, instances: np.ndarray, on_bad_image: str) -> None:
    problem = f"{problem_of(wanted.images[number])} (annotation {wanted.ids[instances[0]]})"
    if on_bad_image == "raise":
        raise InputError(f"{problem}; DATASET.ON_BAD_IMAGE skip leaves such images out")
    LOG.debug("%s", problem)


def cut_image(
    wanted: Wanted, number: int, instances: np.ndarray
) -> list[tuple[Record, list[np.ndarray]]] | None:
    """Decode an image and cut out what ``instances`` need.

    Returns:
        For each size at which it is decoded the record and the pixels of its regions; None if it is unreadable.
    """
    image = wanted.images[number]
    location = file_of(image.path)
    before = file_state(location)
    content = read_content(image.path)
    if content is None:
        return None
    proves = before is not None and is_settled(before) and before == file_state(location)
    digest, parts = hashlib.sha256(content).hexdigest(), []
    for reduce in np.unique(wanted.reduce[instances]).tolist():
        pixels = decode_image(content, image, reduce)
        if pixels is None:
            return None
        size = pixels.shape[1], pixels.shape[0]
        boxes = clip(wanted.regions[instances[wanted.reduce[instances] == reduce]], size)
        boxes = joined(boxes[areas(boxes) > 0])
        state = before if proves and before is not None else UNKNOWN_STATE
        record = Record(image.key, state, digest, reduce, size, boxes.tolist())
        parts.append(
            (record, [pixels[top:bottom, left:right] for left, top, right, bottom in boxes.tolist()])
        )
    return parts


def _in_threads(function: Callable, items: list, threads: int) -> Iterator:
    """``function`` of each item, in order, computed by ``threads`` that are a few items ahead."""
    with ThreadPoolExecutor(max(1, threads)) as pool:
        ahead: deque = deque()
        for item in items:
            ahead.append(pool.submit(function, item))
            if len(ahead) > 2 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
