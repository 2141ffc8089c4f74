"""Suspect labels by two public tools, which are installed for the comparison alone (see INSTALL).

Both look at the coordinates only. Neither is imported before it is used.
"""

import importlib.util

import numpy as np

from lib.dataset.annotations import Annotations
from lib.utils.errors import InputError

# By the module that must be there. SLEAP's quality control needs none of the program's other requirements.
INSTALL = {
    "cleanlab": "pip install cleanlab==2.9.0",
    "sleap": "pip install sleap-io==0.9.5 scikit-learn networkx && pip install --no-deps sleap==1.6.6",
}
SMALLEST = 1e-300  # of a quality, so that its logarithm exists
FLAGGED_BY_SLEAP = 0.7  # its default


def is_installed(package: str) -> bool:
    """Whether a package of INSTALL can be imported; True for an empty name."""
    return not package or importlib.util.find_spec(package) is not None


def check_installed(package: str, method: str) -> None:
    """Raise InputError unless the package that ``method`` needs is there."""
    if not is_installed(package):
        raise InputError(f"--modes {method}: needs the package {package}, which is not installed: {INSTALL[package]}")  # fmt: skip


def cleanlab_scores(annotations: Annotations, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Scores and flagged labels [N, J] of cleanlab's CleanLearning, a ridge regression for each coordinate.

    Each coordinate of a joint is predicted from the person's other joints, all relative to the person's box. The
    score of a label is - log of the product of its coordinates' qualities; it is flagged if one of them is.

    Args:
        annotations: N instances with J joints.
        seed: of cleanlab's folds.
    """
    from cleanlab.regression.learn import CleanLearning
    from sklearn.linear_model import Ridge

    labelled = annotations.visible > 0
    longer = annotations.sizes.max(axis=1)[:, None, None]
    relative = (annotations.joints - annotations.centers[:, None]) / longer
    relative = np.where(labelled[..., None], relative, 0.0).astype(np.float64)
    scores, flagged = np.zeros(labelled.shape), np.zeros(labelled.shape, bool)
    for j in range(labelled.shape[1]):
        seen = labelled[:, j]
        known = np.concatenate([relative.reshape(len(relative), -1), labelled], axis=1)[seen]
        others = np.delete(known, [2 * j, 2 * j + 1, 2 * labelled.shape[1] + j], axis=1)
        for axis in (0, 1):
            issues = CleanLearning(Ridge(), seed=seed).find_label_issues(others, relative[seen, j, axis])
            scores[seen, j] -= np.log(np.maximum(issues["label_quality"], SMALLEST))
            flagged[seen, j] |= issues["is_label_issue"]
    return scores, flagged


def sleap_scores(annotations: Annotations) -> tuple[np.ndarray, np.ndarray]:
    """Scores and flagged labels [N, J] of SLEAP's label quality control, with its default settings.

    It judges whole instances: each label gets its instance's score.
    """
    import sleap_io
    from sleap.qc import LabelQCDetector

    frames = [
        np.flatnonzero(annotations.image_index == image) for image in np.unique(annotations.image_index)
    ]
    labels = _sleap_labels(sleap_io, annotations, frames)
    results = LabelQCDetector().fit(labels).score(labels)
    of_instance = np.zeros(len(annotations))
    for (_, frame, position), score in results.instance_scores.items():
        of_instance[frames[frame][position]] = score
    scores = np.repeat(of_instance[:, None], annotations.visible.shape[1], axis=1)
    return scores, scores >= FLAGGED_BY_SLEAP


def _sleap_labels(sleap_io, annotations: Annotations, frames: list[np.ndarray]):
    """The annotations as sleap_io.Labels: a video with a frame for each image, see ``frames`` of `sleap_scores`."""
    skeleton = annotations.mapping.skeleton
    nodes = [sleap_io.Node(name) for name in skeleton.names]
    by_name = dict(zip(skeleton.names, nodes))
    drawn = sleap_io.Skeleton(
        nodes,
        [sleap_io.Edge(by_name[a], by_name[b]) for a, b in skeleton.lines],
        [sleap_io.Symmetry([by_name[a], by_name[b]]) for a, b in skeleton.pairs],
    )
    video = sleap_io.Video("people.mp4", open_backend=False)
    points = np.where(annotations.visible[..., None] > 0, annotations.joints, np.nan).astype(np.float64)
    labelled_frames = [
        sleap_io.LabeledFrame(
            video=video,
            frame_idx=frame,
            instances=[sleap_io.Instance.from_numpy(points[i], skeleton=drawn) for i in instances],
        )
        for frame, instances in enumerate(frames)
    ]
    return sleap_io.Labels(labelled_frames, videos=[video], skeletons=[drawn])
