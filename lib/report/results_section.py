"""The table of PCKh or PCK, of one run or of several."""

from lib.report.markup import Markup
from lib.report.parts import paragraph, table
from lib.report.results import columns_of, groups_of, measure_of, rows_of
from lib.report.runs import Run

READINGS = {
    "PCKh": "PCKh in percent: a joint counts as found within half the head's size (Mean@0.1: a tenth) of its label. ",
    "PCK": "PCK in percent: a joint counts as found within a tenth of the box's longer side (Mean@0.05: a twentieth) of its label. "
    "OKS-AP: average precision over object keypoint similarities of 0.5 to 0.95, in percent. ",
}


def results_table(runs: list[Run]) -> list[Markup]:
    groups, rows, starts = groups_of([run.results for run in runs]), [], []
    for run in runs:
        starts.append(len(rows))
        rows += rows_of(run.results, run.name, groups)
    best = set()
    for column in range(1, len(groups) + 1):
        values = [float(row[column]) if row[column] not in ("-", "") else -1 for row in rows]
        if len(rows) > 1 and max(values) > 0:
            best |= {(r, column) for r, value in enumerate(values) if value == max(values)}
    reading = READINGS[measure_of(runs[0].results)]
    reading += "AUROC: how well the weights tell wrong labels from right ones, where that is known."
    if best:
        reading += " Blue: the best of the column."
    return [paragraph(reading), table(list(columns_of(groups)), rows, best=best)]
