"""What the report says of weights that say nothing."""

from lib.ignoring.weight_doubts import doubts_about_weights
from lib.report.learned import LearnedWeights
from lib.report.markup import Markup, element
from lib.report.parts import paragraph
from lib.report.runs import Run


def warnings_of(run: Run, learned: list[LearnedWeights]) -> list[Markup]:
    """A paragraph for each of the run's own warnings; for a run without any record, what the weights tell."""
    recorded = run.results.get("warnings")
    if not isinstance(recorded, list):
        recorded = [
            f"weights {weights.place}: {doubt}"
            for weights in learned
            for doubt in doubts_about_weights(weights.weights[weights.labelled])
        ]
    label = element("b", {}, "Warning. ")
    return [paragraph(label, str(warning), kind="finding") for warning in recorded]
