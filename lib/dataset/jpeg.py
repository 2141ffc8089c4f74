"""Shorten a JPEG file to its upper rows, since OpenCV only decodes whole images."""

import numpy as np

# Markers of ITU-T T.81, table B.1. Baseline and extended sequential frames are stored row by row;
# progressive ones are not.
BASELINE, EXTENDED = 0xC0, 0xC1
SCAN, RESTART_INTERVAL = 0xDA, 0xDD
MARKER, END = 0xFF, 0xD9
READ_AHEAD = bytes(64)  # replaces the end: decoders read a few bytes ahead of what they use
MARGIN = 16  # rows: chroma has a lower resolution, and is interpolated with the rows below


def upper_part(content: bytes, rows: int) -> bytes:
    """Return a JPEG that decodes to the same first ``rows`` rows, without the cost of the rows below.

    The height in the header is reduced, so a decoder stops early; the end marker is removed, so it does not
    warn about the data that is left.

    Args:
        content: a file's content, not necessarily a JPEG.
        rows: number of rows needed; up to MARGIN more are kept.

    Returns:
        The changed content; ``content`` itself unless it is a complete sequential JPEG with more rows.
    """
    # Walk over the segments of the header (marker, length, data) up to the scan.
    height_at = components = 0
    at = 2
    while content[at : at + 1] == b"\xff" and at + 10 <= len(content):
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker in (BASELINE, EXTENDED):
            height_at, components = at + 5, content[at + 9]
        elif marker == RESTART_INTERVAL and content[at + 4 : at + 6] != b"\0\0":
            return content
        elif marker == SCAN:
            # Several scans, one per color component, would each be cut at this height.
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
    return b"".join(
        (content[:height_at], height.to_bytes(2, "big"), content[height_at + 2 : end], READ_AHEAD)
    )


def _end(content: bytes, start: int) -> int | None:
    """Position of the end marker from ``start`` on, or None.

    Several times as fast as bytes.find, which restarts at every 0xFF byte.
    """
    data = np.frombuffer(content, np.uint8)
    marks = start + np.flatnonzero(data[start:-1] == MARKER)
    ends = marks[data[marks + 1] == END]
    return int(ends[0]) if len(ends) else None
