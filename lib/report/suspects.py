"""What a run estimates of its wrong labels: how many, of which kinds, and of which joints."""

import numpy as np

from lib.ignoring.suspects import THRESHOLD, count_kinds
from lib.report.learned import LearnedWeights
from lib.report.markup import Content, Markup, element
from lib.report.parts import card, display_name, paragraph, percent, table


def suspects_overview(learned: LearnedWeights) -> list[Content]:
    """The estimate in words, and a table of the kinds by joint; empty for labels that were not judged."""
    if learned.suspects is None:
        return []
    lines = [] if learned.estimate is None else learned.estimate.lines()
    text = ". ".join(f"{line[0].upper()}{line[1:]}" for line in lines)
    read = "what the finished network reads in the pictures" if learned.has_weights else "the predicted poses"
    explanation = (
        f"Flagged: wrong with a probability above {THRESHOLD:g}, by {read}, and by "
        "how the labels of an instance fit together. The interval covers how the instances happened to be sampled, and "
        "that the network may fail half or twice as often as is assumed."
    )
    return [
        element("h3", {}, "Wrong labels, as estimated"),
        paragraph(element("b", {}, f"{text}."), kind="finding") if text else None,
        paragraph(explanation),
        _by_joint(learned),
    ]


def estimate_cards(learned: LearnedWeights, suffix: str = "") -> list[Markup]:
    """The number of wrong and of flagged labels; none without an estimate."""
    estimate = learned.estimate
    if estimate is None:
        return []
    share = f"({percent(estimate.wrong / max(estimate.labels, 1))})"
    interval = f"Estimated, without knowing the truth; between {estimate.low:,.0f} and {estimate.high:,.0f}."
    precision = f"About {100 * estimate.precision:.0f} % of these are wrong." if estimate.flagged else ""
    return [
        card(f"Wrong labels{suffix}", f"{estimate.wrong:,.0f}", share, interval),
        card(
            f"Labels flagged{suffix}",
            f"{estimate.flagged:,}",
            "",
            f"Wrong with a probability above {THRESHOLD:g}. {precision}",
        ),
    ]


def _by_joint(learned: LearnedWeights) -> Content:
    """A row for each joint with labels: labels, wrong ones by the estimate, flagged ones, and these by kind."""
    suspects, labelled = learned.suspects, learned.labelled
    probability = np.where(labelled, suspects.probability, 0)
    flagged, missing = probability > THRESHOLD, ~labelled & (suspects.kind == "missing")
    kinds = list(count_kinds(suspects.kind[flagged]))
    joints = np.flatnonzero(labelled.any(axis=0) | missing.any(axis=0))
    order = joints[np.argsort(-probability.sum(axis=0)[joints], kind="stable")]
    header = ["joint", "labels", "wrong, estimated", "flagged", *kinds, *["missing"] * bool(missing.any())]

    def row(name: str, of: np.ndarray | slice) -> list[str]:
        labels, wrong = int(labelled[:, of].sum()), float(probability[:, of].sum())
        share = percent(wrong / labels if labels else float("nan"))
        of_kind = [flagged[:, of] & (suspects.kind[:, of] == kind) for kind in kinds]
        counts = [flagged[:, of], *of_kind, *[missing[:, of]] * bool(missing.any())]
        return [name, f"{labels:,}", f"{wrong:,.0f} ({share})", *(f"{chosen.sum():,}" for chosen in counts)]

    names_of = learned.annotations.mapping.names
    rows = [row(display_name(names_of[j]), np.array([j])) for j in order]
    return table(header, [*rows, row("all joints", slice(None))])
