"""Typed settings: frozen dataclasses, from YAML files, ``KEY=VALUE`` words or ROS parameters.

A setting is a field of a frozen dataclass; nested dataclasses give dotted names (``scene.relations.lateral_margin``).
The ``metadata`` of a field may hold a ``description`` (with the unit) and a ``range`` (lowest and highest value). A
field's type is bool, int, float, str, a string enum, ``tuple[...]`` of them or of settings classes, ``dict[str, ...]`` of them,
or any of these or None.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import math
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from joyai_ros.errors import ConfigError

S = TypeVar("S")


@dataclass(frozen=True)
class Setting:
    """One setting of a settings class.

    Attributes:
        name: dotted name.
        kind: its type annotation.
        default: its value where nobody sets it.
        description: what it is, with its unit.
        range: lowest and highest value; None where there is none.
    """

    name: str
    kind: Any
    default: Any
    description: str = ""
    range: tuple[float, float] | None = None


def setting(default: Any, description: str, low: float | None = None, high: float | None = None) -> Any:
    """Return a dataclass field for a setting with its description and, for numbers, its range."""
    metadata: dict[str, Any] = {"description": description}
    if low is not None and high is not None:
        metadata["range"] = (low, high)
    return dataclasses.field(default=default, metadata=metadata)


def describe(kind: type[Any]) -> list[Setting]:
    """Return every setting of a settings class, in the order of its fields, nested ones under dotted names."""
    return list(_describe(kind, kind(), ""))


def flatten(settings: Any) -> dict[str, Any]:
    """Return the values of a settings object by dotted name."""
    return {item.name: item.default for item in _describe(type(settings), settings, "")}


def build(kind: type[S], values: Mapping[str, Any], where: str = "settings") -> S:
    """Return a settings object with some values set and the defaults elsewhere.

    Args:
        kind: the settings class.
        values: by dotted name, or nested like the classes, or a mixture.
        where: who gives the values, for the error.

    Raises:
        ConfigError: a key is unknown, a value has the wrong type or is out of its range.
    """
    return _construct(kind, _checked_values(kind, values, where), "")


def load(kind: type[S], file: Path | None = None, assignments: Iterable[str] = ()) -> S:
    """Return settings from a YAML file and ``KEY=VALUE`` words; the words win, and the later of two words.

    Args:
        kind: the settings class.
        file: YAML mapping, nested or with dotted keys; None for none.
        assignments: dotted key, ``=``, and a YAML value.

    Raises:
        ConfigError: the file is missing or not a YAML mapping, a word is not an assignment, or a setting is wrong (see
            :func:`build`).
    """
    values = {} if file is None else _checked_values(kind, _read(file), str(file))
    for word in assignments:
        key, sign, text = word.partition("=")
        if not sign or not key.strip():
            raise ConfigError(f"setting {word!r} is not KEY=VALUE; write a dotted key, '=' and a value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"the value in {word!r} is not YAML; quote it") from None
        values.update(_checked_values(kind, {key.strip(): value}, "--set"))
    return _construct(kind, values, "")


def _checked_values(kind: type[Any], values: Mapping[str, Any], where: str) -> dict[str, Any]:
    known = {item.name: item for item in describe(kind)}
    checked = {}
    for name, value in _dotted(values, known, ""):
        if name not in known:
            if any(other.startswith(name + ".") for other in known):
                raise ConfigError(f"{where}: {name} is {value!r}; it is a group of settings, give a mapping")
            raise ConfigError(f"{where}: unknown key {name!r} (value {value!r}); {_nearest(name, known)}")
        checked[name] = _checked(known[name], value, where)
    return checked


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if content is None:
        return {}
    if not isinstance(content, Mapping):
        raise ConfigError(f"{file} holds {type(content).__name__}, not a mapping of settings; write KEY: VALUE lines")
    return content


def _describe(kind: type[Any], values: Any, prefix: str) -> Iterable[Setting]:
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        value, name = getattr(values, field.name), prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            yield from _describe(hints[field.name], value, name + ".")
        else:
            meta = field.metadata
            yield Setting(name, hints[field.name], value, meta.get("description", ""), meta.get("range"))


def _dotted(values: Mapping[str, Any], known: Mapping[str, Setting], prefix: str) -> Iterable[tuple[str, Any]]:
    """Yield dotted names and values of a nested mapping; a group given as something else yields its own name."""
    for key, value in values.items():
        name = f"{prefix}{key}"
        is_group = any(other.startswith(name + ".") for other in known)
        if isinstance(value, Mapping) and (is_group or name not in known):
            yield from _dotted(value, known, name + ".")
        elif not (is_group and value is None):  # an empty section of a YAML file
            yield name, value


def _nearest(name: str, known: Mapping[str, Setting]) -> str:
    last = name.rsplit(".", 1)[-1]
    same = [other for other in known if other.rsplit(".", 1)[-1] == last]
    close = same or difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"did you mean {close[0]!r}?" if close else "there are no settings"


def _checked(item: Setting, value: Any, where: str) -> Any:
    try:
        converted = _convert(item.kind, value)
    except ValueError as error:
        raise ConfigError(f"{where}: {item.name} is {value!r}; it must be {error}") from None
    numbers = converted if isinstance(converted, tuple) else (converted,)
    for number in numbers:
        if isinstance(number, float) and math.isnan(number):
            raise ConfigError(f"{where}: {item.name} is {value!r}; it must be a number")
        if item.range is not None and number is not None and not item.range[0] <= number <= item.range[1]:
            raise ConfigError(
                f"{where}: {item.name} is {value!r}; it must lie within [{item.range[0]:g}, {item.range[1]:g}] "
                f"({item.description})"
            )
    return converted


def _convert(kind: Any, value: Any) -> Any:
    """Return the value as the annotated type.

    Raises:
        ValueError: it is not one; the text says what it must be.
    """
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else _convert(next(a for a in arguments if a is not type(None)), value)
    if origin is tuple:
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise ValueError("a list")
        if Ellipsis not in arguments and len(value) != len(arguments):
            raise ValueError(f"a list of {len(arguments)}")
        each = [arguments[0]] * len(value) if Ellipsis in arguments else arguments
        return tuple(_convert(a, v) for a, v in zip(each, value, strict=True))
    if origin is dict:
        if not isinstance(value, Mapping) or any(type(key) is not str for key in value):
            raise ValueError("a mapping of names")
        return {key: _convert(arguments[1], each) for key, each in value.items()}
    if dataclasses.is_dataclass(kind):
        return _built(kind, value)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = {str(m.value): m for m in kind}
        if value in kind.__members__.values() or str(value) in members:
            return value if isinstance(value, kind) else members[str(value)]
        raise ValueError(f"one of {', '.join(members)}")
    if kind is float and isinstance(value, (int, str)) and not isinstance(value, bool):
        return _float(value)  # YAML 1.1 reads 1e-3 as text
    if type(value) is kind:
        return value
    raise ValueError({bool: "true or false", int: "a whole number", float: "a number", str: "text"}[kind])


def _built(kind: Any, value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise ValueError("a mapping of settings")
    try:
        return build(kind, value, "in it")
    except ConfigError as error:
        raise ValueError(f"right: {error}") from None


def _float(value: int | str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError("a number") from None


def _construct(kind: type[S], values: Mapping[str, Any], prefix: str) -> S:
    hints = typing.get_type_hints(kind)
    arguments: dict[str, Any] = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        name = prefix + field.name
        if dataclasses.is_dataclass(hints[field.name]):
            arguments[field.name] = _construct(hints[field.name], values, name + ".")
        elif name in values:
            arguments[field.name] = values[name]
    return kind(**arguments)
