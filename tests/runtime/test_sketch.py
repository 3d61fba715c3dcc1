"""The sketch: what it holds, measures and refuses."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.sketch import Bounds, Sketch


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


HOUSE = Sketch(
    lines(np.array([[10, 20], [30, 20], [30, 50]], np.float32), [[15, 60]]), "house", seed=7, index=2, temperature=0.4
)


def test_lines_become_float64_and_read_only():
    """Whatever the lines were given as, they are float64, copied, and cannot be changed."""
    given = np.array([[1, 2], [3, 4]], np.int16)
    sketch = Sketch(
        lines(
            given,
        )
    )
    given[0] = 99
    assert sketch.lines[0].dtype == np.float64
    np.testing.assert_array_equal(sketch.lines[0], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="read-only"):
        sketch.lines[0][0, 0] = 5


def test_bounds_hold_every_point():
    """The bounds are the smallest rectangle around all lines, dots included."""
    assert HOUSE.bounds == Bounds(10, 20, 30, 60)
    assert (HOUSE.bounds.width, HOUSE.bounds.height, HOUSE.bounds.center) == (20, 40, (20, 40))


def test_points_are_counted():
    """The points of all lines count."""
    assert HOUSE.point_count == 4


def test_a_sketch_without_lines_is_one():
    """A model may end before it has drawn anything."""
    empty = Sketch((), "star")
    assert empty.bounds == Bounds(0, 0, 0, 0)
    assert empty.point_count == 0
    assert empty.stroke3.shape == (0, 3)
    assert empty.to_simplified() == []


def test_stroke3_and_back():
    """A sketch made of its own stroke-3 has the same lines, given where it starts."""
    np.testing.assert_array_equal(HOUSE.stroke3, [[20, 0, 0], [0, 30, 1], [-15, 10, 1]])
    again = Sketch.from_stroke3(HOUSE.stroke3, "house", seed=7, index=2, temperature=0.4, origin=(10, 20))
    assert (again.label, again.seed, again.index, again.temperature) == ("house", 7, 2, 0.4)
    for line, other in zip(HOUSE.lines, again.lines, strict=True):
        np.testing.assert_array_equal(line, other)


def test_simplified_form():
    """The official form starts at (0, 0), is 255 along its larger side, and whole."""
    assert HOUSE.to_simplified() == [[[0, 128, 128], [0, 0, 191]], [[32], [255]]]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e300])
def test_coordinates_that_are_no_places_are_refused(value):
    """nan, infinity and absurd numbers are an error that names the class and the line."""
    with pytest.raises(InputError, match=r"^cat: line 1 holds the coordinate"):
        Sketch(lines([[0, 0], [1, 1]], [[0, 0], [1, value]]), "cat")


@pytest.mark.parametrize(
    "line", [[1, 2, 3], [[1, 2, 3]], np.zeros((0, 2)), [["a", "b"]], [[1, 2], [3]], [[None, 1]]], ids=repr
)
def test_lines_of_another_shape_are_refused(line):
    """A line has points, and a point has two numbers."""
    with pytest.raises(InputError, match=r"^sketch: line 0 "):
        Sketch(
            lines(
                line,
            )
        )


def test_saving_picks_the_format_by_suffix(tmp_path):
    """One call writes the picture that the suffix names."""
    HOUSE.save(tmp_path / "house.svg")
    HOUSE.save(tmp_path / "house.png", width_px=50)
    assert (tmp_path / "house.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "house.png").read_bytes().startswith(b"\x89PNG")


def test_notebooks_show_the_sketch():
    """The notebook hook gives the SVG as text."""
    assert "<svg" in HOUSE._repr_svg_()


def test_importing_stays_light():
    """Drawing libraries are imported when a file is written, not with the package."""
    code = (
        "import sys, sketch_edge.runtime.sketch, sketch_edge.runtime.writers\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'xml', 'PIL', 'torch', 'onnx', 'click'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
