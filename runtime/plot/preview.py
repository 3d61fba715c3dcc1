"""What a plan will draw and how the pen travels, as a scene for the other writers."""

from __future__ import annotations

import numpy as np

from sketch_edge.runtime.plot.measure import pen_path
from sketch_edge.runtime.plot.plan import Plan
from sketch_edge.runtime.plot.transform import page_transform
from sketch_edge.runtime.scene import Pen, Placed, Scene

TRAVEL_COLOR = "#a8a8a8"
TRAVEL_WIDTH_MM = 0.15


def preview(plan: Plan) -> Scene:
    """The strokes of a plan back on the page, pen by pen, and a last pen "travel" that draws the moves with the pen up.

    The moves are those from the stroke `start_at_stroke` on, from the park position and back to it, which may lie off
    the page.
    """
    to_page = page_transform(plan.page, plan.machine).to_page
    left = [layer for layer, _ in plan.remaining()]
    objects = [Placed(tuple(map(to_page, layer.lines)), layer.label, layer.number - 1) for layer in left]
    points, down = pen_path([layer.lines for layer in left], plan.machine)
    moves = np.stack([points[:-1], points[1:]], axis=1)[~down]
    moves = moves[(moves[:, 0] != moves[:, 1]).any(axis=1)]
    name = "travel"
    while name in {pen.name for pen in plan.pens}:
        name += " "
    objects.append(Placed(tuple(to_page(move) for move in moves), "travel", len(plan.pens)))
    return Scene(plan.page, (*plan.pens, Pen(name, TRAVEL_COLOR, TRAVEL_WIDTH_MM)), tuple(objects))
