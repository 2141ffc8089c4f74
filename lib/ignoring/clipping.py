"""Gradients that are no longer than a limit."""

import torch
from torch import Tensor

from lib.ignoring.lookahead import norm


def clipped(gradient: list[Tensor], limit: float) -> tuple[list[Tensor], float]:
    """``gradient``, shortened to the Euclidean norm ``limit`` where it is longer (0: never), and the factor."""
    length = norm(gradient) if limit else 0.0
    if not length > limit:
        return gradient, 1.0
    return list(torch._foreach_mul(gradient, limit / length)), limit / length
