"""Whether a file has changed since it was read: by size, times and inode, else by its content.

The times prove nothing if the file was written just before it was read, since the next change may get the
same ones.
"""

import hashlib
import os
import time
from pathlib import Path

MTIME_GRANULARITY_NS = 2 * 10**9  # a later change gets other file times on any file system


def file_state(path: str | Path) -> list[int] | None:
    """Size, modification and change time (ns) and inode; None if the file is missing."""
    try:
        stat = os.stat(path)
    except (OSError, ValueError):  # ValueError: the path has a null byte
        return None
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino]


def is_settled(state: list[int]) -> bool:
    """Whether the file is old enough that any change from now on would change its times."""
    return max(state[1:3]) < time.time_ns() - MTIME_GRANULARITY_NS


def hash_file(path: Path) -> str:
    """SHA-256 of the file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(2**20):
            digest.update(part)
    return digest.hexdigest()
