"""The strict checker: what it accepts, what it refuses, and that it never lets through what it must not."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.machine import load_machine

SERVO = """\
; sketch-edge, star
; machine grbl-servo, grbl
G21
G90
G94
G17
M3 S0
G4 P0.2
G0 X10.000 Y10.000 F4000 ; stroke 1
M3 S60
G4 P0.3
G1 X20.000 Y10.000 F2000
G1 X20.000 Y20.000
M3 S0
G4 P0.2
G0 X30.000 Y30.000 F4000 ; stroke 2
M3 S60
G4 P0.3
M3 S0
G4 P0.2
M0
G0 X0.000 Y0.000 F4000
M2
"""

LASER = """\
G21 G90 G94
M5
G0 X10.000 Y10.000 F4000
M4 S150
G1 X20.000 Y10.000 F2000
M5
G0 X30.000 Y30.000 F4000
M4 S150
G1 X30.100 Y30.000 F2000
M5
M30
"""

GRBL_Z = """\
(star)
G21
G90
G0 Z3.000 F300
G0 X10.000 Y10.000 F4000
G1 Z0.000 F300
G1 X20.000 Y10.000 F2000
G0 Z3.000 F300
G0 X0.000 Y0.000 F4000
M2
"""

LINUXCNC = """\
(MSG, 1 black)
G21
G90
G94
G17 G40 G49 G80 G54
G64 P0.02
G0 Z3.000 F800
G0 X10.000 Y10.000 F4000
G1 Z0.000 F800
G1 X20.000 Y10.000 F2000
G1 X20.000 Y-0.000
G0 Z3.000 F800
M2
""".replace("-0.000", "0.000")

MARLIN = """\
; star
G21
G90
M400
M280 P0 S90
G4 P200
G0 X10.000 Y10.000 F6000
M400
M280 P0 S40
G4 P300
G1 X20.000 Y10.000 F2400
M400
M280 P0 S90
G4 S0.2
M117 2 red
M0
G0 X0.000 Y0.000 F6000
M400
"""

KLIPPER = """\
G21
G90
SET_SERVO SERVO=pen ANGLE=90
G4 P200
G28 X Y
G0 X10.000 Y10.000 F6000
SET_SERVO SERVO=pen ANGLE=40
G4 P300
G1 X20.000 Y10.000 F3000
SET_SERVO SERVO=pen ANGLE=90
PAUSE
G0 X0.000 Y0.000 F6000
M400
M84
"""

GOOD = {
    "grbl-servo": SERVO,
    "grbl-laser": LASER,
    "grbl-z": GRBL_Z,
    "linuxcnc-z": LINUXCNC,
    "marlin-servo": MARLIN,
    "klipper": KLIPPER,
}

RAW = {
    "program.start_lines": "G28",
    "pen.kind": "raw",
    "pen.up_lines": "M400|M106 S255|G4 P100",
    "pen.down_lines": "M400|M106 S0",
    "program.end_lines": "M107|M84",
}
RAW_TEXT = """\
G21
G90
M400
M106 S255
G4 P100
G28
M400
M106 S255
G4 P100
G0 X10 Y10 F6000
M400
M106 S0
G1 X20 Y10 F2400
M400 ; up
M106 S255
G4 P100
M107
M84
"""


@pytest.fixture(scope="module")
def machines():
    return {name: load_machine(name) for name in GOOD} | {"raw": load_machine("marlin-servo", RAW)}


@pytest.mark.parametrize("name", GOOD)
def test_accepts_good_programs(machines, name):
    """A program as every dialect wants it passes, as text and as bytes."""
    trace = check_program(GOOD[name], machines[name])
    assert len(trace.strokes()) in (1, 2)
    assert len(check_program(GOOD[name].encode("ascii"), machines[name]).moves) == len(trace.moves)


def test_says_what_a_program_does(machines):
    """Moves, strokes, dots, waits, pauses and bounds are those of the text."""
    trace = check_program(SERVO, machines["grbl-servo"])
    line, dot = trace.strokes()
    assert line.tolist() == [[10, 10], [20, 10], [20, 20]]
    assert dot.tolist() == [[30, 30]]
    assert trace.moves.line.tolist() == [9, 12, 13, 16, 22]
    assert trace.moves.down.tolist() == [False, True, True, False, False]
    assert trace.moves.feed_mm_min.tolist() == [4000, 2000, 2000, 4000, 4000]
    assert trace.moves.halt.tolist() == [True, True, False, True, True]
    assert trace.moves.start[1:].tolist() == trace.moves.end[:-1].tolist()
    assert trace.touches.tolist() == [[1, 3, 10], [4, 4, 17]]
    assert trace.pauses == (21,)
    assert [seconds for _, seconds in trace.dwells] == [0.2, 0.3, 0.2, 0.3, 0.2]
    assert trace.dwell_s == pytest.approx(1.2)
    assert trace.drawn_mm == 20
    assert trace.travel_mm == pytest.approx(np.hypot(10, 10) + np.hypot(10, 10) + np.hypot(30, 30))
    bounds = trace.bounds
    assert (bounds.left, bounds.top, bounds.right, bounds.bottom) == (0, 0, 30, 30)
    drawn = trace.drawn_bounds
    assert (drawn.left, drawn.top, drawn.right, drawn.bottom) == (10, 10, 30, 30)


def test_counts_milliseconds(machines):
    """Marlin and Klipper wait P milliseconds, Marlin also S seconds."""
    assert check_program(MARLIN, machines["marlin-servo"]).dwells == ((6, 0.2), (10, 0.3), (14, 0.2))
    assert check_program(KLIPPER, machines["klipper"]).dwell_s == pytest.approx(0.5)


def test_knows_the_moves_of_a_z_axis(machines):
    """Lifting and lowering are moves of their own; the pen is down during both."""
    trace = check_program(GRBL_Z, machines["grbl-z"])
    assert trace.moves.end[:, 2].tolist() == [3, 3, 0, 0, 3, 3]
    assert trace.moves.down.tolist() == [False, False, True, True, True, False]
    assert trace.moves.level_mm.tolist() == pytest.approx([0, np.hypot(10, 10), 0, 10, 0, np.hypot(20, 10)])
    assert [stroke.tolist() for stroke in trace.strokes()] == [[[10, 10], [20, 10]]]


def test_knows_the_lines_of_a_profile():
    """Raw lines lift and lower the pen only all together and in their order."""
    machine = load_machine("marlin-servo", RAW)
    trace = check_program(RAW_TEXT, machine)
    assert [stroke.tolist() for stroke in trace.strokes()] == [[[10, 10], [20, 10]]]
    with pytest.raises(InputError, match=r"program:9: stands apart from the profile's other lines"):
        check_program(RAW_TEXT.replace("M106 S255\nG4 P100\nG0", "G4 P100\nM106 S255\nG0"), machine)
    with pytest.raises(InputError, match=r"program:10: moves before the pen is known to be up"):
        check_program(RAW_TEXT.replace("M106 S255\nG4 P100\nG0", "G4 P100\nM400\nG0"), machine)
    with pytest.raises(InputError, match=r"program:12: stands apart from the profile's other lines"):
        check_program(RAW_TEXT.replace("M400\nM106 S0", "G4 P1\nM106 S0"), machine)
    with pytest.raises(InputError, match=r"program:4: has M106, which is accepted only in lines that the machine's"):
        check_program(RAW_TEXT.replace("M106 S255", "M106 S254", 1), machine)


def test_knows_the_macros_of_a_profile():
    """On Klipper lines of a profile may be macros; no other macro is known."""
    overrides = {"pen.kind": "raw", "pen.up_lines": "PEN_UP", "pen.down_lines": "PEN_DOWN DEPTH=2"}
    machine = load_machine("klipper", overrides)
    text = "G90\nPEN_UP\nG0 X1 Y1 F600\nPEN_DOWN DEPTH=2\nG1 X2 Y2 F600\nPEN_UP\nM400\n"
    assert len(check_program(text, machine).strokes()) == 1
    with pytest.raises(InputError, match="program:4: has PEN_DOWN, which is not among the codes"):
        check_program(text.replace("DEPTH=2", "DEPTH=3"), machine)


def test_knows_what_a_profile_pauses_with(machines):
    """Several lines, or a macro; lines that the program has elsewhere too are no pause there."""
    machine = load_machine("marlin-servo", {"program.pause_lines": "M400|M300 S440 P200|M0"})
    text = MARLIN.replace("M0\n", "M400\nM300 S440 P200\nM0\n")
    assert check_program(text, machine).pauses == (18,)
    with pytest.raises(InputError, match="program:17: has M300, which is accepted only in lines"):
        check_program(text, machines["marlin-servo"])
    machine = load_machine("klipper", {"program.pause_lines": "M400|CHANGE_PEN"})
    assert check_program(KLIPPER.replace("PAUSE", "M400\nCHANGE_PEN"), machine).pauses == (12,)
    down = KLIPPER.replace("SET_SERVO SERVO=pen ANGLE=90\nPAUSE", "CHANGE_PEN\nSET_SERVO SERVO=pen ANGLE=90")
    with pytest.raises(InputError, match="program:10: pauses with the pen not lifted"):
        check_program(down, machine)


def test_lets_the_start_be_named():
    """A profile may say where the pen is before the first move, not later."""
    machine = load_machine("marlin-servo", {"program.start_lines": "G92 X0 Y0"})
    named = MARLIN.replace("G4 P200\n", "G4 P200\nG92 X0 Y0\n", 1)
    assert len(check_program(named, machine).strokes()) == 1
    with pytest.raises(InputError, match="program:19: names the place anew"):
        check_program(MARLIN + "G92 X0 Y0\n", machine)


def with_line(text: str, number: int, line: str) -> str:
    """The text with another line in the place of that one."""
    lines = text.split("\n")
    lines[number - 1] = line
    return "\n".join(lines)


FAULTS = [
    # machine, line, what stands there instead, reason
    ("grbl-servo", 1, "; sch\xf6n", r"'\\xf6' .expected ASCII"),
    ("grbl-servo", 1, "; a\x18b", r"'\\x18' .expected ASCII"),
    ("grbl-servo", 1, "; what?", "on which Grbl acts at once"),
    ("grbl-servo", 1, "; hi!", "on which Grbl acts at once"),
    ("grbl-servo", 1, "; a~b", "on which Grbl acts at once"),
    ("grbl-servo", 1, "(a (b) c)", "inside a comment"),
    ("grbl-servo", 1, "(a", "does not end with the line"),
    ("grbl-servo", 1, "(", "does not end with the line"),
    ("grbl-servo", 1, "(a) G21", "does not end with the line"),
    ("grbl-servo", 1, "; " + "a" * 78, "80 characters long .expected at most 79"),
    ("grbl-servo", 1, "\tG21", r"'\\t' .expected ASCII"),
    ("grbl-servo", 1, " ; a", "begins with a space"),
    ("grbl-servo", 1, "$H", "begins with '\\$'"),
    ("grbl-servo", 1, "%", "begins with '%'"),
    ("grbl-servo", 1, "/G21", "begins with '/'"),
    ("grbl-servo", 3, "G20", "has G20, which sets inches"),
    ("grbl-servo", 3, "", "moves before G21"),
    ("grbl-servo", 4, "G91", "has G91, which sets relative moves"),
    ("grbl-servo", 4, "", "moves before G90"),
    ("grbl-servo", 4, "G90 G90", "has G90 G90 .expected one of them"),
    ("grbl-servo", 5, "G93", "inverse time"),
    ("grbl-servo", 5, "G94 F100", "has F100 among settings"),
    ("grbl-servo", 6, "G64 P0.1", "error 20 on Grbl"),
    ("grbl-servo", 6, "G28", "stored in the machine"),
    ("grbl-servo", 6, "G92 X0 Y0", "moves the origin"),
    ("grbl-servo", 6, "G53 G0 X0", "has G53, which moves past the origin"),
    ("grbl-servo", 6, "M6", "error 20 on Grbl"),
    ("grbl-servo", 6, "M8", "only in lines that the machine's profile gives"),
    ("grbl-servo", 6, "G38.2 X1", "has G38.2, which is not among the codes"),
    ("grbl-servo", 6, "M280 P0 S90", "has M280, which is not among the codes"),
    ("grbl-servo", 6, "SET_SERVO SERVO=pen ANGLE=90", "has 'SET_SERVO' .expected a word"),
    ("grbl-servo", 7, "", "before the pen is known to be up"),
    ("grbl-servo", 7, "M3 S60", "the first thing that it does with it"),
    ("grbl-servo", 7, "M3 S61", "has S61 .expected S0, the pen up, or S60"),
    ("grbl-servo", 7, "M3", "has M3 without S"),
    ("grbl-servo", 7, "M4 S0", "has M4 .expected M3 for a servo"),
    ("grbl-servo", 7, "S0 M3", "has S0 M3 .expected one code and its words"),
    ("grbl-servo", 7, "M3 S0 S0", "has the word S twice"),
    ("grbl-servo", 8, "G4 P200", "waits 200 s"),
    ("grbl-servo", 8, "G4 P-1", "waits -1 s"),
    ("grbl-servo", 8, "G4", "has G4 and 0 words"),
    ("grbl-servo", 8, "G4 S1", "has S1 after G4"),
    ("grbl-servo", 9, "G0 X10.000 Y10.000", "has no feed .expected F: none was given for travel moves"),
    ("grbl-servo", 9, "G0 X10.000 F4000", "only one of X and Y"),
    ("grbl-servo", 9, "G0 F4000", "has no X, Y or Z"),
    ("grbl-servo", 9, "G0 X10.000 Y10.000 F0", "has the feed 0"),
    ("grbl-servo", 9, "G0 X10.000 Y10.000 F-5", "has the feed -5"),
    ("grbl-servo", 9, "G0 X10.000 Y10.000 Z1 F4000", "across and up or down at once"),
    ("grbl-servo", 9, "G0 Z1 F4000", "moves Z .expected none"),
    ("grbl-servo", 9, "G0 X10.000 Y10.000 S5 F4000", "has S5 after G0"),
    ("grbl-servo", 9, "G0 X10.000 X10.000 F4000", "has the word X twice"),
    ("grbl-servo", 9, "G0 X-1.000 Y10.000 F4000", "goes to .-1, 10. .expected a place in the work area"),
    ("grbl-servo", 9, "G0 X10.000 Y297.002 F4000", "expected a place in the work area"),
    ("grbl-servo", 9, "G0 X1e1 Y10.000 F4000", "without exponent"),
    ("grbl-servo", 9, "G0 X1E1 Y10.000 F4000", "without exponent"),
    ("grbl-servo", 9, "G0 X10,5 Y10.000 F4000", "a point, not a comma"),
    ("grbl-servo", 9, "G0 Xnan Y10.000 F4000", "a finite number"),
    ("grbl-servo", 9, "G0 X-inf Y10.000 F4000", "a finite number"),
    ("grbl-servo", 9, "G0 X10.0001 Y10.000 F4000", "at most three decimals"),
    ("grbl-servo", 9, "G0 X-0.000 Y10.000 F4000", "no minus before zero"),
    ("grbl-servo", 9, "G0 X-0 Y10.000 F4000", "no minus before zero"),
    ("grbl-servo", 9, "G0 X+1 Y10.000 F4000", "expected a number such as X0"),
    ("grbl-servo", 9, "G0 X.5 Y10.000 F4000", "expected a number such as X0"),
    ("grbl-servo", 9, "G0 X5. Y10.000 F4000", "expected a number such as X0"),
    ("grbl-servo", 9, "G0 X01 Y10.000 F4000", "expected a number such as X0"),
    ("grbl-servo", 9, "G00 X1 Y10.000 F4000", "expected a number such as G0"),
    ("grbl-servo", 9, "G0 X Y10.000 F4000", "a number after X"),
    ("grbl-servo", 9, "g0 X1 Y10.000 F4000", "expected capital letters"),
    ("grbl-servo", 9, "G0X1Y10F4000", "one space between words"),
    ("grbl-servo", 9, "G0  X1 Y10 F4000", "two spaces in a row"),
    ("grbl-servo", 9, "G0 X1 Y10 F4000 ", "a superfluous space"),
    ("grbl-servo", 9, "G0 X1 Y10 F4000\r", r"'\\r' .expected ASCII"),
    ("grbl-servo", 9, "G0 X1 Y10 F4000;a", "no space before its comment"),
    ("grbl-servo", 9, "G0 X#1 Y10 F4000", "expected a number such as X0"),
    ("grbl-servo", 9, "X10 Y10 F4000", "has no code"),
    ("grbl-servo", 9, "G2 X10 Y10 I1 J1 F4000", "has G2, which arcs"),
    ("grbl-servo", 12, "G0 X20.000 Y10.000 F2000", "travels with the pen down"),
    ("grbl-servo", 12, "G1 X20.000 Y10.000", "none was given for drawing moves"),
    ("grbl-servo", 14, "M0", "pauses with the pen not lifted"),
    ("grbl-servo", 14, "M2", "has M2 with the pen not lifted"),
    ("grbl-servo", 21, "M1", "is a pause only on machines with a switch"),
    ("grbl-servo", 22, "M2", "stands after the end"),
    ("grbl-servo", 23, "", "the end without M2"),
    ("grbl-laser", 1, "G21 G20", "has G20, which sets inches"),
    ("grbl-laser", 3, "G0 G1 X10 Y10 F4000", "has G0 G1 X10 Y10 F4000 .expected one code"),
    ("grbl-laser", 3, "G90 G0 X10 Y10 F4000", "expected one code and its words, or settings only"),
    ("grbl-laser", 4, "M4 S151", "has M4 S151 .expected S150"),
    ("grbl-laser", 5, "G0 X20.000 Y10.000 F2000", "travels with the pen down"),
    ("grbl-laser", 10, "", "has M30 with the pen not lifted"),
    ("grbl-z", 4, "G0 Z2.000 F300", "has Z2 .expected Z3, the pen up, or Z0, the pen down"),
    ("grbl-z", 4, "M3 S100", "the pen of this machine is of kind z"),
    ("grbl-z", 4, "G0 Z3.000", "none was given for z moves"),
    ("grbl-z", 6, "G0 Z0.000 F300", "as fast as it can"),
    ("grbl-z", 6, "G1 Z0.000", "none was given for z moves"),
    ("grbl-z", 7, "G1 X20.000 Y10.000", "none was given for drawing moves"),
    ("grbl-z", 7, "G1 X20.000 Y10.000 Z0.000 F2000", "across and up or down at once"),
    ("grbl-z", 8, "", "travels with the pen down"),
    ("linuxcnc-z", 11, "G94\nG1 X20.000 Y10.000", "none was given for drawing moves"),
    ("linuxcnc-z", 1, ";py,import os", "on which LinuxCNC acts"),
    ("linuxcnc-z", 1, "(py,import os)", "on which LinuxCNC acts"),
    ("linuxcnc-z", 1, "( LogOpen,/etc/passwd)", "on which LinuxCNC acts"),
    ("linuxcnc-z", 1, "(MSG, <b>)", "on which LinuxCNC acts"),
    ("linuxcnc-z", 1, "(" + "a" * 254 + ")", "256 characters long .expected at most 255"),
    ("linuxcnc-z", 5, "G17 G18", "has G18, which is not among the codes"),
    ("linuxcnc-z", 6, "T1 M6", "has M6, which changes tools"),
    ("linuxcnc-z", 13, "", "without M2"),
    ("marlin-servo", 1, "(star)", "is no comment on marlin; write ;"),
    ("marlin-servo", 1, "; " + "a" * 95, "97 characters long .expected at most 96"),
    ("marlin-servo", 2, "G21 G90", "has G21 G90 .expected one of them"),
    ("marlin-servo", 2, "G94", "has G94, which is not among"),
    ("marlin-servo", 5, "M280 P1 S90", "is not M280 P0 S"),
    ("marlin-servo", 5, "M280 S90", "is not M280 P0 S"),
    ("marlin-servo", 5, "M280 P0 S60", "expected S90, the pen up, or S40"),
    ("marlin-servo", 6, "G4 P0.2", "waits 0.0002 s"),
    ("marlin-servo", 6, "G4 P200000", "waits 200 s"),
    ("marlin-servo", 6, "G4 P200 S1", "has G4 and 2 words"),
    ("marlin-servo", 8, "", "while moves go on, for which Marlin does not wait"),
    ("marlin-servo", 15, "M117 a+b", "expected capital letters"),
    ("marlin-servo", 16, "M30", "deletes a file"),
    ("marlin-servo", 16, "M2", "unknown to this firmware"),
    ("marlin-servo", 16, "M104 S200", "heats"),
    ("marlin-servo", 16, "M84", "moves after the motors were switched off"),
    ("marlin-servo", 18, "", "the end while moves go on"),
    ("klipper", 1, "(star)", "is no comment on klipper; write ;"),
    ("klipper", 1, "G20", "sets inches"),
    ("klipper", 3, "SET_SERVO SERVO=other ANGLE=90", "has another servo"),
    ("klipper", 3, "SET_SERVO SERVO=pen ANGLE=high", "has no ANGLE with a number"),
    ("klipper", 3, "SET_SERVO SERVO=pen WIDTH=0.001", "has no ANGLE with a number"),
    ("klipper", 3, "SET_SERVO SERVO=pen ANGLE=91", "expected ANGLE=90, the pen up"),
    ("klipper", 3, "SET_SERVO SERVO=pen ANGLE=1e1", "expected a word"),
    ("klipper", 3, "M280 P0 S90", "has M280, which is not among"),
    ("klipper", 4, "G4 S1", "has S1 after G4"),
    ("klipper", 11, "M0", "pause with PAUSE"),
    ("klipper", 11, "RESTART", "has RESTART, which is not among"),
    ("klipper", 13, "M2", "unknown to this firmware"),
]


@pytest.mark.parametrize(("name", "number", "line", "reason"), FAULTS)
def test_refuses_a_single_fault(machines, name, number, line, reason):
    """One wrong line in a good program is refused, by its number where it is wrong in itself, and with the reason."""
    with pytest.raises(InputError, match=reason) as caught:
        check_program(with_line(GOOD[name], number, line), machines[name])
    assert "\n" not in str(caught.value)
    if line:
        place = int(str(caught.value).split(":")[1])
        assert place == number or (line[:3] in ("M2", "M84", "G94") and place == number + 1)


def test_wants_a_last_line_feed(machines):
    """A last line that may have been cut is refused."""
    with pytest.raises(InputError, match=r"x.gcode:23: does not end with a line feed .*; the line is 'M2'"):
        check_program(SERVO[:-1], machines["grbl-servo"], "x.gcode")


def test_wants_the_pen_up_at_the_end(machines):
    """A program that ends with the pen down, or does nothing at all, is refused."""
    with pytest.raises(InputError, match="program:19: is the end, where the pen is not lifted"):
        check_program("\n".join(SERVO.split("\n")[:18]) + "\n\n", machines["grbl-servo"])
    for text in ("\n", "; nothing\n", "G21\n"):
        with pytest.raises(InputError, match="the pen is not lifted"):
            check_program(text, machines["grbl-servo"])
    with pytest.raises(InputError, match="program:1: is the end, where"):
        check_program("", machines["grbl-servo"])


def test_knows_where_a_servo_goes_when_it_is_switched_off():
    """M2 and M5 turn a servo on Grbl's spindle pin to 0: fine where that is beyond pen up, else the pen drops."""
    drops = load_machine("grbl-servo", {"pen.up": "60", "pen.down": "0"})
    turned = SERVO.replace("S60", "S-").replace("S0", "S60").replace("S-", "S0")
    with pytest.raises(InputError, match="program:23: has M2, which does what M5 does and so puts the pen down"):
        check_program(turned, drops)
    assert len(check_program(turned.replace("M2\n", ""), drops).strokes()) == 2
    cut = "\n".join(SERVO.split("\n")[:20]) + "\n"
    with pytest.raises(InputError, match="program:20: is the end without M2"):
        check_program(cut, load_machine("grbl-servo"))
    swapped = load_machine("grbl-servo", {"pen.kind": "raw", "pen.up_lines": "M3 S90", "pen.down_lines": "M5"})
    text = "G21\nG90\nM3 S90\nG0 X1 Y1 F100\nM5\nG1 X2 Y1 F100\nM3 S90\n"
    assert len(check_program(text, swapped).strokes()) == 1
    with pytest.raises(InputError, match="program:8: has M2, which does what M5 does"):
        check_program(text + "M2\n", swapped)


def test_rounding_at_the_edge_is_no_fault():
    """An area that ends between two thousandths of a millimetre has room for the rounded coordinate."""
    machine = load_machine("grbl-servo", {"area.x_max_mm": "99.9996"})
    text = SERVO.replace("X20.000", "X100.000")
    assert check_program(text, machine).bounds.right == 100
    with pytest.raises(InputError, match="work area"):
        check_program(SERVO.replace("X20.000", "X100.001"), machine)


def test_is_quick(machines):
    """20,000 strokes, 200,000 lines, take seconds at most."""
    import time

    rng = np.random.default_rng(5)
    points = rng.uniform(0, 200, (20_000, 6, 2))
    parts = ["G21\nG90\nM3 S0\n"]
    for number, stroke in enumerate(points.tolist()):
        (x, y), *rest = stroke
        parts.append(f"G0 X{x:.3f} Y{y:.3f} F4000 ; stroke {number}\nM3 S60\nG4 P0.3\n")
        parts += [f"G1 X{x:.3f} Y{y:.3f} F2000\n" for x, y in rest]
        parts.append("M3 S0\nG4 P0.2\n")
    parts.append("M2\n")
    began = time.process_time()
    trace = check_program("".join(parts), machines["grbl-servo"])
    assert time.process_time() - began < 8
    assert np.abs(np.array(trace.strokes()) - points).max() <= 0.0005 + 1e-9


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["byte", "delete", "swap", "double", "word", "cut"]),
        st.integers(0, 10_000),
        st.integers(0, 10_000),
        st.sampled_from(
            ["G0 X500 Y0 F100", "G1 X-5 Y0 F100", "G91", "G20", "M3 S60", "M5", "G0 X5 Y5", "G92 X0 Y0", "X5", "G4 P1"]
        ),
    ),
    min_size=1,
    max_size=4,
)


def edited(text: str, edits) -> str:
    """The text after some damage."""
    for kind, first, second, line in edits:
        lines = text.split("\n")
        here, there = first % len(lines), second % len(lines)
        if kind == "byte" and text:
            place = first % len(text)
            text = text[:place] + chr(second % 256) + text[place + 1 :]
            continue
        if kind == "cut":
            text = text[: first % (len(text) + 1)]
            continue
        if kind == "delete":
            del lines[here]
        elif kind == "swap":
            lines[here], lines[there] = lines[there], lines[here]
        elif kind == "double":
            lines.insert(here, lines[there])
        else:
            lines.insert(here, line)
        text = "\n".join(lines)
    return text


@pytest.mark.parametrize("name", [*GOOD, "raw"])
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_lets_no_damage_do_harm(machines, simulate, name, edits):
    """Damaged programs are refused with an InputError, or do no harm and draw what the checker says that they draw."""
    text = edited((GOOD | {"raw": RAW_TEXT})[name], edits)
    try:
        trace = check_program(text, machines[name])
    except InputError:
        return
    report = simulate(text, machines[name])
    assert (report.outside, report.dragged) == (0, 0)
    assert report.began_up
    assert report.ended_up
    assert [stroke.tolist() for stroke in trace.strokes()] == [[list(point) for point in s] for s in report.strokes]
    assert report.waited_s == pytest.approx(trace.dwell_s)
