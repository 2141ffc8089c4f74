"""The order of keypoints from the most to the least suspect, which says nothing about the order of the file."""

import numpy as np


def ranked_keypoints(scores: np.ndarray, mask: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Order keypoints by their scores, highest first.

    Equal scores are in a fixed pseudo-random order that depends on annotation id and joint alone, so that
    the first people of a file are not the first of the ranking.

    Args:
        scores: [N, J], higher is more suspect.
        mask: [N, J] bool, the keypoints to order.
        ids: int64 [N], the annotations' ids.

    Returns:
        Positions in the flattened [N, J] of the keypoints in ``mask``.
    """
    chosen = np.flatnonzero(mask)
    instances, joints = np.divmod(chosen, mask.shape[1])
    return chosen[np.lexsort((tie_keys(ids[instances], joints), -scores.ravel()[chosen]))]


def one_per_instance(order: np.ndarray, joints: int, count: int) -> list[tuple[int, int]]:
    """(instance, joint) of the first ``count`` keypoints of ``order``, at most one per instance.

    Args:
        order: positions in the flattened [N, J], see `ranked_keypoints`.
        joints: J.
        count: maximum number of keypoints.
    """
    instances, first = np.unique(order // joints, return_index=True)
    return [divmod(int(order[k]), joints) for k in np.sort(first)[:count]]


def tie_keys(ids: np.ndarray, joints: np.ndarray | int = 0) -> np.ndarray:
    """uint64 [K]: a hash of each id and joint, as evenly spread as random numbers."""
    hashes = _mix(np.asarray(ids, np.int64).astype(np.uint64))
    return _mix(hashes + np.asarray(joints, np.int64).astype(np.uint64))


def _mix(numbers: np.ndarray) -> np.ndarray:
    """SplitMix64 (Steele et al., OOPSLA 2014), one step from each of ``numbers``, uint64 modulo 2^64."""
    numbers = numbers + np.uint64(0x9E3779B97F4A7C15)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))
