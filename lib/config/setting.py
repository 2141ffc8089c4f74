"""What is known of a setting, and how a dataclass field declares one."""

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Setting:
    """What is known of one setting.

    Attributes:
        default: As YAML has it (a list where the dataclass has a tuple).
        meaning: Shown by --help and in docs/settings.md.
        choices: The values allowed; empty if there is no such list.
        minimum: Smallest number allowed.
        maximum: Largest number allowed.
        kind: ``bool``, ``int``, ``float`` or ``str``, of the value or of the entries of a list.
        is_list: The value is a list of ``kind``.
        is_mapping: The value is a mapping from ``str`` to ``str``.
        length: Number of entries of a list; None if any.
    """

    default: Any
    meaning: str
    choices: tuple = ()
    minimum: float | None = None
    maximum: float | None = None
    kind: type = str
    is_list: bool = False
    is_mapping: bool = False
    length: int | None = None

    @property
    def is_text(self) -> bool:
        """Whether values are texts, which need no quotes on the command line."""
        has_other_choices = not all(isinstance(choice, str) for choice in self.choices)
        return self.kind is str and not (self.is_list or self.is_mapping or has_other_choices)


def setting(default: Any, meaning: str, *, minimum: float | None = None, maximum: float | None = None) -> Any:
    """A dataclass field that is a setting; type, choices and length come from the field's annotation."""
    plain = list(default) if isinstance(default, tuple) else default
    metadata = {"setting": Setting(plain, meaning, minimum=minimum, maximum=maximum)}
    if isinstance(default, dict):
        # Without it, so that a section can be a key of caches.
        return field(default_factory=lambda: dict(default), metadata=metadata, hash=False)
    return field(default=default, metadata=metadata)


def section(name: type) -> Any:
    """A dataclass field that is a section of settings."""
    return field(default_factory=name)


def settings_of(section_type: type, prefix: str = "") -> dict[str, Setting]:
    """All settings of a section by their dotted key, in the order of the fields.

    Args:
        section_type: A dataclass whose fields are made by `setting` and `section`.
        prefix: Put before every key.
    """
    collected: dict[str, Setting] = {}
    hints = typing.get_type_hints(section_type)
    for entry in dataclasses.fields(section_type):
        key, hint = f"{prefix}{entry.name.upper()}", hints[entry.name]
        if isinstance(hint, type) and dataclasses.is_dataclass(hint):
            collected |= settings_of(hint, f"{key}.")
        else:
            collected[key] = dataclasses.replace(entry.metadata["setting"], **_type_information(hint))
    return collected


def _type_information(hint: Any) -> dict[str, Any]:
    """The fields of `Setting` that follow from a field's annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return {"kind": type(arguments[0]), "choices": arguments}
    if origin is tuple:
        length = None if arguments[-1] is Ellipsis else len(arguments)
        return {"kind": arguments[0], "is_list": True, "length": length}
    return {"is_mapping": True} if origin is Mapping else {"kind": hint}
