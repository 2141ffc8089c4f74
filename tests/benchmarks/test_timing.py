import pytest

from benchmarks.timing import peak_memory

SCRIPT = """\
import sys
sys.path.insert(0, {root!r})
from benchmarks.timing import print_peak_memory
held = b"1" * (int(sys.argv[1]) << 20)
del held
print_peak_memory()
"""


def test_peak_memory_is_that_of_the_process_alone(tmp_path, request):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(root=str(request.config.rootpath)))
    held = b"1" * (1500 << 20)  # by the process that asks
    little, more = (peak_memory([str(script), megabytes]) for megabytes in ("1", "300"))
    del held
    assert little < 1500
    assert more == pytest.approx(little + 300, abs=100)


def test_a_process_that_fails_is_told_with_its_words():
    with pytest.raises(RuntimeError, match="no such thing"):
        peak_memory(["-c", "raise SystemExit('no such thing')"])
