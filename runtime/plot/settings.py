"""Frozen dataclasses as sections of a TOML file: strict reading, single values from text, commented writing."""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from typing import Any, get_type_hints

from sketch_edge.runtime.errors import InputError

LIST_SEPARATOR = "|"
"""Between the items of a list that is given as one text."""

_EXPECTED = {float: "a number", int: "a whole number", bool: "true or false", str: "a text", tuple: "a list of texts"}


def setting(
    default: Any,
    comment: str,
    *,
    within: tuple[float, float] = (-math.inf, math.inf),
    choices: tuple[Any, ...] = (),
) -> Any:
    """A field of a section: its default, what a comment says about it, and the values that it may have."""
    return dataclasses.field(default=default, metadata={"comment": comment, "within": within, "choices": choices})


def check_fields(section: Any, name: str) -> None:
    """Check each value of a section against its field's type, range and choices; `name` is the section's.

    Whole numbers become floats where floats are meant, and lists tuples.

    Raises:
        InputError: names the key as `name`.`field`.
    """
    kinds = field_types(type(section))
    for field in dataclasses.fields(section):
        value = _converted(getattr(section, field.name), kinds[field.name], field, f"{name}.{field.name}")
        object.__setattr__(section, field.name, value)


def field_types(section: type) -> dict[str, type]:
    """The plain type of each field: float for `float | None`, tuple for `tuple[str, ...]`."""
    plain = {}
    for name, hint in get_type_hints(section).items():
        options = [each for each in getattr(hint, "__args__", ()) if each is not type(None)]
        plain[name] = tuple if "tuple" in str(hint) else options[0] if options else hint
    return plain


def _converted(value: Any, kind: type, field: dataclasses.Field[Any], key: str) -> Any:
    if value is None and field.default is None:
        return None
    expected = _EXPECTED[kind]
    if kind is tuple:
        if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
            raise InputError(f"{key}: is {_short(value)} (expected {expected}); correct it")
        return tuple(value)
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15
    if kind is float and (whole or isinstance(value, float)):
        value = float(value)  # of numpy's floats too
    limits = field.metadata
    if type(value) is not kind:
        raise InputError(f"{key}: is {_short(value)} (expected {expected}); correct it")
    if limits["choices"] and value not in limits["choices"]:
        names = ", ".join(map(str, limits["choices"]))
        raise InputError(f"{key}: is {_short(value)} (expected one of {names}); choose one of them")
    low, high = limits["within"]
    if isinstance(value, int | float) and not (low <= value <= high and math.isfinite(value)):
        raise InputError(f"{key}: is {value:g} (expected {low:g} to {high:g}); correct it")
    return value


def known_key(key: str, known: list[str], where: str) -> None:
    """Refuse a key that is not among the known ones, with the nearest of them.

    Raises:
        InputError: `where` and the key, and what may have been meant.
    """
    if key not in known:
        near = difflib.get_close_matches(key[:60], known, n=1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"
        raise InputError(f"{where}{_short(key)}: is no known key; {hint}")


def parse_text(text: str, kind: type, key: str) -> Any:
    """Read a value of a plain type from text: `true`, `1.5`, `grbl`, `M5|G4 P0.2` (a list; empty text: no items).

    Raises:
        InputError: the text is no such value.
    """
    if kind is str:
        return text
    if kind is tuple:
        return tuple(part.strip() for part in text.split(LIST_SEPARATOR)) if text.strip() else ()
    if kind is bool and text.strip().lower() in ("true", "false"):
        return text.strip().lower() == "true"
    if kind in (float, int) and len(text) <= 100:
        try:
            return kind(text)
        except ValueError:
            pass
    raise InputError(f"{key}: is {_short(text)} (expected {_EXPECTED[kind]}); correct it")


def write_value(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if value % 1 else f"{value:.1f}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(write_value, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # TOML reads all of JSON's escapes but those of surrogates
    return str(value)


def write_lines(text: str) -> str:
    """A text of several lines as TOML."""
    return '"""\n' + "\n".join(json.dumps(line, ensure_ascii=False)[1:-1] for line in text.split("\n")) + '"""'


def write_section(section: Any, name: str) -> str:
    """A section as TOML with a comment over each key; keys that are None are left out."""
    lines = [f"[{name}]"]
    for field in dataclasses.fields(section):
        value = getattr(section, field.name)
        if value is not None:
            lines += [f"# {part}" for part in field.metadata["comment"].splitlines()]
            lines.append(f"{field.name} = {write_value(value)}")
    return "\n".join(lines) + "\n"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
