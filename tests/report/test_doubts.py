import numpy as np

from lib.report.comparison import comparison_report
from lib.report.doubts import warnings_of
from lib.report.markup import join
from lib.report.single import single_report
from tests.factories.reports import JOINTS, Page, learned_weights, make_run

LOW = learned_weights(np.full((2, JOINTS), 0.08))


def test_the_runs_own_warnings_are_shown_and_escaped(tmp_path):
    run = make_run(tmp_path, warnings=["weights B: mean weight <0.2>", "another"])
    page = Page(join(single_report(run, [LOW], 1)[1]))
    assert "weights B: mean weight <0.2>" in page.texts and page.texts.count("Warning. ") == 2
    assert len(warnings_of(make_run(tmp_path, warnings=[]), [LOW])) == 0


def test_runs_of_earlier_versions_are_judged_by_their_weights(tmp_path):
    (found,) = warnings_of(make_run(tmp_path), [LOW])
    assert "weights B: mean weight 0.08" in Page(str(found)).text
    spread = learned_weights(np.linspace(0, 1, 2 * JOINTS).reshape(2, JOINTS))
    assert warnings_of(make_run(tmp_path), [spread]) == []


def test_a_comparison_says_whose_weights_they_are(tmp_path):
    runs = [
        make_run(tmp_path / name, name, warnings=texts) for name, texts in (("ours1", ["low"]), ("ours2", []))
    ]
    page = Page(join(comparison_report(runs, [[LOW], [LOW]])[1]))
    index = page.texts.index("Warning. ")
    assert page.texts[index - 1] == "ours1" and page.texts[index + 1] == "low"
    assert page.texts.count("Warning. ") == 1
