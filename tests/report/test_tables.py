from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import joint_mapping
from lib.label_noise.truth import Truth
from lib.report.learned import LearnedWeights
from lib.report.tables import MAX_ROWS, by_annotator, by_image, by_joint, tables_section
from tests.factories.reports import Page
from tests.factories.suspects import suspects_of

ANNOTATIONS = Annotations(
    mapping=joint_mapping("coco", ("left_knee", "head")),
    ids=np.array([4, 5, 6, 7]),
    image_paths=("images/d/a.jpg", "images/d/<script>b.jpg", "images/d/c.jpg"),
    image_names=("d/a.jpg", "d/<script>b.jpg", "d/c.jpg"),
    image_index=np.array([0, 1, 0, 2]),
    joints=np.zeros((4, 2, 2)),
    visible=np.array([[1, 1], [1, 1], [1, 0], [1, 1]]),
    centers=np.zeros((4, 2)),
    sizes=np.ones((4, 2)),
)


def learned(annotators=None, wrong=None):
    weights = np.array([[0.2, 0.4], [0.1, 0.3], [0.9, 0.0], [1.0, 1.0]])
    seen = np.array([[1, 1], [2, 1], [1, 0], [0, 0]])
    truth = None if wrong is None else Truth(ANNOTATIONS.joints, wrong)
    return LearnedWeights("B", "x.csv", ANNOTATIONS, weights, seen, 1 - weights, truth, annotators)


def test_images_by_the_mean_weight_of_the_labels_that_were_seen():
    first, second = by_image(learned(), 25)
    assert (first.name, first.instances, first.labels) == ("d/<script>b.jpg", 1, 2)
    assert first.mean == pytest.approx(0.2) and first.lowest == (0.1, "left_knee") and first.below_half == 1
    assert (second.name, second.instances, second.labels) == ("d/a.jpg", 2, 3)
    assert second.mean == pytest.approx(0.5) and second.below_half == pytest.approx(2 / 3)
    assert [group.name for group in by_image(learned(), 1)] == ["d/<script>b.jpg"]
    assert np.isnan(first.wrong)


def test_images_are_not_ordered_by_weights_of_labels_that_were_not_seen():
    table = learned()
    table.weights[1], table.weights[2, 1] = 0.6, 1.0  # a.jpg has 0.2, 0.4, 0.9 seen, and 1.0 unseen
    assert [(group.name, round(group.mean, 9)) for group in by_image(table, 25)] == [
        ("d/a.jpg", 0.5),
        ("d/<script>b.jpg", 0.6),
    ]


def test_joints_by_the_mean_weight_of_all_labels():
    wrong = np.array([[1, 0], [0, 0], [0, 1], [0, 0]], bool)
    knee, head = by_joint(learned(wrong=wrong))
    assert (knee.name, knee.labels, knee.wrong) == ("left_knee", 4, 0.25) and knee.mean == pytest.approx(0.55)
    assert (head.name, head.labels, head.wrong) == ("head", 3, 0) and head.mean == pytest.approx(17 / 30)


def test_annotators():
    rows = by_annotator(learned(["ann", "ben", "", "ann"]))
    assert [(row.name, row.labels) for row in rows] == [("ben", 2), ("ann", 2), ("(unknown)", 1)]
    assert [row.mean for row in rows] == pytest.approx([0.2, 0.3, 0.9])


def test_names_from_files_are_escaped():
    page = tables_section(learned(["<b>ann", "ben", "", "ann"]), "t", "t")
    assert "&lt;script&gt;b.jpg" in page and "<script>" not in page and "&lt;b&gt;ann" in page
    assert "no field “annotator”" in tables_section(learned(), "t", "t")


def test_shares_below_a_half_leave_out_a_half_itself():
    table = learned()
    table.weights[0] = 0.5
    (first, *_) = [group for group in by_joint(table) if group.name == "left_knee"]
    assert first.below_half == 1 / 4  # 0.5, 0.1, 0.9, 1.0


def of_equal_means(scores, rows=slice(None)):
    """Images with one annotation of the same weights each; ``rows``: the order of the file."""
    count = len(scores)
    names = tuple(np.array([f"{i}.jpg" for i in range(count)])[rows])
    annotations = replace(
        ANNOTATIONS,
        ids=np.arange(count)[rows],
        image_paths=names,
        image_names=names,
        image_index=np.arange(count),
        joints=np.zeros((count, 2, 2)),
        visible=np.ones((count, 2)),
        centers=np.zeros((count, 2)),
        sizes=np.ones((count, 2)),
    )
    weights, seen = np.full((count, 2), 0.25), np.ones((count, 2), int)
    return LearnedWeights("B", "x.csv", annotations, weights, seen, scores[rows], None, None)


def test_images_of_equal_means_are_ordered_by_their_scores():
    scores = np.random.default_rng(0).normal(size=(40, 2))
    expected = [f"{i}.jpg" for i in np.argsort(-scores.mean(axis=1))]
    assert [group.name for group in by_image(of_equal_means(scores), 40)] == expected


def test_images_of_equal_scores_are_not_in_the_order_of_the_file():
    scores = np.zeros((40, 2))
    names = [group.name for group in by_image(of_equal_means(scores), 40)]
    assert names != [f"{i}.jpg" for i in range(40)] and len(set(names)) == 40
    turned = of_equal_means(scores, slice(None, None, -1))
    assert [group.name for group in by_image(turned, 40)] == names


def test_the_most_ignored_joint_is_that_of_the_highest_score():
    scores = np.array([[1.0, 1.0], [1.0, 2.0], [0.0, 0.0], [0.0, 0.0]])
    table = replace(learned(), weights=np.full((4, 2), 0.1), scores=scores)
    lowest = {group.name: group.lowest for group in by_image(table, 25)}
    assert lowest["d/<script>b.jpg"] == (0.1, "head")


def test_only_the_first_annotators_are_shown():
    names = [f"annotator {i:02}" for i in range(MAX_ROWS + 5)]
    table = learned()
    repeats = -(-len(names) // 4)
    order = np.tile(np.arange(4), repeats)[: len(names)]
    many = replace(
        table,
        annotations=ANNOTATIONS.subset(order),
        weights=table.weights[order],
        seen=np.ones((len(names), 2), int),
        scores=table.scores[order],
        annotators=names,
    )
    page = tables_section(many, "t", "t")
    assert f"{len(names)} annotators" in page and f"first {MAX_ROWS} are shown" in page
    assert page.count("<td>annotator ") == MAX_ROWS


def test_judged_labels_are_ordered_by_the_estimated_share_of_wrong_ones():
    """Not by weights; also labels of no batch count, and the one that could not be read does not."""
    probability = np.array([[0.0, 0.1], [0.2, 0.0], [0.1, 0.0], [0.8, 0.0]])
    kind = np.where(probability > 0.5, "moved", "right").astype("<U16")
    kind[3, 1] = ""
    judged = replace(
        learned(["ann", "ben", "ann", "cid"]),
        scores=probability,
        suspects=suspects_of(probability, kind=kind),
    )
    found = [(group.name, group.labels, round(group.doubt, 9)) for group in by_image(judged, 25)]
    assert found == [("d/c.jpg", 1, 0.8), ("d/<script>b.jpg", 2, 0.1), ("d/a.jpg", 3, round(0.2 / 3, 9))]
    assert [group.name for group in by_annotator(judged)] == ["cid", "ben", "ann"]
    assert by_image(judged, 1)[0].lowest == (1.0, "left_knee")
    assert by_joint(judged)[0].name == by_joint(learned())[0].name  # joints by their mean weight
    page = Page(tables_section(judged, "title", "anchor"))
    assert "Most suspect images" in page.texts and page.texts.count("wrong, estimated") == 2
    assert "80.0\u00a0%" in page.texts and "most suspect joint" in page.texts
    assert "wrong, estimated" not in Page(tables_section(learned(), "title", "anchor")).texts
