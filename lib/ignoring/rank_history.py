"""How the ranking of the source labels by their weights changes from one epoch to the next."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from lib.ignoring.variables import IgnoringVariables


class RankHistory:
    """Rank correlations of the scores at the end of each epoch with those an epoch before.

    The scores are `IgnoringVariables.all_scores`, which for learned weights are their logits: where weights are
    saturated and so equal, they still have an order. Near 1, the ranking stands still.

    An epoch that visits no label, as of a phase that trains the other model, does not count.

    correlations: Spearman's rho over the labels visited in both epochs' past, one for every epoch but the first; NaN
        with fewer than two labels or without any difference between them.
    """

    def __init__(self) -> None:
        self.correlations: list[float] = []
        self._last: Tensor | None = None  # float16 [count, J], infinite for a label that was never visited
        self._visits = 0  # of all labels

    def add(self, variables: IgnoringVariables) -> None:
        """Take the scores at the end of an epoch, and correlate them with those of the last one."""
        visits = int(variables.seen.sum())
        if visits == self._visits:
            return
        self._visits = visits
        scores = variables.all_scores().masked_fill(variables.seen == 0, torch.inf).cpu().half()
        before, self._last = self._last, scores
        if before is not None:
            self.correlations.append(rank_correlation(before.numpy(), scores.numpy()))

    def state_dict(self) -> dict[str, Any]:
        """The history as plain values and tensors, for a checkpoint."""
        return {"correlations": list(self.correlations), "last": self._last, "visits": self._visits}

    def load_state_dict(self, state: Mapping[str, Any], shape: torch.Size) -> None:
        """Go on from ``state``; an empty one is that of a run of an earlier version, and starts anew.

        Args:
            state: of `state_dict`.
            shape: [count, J] of the variables.

        Raises:
            ValueError: if it is damaged, or belongs to other variables.
        """
        correlations, last, visits = state.get("correlations", []), state.get("last"), state.get("visits", 0)
        if type(visits) is not int or not all(type(value) is float for value in correlations):
            raise ValueError("rank correlations that are not numbers")
        if last is not None and (last.shape != shape or last.dtype != torch.float16):
            raise ValueError(f"scores of {tuple(last.shape)} labels, expected {tuple(shape)}")
        self.correlations, self._last, self._visits = list(correlations), last, visits


def rank_correlation(before: np.ndarray, now: np.ndarray) -> float:
    """Spearman's rho of two arrays of scores over the places where both are finite; NaN where it is not defined."""
    both = np.isfinite(before) & np.isfinite(now)
    first, second = before[both].astype(float), now[both].astype(float)
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(spearmanr(first, second).statistic)
