"""What a machine does when it is given a program: moves, stops and the lines that it draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.sketch import Bounds

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moves:
    """Straight moves in the order in which they are made: n of them."""

    start: Floats
    """Where each begins, shape (n, 3): x, y, z in machine mm; z is 0 on a machine that has no such axis."""

    end: Floats
    """Where each ends, likewise."""

    down: npt.NDArray[np.bool_]
    """Whether the pen is on the paper meanwhile, shape (n,). It is during the moves that put it down and lift it."""

    feed_mm_min: Floats
    """Speed asked for, shape (n,)."""

    halt: npt.NDArray[np.bool_]
    """Whether the machine stands still before the move, shape (n,): something else than a move comes before it."""

    line: npt.NDArray[np.int64]
    """Where each stands in the program, counted from 1, shape (n,)."""

    def __len__(self) -> int:
        return len(self.line)

    @property
    def length_mm(self) -> Floats:
        """Length of each move, shape (n,)."""
        return np.asarray(np.sqrt(((self.end - self.start) ** 2).sum(axis=1)), np.float64)

    @property
    def level_mm(self) -> Floats:
        """Length of each move across the paper: 0 for one that only lifts or lowers the pen; shape (n,)."""
        return np.asarray(np.hypot(*(self.end - self.start)[:, :2].T), np.float64)


@dataclass(frozen=True, eq=False)
class Trace:
    """A program, done by a machine that makes no mistakes: what `check_program` gives for one that it accepts."""

    moves: Moves

    touches: npt.NDArray[np.int64]
    """One row (first, last, line) for each time that the pen is put down, shape (k, 3): it is down during the moves
    `first` to `last` - 1, and goes down in that line of the program."""

    places: Floats
    """Where it is put down, shape (k, 2), in machine mm."""

    dwells: tuple[tuple[int, float], ...]
    """Line and seconds of each wait."""

    pauses: tuple[int, ...]
    """Lines where the machine waits for a person, such as for another pen."""

    @property
    def bounds(self) -> Bounds:
        """The smallest rectangle that holds every place gone to, with the pen up or down; all zero without moves.

        In machine mm; `top` is the smallest y, even where y points up.
        """
        return _bounds(self.moves.end[:, :2])

    @property
    def drawn_bounds(self) -> Bounds:
        """The smallest rectangle that holds what is drawn; see `bounds`."""
        return _bounds(np.concatenate([self.places, self.moves.end[self.moves.down, :2]]))

    @property
    def drawn_mm(self) -> float:
        """How far the pen goes on the paper."""
        return float(self.moves.level_mm[self.moves.down].sum())

    @property
    def travel_mm(self) -> float:
        """How far the pen goes above the paper."""
        return float(self.moves.level_mm[~self.moves.down].sum())

    @property
    def dwell_s(self) -> float:
        """Seconds of all waits; pauses, which last as long as a person likes, are not counted."""
        return float(sum(seconds for _, seconds in self.dwells))

    def strokes(self) -> list[Floats]:
        """What is drawn: an array of shape (m, 2), in machine mm, for each time that the pen is put down.

        Points equal to the one before are left out; m = 1 is a dot.
        """
        ends = self.moves.end[:, :2]
        strokes = []
        for (first, last, _), place in zip(self.touches.tolist(), self.places, strict=True):
            points = np.concatenate([place[None], ends[first:last]])
            fresh = np.any(points[1:] != points[:-1], axis=1)
            strokes.append(points[np.concatenate([[True], fresh])])
        return strokes


def _bounds(points: Floats) -> Bounds:
    """The smallest rectangle around points, shape (n, 2)."""
    if not len(points):
        return Bounds(0.0, 0.0, 0.0, 0.0)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    return Bounds(float(left), float(top), float(right), float(bottom))
