"""Moving pictures in every format that has them: what is seen when, sizes, colours, limits."""

import io
import itertools
import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sketch_edge.runtime.contact import contact_sheet
from sketch_edge.runtime.course import Course, objects_of
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import painter, render
from sketch_edge.runtime.writers.motion import LIFT_SHARE
from sketch_edge.runtime.writers.png import paint

MOVING = ("gif", "apng", "webp")
LEVELS = {"gif": 3, "apng": 7, "webp": 7}
every_format = pytest.mark.parametrize("name", MOVING)

Pixels = npt.NDArray[np.int_]


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


def drawn(*lines: Any, pen: Pen | None = None) -> Scene:
    return Scene(Page(100, 60, 0), (pen or Pen(width_mm=2.0),), (Placed(lines, "x", seed=7),))


def sketches(count: int, seed: int = 3) -> list[Sketch]:
    """Wobbly circles and strokes, some five lines each."""
    random = np.random.default_rng(seed)
    turns = np.linspace(0, 6.2, 14)
    made = []
    for _ in range(count):
        circle = np.stack([np.cos(turns), np.sin(turns)], axis=1) * 90 + random.normal(0, 9, (14, 2))
        made.append(Sketch((circle, *(random.normal(0, 60, (4, 3, 2)).cumsum(axis=1))), "blob", seed=seed))
    return made


def film(content: bytes) -> list[tuple[Pixels, int]]:
    """The frames as a viewer shows them: pixels of shape (height, width, 4), and milliseconds."""
    frames = []
    with Image.open(io.BytesIO(content)) as picture:
        still = bool(getattr(picture, "default_image", False))  # no part of the film
        for number in range(still, getattr(picture, "n_frames", 1)):
            picture.seek(number)
            picture.load()
            frames.append((np.asarray(picture.convert("RGBA")).astype(int), int(picture.info["duration"])))
    return frames


def assert_alike(got: Pixels, expected: Image.Image, name: str, few: float = 0.0) -> None:
    """No pixel is further off than rounding to the palette makes it, but where inks mix, a share `few` of the ink."""
    wanted = np.asarray(expected.convert("RGBA")).astype(int)
    assert got.shape == wanted.shape
    difference = np.abs(got - wanted).max(axis=2)
    inked = (wanted != wanted[0, 0]).any(axis=2)
    assert (difference > 255 / LEVELS[name] / 2 + 1).sum() <= few * inked.sum()


DRAWINGS = {
    "line and dot": drawn([[10, 10], [80, 50], [90, 10]], [[20, 45]], [[30, 50], [60, 50]]),
    "crossing": drawn([[10, 10], [90, 50]], [[10, 50], [90, 10]], [[50, 5], [50, 55]], pen=Pen(width_mm=5)),
    "colour": drawn([[10, 10], [80, 50]], [[5, 5]], pen=Pen("blue", "blue", 0.3)),
    "sketches": arrange(sketches(6), "a6"),
}


@every_format
@pytest.mark.parametrize("scene", DRAWINGS.values(), ids=DRAWINGS)
def test_each_frame_shows_what_is_drawn_by_then(name, scene):
    """Frame k of n has the ink of the first k/n of the way, in pen order, give or take half a frame where it lifts."""
    frames = film(render(scene, name, width_px=240, duration_s=1, fps=10))
    course = Course(scene, LIFT_SHARE)
    step = 255 / LEVELS[name] / 2

    def ink(frame: float) -> Pixels:
        pieces = course.between(0, course.length * max(0.0, frame) / 10)
        part = Scene(scene.page, scene.pens, objects_of(scene, pieces))
        return np.asarray(paint(part, width_px=240).convert("RGBA")).astype(int)

    time = 0
    for got, ms in frames:
        number = time // 100 + 1  # a frame in which nothing moves is left out
        assert (got <= ink(number - 0.5) + step + 34).all()
        assert (got >= ink(number + 0.5) - step - 34).all()
        time += ms
    assert time == 3000
    assert_alike(frames[-1][0], paint(scene, width_px=240), name)


@every_format
def test_within_a_line_the_pen_is_equally_fast(name):
    """Each frame of a long straight line has one equal piece more."""
    frames = film(render(drawn([[10, 30], [90, 30]]), name, width_px=500, duration_s=2, fps=20))
    lengths = [(pixels[150, :, 0] < 128).sum() for pixels, _ in frames]
    assert len(frames) == 40
    assert np.abs(np.diff(lengths[:-1]) - 10).max() <= 1  # the last has the round end too


@every_format
@pytest.mark.parametrize("fps", [1, 7.5, 20, 24, 25, 30, 33.3, 50])
def test_the_times_are_those_asked_for(name, fps):
    """Drawing and hold take as long as they should, and no frame is so short that browsers would slow it down."""
    long = drawn([[2, 2], [98, 2], [98, 58], [2, 58]])
    content = render(long, name, width_px=500, duration_s=2.03, fps=fps, hold_s=1.5)
    times = [ms for _, ms in film(content)]
    assert sum(times) == 3530
    assert len(times) == int(2.03 * fps)
    assert all(ms % 10 == 0 and ms >= 20 for ms in times)
    assert times[-1] >= 1500
    assert max(times[:-1]) - min(times[:-1]) <= 10


@every_format
def test_a_drawing_takes_the_longer_the_more_ink_it_has(name):
    """A sketch takes seconds, a full page not minutes; speed divides that."""

    def seconds(count: int, **options: Any) -> float:
        content = render(sketches(count), name, page="a4", width_px=40, hold_s=0, **options)
        return sum(ms for _, ms in film(content)) / 1000

    one, ten, many = seconds(1), seconds(10), seconds(300)
    assert 2 < one < ten < many == 10
    assert seconds(300, speed=2) == 5
    assert seconds(1, speed=0.5) == pytest.approx(2 * one, abs=0.011)


@every_format
@pytest.mark.parametrize("loop", [0, 1, 3])
def test_it_plays_as_often_as_asked_for(name, loop):
    """0 is for ever; a GIF says how often it plays again, the others how often it plays."""
    with Image.open(io.BytesIO(render(DRAWINGS["colour"], name, width_px=50, loop=loop))) as picture:
        if name == "gif":
            assert picture.info.get("loop") == {0: 0, 1: None, 3: 2}[loop]
        else:
            assert picture.info["loop"] == loop


@every_format
@pytest.mark.parametrize("background", ["white", "#102030", "yellow"])
def test_background_and_pen_have_their_exact_colours(name, background):
    """Where there is no ink is the background, under the pen its colour, in every frame."""
    scene = drawn([[10, 30], [90, 30]], pen=Pen("odd", "#c01177", 6))
    first, *_, last = (pixels for pixels, _ in film(render(scene, name, width_px=200, background=background)))
    ground = {"white": [255, 255, 255], "#102030": [16, 32, 48], "yellow": [0xE6, 0xB8, 0]}[background]
    for frame in (first, last):
        assert frame[0, 0].tolist() == [*ground, 255]
        assert frame[60, 21].tolist() == [0xC0, 0x11, 0x77, 255]
    assert first[60, 170].tolist() == [*ground, 255]
    assert last[60, 170].tolist() == [0xC0, 0x11, 0x77, 255]


@every_format
def test_pens_lie_over_each_other_as_in_a_picture(name):
    """A later pen covers an earlier one even where it was there first."""
    pens = (Pen("red", "#ff0000", 6), Pen("blue", "#0000ff", 6))
    objects = (Placed(lines([[10, 30], [90, 30]]), pen=1), Placed(lines([[50, 5], [50, 55]]), pen=0))
    scene = Scene(Page(100, 60, 0), pens, objects)
    frames = [pixels for pixels, _ in film(render(scene, name, width_px=200))]
    assert frames[-1][60, 100].tolist() == [0, 0, 255, 255]
    assert frames[-1][40, 100].tolist() == [255, 0, 0, 255]
    assert_alike(frames[-1], paint(scene, width_px=200), name, few=0.01)


@every_format
def test_white_ink_covers_black_ink(name):
    """Ink in the colour of the background is ink, not "as before"."""
    pens = (Pen("black", "black", 8), Pen("white", "white", 4))
    objects = (Placed(lines([[10, 30], [90, 30]]), pen=0), Placed(lines([[10, 30], [90, 30]]), pen=1))
    scene = Scene(Page(100, 60, 0), pens, objects)
    last = film(render(scene, name, width_px=200))[-1][0]
    assert last[60, 100].tolist() == [255, 255, 255, 255]
    assert last[66, 100].tolist() == [0, 0, 0, 255]
    assert_alike(last, paint(scene, width_px=200), name, few=0.01)


@every_format
def test_a_transparent_film_lies_on_any_colour(name):
    """Where no ink is, nothing is seen, in every frame; edges have the pen's colour, in a GIF all of it."""
    scene = drawn([[20, 20], [80, 40]], [[80, 20], [20, 40]], pen=Pen("red", "#ff0000", 3))
    frames = [pixels for pixels, _ in film(render(scene, name, width_px=200, background="transparent"))]
    expected = np.asarray(paint(scene, width_px=200, background="transparent")).astype(int)
    for frame in frames:
        assert frame[2, 2, 3] == 0
        inked = frame[:, :, 3] > 0
        assert (frame[inked][:, :3] == [255, 0, 0]).all()
        assert inked.any()
    last = frames[-1][:, :, 3]
    assert np.abs(last - expected[:, :, 3]).max() <= (160 if name == "gif" else 60)
    assert (set(np.unique(last)) == {0, 255}) == (name == "gif")


@every_format
def test_captions_stand_there_from_the_start(name):
    """They belong to the page; the finished film has them where the picture has them."""
    scene = contact_sheet(sketches(4))
    frames = [pixels for pixels, _ in film(render(scene, name, width_px=300))]
    wanted = np.asarray(paint(Scene(scene.page, scene.pens, (), scene.captions), width_px=300).convert("RGBA"))
    letters = (wanted < 128).any(axis=2)
    assert letters.sum() > 50
    assert (frames[0][letters][:, 0] < 200).all()
    assert_alike(frames[-1], paint(scene, width_px=300), name)


@every_format
def test_frames_without_change_lengthen_the_one_before(name):
    """While the pen is beside the page nothing moves, and the film takes as long as ever."""
    scene = drawn([[10, 10], [50, 10]], [[150, 10], [350, 10]], [[10, 50], [50, 50]])
    times = [ms for _, ms in film(render(scene, name, width_px=100, duration_s=2, hold_s=1))]
    assert sum(times) == 3000
    assert len(times) < 20
    assert max(times[:-1]) > 800


@every_format
@pytest.mark.parametrize("scene", [Scene(), Scene(objects=(Placed((), "x"),)), drawn([[500, 500], [600, 600]])])
def test_a_page_without_ink_is_one_empty_frame(name, scene):
    """A model that ended at once is no error."""
    ((pixels, _),) = film(render(scene, name, width_px=50))
    assert (pixels == 255).all()


@every_format
def test_equal_scenes_give_equal_bytes(name):
    """However finely the painter works; the bytes depend on the drawing alone."""
    content = render(DRAWINGS["sketches"], name, width_px=200)
    assert render(arrange(sketches(6), "a6"), name, width_px=200) == content


@every_format
def test_large_pieces_are_painted_in_bands_without_seams(name, monkeypatch):
    """Painting in bands of any height gives the same film."""
    scene = contact_sheet(sketches(3), pens=[Pen(), Pen("red", "red", 2)])
    whole = render(scene, name, width_px=150, fps=2)
    monkeypatch.setattr(painter, "BAND_BYTES", 3 * 64 * 40)
    assert render(scene, name, width_px=150, fps=2) == whole


@every_format
@pytest.mark.parametrize("side", [1, 2, 3, 7])
def test_tiny_pictures_can_be_made(name, side):
    """Down to a single pixel."""
    scene = Scene(Page(10, 10, 0), (Pen(),), (Placed(lines([[1, 1], [9, 9]], [[9, 1]])),))
    assert film(render(scene, name, width_px=side))[0][0].shape == (side, side, 4)


@every_format
def test_many_objects_stay_small(name):
    """Three hundred sketches on a page."""
    content = render(arrange(sketches(300), "a3"), name, width_px=300, fps=5)
    assert sum(ms for _, ms in film(content)) == 12_000
    assert len(content) < 100_000


@every_format
@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"width_px": 0}, "would be 0 x 1 pixels"),
        ({"width_px": -7}, "would be -7 x 1 pixels"),
        ({"width_px": 8001}, "would be 8001 x 4801 pixels .expected 1 to 8000 a side.; choose another width"),
        (
            {"width_px": 6000},
            "would be 6000 x 3600 pixels .at most 16.0 million with 1 ink.; choose a width up to 5163",
        ),
        (
            {"width_px": 4000, "duration_s": 30},
            "in 600 frames .at most 2000 million in all.; choose a smaller width, a",
        ),
        ({"fps": 0}, "fps: is 0 .expected 1 to 50."),
        ({"fps": 51}, "fps: is 51 "),
        ({"fps": float("nan")}, "fps: is nan "),
        ({"duration_s": 0}, "duration_s: is 0 .expected 0.05 to 300."),
        ({"duration_s": float("inf")}, "duration_s: is inf "),
        ({"hold_s": -1}, "hold_s: is -1 .expected 0 to 300."),
        ({"hold_s": 301}, "hold_s: is 301 "),
        ({"speed": 0}, "speed: is 0 .expected 0.01 to 100."),
        ({"speed": 2, "duration_s": 2}, "duration_s: goes instead of speed"),
        ({"loop": -1}, "loop: is -1 .expected 0 to 65535."),
        ({"loop": 65536}, "loop: is 65536 "),
        ({"loop": 1.5}, "loop: is 1.5 .expected a whole number"),
        ({"background": "mauve"}, "colour 'mauve': is unknown"),
    ],
)
def test_what_is_out_of_range_is_refused_before_any_memory_is_taken(name, options, problem):
    """The error says what can be; nothing large was made by then."""
    render(DRAWINGS["colour"], name, width_px=20)  # imports
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=problem):
            render(DRAWINGS["colour"], name, **options)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@every_format
def test_more_pens_take_more_memory(name):
    """The limit counts inks; so many colours that none has its steps are refused too."""
    pens = tuple(Pen(str(number), f"#0000{number:02x}") for number in range(90))
    objects = tuple(Placed(lines([[number, 5]]), pen=number) for number in range(90))
    with pytest.raises(InputError, match=rf"^{name}: would be 600 x 600 .*million with 90 inks"):
        render(Scene(pens=pens, objects=objects), name, width_px=600)
    with pytest.raises(InputError, match=rf"^{name}: the pens and captions have 90 colours \(at most 84\)"):
        render(Scene(pens=pens, objects=objects), name, width_px=100)
    most = Scene(pens=pens[:84], objects=objects[:84])
    last = film(render(most, name, width_px=100))[-1][0]
    assert last[4, 80, :3].tolist() != [255, 255, 255]


def test_ink_never_goes_away():
    """In each frame every pixel is at least as dark as before."""
    frames = [pixels[:, :, 0] for pixels, _ in film(render(DRAWINGS["sketches"], "gif", width_px=200))]
    assert all((after <= before).all() for before, after in itertools.pairwise(frames))
