import pytest

from lib.report.markup import join
from lib.report.results import GROUPS
from lib.report.results_section import results_table
from lib.utils.errors import InputError
from tests.factories.reports import Page, make_run

VALUES = dict.fromkeys(GROUPS, 40.0)


def test_the_best_value_of_each_column_is_highlighted(tmp_path):
    first = make_run(tmp_path / "a", "ours1", test={"PCKh": VALUES | {"Mean": 50.0, "Head": None}})
    second = make_run(tmp_path / "b", "baseline2", test={"PCKh": VALUES | {"Mean": 60.0, "Head": None}})
    markup = join(results_table([first, second]))
    assert markup.count('class="best"') == 2 * (len(GROUPS) - 2) + 1  # ties in all but Head and Mean
    assert '<td class="best">60.0</td>' in markup and "<td>50.0</td>" in markup
    page = Page(markup)
    assert page.texts.index("ours1") < page.texts.index("baseline2")
    assert page.text.startswith("PCKh in percent") and "Blue:" in page.text


def test_a_single_row_has_no_best_value(tmp_path):
    markup = join(results_table([make_run(tmp_path)]))
    assert "best" not in markup and "Blue" not in markup and "<td>50.0</td>" in markup


def test_pck_is_explained_for_sets_with_boxes(tmp_path):
    markup = join(results_table([make_run(tmp_path, test={"PCK": {"cab": 10.0, "Mean": 20.0}})]))
    assert markup.startswith('<p class="soft">PCK in percent') and "<th>cab</th>" in markup


def test_runs_of_other_joints_are_refused(tmp_path):
    other = make_run(tmp_path / "b", test={"PCK": {"Mean": 1.0}})
    with pytest.raises(InputError, match="PCK, PCKh"):
        results_table([make_run(tmp_path / "a"), other])
