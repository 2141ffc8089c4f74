"""The report that compares several runs."""

from lib.config.loader import flat_config
from lib.config.schema import settings
from lib.ignoring.suspects import THRESHOLD
from lib.report.curves import curve_figures
from lib.report.doubts import warnings_of
from lib.report.learned import LearnedWeights, NamedWeights, name_weights
from lib.report.markup import Markup, element
from lib.report.parts import card, figures, paragraph, percent, section, table
from lib.report.results import MEASURES, groups_of, measure_of
from lib.report.results_section import results_table
from lib.report.runs import Run
from lib.report.weights import distributions, joints_of_runs
from lib.report.wrong_labels import detection_section
from lib.wrong_labels.metrics import auroc


def comparison_report(runs: list[Run], learned: list[list[LearnedWeights]]) -> tuple[str, list]:
    """Build the page of several runs.

    Args:
        runs: The runs, at least two.
        learned: The learned weights of each run; empty for a baseline.

    Returns:
        The title, and the page's content as nested lists of markup.

    Raises:
        InputError: The runs were tested with different joints or measures.
    """
    title = f"{len(runs)} runs compared"
    named = name_weights(runs, learned)
    groups_of([run.results for run in runs])  # raises the InputError before anything is drawn
    names = ", ".join(f"{run.name} ({run.meaning})" if run.meaning else run.name for run in runs)
    header = element(
        "header",
        {},
        paragraph("Learning By Ignoring · comparison of runs", kind="kind"),
        element("h1", {}, title),
        paragraph(names),
        _cards(runs, named),
    )
    sections = [
        section("Results on the test set", "results", results_table(runs)),
        section("Training", "training", figures(curve_figures(runs))),
    ]
    if named:
        charts = figures(joints_of_runs(named), distributions(named))
        warnings = [
            [paragraph(element("b", {}, run.name)), found]
            for run, weights in zip(runs, learned)
            if (found := warnings_of(run, weights))
        ]
        sections.append(section("Ignoring weights", "weights", warnings, charts, _weights_table(named)))
    sections += [detection_section(named), _differing_settings(runs)]
    return title, [header, *sections, _commands(runs)]


def _cards(runs: list[Run], named: list[NamedWeights]) -> Markup:
    """The headline numbers: best test result, best AUROC, seeds."""
    cards = []
    measure = measure_of(runs[0].results)
    means = [(run.results["test"][measure]["Mean"], run.name) for run in runs]
    means = sorted((entry for entry in means if entry[0] is not None), reverse=True)
    if means:
        (best, name), *others = means
        margin = f", {best - others[0][0]:.1f} points above {others[0][1]}" if others else ""
        cards.append(
            card(f"Best {MEASURES[measure]} on the test set", f"{best:.1f}", "%", f"{name}{margin}.")
        )
    aurocs = [(_auroc(weights), name) for name, _, weights in named if weights.has_both_classes]
    if aurocs:
        best, name = max(aurocs)
        meaning = f"{name}: probability that a wrong label is more suspect than a correct one."
        cards.append(card("Best AUROC of the scores", f"{best:.2f}", "", meaning))
    seeds = {run.results["seed"] for run in runs}
    advice = (
        "A single seed per mode: differences of a few points may be due to chance."
        if len(seeds) == 1
        else "Runs with different seeds: compare means over seeds, not single runs."
    )
    cards.append(card("Seeds", ", ".join(str(seed) for seed in sorted(seeds, key=str)), "", advice))
    return element("div", {"class": "cards"}, cards)


def _weights_table(named: list[NamedWeights]) -> Markup:
    """The weights, the estimates of wrong labels and, if the truth is known, the AUROC."""
    header, rows = ["weights of", "labels", "mean weight", "below 0.5", "never in a batch"], []
    judged = any(learned.suspects is not None for _, _, learned in named)
    for name, _, learned in named:
        weights = learned.weights[learned.labelled]
        rows.append(
            [
                name,
                f"{len(weights):,}",
                f"{weights.mean():.2f}",
                percent((weights < 0.5).mean()),
                percent((learned.seen[learned.labelled] == 0).mean()),
                *(_estimated(learned) if judged else []),
                f"{_auroc(learned):.2f}" if learned.has_both_classes else "-",
            ]
        )
    return table([*header, *["wrong, estimated", "flagged"] * judged, "AUROC"], rows)


def _estimated(learned: LearnedWeights) -> list[str]:
    """How many labels are wrong by the run's estimate, and how many are flagged; "-" for labels that were not judged."""
    if learned.suspects is None:
        return ["-", "-"]
    probability = learned.suspects.probability[learned.labelled]
    return [f"{probability.sum():,.0f}", f"{(probability > THRESHOLD).sum():,}"]


def _auroc(learned: LearnedWeights) -> float:
    return auroc(learned.detector[learned.labelled], learned.wrong[learned.labelled])


def _differing_settings(runs: list[Run]) -> Markup:
    rows, configs = [], [flat_config(run.config) for run in runs]
    for key in settings():
        values = [str(flat[key]) for flat in configs]
        if len(set(values)) > 1:
            rows.append([key, *values])
    if not rows:
        content = paragraph("All settings are the same; the runs differ in their mode only.")
    else:
        header = ["setting", *(run.name for run in runs)]
        content = [paragraph("All other settings are the same."), table(header, rows)]
    return section("Settings that differ", "settings", content)


def _commands(runs: list[Run]) -> Markup:
    """The commands that write the report of each single run."""
    commands = [
        element("div", {}, element("code", {}, f"python pose_estimation/report.py {run.folder}"))
        for run in runs
    ]
    return element("footer", {}, "Reports of the single runs, with galleries and tables:", commands)
