"""The report of tiny runs: content of the page, errors for bad input, and how a browser renders it."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from lib.report.gallery import MAX_JPEG_BYTES
from lib.report.learned import read_learned_weights
from lib.report.page import MAX_GALLERY_ROWS
from lib.report.predictions import predict_instances
from lib.report.runs import read_runs
from lib.report.single import GALLERY_COLUMNS
from lib.utils.distributed import ALONE
from lib.visualization.labels import CELL, LABEL, PREDICTED, RIGHT, draw_keypoint
from lib.wrong_labels.metrics import auroc
from pose_estimation.report import main
from pose_estimation.valid import command as validate
from tests.factories.reports import Page
from tests.factories.small_run import RUNS, make_data, run, write_config

MEGABYTE = 2**20
BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
QUIET = "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
QUIET += " --disable-component-update --disable-sync --enable-logging=stderr --window-size=1200,1000"
HOSTILE = "<img src=x onerror=console.error(7)>.jpg"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Data, and the output of three modes trained on it; read-only. The labels of ours1 are not judged."""
    root = tmp_path_factory.mktemp("report")
    config = write_config(root, make_data(root))
    judged = ["LBI.FIND_WRONG_LABELS", "true"]
    for words in (["--ours5", *judged], ["--ours1", "LBI.VARIABLES", "online"], ["--baseline2"]):
        assert run(config, *words) == 0
    return root


@pytest.fixture
def changeable(root, tmp_path):
    """A copy of it that a test may change, with the folders people and output."""
    for name in ("people", "output"):
        shutil.copytree(root / name, tmp_path / name)
    for path in (tmp_path / "output").rglob("config.yaml"):
        path.write_text(path.read_text().replace(str(root), str(tmp_path)))
    return tmp_path


def folder(root, mode):
    return root / "output" / RUNS / mode


def page(*words):
    """Run the command and parse the page that it writes."""
    output = Path(words[words.index("--output") + 1])
    assert main([str(word) for word in words]) == 0
    written = Page(output.read_text())
    assert written.external == [], "the page needs other files"
    return written


def test_the_report_of_two_sets_of_weights(root, tmp_path):
    shown = page(folder(root, "ours5"), "--output", tmp_path / "r.html", "--rows", "1")
    assert shown.headings[0] == "ours5: weighted in both places"
    for heading in ("Training", "Results on the test set", "Detection of wrong labels"):
        assert heading in shown.headings
    for place, model in (("B", "target"), ("A", "source")):
        end = f": weights {place}, in the {model} model's loss"
        for title in ("Ignoring weights", "Example labels", "Images and annotators"):
            assert title + end in shown.headings
    assert len(shown.image_texts) == 4 * 6  # most ignored and most trusted, of A and of B
    results = json.loads((folder(root, "ours5") / "results.json").read_text())
    assert f"{results['test']['PCKh']['Mean']:.1f}" in shown.texts
    for place in "AB":
        assert f"{results['weights'][place]['wrong_labels']['auroc']:.2f}" in shown.texts
        assert f"weights {place}, AUROC {results['weights'][place]['auroc']:.2f}" in shown.text
        assert f"{results['weights'][place]['mean']:.2f}" in shown.texts
    assert {"wrong label", "wrong labels"} <= set(shown.texts) and "true joint position" in shown.text
    assert "prediction of" in shown.text and "“head” means two things" in shown.text
    assert "no field “annotator”" in shown.text


def test_the_galleries_of_judged_labels_go_by_their_scores(root, tmp_path):
    (read,) = read_runs([folder(root, "ours5")])
    learned = read_learned_weights(read)[0]
    scores = np.where(learned.known, learned.scores, -np.inf)
    shown = page(folder(root, "ours5"), "--output", tmp_path / "r.html", "--rows", "1")
    expected = np.sort(scores.max(axis=1))[::-1][:6]
    instances = {number: i for i, number in enumerate(learned.annotations.ids.tolist())}
    for alt, score in zip(shown.image_texts[:6], expected):
        joint, number = re.match(r"(.*) of annotation (\d+), weight .*, wrong \d+ %$", alt).groups()
        j = learned.annotations.mapping.names.index(joint.replace(" ", "_"))
        assert scores[instances[int(number)], j] == score
    labels, wrong = learned.estimate.labels, learned.estimate.wrong
    assert f"About {wrong:.0f} of {labels} labels are wrong" in shown.text
    assert "Wrong labels, as estimated" in shown.texts and "Calibration" in shown.text


def test_the_largest_report_stays_below_five_megabytes(root, tmp_path):
    most = MAX_GALLERY_ROWS
    shown = page(folder(root, "ours5"), "--output", tmp_path / "r.html", "--rows", most)
    size = (tmp_path / "r.html").stat().st_size
    assert len(shown.image_texts) > 4 * 15  # nearly as many as there are people
    missing = 4 * most * GALLERY_COLUMNS - len(shown.image_texts)
    assert size + missing * MAX_JPEG_BYTES * 4 / 3 < 5 * MEGABYTE


def test_the_galleries_show_the_extremes_of_what_was_seen(root, tmp_path):
    (read,) = read_runs([folder(root, "ours1")])
    (learned,) = read_learned_weights(read)
    shown = page(folder(root, "ours1"), "--output", tmp_path / "r.html", "--rows", "1")
    annotations, candidates = learned.annotations, []
    for i, j in np.argwhere((annotations.visible > 0) & (learned.seen > 0)):
        name = annotations.mapping.names[j].replace("_", " ")
        number, weight = annotations.ids[i], learned.weights[i, j]
        candidates.append((weight, number, f"{name} of annotation {number}, weight {weight:.2f}"))
    for alts, best in ((shown.image_texts[:6], min), (shown.image_texts[6:], max)):
        by_instance = {}
        for weight, number, _ in candidates:
            by_instance.setdefault(number, []).append(weight)
        extremes = sorted(map(best, by_instance.values()), reverse=best is max)
        assert [alt[-4:] for alt in alts] == [f"{weight:.2f}" for weight in extremes[:6]]
        assert set(alts) <= {candidate[2] for candidate in candidates}
    assert learned.labelled.sum() > learned.visited.sum()
    assert "occurred in no batch" in shown.text


def test_a_drawing_shows_label_truth_and_prediction(root):
    (read,) = read_runs([folder(root, "ours1")])
    (learned,) = read_learned_weights(read)
    i, j = np.argwhere(learned.labelled)[0]
    corner = learned.annotations.centers[i] - learned.annotations.sizes[i].max() * 0.4
    right = learned.annotations.centers[i] + learned.annotations.sizes[i].max() * 0.4
    drawing = draw_keypoint(learned.annotations, i, j, right, corner).astype(int)
    assert drawing.shape == (CELL, CELL, 3)

    def center_of(colour):
        return np.argwhere(np.abs(drawing - colour).sum(axis=2) < 60).mean(axis=0)

    # A crop is 1.1 times the person's size, so 0.4 from its middle is 0.136 and 0.864 of it.
    assert center_of(PREDICTED) == pytest.approx((0.136 * CELL, 0.136 * CELL), abs=4)
    assert center_of(RIGHT) == pytest.approx((0.864 * CELL, 0.864 * CELL), abs=4)
    assert (np.abs(drawing - LABEL).sum(axis=2) < 60).sum() > 50


def test_predictions_are_those_of_the_best_model(root, tmp_path):
    """Against the command that evaluates a checkpoint, on people of the target."""
    from scipy.io import loadmat

    from lib.dataset.build import read_annotations
    from lib.dataset.keypoints import MPII_KEYPOINTS
    from lib.dataset.layouts import ImageSet

    (read,) = read_runs([folder(root, "ours1")])
    dataset_config = read.config.dataset_target
    annotations = read_annotations(read.config, ImageSet(dataset_config, "valid"))
    predictions = predict_instances(read, "target", annotations, [0, 3, 5])
    words = ["--cfg", folder(root, "ours1") / "config.yaml", "--model-file", folder(root, "ours1") / "best.pth",
             "--save_dir", tmp_path, "DATASET.DATASET", "mpii", "DATASET.ROOT", dataset_config.root, "DATASET.TEST_SET", "valid"]  # fmt: skip
    saved = loadmat(validate([str(word) for word in words], ALONE).parent / "predictions.mat")["preds"] - 1
    index = [MPII_KEYPOINTS.index(native) for native in annotations.mapping.native]
    for instance, joints in predictions.items():
        assert joints == pytest.approx(saved[instance][index], abs=1e-3)
    assert sorted(predictions) == [0, 3, 5]


def test_a_baseline_has_curves_and_says_that_it_has_no_weights(root, tmp_path):
    shown = page(folder(root, "baseline2"), "--output", tmp_path / "r.html")
    assert "This mode learns no ignoring weights" in shown.text
    assert "PCKh@0.5 on validation" in shown.text and not shown.image_texts


def test_several_runs_are_compared(root, tmp_path, capsys):
    modes = ("ours5", "ours1", "baseline2")
    shown = page(*(folder(root, mode) for mode in modes), "--output", tmp_path / "r.html")
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    assert shown.headings[0] == "3 runs compared"
    for name in ("ours5, weights B", "ours5, weights A", "ours1", "baseline2"):
        assert name in shown.texts
    assert "LBI.VARIABLES" in shown.texts and "persistent" in shown.texts and "online" in shown.texts
    for mode in modes:
        results = json.loads((folder(root, mode) / "results.json").read_text())
        assert f"{results['test']['PCKh']['Mean']:.1f}" in shown.texts
    (read,) = read_runs([folder(root, "ours1")])
    (learned,) = read_learned_weights(read)
    value = auroc(-learned.weights[learned.labelled], learned.wrong[learned.labelled])
    assert f"ours1, AUROC {value:.2f}" in shown.text


def test_runs_of_one_mode_have_names_of_their_own(changeable):
    first = folder(changeable, "ours1")
    shutil.copytree(first, first.with_name("ours1.1"))
    assert [read.name for read in read_runs([first, first.with_name("ours1.1")])] == ["ours1", "ours1.1"]
    results = json.loads((first / "results.json").read_text()) | {"seed": 8}
    (first / "results.json").write_text(json.dumps(results))
    names = [read.name for read in read_runs([first, first.with_name("ours1.1")])]
    assert names == ["ours1, seed 8", "ours1, seed 0"]


def test_without_truth_wrong_labels_are_not_mentioned(changeable):
    (changeable / "people/coco/annotations/person_keypoints_train2017_truth.json").unlink()
    shown = page(folder(changeable, "ours1"), "--output", changeable / "r.html")
    assert "Detection of wrong labels" not in shown.headings
    assert not {"wrong label", "wrong labels"} & set(shown.texts) and "true joint position" not in shown.text
    assert "it is unknown which labels are wrong" in shown.text


def spoil(changeable):
    """Annotators and a hostile file name in the annotations, and the most ignored image unreadable."""
    path = changeable / "people/coco/annotations/person_keypoints_train2017.json"
    content, images = json.loads(path.read_text()), changeable / "people/coco/images/train2017"
    for number, annotation in enumerate(content["annotations"]):
        annotation["annotator"] = ("<b>ann</b>", "ben")[number % 2]
    (read,) = read_runs([folder(changeable, "ours1")])
    (learned,) = read_learned_weights(read)
    lowest = np.where(learned.visited, learned.weights, np.inf).min(axis=1).argmin()
    name = Path(learned.annotations.image_paths[learned.annotations.image_index[lowest]]).name
    (images / name).write_bytes(b"not an image")
    (images / name).rename(images / HOSTILE)
    for image in content["images"]:
        image["file_name"] = HOSTILE if image["file_name"] == name else image["file_name"]
    path.write_text(json.dumps(content))
    (folder(changeable, "ours1") / "source.json").unlink()  # it would tell that an image has another name
    return folder(changeable, "ours1")


def test_hostile_names_annotators_and_an_unreadable_image(changeable):
    shown = page(spoil(changeable), "--output", changeable / "r.html")
    assert f"{HOSTILE} cannot be read" in shown.text
    assert "<b>ann</b>" in shown.texts and "ben" in shown.texts and "2 annotators" in shown.text


def test_a_run_without_its_best_model_shows_labels_alone(changeable):
    (folder(changeable, "ours1") / "best.pth").unlink()
    shown = page(folder(changeable, "ours1"), "--output", changeable / "r.html")
    assert "no best.pth" in shown.text and len(shown.image_texts) == 24
    assert "prediction of" not in shown.text


def test_by_default_it_lies_in_the_first_folder(changeable, capsys):
    assert main([str(folder(changeable, "baseline2"))]) == 0
    assert capsys.readouterr().out.strip() == str(folder(changeable, "baseline2") / "report.html")
    assert (folder(changeable, "baseline2") / "report.html").exists()


@pytest.mark.parametrize(
    "spoil, words, expected",
    [
        (lambda run: (run / "results.json").unlink(), [], "results.json: cannot be read"),
        (lambda run: (run / "results.json").write_text("[]"), [], "results.json: not the results"),
        (lambda run: (run / "config.yaml").unlink(), [], "config.yaml"),
        (lambda run: (run / "metrics.jsonl").unlink(), [], "metrics.jsonl"),
        (lambda run: (run / "ignoring_weights.npz").write_bytes(b"PK"), [], "ignoring_weights.npz: not the"),
        (lambda run: [path.unlink() for path in run.glob("ignoring*")], [], "ignoring_weights.csv"),
        (lambda run: (run / "best.pth").write_bytes(b"?"), [], "best.pth: not a checkpoint"),
        (lambda run: None, ["--rows", "0"], "--rows: expected a number from 1 to 6, found 0"),
        (lambda run: None, ["AGAIN"], "given twice"),
        (lambda run: None, ["nowhere"], "nowhere/results.json"),
    ],
    ids=range(10),
)
def test_what_cannot_be_reported_is_one_line(changeable, capsys, spoil, words, expected):
    run = folder(changeable, "ours1")
    spoil(run)
    assert main([str(run), *(str(run) if word == "AGAIN" else word for word in words)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ") and expected in line
    assert not (run / "report.html").exists()


@pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is on PATH")
def test_a_browser_shows_it_without_errors(changeable):
    spoil(changeable)
    report, image = changeable / "r.html", changeable / "page.png"
    page(folder(changeable, "ours1"), "--output", report)
    words = [BROWSER, *QUIET.split(), f"--user-data-dir={changeable / 'profile'}"]
    ran = subprocess.run([*words, "--dump-dom", report.as_uri()], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and "CONSOLE" not in ran.stderr
    for heading in ("ours1: weighted source in the target's loss", "Detection of wrong labels"):
        assert re.search(f">{re.escape(heading)}</h[12]>", ran.stdout)
    assert ran.stdout.count("<svg") > 8
    ran = subprocess.run([*words, f"--screenshot={image}", report.as_uri()], capture_output=True, timeout=60)  # fmt: skip
    assert ran.returncode == 0 and b"CONSOLE" not in ran.stderr
    shown = cv2.imread(str(image))
    assert shown.shape == (1000, 1200, 3)
    blue = np.abs(shown[..., ::-1].astype(int) - (0, 114, 178)).sum(axis=2) < 30
    assert blue.sum() > 300  # the first curve
