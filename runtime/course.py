"""The way of the pen over a scene: how far it has come, and what it has drawn until then."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.scene import Placed, Scene

Line = npt.NDArray[np.float64]


class Piece(NamedTuple):
    """A line, or a part of one, as the pen draws it."""

    owner: int
    """Index of the object, in the scene, that the line belongs to."""

    line: Line
    """Its points, shape (n, 2), in mm; n = 1 is a dot."""

    end: bool
    """The line ends here: the pen lifts."""

    before: Line | None = None
    """Where the line is cut at the first point: the point of the whole line before it; shape (2,)."""

    after: Line | None = None
    """Where the line is cut at the last point: the point of the whole line after it; shape (2,)."""


class Course:
    """The way of the pen in pen order: object after object, and in each line after line.

    Args:
        scene: what is drawn.
        lift_share: what a millimetre of the way through the air, from the end of a line to the start of the next,
            counts beside a millimetre of ink; 0 counts ink alone.
    """

    def __init__(self, scene: Scene, lift_share: float = 0.0) -> None:
        self._lines = [(owner, line) for owner, each in enumerate(scene.objects) for line in each.lines]
        self._alongs = [_along(line) for _, line in self._lines]
        pens = [scene.pens[scene.objects[owner].pen].width_mm for owner, _ in self._lines]
        # A dot takes time as well: its ink is as long as the pen is wide.
        extents = [max(along[-1], width) for along, width in zip(self._alongs, pens, strict=True)]
        firsts = np.array([line[0] for _, line in self._lines]).reshape(-1, 2)
        lasts = np.array([line[-1] for _, line in self._lines]).reshape(-1, 2)
        self.jumps: npt.NDArray[np.float64] = np.hypot(*(firsts[1:] - lasts[:-1]).T)
        """How far it is in mm from the end of each line to the start of the next; shape (lines - 1,)."""
        lifts = np.zeros(len(extents))
        lifts[1:] = lift_share * self.jumps
        self.ends: npt.NDArray[np.float64] = np.cumsum(lifts + extents)
        """Where on the way each line is complete; shape (lines,)."""
        self.starts: npt.NDArray[np.float64] = self.ends - extents
        """Where on the way each line begins; shape (lines,)."""

    @property
    def length(self) -> float:
        """The whole way in mm of ink; 0 without lines."""
        return float(self.ends[-1]) if len(self.ends) else 0.0

    def between(self, start: float, end: float) -> list[Piece]:
        """What the pen draws from `start` to `end` of the way, in pen order; a dot belongs where it begins.

        Pieces of neighbouring stretches meet in the very same point, and the last piece of a line ends in its last
        point. The stretch up to `length` holds all that is left.
        """
        first = int(np.searchsorted(self.ends, start, side="right"))
        last = int(np.searchsorted(self.starts, end, side="left"))
        pieces = []
        for number in range(first, last):
            owner, line = self._lines[number]
            begin, close = float(self.starts[number]), float(self.ends[number])
            low = max(0.0, (start - begin) / (close - begin))
            high = 1.0 if end >= close else (end - begin) / (close - begin)
            if len(line) == 1 or self._alongs[number][-1] == 0:  # a dot has no parts
                pieces += [Piece(owner, line, True)] if low == 0 else []
            else:
                pieces.append(_part(owner, line, self._alongs[number], low, high))
        return pieces


def drawn_until(scene: Scene, share: float) -> Scene:
    """The scene as far as it is drawn when that share of its ink, 0 to 1, is on the page.

    Objects come in their order, and each line is cut exactly where the pen is; objects not begun are left out. Page,
    pens and captions stay. With 1 it is the whole scene.

    Raises:
        InputError: a share that is not within 0 to 1.
    """
    if not 0 <= share <= 1:  # false for nan too
        raise InputError(f"share: is {share:g} (expected 0 to 1, the part of the ink that is drawn)")
    if share == 1:
        return scene
    course = Course(scene)
    return replace(scene, objects=objects_of(scene, course.between(0.0, share * course.length)))


def objects_of(scene: Scene, pieces: list[Piece]) -> tuple[Placed, ...]:
    """The objects of a scene with no other lines than these pieces, without those that have none."""
    lines: dict[int, list[Line]] = {}
    for piece in pieces:
        lines.setdefault(piece.owner, []).append(piece.line)
    return tuple(replace(scene.objects[owner], lines=tuple(drawn)) for owner, drawn in lines.items())


def _along(line: Line) -> npt.NDArray[np.float64]:
    """How far along the line each of its points lies; shape (n,), from 0."""
    steps = np.diff(line, axis=0)
    return np.concatenate([[0.0], np.cumsum(np.hypot(steps[:, 0], steps[:, 1]))])


def _part(owner: int, line: Line, along: npt.NDArray[np.float64], low: float, high: float) -> Piece:
    """The part of a line between two shares of its length, 0 <= low < high <= 1."""
    if low == 0 and high == 1:
        return Piece(owner, line, True)
    start, end = low * along[-1], high * along[-1]
    before = int(np.searchsorted(along, start, side="right")) - 1
    after = int(np.searchsorted(along, end, side="left"))
    first = line[:1] if low == 0 else _point(line, along, start)
    last = line[-1:] if high == 1 else _point(line, along, end)
    inner = line[(along > start) & (along < end)]
    return Piece(
        owner,
        np.concatenate([first, inner, last]),
        high == 1.0,
        None if low == 0 else line[before],
        None if high == 1 else line[after],
    )


def _point(line: Line, along: npt.NDArray[np.float64], distance: float) -> Line:
    """The point of a line at a distance from its start, shape (1, 2)."""
    return np.array([[np.interp(distance, along, line[:, 0]), np.interp(distance, along, line[:, 1])]])
