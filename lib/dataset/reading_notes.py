"""What a reader of annotations left out, filled in, or doubts, each counted by its reason."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ReadingNotes:
    """Remarks on annotations, worded so that a count in front makes sense.

    left_out: {reason: number of annotations that are not read}.
    filled_in: {what: number of values that the file lacks or gives otherwise}.
    doubts: {what looks wrong: number of cases}; they are read as the file gives them.
    """

    left_out: Mapping[str, int] = field(default_factory=dict)
    filled_in: Mapping[str, int] = field(default_factory=dict)
    doubts: Mapping[str, int] = field(default_factory=dict)

    def joined(self, other: "ReadingNotes") -> "ReadingNotes":
        """The notes of both, with the counts of the same words added."""
        return ReadingNotes(
            _sum(self.left_out, other.left_out),
            _sum(self.filled_in, other.filled_in),
            _sum(self.doubts, other.doubts),
        )

    def sentences(self) -> dict[str, str]:
        """{"left out", "filled in" or "doubtful": the counts as text}, without those that are empty."""
        kinds = {"left out": self.left_out, "filled in": self.filled_in, "doubtful": self.doubts}
        return {kind: counted(counts) for kind, counts in kinds.items() if any(counts.values())}


def counted(counts: Mapping[str, int]) -> str:
    """The counts above 0 as text, such as "3 crowds, 1 without a labelled keypoint"."""
    return ", ".join(f"{count:,} {words}" for words, count in counts.items() if count)


def _sum(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return dict(Counter(a) + Counter(b))
