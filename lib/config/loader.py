"""The configuration: defaults of the schema, a YAML file over them, the command line over both."""

import difflib
import functools
import itertools
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from easydict import EasyDict

from lib.config.schema import SCHEMA, WITHOUT_EFFECT, Setting
from lib.utils.errors import InputError, one_line, shown
from lib.utils.log import LOG

MOST_VALUES = 10_000  # of a YAML file
LARGEST_WHOLE = 2**63 - 1  # of settings that have no bound of their own: what torch and NumPy can count to


def settings() -> dict[str, Setting]:
    """All settings by their dotted key, in the schema's order."""

    def walk(node: dict, prefix: str) -> dict[str, Setting]:
        flat = {}
        for name, value in node.items():
            flat |= {prefix + name: value} if isinstance(value, Setting) else walk(value, f"{prefix}{name}.")
        return flat

    return walk(SCHEMA, "")


def load_config(path: str | Path, overrides: dict[str, Any] | None = None) -> tuple[EasyDict, list[str]]:
    """Read the YAML file at ``path``, lay ``overrides`` ({dotted key: value}) over it, check all.

    Returns the configuration (attribute access, ``config.TRAIN.LR``) and notes for the log.
    Raises InputError for a missing or broken file, an unknown key, a wrong type or value.
    """
    values = {key: setting.default for key, setting in settings().items()}
    notes = []
    for key, value in _flatten(_read_yaml(Path(path)), str(path)).items():
        if key in WITHOUT_EFFECT:
            notes.append(f"{path}: {key} has no effect ({WITHOUT_EFFECT[key]})")
        else:
            values[key] = _checked(key, value, str(path))
    for key, value in (overrides or {}).items():
        values[key] = _checked(key, value, "command line")
    return _nest(values), notes


def settings_in(text: str, where: str) -> dict[str, Any]:
    """{dotted key: value} of the YAML ``text``, unchecked; InputError where it is not YAML."""
    return _flatten(_tree(text, where), where)


def kept_settings(text: str, keys: tuple[str, ...], where: str) -> dict[str, Any]:
    """The values of ``keys`` in a configuration kept as YAML ``text``; the default of one that is not there.

    Nothing else is looked at, so that a file from before or after some other setting can be used.
    """
    found = settings_in(text, where)
    return {
        key: _checked(key, found[key], where) if found.get(key) is not None else settings()[key].default
        for key in keys
    }


def parse_overrides(words: list[str]) -> dict[str, Any]:
    """Turn ``KEY VALUE KEY VALUE ...`` from the command line into {dotted key: value}."""
    if len(words) % 2:
        raise InputError(f"command line: settings come as KEY VALUE pairs, but {words[-1]!r} has no value")
    overrides = {}
    for key, text in zip(words[::2], words[1::2]):
        _known(key, "command line")
        try:
            overrides[key] = text if isinstance(settings()[key].default, str) else _parse_yaml(text)
        except ValueError:
            raise InputError(f"command line: {key}: {shown(text)} is not a value") from None
    return overrides


def flat_config(config: EasyDict) -> dict[str, Any]:
    """The values of all settings by their dotted key."""
    return {key: functools.reduce(getattr, key.split("."), config) for key in settings()}


def dump_config(config: EasyDict) -> str:
    """The configuration as YAML that ``load_config`` reads back to the same."""

    def plain(node: Any) -> Any:
        return {k: plain(v) for k, v in node.items()} if isinstance(node, Mapping) else node

    return yaml.safe_dump(plain(config), sort_keys=False)


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

    def compose_mapping_node(self, anchor: str | None) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen = {}
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
    flat = {}
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict) and (value or key in sections) and not _is_mapping(key):
            flat |= _flatten(value, where, f"{key}.")
        elif key in sections:
            raise InputError(f"{where}: {key} is a section of settings, found {shown(value)}")
        else:
            flat[key] = value
    return flat


def _is_mapping(key: str) -> bool:
    return key in settings() and isinstance(settings()[key].default, dict)


def _known(key: str, where: str) -> Setting:
    known = settings()
    if key not in known:
        key = one_line(key)[:80]
        near = difflib.get_close_matches(key.upper(), known, n=1, cutoff=0.0)
        raise InputError(f"{where}: unknown setting {key}; the nearest valid one is {near[0]}")
    return known[key]


def _checked(key: str, value: Any, where: str) -> Any:
    setting = _known(key, where)
    if value is False and "off" in setting.choices:
        value = "off"  # as which YAML reads it
    if isinstance(setting.default, list):
        if not isinstance(value, list):
            value = [value]
        items = [_typed(key, item, setting.default[0], where) for item in value]
        if key.endswith("_SIZE") and len(items) != 2:
            raise InputError(f"{where}: {key} is a width and a height, found {shown(value)}")
        result: Any = items
    elif isinstance(setting.default, dict):
        if not isinstance(value, dict):
            raise InputError(f"{where}: {key} is {{name: name, ...}}, found {shown(value)}")
        pairs = [(_typed(key, k, "", where), _typed(key, v, "", where)) for k, v in value.items()]
        result, items = dict(pairs), []
    else:
        result = items = _typed(key, value, setting.default, where)
        items = [items]
    for item in items:
        if setting.choices and item not in setting.choices:
            raise InputError(
                f"{where}: {key} is one of {', '.join(map(str, setting.choices))}; found {shown(item)}"
            )
        if setting.minimum is not None and not item >= setting.minimum:
            raise InputError(f"{where}: {key} must be at least {setting.minimum}, found {shown(item)}")
        maximum = LARGEST_WHOLE if setting.maximum is None and isinstance(item, int) else setting.maximum
        if maximum is not None and not item <= maximum:
            raise InputError(f"{where}: {key} must be at most {maximum}, found {shown(item)}")
    return result


def _typed(key: str, value: Any, default: Any, where: str) -> Any:
    kind = type(default)
    if kind is float and not isinstance(value, bool):
        try:
            number = float(value)  # YAML reads 1e-3 as a text
            if number == number and abs(number) != float("inf"):
                return number
        except (TypeError, ValueError, OverflowError):
            pass
    elif kind is str and isinstance(value, (str, int)) and not isinstance(value, bool):
        text = value if isinstance(value, str) else shown(value)
        # They are names of files, mostly, and are printed.
        if not any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
            return text
    elif type(value) is kind:
        return value
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    raise InputError(f"{where}: {key} is {names[kind]}, found {shown(value)}")


def _nest(flat: dict[str, Any]) -> EasyDict:
    tree: dict = {}
    for key, value in flat.items():
        *path, name = key.split(".")
        node = tree
        for part in path:
            node = node.setdefault(part, {})
        if isinstance(value, dict):
            value = MappingProxyType(
                value
            )  # of a dictionary EasyDict would make attributes: names are anybody's
        node[name] = list(value) if isinstance(value, list) else value
    return EasyDict(tree)
