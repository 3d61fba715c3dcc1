"""Programs and drawings read by the tools that they are for, where those are installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.gcode import frame, program
from sketch_edge.runtime.plot.machine import load_machine
from sketch_edge.runtime.plot.plan import PlotOptions, plan_scene
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.writers import render

RS274 = shutil.which("rs274")
needs_rs274 = pytest.mark.skipif(RS274 is None, reason="rs274 is not installed (Debian: linuxcnc-uspace)")

CANON = re.compile(r"\d+ N\.+ (\w+)\((.*)\)")
KEEP = PlotOptions(order="keep", merge_mm=-1.0, remove_duplicates=False)


def interpret(text: str, folder) -> list[tuple[str, str]]:
    """What LinuxCNC's interpreter makes of a program: names and arguments of its canonical commands."""
    path = folder / "program.ngc"
    path.write_bytes(text.encode("ascii"))
    done = subprocess.run([RS274 or "rs274", "-g", path], capture_output=True, text=True, timeout=60, cwd=folder)
    assert done.returncode == 0, done.stderr
    found = [CANON.search(line) for line in done.stdout.splitlines()]
    return [(match[1], match[2]) for match in found if match]


def strokes_of(commands: list[tuple[str, str]]) -> list[np.ndarray]:
    """What is drawn: where the machine feeds across the paper, from where it was before."""
    strokes: list[list[list[float]]] = []
    here, drawing = [0.0, 0.0], False
    for name, arguments in commands:
        if name not in ("STRAIGHT_TRAVERSE", "STRAIGHT_FEED"):
            continue
        x, y = (float(each) for each in arguments.split(",")[:2])
        if name == "STRAIGHT_FEED" and [x, y] != here:
            if not drawing:
                strokes.append([here])
            strokes[-1].append([x, y])
            drawing = True
        elif [x, y] != here:
            drawing = False
        here = [x, y]
    return [np.array(stroke) for stroke in strokes]


def scene_of_lines(count: int, seed: int) -> Scene:
    """Random lines of 2 to 20 points with two pens, all of them longer than a rounding."""
    rng = np.random.default_rng(seed)
    lines = [rng.uniform(0, [200, 150], (rng.integers(2, 20), 2)) for _ in range(count)]
    half = count // 2
    return Scene(
        Page(200, 150, 0.0),
        (Pen("black"), Pen("red", "red")),
        (Placed(tuple(lines[:half]), "a star"), Placed(tuple(lines[half:]), "py,x(1)", pen=1)),
    )


@needs_rs274
@pytest.mark.parametrize("name", ["linuxcnc-z", "grbl-z", "grbl-servo", "grbl-laser"])
def test_linuxcnc_draws_the_scene(name, tmp_path):
    """rs274 takes the programs for LinuxCNC and for Grbl as they are; it feeds along the lines of the scene."""
    machine = load_machine(name)
    scene = scene_of_lines(60, 8)
    commands = interpret(program(plan_scene(scene, machine, KEEP)), tmp_path)
    strokes = strokes_of(commands)
    expected = [line for each in scene.objects for line in each.lines]
    assert len(strokes) == len(expected)
    for stroke, line in zip(strokes, expected, strict=True):
        assert np.abs(stroke - (line * [1, -1] + [0, 150])).max() < 0.01
    names = [name for name, _ in commands]
    assert names.count("PROGRAM_STOP") == 1
    assert names.count("PROGRAM_END") == 1


@needs_rs274
def test_linuxcnc_draws_a_scene_in_the_best_order(tmp_path):
    """Ordered and merged, every line is still drawn once: the way with the pen down is as long."""
    scene = scene_of_lines(60, 9)
    strokes = strokes_of(interpret(program(plan_scene(scene, load_machine("linuxcnc-z"))), tmp_path))
    drawn = sum(np.hypot(*np.diff(line, axis=0).T).sum() for each in scene.objects for line in each.lines)
    assert sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in strokes) == pytest.approx(drawn, rel=1e-5)


def report_of(commands: list[tuple[str, str]], machine, report):
    """Fill a report of the simulator from what the interpreter did on a machine with a z axis."""
    area, up, pen, here = machine.area, machine.pen.up, "unknown", None
    for name, arguments in commands:
        report.paused += name == "PROGRAM_STOP"
        if name not in ("STRAIGHT_TRAVERSE", "STRAIGHT_FEED"):
            continue
        x, y, z = (float(each) for each in arguments.split(",")[:3])
        if z >= up - 0.001:
            report.began_up = report.began_up or pen == "unknown"
            pen = "up"
        elif pen != "down":
            report.strokes.append([(x, y)])
            pen = "down"
        if here is not None and here != (x, y):
            inside = (
                area.x_min_mm - 0.001 < x < area.x_max_mm + 0.001 and area.y_min_mm - 0.001 < y < area.y_max_mm + 0.001
            )
            report.outside += not inside
            report.dragged += pen != "up" and name == "STRAIGHT_TRAVERSE"
            if pen == "down":
                report.strokes[-1].append((x, y))
        here = (x, y)
    report.ended_up = pen == "up"
    return report


@needs_rs274
@pytest.mark.parametrize("name", ["linuxcnc-z", "grbl-z"])
def test_linuxcnc_draws_random_scenes(name, random_scenes, new_report, tmp_path):
    """Scenes of every kind do no harm on LinuxCNC's interpreter, and what it draws is what they show."""
    machine = load_machine(name)

    def simulate(text, machine):
        return report_of(interpret(text, tmp_path), machine, new_report())

    for number in range(500, 512):
        assert random_scenes.faults(random_scenes.make(number, machine), simulate) == [], f"scene {number}"


@needs_rs274
def test_linuxcnc_waits_as_told(tmp_path):
    """Waits that a profile gives in seconds are so many seconds there."""
    machine = load_machine("grbl-servo", {"pen.up_dwell_s": "0.25", "pen.down_dwell_s": "0.125"})
    commands = interpret(program(plan_scene(scene_of_lines(3, 1), machine, KEEP)), tmp_path)
    assert {arguments for name, arguments in commands if name == "DWELL"} == {"0.2500", "0.1250"}


@needs_rs274
def test_linuxcnc_goes_round_the_frame(tmp_path):
    """The trace of the bounds keeps z up all the time."""
    machine = load_machine("linuxcnc-z")
    commands = interpret(frame(plan_scene(scene_of_lines(5, 2), machine)), tmp_path)
    moves = [arguments.split(",") for name, arguments in commands if name.startswith("STRAIGHT_")]
    assert len(moves) >= 5
    assert {float(move[2]) for move in moves} == {3.0}


@needs_rs274
def test_linuxcnc_runs_nothing_that_a_label_says(tmp_path):
    """Labels that LinuxCNC would run as Python or write to files, were they comments as they stand, do nothing."""
    lines = (np.array([[1.0, 1.0], [2.0, 2.0]]),)
    labels = [f";py,open('{tmp_path}/{n}','w')" for n in "ab"] + [f"py,open('{tmp_path}/c','w')"]
    labels += [f"LOGOPEN,{tmp_path}/d", f"(py,open('{tmp_path}/e','w'))", "abort,x", "MSG,x"]
    for name in ("linuxcnc-z", "grbl-z"):
        for label in labels:
            scene = Scene(
                Page(200, 150, 0.0), (Pen(label), Pen("b")), (Placed(lines, label), Placed(lines, label, pen=1))
            )
            interpret(program(plan_scene(scene, load_machine(name))), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["program.ngc"]


READ_LAYERS = """
import sys, vpype
document = vpype.read_multilayer_svg(sys.argv[1], 0.1)
print("page", *(round(side / vpype.convert_length("1mm"), 3) for side in document.page_size))
for number in sorted(document.layers):
    layer = document.layers[number]
    mm = vpype.convert_length("1mm")
    print(number, len(layer), round(layer.length() / mm, 2), layer.property("vp_name"))
"""


def vpype_python() -> str | None:
    """A Python that has vpype: the one that SKETCH_VPYPE names, or this one."""
    for python in (os.environ.get("SKETCH_VPYPE"), sys.executable):
        if python and subprocess.run([python, "-c", "import vpype"], capture_output=True).returncode == 0:
            return python
    return None


def test_vpype_reads_layers_and_page(tmp_path):
    """vpype finds the page in mm, and each pen's lines in a layer of its number and name."""
    python = vpype_python()
    if python is None:
        pytest.skip("vpype is not installed (SKETCH_VPYPE may name a Python that has it)")
    scene = scene_of_lines(10, 3)
    path = tmp_path / "scene.svg"
    path.write_bytes(render(scene, "svg"))
    done = subprocess.run([python, "-c", READ_LAYERS, path], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    page, *layers = done.stdout.splitlines()
    assert page == "page 200.0 150.0"
    assert [layer.split()[:2] + layer.split()[3:] for layer in layers] == [
        ["1", "5", "1", "black"],
        ["2", "5", "2", "red"],
    ]
    for layer, each in zip(layers, scene.objects, strict=True):
        drawn = sum(np.hypot(*np.diff(line, axis=0).T).sum() for line in each.lines)
        assert float(layer.split()[2]) == pytest.approx(drawn, rel=1e-3)


def damaged(text: str, rng: np.random.Generator) -> str:
    """A program with one character, one line or two lines other than they were."""
    lines = text.split("\n")
    here, there = rng.integers(len(lines) - 1, size=2)
    kind = rng.integers(4)
    if kind == 0:
        del lines[here]
    elif kind == 1:
        lines[here], lines[there] = lines[there], lines[here]
    elif kind == 2:
        lines.insert(here, lines[there])
    elif lines[here]:
        place = rng.integers(len(lines[here]))
        other = "0123456789.- GMXYZFSP();"[rng.integers(24)]
        lines[here] = lines[here][:place] + other + lines[here][place + 1 :]
    return "\n".join(lines)


@needs_rs274
@pytest.mark.parametrize("name", ["linuxcnc-z", "grbl-z", "grbl-servo"])
def test_linuxcnc_accepts_what_the_checker_accepts(name, tmp_path):
    """Of damaged programs the strict checker lets pass only such as a real interpreter takes too."""
    machine = load_machine(name)
    text = program(plan_scene(scene_of_lines(3, 4), machine))
    accepted = 0
    for number in range(60):
        other = damaged(text, np.random.default_rng(number))
        try:
            check_program(other, machine)
        except InputError:
            continue
        interpret(other, tmp_path)
        accepted += 1
    assert accepted > 5
