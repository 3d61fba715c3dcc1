"""A drawing that was made by hand, as the model knows drawings: in Quick, Draw! units and simplified."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.strokes import BOX, lines_to_stroke3, simplify_line, stroke3_to_stroke5

EPSILON = 2.0
"""Tolerance of the simplification, in units of the box: that of the drawings which models learn from."""

SMALLEST_SIDE = 1e-6
"""A drawing of a smaller extent is a dot."""


@dataclass(frozen=True, eq=False)
class Given:
    """A drawing in Quick, Draw! units, and the way back."""

    sketch: Sketch
    """In Quick, Draw! units, simplified."""

    factor: float
    """Quick, Draw! units in one unit of the drawing as it was given."""

    def rows(self, scale: float) -> npt.NDArray[np.float32]:
        """The drawing as a model is told it: stroke-5 without an end row, in model units; (n, 5)."""
        rows = np.array(lines_to_stroke3(self.sketch.lines), np.float64)
        rows[:, :2] /= scale
        return np.asarray(stroke3_to_stroke5(rows)[:-1], np.float32)


def is_official(sketch: Sketch) -> bool:
    """Whether every coordinate is a whole number within the box: the form of the official simplified drawings."""
    points = np.concatenate(sketch.lines)
    return bool((points >= 0).all() and (points <= BOX).all() and (points == np.rint(points)).all())


def bring(sketch: Sketch, size: float | None = None) -> Given:
    """Bring a drawing into Quick, Draw! units.

    One in the official form (whole numbers within 0 to 255) stays as it is. Any other is scaled so that its larger
    side, or the length `size`, becomes 255, and its lines are simplified (Ramer-Douglas-Peucker, epsilon 2), as the
    drawings were that models learn from.

    Args:
        sketch: in any units, with at least one line.
        size: larger side of the whole drawing in these units, where the sketch is only a part of it.

    Raises:
        InputError: no lines, or a size that cannot be.
    """
    if not sketch.lines:
        raise InputError("sketch: has no lines (expected at least one); give a drawing")
    bounds = sketch.bounds
    side = max(bounds.width, bounds.height)
    if size is None and is_official(sketch):
        return Given(sketch, 1.0)
    if size is not None:
        if isinstance(size, bool) or not isinstance(size, int | float | np.number) or not 0 < size < np.inf:
            raise InputError(f"size {short(size)}: choose a number over 0, the larger side of the whole drawing")
        if size < side * (1 - 1e-9):
            raise InputError(f"size {size:g}: is less than the given part has ({side:g}); choose that or more")
        side = float(size)
    if side < SMALLEST_SIDE:
        return Given(Sketch(sketch.lines, sketch.label), 1.0)
    factor = BOX / side
    low = (bounds.left, bounds.top)
    lines = tuple(simplify_line((line - low) * factor, EPSILON) for line in sketch.lines)
    return Given(Sketch(lines, sketch.label), factor)
