"""The table of test results (PCKh or PCK) of one run or of several."""

from lib.report.markup import Markup
from lib.report.parts import paragraph, table
from lib.report.results import DETECTION, columns_of, groups_of, measure_of, rows_of
from lib.report.runs import Run

EXPLANATIONS = {
    "PCKh": "PCKh in percent: a joint is correct within half the head size (Mean@0.1: a tenth) "
    "of its label. ",
    "PCK": "PCK in percent: a joint is correct within a tenth of the box's longer side (Mean@0.05: a "
    "twentieth) of its label. OKS-AP: average precision over object keypoint similarities from 0.5 "
    "to 0.95, in percent. ",
}


def results_table(runs: list[Run]) -> list[Markup]:
    """An explanation and the table, in which the best value of each column is highlighted.

    Raises:
        InputError: The runs were tested with different joints or measures.
    """
    groups, rows = groups_of([run.results for run in runs]), []
    for run in runs:
        rows += rows_of(run.results, run.name, groups)
    best = set()
    for column in range(1, len(groups) + 1):
        values = [float(row[column]) if row[column] not in ("-", "") else -1 for row in rows]
        if len(rows) > 1 and max(values) > 0:
            best |= {(r, column) for r, value in enumerate(values) if value == max(values)}
    explanation = EXPLANATIONS[measure_of(runs[0].results)]
    explanation += f"{DETECTION}, if these are known."
    if best:
        explanation += " Blue: best value of the column."
    return [paragraph(explanation), table(list(columns_of(groups)), rows, best=best)]
