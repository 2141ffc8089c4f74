"""Images of 16 bits a channel, of which cameras often use fewer: 8-bit pixels of them."""

import numpy as np

FULL = 16
DEPTHS = (8, 10, 12, 14, FULL)  # significant bits that are told apart: those of cameras


def may_be_deep(content: bytes) -> bool:
    """Whether an image file may have more than 8 bits a channel; from its first bytes, and wrong only by yes."""
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return content[24:25] == b"\x10"
    return not content.startswith((b"\xff\xd8", b"RIFF", b"BM", b"GIF8"))


def significant_bits(largest: int) -> int:
    """The smallest of DEPTHS that holds the value ``largest``; 16 for 0, which tells nothing.

    PNG's sBIT chunk is no help: it names the camera's depth also where the values were scaled to 16 bits,
    as the standard wants it (PNG 3, 13.12).
    """
    return next(bits for bits in DEPTHS if 0 < largest < 2**bits or bits == FULL)


def to_eight_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Cut uint16 ``pixels`` with ``bits`` significant bits to uint8; larger values become white."""
    return np.minimum(pixels >> (bits - 8), 255).astype(np.uint8)
