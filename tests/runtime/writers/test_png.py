"""PNG: ink where lines are and none elsewhere, sizes, colours, captions."""

import io
import itertools
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange, sheet
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import png, render


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


CORNER = Sketch(lines([[0, 0], [255, 0], [255, 255]]), "corner", seed=7, temperature=0.4)


def drawn(*lines: Any, pen: Pen | None = None, page: Page | None = None) -> Scene:
    return Scene(page or Page(100, 100, 0), (pen or Pen(width_mm=2.0),), (Placed(lines, "x"),))


def pixels(scene: Scene, **options: Any) -> npt.NDArray[np.int_]:
    """The picture as its reader sees it, shape (height, width, bands), 0 to 255."""
    with Image.open(io.BytesIO(render(scene, "png", **options))) as picture:
        picture.load()
        return np.asarray(picture).astype(int)


def distance_to(lines: Any, size: tuple[int, int], px_per_mm: float) -> npt.NDArray[np.float64]:
    """Distance in mm of the middle of each pixel to the nearest line."""
    x, y = np.meshgrid(*[(np.arange(length) + 0.5) / px_per_mm for length in size])
    nearest = np.full(x.shape, np.inf)
    for line in lines:
        line = np.asarray(line, float)
        for start, end in itertools.pairwise(line) if len(line) > 1 else [(line[0], line[0])]:
            step = end - start
            along = ((x - start[0]) * step[0] + (y - start[1]) * step[1]) / max(step @ step, 1e-12)
            along = along.clip(0, 1)
            nearest = np.minimum(nearest, np.hypot(x - start[0] - along * step[0], y - start[1] - along * step[1]))
    return nearest


@pytest.mark.parametrize(
    "lines",
    [
        [[[20, 30], [80, 70], [80, 20]]],
        [[[50, 50]]],
        [[[10.3, 10], [10.3, 90]], [[5, 95.2], [95, 95.2]], [[50, 20]]],
        [[[40, 40], [60, 60], [40, 60], [60, 40], [40, 40]]],
    ],
    ids=["bend", "dot", "upright and level", "crossing"],
)
@pytest.mark.parametrize("width_mm", [0.5, 2.0, 7.3])
def test_ink_is_where_the_lines_are_and_nowhere_else(lines, width_mm):
    """Within half a pen of a line all is black, beyond it white, and the edge between is one pixel wide and grey."""
    got = pixels(drawn(*lines, pen=Pen(width_mm=width_mm)), width_px=400)[:, :, 0]
    distance = distance_to(lines, (400, 400), 4)
    pixel = 0.25
    assert (got[distance < width_mm / 2 - pixel] == 0).all()
    assert (got[distance > width_mm / 2 + pixel] == 255).all()
    assert (got < 128).any()


@pytest.mark.parametrize("angle", [0, 10, 30, 45, 77])
def test_edges_are_smooth(angle):
    """The ink of a line is its length times its width, at any angle: edges are greys, not steps."""
    turn = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
    line = np.array([50 - 40 * turn, 50 + 40 * turn])
    got = pixels(drawn(line, pen=Pen(width_mm=1.0)), width_px=400)[:, :, 0]
    expected = 80 * 1.0 + np.pi * 0.5**2
    assert (255 - got).sum() / 255 / 16 == pytest.approx(expected, rel=0.04)
    assert len(np.unique(got)) >= (2 if angle == 0 else 7)


def test_a_thin_line_stays_visible():
    """A line much finer than a pixel is drawn as fine as can be seen."""
    got = pixels(drawn([[10, 50], [90, 50]], pen=Pen(width_mm=0.01)), width_px=100)[:, :, 0]
    assert (got[:, 15:85].min(axis=0) < 100).all()


@pytest.mark.parametrize(
    ("page", "width_px", "size"),
    [
        ("100x100mm", 800, (800, 800)),
        ("a4", 480, (480, 679)),
        ("a4-landscape", 300, (300, 212)),
        ("1000x1mm", 10, (10, 1)),
    ],
)
def test_the_picture_has_the_shape_of_the_page(page, width_px, size):
    """The width is as asked for, the height follows."""
    with Image.open(io.BytesIO(render(CORNER, "png", page=page, width_px=width_px))) as picture:
        assert picture.size == size
        assert picture.mode == "RGB"


@pytest.mark.parametrize(
    ("page", "width_px"), [("a4", 0), ("a4", -5), ("a4", 20_001), ("a4", 15_000), ("1x1000mm", 30)]
)
def test_pictures_out_of_range_are_refused(page, width_px):
    """A side has 1 to 20,000 pixels, and there are at most 100 million."""
    with pytest.raises(InputError, match=r"^png: would be"):
        render(CORNER, "png", page=page, width_px=width_px)


def test_large_pictures_are_drawn_in_bands_without_seams(monkeypatch):
    """Drawing in bands of any height gives the same picture."""
    scene = arrange([CORNER, Sketch(lines([[0, 0], [255, 200]]))], "a6")
    whole = render(scene, "png", width_px=200)
    monkeypatch.setattr(png, "BAND_BYTES", 7 * 200 * png.OVERSAMPLING**2)
    assert render(scene, "png", width_px=200) == whole


def test_pens_have_their_colours():
    """Each object has the colour of its pen, on the colour of the background."""
    pens = (Pen("red", "#ff0000", 4), Pen("blue", "#0000ff", 4))
    objects = (Placed(lines([[20, 50]]), pen=0), Placed(lines([[80, 50]]), pen=1))
    got = pixels(Scene(Page(100, 100, 0), pens, objects), width_px=100, background="yellow")
    assert got[50, 20].tolist() == [255, 0, 0]
    assert got[50, 80].tolist() == [0, 0, 255]
    assert got[10, 50].tolist() == [0xE6, 0xB8, 0x00]


def test_a_transparent_picture_lies_on_any_colour():
    """Empty parts are fully transparent, lines opaque, and edges have the pen's colour, not grey."""
    got = pixels(drawn([[20, 20], [80, 70]], pen=Pen("red", "#ff0000", 3)), width_px=200, background="transparent")
    assert got.shape == (200, 200, 4)
    assert got[5, 5, 3] == 0
    assert got[90, 100].tolist() == [255, 0, 0, 255]
    edges = got[(got[:, :, 3] > 0) & (got[:, :, 3] < 255)]
    assert len(edges) > 50
    assert (edges[:, :3] == [255, 0, 0]).all()


@pytest.mark.parametrize("background", ["mauve", "#12", ""])
def test_a_background_that_is_no_colour_is_refused(background):
    """A typing error is not a white page."""
    with pytest.raises(InputError, match="is unknown"):
        render(CORNER, "png", background=background)


def test_the_file_says_what_it_shows():
    """Title, recipe and size on paper are in the file; no date is."""
    scene = arrange([CORNER, Sketch(lines([[0, 0]]), "dot\x00\n")], "a6")
    with Image.open(io.BytesIO(render(scene, "png", width_px=827))) as picture:
        picture.load()
        assert picture.info["Title"] == "corner, dot"
        assert picture.info["Description"] == "corner, seed 7, sketch 0, temperature 0.4\ndot"
        assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.2)
        assert set(picture.info) == {"Title", "Description", "Software", "dpi"}


def test_captions_are_written_below_the_sketches():
    """A contact sheet has text where the layout put it; without labels there is none."""
    cell = [[CORNER]]
    scene = sheet(cell, cell_mm=50)
    with_text, (caption,) = pixels(scene, width_px=300), scene.captions
    bare = Scene(scene.page, scene.pens, scene.objects)
    changed = (with_text != pixels(bare, width_px=300)).any(axis=2)
    px_per_mm = 300 / scene.page.width_mm
    rows, columns = np.nonzero(changed)
    assert rows.min() > (caption.y_mm - caption.size_mm) * px_per_mm
    assert rows.max() < (caption.y_mm + 0.4 * caption.size_mm) * px_per_mm
    assert (columns.min() + columns.max()) / 2 == pytest.approx(caption.x_mm * px_per_mm, abs=3)


@pytest.mark.parametrize("text", ["\x00\x1f", "\ud800", "漢字 \U0001f600", "a\nb", "x" * 10_000])
def test_hostile_labels_can_be_drawn(text):
    """Whatever a class is called, a sheet of it is a picture."""
    assert pixels(sheet([[Sketch(CORNER.lines, text)]]), width_px=100).shape[1] == 100
