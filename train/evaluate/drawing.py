"""A drawing as the ruler handles it: all points in one array, and where each line ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.strokes import lines_to_simplified, lines_to_stroke3, stroke3_to_lines

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Drawing:
    """One drawing, real or drawn by a model."""

    points: Points
    """Points of all lines, one after the other; x right, y down, in Quick, Draw! units; (n, 2), n at least 1."""

    ends: tuple[int, ...]
    """Where in `points` each line ends: line i is ``points[ends[i - 1]:ends[i]]``."""

    complete: bool = True
    """False where a model would have gone on, but was cut."""

    @classmethod
    def from_lines(cls, lines: Sequence[npt.NDArray[Any]], complete: bool = True) -> Drawing:
        """Make a drawing of lines, arrays of shape (n, 2); at least one."""
        points = np.concatenate([np.asarray(line, np.float64) for line in lines])
        return cls(points, tuple(np.cumsum([len(line) for line in lines]).tolist()), complete)

    @classmethod
    def from_stroke3(cls, stroke3: npt.NDArray[Any], complete: bool = True) -> Drawing:
        """Make a drawing of stroke-3 rows, shape (n, 3), n at least 1."""
        return cls.from_lines(stroke3_to_lines(np.asarray(stroke3, np.float64)), complete)

    @property
    def lines(self) -> list[Points]:
        """The lines, views of shape (n, 2)."""
        return np.split(self.points, self.ends[:-1])

    @property
    def extent(self) -> tuple[float, float]:
        """Width and height."""
        width, height = np.ptp(self.points, axis=0).tolist()
        return width, height

    def stroke3(self) -> npt.NDArray[np.float64]:
        """The drawing as stroke-3, shape (n, 3)."""
        return np.asarray(lines_to_stroke3(self.lines), np.float64)

    def simplified(self) -> list[list[list[int]]]:
        """The drawing in the official form, ``[[[x, ...], [y, ...]], ...]``: larger side 255, whole numbers."""
        return lines_to_simplified(self.lines)
