"""The grid of modes, as the method's table has it."""

import pytest

from lib.ignoring.modes import MODES, SourceUse

# rows: the source in the target's loss; columns: not near / near a plain / near a weighted source model
TABLE = {
    "no": ("baseline1", "baseline3", "ours2"),
    "plain": ("baseline2", "baseline4", "ours4"),
    "weighted": ("ours1", "ours3", "ours5"),
}
COLUMNS = ("no", "plain", "weighted")
CELLS = [(name, row, column) for row, names in TABLE.items() for column, name in zip(COLUMNS, names)]


def test_exactly_these_nine():
    assert sorted(MODES) == sorted(name for name, _, _ in CELLS)
    assert len(MODES) == 9 and len({(mode.joint_loss, mode.anchor) for mode in MODES.values()}) == 9


@pytest.mark.parametrize("name, row, column", CELLS)
def test_cell_of_the_table(name, row, column):
    mode = MODES[name]
    assert mode.name == name and mode.meaning
    assert (mode.joint_loss, mode.anchor) == (SourceUse(row), SourceUse(column))
    assert mode.uses_source == (name != "baseline1")
    assert mode.has_source_model == (column != "no")
    assert mode.ignores == name.startswith("ours")
