import re

from lib.report.style import DASHES, SERIES, series_style, style_sheet


def test_every_style_of_the_first_curves_is_another_one():
    count = len(SERIES) * len(DASHES)
    styles = [series_style(index) for index in range(count)]
    assert len(set(styles)) == count and series_style(count) == styles[0]
    assert [dash for _, dash in styles[: len(SERIES)]] == [""] * len(SERIES)  # solid before dashed


def test_the_style_sheet_is_complete_css_without_other_files():
    css = style_sheet()
    assert css.count("{") == css.count("}") > 50
    assert not re.search(r"url\(|@import|</", css)
    for name in (
        "card",
        "chart",
        "figures",
        "finding",
        "gallery",
        "legend",
        "panel",
        "scroll",
        "correct",
        "wrong",
    ):
        assert re.search(rf"\.{name}\b", css), name
    assert "--blue: #0072b2" in css and SERIES[0] == "#0072b2"  # one blue for charts and text
