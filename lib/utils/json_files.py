"""Write results.json, the final numbers of a command."""

import math
from pathlib import Path

import json_tricks
import numpy as np

from lib.utils.files import write_text


def write_results(path: Path, results: dict) -> None:
    """Write ``results`` (nested dicts and lists of plain values and NumPy numbers) as JSON, atomically."""
    write_text(path, json_tricks.dumps(without_nan(results), primitives=True, indent=2) + "\n")


def without_nan(node):
    """A copy of nested dicts and lists with None in place of NaN and infinity, which JSON does not have."""
    if isinstance(node, dict):
        return {key: without_nan(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [without_nan(value) for value in node]
    return None if isinstance(node, float | np.floating) and not math.isfinite(node) else node
