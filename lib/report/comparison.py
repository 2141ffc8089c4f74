"""The report that compares several runs."""

from lib.config.loader import flat_config
from lib.config.schema import settings
from lib.ignoring.weight_table import auroc
from lib.report.curves import curve_figures
from lib.report.learned import Learned, Named, name_all
from lib.report.markup import Markup, element
from lib.report.parts import card, figures, paragraph, percent, section, table
from lib.report.results import MEASURES, groups_of, measure_of
from lib.report.results_section import results_table
from lib.report.runs import Run
from lib.report.weights import distributions, joints_of_runs
from lib.report.wrong_labels import detection_section


def comparison(runs: list[Run], learned: list[list[Learned]]) -> tuple[str, list]:
    """(title, content of the page)."""
    title = f"{len(runs)} runs compared"
    named = name_all(runs, learned)
    groups_of([run.results for run in runs])  # or an error: they can't be compared
    header = element("header", {}, paragraph("Learning By Ignoring · comparison", kind="kind"), element("h1", {}, title),
                     paragraph(", ".join(f"{run.name} ({run.meaning})" if run.meaning else run.name for run in runs)),
                     _comparison_cards(runs, named))  # fmt: skip
    sections = [
        section("Results on the test set", "results", results_table(runs)),
        section("Training", "training", figures(curve_figures(runs))),
    ]
    if named:
        sections.append(section("What they ignore", "weights", figures(joints_of_runs(named), distributions(named)), _weights_table(named)))  # fmt: skip
    sections += [detection_section(named), _differences(runs)]
    return title, [header, *sections, _commands(runs)]


def _comparison_cards(runs: list[Run], named: list[Named]) -> Markup:
    measure = measure_of(runs[0].results)
    tested = [(run.results["test"][measure]["Mean"], run.name) for run in runs]
    tested = sorted((t for t in tested if t[0] is not None), reverse=True)
    cards = []
    if tested:
        margin = (
            f", {tested[0][0] - tested[1][0]:.1f} points before {tested[1][1]}" if len(tested) > 1 else ""
        )
        cards.append(card(f"Best {MEASURES[measure]} on the test set", f"{tested[0][0]:.1f}", "%", f"{tested[0][1]}{margin}."))  # fmt: skip
    found = [(auroc(one.weights[one.labelled], one.wrong[one.labelled]), name) for name, _, one in named if one.knows_both]  # fmt: skip
    if found:
        cards.append(card("Best AUROC of weights", f"{max(found)[0]:.2f}", "", f"{max(found)[1]}: chance that a right label weighs more than a wrong one."))  # fmt: skip
    seeds = {run.results["seed"] for run in runs}
    what = "One seed a mode says little: differences of a few points may be chance." if len(seeds) == 1 else "Runs of different seeds: compare means, not single ones."  # fmt: skip
    cards.append(card("Seeds", ", ".join(str(s) for s in sorted(seeds, key=str)), "", what))
    return element("div", {"class": "cards"}, cards)


def _weights_table(named: list[Named]) -> Markup:
    rows = []
    for name, _, one in named:
        weights = one.weights[one.labelled]
        value = f"{auroc(weights, one.wrong[one.labelled]):.2f}" if one.knows_both else "-"
        rows.append([name, f"{len(weights):,}", f"{weights.mean():.2f}", percent((weights < 0.5).mean()), percent((one.seen[one.labelled] == 0).mean()), value])  # fmt: skip
    return table(["weights of", "labels", "mean weight", "below 0.5", "never in a batch", "AUROC"], rows)


def _differences(runs: list[Run]) -> Markup:
    rows, configs = [], [flat_config(run.config) for run in runs]
    for key in settings():
        values = [str(flat[key]) for flat in configs]
        if len(set(values)) > 1:
            rows.append([key, *values])
    if not rows:
        shown = paragraph("All settings are the same; the runs differ in their mode.")
    else:
        shown = [paragraph("All others are the same."), table(["setting", *(run.name for run in runs)], rows)]
    return section("Settings that differ", "settings", shown)


def _commands(runs: list[Run]) -> Markup:
    commands = [
        element("div", {}, element("code", {}, f"python pose_estimation/report.py {run.folder}"))
        for run in runs  # fmt: skip
    ]
    return element("footer", {}, "Galleries, histograms and tables of one run are in its own report:", commands)  # fmt: skip
