from lib.config.former_names import ALIASES, WITHOUT_EFFECT
from lib.config.schema import settings
from lib.config.settings_page import page


def test_the_page_has_a_row_for_each_setting_and_former_name():
    rows = [line.split(" | ") for line in page().splitlines() if line.startswith("| `")]
    assert [row[0].strip("| `") for row in rows] == [*settings(), *ALIASES, *WITHOUT_EFFECT]
    (row,) = (row for row in rows if row[0] == "| `TRAIN.LR_FACTOR`")
    assert row[1] == "`0.1`" and row[2].endswith("(at least 0, at most 1) |")
    (row,) = (row for row in rows if row[0] == "| `LBI.SOURCE_MODEL_ON`")
    assert row[1] == "`both`" and row[2].endswith("(`source` or `both`) |")
    (row,) = (row for row in rows if row[0] == "| `LBI.EVERY`")
    assert row[1].startswith("`LBI.HYPERGRAD_INTERVAL`")
