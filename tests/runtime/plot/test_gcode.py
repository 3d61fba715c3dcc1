"""The program of a plot: golden texts, resuming, pauses, frames, and text that no machine may see."""

import dataclasses
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.gcode import Program, fixed, frame, program, short
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.plot.parts import Area, Extra, Lift, Paper
from sketch_edge.runtime.plot.plan import PlotOptions, plan_scene, split_pens
from sketch_edge.runtime.scene import Pen, Placed, Scene

SCENES = runpy.run_path(str(Path(__file__).with_name("scenes.py")))
TWO_PENS, line = SCENES["TWO_PENS"], SCENES["line"]
GOLDEN = Path(__file__).parents[2] / "data" / "gcode"
KEPT = PlotOptions(order="keep")
every_machine = pytest.mark.parametrize("name", machine_names())


def lines_of(text):
    """The lines of a program without their comments; those that were comments only are gone."""
    bare = [each.split(";")[0].rstrip() for each in text.splitlines()]
    return [each for each in bare if each]


@every_machine
def test_golden_programs(name):
    """The house and the sun, as each of the machines gets them. A change here changes what plotters do."""
    text = program(plan_scene(TWO_PENS, load_machine(name), KEPT))
    assert text == (GOLDEN / f"{name}.gcode").read_text("ascii")


@every_machine
def test_first_and_last_the_pen_is_lifted(name):
    """The first command that is no mode lifts the pen; after the last lift there is only the way home."""
    machine = load_machine(name)
    rules, lift = machine.rules, Program(machine)
    lift.pen_up()
    lifting = lines_of(lift.text)
    text = lines_of(program(plan_scene(TWO_PENS, machine)))
    modes = len(rules.modal)
    assert text[: modes + len(lifting)] == [*rules.modal, *lifting]
    last = max(i for i in range(len(text)) if text[i : i + len(lifting)] == lifting)
    home = f"G0 X0.000 Y0.000 F{short(machine.speed.travel_mm_min)}"
    assert text[last + len(lifting) :] == [home, *machine.end]


@every_machine
def test_every_stroke_carries_its_feeds(name):
    """Travel always has a feed, and so has the first drawing move of each stroke: nothing hangs on what came before."""
    machine = load_machine(name)
    text = lines_of(program(plan_scene(TWO_PENS, machine)))
    for before, each in zip(["", *text], text, strict=False):
        if each.startswith("G0 ") or (each.startswith("G1 ") and not before.startswith("G1 X")):
            assert re.search(r" F[0-9]+$", each), each


@every_machine
def test_a_pause_is_followed_by_the_whole_state(name):
    """Somebody may have done anything to the machine meanwhile."""
    machine = load_machine(name)
    text = lines_of(program(plan_scene(TWO_PENS, machine)))
    pauses = [i for i, each in enumerate(text) if each in ("M0", "PAUSE")]
    assert len(pauses) == 1
    modal = machine.rules.modal
    assert tuple(text[pauses[0] + 1 : pauses[0] + 1 + len(modal)]) == modal
    assert text[pauses[0] - 1] == f"G0 X0.000 Y0.000 F{short(machine.speed.travel_mm_min)}"
    assert "; next pen 2 red\n" in program(plan_scene(TWO_PENS, machine))


def test_without_pause_lines_all_pens_are_one():
    """Nothing waits, and the pen does not park."""
    machine = load_machine("grbl-z", {"program.pause_lines": ""})
    text = lines_of(program(plan_scene(TWO_PENS, machine)))
    assert "M0" not in text
    assert text.count("G0 X0.000 Y0.000 F1500") == 1


@every_machine
def test_a_program_for_each_pen(name):
    """Each is whole and needs no pause."""
    machine = load_machine(name)
    for plan in split_pens(plan_scene(TWO_PENS, machine)):
        text = program(plan)
        assert len(check_program(text, machine).strokes()) == plan.stroke_count
        assert not {"M0", "PAUSE"} & set(lines_of(text))


@every_machine
@pytest.mark.parametrize("start", [1, 2, 3, 4, 5])
def test_starting_at_a_stroke_ends_as_the_whole_program_does(name, start):
    """From that stroke's comment on the text is the same, pauses included; before it stands what restores the state."""
    machine = load_machine(name)
    whole = program(plan_scene(TWO_PENS, machine))
    resumed = program(plan_scene(TWO_PENS, machine, PlotOptions(start_at_stroke=start)))

    def tail(text):
        lines = text.splitlines()
        first = next(i for i, each in enumerate(lines) if each.endswith(f"; stroke {start}"))
        return lines[:first], lines[first:]

    before, after = tail(resumed)
    assert after == tail(whole)[1]
    assert lines_of("\n".join(before)) == lines_of(whole.split("G0 X")[0])
    assert len(check_program(resumed, machine).strokes()) == 6 - start
    if start > 1:
        assert f"; starts at stroke {start} of 5" in before


@every_machine
def test_a_frame_goes_round_everything_with_the_pen_up(name):
    """Nothing is drawn; the corners of the bounds are visited at the drawing feed, the first one twice."""
    machine = load_machine(name)
    plan = plan_scene(TWO_PENS, machine)
    for text in (frame(plan), frame(TWO_PENS, machine)):
        trace = check_program(text, machine)
        assert len(trace.touches) == 0
        drawing = f"F{short(machine.speed.draw_mm_min)}"
        at = [i for i, each in enumerate(lines_of(text)) if each.endswith(drawing)]
        round_trip = lines_of(text)[at[0] - 1 : at[0] + 4]
        assert [re.sub(" F.*", "", each) for each in round_trip] == [
            "G0 X10.000 Y20.000",
            "G1 X80.000 Y20.000",
            "G1 X80.000 Y77.500",
            "G1 X10.000 Y77.500",
            "G1 X10.000 Y20.000",
        ]


def test_a_frame_round_nothing_is_refused():
    """There is no way to show."""
    with pytest.raises(InputError, match="there is nothing to draw"):
        frame(Scene(), load_machine("grbl-z"))
    with pytest.raises(InputError, match="machine: is missing"):
        frame(TWO_PENS)


def test_an_empty_scene_is_a_program_all_the_same():
    """It lifts the pen and parks it."""
    machine = load_machine("grbl-z")
    assert len(check_program(program(plan_scene(Scene(), machine)), machine).touches) == 0


def test_drawing_or_tracing_needs_a_known_pen():
    """Travel without a lift before it cannot be written."""
    out = Program(load_machine("grbl-servo"))
    with pytest.raises(AssertionError):
        out.travel(1, 1)
    out.pen_up()
    out.travel(1, 1)
    out.pen_down()
    for move in (lambda: out.travel(2, 2), lambda: out.trace(np.zeros((2, 2)))):
        with pytest.raises(AssertionError):
            move()


@pytest.mark.parametrize(
    ("dialect", "lift", "up", "down"),
    [
        ("grbl", Lift("servo", 10.0, 62.5, up_dwell_s=0.25), ["M3 S10", "G4 P0.25"], ["M3 S62.5"]),
        ("grbl", Lift("laser", power=300.0), ["M5"], ["M4 S300"]),
        ("marlin", Lift("laser", power=30.0), ["M400", "M5"], ["M400", "M3 S30"]),
        ("linuxcnc", Lift("servo", 0.0, 90.0, down_dwell_s=0.3), ["M3 S0"], ["M3 S90", "G4 P0.3"]),
        ("linuxcnc", Lift("z", 2.0, -0.25), ["G0 Z2.000 F300"], ["G1 Z-0.250 F300"]),
        (
            "marlin", Lift("servo", 90.0, 40.0, servo="1", up_dwell_s=0.2),
            ["M400", "M280 P1 S90", "G4 P200"], ["M400", "M280 P1 S40"],
        ),
        (
            "klipper", Lift("servo", 90.0, 40.0, servo="pen", down_dwell_s=0.3),
            ["SET_SERVO SERVO=pen ANGLE=90"], ["SET_SERVO SERVO=pen ANGLE=40", "G4 P300"],
        ),
        (
            "klipper", Lift("raw", up_lines=("PEN_UP",), down_lines=("PEN_DOWN SLOW=1",)),
            ["PEN_UP"], ["PEN_DOWN SLOW=1"],
        ),
        (
            "marlin", Lift("raw", up_lines=("M42 P4 S0",), down_lines=("M42 P4 S255", "G4 P50")),
            ["M400", "M42 P4 S0"], ["M400", "M42 P4 S255", "G4 P50"],
        ),
        ("grbl", Lift("raw", up_lines=("M3 S1000",), down_lines=("M5",)), ["M3 S1000"], ["M5"]),
    ],
)  # fmt: skip
def test_each_pen_in_each_dialect(dialect, lift, up, down):
    """Servos, lasers, axes and raw lines, with dwells in the dialect's own unit; the checker agrees."""
    machine = Machine("m", dialect, pen=lift)
    out = Program(machine)
    out.pen_up()
    assert out.text.splitlines() == up
    out = Program(machine)
    out.pen_down()
    assert out.text.splitlines() == down
    check_program(program(plan_scene(TWO_PENS, machine)), machine)


@pytest.mark.parametrize(
    ("value", "written", "briefly"),
    [
        (0.0, "0.000", "0"),
        (-0.0, "0.000", "0"),
        (-0.0004, "0.000", "0"),
        (-0.0006, "-0.001", "-0.001"),
        (100.0, "100.000", "100"),
        (1e6, "1000000.000", "1000000"),
        (0.1 + 0.2, "0.300", "0.3"),
        (12.5, "12.500", "12.5"),
    ],
)
def test_numbers(value, written, briefly):
    """Never an exponent, never a minus before zero."""
    assert (fixed(value), short(value)) == (written, briefly)


LINE = re.compile(r"[A-Z][A-Z0-9 =_.a-z-]*(?: ; stroke [0-9]+)?|; [A-Za-z0-9 .,_-]{0,60}|")
HOSTILE = [
    "!~?",
    "a\x18b",
    "\x84\xa1",
    "x\nG0 X-999",
    "x\r\nM112",
    "(",
    ")",
    "((",
    ";",
    "%",
    "\u2028M112",
    "ä" * 500,
    "",
    "\0",
]


@pytest.mark.parametrize("text", HOSTILE)
@every_machine
def test_names_cannot_reach_the_machine(name, text):
    """Whatever pens and objects are called, a program has plain lines within the limit, and the same commands."""
    machine = load_machine(name)
    pens = (Pen(text, width_mm=0.5), Pen(text + "2", "red", 0.3))
    objects = tuple(dataclasses.replace(each, label=text) for each in TWO_PENS.objects)
    written = program(plan_scene(Scene(TWO_PENS.page, pens, objects), machine, KEPT))
    assert written.isascii()
    for each in written.split("\n"):
        assert LINE.fullmatch(each), each
        assert len(each) <= min(79, machine.rules.line_length)
    assert lines_of(written) == lines_of(program(plan_scene(TWO_PENS, machine, KEPT)))


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=80), st.sampled_from(machine_names()))
def test_no_text_of_any_alphabet_reaches_the_machine(text, name):
    """All of Unicode, control characters and lone surrogates among it."""
    objects = (Placed((line((1, 1), (2, 2)),), text),)
    written = program(plan_scene(Scene(Page(10, 10, 0), (Pen(text),), objects), load_machine(name)))
    assert all(LINE.fullmatch(each) for each in written.split("\n"))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    name=st.sampled_from(machine_names()),
    order=st.sampled_from(["keep", "nearest", "best"]),
    turn=st.sampled_from([0, 90, 180, 270]),
    y_up=st.booleans(),
)
def test_random_scenes_pass_the_checker(seed, name, order, turn, y_up):
    """Whatever is planned comes out as a program that it accepts, with as many strokes as planned."""
    scene = SCENES["random_scene"](np.random.default_rng(seed), 8)
    machine = dataclasses.replace(load_machine(name), page=Paper(5, 6, y_up, turn))
    plan = plan_scene(scene, machine, PlotOptions(order=order))
    assert len(check_program(program(plan), machine).strokes()) == plan.stroke_count


def test_the_longest_lines_fit_grbl():
    """Six figures before the point, many strokes, long names: still within 79 characters."""
    area, paper = Area(-99_000, 1000, -99_000, 1000), Paper(-98_765.432, -98_765.432)
    machine = Machine("x" * 60, "grbl", area=area, page=paper)
    lines = tuple(line((i % 9, i % 7), (i % 5, 9)) for i in range(2000))
    scene = Scene(Page(10, 10, 0), (Pen("y" * 200),), (Placed(lines, "z" * 200),))
    text = program(plan_scene(scene, machine, PlotOptions(order="keep", merge_mm=-1, remove_duplicates=False)))
    assert max(map(len, text.splitlines())) <= 79


def test_lines_of_the_profile_stand_where_it_says():
    """After the first lift, at the pause, before the end."""
    extra = Extra(("G28 X Y",), ("M0",), ("M84",))
    text = lines_of(program(plan_scene(TWO_PENS, Machine("m", "marlin", program=extra))))
    assert text[:6] == ["G21", "G90", "G0 Z5.000 F300", "G28 X Y", "G21", "G90"]
    assert text[6] == "G0 Z5.000 F300"
    assert text[-3:] == ["G0 X0.000 Y0.000 F3000", "M84", "M400"]


def test_equal_plans_give_equal_text():
    """No date, no count, no place."""
    machine = load_machine("grbl-servo")
    assert program(plan_scene(TWO_PENS, machine)) == program(plan_scene(TWO_PENS, machine))
