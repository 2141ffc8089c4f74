"""What the header of an image file says, without decoding its pixels."""

import io

from PIL import Image

from lib.dataset.images import IN_ARCHIVE, read_content


def stored_size(path: str) -> tuple[int, int] | None:
    """Width and height of an image as stored, whatever its orientation tag says; None if it cannot be read.

    Args:
        path: a file, or ARCHIVE.zip@/MEMBER.
    """
    if IN_ARCHIVE in path:
        content = read_content(path)
        if content is None:
            return None
        file: io.BytesIO | str = io.BytesIO(content)
    else:
        file = path
    try:
        with Image.open(file) as image:
            return image.size
    except Exception:  # Pillow raises various exceptions for damaged files
        return None
