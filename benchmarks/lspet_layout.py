"""Leeds Sports Pose Extended and MPII, from their original files to the layout that benchmarks/real.py reads.

    python benchmarks/lspet_layout.py --lspet lspet_dataset --mpii mpii --out data/lspet_mpii

--lspet has joints.mat and images/im00001.jpg to im10000.jpg; --mpii has annot/train.json and annot/valid.json in
SimpleBaseline's form and images/. Writes into --out, in COCO's format with 14 named keypoints,

    lspet_train.json  all of LSPET, the source, with its label errors
    mpii_train.json   MPII's train.json without pictures that valid.json has: the trusted target
    mpii_test.json    MPII's valid.json
    images/           every person cut out, made smaller if the box of its labels is longer than --size

Coordinates count from 0 and refer to the middles of pixels; MPII's files count from 1, and LSPET's are taken as they
are, as is usual (they do not say). v is 2 for a labelled joint, else 0. Of MPII, people whose picture is not there are
left out and counted, since few have all of it. A picture that names its original has crop_offset (pixels of the
original) and crop_scale: original = crop_offset + (crop + 0.5) / crop_scale - 0.5.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.person_crops import KEYPOINTS, Person, write_set
from lib.cli.arguments import run_command
from lib.dataset.annotations import ReadOptions, read_json
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import MPII_KEYPOINTS, map_by_name
from lib.dataset.mpii import read_mpii
from lib.dataset.reading_notes import counted
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError
from lib.utils.matlab import read_mat

SIZE = 160  # pixels, of the longer side of the box of a person's labels
LEAST = 4  # labelled joints of a person: fewer are no pose
NAMED = 3  # missing pictures that an error names


@dataclass(frozen=True)
class People:
    """The people of one set.   left_out: {why: how many}."""

    people: list[Person]
    left_out: Counter


def read_lspet(folder: Path) -> People:
    """Everyone of LSPET, in the file's order.

    Raises:
        InputError: joints.mat is that of another set, or pictures are missing.
    """
    path, pictures = folder / "joints.mat", folder / "images"
    found = read_mat(path, ("joints",)).get("joints")
    if found is None:
        raise InputError(f"{path}: no variable joints")
    if found.shape[:2] == (3, len(KEYPOINTS)):
        raise InputError(
            f"{path}: joints has shape {_shape(found)}, as in Leeds Sports Pose, where the third number is 1 for "
            "an occluded joint; expected Leeds Sports Pose Extended, 14 x 3 x 10000"
        )
    if found.ndim != 3 or found.shape[:2] != (len(KEYPOINTS), 3) or not found.shape[2]:
        raise InputError(f"{path}: joints has shape {_shape(found)}, expected 14 x 3 x 10000")
    joints = np.moveaxis(found.astype(np.float64), 2, 0)
    labelled = joints[..., 2] > 0
    if not np.isfinite(joints[labelled]).all():
        raise InputError(f"{path}: a labelled joint has no finite coordinates")
    names = [f"im{number:05d}.jpg" for number in range(1, len(joints) + 1)]
    there = ImageFolder(pictures).paths
    if missing := [name for name in names if name not in there]:
        such = ", ".join(missing[:NAMED]) + (", ..." if len(missing) > NAMED else "")
        raise InputError(f"{pictures}: {len(missing)} of {len(names)} pictures are missing: {such}")
    return _with_enough_labels(
        [
            Person(number, pictures / name, f"lspet_{number:05d}.jpg", own[:, :2], seen)
            for number, (name, own, seen) in enumerate(zip(names, joints, labelled), start=1)
        ],
        Counter(),
    )


def read_mpii_people(folder: Path, part: str, without: frozenset[str] = frozenset()) -> People:
    """The people of MPII's ``part``, train or valid, whose picture is there and is not one of ``without``."""
    stand_ins = {"neck": "upper_neck"}
    mapping = map_by_name("mpii", MPII_KEYPOINTS, Skeleton.of(KEYPOINTS), stand_ins)
    images = ImageFolder(folder / "images")
    found = read_mpii((folder / "annot" / f"{part}.json",), images, mapping, ReadOptions(1.0, True))
    pictures = [Path(found.image_paths[k]) for k in found.image_index]
    mark = "v" if part == "valid" else ""
    people = [
        Person(int(number) + 1, picture, f"mpii_{picture.stem}_{mark}{number}.jpg", joints, labelled)
        for number, picture, joints, labelled in zip(found.ids, pictures, found.joints, found.visible > 0)
        if picture.name not in without
    ]
    in_both = len(pictures) - len(people)
    return _with_enough_labels(
        people, Counter(found.notes.left_out) + Counter({"in a picture of valid.json": in_both})
    )


def _with_enough_labels(people: list[Person], left_out: Counter) -> People:
    """Leave out whom no pose is known of."""
    kept = [
        person
        for person in people
        if person.labelled.sum() >= LEAST and np.ptp(person.joints[person.labelled], axis=0).max() > 0
    ]
    return People(kept, left_out + Counter({f"with fewer than {LEAST} joints": len(people) - len(kept)}))


def _shape(array: np.ndarray) -> str:
    return " x ".join(map(str, array.shape))


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--lspet", type=Path, required=True, metavar="DIR", help="folder of joints.mat and images")  # fmt: skip
    parser.add_argument("--mpii", type=Path, required=True, metavar="DIR", help="folder of annot and images")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--size", type=int, default=SIZE, help=f"longest side of a person's labels in pixels; default: {SIZE}")  # fmt: skip
    return parser


def command(argv: list[str] | None) -> str:
    """Write the three sets and return what they hold.

    Raises:
        InputError: a file is missing or invalid, or a set has nobody.
    """
    arguments = build_parser().parse_args(argv)
    if arguments.size < 1:
        raise InputError(f"--size is {arguments.size}, expected at least 1")
    source = read_lspet(arguments.lspet)
    test = read_mpii_people(arguments.mpii, "valid")
    tested = frozenset(person["image"] for person in read_json(arguments.mpii / "annot" / "valid.json"))
    trusted = read_mpii_people(arguments.mpii, "train", without=tested)
    sets = {"lspet_train": source, "mpii_train": trusted, "mpii_test": test}
    for name, found in sets.items():
        if not found.people:
            raise InputError(f"{name}: nobody is left; left out: {counted(found.left_out)}")
    for name, found in sets.items():
        write_set(found.people, name, arguments.out, arguments.size)
    return "\n".join(_line(name, found) for name, found in sets.items())


def _line(name: str, found: People) -> str:
    left_out = counted(found.left_out)
    return f"{name}.json: {len(found.people):,} people" + (f"; left out: {left_out}" if left_out else "")


def main(argv: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(command, argv)


if __name__ == "__main__":
    sys.exit(main())
