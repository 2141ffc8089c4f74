"""Wrong labels put into labels read from disk, to measure on one's own data how well they are found."""

from dataclasses import replace

import numpy as np

from lib.dataset.annotations import PADDING, Annotations
from lib.label_noise.corruptions import corrupt_in_turn, different, parse_noises
from lib.label_noise.truth import Truth

STREAM = 7_919  # keeps these random numbers apart from others of the same seed


def inject(
    people: Annotations, noise: str, seed: int, truth: Truth | None = None
) -> tuple[Annotations, Truth]:
    """Make labels of ``people`` (N, with J joints, their images' bounds known) wrong, a copy.

    noise: "KIND:SHARE", or several joined by "+" (see noise.py). seed: the same gives the same labels.
    truth: what is known of the labels as they are; None takes all of them for right.

    Returns the people with their new labels, and the truth of those: wrong is what was wrong or became
    so, but for labels that one mistake after another has put where they belong; the right places stay.
    Joints without a label get none, but by the kind ``visibility``, and those that the data set has no
    keypoint for never get one.
    Raises InputError for noise that cannot be read, for ``convention``, since no second one is known, and for
    kinds that need people's limbs where there are none.
    """
    if truth is None:
        places = np.where(people.visible[..., None] > 0, people.joints, np.nan)
        truth = Truth(places, np.zeros(people.visible.shape, bool))
    has = people.mapping.labelled
    made = corrupt_in_turn(
        people.joints[:, has],
        people.visible[:, has],
        tuple(people.mapping.names[j] for j in has),
        parse_noises(noise),
        np.random.default_rng([seed, STREAM]),
        size=people.sizes.max(axis=1) / PADDING,  # the longer side of the box, widened to the input's shape
        image_of=people.image_index,
        bounds=people.bounds,
        keep_labelled=True,
    )
    joints, visible = people.joints.copy(), people.visible.copy()
    joints[:, has], visible[:, has] = made.joints, made.visible
    noisy = replace(people, joints=joints, visible=visible)
    changed = changed_labels(people, noisy)
    known = np.isfinite(truth.right).all(axis=2)
    misplaced = different(truth.right.astype(np.float32), known, noisy.joints, noisy.visible)
    return noisy, Truth(truth.right, np.where(changed, misplaced, truth.wrong))


def changed_labels(before: Annotations, after: Annotations) -> np.ndarray:
    """[N, J] true where the labels of the same people differ."""
    return different(before.joints, before.visible, after.joints, after.visible)
