"""What there is to watch: the way of the pen over a drawing, move by move, in the order in which it is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.course import Course
from sketch_edge.runtime.scene import Pen, Scene
from sketch_edge.runtime.sketch import Bounds, bounds_of
from sketch_edge.runtime.strokes import BOX
from sketch_edge.runtime.writers.motion import Timing

if TYPE_CHECKING:
    from sketch_edge.runtime.artist import Point, Stream

Line = npt.NDArray[np.float64]

SKETCH_UNITS_PER_S = 300.0
"""How fast the pen draws a sketch that is not known before its end. A cat has some 1200 units of ink: 4 seconds."""

SKETCH_PEN = 1 / 110
"""Width of the pen of such a sketch, as a share of the Quick, Draw! box."""


class Move(NamedTuple):
    """The pen goes along a line, on the paper or through the air."""

    line: Line
    """Points, shape (n, 2), n at least 1, x right, y down; a dot has one. The first is where the move before ended."""

    drawn: bool
    """It leaves ink."""

    pen: int = 0
    """Index into the pens of the performance."""

    label: str = ""
    """What is being drawn."""

    stroke: int = 0
    """Which stroke of that, from 1; 0 before the first."""

    cut: bool = False
    """It goes on in the next move: the line was cut at its last point, where the pen was when a frame ended."""


@dataclass(frozen=True, eq=False)
class Performance:
    """A drawing as something to watch."""

    moves: Iterator[Move]
    """All moves, once; each is asked for when it is needed, so a model may be at work behind it."""

    pens: tuple[Pen, ...]
    """Their widths are in the units of the moves."""

    units_per_s: float
    """Speed of the pen when it is watched as usual, over 0."""

    ink: Bounds | None = None
    """The rectangle that holds every point; None where it is not known before the end."""

    paper: Bounds | None = None
    """The page it is drawn on, if any."""


def joined(moves: Iterable[Move]) -> list[Move]:
    """Moves as they were before they were cut, which depends on the clock, as the dots of a cut line do."""
    whole: list[Move] = []
    for move in moves:
        if whole and whole[-1].cut:
            line = np.concatenate([whole[-1].line[:-1], move.line[1:]])
            whole[-1] = move._replace(line=line)
        else:
            whole.append(move)
    return whole


def watch_stream(stream: Stream, pen: Pen | None = None) -> Performance:
    """A sketch that a model is drawing, such as `Artist.stream` gives: it is asked for each point when that is due.

    Args:
        stream: the points.
        pen: whose colour is taken; black where not given.
    """
    own = Pen(width_mm=BOX * SKETCH_PEN) if pen is None else Pen(pen.name, pen.color, BOX * SKETCH_PEN)
    return Performance(_stream_moves(stream, stream.label), (own,), SKETCH_UNITS_PER_S)


def watch_scene(scene: Scene) -> Performance:
    """A page as its pen draws it: object after object, line after line; as long as a film of it (`writers.motion`)."""
    course = Course(scene)
    lines = [line for each in scene.objects for line in each.lines]
    seconds = Timing().seconds(course, scene.page.width_mm)
    return Performance(
        _scene_moves(scene),
        scene.pens,
        max(course.length / seconds, 1e-9),
        bounds_of(lines),
        Bounds(0.0, 0.0, scene.page.width_mm, scene.page.height_mm),
    )


def _stream_moves(points: Iterable[Point], label: str) -> Iterator[Move]:
    """One move a point. A line whose points are all one is a dot, which shows when the line ends."""
    here, stroke, alone = np.zeros(2), 0, False
    for point in points:
        before, here = here, np.array([point.x, point.y])
        line = np.stack([before, here])
        if not point.drawn:
            stroke, alone = stroke + 1, True
            yield Move(line, False, 0, label, stroke)
        elif (before != here).any():
            alone = False
            yield Move(line, True, 0, label, stroke)
        if point.lift and alone:
            yield Move(here[None], True, 0, label, stroke)
            alone = False
    if alone:  # the end lifts the pen too
        yield Move(here[None], True, 0, label, stroke)


def _scene_moves(scene: Scene) -> Iterator[Move]:
    """The lines of all objects, and the ways between them."""
    before = None
    for number, each in enumerate(scene.objects, start=1):
        label = f"{each.label} ({number} of {len(scene.objects)})" if len(scene.objects) > 1 else each.label
        for stroke, line in enumerate(each.lines, start=1):
            if before is not None:
                yield Move(np.stack([before, line[0]]), False, each.pen, label, stroke)
            yield Move(line, True, each.pen, label, stroke)
            before = line[-1]
