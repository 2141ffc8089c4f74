"""The images beside the files of tools that look for them there."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from lib.exchange.labels import LabelledImage
from lib.utils.errors import InputError


def link_images(images: Mapping[Path, LabelledImage]) -> None:
    """Put links to the images at the paths, or copies where the file system has no links.

    Raises:
        InputError: an image is not at hand; nothing is linked then.
    """
    for image in images.values():
        if image.path is None:
            raise InputError(
                f"image {image.source!r}: is not in the image folder (or in an archive), and this tool wants the images "
                "beside its labels; say where they are with --images DIR"
            )
    for path, image in images.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        source = Path(str(image.path)).resolve()
        try:
            path.symlink_to(source)
        except OSError:  # Windows without the right to make links
            shutil.copyfile(source, path)
