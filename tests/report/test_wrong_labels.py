from dataclasses import replace

import numpy as np

from lib.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from lib.report.learned import NamedWeights
from lib.report.runs import MAX_POINTS
from lib.report.wrong_labels import SHARES, detection_section
from tests.factories.reports import JOINTS, Page, learned_weights
from tests.factories.suspects import suspects_of


def named(count=2, name="ours1", known=True, **judged):
    """Weights 1, 2, 3, ... (scaled), of which the lowest two and the fourth belong to wrong labels."""
    weights = np.arange(1, count * JOINTS + 1).reshape(count, JOINTS) / (count * JOINTS)
    wrong = np.zeros(weights.shape, bool)
    wrong[0, [0, 1, 3]] = True
    return NamedWeights(name, 0, learned_weights(weights, wrong=wrong if known else None, **judged))


def test_without_known_truth_there_is_no_section():
    assert detection_section([named(known=False)]) is None
    _, _, learned = named()
    learned.truth.corrupted[:] = True  # no correct labels to compare with
    assert detection_section([NamedWeights("x", 0, learned)]) is None


def test_the_table_counts_wrong_labels_among_the_most_suspect():
    page = Page(detection_section([named(), named(name="unknown", known=False)]))
    rows = page.texts[page.texts.index("most suspect") :]
    assert rows[:2] == ["most suspect", "ours1"] and len(rows) == 2 + 2 * len(SHARES)
    cells = dict(zip(rows[2::2], (cell.replace("\u00a0", " ") for cell in rows[3::2])))
    assert cells["1 %"] == "1 of 1 (100.0 %)"
    assert cells["10 %"] == "2 of 3 (66.7 %)"
    assert cells["20 %"] == "3 of 5 (60.0 %)"
    assert cells["100 %"] == "3 of 26 (11.5 %)"


def test_the_legend_has_the_auroc():
    # Of 3 x 23 pairs one is lost: the label of weight 3 is correct, but below the wrong one of weight 4.
    page = Page(detection_section([named()]))
    assert f"ours1, AUROC {68 / 69:.2f}" in page.text
    assert page.text.count("AUROC 0.99") == 2  # in both charts


def test_the_precision_of_chance_is_the_mean_share_of_wrong_labels():
    page = Page(detection_section([named(), named(count=6, name="more")]))
    dotted = [
        values for tag, values in page.tags if tag == "polyline" and values["stroke-dasharray"] == "3 3"
    ]
    share = (3 / 26 + 3 / 78) / 2
    y = HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
    assert dotted[1]["points"] == f"{LEFT:.1f},{y:.1f} {WIDTH - RIGHT:.1f},{y:.1f}"


def test_long_curves_are_thinned_out():
    section = detection_section([named(count=400)])
    assert MAX_POINTS * 0.9 < section.count("<circle") / 2 <= MAX_POINTS
    assert "ours1: 1 at 1<" in section and "ours1: 0 at 0<" in section  # the ends of the ROC curve


def judged():
    """Scores that find the wrong labels, 3 of 26; probabilities of 0.75 for these and another one, else 0.1."""
    wrong = np.zeros((2, JOINTS), bool)
    wrong[0, [0, 1, 3]] = True
    probability = np.where(wrong, 0.75, 0.1)
    probability[1, 5] = 0.75
    return {"scores": np.where(wrong, 3.0, 0.0), "suspects": suspects_of(probability)}


def test_scores_are_shown_beside_the_weights():
    page = Page(detection_section([named(**judged()), named(name="old")]))
    assert {"ours1, scores", "ours1, weights", "old"} <= set(page.texts)
    assert "ours1, scores, AUROC 1.00, AP 1.00" in page.text
    assert "ours1, weights, AUROC 0.99" in page.text and "old, AUROC 0.99" in page.text
    curves = [values for tag, values in page.tags if tag == "polyline" and values["stroke-width"] == "2"]
    assert len(curves) == 2 * 3 + 1  # and the calibration of the one that has probabilities
    assert [curve["stroke-dasharray"] for curve in curves[:3]] == ["", "2 3", ""]


def test_the_scores_of_two_sets_of_weights_are_shown_once():
    both = [
        NamedWeights(f"weights {place}", k, replace(named(**judged()).learned, place=place))
        for k, place in enumerate("BA")
    ]
    page = Page(detection_section(both))
    header = page.texts[page.texts.index("most suspect") :][:4]
    assert header == ["most suspect", "scores", "weights B", "weights A"]
    assert page.text.count("labels were estimated to be wrong") == 1


def test_estimated_and_true_precision_are_compared():
    text = Page(detection_section([named(**judged())])).text.replace("\u00a0", " ")
    total = 4 * 0.75 + 22 * 0.1
    assert f"{total:.0f} labels were estimated to be wrong, 3 are." in text
    assert (
        "Of the 4 flagged ones, 75.0 % were estimated to be wrong, and 75.0 % are; they are 100.0 % of all"
        in text
    )
    assert "Calibration" in text and "ours1: 0 at 0.1" in text
    assert "Calibration" not in Page(detection_section([named()])).text


def test_nothing_flagged():
    quiet = judged() | {"suspects": suspects_of(np.full((2, JOINTS), 0.1))}
    assert (
        "3 labels were estimated to be wrong, 3 are. None is flagged."
        in Page(detection_section([named(**quiet)])).text
    )
