"""A page with pens and what they draw, all in millimetres: the one thing that every writer takes."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import LARGEST_MM, Page, parse_length_mm
from sketch_edge.runtime.sketch import Bounds, Sketch, bounds_of, checked_lines

COLORS = {
    "black": "#000000",
    "grey": "#808080",
    "red": "#d62728",
    "orange": "#ff7f0e",
    "yellow": "#e6b800",
    "green": "#2ca02c",
    "blue": "#1f5fb4",
    "purple": "#7b3fa0",
    "brown": "#8c564b",
    "pink": "#e377c2",
    "white": "#ffffff",
}
"""Colours by name: inks that are told apart on white paper, rather than the pure screen colours."""

_HEX_COLOR = re.compile(r"#[0-9a-f]{6}")


def parse_color(text: str) -> str:
    """Read a colour, a name of COLORS, #rgb or #rrggbb, into #rrggbb in small letters.

    Raises:
        InputError: neither of these.
    """
    color = text.strip().lower()
    color = COLORS.get(color, color)
    if re.fullmatch("#[0-9a-f]{3}", color):
        color = "#" + "".join(2 * digit for digit in color[1:])
    if not _HEX_COLOR.fullmatch(color):
        raise InputError(f"colour {text!r}: is unknown; write #rrggbb or one of {', '.join(COLORS)}")
    return color


def color_rgb(color: str) -> tuple[int, int, int]:
    """The three bytes of a colour #rrggbb."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


@dataclass(frozen=True)
class Pen:
    """A pen: what a layer of the drawing is drawn with.

    Raises:
        InputError: a colour that is neither a name nor #rrggbb, or a width not within 0.01 to 100 mm.
    """

    name: str = "black"
    """Names the layer in files that have layers; a person reads it when the pens are changed."""

    color: str = "#000000"
    """As #rrggbb in small letters; a name of COLORS is taken too and replaced."""

    width_mm: float = 0.7
    """Width of the line."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", parse_color(self.color))
        if not 0.01 <= self.width_mm <= 100:
            raise InputError(f"pen {self.name!r}: the width is {self.width_mm:g} mm; choose 0.01 to 100 mm")

    @classmethod
    def parse(cls, text: str, width_mm: float = 0.7) -> Pen:
        """Read a pen as users write it: "red", "#204080", "fine:black" or "fine:#204080:0.3mm".

        A name alone is that of its colour; `width_mm` is the width where the text gives none.

        Raises:
            InputError: an unknown colour, or no such width.
        """
        name, *rest = (part.strip() for part in text.split(":"))
        if not name or len(rest) > 2:
            raise InputError(f"pen {text!r}: is no pen; write NAME, NAME:COLOR or NAME:COLOR:WIDTH")
        width = parse_length_mm(rest[1], f"pen {text!r}: width") if len(rest) == 2 else width_mm
        try:
            return cls(name, rest[0] if rest else name, width)
        except InputError as error:
            raise InputError(f"pen {text!r}: {error}") from None


@dataclass(frozen=True, eq=False)
class Placed:
    """A sketch in its place on the page. The lines are copied and made read-only.

    Raises:
        InputError: a line is not of shape (n, 2) with n >= 1, or a coordinate or the depth is not a finite number.
    """

    lines: tuple[npt.NDArray[np.float64], ...]
    """Arrays of shape (n, 2) in mm, x right, y down from the upper left corner of the page; n = 1 is a dot."""

    label: str = ""
    """Class name."""

    pen: int = 0
    """Index into the pens of the scene."""

    seed: int | None = None
    index: int = 0
    temperature: float | None = None
    source: str = ""
    """These four say how to have the sketch again, as in `Sketch`."""

    depth: float = 0.0
    """How far behind: an object hides what has a greater depth, where hidden lines are removed. Equal depths hide
    nothing of each other."""

    how: str = ""
    """What else it takes to have it again, as in `Sketch`."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", checked_lines(self.lines, self.label or "object"))
        if not math.isfinite(self.depth):
            raise InputError(f"{self.label or 'object'}: the depth is {self.depth} (expected a finite number)")

    @property
    def bounds(self) -> Bounds:
        """The smallest rectangle in mm that holds every point; all zero for an object without lines."""
        return bounds_of(self.lines)

    def sketch(self) -> Sketch:
        """The object as a sketch, its lines still in mm."""
        return Sketch(self.lines, self.label, self.seed, self.index, self.temperature, self.source, how=self.how)


@dataclass(frozen=True)
class Caption:
    """A line of text on the page, for pictures only: pens and plotters leave it out.

    Raises:
        InputError: an unknown colour or anchor, or a place or size that is no finite number.
    """

    text: str
    """Any text; what cannot be shown is replaced when it is written."""

    x_mm: float
    y_mm: float
    """Where the text's base line is, and along it the point that `anchor` names."""

    size_mm: float
    """Size of the letters, from base line to base line."""

    anchor: Literal["start", "middle", "end"] = "middle"
    """Which part of the text stands at x."""

    color: str = "#444444"
    """As #rrggbb in small letters; a name of COLORS is taken too and replaced."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "color", parse_color(self.color))
        if self.anchor not in ("start", "middle", "end"):
            raise InputError(f"caption: the anchor is {self.anchor!r} (expected start, middle or end)")
        if not (math.isfinite(self.x_mm + self.y_mm) and 0 < self.size_mm <= LARGEST_MM):
            raise InputError(
                f"caption: place ({self.x_mm:g}, {self.y_mm:g}) mm, size {self.size_mm:g} mm (expected finite "
                f"numbers, and a size over 0 and up to {LARGEST_MM:g} mm)"
            )


@dataclass(frozen=True, eq=False)
class Scene:
    """A page, the pens, and the objects they draw, the first object first.

    Raises:
        InputError: no pens, two pens of one name, or an object whose pen is not there.
    """

    page: Page = field(default_factory=Page)
    pens: tuple[Pen, ...] = (Pen(),)
    objects: tuple[Placed, ...] = ()
    captions: tuple[Caption, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "pens", tuple(self.pens))
        object.__setattr__(self, "objects", tuple(self.objects))
        object.__setattr__(self, "captions", tuple(self.captions))
        names = [pen.name for pen in self.pens]
        if not names or len(set(names)) < len(names):
            raise InputError(f"scene: the pens are {names} (expected at least one, each with a name of its own)")
        for number, each in enumerate(self.objects):
            if not 0 <= each.pen < len(names):
                raise InputError(
                    f"scene: object {number} ({each.label!r}) has pen {each.pen}; there are pens 0 to {len(names) - 1}"
                )

    def layers(self) -> Iterator[tuple[int, Pen, tuple[Placed, ...]]]:
        """Each pen that draws something, as (number from 1, pen, its objects in order)."""
        for number, pen in enumerate(self.pens):
            objects = tuple(each for each in self.objects if each.pen == number)
            if objects:
                yield number + 1, pen, objects

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the scene to a file; the suffix of `path` picks the format. See `sketch_edge.runtime.writers.save`."""
        from sketch_edge.runtime.writers import save

        save(self, path, **options)

    def _repr_svg_(self) -> str:
        """Show the scene in a notebook."""
        from sketch_edge.runtime.writers import render

        return render(self, "svg").decode("utf-8")

    def sketches(self) -> tuple[Sketch, ...]:
        """The objects as sketches, their lines still in mm."""
        return tuple(each.sketch() for each in self.objects)
