import numpy as np

from lib.report.markup import join
from lib.report.results import GROUPS
from lib.report.single import single_report
from lib.wrong_labels.estimate import Estimate
from tests.factories.reports import JOINTS, Page, learned_weights, make_run
from tests.factories.suspects import suspects_of


def parsed(run, learned):
    title, content = single_report(run, learned, rows=1)
    return title, Page(join(content))


def test_a_baseline_has_results_and_no_weights(tmp_path):
    values = {"PCKh": dict.fromkeys(GROUPS, 40.0) | {"Mean": 61.26}}
    run = make_run(tmp_path, "baseline2", steps=1, seconds_per_step=0.25, device="cpu", best_epoch=3,
                   source_model={"test": values})  # fmt: skip
    title, page = parsed(run, [])
    assert title.startswith("baseline2: ")
    assert "1 training step of 250 ms on cpu." in page.text
    assert "Mean over the joints, 1,200 test instances; checkpoint of epoch 3 (counted from 0)." in page.texts
    assert "50.0" in page.texts and "61.3" in page.texts
    assert "learns no ignoring weights" in page.text and "Example labels" not in page.texts
    anchors = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert anchors == ["#training", "#results"]


def test_cards_and_sections_of_learned_weights(tmp_path):
    weights, wrong = np.full((2, JOINTS), 0.75), np.zeros((2, JOINTS), bool)
    weights[0, 0], wrong[0, 0] = 0.25, True
    seen = np.ones((2, JOINTS), int)
    seen[1, :2] = 0
    learned = learned_weights(weights, wrong=wrong, seen=seen)
    _, page = parsed(make_run(tmp_path), [learned])
    auroc, mean, below = (page.texts.index(name) for name in ("AUROC", "Mean weight", "Labels below 0.5"))
    assert page.texts[auroc + 1] == "1.00" and "3.8\u00a0% of the labels are wrong." in page.texts[auroc + 2]
    assert page.texts[mean + 1 : mean + 3] == [f"{weights.mean():.2f}", " of 1"]
    assert page.texts[below + 1 : below + 3] == ["1", " (3.8\u00a0%)"]
    assert "2 labelled keypoints of 26 occurred in no batch" in page.text
    for heading in (
        "Ignoring weights",
        "Detection of wrong labels",
        "Example labels",
        "Images and annotators",
    ):
        assert heading in page.texts
    ids = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    assert {attributes["href"][1:] for tag, attributes in page.tags if tag == "a"} <= ids


def test_two_sets_of_weights_have_titles_of_their_own(tmp_path):
    both = [learned_weights(np.full((1, JOINTS), 0.5), place=place) for place in "BA"]
    _, page = parsed(make_run(tmp_path, "ours5"), both)
    for place, model in (("B", "target"), ("A", "source")):
        assert f"Ignoring weights: weights {place}, in the {model} model's loss" in page.texts
        assert f"AUROC, weights {place}" in page.texts
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids)) and {"weights-A", "gallery-B", "tables-A"} <= set(ids)
    assert "Cannot be computed" in page.text and "Detection of wrong labels" not in page.texts


def test_cards_of_labels_that_were_judged(tmp_path):
    """The AUROC is that of the scores; two sets of weights share one judgement."""
    weights, wrong = np.full((2, JOINTS), 0.75), np.zeros((2, JOINTS), bool)
    weights[0, 0], wrong[1, 1] = 0.25, True
    judged = {
        "scores": wrong * 2.0,
        "suspects": suspects_of(np.where(wrong, 0.9, 0.1)),
        "estimate": Estimate(26, 3.4, 1.2, 6.0, 1, 0.9, {"moved": 1}),
    }
    both = [learned_weights(weights, wrong=wrong, place=place, **judged) for place in "BA"]
    _, page = parsed(make_run(tmp_path), both[:1])
    auroc, found, flagged = (page.texts.index(name) for name in ("AUROC", "Wrong labels", "Labels flagged"))
    assert page.texts[auroc + 1] == "1.00"
    assert page.texts[found + 1 : found + 3] == ["3", " (13.1\u00a0%)"]
    assert "between 1 and 6" in page.texts[found + 3]
    assert page.texts[flagged + 1] == "1" and "About 90 % of these are wrong." in page.texts[flagged + 2]
    _, page = parsed(make_run(tmp_path, "ours5"), both)
    assert page.texts.count("Wrong labels, as estimated") == 1 and page.texts.count("Most suspect") == 2
