"""The objects whose joints a network finds, as a checkpoint describes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.dataset.coco_file import PERSON
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS, network_joints
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

JOINTS_OF_PEOPLE = (SHARED_KEYPOINTS, MPII_KEYPOINTS, COCO_KEYPOINTS)


@dataclass(frozen=True)
class Category:
    """A category of objects, or several with the same joints.

    ids: its category_id in COCO's format, or theirs; empty if unknown.
    name: its name, or their names; empty if unknown.
    skeleton: the joints.
    """

    ids: tuple[int, ...]
    name: str
    skeleton: Skeleton

    @property
    def number(self) -> int:
        """The category_id of results: the first of several, 1 if none is known."""
        return self.ids[0] if self.ids else 1

    @property
    def noun(self) -> str:
        """What a message calls one of the objects."""
        return self.name if len(self.ids) == 1 else "object"

    def __str__(self) -> str:
        if not self.ids:
            return f"{self.name or 'objects'} (category unknown)"
        listed = ", ".join(map(str, self.ids[:3])) + (", ..." if len(self.ids) > 3 else "")
        return f"{self.name} (category {listed})"

    def entry(self) -> dict[str, Any]:
        """The category as plain values for a checkpoint, joints by their names."""
        return {
            "ids": list(self.ids),
            "name": self.name,
            "keypoints": list(self.skeleton.names),
            "skeleton": [list(line) for line in self.skeleton.lines],
            "flip_pairs": [list(pair) for pair in self.skeleton.pairs],
        }


def category_of(content: Mapping, count: int, path: str | Path) -> Category:
    """The category of a checkpoint's objects.

    Args:
        content: what the checkpoint holds beside its weights: this project's 'category' (see `Category.entry`) or,
            in files of earlier versions, 'joints'; mmpose's 'meta'; or none of them.
        count: number of the network's heatmaps.
        path: the checkpoint, for error messages.

    Returns:
        Without a description, people with the ``count`` joints of COCO, MPII or both. Pairs and limbs that are
        not described follow from the names of the joints.

    Raises:
        InputError: the description is damaged, or there is none and ``count`` does not tell the joints.
    """
    described = content.get("category")
    if described is not None:
        return _checked(described, count, path)
    if mmpose := _mmpose_category(content.get("meta"), count):
        return mmpose
    joints = _joints(content, count, path)
    if joints in JOINTS_OF_PEOPLE:
        return Category((PERSON,), "person", Skeleton.of(joints))
    return Category((), "", Skeleton.of(joints))


def _checked(entry: Any, count: int, path: str | Path) -> Category:
    """The category of an entry of this project's checkpoints."""
    try:
        ids, name, joints = tuple(entry["ids"]), entry["name"], tuple(entry["keypoints"])
        lines, pairs = (_links(entry[key], joints) for key in ("skeleton", "flip_pairs"))
        paired = [joint for pair in pairs for joint in pair]
        well_formed = (
            all(type(number) is int for number in ids)
            and all(isinstance(text, str) for text in (name, *joints))
            and len(set(joints)) == len(joints) == count
            and len(set(paired)) == len(paired)
        )
    except (KeyError, IndexError, TypeError, ValueError):
        well_formed = False
    if not well_formed:
        raise InputError(
            f"{path}: 'category' should have ids, a name, {count} different keypoints, a skeleton and flip_pairs, "
            f"found {short_repr(entry)}"
        )
    return Category(ids, name, Skeleton(joints, pairs, lines))


def _links(pairs: Sequence, joints: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """``pairs`` of different joints as tuples. Raises ValueError or TypeError for anything else."""
    links = tuple((a, b) for a, b in pairs)
    if any(a == b or a not in joints or b not in joints for a, b in links):
        raise ValueError("no pair of joints")
    return links


def _mmpose_category(meta: Any, count: int) -> Category | None:
    """The category in the 'meta' of a checkpoint of mmpose 1.x; None if there is none."""
    try:
        described = meta["dataset_meta"]
        names = tuple(described["keypoint_id2name"][j] for j in range(count))
        lines = [(names[a], names[b]) for a, b in described["skeleton_links"]]
        partners = [names[p] for p in described["flip_indices"]]
        dataset = str(described["dataset_name"])
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    if not all(isinstance(name, str) for name in names) or not len(set(names)) == len(partners) == count:
        return None
    skeleton = Skeleton.of(names, lines=lines)
    given = {frozenset((a, b)) for a, b in zip(names, partners) if a != b}
    if given != set(map(frozenset, skeleton.pairs)):  # else the names tell which one is the left
        skeleton = Skeleton.of(names, {min(pair): max(pair) for pair in given}, lines)
    is_person = names in JOINTS_OF_PEOPLE
    return Category((PERSON,), "person", skeleton) if is_person else Category((), dataset, skeleton)


def _joints(content: Mapping, count: int, path: str | Path) -> tuple[str, ...]:
    """The checkpoint's joint names, or if it has none the names of the data set with ``count`` joints."""
    names = content.get("joints")
    if names is None:
        try:
            joints = network_joints(count)
            LOG.info(
                f"{path}: does not name its {count} joints, so they are taken to be {joints[0]}, {joints[1]}, ..."
            )
            return joints
        except KeyError:
            raise InputError(
                f"{path}: has {count} heatmaps and no 'joints' that name them; expected 13, 16 or 17 heatmaps"
            ) from None
    are_names = isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
    if not are_names or not len(set(names)) == len(names) == count:
        raise InputError(f"{path}: 'joints' should be {count} different names, found {short_repr(names)}")
    return tuple(names)
