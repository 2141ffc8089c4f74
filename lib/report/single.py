"""The report of one run."""

from pathlib import Path

from lib.report.curves import curve_figures
from lib.report.doubts import warnings_of
from lib.report.gallery import gallery_section
from lib.report.learned import LearnedWeights, name_weights
from lib.report.markup import Markup, element
from lib.report.parts import card, figures, paragraph, percent, pluralize, section
from lib.report.results import MEASURES, measure_of
from lib.report.results_section import results_table
from lib.report.runs import Run
from lib.report.suspects import estimate_cards, suspects_overview
from lib.report.tables import tables_section
from lib.report.weights import weights_overview
from lib.report.wrong_labels import detection_section
from lib.wrong_labels.metrics import auroc

GALLERY_COLUMNS = 6  # in a wide window, see style.css


def single_report(run: Run, learned: list[LearnedWeights], rows: int) -> tuple[str, list]:
    """Build the page of one run.

    Args:
        run: The run.
        learned: Its sets of learned weights; empty for a baseline.
        rows: Rows of images in each gallery.

    Returns:
        The title, and the page's content as nested lists of markup.
    """
    title = f"{run.results['mode']}: {run.meaning}" if run.meaning else run.results["mode"]
    sections = [
        section("Training", "training", figures(curve_figures([run]))),
        section(f"Results on {run.tested_on}", "results", results_table([run])),
    ]
    for weights in learned:
        suffix, anchor = _suffixes(weights, learned)
        # A run's sets of weights share one judgement of the labels, which the first one shows.
        found = suspects_overview(weights) if weights is learned[0] else []
        content = [found, _unvisited(weights), weights_overview(run, weights)]
        sections.append(section(f"Ignoring weights{suffix}", f"weights{anchor}", content))
    sections.append(detection_section(name_weights([run], [learned])))
    for weights in learned:
        suffix, anchor = _suffixes(weights, learned)
        count = rows * GALLERY_COLUMNS
        sections.append(gallery_section(run, weights, count, f"Example labels{suffix}", f"gallery{anchor}"))
        sections.append(tables_section(weights, f"Images and annotators{suffix}", f"tables{anchor}"))
    if not learned:
        explanation = "This mode learns no ignoring weights, so there is no weight table."
        sections.append(section("Ignoring weights", "weights", paragraph(explanation)))
    header = element(
        "header",
        {},
        paragraph("Learning By Ignoring · report of a run", kind="kind"),
        element("h1", {}, title),
        paragraph(_description(run, learned)),
        _cards(run, learned),
        warnings_of(run, learned),
        _contents(learned),
    )
    return title, [header, *sections, _files(run, learned)]


def _description(run: Run, learned: list[LearnedWeights]) -> str:
    """A paragraph on data sets, network, seed and training time."""
    config, results = run.config, run.results
    source, target, model = config.dataset_src, config.dataset_target, config.model
    count = f" ({len(learned[0].annotations):,} instances)" if learned else ""
    text = (
        f"Source: {source.dataset} {source.train_set}{count}. Target: {target.dataset} {target.train_set}. "
        f"ResNet-{model.extra.num_layers} at {model.image_size[0]} × {model.image_size[1]} pixels, "
        f"seed {results['seed']}"
    )
    if results.get("steps") is not None:
        text += f", {pluralize(results['steps'], 'training step')}"
    if results.get("seconds_per_step") is not None:
        device = results.get("device", "an unknown device")
        text += f" of {1000 * results['seconds_per_step']:.0f} ms on {device}"
    return text + "."


def _cards(run: Run, learned: list[LearnedWeights]) -> list[Markup]:
    """The headline numbers: a row of the models, and a row for each set of weights."""
    rows = [_model_cards(run), *(_weight_cards(weights, len(learned) > 1) for weights in learned)]
    if len(rows) == 2 and len(rows[0]) == 1:  # few enough for one row
        rows = [rows[0] + rows[1]]
    return [element("div", {"class": "cards"}, row) for row in rows]


def _model_cards(run: Run) -> list[Markup]:
    results = run.results
    test, epoch = results["test"], results.get("best_epoch")
    instances = f", {test['people']:,} test instances" if "people" in test else ""
    checkpoint = "" if epoch is None else f"; checkpoint of epoch {epoch} (counted from 0)"
    measure = measure_of(results)
    name = MEASURES[measure]
    explanation = f"Mean over the joints{instances}{checkpoint}."
    cards = [_mean_card(f"{name} on {run.tested_on}", test[measure], explanation)]
    if results.get("source_model"):
        explanation = "Same instances; the source model, which the target model is kept close to."
        source_test = results["source_model"]["test"][measure]
        cards.append(_mean_card(f"{name} of the source model", source_test, explanation))
    return cards


def _mean_card(name: str, values: dict, explanation: str) -> Markup:
    mean = values["Mean"]
    return card(name, "-" if mean is None else f"{mean:.1f}", "%", explanation)


def _weight_cards(learned: LearnedWeights, several: bool) -> list[Markup]:
    suffix = f", weights {learned.place}" if several else ""
    weights = learned.weights[learned.labelled]
    below = weights < 0.5
    value, explanation = "-", "Cannot be computed: it is unknown which labels are wrong."
    if learned.has_both_classes:
        wrong = learned.wrong[learned.labelled]
        value = f"{auroc(learned.detector[learned.labelled], wrong):.2f}"
        explanation = (
            "Probability that a wrong label is more suspect than a correct one; 0.5 is chance. "
            f"{percent(wrong.mean())} of the labels are wrong."
        )
    mean, share = f"{weights.mean():.2f}", f"({percent(below.mean())})"
    over_all = f"Over all {len(weights):,} labelled source keypoints."
    return [
        *estimate_cards(learned, suffix),
        card(f"AUROC{suffix}", value, "", explanation),
        card(f"Mean weight{suffix}", mean, "of 1", over_all),
        card(
            f"Labels below 0.5{suffix}", f"{below.sum():,}", share, "Labels that are ignored more than half."
        ),
    ]


def _contents(learned: list[LearnedWeights]) -> Markup:
    """Links to the sections."""
    links = [("Training", "training"), ("Results", "results")]
    for weights in learned:
        anchor = _suffixes(weights, learned)[1]
        suffix = anchor.replace("-", " ")
        links += [(f"Weights{suffix}", f"weights{anchor}")]
        links += [(f"Labels{suffix}", f"gallery{anchor}"), (f"Tables{suffix}", f"tables{anchor}")]
    return element("nav", {}, [element("a", {"href": f"#{anchor}"}, name) for name, anchor in links])


def _unvisited(learned: LearnedWeights) -> Markup | None:
    """How many labels occurred in no batch; None if all did."""
    count = int((learned.labelled & ~learned.visited).sum())
    if not count:
        return None
    return paragraph(
        f"{pluralize(count, 'labelled keypoint')} of {learned.labelled.sum():,} occurred in no batch. Such weights are "
        "the initial ones; they are included in curves and histograms"
        + (", but not in galleries and tables." if learned.suspects is None else ".")
    )


def _suffixes(weights: LearnedWeights, learned: list[LearnedWeights]) -> tuple[str, str]:
    """What distinguishes a set of weights in titles and in anchors; empty if there is only one set."""
    if len(learned) == 1:
        return "", ""
    return f": weights {weights.place}, in the {weights.model} model's loss", f"-{weights.place}"


def _files(run: Run, learned: list[LearnedWeights]) -> Markup:
    tables = "; ".join(
        f"{weights.file} and {Path(weights.file).with_suffix('.npz')} contain the weights of all keypoints"
        for weights in learned
    )
    text = f"; {tables}." if tables else "."
    return element("footer", {}, "Generated from ", element("code", {}, str(run.folder)), text)
