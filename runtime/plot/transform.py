"""Where lines lie on the machine: from the page and back, on the grid of a program, within the work area."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.machine import Machine
from sketch_edge.runtime.sketch import Bounds, bounds_of

Points = npt.NDArray[np.float64]

DECIMALS = 3
"""Places behind the point of every coordinate in a program; the lines of a plan have no more."""

_QUARTER = np.array([[0.0, 1.0], [-1.0, 0.0]])
"""Turns rows (x, y) clockwise by a quarter, y down: what was right is down then."""


@dataclass(frozen=True, eq=False)
class Transform:
    """Turns and mirrors by quarters, then moves: machine = page @ matrix + offset."""

    matrix: Points
    """Shape (2, 2); its inverse is its transpose."""

    offset: Points
    """Shape (2,), in mm."""

    def to_machine(self, points: Points) -> Points:
        """Page points, shape (n, 2) in mm, as machine points."""
        return points @ self.matrix + self.offset

    def to_page(self, points: Points) -> Points:
        """The way back."""
        return (points - self.offset) @ self.matrix.T


def page_transform(page: Page, machine: Machine) -> Transform:
    """Where the profile puts a page: turned, flipped about its own middle, its least corner on page.x_mm, page.y_mm.

    Only the page counts, not what is drawn on it.
    """
    matrix = np.linalg.matrix_power(_QUARTER, machine.page.turn_degrees // 90)
    if machine.page.y_up:
        matrix = matrix @ np.diag([1.0, -1.0])
    corners = np.array([[0.0, 0.0], [page.width_mm, page.height_mm]]) @ matrix
    return Transform(matrix, np.array([machine.page.x_mm, machine.page.y_mm]) - corners.min(axis=0))


def on_grid(lines: Sequence[Points]) -> list[Points]:
    """Lines, shape (n, 2) each, with coordinates as a program gives them; a point equal to the one before goes."""
    if not lines:
        return []
    lengths = np.array([len(line) for line in lines])
    first = np.zeros(lengths.sum(), bool)
    first[np.concatenate([[0], lengths.cumsum()[:-1]])] = True
    points = np.round(np.concatenate(lines), DECIMALS) + 0.0  # no negative zero
    fresh = np.concatenate([[True], (points[1:] != points[:-1]).any(axis=1)]) | first
    return np.split(points[fresh], np.flatnonzero(first[fresh])[1:])


def grid_area(machine: Machine) -> Bounds:
    """The work area, its sides moved in to the next step of the grid."""
    area, steps = machine.area, 10**DECIMALS
    low = (math.ceil(round(side * steps, 3)) / steps for side in (area.x_min_mm, area.y_min_mm))
    high = (math.floor(round(side * steps, 3)) / steps for side in (area.x_max_mm, area.y_max_mm))
    return Bounds(*low, *high)


def check_bounds(lines: Sequence[Points], machine: Machine) -> None:
    """Refuse lines, in machine mm, that leave the work area. Moves between them stay in it as they do.

    Raises:
        InputError: by how much, on which sides, and what to do.
    """
    if not lines:
        return
    area, drawn = machine.area, bounds_of(lines)
    beyond = {
        "left of": area.x_min_mm - drawn.left,
        "right of": drawn.right - area.x_max_mm,
        "below": area.y_min_mm - drawn.top,
        "above": drawn.bottom - area.y_max_mm,
    }
    sides = [f"{distance:.3f} mm {side} it" for side, distance in beyond.items() if distance > 1e-6]
    if sides:
        raise InputError(
            f"machine {machine.name}: the drawing leaves the work area, {', '.join(sides)} (it goes from x "
            f"{drawn.left:.3f} to {drawn.right:.3f} and y {drawn.top:.3f} to {drawn.bottom:.3f} mm, the area from x "
            f"{area.x_min_mm:g} to {area.x_max_mm:g} and y {area.y_min_mm:g} to {area.y_max_mm:g}); choose a smaller "
            "page, turn it (page.turn_degrees), move it (page.x_mm, page.y_mm), or clip"
        )
