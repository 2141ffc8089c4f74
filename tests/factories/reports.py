"""Small runs and learned weights, made without training, for the parts of the report."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from lib.config.loader import load_config
from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import SHARED_KEYPOINTS, joint_mapping
from lib.label_noise.truth import Truth
from lib.report.learned import LearnedWeights
from lib.report.results import GROUPS
from lib.report.runs import Run

JOINTS = len(SHARED_KEYPOINTS)


def annotations_of(visible: np.ndarray) -> Annotations:
    """Annotations of COCO with the labels ``visible`` [N, 13], two of an image; no image file exists."""
    count = len(visible)
    return Annotations(
        mapping=joint_mapping("coco", SHARED_KEYPOINTS),
        ids=np.arange(10, 10 + count),
        image_paths=tuple(f"images/{i}.jpg" for i in range(-(-count // 2))),
        image_index=np.arange(count) // 2,
        joints=np.zeros((count, JOINTS, 2), np.float32),
        visible=visible,
        centers=np.zeros((count, 2)),
        sizes=np.ones((count, 2)),
    )


def learned_weights(
    weights: np.ndarray,
    *,
    visible=None,
    seen=None,
    scores=None,
    wrong=None,
    place="B",
    annotators=None,
    **judged,
):
    """LearnedWeights with ``weights`` [N, 13]; by default all labelled and seen once, the truth unknown.

    judged: ``suspects`` and ``estimate``.
    """
    ones = np.ones(weights.shape, int)
    annotations = annotations_of(ones if visible is None else visible)
    truth = None if wrong is None else Truth(annotations.joints, wrong)
    seen = ones if seen is None else seen
    scores = 1 - weights if scores is None else scores
    return LearnedWeights(
        place, "ignoring_weights.csv", annotations, weights, seen, scores, truth, annotators, **judged
    )


def make_run(folder: Path, name="ours1", settings=None, scalars=None, histograms=None, **results) -> Run:
    """A run in ``folder`` with default settings, apart from ``settings`` {key: value}.

    scalars: {tag: values}, at the steps 10, 20, ...   results: keys over those of a finished run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "empty.yaml").write_text("")
    config = load_config(folder / "empty.yaml", settings or {})
    values = dict.fromkeys(GROUPS, 40.0) | {"Mean": 50.0}
    results = {
        "mode": name,
        "seed": 0,
        "test": {"PCKh": values, "people": 1200},
        "output": "o",
        "log": "l",
    } | results
    curves = {tag: (10 * np.arange(1, 1 + len(v)), np.array(v, float)) for tag, v in (scalars or {}).items()}
    return Run(folder, name, config, results, curves, histograms or {})


class Page(HTMLParser):
    """The parsed markup.

    texts: the text between tags.
    headings: those of h1 and h2.
    tags: (name, attributes) of each element.
    """

    def __init__(self, markup: str):
        super().__init__()
        self.texts, self.headings, self.tags, self.open = [], [], [], []
        self.feed(markup)
        assert not self.open, f"elements that are not closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "link", "br", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    @property
    def image_texts(self) -> list[str]:
        """The alternative text of each image."""
        return [attributes["alt"] for name, attributes in self.tags if name == "img"]

    @property
    def external(self) -> list[str]:
        """What makes the page depend on anything but itself: scripts, and links to other files."""
        links = [attributes.get(key, "#") for _, attributes in self.tags for key in ("src", "href")]
        scripts = ["script" for name, _ in self.tags if name == "script"]
        return scripts + [link for link in links if not link.startswith(("data:", "#"))]
