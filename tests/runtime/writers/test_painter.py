"""Painting piece by piece: the same picture as painting all at once, part of a pixel for part of a pixel."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.writers.motion import Film, Timing
from sketch_edge.runtime.writers.png import coverage

LEVELS = 64
"""As many steps as a pixel has parts: nothing is rounded."""


def film_of(scene: Scene, width_px: int, seconds: float, fps: float) -> Film:
    timing = Timing(duration_s=seconds, fps=fps)
    return Film(scene, "film", timing, width_px=width_px, background="white", levels=LEVELS)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 8),
    st.floats(0.05, 12),
    st.integers(20, 150),
    st.integers(1, 60),
)
def test_any_number_of_pieces_makes_the_same_picture(seed, count, pen_mm, width_px, frames):
    """However a drawing is cut into frames, the last shows what the PNG writer paints of it."""
    random = np.random.default_rng(seed)
    lines = tuple(random.uniform(-10, 70, (random.integers(1, 6), 2)) for _ in range(count))
    scene = Scene(Page(60, 45, 0), (Pen(width_mm=pen_mm),), (Placed(lines),))
    film = film_of(scene, width_px, frames / 50, 50) if frames > 2 else film_of(scene, width_px, 1, frames)
    shown = [frame.ms for frame in film.frames()]
    assert len(shown) <= frames
    parts = np.rint(
        np.asarray(coverage(scene.objects, (film.width_px, film.height_px), width_px / 60, pen_mm)) * (64 / 255)
    )
    # A corner right between two parts may be rounded to either: one part of one row of a pixel.
    assert np.abs(film.last() - parts).max() <= 1
    assert (film.last() != parts).sum() <= 3 + 0.001 * parts.size


def test_a_line_cut_anywhere_keeps_its_straight_sides():
    """Thousands of cuts leave no notches and no bulges."""
    scene = Scene(Page(60, 45, 0), (Pen(width_mm=3),), (Placed((np.array([[3.3, 4.7], [56.1, 39.2]]),)),))
    pictures = []
    for frames in (1, 7, 700):
        film = film_of(scene, 200, 14, frames / 14) if frames > 14 else film_of(scene, 200, 1, frames)
        assert sum(1 for _ in film.frames()) == frames
        pictures.append(film.last())
    assert (pictures[0] == pictures[1]).all()
    assert (pictures[0] == pictures[2]).all()


def test_frames_add_up():
    """The changes of all frames, one over the other, are what is shown, and each frame shows what it says."""
    random = np.random.default_rng(4)
    lines = tuple(random.uniform(5, 55, (9, 4, 2)))
    pens = (Pen("black", width_mm=2), Pen("red", "red", 3))
    scene = Scene(Page(60, 60, 0), pens, tuple(Placed((line,), pen=number % 2) for number, line in enumerate(lines)))
    film = Film(scene, "film", Timing(), width_px=90, background="white", levels=3)
    picture = np.zeros((90, 90), np.uint8)
    for number, frame in enumerate(film.frames()):
        height, width = frame.changes.shape
        area = picture[frame.top : frame.top + height, frame.left : frame.left + width]
        np.copyto(area, frame.changes, where=frame.changes > 0)
        assert (area == frame.shown).all()
        if number:
            assert frame.changes[0].any()
            assert frame.changes[-1].any()
            assert frame.changes[:, 0].any()
            assert frame.changes[:, -1].any()
    assert (picture == film.last()).all()
