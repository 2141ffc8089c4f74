"""Which predicted pose is whose: poses of a results file, and the annotated instances of the same images."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

import numpy as np
from scipy.optimize import linear_sum_assignment

from lib.dataset.annotations import PADDING, Annotations
from lib.dataset.image_names import candidates
from lib.dataset.pose_results import ID_KEYS, PoseResults
from lib.dataset.reading_notes import counted
from lib.nms.nms import oks_nms_by_image
from lib.utils.errors import InputError, short_repr

NEAR = (
    0.1  # standard deviation of the nearness of a label and a prediction, in units of the box's longer side
)
LEAST = 0.2  # nearness of an instance and its pose
SAME = 0.5  # OKS above which two poses are the same person's
AGREEING = (
    0.9  # share of the named instances that must be the nearest ones, if "id" is to be the annotation's
)


@dataclass(frozen=True)
class MatchedPoses:
    """The poses of N annotated instances with J joints.

    points: float64 [N, J, 2] image pixels; NaN where there is none.
    scores: float64 [N, J], as the file has them; 0 where there is none.
    way: how they were matched, for people.
    unpredicted: number of instances without a pose.
    unplaced: number of labels without a prediction, of the other instances.
    left_out: {why: number of results that are not used}.
    """

    points: np.ndarray
    scores: np.ndarray
    way: str
    unpredicted: int
    unplaced: int
    left_out: Mapping[str, int] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """For people: what was not matched."""
        count = len(self.points)
        text = [f"{count - self.unpredicted} of {count} instances have a predicted pose, found by {self.way}"]
        if self.unpredicted:
            text.append(f"{self.unpredicted} instances have none: their labels are not judged")
        if self.unplaced:
            text.append(f"{self.unplaced} more labels are not judged: their pose has no such keypoint")
        if left_out := counted(self.left_out):
            text.append(f"results that are not used: {left_out}")
        return text


def match_poses(annotations: Annotations, results: PoseResults) -> MatchedPoses:
    """Give every instance the pose that was predicted for it.

    By the id of the annotation, where every result has one: as "annotation_id", or as "id" if these are ids of
    annotations in the result's image and mostly of the nearest ones. Otherwise poses that only repeat a better one
    are left out, and those of each image are assigned one to one, so that the sum of their nearness is largest.

    Args:
        annotations: N instances; left and right may be exchanged in their labels, and single labels be anywhere.
        results: of their images.

    Raises:
        InputError: no result is of their images or categories, or an annotation_id is in another image.
    """
    left_out: Counter[str] = Counter()
    image = _image_of(annotations, results)
    usable = _of_category(annotations, results)
    if not usable.any():
        raise InputError(
            f"{results.path}: expected results of category {_shown(annotations.category_ids)}, found "
            f"{_shown(results.categories)}"
        )
    if not (image[usable] >= 0).any():
        raise InputError(
            f"{results.path}: none of its images is among those of the annotations; its first image_id is "
            f"{short_repr(results.images[0])}, that of an annotation is {_first_image(annotations)}"
        )
    left_out["of another category"] = int((~usable).sum())
    left_out["of images without annotations"] = int((usable & (image < 0)).sum())
    usable &= image >= 0
    results, image = results.subset(usable), image[usable]

    by_place, repeated = _by_place(annotations, results, image)
    pose = _named(annotations, results, image, by_place)
    way = f"their {results.id_key}"
    if pose is None:
        pose, way = by_place, "their places"
        left_out["that repeat a better one"] = repeated
    used = np.unique(pose[pose >= 0]).size
    left_out["of no annotated instance"] = len(results) - used - left_out["that repeat a better one"]
    return _placed(annotations, results, pose, way, left_out)


def _placed(
    annotations: Annotations, results: PoseResults, pose: np.ndarray, way: str, left_out: Mapping[str, int]
) -> MatchedPoses:
    """The poses at the positions ``pose`` [N] among the results; -1 for none."""
    own, there = np.array(annotations.mapping.index), pose >= 0
    points = np.where((there[:, None] & (own >= 0))[..., None], results.points[pose][:, own], np.nan)
    has_point = np.isfinite(points).all(axis=-1)
    scores = np.where(has_point, results.scores[pose][:, own], 0.0)
    labelled = annotations.visible > 0
    return MatchedPoses(
        points=points,
        scores=scores,
        way=way,
        unpredicted=int((~there).sum()),
        unplaced=int((labelled & ~has_point)[there].sum()),
        left_out=left_out,
    )


def _of_category(annotations: Annotations, results: PoseResults) -> np.ndarray:
    """bool [R]. Where both have a single category, it is the same, however they number it."""
    own, other = annotations.category_ids, results.categories
    if own is None or other is None or (len(np.unique(own)) == 1 and len(np.unique(other)) == 1):
        return np.ones(len(results), bool)
    return np.isin(other, own)


def _shown(categories: np.ndarray | None) -> str:
    return " or ".join(map(str, np.unique(categories)[:5].tolist())) if categories is not None else "none"


def _first_image(annotations: Annotations) -> str:
    name = short_repr(str(annotations.image_names[annotations.image_index[0]]))
    return name if annotations.image_ids is None else f"{annotations.image_ids[0]} or {name}"


def _image_of(annotations: Annotations, results: PoseResults) -> np.ndarray:
    """int [R] position in `Annotations.image_names` of each result's image; -1 if it has no annotation."""
    by_id: dict[int, int] = {}
    if annotations.image_ids is not None:
        by_id = dict(zip(annotations.image_ids.tolist(), annotations.image_index.tolist()))
    by_name: dict[str, set[int]] = {}
    if any(isinstance(image, str) for image in results.images):
        for position in np.unique(annotations.image_index).tolist():
            for name in candidates(str(annotations.image_names[position])):
                for spelled in {name, _without_suffix(name)}:
                    by_name.setdefault(spelled, set()).add(position)

    def find(image: int | str) -> int:
        if isinstance(image, int):
            return by_id.get(image, -1)
        for name in candidates(image):
            found = by_name.get(name, set())
            if len(found) > 1:
                raise InputError(
                    f"{results.path}: image_id {short_repr(image)} may be {len(found)} images of the annotations; "
                    "expected the id, or the name with its folder"
                )
            if found:
                return next(iter(found))
        return by_id.get(int(image), -1) if image.isdecimal() else -1

    known = {image: find(image) for image in dict.fromkeys(results.images)}
    return np.array([known[image] for image in results.images], np.int64)


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name)
    return path.with_suffix("").as_posix() if path.name else name


def _named(
    annotations: Annotations, results: PoseResults, image: np.ndarray, by_place: np.ndarray
) -> np.ndarray | None:
    """int [N] position of the best result that names each annotation, -1 for none; None if ids name no annotations."""
    if results.named is None:
        return None
    position = {number: k for k, number in enumerate(annotations.ids.tolist())}
    instance = np.array([position.get(number, -1) for number in results.named.tolist()], np.int64)
    elsewhere = (instance >= 0) & (annotations.image_index[instance] != image)
    sure = results.id_key == ID_KEYS[0]
    if sure and elsewhere.any():
        k = int(np.flatnonzero(elsewhere)[0])
        raise InputError(
            f"{results.path}: a result of image {short_repr(results.images[k])} has annotation_id "
            f"{results.named[k]}, which is an annotation of another image"
        )
    if not sure and (elsewhere.any() or (instance < 0).any()):
        return None
    pose = np.full(len(annotations), -1)
    named = np.flatnonzero(instance >= 0)[::-1]  # of several, the first in their own order stays
    pose[instance[named]] = named
    crowded = np.bincount(annotations.image_index)[annotations.image_index] > 1
    proven = crowded & (pose >= 0) & (by_place >= 0)
    if not sure and (pose == by_place)[proven].sum() < AGREEING * proven.sum():
        return None
    return pose


def _by_place(annotations: Annotations, results: PoseResults, image: np.ndarray) -> tuple[np.ndarray, int]:
    """int [N] position of each instance's pose among the results, -1 for none; and how many only repeat others."""
    kept = _different(results, image)
    kept = kept[np.argsort(image[kept], kind="stable")]
    first, last = (np.searchsorted(image[kept], annotations.image_index, side) for side in ("left", "right"))
    pose = np.full(len(annotations), -1)
    order = np.argsort(annotations.image_index, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(annotations.image_index[order]) != 0, True]) + 1
    for start, end in zip(np.r_[0, ends[:-1]], ends):
        instances = order[start:end]
        poses = kept[first[instances[0]] : last[instances[0]]]
        near = nearness(annotations.subset(instances), results.subset(poses))
        row, column = linear_sum_assignment(np.where(near >= LEAST, near, 0), maximize=True)
        good = near[row, column] >= LEAST
        pose[instances[row[good]]] = poses[column[good]]
    return pose, len(results) - len(kept)


def _different(results: PoseResults, image: np.ndarray) -> np.ndarray:
    """Positions of the results, without those that only repeat a better one of their image."""
    there = np.isfinite(results.points)
    lowest = np.where(there, results.points, np.inf).min(axis=1)
    highest = np.where(there, results.points, -np.inf).max(axis=1)
    sides = np.where(np.isfinite(highest - lowest), highest - lowest, 0)
    middle = np.where(np.isfinite(highest + lowest), highest + lowest, 0)[:, None] / 2
    points = np.where(there, results.points, middle)
    return oks_nms_by_image(
        np.concatenate([points, results.scores[..., None]], axis=-1),
        results.pose_scores,
        np.maximum(sides.max(axis=1), 1) ** 2,
        image,
        SAME,
        np.full(points.shape[1], NEAR / 2),
    )


def nearness(annotations: Annotations, results: PoseResults) -> np.ndarray:
    """How near instances and poses are to each other, in [0, 1]: [n, r].

    The mean over an instance's labels of exp(-d^2 / 2), with d the distance to the pose's joint or to its mirror
    image, whichever is nearer, in units of NEAR; that the predictions lie in the box counts as one label more.
    """
    own, flip = np.array(annotations.mapping.index), np.array(annotations.mapping.flip_indices)
    points = np.where((own >= 0)[:, None], results.points[:, own], np.nan)
    labelled, box = annotations.visible > 0, annotations.sizes / PADDING
    unit = NEAR * box.max(axis=1)[:, None, None, None]
    labels = np.asarray(annotations.joints, np.float64)[:, None]
    away = [((labels - places) / unit) ** 2 for places in (points, points[:, flip])]
    value = np.exp(-np.nan_to_num(np.fmin(*(a.sum(axis=-1) for a in away)), nan=np.inf) / 2)
    inside = (np.abs(points - annotations.centers[:, None, None]) <= box[:, None, None] / 2).all(axis=-1)
    predicted = labelled[:, None] & np.isfinite(points).all(axis=-1)
    share = (inside & predicted).sum(axis=-1) / np.maximum(predicted.sum(axis=-1), 1)
    return ((value * labelled[:, None]).sum(axis=-1) + share) / (labelled.sum(axis=1)[:, None] + 1)
