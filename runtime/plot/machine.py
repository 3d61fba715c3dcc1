"""Machine profiles: everything about a plotter that a program for it depends on.

A profile is a TOML file; its keys are those of `Machine` and of the sections in `parts`. `describe_machine` writes
one with comments.
"""

from __future__ import annotations

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.files import read_beginning
from sketch_edge.runtime.plot.dialects import DIALECTS, Dialect, check_raw_line, clean_label
from sketch_edge.runtime.plot.parts import SWITCH_KEYS, Area, Extra, Lift, Paper, Park, Speed
from sketch_edge.runtime.plot.settings import (
    field_types,
    known_key,
    parse_text,
    write_lines,
    write_section,
    write_value,
)
from sketch_edge.runtime.toml import parse_toml

FORMAT = 1
"""The number of the profile format that this version reads and writes."""

LARGEST_PROFILE = 64 * 1024
"""Bytes; a larger file is no profile."""

MACHINES = Path(__file__).parent / "machines"
"""Where the profiles that come with the package are."""

SECTIONS: dict[str, type[Any]] = {
    "area": Area,
    "page": Paper,
    "pen": Lift,
    "speed": Speed,
    "park": Park,
    "program": Extra,
}
"""The sections of a profile, as they follow each other."""

_TEXTS = ("name", "description", "notes", "dialect")
_OVERRIDABLE = ("name", "description", "dialect")


@dataclass(frozen=True)
class Machine:
    """A plotter: everything that a program for it depends on.

    Raises:
        InputError: a value is out of its range or does not go with the others; the message names its key.
    """

    name: str
    """1 to 60 of `A-Z a-z 0-9 . , _ -` and space."""

    dialect: str
    """What its firmware speaks: a key of DIALECTS."""

    description: str = ""
    """One line."""

    notes: str = ""
    """What a user has to know before the first plot; lines of text."""

    area: Area = field(default_factory=Area)
    page: Paper = field(default_factory=Paper)
    pen: Lift = field(default_factory=lambda: Lift("z", 5.0, 0.0))
    speed: Speed = field(default_factory=Speed)
    park: Park = field(default_factory=Park)
    program: Extra = field(default_factory=Extra)

    def __post_init__(self) -> None:
        for key in _TEXTS:
            text = getattr(self, key)
            if not isinstance(text, str) or not all(line.isprintable() for line in text.split("\n")):
                raise InputError(f"{key}: is {text!r:.60} (expected a text without control characters); correct it")
        if not self.name or clean_label(self.name) != self.name:
            raise InputError(
                f"name: is {self.name!r:.80} (expected 1 to 60 plain letters, digits, . , _ -); correct it"
            )
        if self.dialect not in DIALECTS:
            raise InputError(f"dialect: is {self.dialect!r:.60} (expected one of {', '.join(DIALECTS)}); choose one")
        if self.program.pause_lines is None:
            object.__setattr__(self, "program", dataclasses.replace(self.program, pause_lines=self.rules.pause))
        self._check_pen()
        self._check_lines()
        area, park = self.area, self.park
        if not (area.x_min_mm <= park.x_mm <= area.x_max_mm and area.y_min_mm <= park.y_mm <= area.y_max_mm):
            raise InputError(
                f"park: ({park.x_mm:g}, {park.y_mm:g}) is out of the work area (expected x {area.x_min_mm:g} to "
                f"{area.x_max_mm:g}, y {area.y_min_mm:g} to {area.y_max_mm:g}); correct park.x_mm and park.y_mm"
            )

    @property
    def rules(self) -> Dialect:
        """How its dialect is spoken."""
        return DIALECTS[self.dialect]

    @property
    def end(self) -> tuple[str, ...]:
        """The lines that end a program.

        M2 does what M5 does: a pen that M3 holds up would drop. There a program ends without it, which Grbl accepts.
        """
        return () if self._drops_at_end else self.rules.end

    @property
    def _drops_at_end(self) -> bool:
        """Whether the end of a program, which stops the spindle, would put the pen down."""
        pen = self.pen
        if pen.kind == "raw":
            held = any(line.startswith(("M3", "M4")) for line in pen.up_lines or ())
        else:
            held = pen.kind == "servo" and pen.up is not None and pen.down is not None and pen.up > pen.down
        return held and self.rules.end_stops_spindle

    def _check_pen(self) -> None:
        pen, rules = self.pen, self.rules
        if pen.kind == "laser" and self.dialect == "klipper":
            raise InputError("pen.kind: is laser, for which klipper has no command; choose raw, with SET_PIN lines")
        if pen.kind == "servo":
            pattern = {"marlin": "[0-9]", "klipper": "[A-Za-z0-9_]{1,40}"}.get(self.dialect)
            if pattern is None and pen.servo is not None:
                raise InputError(f"pen.servo: does not go with {self.dialect}, where M3 moves the servo; leave it out")
            if pattern is not None and not re.fullmatch(pattern, pen.servo or ""):
                raise InputError(
                    f"pen.servo: is {pen.servo!r:.60} (expected {'a digit' if self.dialect == 'marlin' else 'a name'} "
                    f"as text, as {self.dialect} calls it); correct it"
                )
        if rules.end_required and self._drops_at_end:
            raise InputError(
                f"pen.up: is held by M3, but {rules.end[-1]}, which has to end a program, stops that: the pen would go "
                "down; mount the servo the other way round"
            )

    def _check_lines(self) -> None:
        groups = (
            ("pen.up_lines", self.pen.up_lines, True),
            ("pen.down_lines", self.pen.down_lines, True),
            ("program.start_lines", self.program.start_lines, False),
            ("program.pause_lines", self.program.pause_lines, False),
            ("program.end_lines", self.program.end_lines, False),
        )
        for key, lines, pen in groups:
            for line in lines or ():
                check_raw_line(line, self.rules, key, pen=pen)
        if self.pen.kind == "raw" and _moving(self.pen.up_lines) == _moving(self.pen.down_lines):
            raise InputError(
                "pen.up_lines: are the same as pen.down_lines but for waits (expected different ones); correct them"
            )


def _moving(lines: tuple[str, ...] | None) -> list[str]:
    """The lines that do more than wait."""
    return [line for line in lines or () if line.split(" ")[0] not in ("G4", "M400")]


def machine_names() -> tuple[str, ...]:
    """The names of the profiles that come with the package, sorted."""
    return tuple(sorted(path.stem for path in MACHINES.glob("*.toml")))


def load_machine(source: str | os.PathLike[str], overrides: Mapping[str, str] | None = None) -> Machine:
    """Load a profile by the name of a shipped one or by the path of a TOML file.

    `overrides` replace single values: dotted keys such as "pen.down" or "speed.draw_mm_min", values as text; the
    items of a list stand between "|". With another pen.kind, what lifts the old one goes: give what lifts the new one.

    Raises:
        InputError: no such profile; the file cannot be read, is no profile or is out of range; or an override is
            unknown or cannot be. The message names file and key.
    """
    table = _read_table(source)
    where = os.fspath(source)
    try:
        values = _checked_table(table)
        kind = values["pen"].get("kind")
        given = _parse_overrides(overrides or {})
        for (section, key), value in given.items():
            (values[section] if section else values)[key] = value
        if values["pen"].get("kind") != kind:
            _drop_switch(values["pen"], {key for section, key in given if section == "pen"})
        return _build(values)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def describe_machine(machine: Machine) -> str:
    """Write a profile as TOML with comments, to start one's own from. `load_machine` reads the same machine from it."""
    texts = (f"{key} = {write_value(getattr(machine, key))}" for key in ("name", "description"))
    lines = [f"format = {FORMAT}", *texts]
    if machine.notes:
        lines += ["notes = " + write_lines(machine.notes)]
    lines += [f"# What the firmware speaks: {', '.join(DIALECTS)}.", f"dialect = {write_value(machine.dialect)}"]
    sections = [write_section(getattr(machine, name), name) for name in SECTIONS]
    return "\n".join(["\n".join(lines) + "\n", *sections])


def _read_table(source: str | os.PathLike[str]) -> dict[str, Any]:
    """The TOML of a profile as it stands."""
    path, where = _path_of(source), os.fspath(source)
    try:
        content = read_beginning(path, LARGEST_PROFILE + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{where}: cannot be read ({reason}); name a profile, or a TOML file") from error
    if len(content) > LARGEST_PROFILE:
        raise InputError(f"{where}: is over {LARGEST_PROFILE // 1024} KiB, too large for a machine profile")
    return parse_toml(content, where)


def _path_of(source: str | os.PathLike[str]) -> Path:
    """The file of a profile: a shipped one by its name, else the path itself."""
    names = machine_names()
    if not isinstance(source, str):
        return Path(source)
    if source in names:
        return MACHINES / f"{source}.toml"
    if source.endswith(".toml") or os.sep in source:
        return Path(source)
    near = difflib.get_close_matches(source[:60].lower(), names, n=1)
    raise InputError(
        f"machine {source[:80]!r}: is unknown; {f'did you mean {near[0]}? There are' if near else 'choose one of'} "
        f"{', '.join(names)}; or name a .toml file"
    )


def _checked_table(table: dict[str, Any]) -> dict[str, Any]:
    """A copy of a profile's table with every section; keys are checked, values not yet."""
    if table.get("format") != FORMAT or isinstance(table["format"], bool):
        got = f"is {table['format']!r:.40}" if "format" in table else "is missing"
        raise InputError(f"format: {got} (expected {FORMAT}); a profile begins with format = {FORMAT}")
    for key in table:
        known_key(key, ["format", *_TEXTS, *SECTIONS], "")
    for key in ("name", "dialect"):
        if key not in table:
            raise InputError(f"{key}: is missing; add it")
    values = {key: value for key, value in table.items() if key in _TEXTS}
    for name, section in SECTIONS.items():
        entries = table.get(name, {})
        if not isinstance(entries, dict):
            raise InputError(f"{name}: is {entries!r:.40} (expected a section [{name}]); correct it")
        for key in entries:
            known_key(key, list(field_types(section)), f"{name}.")
        values[name] = dict(entries)
    return values


def _parse_overrides(overrides: Mapping[str, str]) -> dict[tuple[str, str], Any]:
    """Values by section (empty for the top) and key."""
    known = [*_OVERRIDABLE, *(f"{name}.{key}" for name, section in SECTIONS.items() for key in field_types(section))]
    parsed = {}
    for dotted, text in overrides.items():
        known_key(dotted, known, "")
        section, _, key = dotted.rpartition(".")
        kind = field_types(SECTIONS[section])[key] if section else str
        parsed[section, key] = parse_text(text, kind, dotted)
    return parsed


def _drop_switch(pen: dict[str, Any], given: set[str]) -> None:
    """Drop what says how the old kind of pen is lifted, unless it was just given: S60 is no height of 60 mm."""
    for key in SWITCH_KEYS:
        if key not in given:
            pen.pop(key, None)


def _build(values: dict[str, Any]) -> Machine:
    sections = {name: section(**values[name]) for name, section in SECTIONS.items()}
    return Machine(**{key: values[key] for key in _TEXTS if key in values}, **sections)
