"""The report: one HTML file that needs nothing else, of one run or comparing several."""

from functools import reduce
from pathlib import Path

from easydict import EasyDict

from lib.core.config import settings
from lib.core.errors import InputError
from lib.ignoring.ledger import auroc
from lib.report.curves import curve_figures
from lib.report.learned import Learned, read_learned
from lib.report.markup import Markup, element
from lib.report.parts import card, counted, figures, paragraph, percent, section, table
from lib.report.results import COLUMNS, GROUPS, rows_of
from lib.report.runs import Run, read_runs
from lib.report.style import STYLE
from lib.report.weights import (
    detection_section,
    gallery_section,
    joints_of_runs,
    tables_section,
    weights_overview,
)
from lib.utils.files import write_text

COLUMNS_SHOWN = 6  # of a gallery in a wide window
MOST_GALLERY_ROWS = 10  # keeps the page of two sets of weights, four galleries, below 5 MB


def write_report(folders: list[str | Path], output: str | Path | None = None, rows: int = 2) -> Path:
    """Write the report of the runs in ``folders`` to ``output``; returns its path.

    By default that is report.html in the first folder. ``rows`` of six pictures are in each gallery,
    which the report of a single run has. Raises InputError for a folder that is no finished run's.
    """
    if not 1 <= rows <= MOST_GALLERY_ROWS:
        raise InputError(f"--rows: expected a number from 1 to {MOST_GALLERY_ROWS}, found {rows}")
    folders = [Path(folder) for folder in folders]
    runs = read_runs(folders)
    learned = [read_learned(run) for run in runs]
    if len(runs) == 1:
        title, body = _single(runs[0], learned[0], rows)
    else:
        title, body = _comparison(runs, learned)
    path = Path(output) if output else folders[0] / "report.html"
    write_text(path, _document(title, body))
    return path


def _document(title: str, body: list) -> str:
    head = [
        element("meta", {"charset": "utf-8"}),
        element("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        # Without an icon of its own a browser asks the server for one.
        Markup('<link rel="icon" href="data:,">'),
        element("title", {}, title),
        element("style", {}, Markup(STYLE)),
    ]
    page = element("html", {"lang": "en"}, element("head", {}, head), element("body", {}, element("main", {}, body)))  # fmt: skip
    return f"<!doctype html>\n{page}\n"


def _single(run: Run, learned: list[Learned], rows: int) -> tuple[str, list]:
    title = f"{run.results['mode']}: {run.meaning}" if run.meaning else run.results["mode"]
    sections = [
        section("Training", "training", figures(curve_figures([run]))),
        section("Results on the test set", "results", _results([run])),
    ]
    for one in learned:
        several = len(learned) > 1
        suffix, anchor = (f" ({_place(one)})", f"-{one.place}") if several else ("", "")
        sections.append(section(f"What it ignores{suffix}", f"weights{anchor}", _unseen(one), weights_overview(run, one)))  # fmt: skip
        if found := detection_section([(f"weights {one.place}", one)]):
            sections.append(found)
        sections.append(gallery_section(run, one, rows * COLUMNS_SHOWN, f"The labels themselves{suffix}", f"gallery{anchor}"))  # fmt: skip
        sections.append(tables_section(one, f"Pictures and annotators{suffix}", f"tables{anchor}"))
    if not learned:
        sections.append(section("What it ignores", "weights", paragraph("This mode learns no ignoring weights, so there is no ledger to show.")))  # fmt: skip
    header = element("header", {}, paragraph("Learning By Ignoring · report of a run", kind="kind"), element("h1", {}, title),
                     paragraph(_circumstances(run, learned)), _cards(run, learned), _contents(learned))  # fmt: skip
    return title, [header, *sections, _files(run, learned)]


def _circumstances(run: Run, learned: list[Learned]) -> str:
    config, results = run.config, run.results
    source, target, model = config.DATASET_SRC, config.DATASET_TARGET, config.MODEL
    people = f" ({counted(len(learned[0].people), 'person')})".replace("persons", "people") if learned else ""
    sentence = (
        f"Source: {source.DATASET} {source.TRAIN_SET}{people}. Target: {target.DATASET} {target.TRAIN_SET}. "
        f"ResNet-{model.EXTRA.NUM_LAYERS} at {model.IMAGE_SIZE[0]} × {model.IMAGE_SIZE[1]} pixels, seed {results['seed']}"
    )
    if results.get("steps") is not None:
        sentence += f", {counted(results['steps'], 'training step')}"
    if results.get("seconds_per_step") is not None:
        sentence += f" of {1000 * results['seconds_per_step']:.0f} ms on {results.get('device', 'an unknown device')}"  # fmt: skip
    return sentence + "."


def _cards(run: Run, learned: list[Learned]) -> Markup:
    found, results = run.results["test"], run.results
    mean = found["PCKh"]["Mean"]
    epoch = results.get("best_epoch")
    what = f"Mean over the joints of {counted(found['people'], 'test person')}".replace("persons", "people") if "people" in found else "Mean over the joints"  # fmt: skip
    what += f"; model of epoch {epoch}, counted from 0, the best on validation." if epoch is not None else "."
    cards = [card("PCKh@0.5 on the test set", "-" if mean is None else f"{mean:.1f}", "%", what)]
    if (
        results.get("source_model")
        and (of_source := results["source_model"]["test"]["PCKh"]["Mean"]) is not None
    ):
        cards.append(card("PCKh@0.5 of the source model", f"{of_source:.1f}", "%", "The same people, predicted by the model that is trained on the source beside it."))  # fmt: skip
    for one in learned:
        suffix = f", weights {one.place}" if len(learned) > 1 else ""
        weights = one.weights[one.labelled]
        if one.knows_both:
            wrong = one.wrong[one.labelled]
            value = f"{auroc(weights, wrong):.2f}"
            what = f"Chance that a right label weighs more than a wrong one; 0.5 is guessing. {percent(wrong.mean())} of the labels are wrong."  # fmt: skip
        else:
            value, what = "-", "Nobody knows which of these labels are wrong, so it cannot be computed."
        cards.append(card(f"AUROC{suffix}", value, "", what))
        cards.append(card(f"Mean weight{suffix}", f"{weights.mean():.2f}", "of 1", f"Over all {len(weights):,} labelled keypoints of the source."))  # fmt: skip
        below = weights < 0.5
        cards.append(card(f"Labels below 0.5{suffix}", f"{below.sum():,}", percent(below.mean()), "Labelled keypoints that the run would rather ignore than trust."))  # fmt: skip
    return element("div", {"class": "cards"}, cards)


def _contents(learned: list[Learned]) -> Markup:
    links = [("Training", "training"), ("Results", "results")]
    for one in learned:
        anchor, suffix = (f"-{one.place}", f" {one.place}") if len(learned) > 1 else ("", "")
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


def _place(learned: Learned) -> str:
    return f"weights {learned.place}, in the {learned.model} model's loss"


def _results(runs: list[Run]) -> list[Markup]:
    rows, starts = [], []
    for run in runs:
        starts.append(len(rows))
        rows += rows_of(run.results, run.name)
    best = set()
    for column in range(1, len(GROUPS) + 1):
        values = [float(row[column]) if row[column] not in ("-", "") else -1 for row in rows]
        if len(rows) > 1 and max(values) >= 0:
            best |= {(r, column) for r, value in enumerate(values) if value == max(values)}
    reading = "PCKh in percent: a joint counts as found within half the head's size (Mean@0.1: a tenth) of its label. "
    reading += "AUROC: how well the weights tell wrong labels from right ones, where that is known."
    if best:
        reading += " Blue: the best of the column."
    return [paragraph(reading), table(list(COLUMNS), rows, best=best)]


def _files(run: Run, learned: list[Learned]) -> Markup:
    tables = "; ".join(
        f"{one.file} and {Path(one.file).with_suffix('.npz')} rank every keypoint" for one in learned
    )
    text = f"; {tables}." if tables else "."
    return element("footer", {}, "Made from ", element("code", {}, str(run.folder)), text)


def _comparison(runs: list[Run], learned: list[list[Learned]]) -> tuple[str, list]:
    title = f"{len(runs)} runs compared"
    named = []
    for run, ones in zip(runs, learned):
        named += [(f"{run.name}, weights {one.place}" if len(ones) > 1 else run.name, one) for one in ones]
    header = element("header", {}, paragraph("Learning By Ignoring · comparison", kind="kind"), element("h1", {}, title),
                     paragraph(", ".join(f"{run.name} ({run.meaning})" if run.meaning else run.name for run in runs)),
                     _comparison_cards(runs, named))  # fmt: skip
    sections = [
        section("Results on the test set", "results", _results(runs)),
        section("Training", "training", figures(curve_figures(runs))),
    ]
    if named:
        sections.append(section("What they ignore", "weights", figures(joints_of_runs(named)), _weights_table(named)))  # fmt: skip
    if found := detection_section(named):
        sections.append(found)
    sections.append(_differences(runs))
    return title, [header, *sections, _commands(runs)]


def _comparison_cards(runs: list[Run], named: list[tuple[str, Learned]]) -> Markup:
    tested = [(run.results["test"]["PCKh"]["Mean"], run.name) for run in runs]
    tested = sorted((t for t in tested if t[0] is not None), reverse=True)
    cards = []
    if tested:
        margin = (
            f", {tested[0][0] - tested[1][0]:.1f} points before {tested[1][1]}" if len(tested) > 1 else ""
        )
        cards.append(card("Best PCKh@0.5 on the test set", f"{tested[0][0]:.1f}", "%", f"{tested[0][1]}{margin}."))  # fmt: skip
    found = [(auroc(one.weights[one.labelled], one.wrong[one.labelled]), name) for name, one in named if one.knows_both]  # fmt: skip
    if found:
        cards.append(card("Best AUROC of weights", f"{max(found)[0]:.2f}", "", f"{max(found)[1]}: chance that a right label weighs more than a wrong one."))  # fmt: skip
    seeds = {run.results["seed"] for run in runs}
    what = "One seed a mode says little: differences of a few points may be chance." if len(seeds) == 1 else "Runs of different seeds: compare means, not single ones."  # fmt: skip
    cards.append(card("Seeds", ", ".join(str(s) for s in sorted(seeds, key=str)), "", what))
    return element("div", {"class": "cards"}, cards)


def _weights_table(named: list[tuple[str, Learned]]) -> Markup:
    rows = []
    for name, one in named:
        weights = one.weights[one.labelled]
        value = f"{auroc(weights, one.wrong[one.labelled]):.2f}" if one.knows_both else "-"
        rows.append([name, f"{len(weights):,}", f"{weights.mean():.2f}", percent((weights < 0.5).mean()), percent((one.seen[one.labelled] == 0).mean()), value])  # fmt: skip
    return table(["weights of", "labels", "mean weight", "below 0.5", "never in a batch", "AUROC"], rows)


def _differences(runs: list[Run]) -> Markup:
    rows = []
    for key in settings():
        values = [str(_setting(run.config, key)) for run in runs]
        if len(set(values)) > 1:
            rows.append([key, *values])
    if not rows:
        shown = paragraph("All settings are the same; the runs differ in their mode.")
    else:
        shown = [paragraph("All others are the same."), table(["setting", *(run.name for run in runs)], rows)]
    return section("Settings that differ", "settings", shown)


def _setting(config: EasyDict, key: str):
    return reduce(lambda node, name: node[name], key.split("."), config)


def _commands(runs: list[Run]) -> Markup:
    commands = [
        element("div", {}, element("code", {}, f"python pose_estimation/report.py {run.folder}"))
        for run in runs  # fmt: skip
    ]
    return element("footer", {}, "Galleries, histograms and tables of one run are in its own report:", commands)  # fmt: skip
