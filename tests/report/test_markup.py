from lib.report.markup import Markup, element, join


def test_texts_and_attributes_are_escaped_and_markup_is_not():
    markup = element("p", {"title": 'a "quoted" <b>'}, "1 < 2 & <script>", Markup("<br>"), ["x", None, 3])
    assert markup == '<p title="a &quot;quoted&quot; &lt;b&gt;">1 &lt; 2 &amp; &lt;script&gt;<br>x3</p>'
    assert isinstance(markup, Markup) and element("div", {}, markup) == f"<div>{markup}</div>"


def test_elements_without_an_end_and_short_numbers():
    assert element("img", {"width": 1.25, "height": 2.0}) == '<img width="1.2" height="2">'
    assert join(["<", ["&"]]) == "&lt;&amp;"
