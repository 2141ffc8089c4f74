"""Download torchvision's ImageNet weights of ResNets: python pose_estimation/fetch_weights.py [50 101 152]"""

import argparse
import hashlib
import sys
from http.client import HTTPException
from pathlib import Path

if not __package__:  # run as a file of a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch
import torchvision

from lib.models.weights_file import IMAGENET_FOLDER
from lib.utils.errors import InputError

DEPTHS = (18, 34, 50, 101, 152)  # of torchvision's ResNets


def weights_url(depth: int) -> str:
    """URL of torchvision's weights; the file name ends in the first digits of the file's SHA-256."""
    return torchvision.models.get_weight(f"ResNet{depth}_Weights.IMAGENET1K_V1").url


def _is_intact(path: Path) -> bool:
    """True if the SHA-256 begins as the file name says: for resnet50-0676ba61.pth with 0676ba61."""
    return hashlib.sha256(path.read_bytes()).hexdigest().startswith(_hash_prefix(path))


def _hash_prefix(path: Path) -> str:
    return path.stem.rpartition("-")[2]


def fetch(depth: int, folder: Path) -> Path:
    """Download ImageNet weights into ``folder`` unless an intact file exists; a damaged one is replaced.

    Args:
        depth: number of layers of the ResNet.

    Returns:
        The path of the file.

    Raises:
        InputError: if the download fails; no partial file is left.
    """
    url = weights_url(depth)
    path = folder / url.rpartition("/")[2]
    if path.is_file() and _is_intact(path):
        print(f"{path}: exists already")
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Writes to a temporary file in the same folder, and renames it once its hash is verified.
        torch.hub.download_url_to_file(url, str(path), _hash_prefix(path), progress=sys.stderr.isatty())
    except (OSError, HTTPException, RuntimeError) as error:
        raise InputError(
            f"{url}: cannot be downloaded ({error}); download it on another machine and copy it to {path}"
        ) from error
    print(f"{path}: downloaded")
    return path


def main(argv: list[str] | None = None) -> int:
    """Run the command; the exit code."""
    parser = argparse.ArgumentParser(description="Download torchvision's ImageNet weights of ResNets.")
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
