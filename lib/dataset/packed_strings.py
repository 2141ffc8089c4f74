"""Many strings in two arrays, which can be shared between processes and memory-mapped."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class PackedStrings(Sequence[str]):
    """A read-only sequence of N strings.

    Unlike a tuple it has no object per string: every access to an object changes its reference count, which
    soon leaves each forked worker with its own copy of all of them.

    text: uint8, the UTF-8 bytes of all strings, concatenated.
    ends: int64 [N], end of each string in ``text``.
    """

    text: np.ndarray
    ends: np.ndarray

    @classmethod
    def of(cls, strings: Iterable[str]) -> "PackedStrings":
        """Pack ``strings``."""
        # File names may contain bytes that are not UTF-8; Python represents them as lone surrogates.
        encoded = [string.encode("utf-8", "surrogateescape") for string in strings]
        ends = np.cumsum([len(string) for string in encoded], dtype=np.int64)
        return cls(np.frombuffer(bytearray(b"".join(encoded)), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]  # nothing takes slices
        index = range(len(self))[index]  # supports negative indices, raises IndexError
        begin = int(self.ends[index - 1]) if index else 0
        return self.text[begin : int(self.ends[index])].tobytes().decode("utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        text, begin = self.text.tobytes(), 0
        for end in self.ends.tolist():
            yield text[begin:end].decode("utf-8", "surrogateescape")
            begin = end

    def __add__(self, other: Iterable[str]) -> "PackedStrings":
        return PackedStrings.of([*self, *other])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None
