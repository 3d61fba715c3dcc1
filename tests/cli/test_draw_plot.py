"""sketch-draw --machine: programs for plotters, and what is said and refused about them."""

import re
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from click.testing import CliRunner

from sketch_edge.cli.draw import main
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.machine import load_machine, machine_names
from sketch_edge.runtime.writers import render
from tests.cli.drawing import TINY, draw, drawn

STARS = ("-c", "star", "--count", "6", "--seed", "5")
LABEL = "{http://www.inkscape.org/namespaces/inkscape}label"
pytestmark = pytest.mark.usefixtures("folder")


def strokes(path: str) -> int:
    """How many strokes a program for grbl-servo draws."""
    return len(check_program(Path(path).read_bytes(), load_machine("grbl-servo")).strokes())


@pytest.mark.parametrize("name", machine_names())
def test_every_machine_gets_a_program_that_it_takes(name):
    """The file is what the library writes, and the strict checker reads it."""
    drawn(*STARS, "--machine", name, "-o", "a.gcode")
    text = Path("a.gcode").read_bytes()
    sketches = load(TINY).draw_many(["star"] * 6, seed=5)
    assert text == render(arrange(sketches, "100x100mm"), "gcode", machine=name)
    assert check_program(text, load_machine(name)).strokes()


def test_the_report_says_what_the_pen_will_do():
    """Strokes, pens, time, place, way with the pen up before and after ordering."""
    report = drawn(*STARS, "--machine", "grbl-servo", "-o", "a.gcode").stderr
    assert re.search(r"a\.gcode: \d+ strokes for grbl-servo with pen 1 black, about \d+", report)
    assert "in a work area of x 0 to 210, y 0 to 297 mm" in report
    assert re.search(r"drawn [\d,]+ mm, travel [\d,]+ mm \([\d,]+ mm in the order of the drawing\)", report)


def test_one_stroke_is_no_strokes():
    """The report counts as people do."""
    report = drawn("-c", "star", "--seed", "5", "--max-points", "2", "--machine", "grbl-servo", "-o", "a.gcode").stderr
    assert "a.gcode: 1 stroke for grbl-servo" in report


def test_settings_change_the_profile():
    """--set reaches the program and --show, which prints a profile that can be used."""
    drawn(*STARS, "--machine", "grbl-servo", "--set", "pen.down=77", "--set", "speed.draw_mm_min=1234", "-o", "a.nc")
    text = Path("a.nc").read_text()
    assert "M3 S77" in text
    assert "F1234" in text
    shown = drawn("--machine", "grbl-servo", "--set", "pen.down=77", "--show").stdout
    Path("own.toml").write_text(shown)
    drawn(*STARS, "--machine", "own.toml", "--set", "speed.draw_mm_min=1234", "-o", "b.nc")
    assert Path("b.nc").read_text() == text


def test_machines_are_listed():
    """A line each, with what it is."""
    lines = drawn("--list-machines").stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(machine_names())


def test_order_merge_simplify_and_minimum_length_reach_the_plan():
    """The order of the drawing has the longer way; what is too short is left out; the report says so."""
    drawn(*STARS, "--machine", "grbl-servo", "--order", "keep", "-o", "keep.nc")
    drawn(*STARS, "--machine", "grbl-servo", "-o", "best.nc")
    travel = [
        check_program(Path(name).read_bytes(), load_machine("grbl-servo")).travel_mm for name in ("best.nc", "keep.nc")
    ]
    assert travel[0] <= travel[1]
    report = drawn(*STARS, "--machine", "grbl-servo", "--min-length", "10mm", "-o", "long.nc").stderr
    dropped = re.search(r"(\d+) too short", report)
    assert dropped
    assert strokes("long.nc") < strokes("best.nc")


def test_a_preview_shows_the_travel_on_a_layer_of_its_own():
    """The pens' layers, and one more."""
    drawn(*STARS, "--pen", "red", "--pen", "blue", "--machine", "grbl-z", "-o", "a.nc", "--preview", "a.svg")
    groups = [group.get(LABEL) for group in ET.parse("a.svg").getroot().iter() if group.get(LABEL)]
    assert groups == ["1 red", "2 blue", "3 travel"]


def test_a_frame_never_puts_the_pen_down():
    """Only the bounds are traced."""
    report = drawn(*STARS, "--machine", "grbl-servo", "--frame", "-o", "frame.nc").stderr
    trace = check_program(Path("frame.nc").read_bytes(), load_machine("grbl-servo"))
    assert not trace.strokes()
    assert "once round the drawing with the pen up" in report


def test_a_frame_says_what_was_written():
    """A line for the trace of each pen, and one for the preview."""
    pens = ("--pen", "red", "--pen", "blue", "--frame", "--preview", "a.svg")
    report = drawn(*STARS, *pens, "--machine", "grbl-servo", "-o", "{pen}.nc").stderr
    named = {line.split(":")[0] for line in report.splitlines() if Path(line.split(":")[0]).is_file()}
    assert named == {"1-red.nc", "2-blue.nc", "a.svg"}


def test_a_file_for_each_pen():
    """{pen} becomes number and name of the pen; together they draw what the one file with pauses does."""
    pens = ("--pen", "red", "--pen", "fine point:blue")
    drawn(*STARS, *pens, "--machine", "grbl-servo", "-o", "all.nc")
    drawn(*STARS, *pens, "--machine", "grbl-servo", "-o", "{pen}.nc")
    assert sorted(path.name for path in Path.cwd().iterdir()) == ["1-red.nc", "2-fine-point.nc", "all.nc"]
    assert strokes("1-red.nc") + strokes("2-fine-point.nc") == strokes("all.nc")
    assert Path("all.nc").read_text().count("M0\n") == 1
    assert "M0\n" not in Path("1-red.nc").read_text()


def test_it_goes_on_at_a_stroke():
    """The rest of the strokes, with everything restated before."""
    drawn(*STARS, "--machine", "grbl-servo", "-o", "all.nc")
    drawn(*STARS, "--machine", "grbl-servo", "--start-at-stroke", "3", "-o", "rest.nc")
    assert strokes("rest.nc") == strokes("all.nc") - 2


def test_what_is_out_of_the_area_is_refused_or_clipped():
    """Nothing is written unless --clip cuts it."""
    args = (*STARS, "--page", "a3", "--machine", "grbl-servo", "-o", "a.nc")
    result = draw(*args)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "--clip" in result.stderr or "clip" in result.stderr
    assert not Path("a.nc").exists()
    assert "cut at the work area" in drawn(*args, "--clip").stderr


def test_standard_output_has_the_program_alone():
    """It can be piped to a sender."""
    drawn(*STARS, "--machine", "grbl-servo", "-o", "a.nc")
    result = drawn(*STARS, "--machine", "grbl-servo", "--format", "gcode", "-o", "-")
    assert result.stdout == Path("a.nc").read_text()


def test_a_file_for_each_sketch():
    """{i} works for programs too."""
    drawn(*STARS, "--machine", "grbl-servo", "-o", "{i}.nc")
    assert len(list(Path.cwd().glob("*.nc"))) == 6


def test_the_printed_command_plots_the_same_again():
    """With all options of the plotter in it."""
    command = ("-c", "star", "--count", "3", "--machine", "klipper", "--set", "pen.down=50", "--order", "nearest")
    again = drawn(*command, "-o", "a.gcode").stderr.splitlines()[-1].split("; again: ")[1]
    text = Path("a.gcode").read_text()
    Path("a.gcode").unlink()
    assert CliRunner().invoke(main, shlex.split(again)[1:]).exit_code == 0
    assert Path("a.gcode").read_text() == text


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["-o", "a.gcode"], "--machine: missing; name a profile (grbl-laser, grbl-servo"),
        (["--show"], "--machine: missing"),
        (["--machine", "grbl-servos", "-o", "a.gcode"], "grbl-servo"),
        (["--machine", "no.toml", "-o", "a.gcode"], "no.toml"),
        (["--machine", "grbl-servo", "--set", "pen.dwn=3", "-o", "a.gcode"], "pen.d"),
        (["--machine", "grbl-servo", "--set", "pen.down", "-o", "a.gcode"], "--set 'pen.down': is no setting"),
        (["--machine", "grbl-servo", "--set", "pen.up=9", "--set", "pen.up=8", "-o", "a.nc"], "pen.up is given twice"),
        (
            ["--machine", "grbl-servo", "--set", "page.x_mm=999", "--clip", "-o", "a.gcode"],
            "nothing to draw (of 1 lines 1 out of the work area)",
        ),
        (["--machine", "grbl-servo", "--min-length", "10cm", "-o", "{pen}.gcode"], "nothing to draw (of 1 lines 1 too"),
        (["--machine", "grbl-servo", "--set", "pen.down=nan", "-o", "a.gcode"], "pen.down"),
        (["--machine", "grbl-servo", "-o", "a.svg"], "--machine: is for plotters (got svg)"),
        (["--order", "best", "-o", "a.svg"], "--order: is for plotters (got svg)"),
        (["--min-length", "1mm", "-o", "a.svg"], "--min-length: is for plotters (got svg)"),
        (["--machine", "grbl-servo", "--merge", "1", "-o", "a.gcode"], "--merge '1': is no length"),
        (["--machine", "grbl-servo", "--start-at-stroke", "999", "-o", "a.gcode"], "999"),
        (["--machine", "grbl-servo", "--start-at-stroke", "0", "-o", "a.gcode"], "--start-at-stroke: 0 is not in"),
        (["--machine", "grbl-servo", "--preview", "a.gif", "-o", "a.gcode"], "--preview: a.gif is no picture"),
        (["--machine", "grbl-servo", "--preview", "no/a.svg", "-o", "a.gcode"], "no/a.svg: the folder"),
        (["--machine", "grbl-servo", "--preview", "a.svg", "-o", "{i}.gcode"], "--preview: is for one page"),
        (["--machine", "grbl-servo", "-o", "{pen}-{i}.gcode"], "--out: {pen} does not go with {i}"),
        (["--machine", "own.toml", "-o", "own.toml", "--format", "gcode"], "own.toml: is the profile itself"),
        (["--machine", "grbl-servo", "--background", "red", "-o", "a.gcode"], "--background: does not go with gcode"),
    ],
)
def test_bad_options_are_refused(args, message):
    """Exit code 2, one error line, nothing written."""
    Path("own.toml").write_text(draw("--machine", "grbl-servo", "--show").stdout)
    result = draw("-c", "star", "--seed", "5", *args)
    assert (result.exit_code, result.stdout) == (2, ""), result.output
    assert len(result.stderr.splitlines()) == 1
    assert message in result.stderr
    assert [path.name for path in Path.cwd().iterdir()] == ["own.toml"]


def test_the_name_of_a_pen_that_becomes_the_profile_is_refused(folder):
    """What {pen} stands for is known when all is planned; the profile is left as it was all the same."""
    profile = draw("--machine", "grbl-servo", "--show").stdout
    Path("1-black.toml").write_text(profile)
    result = draw(*STARS, "--machine", "1-black.toml", "-o", "{pen}.toml", "--format", "gcode")
    assert (result.exit_code, Path("1-black.toml").read_text()) == (2, profile)
    assert "1-black.toml: is the profile itself" in result.stderr


@pytest.mark.parametrize(("out", "preview"), [("{pen}.svg", "1-black.svg"), ("a.svg", "a.svg"), ("a.svg", "./a.svg")])
def test_a_preview_that_becomes_the_program_is_refused(folder, out, preview):
    """One would be written over the other, though neither is there yet."""
    result = draw(*STARS, "--machine", "grbl-servo", "-o", out, "--format", "gcode", "--preview", preview)
    assert result.exit_code == 2
    assert "is the program itself" in result.stderr
    assert not list(folder.glob("*.svg"))
