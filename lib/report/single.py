"""The report of one run."""

from pathlib import Path

from lib.ignoring.weight_table import auroc
from lib.report.curves import curve_figures
from lib.report.gallery import gallery_section
from lib.report.learned import Learned, name_all
from lib.report.markup import Markup, element
from lib.report.parts import card, counted, figures, paragraph, percent, section
from lib.report.results import MEASURES, measure_of
from lib.report.results_section import results_table
from lib.report.runs import Run
from lib.report.tables import tables_section
from lib.report.weights import weights_overview
from lib.report.wrong_labels import detection_section

COLUMNS_SHOWN = 6  # of a gallery in a wide window


def single_report(run: Run, learned: list[Learned], rows: int) -> tuple[str, list]:
    """(title, content of the page); ``rows`` of images in each gallery."""
    title = f"{run.results['mode']}: {run.meaning}" if run.meaning else run.results["mode"]
    sections = [
        section("Training", "training", figures(curve_figures([run]))),
        section("Results on the test set", "results", results_table([run])),
    ]
    for one in learned:
        suffix, anchor = _which(one, learned)
        sections.append(section(f"What it ignores{suffix}", f"weights{anchor}", _unseen(one), weights_overview(run, one)))  # fmt: skip
    sections.append(detection_section(name_all([run], [learned])))
    for one in learned:
        suffix, anchor = _which(one, learned)
        sections.append(gallery_section(run, one, rows * COLUMNS_SHOWN, f"The labels themselves{suffix}", f"gallery{anchor}"))  # fmt: skip
        sections.append(tables_section(one, f"Images and annotators{suffix}", f"tables{anchor}"))
    if not learned:
        sections.append(section("What it ignores", "weights", paragraph("This mode learns no ignoring weights, so there is no ledger to show.")))  # fmt: skip
    header = element("header", {}, paragraph("Learning By Ignoring · report of a run", kind="kind"), element("h1", {}, title),
                     paragraph(_circumstances(run, learned)), _cards(run, learned), _contents(learned))  # fmt: skip
    return title, [header, *sections, _files(run, learned)]


def _circumstances(run: Run, learned: list[Learned]) -> str:
    config, results = run.config, run.results
    source, target, model = config.dataset_src, config.dataset_target, config.model
    people = f" ({len(learned[0].people):,} people)" if learned else ""
    sentence = (
        f"Source: {source.dataset} {source.train_set}{people}. Target: {target.dataset} {target.train_set}. "
        f"ResNet-{model.extra.num_layers} at {model.image_size[0]} × {model.image_size[1]} pixels, seed {results['seed']}"
    )
    if results.get("steps") is not None:
        sentence += f", {counted(results['steps'], 'training step')}"
    if results.get("seconds_per_step") is not None:
        sentence += f" of {1000 * results['seconds_per_step']:.0f} ms on {results.get('device', 'an unknown device')}"  # fmt: skip
    return sentence + "."


def _cards(run: Run, learned: list[Learned]) -> list[Markup]:
    """The headline numbers: of the models, then of each set of weights."""
    rows = [_model_cards(run.results), *(_weight_cards(one, len(learned) > 1) for one in learned)]
    if len(rows) == 2 and len(rows[0]) == 1:  # few enough for one row
        rows = [rows[0] + rows[1]]
    return [element("div", {"class": "cards"}, row) for row in rows]


def _model_cards(results: dict) -> list[Markup]:
    found, epoch = results["test"], results.get("best_epoch")
    tested = f"{found['people']:,} test people" if "people" in found else "the test set"
    chosen = "" if epoch is None else f"; model of epoch {epoch}, counted from 0"
    measure = measure_of(results)
    name = MEASURES[measure]
    cards = [
        _mean_card(f"{name} on the test set", found[measure], f"Mean over the joints of {tested}{chosen}.")
    ]
    if results.get("source_model"):
        what = "The same people, predicted by the model that the target model is held near."
        of_source = results["source_model"]["test"][measure]
        cards.append(_mean_card(f"{name} of the source model", of_source, what))
    return cards


def _mean_card(name: str, numbers: dict, what: str) -> Markup:
    mean = numbers["Mean"]
    return card(name, "-" if mean is None else f"{mean:.1f}", "%", what)


def _weight_cards(one: Learned, several: bool) -> list[Markup]:
    suffix, weights = f", weights {one.place}" if several else "", one.weights[one.labelled]
    below = weights < 0.5
    value, what = "-", "Nobody knows which of these labels are wrong, so it cannot be computed."
    if one.knows_both:
        wrong = one.wrong[one.labelled]
        value = f"{auroc(weights, wrong):.2f}"
        what = f"Chance that a right label weighs more than a wrong one; 0.5 is guessing. {percent(wrong.mean())} of the labels are wrong."
    return [
        card(f"AUROC{suffix}", value, "", what),
        card(f"Mean weight{suffix}", f"{weights.mean():.2f}", "of 1", f"Over all {len(weights):,} labelled keypoints of the source."),
        card(f"Labels below 0.5{suffix}", f"{below.sum():,}", f"({percent(below.mean())})", "Labelled keypoints that the run would rather ignore than trust."),
    ]  # fmt: skip


def _contents(learned: list[Learned]) -> Markup:
    links = [("Training", "training"), ("Results", "results")]
    for one in learned:
        anchor = _which(one, learned)[1]
        suffix = anchor.replace("-", " ")
        links += [(f"Weights{suffix}", f"weights{anchor}"), (f"Labels{suffix}", f"gallery{anchor}"), (f"Tables{suffix}", f"tables{anchor}")]  # fmt: skip
    return element("nav", {}, [element("a", {"href": f"#{anchor}"}, name) for name, anchor in links])


def _unseen(learned: Learned) -> Markup | None:
    unseen = int((learned.labelled & ~learned.learned).sum())
    if not unseen:
        return None
    return paragraph(
        f"{counted(unseen, 'labelled keypoint')} of {learned.labelled.sum():,} never came up in a batch: "
        "their weights are where they started. They count in the curves and histograms, but not in galleries and tables."
    )


def _which(one: Learned, learned: list[Learned]) -> tuple[str, str]:
    """What tells a set of weights from the other in titles and in anchors; nothing where it is the only one."""
    if len(learned) == 1:
        return "", ""
    return f": weights {one.place}, in the {one.model} model's loss", f"-{one.place}"


def _files(run: Run, learned: list[Learned]) -> Markup:
    tables = "; ".join(
        f"{one.file} and {Path(one.file).with_suffix('.npz')} rank every keypoint" for one in learned
    )
    text = f"; {tables}." if tables else "."
    return element("footer", {}, "Made from ", element("code", {}, str(run.folder)), text)
