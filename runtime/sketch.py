"""One drawing: lines, and what it takes to have it again."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime import strokes
from sketch_edge.runtime.errors import InputError

LARGEST_COORDINATE = 1e9
"""Coordinates beyond this are refused: no drawing has them, and sums of them would lose whole units."""


@dataclass(frozen=True)
class Bounds:
    """A rectangle with sides along the axes; x right, y down."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Right less left; 0 for a dot or an upright line."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Bottom less top; 0 for a dot or a level line."""
        return self.bottom - self.top

    @property
    def center(self) -> tuple[float, float]:
        """The point in the middle, (x, y)."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2


@dataclass(frozen=True, eq=False)
class Sketch:
    """One drawing, and what it takes to have it again. Equal seeds, bundles and settings give equal lines.

    The lines are copied, made float64 and read-only.

    Raises:
        InputError: a line is not of shape (n, 2) with n >= 1, or a coordinate is not a finite number.
    """

    lines: tuple[npt.NDArray[np.float64], ...]
    """One array of shape (n, 2) for each time the pen is put down; x right, y down, in Quick, Draw! units (a drawing
    is about 255 wide or high); n = 1 is a dot."""

    label: str = ""
    """Class name, such as "cat"."""

    seed: int | None = None
    """The seed it was drawn with; None where it was not drawn by a model."""

    index: int = 0
    """Which sketch of that seed, from 0."""

    temperature: float | None = None
    """How freely it was drawn, 0 to 10; None where it was not drawn by a model."""

    source: str = ""
    """What drew it, such as the name and hash of a bundle."""

    complete: bool = True
    """False where a model would have gone on, but the most points allowed were reached."""

    how: str = ""
    """What else it takes to have it again, such as "top 3" or "between, 0.5"; empty for a plain drawing."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", checked_lines(self.lines, self.label or "sketch"))

    @classmethod
    def from_stroke3(
        cls,
        stroke3: npt.NDArray[Any],
        label: str = "",
        *,
        seed: int | None = None,
        index: int = 0,
        temperature: float | None = None,
        source: str = "",
        origin: tuple[float, float] = (0.0, 0.0),
    ) -> Sketch:
        """Make a sketch of a stroke-3 array, shape (N, 3), in Quick, Draw! units; the pen starts at `origin`."""
        lines = strokes.stroke3_to_lines(np.asarray(stroke3, np.float64), origin)
        return cls(tuple(lines), label, seed, index, temperature, source)

    @property
    def stroke3(self) -> npt.NDArray[np.float64]:
        """The drawing as stroke-3, shape (N, 3); where it starts is not kept."""
        return np.asarray(strokes.lines_to_stroke3(self.lines), np.float64)

    @property
    def bounds(self) -> Bounds:
        """The smallest rectangle that holds every point; all zero for a sketch without lines."""
        return bounds_of(self.lines)

    @property
    def point_count(self) -> int:
        """Points of all lines together."""
        return sum(len(line) for line in self.lines)

    def to_simplified(self) -> list[list[list[int]]]:
        """The lines in the official simplified form: moved to (0, 0), larger side 255, whole numbers."""
        return strokes.lines_to_simplified(self.lines)

    def save(self, path: str | os.PathLike[str], **options: Any) -> None:
        """Write the sketch to a file; the suffix of `path` picks the format. See `sketch_edge.runtime.writers.save`."""
        from sketch_edge.runtime.writers import save

        save(self, path, **options)

    def _repr_svg_(self) -> str:
        """Show the sketch in a notebook."""
        from sketch_edge.runtime.writers import render

        return render(self, "svg").decode("utf-8")


def checked_lines(lines: Sequence[npt.ArrayLike], where: str) -> tuple[npt.NDArray[np.float64], ...]:
    """Copy lines into read-only float64 arrays of shape (n, 2); `where` names them in an error.

    Raises:
        InputError: a shape is not (n, 2) with n >= 1, or a coordinate is not finite or is beyond +-1e9.
    """
    checked = []
    for number, line in enumerate(lines):
        try:
            points = np.array(line, np.float64)
        except (TypeError, ValueError) as error:
            raise InputError(f"{where}: line {number} is no array of numbers ({error}); give points (x, y)") from error
        if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0:
            raise InputError(f"{where}: line {number} has shape {points.shape} (expected (n, 2) with n at least 1)")
        if not (np.abs(points) <= LARGEST_COORDINATE).all():  # false for nan too
            worst = points[~(np.abs(points) <= LARGEST_COORDINATE)][0]
            raise InputError(
                f"{where}: line {number} holds the coordinate {worst} (expected finite numbers up to "
                f"{LARGEST_COORDINATE:g}); draw it again with another seed or a lower temperature"
            )
        points.setflags(write=False)
        checked.append(points)
    return tuple(checked)


def bounds_of(lines: Sequence[npt.NDArray[np.float64]]) -> Bounds:
    """The smallest rectangle that holds every point of `lines`; all zero for no lines."""
    if not lines:
        return Bounds(0.0, 0.0, 0.0, 0.0)
    low, high = strokes.bounds(lines)
    return Bounds(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
