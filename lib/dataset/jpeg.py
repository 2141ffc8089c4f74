"""The upper part of a JPEG image, for decoders that know only whole images."""

import numpy as np

BASELINE, EXTENDED = 0xC0, 0xC1  # frames that are decoded row by row; progressive ones are not
SCAN, RESTART_INTERVAL = 0xDA, 0xDD
MARK, END = 0xFF, 0xD9
AHEAD = bytes(64)  # in place of the end: decoders read some bytes ahead of those that they use
MARGIN = 16  # rows: colours are stored coarser than light, and mixed with those below


def upper_part(content: bytes, rows: int) -> bytes:
    """The JPEG ``content`` with a height that leaves out what lies below ``rows``, and some more.

    The rows that are asked for decode to the same pixels, and the rest costs nothing. The height
    in the header says when a decoder may stop; without the end mark it does not complain of the
    data that is left over. Anything but a plain, whole sequential JPEG is returned as it is.
    """
    height_at = components = 0
    at = 2
    while content[at : at + 1] == b"\xff" and at + 10 <= len(content):
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in (BASELINE, EXTENDED):
            height_at, components = at + 5, content[at + 9]
        elif marker == RESTART_INTERVAL and content[at + 4 : at + 6] != b"\0\0":
            return content
        elif marker == SCAN:
            # Colours one after the other in several scans: the height would cut each of them.
            if content[at + 4] != components or not height_at:
                return content
            break
        at += 2 + length
    else:
        return content
    height = max(rows, 0) + MARGIN
    if height >= int.from_bytes(content[height_at : height_at + 2], "big"):
        return content
    end = _end(content, at)
    if end is None:
        return content
    return b"".join((content[:height_at], height.to_bytes(2, "big"), content[height_at + 2 : end], AHEAD))


def _end(content: bytes, start: int) -> int | None:
    """Where the end mark lies, from ``start`` on; several times as fast as bytes.find, which stops at every mark."""
    data = np.frombuffer(content, np.uint8)
    marks = start + np.flatnonzero(data[start:-1] == MARK)
    ends = marks[data[marks + 1] == END]
    return int(ends[0]) if len(ends) else None
