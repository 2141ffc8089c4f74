"""Real label errors as a data set: people of Leeds Sports Pose Extended as source, MPII's as target.

    python benchmarks/lspet_ground.py --data shared/data/lspet_mpii --out data/lspet_to_mpii --people 3000 --seed 0

Reads lspet_train.json, lspet_second_opinion.json, mpii_train.json and mpii_test.json (COCO's format) in --data and
writes into --out, with the twelve joints that mean the same in both sets,

    source.json   everyone whom the second opinion is about, and others, drawn by --seed, up to --people
    trusted.json  all of mpii_train.json: the target's T and V
    test.json     all of mpii_test.json
    images        a link to --data's images

Neck and head top are defined differently in the two sets and left out.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.evidence.second_opinion import read_second_opinion
from benchmarks.real_ground import link_to, part_of, read_people
from lib.utils.errors import InputError
from lib.utils.files import write_text

DIFFERENT = ("neck", "head_top")
SECOND_OPINION = "lspet_second_opinion.json"
PEOPLE = 3000


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of lspet_train.json, lspet_second_opinion.json, mpii_train.json, mpii_test.json and images")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--seed", type=int, default=0, help="draws who joins the source; default: 0")
    parser.add_argument("--people", type=int, default=PEOPLE, help=f"people of the source at most; 0: all; default: {PEOPLE}")  # fmt: skip
    return parser


def make_lspet_ground(data: Path, out: Path, seed: int, people: int = PEOPLE) -> dict[str, int]:
    """Write the sets into ``out``; the same arguments give the same files.

    Args:
        people: number of source people at most; 0 for all.

    Returns:
        {file: its number of people}.

    Raises:
        InputError: a file is missing or invalid, or the second opinion is about more than ``people``.
    """
    source, trusted, test = (
        without_joints(read_people(data / name), data / name)
        for name in ("lspet_train.json", "mpii_train.json", "mpii_test.json")
    )
    asked = set(read_second_opinion(data / SECOND_OPINION).ids.tolist())
    chosen = _draw(source, asked, people, seed, data)
    sets = {"source.json": _people_of(source, chosen), "trusted.json": trusted, "test.json": test}
    if not (data / "images").is_dir():
        raise InputError(f"{data / 'images'}: no such folder")
    for name, tree in sets.items():
        write_text(out / name, json.dumps(tree))
    link_to(out / "images", (data / "images").resolve())
    return {name: len(tree["annotations"]) for name, tree in sets.items()}


def without_joints(tree: dict, path: Path, left_out: tuple[str, ...] = DIFFERENT) -> dict:
    """A file in COCO's format without some joints of its only category.

    Raises:
        InputError: there are several categories, it lacks one of the joints, or keypoints do not fit it.
    """
    try:
        (category,) = tree["categories"]
        names = category["keypoints"]
        kept = [j for j, name in enumerate(names) if name not in left_out]
        missing = [name for name in left_out if name not in names]
        # Ends of the skeleton's lines count from 1.
        new = {j + 1: k + 1 for k, j in enumerate(kept)}
        lines = [[new[a], new[b]] for a, b in category.get("skeleton", []) if a in new and b in new]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{path}: expected one category with keypoints and a skeleton") from None
    if missing:
        raise InputError(f"{path}: its category has no joint '{missing[0]}', which is to be left out")
    people = [_with_joints(person, kept, len(names), path) for person in tree["annotations"]]
    category = category | {"keypoints": [names[j] for j in kept], "skeleton": lines}
    return tree | {"categories": [category], "annotations": people}


def _with_joints(person: dict, kept: list[int], count: int, path: Path) -> dict:
    points = person.get("keypoints")
    if not isinstance(points, list) or len(points) != 3 * count:
        raise InputError(f"{path}: annotation {person['id']}: expected {3 * count} numbers as keypoints")
    of_joint = [points[3 * j : 3 * j + 3] for j in kept]
    labelled = sum(visible > 0 for _, _, visible in of_joint)
    return person | {"keypoints": [number for joint in of_joint for number in joint], "num_keypoints": labelled}  # fmt: skip


def _draw(source: dict, asked: set[int], people: int, seed: int, data: Path) -> set[int]:
    """Annotation ids: those ``asked`` for, and others drawn up to ``people``."""
    every = {person["id"] for person in source["annotations"]}
    if strange := sorted(asked - every):
        raise InputError(f"{data / SECOND_OPINION}: annotation {strange[0]} is not in lspet_train.json")
    if not people:
        return every
    if people < len(asked):
        raise InputError(f"--people is {people}, expected 0 (all) or at least {len(asked)}, those of the second opinion")  # fmt: skip
    others = sorted(every - asked)
    count = min(people - len(asked), len(others))
    return asked | set(np.random.default_rng(seed).choice(others, count, replace=False).tolist())


def _people_of(tree: dict, ids: set[int]) -> dict:
    """The people of these annotations, and their images."""
    people = [person for person in tree["annotations"] if person["id"] in ids]
    images = {person["image_id"] for person in people}
    return part_of(tree, images) | {"annotations": people}


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 for invalid input."""
    arguments = build_parser().parse_args(argv)
    try:
        if min(arguments.seed, arguments.people) < 0:
            raise InputError(f"--seed is {arguments.seed} and --people {arguments.people}, expected at least 0")  # fmt: skip
        counts = make_lspet_ground(arguments.data, arguments.out, arguments.seed, arguments.people)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(", ".join(f"{name}: {count} people" for name, count in counts.items()))
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
