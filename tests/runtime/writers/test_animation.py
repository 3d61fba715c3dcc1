"""SVG that draws itself: what a browser shows when, and that all others show the whole drawing."""

import functools
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from sketch_edge.runtime.course import Course, objects_of
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import render
from sketch_edge.runtime.writers.motion import LIFT_SHARE
from sketch_edge.runtime.writers.png import paint

SVG = "{http://www.w3.org/2000/svg}"


def lines(*each: Any) -> tuple[Any, ...]:
    """Lines as a sketch takes them, of plain lists."""
    return each


def scene() -> Scene:
    """Two pens in turn, thick lines, a dot, and the same object twice."""
    pens = (Pen("black", "black", 2.0), Pen("red", "red", 1.0))
    house = Placed(lines([[10, 90], [10, 50], [30, 20], [50, 50], [50, 90], [10, 90]], [[30, 60]]), "house", 0)
    sun = Placed(lines([[80, 10], [90, 20], [80, 30], [70, 20], [80, 10]], [[60, 20], [65, 20]]), "sun", 1)
    post = Placed(lines([[70, 90], [70, 60]]), "post", 0)
    return Scene(Page(100, 100, 0), pens, (house, sun, post, sun))


def times_of(content: bytes) -> list[tuple[float, float]]:
    """Start and end of each path in the order of the file, in seconds."""
    times = []
    for path in ET.fromstring(content).iter(f"{SVG}path"):
        found = re.fullmatch(r"--s:([0-9.]+)s;--d:([0-9.]+)s", path.attrib["style"])
        assert found is not None
        assert path.attrib["pathLength"] == "1"
        times.append((float(found[1]), float(found[1]) + float(found[2])))
    return times


def test_lines_follow_each_other_in_pen_order():
    """Objects in the order of the scene, whatever their layer; each line takes its share of the time."""
    content = render(scene(), "svg", animate=True, duration_s=4)
    course = Course(scene(), LIFT_SHARE)
    order = [0, 1, 4, 2, 3, 5, 6]  # the layer of the black pen comes first: house, post; then sun and sun
    for (start, end), number in zip(times_of(content), order, strict=True):
        assert start == pytest.approx(course.starts[number] * 4 / course.length, abs=0.0011)
        assert end == pytest.approx(course.ends[number] * 4 / course.length, abs=0.0011)


@pytest.mark.parametrize("loop", [0, 1, 3])
def test_all_but_the_animation_is_as_in_the_plain_file(loop):
    """Same paths, layers, titles, recipes; nothing hides a line outside the style sheet."""
    content = render(scene(), "svg", animate=True, loop=loop).decode()
    content = re.sub(r"\n <defs>.*</defs>", "", content, flags=re.DOTALL)
    content = re.sub(r' pathLength="1" style="[^"]*"', "", content)
    assert content == render(scene(), "svg").decode()


@pytest.mark.parametrize("loop", [0, 1, 3])
def test_who_wants_no_motion_and_who_prints_has_the_whole_drawing(loop):
    """Every rule that applies to a path stands behind a condition: a screen, and motion not unwanted."""
    content = render(scene(), "svg", animate=True, loop=loop)
    (sheet,) = ET.fromstring(content).iter(f"{SVG}style")
    text = (sheet.text or "").strip()
    assert text.startswith("@media screen and (prefers-reduced-motion:no-preference){#layer1 path,#layer2 path{")
    rules = re.sub(r"@keyframes \w+\{([^{}]*\{[^{}]*\})*\}", "", text)
    assert rules.strip().count("{") == 2


def test_repeating_files_span_hold_and_drawing():
    """Each line has keyframes over all of the time, hold included."""
    content = render(scene(), "svg", animate=True, duration_s=3, hold_s=1, loop=0).decode()
    assert "animation:4s linear infinite" in content
    assert "animation:4s linear 2" in render(scene(), "svg", animate=True, duration_s=3, hold_s=1, loop=2).decode()
    starts = [float(each) for each in re.findall(r"@keyframes k\d+\{from,([0-9.]+)%", content)]
    ends = [float(each) for each in re.findall(r"\}([0-9.]+)%,to", content)]
    assert starts == sorted(starts)
    assert len(starts) == 7
    assert (starts[0], ends[-1]) == (0, 75)


def test_the_file_is_not_much_larger():
    """Short attributes and shared keyframes: some fifty bytes a line."""
    sketch = Sketch(tuple(np.random.default_rng(1).normal(0, 60, (40, 6, 2)).cumsum(axis=1)))
    assert len(render(sketch, "svg", animate=True)) - len(render(sketch, "svg")) < 500 + 40 * 50


def test_a_page_without_lines_can_be_animated():
    """A model that ended at once is no error."""
    assert render(Sketch((), "star"), "svg", animate=True)
    assert render(Sketch((), "star"), "svg", animate=True, loop=0)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"speed": 2}, "speed: is for svg files that draw themselves; add animate"),
        ({"loop": 0}, "loop: is for svg files that draw themselves"),
        ({"animate": True, "speed": 0}, "speed: is 0 "),
        ({"animate": True, "duration_s": 999}, "duration_s: is 999 "),
        ({"animate": True, "loop": -1}, "loop: is -1 "),
    ],
)
def test_bad_times_are_refused(options, problem):
    """A time for a still file is a mistake, as is one out of range."""
    with pytest.raises(InputError, match=problem):
        render(scene(), "svg", **options)


@pytest.mark.skipif(shutil.which("rsvg-convert") is None, reason="rsvg-convert is not installed")
@pytest.mark.parametrize("loop", [0, 1])
def test_viewers_without_animation_show_the_whole_drawing(loop, tmp_path):
    """librsvg makes the same picture of the plain file and of one that draws itself."""
    pictures = []
    for name, options in (("plain", {}), ("moving", {"animate": True, "loop": loop})):
        (tmp_path / f"{name}.svg").write_bytes(render(scene(), "svg", background="white", **options))
        command = ["rsvg-convert", "-w", "300", tmp_path / f"{name}.svg"]
        pictures.append(subprocess.run(command, check=True, capture_output=True, timeout=60).stdout)
    assert pictures[0] == pictures[1]


@pytest.mark.skipif(shutil.which("xmllint") is None, reason="xmllint is not installed")
@pytest.mark.skipif(not Path("/usr/share/xml/w3c-sgml-lib").exists(), reason="the SVG 1.1 DTD is not installed")
@pytest.mark.parametrize("loop", [0, 1])
def test_the_svg_1_1_dtd_accepts_it(loop):
    """Less Inkscape's own attributes, the file is valid SVG 1.1."""
    content = render(scene(), "svg", animate=True, loop=loop)
    plain = re.sub(rb' (?:xmlns:)?inkscape(?::[a-z]+)?="[^"]*"', b"", content)
    dtd = "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd"
    command = ["xmllint", "--noout", "--nonet", "--dtdvalid", dtd, "-"]
    done = subprocess.run(command, input=plain, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@functools.cache
def browser() -> str | None:
    """A Chromium that can make pictures here; None where there is none."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if (path := shutil.which(name)) is not None:
            return path
    return None


def seen(content: bytes, second: float, folder: Path, reduced: bool = False) -> npt.NDArray[np.int_]:
    """What a browser shows of a file at a time: 300 x 300 pixels of grey."""
    svg = (
        content.decode()
        .split("?>", 1)[1]
        .replace('width="100mm"', 'width="300"')
        .replace('height="100mm"', 'height="300"')
    )
    script = f"for (const each of document.getAnimations()) {{ each.pause(); each.currentTime = {second * 1000}; }}"
    page = f"<!doctype html><meta charset=utf-8><body style='margin:0'>{svg}<script>{script}</script>"
    (folder / "page.html").write_text(page, encoding="utf-8")
    command = [
        str(browser()),
        *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1"),
        *(["--force-prefers-reduced-motion"] if reduced else []),
        *("--window-size=300,300", f"--user-data-dir={folder / 'profile'}", f"--screenshot={folder / 'seen.png'}"),
        (folder / "page.html").as_uri(),
    ]
    (folder / "seen.png").unlink(missing_ok=True)
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    with Image.open(folder / "seen.png") as picture:
        return np.asarray(picture.convert("L")).astype(int)


def ink_at(second: float, seconds: float) -> npt.NDArray[np.int_]:
    """What is drawn of the scene by then, as our own picture."""
    whole = scene()
    course = Course(whole, LIFT_SHARE)
    pieces = course.between(0, course.length * min(1.0, second / seconds))
    part = Scene(whole.page, whole.pens, objects_of(whole, pieces))
    return np.asarray(paint(part, width_px=300).convert("L")).astype(int)


@pytest.mark.skipif(browser() is None, reason="no chromium is installed")
@pytest.mark.parametrize(("loop", "second"), [(1, 0.0), (1, 1.3), (1, 9.0), (0, 4.5), (0, 6.3)])
def test_a_browser_draws_it_in_pen_order(loop, second, tmp_path):
    """At each time it shows the ink of the lines until there, with pens and dots, and none of what is to come."""
    content = render(scene(), "svg", animate=True, duration_s=4, hold_s=1, loop=loop, background="white")
    expected = ink_at(second % 5 if loop == 0 else second, 4)
    got = seen(content, second, tmp_path)
    assert np.abs(got - expected).mean() < 0.6
    assert (np.abs(got - expected) > 128).sum() <= 12
    assert (got < 128).any() == (second > 0)


@pytest.mark.skipif(browser() is None, reason="no chromium is installed")
@pytest.mark.parametrize("loop", [0, 1])
def test_a_browser_that_is_asked_for_less_motion_shows_all_at_once(loop, tmp_path):
    """Nothing moves, nothing is missing."""
    content = render(scene(), "svg", animate=True, duration_s=4, loop=loop, background="white")
    got = seen(content, 1.0, tmp_path, reduced=True)
    assert np.abs(got - ink_at(4, 4)).mean() < 0.6
