"""Fetch torchvision's ImageNet weights of ResNets: python pose_estimation/fetch_weights.py [50 101 152]"""

import argparse
import hashlib
import sys
from http.client import HTTPException
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torchvision

from lib.models.pretrained import IMAGENET_FOLDER
from lib.utils.errors import InputError

DEPTHS = (18, 34, 50, 101, 152)  # of torchvision's ResNets


def weights_url(depth: int) -> str:
    """Where torchvision keeps the weights; the file's name ends in the first digits of its SHA-256."""
    return torchvision.models.get_weight(f"ResNet{depth}_Weights.IMAGENET1K_V1").url


def _is_intact(path: Path) -> bool:
    """Whether the SHA-256 of resnet50-0676ba61.pth begins with 0676ba61."""
    return hashlib.sha256(path.read_bytes()).hexdigest().startswith(_hash_prefix(path))


def _hash_prefix(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def fetch(depth: int, folder: Path) -> Path:
    """Path of the ImageNet weights in ``folder``, fetched unless an intact file is there already.

    A damaged file is replaced. Raises InputError where they cannot be had, and leaves no part of them.
    """
    url = weights_url(depth)
    path = folder / url.rpartition("/")[2]
    if path.is_file() and _is_intact(path):
        print(f"{path}: already there")
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # torch writes to a temporary file in the same folder, and renames it once its hash is right
        torch.hub.download_url_to_file(url, str(path), _hash_prefix(path), progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:
        raise InputError(
            f"{url}: cannot be fetched ({error}); fetch it on another machine and put it at {path}"
        ) from error
    print(f"{path}: fetched")
    return path


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Fetch torchvision's ImageNet weights of ResNets.")
    parser.add_argument("depths", nargs="*", type=int, metavar="DEPTH",
                        help="18, 34, 50, 101 or 152 (default: 50 101 152)")  # fmt: skip
    parser.add_argument("--folder", type=Path, default=Path(IMAGENET_FOLDER), help="default: %(default)s")
    args = parser.parse_args(argv)
    try:
        for depth in args.depths or (50, 101, 152):
            if depth not in DEPTHS:
                raise InputError(f"torchvision has no ResNet-{depth}; expected {', '.join(map(str, DEPTHS))}")
            fetch(depth, args.folder)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
