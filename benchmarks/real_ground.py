"""The real ground of the benchmark: MPII's people as source and as trusted target, right labels and real pictures.

    python benchmarks/real_ground.py --data shared/data/lspet_mpii --out data/mpii_noise --seed 0

Reads mpii_train.json and mpii_test.json (COCO's format) in --data and writes into --out

    trusted.json  --trusted people of mpii_train.json, drawn by --seed: the target's T and V
    source.json   the others, whose labels a run corrupts (LBI.INJECT_NOISE)
    test.json     all of mpii_test.json
    images        a link to --data's images

Images may be cut out of larger pictures, which they then name as ``source_file``. The sets share no picture, and
trusted people are the only ones that mpii_train.json has of their picture, so that T and V share none either.
"""

import argparse
import json
import os
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from lib.dataset.annotations import read_json
from lib.utils.errors import InputError
from lib.utils.files import write_text

TRUSTED = 200


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of mpii_train.json, mpii_test.json and images")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into")
    parser.add_argument("--seed", type=int, default=0, help="draws the trusted people; default: 0")
    parser.add_argument("--trusted", type=int, default=TRUSTED, help=f"number of trusted people; default: {TRUSTED}")  # fmt: skip
    return parser


def make_ground(data: Path, out: Path, seed: int, trusted: int = TRUSTED) -> dict[str, int]:
    """Write the sets into ``out``; the same arguments give the same files.

    Returns:
        {file: its number of people}.

    Raises:
        InputError: a file is missing or invalid, training and test set share a picture, or there are too few people.
    """
    people, test = read_people(data / "mpii_train.json"), read_people(data / "mpii_test.json")
    if shared := sorted(set(pictures_of(people).values()) & set(pictures_of(test).values())):
        raise InputError(f"{data}: mpii_train.json and mpii_test.json share {len(shared)} pictures, such as {shared[0]}")  # fmt: skip
    if not (data / "images").is_dir():
        raise InputError(f"{data / 'images'}: no such folder")
    drawn = _draw(people, seed, trusted, data)
    others = {image["id"] for image in people["images"]} - drawn
    sets = {"source.json": part_of(people, others), "trusted.json": part_of(people, drawn), "test.json": test}
    for name, tree in sets.items():
        write_text(out / name, json.dumps(tree))
    link_to(out / "images", (data / "images").resolve())
    return {name: len(tree["annotations"]) for name, tree in sets.items()}


def read_people(path: Path) -> dict:
    """A file in COCO's format; the labels are checked when a run reads them."""
    tree = read_json(path)
    try:
        images = {image["id"] for image in tree["images"] if isinstance(image["file_name"], str)}
        stray = next((a["id"] for a in tree["annotations"] if a["image_id"] not in images), None)
    except (KeyError, TypeError):
        raise InputError(f"{path}: expected COCO's format, images with id and file_name and annotations with id and image_id") from None  # fmt: skip
    if stray is not None:
        raise InputError(f"{path}: annotation {stray}: its image_id is none of the images")
    return tree


def pictures_of(tree: dict) -> dict[int, str]:
    """{image id: the picture that the image is, or is cut out of}."""
    return {image["id"]: image.get("source_file", image["file_name"]) for image in tree["images"]}


def _draw(people: dict, seed: int, count: int, data: Path) -> set[int]:
    """Ids of the images of ``count`` people who are alone in their picture."""
    pictures = pictures_of(people)
    of_picture = Counter(pictures[person["image_id"]] for person in people["annotations"])
    alone = sorted(number for number, picture in pictures.items() if of_picture[picture] == 1)
    if not 0 < count <= len(alone):
        raise InputError(f"--trusted is {count}, expected 1 to {len(alone)}: so many people of {data / 'mpii_train.json'} are alone in their picture")  # fmt: skip
    return set(np.random.default_rng(seed).choice(alone, count, replace=False).tolist())


def part_of(tree: dict, images: set[int]) -> dict:
    """The ``images`` of a file with their annotations, and all that is said about the whole."""
    return tree | {
        "images": [image for image in tree["images"] if image["id"] in images],
        "annotations": [person for person in tree["annotations"] if person["image_id"] in images],
    }


def link_to(path: Path, folder: Path) -> None:
    """Make ``path`` a link to ``folder``, replacing another link."""
    if path.is_symlink() and Path(os.readlink(path)) == folder:
        return
    if path.exists() and not path.is_symlink():
        raise InputError(f"{path}: exists and is no link")
    path.unlink(missing_ok=True)
    path.symlink_to(folder, target_is_directory=True)


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code is 2 for invalid input."""
    arguments = build_parser().parse_args(argv)
    if arguments.seed < 0:
        print(f"error: --seed is {arguments.seed}, expected at least 0", file=sys.stderr)
        return 2
    try:
        counts = make_ground(arguments.data, arguments.out, arguments.seed, arguments.trusted)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(", ".join(f"{name}: {count} people" for name, count in counts.items()))
    print(arguments.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
