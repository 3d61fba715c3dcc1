"""What is seen of a drawing that is not known yet."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.live.camera import Camera
from sketch_edge.runtime.sketch import Bounds


def seen(camera, points, width, height):
    sight = camera.sight(width, height)
    places = (np.asarray(points) - sight.center) * sight.scale
    return (np.abs(places) <= np.array([width, height]) / 2 + 1e-6).all()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(-3000, 3000)] * 2), min_size=1, max_size=30),
    st.tuples(*[st.floats(2, 500)] * 2),
    st.tuples(*[st.floats(2, 500)] * 2),
)
def test_all_ink_is_seen(points, size, other):
    """At every moment, also when the view changes its size; and at the end as large as it can be."""
    camera = Camera()
    for number, point in enumerate(points):
        camera.note(np.array([point]))
        width, height = other if number % 3 == 2 else size
        assert seen(camera, [(0, 0), *points[: number + 1]], width, height)
    camera.settle()
    assert seen(camera, [(0, 0), *points], *size)
    sight = camera.sight(*size)
    extent = np.ptp([(0, 0), *points], axis=0) * sight.scale
    assert extent.max() == 0 or np.isclose(extent, size).any()


def test_a_usual_sketch_moves_the_view_seldom():
    """Ink that stays in sight changes nothing; a view that moved has room before it moves again."""
    camera, sights = Camera(), set()
    for x in np.linspace(0, 240, 49):
        camera.note(np.array([[x, 0.0]]))
        sight = camera.sight(100, 100)
        sights.add((sight.scale, *sight.center.tolist()))
    assert len(sights) <= 5
    assert {scale for scale, *_ in sights} == {sight.scale}  # it went aside, not back


def test_a_known_box_stays():
    """Whatever the pen does."""
    camera = Camera(Bounds(10, 10, 30, 20))
    before = camera.sight(100, 100)
    camera.note(np.array([[500.0, 500.0]]))
    camera.settle()
    after = camera.sight(100, 100)
    assert before.center.tolist() == after.center.tolist() == [20, 15]
    assert before.scale == after.scale == pytest.approx(5)


def test_a_dot_is_in_the_middle():
    """There is nothing to enlarge."""
    camera = Camera(Bounds(4, 5, 4, 5))
    sight = camera.sight(10, 10)
    assert ((np.array([4, 5]) - sight.center) * sight.scale).tolist() == [0, 0]
