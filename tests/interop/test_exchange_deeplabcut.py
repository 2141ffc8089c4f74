"""The table for DeepLabCut, read and written again with pandas as its convertcsv2h5 (3.0.2) does."""

import pytest

from tests.factories.exchanges import DECISIONS, EDITS, exchange_of, found_with_image, give, take
from tests.factories.found_labels import KEYPOINTS

pandas = pytest.importorskip(
    "pandas", reason="pandas (of sleap-io, requirements-interop.txt) is not installed"
)

pytestmark = pytest.mark.interop
INDIVIDUALS = {7: "individual1", 3: "individual2"}


def read(path):
    return pandas.read_csv(path, index_col=[0, 1, 2], header=[0, 1, 2, 3])


def test_pandas_has_every_place(tmp_path):
    found = found_with_image(tmp_path)
    table = read(give(found, "deeplabcut") / "CollectedData_lbi.csv")
    assert table.index.tolist() == [("labeled-data", "out", "a__5.jpg")]
    assert table.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    for number, labels in KEYPOINTS.items():
        for joint, (x, y, v) in zip(exchange_of(found, "deeplabcut").joints, labels):
            own = [table["lbi", INDIVIDUALS[number], joint, axis].iloc[0] for axis in "xy"]
            assert own == [x, y] if v else pandas.isna(own).all()


def test_what_is_changed_in_the_table_is_decided(tmp_path, capsys):
    found = found_with_image(tmp_path)
    path = give(found, "deeplabcut") / "CollectedData_lbi.csv"
    table = read(path)
    for (number, joint), place in EDITS.items():
        for k, axis in enumerate("xy"):
            table.loc[:, ("lbi", INDIVIDUALS[number], joint, axis)] = (
                float("nan") if place is None else place[k]
            )
    table.to_csv(path)
    assert set(take(found, "deeplabcut", path)) == DECISIONS and "warning" not in capsys.readouterr().out
