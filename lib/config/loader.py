"""The configuration: defaults of the schema, a YAML file over them, the command line over both."""

import dataclasses
import difflib
import functools
import itertools
import typing
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from easydict import EasyDict

from lib.config.former_names import ALIASES, WITHOUT_EFFECT
from lib.config.schema import Config, settings
from lib.config.setting import Setting
from lib.utils.errors import InputError, one_line, short_repr
from lib.utils.log import LOG

EVERY = "*"  # DATASET_*.CATEGORY: all categories
MOST_VALUES = 10_000  # of a YAML file
LARGEST_WHOLE = 2**63 - 1  # of settings that have no bound of their own: what torch and NumPy can count to


def load_config(path: str | Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read a YAML file and check it; former names and settings without effect are logged.

    Args:
        path: The YAML file; settings it does not name have their default.
        overrides: {dotted key: value} that replace the file's values.

    Returns:
        The configuration.

    Raises:
        InputError: The file is missing or no YAML, or a key, a type or a value is wrong.
    """
    values = {key: setting.default for key, setting in settings().items()}
    in_file = _flatten(_read_yaml(Path(path)), str(path))
    for given, where in ((in_file, str(path)), (overrides or {}, "command line")):
        for key in given:
            if key in ALIASES:
                LOG.info(f"{where}: {key} is called {ALIASES[key]} now")
        _refuse_both_names(given, where)
        for key, value in given.items():
            if given is in_file and key in WITHOUT_EFFECT:
                LOG.info(f"{where}: {key} has no effect ({WITHOUT_EFFECT[key]})")
            else:
                # Checked under the name that was given, which errors should tell.
                values[ALIASES.get(key, key)] = _checked(key, value, where)
    return _build(Config, _nest(values))


def with_settings(config: Config, changes: dict[str, Any]) -> Config:
    """A copy of ``config`` with ``changes`` ({dotted key: value}). Raises InputError."""
    values = flat_config(config)
    for key, value in changes.items():
        values[ALIASES.get(key, key)] = _checked(key, value, "changed settings")
    return _build(Config, _nest(values))


def current_names(values: dict[str, Any], where: str) -> dict[str, Any]:
    """``values`` ({dotted key: value}) with former names replaced. Raises InputError if both are given."""
    _refuse_both_names(values, where)
    return {ALIASES.get(key, key): value for key, value in values.items()}


def settings_in(text: str, where: str) -> dict[str, Any]:
    """{dotted key: value} of the YAML ``text``, unchecked, by the current names; InputError if no YAML."""
    return current_names(_flatten(_tree(text, where), where), where)


def config_of(text: str, where: str, overrides: dict[str, Any]) -> Config:
    """The configuration stored as YAML ``text``, with ``overrides``; see `load_config` and `stored_settings`."""
    return with_settings(Config(), stored_settings(text, where) | current_names(overrides, "command line"))


def settings_of_file(path: str | Path) -> dict[str, Any]:
    """{dotted key: value} of a YAML file, unchecked, by the current names; InputError if it is no YAML."""
    return current_names(_flatten(_read_yaml(Path(path)), str(path)), str(path))


def stored_settings(text: str, where: str) -> dict[str, Any]:
    """The settings in a configuration stored as YAML ``text``, checked.

    Other keys are ignored, so that files written by earlier and later versions can be read.
    """
    stored = settings_in(text, where)
    return {key: _checked(key, value, where) for key, value in stored.items() if key in settings()}


def kept_settings(text: str, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The values of ``keys`` in a configuration stored as YAML ``text``; the default of a missing one.

    Other keys are ignored, so that files written by earlier and later versions can be read.
    """
    stored = settings_in(text, where)
    return {
        key: _checked(key, stored[key], where) if stored.get(key) is not None else settings()[key].default
        for key in keys
    }


def parse_overrides(words: list[str]) -> dict[str, Any]:
    """Turn ``KEY VALUE KEY VALUE ...`` from the command line into {dotted key: value}."""
    if len(words) % 2:
        raise InputError(f"command line: settings come as KEY VALUE pairs, but {words[-1]!r} has no value")
    overrides = {}
    for key, text in zip(words[::2], words[1::2]):
        is_text = _known(key, "command line").is_text
        if text in ("", EVERY) and not is_text:
            text = f'"{text}"'  # in YAML, a star alone begins an alias
        try:
            overrides[key] = text if is_text else _parse_yaml(text)
        except ValueError:
            raise InputError(f"command line: {key}: {short_repr(text)} is not a value") from None
    return overrides


def flat_config(config: Config) -> dict[str, Any]:
    """The values of all settings by their dotted key, as YAML has them (lists, dictionaries)."""
    return {key: _plain(functools.reduce(getattr, key.lower().split("."), config)) for key in settings()}


def dump_config(config: Config) -> str:
    """The configuration as YAML that `load_config` reads back to the same."""
    tree: dict = {}
    for key, value in flat_config(config).items():
        *path, name = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        node[name] = value
    return yaml.safe_dump(tree, sort_keys=False)


def _plain(value: Any) -> Any:
    """A new list or dictionary in place of a tuple or mapping, as YAML writes an object met twice as alias."""
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value


def describe_settings() -> str:
    """One line for every setting: key, default, meaning, what is allowed."""
    lines = []
    for key, setting in settings().items():
        allowed = f" [{' | '.join(map(str, setting.choices))}]" if setting.choices else ""
        lines.append(
            f"  {key} = {yaml.safe_dump(setting.default, default_flow_style=True).split(chr(10))[0]}"
        )
        lines.append(f"      {setting.meaning}{allowed}")
    return "\n".join(lines)


class _StrictLoader(yaml.SafeLoader):
    """YAML where a key given twice is an error, since PyYAML silently drops the first, and so are aliases
    that stand for more values than any configuration has, or for themselves."""

    def compose_document(self) -> yaml.Node:
        node = super().compose_document()
        if _values(node, {}) > MOST_VALUES:
            raise yaml.YAMLError(f"more than {MOST_VALUES} values, or an alias that holds itself")
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: dict[str, yaml.Mark] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.YAMLError(f"{key.value} is given twice, {seen[key.value]}")
                seen[key.value] = key.start_mark
        return node


def _values(node: yaml.Node, known: dict[int, float]) -> float:
    """How many values ``node`` stands for with its aliases written out; infinite where it holds itself."""
    if id(node) not in known:
        known[id(node)] = float("inf")  # until it is known
        parts = node.value if isinstance(node, yaml.CollectionNode) else ()
        inside = itertools.chain(*parts) if isinstance(node, yaml.MappingNode) else parts
        known[id(node)] = 1 + sum(_values(part, known) for part in inside)
    return known[id(node)]


def _parse_yaml(text: str) -> Any:
    """Raises ValueError for whatever is not YAML."""
    try:
        return yaml.load(text, Loader=_StrictLoader)
    except Exception as error:  # PyYAML lets more than YAMLError through: a date like 2000-13-01 is one
        raise ValueError(one_line(error)[:300]) from error


def _read_yaml(path: Path) -> dict:
    LOG.debug("reading %s", path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot read the configuration ({error.strerror})") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid YAML ({error})") from None
    return _tree(text, str(path))


def _tree(text: str, where: str) -> dict:
    try:
        tree = _parse_yaml(text)
    except ValueError as error:
        raise InputError(f"{where}: not valid YAML ({error})") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise InputError(f"{where}: found {type(tree).__name__}, expected sections of KEY: value")
    return tree


def _flatten(tree: dict, where: str, prefix: str = "") -> dict[str, Any]:
    sections = {key.rsplit(".", 1)[0] for key in settings() if "." in key}
    sections |= {section.rsplit(".", 1)[0] for section in sections}
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and (value or key in sections) and not _is_mapping(key):
            flat |= _flatten(value, where, f"{key}.")
        elif key in sections:
            raise InputError(f"{where}: {key} is a section of settings, found {short_repr(value)}")
        else:
            flat[key] = value
    return flat


def _is_mapping(key: str) -> bool:
    return key in settings() and settings()[key].is_mapping


def _known(key: str, where: str) -> Setting:
    """The setting ``key``, by its current or former name; InputError naming the nearest if there is none."""
    known = settings()
    if ALIASES.get(key, key) not in known:
        key = one_line(key)[:80]
        (nearest,) = difflib.get_close_matches(key.upper(), [*known, *ALIASES], n=1, cutoff=0.0)
        nearest = ALIASES.get(nearest, nearest)
        raise InputError(f"{where}: unknown setting {key}; the nearest valid one is {nearest}")
    return known[ALIASES.get(key, key)]


def _refuse_both_names(given: Mapping[str, Any], where: str) -> None:
    for former, key in ALIASES.items():
        if former in given and key in given:
            raise InputError(f"{where}: {former} and {key} are the same setting, found both")


def _checked(key: str, value: Any, where: str) -> Any:
    setting = _known(key, where)
    if value is False and "off" in setting.choices:
        value = "off"  # as which YAML reads it
    if setting.is_list:
        entries = value if isinstance(value, list) else [value]
        if entries == [""] and setting.kind is str:
            entries = []  # as files have it that were written when the setting was a text
        items = [_typed(key, entry, setting.kind, where) for entry in entries]
        if setting.length not in (None, len(items)):  # only sizes have a length
            raise InputError(f"{where}: {key} is a width and a height, found {short_repr(entries)}")
        result: Any = items
    elif setting.is_mapping:
        if not isinstance(value, dict):
            raise InputError(f"{where}: {key} is {{name: name, ...}}, found {short_repr(value)}")
        pairs = [(_typed(key, k, str, where), _typed(key, v, str, where)) for k, v in value.items()]
        result, items = dict(pairs), []
    else:
        is_choice = any(value is choice for choice in setting.choices)  # true and false beside texts
        result = value if is_choice else _typed(key, value, setting.kind, where)
        items = [result]
    for item in items:
        if setting.choices and item not in setting.choices:
            raise InputError(
                f"{where}: {key} is one of {', '.join(map(str, setting.choices))}; found {short_repr(item)}"
            )
        if setting.minimum is not None and not item >= setting.minimum:
            raise InputError(f"{where}: {key} must be at least {setting.minimum}, found {short_repr(item)}")
        maximum = LARGEST_WHOLE if setting.maximum is None and isinstance(item, int) else setting.maximum
        if maximum is not None and not item <= maximum:
            raise InputError(f"{where}: {key} must be at most {maximum}, found {short_repr(item)}")
    return result


def _typed(key: str, value: Any, kind: type, where: str) -> Any:
    if kind is float and not isinstance(value, bool):
        try:
            number = float(value)  # YAML reads 1e-3 as a text
            if number == number and abs(number) != float("inf"):
                return number
        except (TypeError, ValueError, OverflowError):
            pass
    elif kind is str and isinstance(value, (str, int)) and not isinstance(value, bool):
        text = value if isinstance(value, str) else short_repr(value)
        # They are names of files, mostly, and are printed.
        if not any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            return text
    elif type(value) is kind:
        return value
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    raise InputError(f"{where}: {key} is {names[kind]}, found {short_repr(value)}")


def _nest(flat: dict[str, Any]) -> EasyDict:
    """The tree of checked values, by the keys of YAML."""
    tree = EasyDict()
    for key, value in flat.items():
        *path, name = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, EasyDict())
        # EasyDict would turn the names in a dictionary, which can be any, into attributes.
        node[name] = MappingProxyType(value) if isinstance(value, dict) else value
    return tree


def _build(section_type: type, tree: EasyDict) -> Any:
    """The dataclass ``section_type`` of the values in ``tree``."""
    hints = typing.get_type_hints(section_type)
    values = {}
    for field in dataclasses.fields(section_type):
        value = tree[field.name.upper()]
        if dataclasses.is_dataclass(hints[field.name]):
            value = _build(hints[field.name], value)
        elif isinstance(value, list):
            value = tuple(value)
        elif isinstance(value, Mapping):
            value = dict(value)  # not a proxy, which cannot be sent to another process
        values[field.name] = value
    return section_type(**values)
