"""What OpenCV does not do with JPEG files: decode the upper rows alone, and tell whether pixels are missing."""

from typing import NamedTuple

import numpy as np

# Markers of ITU-T T.81, table B.1. Baseline and extended sequential frames are stored row by row;
# progressive ones are not.
START = b"\xff\xd8"
BASELINE, EXTENDED = 0xC0, 0xC1
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
SCAN, RESTART_INTERVAL = 0xDA, 0xDD
MARKER, END = 0xFF, 0xD9
READ_AHEAD = bytes(64)  # replaces the end: decoders read a few bytes ahead of what they use
MARGIN = 16  # rows: chroma has a lower resolution, and is interpolated with the rows below
RESTARTS = range(0xD0, 0xD8)
NOISE = bytes(1 + 37 * k % 253 for k in range(64))


class Header(NamedTuple):
    """What comes before the pixels.

    size: width and height of the image.
    height_at: position of the height in the file.
    scan_at: position of the first scan.
    by_rows: the only scan has the pixels row by row, without restart markers.
    """

    size: tuple[int, int]
    height_at: int
    scan_at: int
    by_rows: bool


def read_header(content: bytes) -> Header | None:
    """The header of a JPEG file; None of anything else."""
    if content[:2] != START:
        return None
    # Walk over the segments of the header (marker, length, data) up to the scan.
    at, height_at, by_rows = 2, 0, True
    while content[at : at + 1] == b"\xff" and at + 10 <= len(content):
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if marker == MARKER:  # a fill byte
            at += 1
            continue
        if marker in FRAMES:
            height_at, by_rows = at + 5, by_rows and marker in (BASELINE, EXTENDED)
        elif marker == RESTART_INTERVAL:
            by_rows = by_rows and content[at + 4 : at + 6] == b"\0\0"
        elif marker == SCAN:
            if not height_at:
                return None
            # Several scans, one per color component, would each be cut at a reduced height.
            by_rows = by_rows and content[at + 4] == content[height_at + 4]
            height, width = content[height_at : height_at + 2], content[height_at + 2 : height_at + 4]
            size = int.from_bytes(width, "big"), int.from_bytes(height, "big")
            return Header(size, height_at, at, by_rows)
        at += 2 + length
    return None


def upper_part(content: bytes, rows: int, header: Header | None = None) -> bytes:
    """Return a JPEG that decodes to the same first ``rows`` rows, without the cost of the rows below.

    The height in the header is reduced, so a decoder stops early; the end marker is removed, so it does not
    warn about the data that is left.

    Args:
        content: a file's content, not necessarily a JPEG.
        rows: number of rows needed; up to MARGIN more are kept.
        header: of ``content``, if it is known.

    Returns:
        The changed content; ``content`` itself unless it is a complete sequential JPEG with more rows.
    """
    header = read_header(content) if header is None else header
    height = max(rows, 0) + MARGIN
    if header is None or not header.by_rows or height >= header.size[1]:
        return content
    end = _end(content, header.scan_at)
    if end is None:
        return content
    height_at = header.height_at
    return b"".join(
        (content[:height_at], height.to_bytes(2, "big"), content[height_at + 2 : end], READ_AHEAD)
    )


def has_end(content: bytes, header: Header) -> bool:
    """Whether the pixels of a JPEG file are followed by the end marker (a thumbnail before them has one, too)."""
    mark = bytes([MARKER, END])
    return content.endswith(mark) or content.rfind(mark, header.scan_at) >= 0


def completions(content: bytes) -> list[bytes]:
    """Ways to complete a JPEG file without an end marker.

    They decode to the same image if nothing but the marker is missing. Otherwise they differ where pixels are
    missing, which decoders fill in with grey, or with what comes next in the file. None at all if it ends between
    the scans of a progressive image, where no pixel would be missing, but detail.
    """
    data = content.rstrip(b"\0").removesuffix(b"\xff")  # an interrupted download may end in zeros
    if _ends_between_scans(data):
        return []
    inverted = bytes(255 - byte for byte in NOISE)
    return [data + _filler(noise) + bytes([MARKER, END]) for noise in (b"", NOISE, inverted)]


def _filler(noise: bytes) -> bytes:
    """``noise`` in place of missing pixels, whatever restart marker comes next."""
    return noise and noise + b"".join(bytes([MARKER, restart]) + noise for restart in RESTARTS)


def _ends_between_scans(data: bytes) -> bool:
    """Whether a file without an end marker has other segments after its last scan, or lacks its lowest bits."""
    scan = data.rfind(bytes([MARKER, SCAN]))
    pixels = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4], "big")
    after = np.frombuffer(data, np.uint8)[pixels:]
    following = after[1:][after[:-1] == MARKER]
    segments = following[(following != 0) & ((following < RESTARTS[0]) | (following > RESTARTS[-1]))]
    return len(segments) > 0 or pixels > len(data) or data[pixels - 1] & 0x0F != 0


def _end(content: bytes, start: int) -> int | None:
    """Position of the end marker from ``start`` on, or None.

    Several times as fast as bytes.find, which restarts at every 0xFF byte.
    """
    data = np.frombuffer(content, np.uint8)
    marks = start + np.flatnonzero(data[start:-1] == MARKER)
    ends = marks[data[marks + 1] == END]
    return int(ends[0]) if len(ends) else None
