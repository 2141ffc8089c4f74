import re

from lib.report.curves import curve_figures, joint_curves
from lib.report.style import series_style
from tests.factories.reports import Page, make_run


def strokes(markup):
    """(colour, dashes) of each curve."""
    lines = re.findall(r'<polyline [^>]*stroke="([^"]*)"[^>]*stroke-dasharray="([^"]*)"', markup)
    return [tuple(line) for line in lines]


def test_only_recorded_curves_are_drawn(tmp_path):
    run = make_run(tmp_path, scalars={"loss/target": [0.5, 0.25], "loss/other": [1.0]})
    (figure,) = curve_figures([run])
    page = Page(figure)
    assert "Loss on target batches" in page.texts
    assert "target model: 0.5 at 10" in page.texts and "target model: 0.25 at 20" in page.texts
    assert not any(attributes.get("class") == "legend" for _, attributes in page.tags)


def test_the_axis_of_weights_goes_to_one(tmp_path):
    run = make_run(tmp_path, scalars={"weights_B_table/mean": [0.5, 0.25]})
    (figure,) = curve_figures([run])
    heights = [float(y) for y in re.findall(r'<circle [^>]*cy="([\d.]+)"', figure)]
    assert heights == [132, 184]  # a half and a quarter between 236 (0) and 28 (1)


def test_curves_of_runs_and_of_their_source_models_have_styles_of_their_own(tmp_path):
    scalars = {"val/PCKh_Mean": [1.0, 2.0], "val_source_model/PCKh_Mean": [3.0, 4.0]}
    runs = [make_run(tmp_path / name, name, scalars=scalars) for name in ("ours2", "ours3")]
    (figure,) = curve_figures(runs)
    assert strokes(figure) == [series_style(0), series_style(2), series_style(1), series_style(3)]
    for name in ("ours2", "ours2, source model", "ours3", "ours3, source model"):
        assert name in [text.strip() for text in Page(figure).texts]


def test_left_and_right_of_a_body_part_are_averaged(tmp_path):
    prefix = "weights_A_table/mean_"
    scalars = {
        prefix + "left_knee": [0.2, 0.4],
        prefix + "right_knee": [0.4, 0.8],
        prefix + "head": [1.0, 0.5],
    }
    run = make_run(tmp_path, scalars=scalars)
    texts = Page(joint_curves(run, "A")).texts
    assert [text for text in texts if " at " in text] == [
        "knee: 0.3 at 10", "knee: 0.6 at 20", "head: 1 at 10", "head: 0.5 at 20",
    ]  # fmt: skip
    assert joint_curves(run, "B") is None
