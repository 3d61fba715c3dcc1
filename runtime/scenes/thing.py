"""One thing on a page: what it is, and what is said about its size and place."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NoReturn

from sketch_edge.runtime.drawings import check_name
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MAX_TEMPERATURE, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.page import LARGEST_MM, parse_length_mm
from sketch_edge.runtime.sketch import Sketch

RELATIONS = ("left_of", "right_of", "above", "below", "on", "inside", "in_front_of", "behind")
"""What one object may be to another; in files with hyphens."""

MOST_OBJECTS = 10_000
LARGEST_DEPTH = 1e6
SCALES = (1e-3, 1e3)
MOST_DEGREES = 1e6

Length = float | str
"""Millimetres, or text: "5mm", "1cm", "0.5in", or a share of the page such as "30%"."""


@dataclass(frozen=True)
class Thing:
    """One object of a page, or `count` of them: a class to draw, or given strokes.

    Raises:
        InputError: a value is of the wrong type or out of range.
    """

    label: str = ""
    """Class, such as "cat". With `sketch` it only says what that shows; its own label where not given."""

    sketch: Sketch | None = None
    """Given strokes; a model draws the class where there are none."""

    name: str = ""
    """What relations call it; the class where not given, with a number from the second of a class on ("cat 2")."""

    seed: int | None = None
    """Its own seed; the page's where not given."""

    index: int | None = None
    """Which sketch of the seed. Where not given: 0 with a seed of its own, else its place among all objects."""

    temperature: float | None = None
    """0 to 10; the page's where not given."""

    at: tuple[Length, Length] | None = None
    """Its middle, x from the left and y from the top of the page; a share is one of the page's width and height."""

    size: Length | None = None
    """Larger side; a share is one of the page's shorter side. By the rule of the page where not given."""

    scale: float = 1.0
    """Times larger than the rule of the page says."""

    rotate: float = 0.0
    """Degrees, clockwise."""

    flip: bool = False
    """Mirrored, left to right, before it is turned."""

    pen: str | None = None
    """Name of a pen of the page; the first where not given."""

    depth: float | None = None
    """How far behind; what has a smaller depth hides it. By the relations, or 0, where not given."""

    count: int = 1
    """So many of the same."""

    gap: Length | None = None
    """Free space between it and what left_of, right_of, above, below, on or inside name; a share is one of the page's
    shorter side."""

    left_of: str | Sequence[str] = ()
    right_of: str | Sequence[str] = ()
    above: str | Sequence[str] = ()
    below: str | Sequence[str] = ()
    on: str | Sequence[str] = ()
    inside: str | Sequence[str] = ()
    in_front_of: str | Sequence[str] = ()
    behind: str | Sequence[str] = ()
    """Names of other objects; all of them where there are several."""

    def __post_init__(self) -> None:
        self._check_what()
        self._number("temperature", self.temperature, 0, MAX_TEMPERATURE)
        self._number("scale", self.scale, *SCALES)
        self._number("rotate", self.rotate, -MOST_DEGREES, MOST_DEGREES)
        self._number("depth", self.depth, -LARGEST_DEPTH, LARGEST_DEPTH)
        self._whole("seed", self.seed, 0, KEY_LIMIT - 1)
        self._whole("index", self.index, 0, KEY_LIMIT - 1)
        self._whole("count", self.count, 1, MOST_OBJECTS)
        if not isinstance(self.flip, bool):
            self.refuse("flip", f"is {short(self.flip)} (expected true or false)")
        if self.pen is not None and not isinstance(self.pen, str):
            self.refuse("pen", f"is {short(self.pen)} (expected the name of a pen)")
        self._check_lengths()
        for key in RELATIONS:
            object.__setattr__(self, key, self._names(key, getattr(self, key)))
        self._check_together()

    @property
    def kind(self) -> str:
        """What it is: its class, or what its strokes show, or "drawing"."""
        return self.label or (self.sketch.label if self.sketch else "") or self.name or "drawing"

    @property
    def settled(self) -> bool:
        """Whether it says itself which sketch it is: strokes are given, or it has a seed or an index of its own."""
        return self.sketch is not None or self.seed is not None or self.index is not None

    @property
    def title(self) -> str:
        """What relations call the first of its kind."""
        return self.name or self.kind

    def relations(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each relation that it has, as (its name in RELATIONS, names of the others)."""
        for key in RELATIONS:
            if names := getattr(self, key):
                yield key, names

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise an error about one key.

        Raises:
            InputError: always.
        """
        raise InputError(f"object {self.title}:{key.replace('_', '-')}: {problem}")

    def _check_what(self) -> None:
        if self.sketch is not None and not isinstance(self.sketch, Sketch):
            raise InputError(f"object:sketch: is {type(self.sketch).__name__} (expected a Sketch)")
        for key, value in (("class", self.label), ("name", self.name)):
            if value != "" and (problem := check_name(value)):
                raise InputError(f"object:{key}: {problem}; write another")
        if self.sketch is None and not self.label:
            self.refuse("class", "is missing; name what to draw, or give strokes")

    def _number(self, key: str, value: object, low: float, high: float) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # nan too
            self.refuse(key, f"is {short(value)} (expected a number, {low:g} to {high:g})")

    def _whole(self, key: str, value: object, low: int, high: int) -> None:
        if value is not None and (type(value) is not int or not low <= value <= high):
            self.refuse(key, f"is {short(value)} (expected a whole number, {low} to {high})")

    def _check_lengths(self) -> None:
        at = self.at
        if at is not None:
            if not isinstance(at, tuple | list) or len(at) != 2:
                self.refuse("at", f'is {short(at)} (expected two lengths, such as ["50%", "30mm"])')
            object.__setattr__(self, "at", tuple(at))
        for key, value in (("at", at and at[0]), ("at", at and at[1]), ("size", self.size), ("gap", self.gap)):
            if value is not None:
                try:
                    length = length_mm(value, 100.0)
                except InputError as error:
                    self.refuse(key, str(error))
                if key == "size" and length <= 0:
                    self.refuse(key, "is 0; choose a length over 0")

    def _names(self, key: str, value: object) -> tuple[str, ...]:
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            self.refuse(key, f"is {short(value)} (expected the name of an object, or a list of names)")
        for name in names:
            if problem := check_name(name):
                self.refuse(key, f"{problem}; name an object")
        return tuple(dict.fromkeys(names))

    def _check_together(self) -> None:
        if self.at is not None and self.count > 1:
            self.refuse("at", f"is one place for {self.count} objects; leave out at or count")
        if self.at is not None and self.on:
            self.refuse("on", "goes with no at, as it gives a place itself; leave out one of the two")
        if self.size is not None and self.scale != 1.0:
            self.refuse("scale", "goes with no size; leave out one of the two")
        if self.gap is not None and (self.at is not None or not any(getattr(self, key) for key in RELATIONS[:6])):
            self.refuse("gap", "belongs to left-of, right-of, above, below, on or inside; leave it out")


def length_mm(value: object, side_mm: float) -> float:
    """A length in millimetres: a number, or text with a unit, or a share of `side_mm` such as "30%".

    Raises:
        InputError: none of these, negative, or over 10 m.
    """
    if isinstance(value, str):
        share = value.strip().removesuffix("%")
        if share != value.strip():
            try:
                length = float(share) / 100 * side_mm
            except ValueError:
                length = math.nan
        else:
            length = parse_length_mm(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        length = float(value) if abs(value) <= LARGEST_MM else math.inf
    else:
        length = math.nan
    if not 0 <= length <= LARGEST_MM:
        raise InputError(f'is {short(value)} (expected 0 to {LARGEST_MM:g} mm, such as 5, "5mm", "1cm" or "30%")')
    return length


def nearest(word: object, known: Sequence[str]) -> str:
    """A hint at what a word may have meant, to stand at the end of an error: "; the nearest is ...", or nothing."""
    if not isinstance(word, str) or len(word) > 100:
        return ""
    import difflib  # for an error alone

    found = difflib.get_close_matches(word, known, n=1)
    return f"; the nearest is {found[0]!r}" if found else ""
