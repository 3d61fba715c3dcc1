"""Pictures of which the pixels are known."""

import numpy as np
import pytest

pytest.importorskip("PIL")

from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.raster import BOX, SIDE, Change, rasterise

SQUARE = Drawing.from_lines([np.array([[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]])])


def test_a_square_fills_the_box_and_is_centred():
    """24 of 28 pixels, lines of 1.5 around its edge."""
    (picture,) = rasterise([SQUARE])
    assert picture.shape == (SIDE, SIDE)
    assert picture.dtype == np.uint8
    rows, columns = np.nonzero(picture)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 26, 1, 26)
    assert not picture[5:23, 5:23].any()
    assert picture[14].max() > 150
    assert picture[14].astype(float).sum() / 255 == pytest.approx(3.0, abs=0.5)


def test_place_and_size_do_not_matter():
    """A drawing elsewhere and larger is the same picture."""
    moved = Drawing(SQUARE.points * 17 + [300, -40], SQUARE.ends)
    np.testing.assert_array_equal(rasterise([SQUARE]), rasterise([moved]))


def test_lines_are_not_joined():
    """The move between two lines leaves no ink."""
    lines = [np.array([[0.0, 0.0], [0.0, 10.0]]), np.array([[10.0, 0.0], [10.0, 10.0]])]
    (picture,) = rasterise([Drawing.from_lines(lines)])
    assert not picture[:, 5:23].any()


@pytest.mark.parametrize("points", [[[3.0, 4.0]], [[3.0, 4.0], [3.0, 4.0]]])
def test_a_dot_is_seen(points):
    """A drawing without extent is a dot in the middle, or nothing worse."""
    (picture,) = rasterise([Drawing.from_lines([np.array(points)])])
    rows, columns = np.nonzero(picture)
    if len(points) == 1:
        assert picture[13:15, 13:15].any()
    assert ((rows > 11) & (rows < 16) & (columns > 11) & (columns < 16)).all()


def test_stretching_fits_each_axis_but_keeps_lines_lines():
    """A rectangle becomes the square; a line that is nearly level stays so."""
    wide = Drawing(SQUARE.points * [2, 1], SQUARE.ends)
    np.testing.assert_array_equal(rasterise([wide], stretch=True), rasterise([SQUARE]))
    assert (rasterise([wide]) != rasterise([SQUARE])).any()
    level = Drawing.from_lines([np.array([[0.0, 0.0], [100.0, 1.0]])])
    rows, _ = np.nonzero(rasterise([level], stretch=True)[0])
    assert np.ptp(rows) <= 4


def test_a_change_acts_before_and_after_fitting():
    """The matrix turns the points; size and shift move the picture."""
    change = Change(np.eye(2), 0.5, (3.0, -2.0))
    rows, columns = np.nonzero(rasterise([SQUARE], [change])[0])
    assert rows.mean() == pytest.approx(13.5 - 2, abs=0.3)
    assert columns.mean() == pytest.approx(13.5 + 3, abs=0.3)
    assert np.ptp(rows) == pytest.approx(BOX / 2 + 1, abs=1)


def test_pictures_are_made_quickly():
    """A drawing of fifty points takes well under a millisecond."""
    import time

    rng = np.random.default_rng(0)
    drawings = [Drawing.from_lines([rng.uniform(0, 255, (10, 2)) for _ in range(5)])] * 500
    start = time.process_time()
    rasterise(drawings)
    assert time.process_time() - start < 1.0
