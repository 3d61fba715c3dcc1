"""Which part of a drawing is seen: all of it where it is known, else where the pen has been so far."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.sketch import Bounds
from sketch_edge.runtime.strokes import BOX

FIRST_SIDE = 1.1 * BOX
"""The shorter side of what is seen at first of a sketch that is not known yet."""

SLACK = 0.12
"""Free room, as a share of the view, on the side where the pen left it: the pen shall not leave it again at once."""

Floats = npt.NDArray[np.float64]


class Sight(NamedTuple):
    """Where points are seen: ``(points - center) * scale`` from the middle of the view."""

    center: Floats
    """The point in the middle, shape (2,)."""

    scale: float
    """Places of the view to a unit of the drawing."""


class Camera:
    """Follows a drawing.

    Args:
        box: what is to be seen, and then nothing moves; None: the camera goes where the ink is, moves aside before it
            goes back, and only goes back, until `settle`.
    """

    def __init__(self, box: Bounds | None = None) -> None:
        self._box = box
        self._low = self._high = np.zeros(2)
        self._center, self._side = np.zeros(2), FIRST_SIDE

    def note(self, points: Floats) -> None:
        """Take note of ink, shape (n, 2)."""
        self._low = np.minimum(self._low, points.min(axis=0))
        self._high = np.maximum(self._high, points.max(axis=0))

    def settle(self) -> None:
        """Let all ink be seen as large as it can be: the drawing is done."""
        if self._box is None:
            self._box = Bounds(*self._low.tolist(), *self._high.tolist())

    def sight(self, width: float, height: float) -> Sight:
        """How to see it in a view of so many places, both over 0."""
        view = np.array([width, height])
        if self._box is not None:
            extent = np.array([self._box.width, self._box.height])
            if extent.max() <= 0:
                return Sight(np.array(self._box.center), 0.0)
            return Sight(np.array(self._box.center), float((view / np.maximum(extent, 1e-9)).min()))
        scale = float(view.min()) / self._side
        extent = self._high - self._low
        if (np.abs(np.stack([self._low, self._high]) - self._center) * scale > view / 2).any():
            room = (1 - 2 * SLACK) * view
            if (extent * scale > view).any():
                scale = float((room / np.maximum(extent, 1e-9)).min())
                self._side = float(view.min()) / scale
            seen = view / scale
            slack = np.minimum(SLACK * seen, (seen - extent) / 2)
            self._center = np.clip(self._center, self._high - seen / 2 + slack, self._low + seen / 2 - slack)
        return Sight(self._center, scale)
