"""Scene files: a `Composition` as TOML, format 1, read strictly. docs/SCENES.md describes every key."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sketch_edge.runtime.drawings import MOST_POINTS, check_name, read_sketches
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import short, short_name
from sketch_edge.runtime.page import Page, parse_length_mm
from sketch_edge.runtime.scene import COLORS, Pen
from sketch_edge.runtime.scenes.composition import LAYOUTS, Composition
from sketch_edge.runtime.scenes.thing import Thing, nearest
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.toml import parse_toml

FORMAT = 1

MOST_BYTES = 1 << 20
"""Of a scene file; ten thousand objects fit, and long drawings belong into files of their own."""

MOST_GIVEN_POINTS = 500_000
"""Points of all given strokes together."""

MOST_RECORD = 10_000_000

SETTINGS = ("seed", "temperature", "layout", "sizes", "hidden", "best-of")
KEYS = ("format", *SETTINGS, "page", "pen", "object")
PAGE_KEYS = ("size", "margin")
PEN_KEYS = ("name", "color", "width")
FIELD_KEYS = tuple(each.name for each in fields(Thing) if each.name not in ("label", "sketch"))
OBJECT_KEYS = ("class", "drawing", "record", "lines", *(key.replace("_", "-") for key in FIELD_KEYS))


def read_composition(path: str | os.PathLike[str]) -> Composition:
    """Read a scene file; drawings that it names are looked for in its folder.

    Raises:
        InputError: the file cannot be read, is no TOML, or says something that is unknown or cannot be.
        DataError: a drawing that it names cannot be read.
    """
    path = Path(path)
    try:
        if not path.is_file():
            there = "is no plain file; name a file" if path.exists() else "does not exist; check the name"
            raise InputError(f"{path}: {there}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); check it") from error
    return parse_composition(content, str(path), path.parent)


def parse_composition(content: bytes, file: str = "scene", folder: Path | None = None) -> Composition:
    """Read the content of a scene file; `file` stands before errors, drawings are looked for in `folder`.

    Raises:
        InputError, DataError: as `read_composition`.
    """
    if len(content) > MOST_BYTES:
        raise InputError(f"{file}: has over {MOST_BYTES >> 20} MiB; put its drawings into files of their own")
    raw = parse_toml(content, file)
    number = raw.get("format")
    if type(number) is not int or number != FORMAT:
        got = f"is {short(number)}" if "format" in raw else "is missing"
        raise InputError(f"{file}:format: {got} (expected {FORMAT}); write format = {FORMAT}")
    _check_keys(f"{file}", raw, KEYS)
    objects = _tables(file, raw, "object")
    sketches = _given_strokes(file, objects, folder or Path())
    things = [_thing(f"{file}:object {n}", each, sketches.get(n)) for n, each in enumerate(objects, 1)]
    settings = {key.replace("-", "_"): raw[key] for key in SETTINGS if key in raw}
    if not isinstance(settings.get("layout", ""), str):
        raise InputError(f"{file}:layout: is {short(raw['layout'])}; choose one of {', '.join(LAYOUTS)}")
    if not isinstance(settings.get("sizes", ""), str | dict):
        raise InputError(f"{file}:sizes: is {short(raw['sizes'])}; write natural, equal, or a table of metres")
    pens = [_pen(f"{file}:pen {n}", each) for n, each in enumerate(_tables(file, raw, "pen"), 1)]
    return Composition(things, _page(file, raw), pens, file=file, **settings)


def _check_keys(where: str, table: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for key in table:
        if key not in known:
            hint = nearest(key.replace("_", "-"), known) or f"; known are {', '.join(known)}"
            raise InputError(f"{where}:{short_name(key)}: is no key of this{hint}")


def _tables(file: str, raw: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    tables = raw.get(key, [])
    if not isinstance(tables, list) or not all(isinstance(each, dict) for each in tables):
        raise InputError(f"{file}:{key}: is no list of tables; write [[{key}]] above each")
    return tables


def _page(file: str, raw: Mapping[str, Any]) -> Page:
    table = raw.get("page", {})
    if not isinstance(table, dict):
        raise InputError(f'{file}:page: is {short(table)} (expected a table); write [page] and below it size = "a4"')
    _check_keys(f"{file}:page", table, PAGE_KEYS)
    size, margin = table.get("size", "100x100mm"), table.get("margin")
    if not isinstance(size, str):
        raise InputError(f'{file}:page:size: is {short(size)} (expected text); write such as "a4-landscape"')
    if not (margin is None or isinstance(margin, str) or _is_number(margin)):
        raise InputError(f'{file}:page:margin: is {short(margin)} (expected a length, such as 10 or "1cm")')
    try:
        return Page.parse(size, margin=margin)
    except InputError as error:
        raise InputError(f"{file}:{error}") from error


def _pen(where: str, table: dict[str, Any]) -> Pen:
    _check_keys(where, table, PEN_KEYS)
    name, color, width = table.get("name"), table.get("color"), table.get("width", Pen().width_mm)
    if problem := check_name(name):
        got = "is missing" if name is None else problem
        raise InputError(f"{where}:name: {got}; give the pen a name")
    color = (name if name in COLORS else Pen().color) if color is None else color
    if not isinstance(color, str):
        raise InputError(f"{where}:color: is {short(color)} (expected #rrggbb or a name)")
    if not (isinstance(width, str) or _is_number(width)):
        raise InputError(f'{where}:width: is {short(width)} (expected a length, such as 0.5 or "0.5mm")')
    try:
        width = parse_length_mm(width, "width") if isinstance(width, str) else float(width)
        return Pen(str(name), color, width)
    except (InputError, OverflowError) as error:
        raise InputError(f"{where}: {error}") from error


def _thing(where: str, table: dict[str, Any], sketch: Sketch | None) -> Thing:
    values = {key: table[key.replace("_", "-")] for key in FIELD_KEYS if key.replace("_", "-") in table}
    for key in ("class", "name"):
        if key in table and table[key] == "":
            raise InputError(f"{where}:{key}: is empty; write a name or leave it out")
    try:
        return Thing(table.get("class", ""), sketch, **values)
    except InputError as error:
        raise InputError(where + str(error).removeprefix("object")) from error


def _given_strokes(file: str, objects: list[dict[str, Any]], folder: Path) -> dict[int, Sketch]:
    """The strokes of those objects that have some, by their number from 1; each file is read once."""
    sketches: dict[int, Sketch] = {}
    wanted: dict[Path, dict[int, int]] = {}
    points = 0
    for number, table in enumerate(objects, 1):
        where = f"{file}:object {number}"
        _check_keys(where, table, OBJECT_KEYS)
        if "drawing" in table and "lines" in table:
            raise InputError(f"{where}:lines: goes with no drawing; leave out one of the two")
        if "record" in table and "drawing" not in table:
            raise InputError(f"{where}:record: goes with drawing; leave it out or name a file")
        if "lines" in table:
            sketches[number] = _inline(where, table["lines"])
        elif "drawing" in table:
            path, record = table["drawing"], table.get("record", 0)
            if not isinstance(path, str) or not path or not path.isprintable() or len(path) > 1000:
                raise InputError(f"{where}:drawing: is {short(path)} (expected the name of a file)")
            if type(record) is not int or not 0 <= record <= MOST_RECORD:
                raise InputError(f"{where}:record: is {short(record)} (expected a whole number, 0 to {MOST_RECORD})")
            wanted.setdefault(folder / path, {})[number] = record
    for path, records in wanted.items():
        found = read_sketches(path, set(records.values()))
        sketches |= {number: found[record] for number, record in records.items()}
    for number in sorted(sketches):
        count = objects[number - 1].get("count", 1)
        points += sketches[number].point_count * (count if type(count) is int and count > 0 else 1)
        if points > MOST_GIVEN_POINTS:
            raise InputError(f"{file}:object {number}: over {MOST_GIVEN_POINTS} given points in all; simplify them")
    return sketches


def _inline(where: str, lines: object) -> Sketch:
    """Strokes that stand in the scene file itself: [[[x, y], ...], ...]."""
    count = 0
    for number, line in enumerate(_list(f"{where}:lines", lines, "[[[x, y], ...], ...]")):
        for point in _list(f"{where}:lines[{number}]", line, "[[x, y], ...]"):
            if not isinstance(point, list) or len(point) != 2 or not all(map(_is_number, point)):
                raise InputError(f"{where}:lines[{number}]: holds {short(point)} (expected points [x, y])")
            count += 1
    if count > MOST_POINTS:
        raise InputError(f"{where}:lines: has {count} points (at most {MOST_POINTS}); simplify the strokes")
    try:
        return Sketch(tuple(lines))  # type: ignore[arg-type]  # checked above
    except (InputError, OverflowError) as error:
        raise InputError(f"{where}:lines: {error}") from error


def _list(where: str, value: object, form: str) -> Iterator[object]:
    if not isinstance(value, list) or not value:
        raise InputError(f"{where}: is {short(value)} (expected {form})")
    return iter(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
