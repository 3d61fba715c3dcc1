"""G-code from `save` and `render`."""

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import arrange
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.gcode import program
from sketch_edge.runtime.plot.machine import describe_machine, load_machine, machine_names
from sketch_edge.runtime.plot.plan import plan_scene
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers import format_of, render, save

STAR = Sketch((np.array([[0.0, 0.0], [100.0, 40.0]]), np.array([[7.0, 90.0]])), "star", seed=7)


@pytest.mark.parametrize("suffix", [".gcode", ".nc", ".ngc", ".g", ".GCODE"])
def test_the_usual_suffixes_pick_it(suffix):
    """As senders know them."""
    assert format_of(f"star{suffix}") == "gcode"


@pytest.mark.parametrize("name", machine_names())
def test_a_sketch_is_saved_for_a_machine(name, tmp_path):
    """By name; the file is the program of the scene, and the checker takes it."""
    path = tmp_path / "star.gcode"
    STAR.save(path, machine=name, page="a6")
    machine = load_machine(name)
    assert path.read_text("ascii") == program(plan_scene(arrange([STAR], "a6"), machine))
    assert len(check_program(path.read_bytes(), machine).strokes()) == 2


def test_a_machine_may_be_a_file_or_a_machine(tmp_path):
    """All three ways give the same bytes."""
    machine = load_machine("grbl-z")
    path = tmp_path / "mine.toml"
    path.write_text(describe_machine(machine))
    assert render(STAR, "gcode", machine=machine) == render(STAR, "gcode", machine=path)
    assert render(STAR, "gcode", machine=str(path)) == render(STAR, "gcode", machine="grbl-z")


def test_without_a_machine_there_is_no_program(tmp_path):
    """The error lists the names; nothing is written."""
    with pytest.raises(InputError, match=f"^machine: is missing .*choose one of {', '.join(machine_names())}"):
        save(STAR, tmp_path / "star.gcode")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_does_not_fit_is_refused_before_writing(tmp_path):
    """An old file stays."""
    path = tmp_path / "star.nc"
    path.write_text("old")
    with pytest.raises(InputError, match="the drawing leaves the work area"):
        save(STAR, path, machine="grbl-servo", page="a3")
    assert path.read_text() == "old"


def test_options_reach_the_plan():
    """An order, a first stroke, and those that do not exist."""
    whole = render(STAR, "gcode", machine="grbl-z", order="keep")
    assert b"; stroke 1\n" in whole
    assert b"; stroke 1\n" not in render(STAR, "gcode", machine="grbl-z", order="keep", start_at_stroke=2)
    with pytest.raises(InputError, match="gcode: has no option 'speed'"):
        render(STAR, "gcode", machine="grbl-z", speed=3)
    with pytest.raises(InputError, match=r"^order 'shuffle'"):
        render(STAR, "gcode", machine="grbl-z", order="shuffle")
