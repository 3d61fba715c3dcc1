"""The bundle that ships: what it promises on its card."""

from pathlib import Path

import numpy as np
import pytest

from sketch_edge import load
from sketch_edge.runtime.bundle import open_bundle

PROMISED = (
    "apple",
    "bicycle",
    "cake",
    "candle",
    "car",
    "cat",
    "circle",
    "clock",
    "cloud",
    "eye",
    "fish",
    "grapes",
    "line",
    "square",
    "star",
    "triangle",
)
CARD = (Path(__file__).parent.parent / "models" / "README.md").read_text()


@pytest.fixture(scope="module")
def artist():
    return load()


def test_it_is_small_and_verified():
    """Weight-only int8, at most 4 MB, within 1e-5 of torch."""
    bundle = open_bundle(None)
    assert bundle.manifest.variant == "w8"
    assert bundle.path.stat().st_size <= 4_000_000
    assert 0 < bundle.manifest.parity.max_abs_error <= 1e-5
    assert (bundle.manifest.parity.steps, bundle.manifest.parity.batches) == (250, (1, 2, 5))


def test_it_draws_the_promised_classes(artist):
    """The classes that every release has are there, and the card names each class."""
    assert set(PROMISED) <= set(artist.classes)
    assert all(f"| {name} |" in CARD for name in artist.classes)


@pytest.mark.parametrize("name", PROMISED)
def test_drawings_are_drawings(artist, name):
    """Twenty sketches of a class: of a drawing's size, several points, nearly all ended by the model itself."""
    sketches = artist.draw_many([name] * 20, seed=5)
    sides = [max(sketch.bounds.width, sketch.bounds.height) for sketch in sketches]
    assert 120 < np.median(sides) < 400
    assert sum(sketch.complete for sketch in sketches) >= 16
    assert len({sketch.stroke3.tobytes() for sketch in sketches}) > 15


def test_batch_alone_and_stream_are_equal(artist):
    """The same seed gives the same strokes in all three ways of drawing, to the last bit."""
    names = [name for name in PROMISED for _ in range(4)]
    for number, together in enumerate(artist.draw_many(names, seed=11)):
        alone = artist.draw(names[number], seed=11, index=number)
        assert len(alone.lines) == len(together.lines)
        assert all(np.array_equal(a, b) for a, b in zip(alone.lines, together.lines, strict=True))
        points = list(artist.stream(names[number], seed=11, index=number))
        assert (points[0].x, points[0].y, points[0].drawn) == (0.0, 0.0, False)
        drawn = [(round(point.x * 16), round(point.y * 16)) for point in points]
        expected = {(round(x * 16), round(y * 16)) for line in alone.lines for x, y in line.tolist()}
        assert set(drawn) == expected


def test_two_threads_draw_what_one_draws(artist):
    """The number of threads changes nothing about a sketch."""
    names = PROMISED
    for one, two in zip(artist.draw_many(names, seed=3), load(threads=2).draw_many(names, seed=3), strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(one.lines, two.lines, strict=True))
