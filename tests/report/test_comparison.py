import numpy as np
import pytest

from lib.report.comparison import comparison_report
from lib.report.markup import join
from lib.report.results import GROUPS
from lib.utils.errors import InputError
from tests.factories.reports import JOINTS, Page, learned_weights, make_run
from tests.factories.suspects import suspects_of


def scores(mean):
    return {"PCKh": dict.fromkeys(GROUPS, 40.0) | {"Mean": mean}}


def parsed(runs, learned):
    title, content = comparison_report(runs, learned)
    return title, Page(join(content))


def test_the_headline_numbers_of_two_runs(tmp_path):
    weights, wrong = np.full((2, JOINTS), 0.8), np.zeros((2, JOINTS), bool)
    weights[0, :4], wrong[0, :3] = 0.2, True  # one correct label of weight 0.2, a tie with the wrong ones
    runs = [
        make_run(tmp_path / "a", "ours1", {"LBI.LR": "0.5"}, test=scores(61.0)),
        make_run(tmp_path / "b", "baseline2", test=scores(58.5)),
    ]
    title, page = parsed(runs, [[learned_weights(weights, wrong=wrong)], []])
    assert title == "2 runs compared"
    assert "61.0" in page.texts and "ours1, 2.5 points above baseline2." in page.texts
    auroc = (22 + 0.5) / 23
    assert page.texts.count(f"{auroc:.2f}") == 2  # card and table
    assert "A single seed per mode" in page.text
    row = page.texts.index("weights of") + 6
    assert page.texts[row : row + 5] == ["ours1", "26", f"{weights.mean():.2f}", "15.4\u00a0%", "0.0\u00a0%"]
    difference = page.texts.index("LBI.LR")
    assert page.texts[difference : difference + 3] == ["LBI.LR", "0.5", "1.0"]
    commands = [text for text in page.texts if text.startswith("python pose_estimation/report.py")]
    assert commands == [f"python pose_estimation/report.py {run.folder}" for run in runs]


def test_baselines_of_two_seeds_have_no_weights(tmp_path):
    runs = [make_run(tmp_path / str(seed), f"baseline2, seed {seed}", seed=seed) for seed in (3, 4)]
    _, page = parsed(runs, [[], []])
    assert "3, 4" in page.texts and "compare means over seeds" in page.text
    assert "Ignoring weights" not in page.texts and "AUROC of" not in page.text
    assert "All settings are the same" in page.text


def test_a_run_without_a_mean_is_not_the_best(tmp_path):
    runs = [
        make_run(tmp_path / "a", "ours1", test=scores(None)),
        make_run(tmp_path / "b", "ours2", test=scores(7.0)),
    ]
    assert "ours2." in parsed(runs, [[], []])[1].texts


def test_runs_of_other_measures_are_refused(tmp_path):
    runs = [make_run(tmp_path / "a"), make_run(tmp_path / "b", test={"PCK": {"Mean": 1.0}})]
    with pytest.raises(InputError, match="PCK, PCKh"):
        comparison_report(runs, [[], []])


def test_estimates_of_wrong_labels_stand_beside_the_weights(tmp_path):
    """The AUROC is that of the scores, which find the wrong label; the weights do not."""
    weights, wrong = np.full((2, JOINTS), 0.8), np.zeros((2, JOINTS), bool)
    weights[0, :4], wrong[1, 2] = 0.2, True
    suspects = suspects_of(np.where(wrong, 0.75, 0.01))
    judged = learned_weights(weights, wrong=wrong, scores=wrong * 1.0, suspects=suspects)
    runs = [make_run(tmp_path / name, name, test=scores(50.0)) for name in ("ours1", "ours2")]
    _, page = parsed(runs, [[judged], [learned_weights(weights, wrong=wrong)]])
    start = page.texts.index("weights of")
    header, first, second = (page.texts[start + 8 * k : start + 8 * (k + 1)] for k in range(3))
    assert header[-3:] == ["wrong, estimated", "flagged", "AUROC"]
    assert first[-3:] == ["1", "1", "1.00"] and second[0] == "ours2" and second[-3:-1] == ["-", "-"]
    assert "ours1: probability that a wrong label is more suspect than a correct one." in page.texts
