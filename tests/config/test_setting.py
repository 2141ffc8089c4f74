"""How dataclass fields declare settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pytest

from lib.config.setting import Setting, section, setting, settings_of


@dataclass(frozen=True, kw_only=True)
class Inner:
    names: Mapping[str, str] = setting({}, "names")
    size: tuple[int, int] = setting((3, 4), "size", minimum=1)


@dataclass(frozen=True, kw_only=True)
class Outer:
    kind: Literal["a", "b"] = setting("a", "kind")
    shares: tuple[float, ...] = setting((0.5,), "shares", maximum=1)
    inner: Inner = section(Inner)


def test_settings_have_dotted_keys_and_what_their_annotation_says():
    assert settings_of(Outer) == {
        "KIND": Setting("a", "kind", choices=("a", "b"), kind=str),
        "SHARES": Setting([0.5], "shares", maximum=1, kind=float, is_list=True),
        "INNER.NAMES": Setting({}, "names", is_mapping=True),
        "INNER.SIZE": Setting([3, 4], "size", minimum=1, kind=int, is_list=True, length=2),
    }
    assert list(settings_of(Inner, "X.")) == ["X.NAMES", "X.SIZE"]


def test_sections_share_no_default():
    first, second = Outer(), Outer()
    assert first == second and first.inner.names is not second.inner.names
    with pytest.raises(AttributeError):
        first.kind = "b"
