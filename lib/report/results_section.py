"""The table of PCKh, of one run or of several."""

from lib.report.markup import Markup
from lib.report.parts import paragraph, table
from lib.report.results import COLUMNS, GROUPS, rows_of
from lib.report.runs import Run


def results_table(runs: list[Run]) -> list[Markup]:
    rows, starts = [], []
    for run in runs:
        starts.append(len(rows))
        rows += rows_of(run.results, run.name)
    best = set()
    for column in range(1, len(GROUPS) + 1):
        values = [float(row[column]) if row[column] not in ("-", "") else -1 for row in rows]
        if len(rows) > 1 and max(values) > 0:
            best |= {(r, column) for r, value in enumerate(values) if value == max(values)}
    reading = "PCKh in percent: a joint counts as found within half the head's size (Mean@0.1: a tenth) of its label. "
    reading += "AUROC: how well the weights tell wrong labels from right ones, where that is known."
    if best:
        reading += " Blue: the best of the column."
    return [paragraph(reading), table(list(COLUMNS), rows, best=best)]
