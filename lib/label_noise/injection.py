"""Injects label noise into annotations in memory, to measure on real data how well it is detected."""

from dataclasses import replace

import numpy as np

from lib.dataset.annotations import PADDING, Annotations
from lib.label_noise.corruptions import Labels, corrupt_in_turn, labels_differ, parse_noises
from lib.label_noise.truth import Truth

# Second word of the generator's seed, so that other random numbers of the same seed are independent.
STREAM = 7_919


def inject(
    annotations: Annotations, noise: str, seed: int, truth: Truth | None = None
) -> tuple[Annotations, Truth]:
    """Corrupt labels of a copy of ``annotations``.

    Only the kind ``visibility`` labels joints that had no label, and never those that the data set has no
    keypoint for.

    Args:
        annotations: N instances with J joints, with ``bounds`` set.
        noise: "KIND:SHARE", or several joined by "+" (see corruptions.py).
        seed: the same seed corrupts the same labels in the same way.
        truth: what is known about the labels of ``annotations``; None takes all of them to be clean.

    Returns:
        The annotations with the new labels, and their truth: the clean joints are those of ``truth``, and
        labels that noise changed are corrupted unless they are now where the clean joint is.

    Raises:
        InputError: if ``noise`` cannot be parsed, for ``convention`` (no second one is known), and for kinds
            that need limbs if the joints have none.
    """
    if truth is None:
        clean_joints = np.where(annotations.visible[..., None] > 0, annotations.joints, np.nan)
        truth = Truth(clean_joints, np.zeros(annotations.visible.shape, bool))
    has_keypoint = annotations.mapping.labelled
    labels = Labels(
        joints=annotations.joints[:, has_keypoint],
        visible=annotations.visible[:, has_keypoint],
        names=tuple(annotations.mapping.names[j] for j in has_keypoint),
        # The longer side of the box: sizes are boxes widened to the input's aspect ratio, then padded.
        sizes=annotations.sizes.max(axis=1) / PADDING,
        image_index=annotations.image_index,
        bounds=annotations.bounds,
    )
    rng = np.random.default_rng([seed, STREAM])
    corrupted = corrupt_in_turn(labels, parse_noises(noise), rng, keep_labelled=True)
    joints, visible = annotations.joints.copy(), annotations.visible.copy()
    joints[:, has_keypoint], visible[:, has_keypoint] = corrupted.joints, corrupted.visible
    noisy = replace(annotations, joints=joints, visible=visible)

    # Labels that were wrong before and are unchanged stay corrupted; changed ones are compared with the truth,
    # in the annotations' precision.
    changed = changed_labels(annotations, noisy)
    known = np.isfinite(truth.clean_joints).all(axis=2)
    clean_joints = truth.clean_joints.astype(noisy.joints.dtype)
    misplaced = labels_differ(clean_joints, known, noisy.joints, noisy.visible)
    return noisy, Truth(truth.clean_joints, np.where(changed, misplaced, truth.corrupted))


def changed_labels(before: Annotations, after: Annotations) -> np.ndarray:
    """[N, J] bool, true where the labels of the same instances differ."""
    return labels_differ(before.joints, before.visible, after.joints, after.visible)
