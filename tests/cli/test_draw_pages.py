"""sketch-draw: pens, sheets, scenes and moving pictures."""

import io
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.contact import contact_sheet
from sketch_edge.runtime.scenes.compose import compose
from sketch_edge.runtime.scenes.hidden import hide
from sketch_edge.runtime.scenes.scene_file import read_composition
from sketch_edge.runtime.writers import render
from tests.cli.drawing import TINY, draw, drawn

SVG = "{http://www.w3.org/2000/svg}"
LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
SCENE = """
format = 1
layout = "row"
[page]
size = "a6-landscape"
[[pen]]
name = "black"
[[pen]]
name = "red"
[[object]]
class = "star"
pen = "red"
at = ["50%", "50%"]
size = "60mm"
[[object]]
class = "cat"
[[object]]
name = "card"
lines = [[[0, 0], [200, 0], [200, 100], [0, 100], [0, 0]]]
in-front-of = "star"
at = ["50%", "50%"]
size = "20mm"
"""
pytestmark = pytest.mark.usefixtures("folder")


def refused(*args: str) -> str:
    """Run sketch-draw, expect one error line and no new file; returns the line."""
    before = sorted(Path.cwd().iterdir())
    result = draw(*args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert sorted(Path.cwd().iterdir()) == before
    assert len(result.stderr.splitlines()) == 1
    return result.stderr


def layers(path: str) -> list[str]:
    """The labels of the layers of an SVG file."""
    return [group.get(LABEL, "") for group in ET.parse(path).getroot().iter(f"{SVG}g") if group.get(LABEL)]


def test_sketches_take_the_pens_in_turn():
    """Three sketches, two pens: a layer for each, the first pen has two of them."""
    drawn("-c", "star", "--count", "3", "--seed", "5", "--pen", "red", "--pen", "fine:#204080:0.2mm", "-o", "a.svg")
    assert layers("a.svg") == ["1 red", "2 fine"]
    first, second = (group for group in ET.parse("a.svg").getroot().iter(f"{SVG}g") if group.get(LABEL))
    assert (len(first.findall(f"{SVG}g")), len(second.findall(f"{SVG}g"))) == (2, 1)
    assert (second.get("stroke"), second.get("stroke-width")) == ("#204080", "0.2")


def test_a_pen_without_a_width_gets_the_one_that_suits_the_sketches():
    """The same page in red has lines as wide as in black."""
    drawn("-c", "star", "--count", "30", "--seed", "5", "-o", "black.svg")
    drawn("-c", "star", "--count", "30", "--seed", "5", "--pen", "red", "-o", "red.svg")
    black, red = (Path(name).read_text() for name in ("black.svg", "red.svg"))
    assert black.replace('"#000000"', '"#d62728"').replace("1 black", "1 red") == red


def test_files_of_their_own_take_the_pens_in_turn_too():
    """The second sketch has the second pen."""
    drawn("-c", "star", "--count", "3", "--seed", "5", "--pen", "red", "--pen", "blue", "-o", "{i}.svg")
    assert [layers(f"{i}.svg") for i in range(3)] == [["1 red"], ["1 blue"], ["1 red"]]


def test_natural_sizes_are_for_rows_and_scatters():
    """In a row a star hangs above the cat unless all are to be alike; a grid has equal cells anyway."""
    args = ("-c", "cat", "-c", "star", "--seed", "5", "--layout", "row")
    for sizes in ("natural", "equal"):
        drawn(*args, "--sizes", sizes, "-o", f"{sizes}.svg")
    drawn(*args, "-o", "default.svg")
    assert Path("default.svg").read_bytes() == Path("natural.svg").read_bytes() != Path("equal.svg").read_bytes()


def test_labels_make_a_contact_sheet():
    """Each sketch has its class and number below it; the page fits the sheet unless one is given."""
    drawn("-c", "star", "--count", "5", "--seed", "5", "--labels", "-o", "a.svg")
    sketches = [load(TINY).draw("star", seed=5, index=number) for number in range(5)]
    assert Path("a.svg").read_bytes() == render(contact_sheet(sketches), "svg")
    drawn("-c", "star", "--count", "5", "--seed", "5", "--labels", "--page", "a5", "--pen", "red", "-o", "b.svg")
    assert ET.parse("b.svg").getroot().get("width") == "148mm"
    assert layers("b.svg") == ["1 red", "captions"]


def test_steps_make_a_sheet_of_the_progress():
    """Twelve cells, from the first line to all of the drawing."""
    drawn("-c", "star", "--seed", "5", "--steps", "3x4", "-o", "a.svg")
    texts = [text.text for text in ET.parse("a.svg").getroot().iter(f"{SVG}text")]
    assert (len(texts), texts[0], texts[-1]) == (12, "8 %", "100 %")


@pytest.mark.parametrize("suffix", ["gif", "apng", "webp"])
def test_moving_pictures(suffix):
    """They move, have the width and the time that was asked for, and are the same for the same command."""
    args = ("-c", "star", "--seed", "5", "--width-px", "100", "--duration", "0.5", "--hold", "1", "--fps", "10")
    drawn(*args, "--loop", "3", "-o", f"a.{suffix}")
    drawn(*args, "--loop", "3", "-o", f"b.{suffix}")
    content = Path(f"a.{suffix}").read_bytes()
    assert content == Path(f"b.{suffix}").read_bytes()
    picture = Image.open(io.BytesIO(content))
    assert picture.size == (100, 100)
    assert getattr(picture, "n_frames", 1) > 2


def test_an_animated_svg_is_the_plain_one_with_times():
    """The lines are the same, and a style makes them appear one after the other."""
    drawn("-c", "star", "--seed", "5", "-o", "plain.svg")
    drawn("-c", "star", "--seed", "5", "--animate", "--speed", "2", "-o", "moving.svg")
    plain, moving = (ET.parse(name).getroot() for name in ("plain.svg", "moving.svg"))
    assert [path.get("d") for path in plain.iter(f"{SVG}path")] == [path.get("d") for path in moving.iter(f"{SVG}path")]
    assert any("@keyframes" in (style.text or "") for style in moving.iter(f"{SVG}style"))


def test_a_scene_file_is_drawn_with_what_is_hidden_removed():
    """The file gives page, pens and places; the command line may give the seed."""
    Path("scene.toml").write_text(SCENE)
    result = drawn("--scene", "scene.toml", "--seed", "5", "-o", "a.svg")
    assert "a.svg: 3 sketches by tiny" in result.stderr
    assert layers("a.svg") == ["1 black", "2 red"]
    from dataclasses import replace

    scene = compose(replace(read_composition(Path("scene.toml")), seed=5), load(TINY))
    assert Path("a.svg").read_bytes() == render(hide(scene), "svg") != render(scene, "svg")


def test_the_printed_command_draws_a_scene_again():
    """Without a seed in the file a random one is used and printed."""
    Path("scene.toml").write_text(SCENE)
    again = drawn("--scene", "scene.toml", "-o", "a.svg").stderr.splitlines()[-1].split("; again: ")[1]
    content = Path("a.svg").read_bytes()
    Path("a.svg").unlink()
    assert CliRunner().invoke(main, shlex.split(again)[1:]).exit_code == 0
    assert Path("a.svg").read_bytes() == content


def test_a_scene_can_be_shown_step_by_step():
    """The sheet has a page of its own, which may be chosen."""
    Path("scene.toml").write_text(SCENE)
    drawn("--scene", "scene.toml", "--seed", "5", "--steps", "2x2", "--page", "a5", "-o", "a.svg")
    assert ET.parse("a.svg").getroot().get("width") == "148mm"


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-c", "star", "--pen", "sky", "-o", "a.svg"], "pen 'sky': colour 'sky': is unknown"),
        (["-c", "star", "--pen", "a:red:1", "-o", "a.svg"], "pen 'a:red:1': width '1': is no length"),
        (["-c", "star", "--pen", "a:red:1mm:b", "-o", "a.svg"], "pen 'a:red:1mm:b': is no pen"),
        (["-c", "star", "--pen", "red", "--pen", "red", "-o", "a.svg"], "each with a name of its own"),
        (["-c", "star", "--steps", "4", "-o", "a.svg"], "--steps '4': is no sheet"),
        (["-c", "star", "--steps", "20x20", "-o", "a.svg"], "20"),
        (["-c", "star", "--steps", "2x2", "--labels", "-o", "a.svg"], "--steps: makes a sheet, as --labels does"),
        (["-c", "star", "--labels", "--layout", "row", "-o", "a.svg"], "--labels: makes a sheet of equal cells"),
        (["-c", "star", "--labels", "--margin", "1mm", "-o", "a.svg"], "--margin, --landscape: there is no page"),
        (["-c", "star", "--labels", "-o", "{i}.svg"], "--labels: each sketch gets a file of its own"),
        (["-c", "star", "--animate", "-o", "a.png"], "--animate: does not go with png"),
        (["-c", "star", "--fps", "10", "-o", "a.svg"], "--fps: does not go with svg"),
        (["-c", "star", "--hold", "1", "-o", "a.svg"], "--hold: this svg does not move; add --animate"),
        (["-c", "star", "--speed", "2", "--duration", "2", "-o", "a.gif"], "--speed: goes instead of --duration"),
        (["-c", "star", "--pen", "red", "-o", "a.json"], "--pen: does not go with json"),
        (["-c", "star", "-o", "{pen}.svg"], "--out: a file for each pen is for gcode"),
        (["--scene", "no.toml", "-o", "a.svg"], "no.toml: does not exist"),
        (["--scene", "s.toml", "-c", "star", "-o", "a.svg"], "--class: stands in the scene file"),
        (["--scene", "s.toml", "--page", "a4", "-o", "a.svg"], "--page: stands in the scene file"),
        (["--scene", "s.toml", "--pen", "red", "-o", "a.svg"], "--pen: stands in the scene file"),
        (["--scene", "s.toml", "-o", "s.toml", "--format", "svg"], "s.toml: is the scene file itself"),
    ],
)
def test_bad_options_are_refused(args, message):
    """Exit code 2, one error line, nothing written."""
    Path("s.toml").write_text(SCENE)
    assert message in refused(*args)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["-o", "a.png", "--width-px", "20000"], "png: would be 20000 x 20000 pixels"),
        (["-o", "a.png", "--width-px", "20000", "--labels"], "png: would be 20000 x 16624 pixels"),
        (["-o", "a.gif", "--width-px", "8001"], "gif: would be 8001 x 8001 pixels"),
        (["-o", "a.webp", "--width-px", "2000", "--duration", "300"], "in 6000 frames"),
        (["-o", "a.apng", "--width-px", "3900", "--pen", "red", "--pen", "blue"], "with 2 inks"),
        (["-o", "a.png", "--steps", "10x20"], "10000 sketches in each of 10 x 20 cells"),
        (["-o", "a.png", "--steps", "100x20"], "100 x 20 cells (expected 1 to 200)"),
    ],
)
def test_what_would_be_too_large_is_refused_before_ten_thousand_are_drawn(args, problem):
    """Not even the model is read by then."""
    result = CliRunner().invoke(main, ["-c", "star", "--count", "10000", "--model", "absent.zip", *args])
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_film_of_a_scene_that_would_be_too_large_is_refused_before_it_is_drawn():
    """The page is that of the file."""
    Path("many.toml").write_text("format = 1\n[[object]]\nclass = 'star'\ncount = 10000\n")
    result = CliRunner().invoke(
        main, ["--scene", "many.toml", "--model", "absent.zip", "-o", "a.gif", "--width-px", "8001"]
    )
    assert "gif: would be 8001 x 8001 pixels" in result.stderr
