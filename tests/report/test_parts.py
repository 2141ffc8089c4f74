from lib.report.markup import Markup
from lib.report.parts import (
    card,
    display_name,
    figure,
    figures,
    paragraph,
    percent,
    pluralize,
    section,
    table,
)


def test_sections_and_paragraphs_escape_text():
    page = section("A & B", "ab", paragraph("1 < 2"), None, paragraph("x", kind="finding"))
    assert page == (
        '<section id="ab"><h2>A &amp; B</h2><p class="soft">1 &lt; 2</p><p class="finding">x</p></section>'
    )


def test_a_card_has_its_unit_only_if_there_is_one():
    with_unit, without = card("PCKh", "61.3", "%", "Mean."), card("AUROC", "-", "", "Unknown.")
    assert '<p class="value">61.3<small> %</small></p>' in with_unit
    assert '<p class="value">-</p>' in without and '<p class="what">Unknown.</p>' in without


def test_a_figure_has_a_legend_only_with_entries():
    chart = Markup("<svg></svg>")
    assert "legend" not in figure("Loss", chart, "Lower is better.")
    page = figure("Loss", chart, "Lower is better.", [("ours1", "#123456", "7 4")])
    assert page.index("Loss") < page.index("ours1") < page.index("<svg></svg>") < page.index("Lower is")
    assert 'stroke="#123456"' in page and 'stroke-dasharray="7 4"' in page
    assert figures(None, chart) == '<div class="figures"><svg></svg></div>'


def test_a_table_marks_text_columns_and_best_cells():
    page = table(["mode", "Mean", "joint"], [["a", "1.0", "hip"], ["b", "2.0", "knee"]], (2,), {(1, 1)})
    assert '<tr><th>mode</th><th>Mean</th><th class="text">joint</th></tr>' in page
    assert '<tr><td>a</td><td>1.0</td><td class="text">hip</td></tr>' in page
    assert '<tr><td>b</td><td class="best">2.0</td><td class="text">knee</td></tr>' in page


def test_names_and_numbers():
    assert [percent(share) for share in (0.1234, 1, float("nan"))] == ["12.3\u00a0%", "100.0\u00a0%", "-"]
    assert display_name("left_knee") == "left knee"
    assert [pluralize(n, "run") for n in (0, 1, 1200)] == ["0 runs", "1 run", "1,200 runs"]
