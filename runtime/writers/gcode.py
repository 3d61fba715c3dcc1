"""G-code for plotters: a scene planned for one machine and written as its program."""

from __future__ import annotations

import os

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.plot.gcode import program
from sketch_edge.runtime.plot.machine import Machine, load_machine, machine_names
from sketch_edge.runtime.plot.plan import PlotOptions, plan_scene
from sketch_edge.runtime.scene import Scene


def render(
    scene: Scene,
    *,
    machine: Machine | str | os.PathLike[str] | None = None,
    order: str = PlotOptions.order,
    merge_mm: float = PlotOptions.merge_mm,
    simplify_mm: float = PlotOptions.simplify_mm,
    shortest_mm: float = PlotOptions.shortest_mm,
    remove_duplicates: bool = PlotOptions.remove_duplicates,
    clip: bool = PlotOptions.clip,
    start_at_stroke: int = PlotOptions.start_at_stroke,
) -> bytes:
    """Write a scene as the program that `machine` draws it with; equal scenes give equal bytes.

    `machine` is a `Machine`, the name of a shipped profile or the path of a TOML file; the other options are those of
    `PlotOptions`. Every pen is drawn in turn, with a pause before each but the first.

    Raises:
        InputError: no machine, or an unknown one; an option out of range; or the drawing leaves the work area.
    """
    if machine is None:
        raise InputError(f"machine: is missing (gcode is for one); choose one of {', '.join(machine_names())}")
    if not isinstance(machine, Machine):
        machine = load_machine(machine)
    options = PlotOptions(order, merge_mm, simplify_mm, shortest_mm, remove_duplicates, clip, start_at_stroke)
    return program(plan_scene(scene, machine, options)).encode("ascii")
