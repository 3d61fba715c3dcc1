"""Programs on a simulated plotter: random scenes for every machine do no harm and draw what they show."""

import pytest

from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.estimate import trace_time_s
from sketch_edge.runtime.plot.gcode import program
from sketch_edge.runtime.plot.plan import plan_scene

SCENES = 30
"""For each machine; `soak.py` tries thousands."""


@pytest.fixture(scope="module")
def machines(random_scenes):
    return random_scenes.machines()


@pytest.mark.parametrize("block", range(3))
def test_random_scenes_do_no_harm_and_are_drawn(random_scenes, simulate, machines, block):
    """No move out of the area, no travel with the pen down, pen up first and last, and the strokes of the scene."""
    for name, machine in machines.items():
        for number in range(block * SCENES // 3, (block + 1) * SCENES // 3):
            found = random_scenes.faults(random_scenes.make(number, machine), simulate)
            assert not found, f"scene {number} on {name}: {found}"


def test_a_report_says_what_the_program_does(random_scenes, machines):
    """Travel, way drawn, lifts and time are those of the written program, but for waits at its start and its pauses."""
    for name, machine in machines.items():
        for number in range(200, 208):
            case = random_scenes.make(number, machine)
            plan = plan_scene(case.scene, case.machine, case.options)
            trace, report = check_program(program(plan), case.machine), plan.report
            assert trace.travel_mm == pytest.approx(report.travel_mm, abs=0.01), f"scene {number} on {name}"
            assert trace.drawn_mm == pytest.approx(report.drawn_mm, abs=0.01)
            assert len(trace.touches) == report.lifts
            more = trace_time_s(trace, case.machine) - report.time_s
            slack = 0.02 * report.time_s + 0.05  # the report lets the z axis stand still at either end of its way
            assert -slack < more < slack + 0.4 * (2 + len(trace.pauses)), f"scene {number} on {name}"
