"""Scenes that several tests plot."""

import numpy as np

from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene


def line(*points):
    """A line through points in page mm."""
    return np.array(points, float)


HOUSE = (
    line((10, 60), (10, 30), (25, 15), (40, 30), (40, 60), (10, 60)),
    line((20, 60), (20, 45), (30, 45), (30, 60)),
    line((28, 52.5)),
)
SUN = (line((70, 10), (80, 20), (70, 30), (60, 20), (70, 10)), line((70, 5), (70, 2.5)))

TWO_PENS = Scene(
    Page(100, 80, 2),
    (Pen("black", width_mm=0.5), Pen("red", "red", 0.3)),
    (Placed(HOUSE, "house"), Placed(SUN, "sun", 1)),
)
"""A house with a dot for its door handle, and a sun."""


def random_scene(rng, count=12, pens=2):
    """Some short crooked lines, some of them dots, on a page of 100 x 80 mm."""
    objects = []
    for number in range(count):
        start = rng.uniform((5, 5), (95, 75))
        steps = rng.normal(0, 4, (int(rng.integers(1, 6)), 2)).cumsum(axis=0) + start
        objects.append(Placed((np.clip(steps, 0.5, (99.5, 79.5)),), f"thing {number}", number % pens))
    return Scene(Page(100, 80, 0), tuple(Pen(f"pen {number}") for number in range(pens)), tuple(objects))
