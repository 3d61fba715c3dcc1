"""The paper: sizes by name or in units, margins, and the text that users write them in."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.sketch import Bounds

MM_PER = {"mm": 1.0, "cm": 10.0, "in": 25.4}
"""Millimetres in each unit that a length may be written in."""

SIZES_MM = {
    "a3": (297.0, 420.0),
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "a6": (105.0, 148.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
}
"""Width and height of the named sizes, upright."""

SMALLEST_MM = 1.0
LARGEST_MM = 10_000.0
MARGIN_SHARE = 0.05
"""Margin that a page gets where none is asked for: this share of its shorter side."""

_NUMBER = r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)"
_LENGTH = re.compile(rf"({_NUMBER}) ?(mm|cm|in)")
_SIZE = re.compile(rf"({_NUMBER})(mm|cm|in)?x({_NUMBER})(mm|cm|in)")
_ORIENTED = re.compile(r"(.+?)-(landscape|portrait)")


@dataclass(frozen=True)
class Page:
    """A sheet of paper. The origin of everything on it is its upper left corner; x right, y down.

    Raises:
        InputError: a side is not within 1 mm to 10 m, or the margins leave less than 1 mm between them.
    """

    width_mm: float = 100.0
    height_mm: float = 100.0

    margin_mm: float = 5.0
    """Kept free of lines on all four sides."""

    def __post_init__(self) -> None:
        for name, side in (("width", self.width_mm), ("height", self.height_mm)):
            if not SMALLEST_MM <= side <= LARGEST_MM:  # false for nan too
                raise InputError(
                    f"page: the {name} is {_shown(side)} mm; choose {SMALLEST_MM:g} mm to {LARGEST_MM:g} mm"
                )
        most = (min(self.width_mm, self.height_mm) - SMALLEST_MM) / 2
        if not 0 <= self.margin_mm <= most:
            raise InputError(
                f"page: the margin is {_shown(self.margin_mm)} mm on a page of {self.width_mm:g} x {self.height_mm:g} "
                f"mm; choose 0 to {most:g} mm"
            )

    @classmethod
    def parse(cls, text: str, *, landscape: bool = False, margin: str | float | None = None) -> Page:
        """Read a page as users write it: "a5", "a4-landscape", "letter", "120x80mm", "8.5x11in", "20cmx150mm".

        `landscape` turns a page that is higher than wide; `margin` is a length ("1cm") or millimetres, and is 5 % of
        the shorter side, in whole millimetres, where not given.

        Raises:
            InputError: no such size, a missing unit, or a size or margin out of range.
        """
        width, height = _parse_size(text.strip().lower())
        if landscape:
            width, height = max(width, height), min(width, height)
        page = cls(width, height, margin_mm=0.0)
        if margin is None:
            return replace(page, margin_mm=float(math.floor(min(width, height) * MARGIN_SHARE + 0.5)))
        return replace(page, margin_mm=parse_length_mm(margin, "margin") if isinstance(margin, str) else margin)

    @property
    def inside(self) -> Bounds:
        """What lies between the margins, in mm."""
        margin = self.margin_mm
        return Bounds(margin, margin, self.width_mm - margin, self.height_mm - margin)


def parse_length_mm(text: str, name: str = "length") -> float:
    """Read a length such as "5mm", "1.5 cm" or "0.5in" into millimetres; `name` says in an error what it is.

    Raises:
        InputError: no number of 0 or more with one of the units mm, cm, in.
    """
    match = _LENGTH.fullmatch(text.strip().lower())
    if match is None:
        raise InputError(f"{name} {text!r}: is no length; write a number and mm, cm or in, such as 5mm")
    return float(match[1]) * MM_PER[match[2]]


def _shown(value_mm: float) -> str:
    """A number for an error; whole ones may be larger than any float."""
    return short(value_mm) if isinstance(value_mm, int) else f"{value_mm:g}"


def _parse_size(text: str) -> tuple[float, float]:
    name, turned = text, None
    if oriented := _ORIENTED.fullmatch(text):
        name, turned = oriented[1], oriented[2]
    if name in SIZES_MM:
        width, height = SIZES_MM[name]
    elif (match := _SIZE.fullmatch(name.replace(" ", ""))) and turned is None:
        width = float(match[1]) * MM_PER[match[2] or match[4]]  # in 8.5x11in the unit stands for both
        height = float(match[3]) * MM_PER[match[4]]
    else:
        raise InputError(
            f"page {text!r}: is unknown; choose one of {', '.join(SIZES_MM)} (each also as a4-landscape), "
            "or width x height with mm, cm or in, such as 120x80mm"
        )
    return (height, width) if turned == "landscape" else (width, height)
