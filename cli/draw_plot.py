"""sketch-draw --machine: from the options to a program for a plotter, and what to say about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sketch_edge.cli.command import counted
from sketch_edge.cli.draw_options import Plotter
from sketch_edge.cli.draw_paths import Reads, check_paths, check_preview
from sketch_edge.runtime.errors import InputError

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.plot.machine import Machine
    from sketch_edge.runtime.plot.plan import Plan, PlotOptions
    from sketch_edge.runtime.scene import Scene

PEN_MARK = "{pen}"
"""In the name of --out: one file for each pen, instead of pauses for changing them."""

_LENGTHS = {"merge": "merge_mm", "simplify": "simplify_mm", "shortest": "shortest_mm"}


@dataclass(frozen=True)
class PlotJob:
    """What a plot is made with; every value checked before anything is drawn."""

    machine: Machine
    options: PlotOptions
    frame: bool
    preview: str | None


def read_machine(plotter: Plotter) -> Machine:
    """Load the profile of --machine, changed by --set.

    Raises:
        InputError: no --machine, no such profile, or a setting that is unknown or cannot be.
    """
    from sketch_edge.runtime.plot.machine import load_machine, machine_names

    if plotter.machine is None:
        raise InputError(f"--machine: missing; name a profile ({', '.join(machine_names())}) or a TOML file")
    return load_machine(plotter.machine, _settings(plotter.settings))


def read_job(plotter: Plotter) -> PlotJob:
    """Read and check all options for a plot.

    Raises:
        InputError: one is missing or out of range.
    """
    from sketch_edge.runtime.page import parse_length_mm
    from sketch_edge.runtime.plot.plan import PlotOptions

    given = plotter.given()
    values: dict[str, Any] = {
        field: parse_length_mm(getattr(plotter, name), given[name]) for name, field in _LENGTHS.items() if name in given
    }
    for name in ("order", "start_at_stroke"):
        if name in given:
            values[name] = getattr(plotter, name)
    options = PlotOptions(clip=plotter.clip, remove_duplicates=not plotter.keep_duplicates, **values)
    return PlotJob(read_machine(plotter), options, plotter.frame, plotter.preview)


def write_plot(job: PlotJob, scene: Scene, path: str, reads: Reads = ()) -> list[str]:
    """Plan a scene and write its program, or one for each pen; returns lines that say what the pen will do.

    Raises:
        InputError: the drawing is out of the work area, or has no such stroke to start at; or the file of a pen cannot
            be written, is the preview, or is read.
        UnfinishedError: the system refused a write.
    """
    from sketch_edge.runtime.plot.gcode import frame, program
    from sketch_edge.runtime.plot.plan import plan_scene, split_pens
    from sketch_edge.runtime.plot.preview import preview
    from sketch_edge.runtime.writers import save

    plan = plan_scene(scene, job.machine, job.options)
    if not plan.layers:
        raise InputError(f"{path}: has nothing to draw{_gone(plan)}; leave out --clip and --min-length, or move it")
    plans = {path: plan}
    if PEN_MARK in path:
        plans = {path.replace(PEN_MARK, each.layers[0].label.replace(" ", "-")): each for each in split_pens(plan)}
        check_paths(list(plans), reads)
        if job.preview is not None:
            check_preview(job.preview, plans)
    write = frame if job.frame else program
    texts = {name: write(each) for name, each in plans.items()}  # all are checked before the first is written
    if job.preview is not None:
        save(preview(plan), job.preview)
    for name, text in texts.items():
        _save(name, text)
    if job.frame:
        lines = [f"{name}: once round the drawing with the pen up, {_area(each)}" for name, each in plans.items()]
    else:
        lines = [line for name, each in plans.items() for line in _report(name, each)]
    return lines if job.preview is None else [*lines, f"{job.preview}: what is drawn, and the travel between"]


def list_machines() -> str:
    """A line for each shipped profile."""
    from sketch_edge.runtime.plot.machine import load_machine, machine_names

    width = max(map(len, machine_names()))
    return "\n".join(f"{name:{width}}  {load_machine(name).description}" for name in machine_names())


def _settings(texts: Sequence[str]) -> Mapping[str, str]:
    settings: dict[str, str] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise InputError(f"--set {text!r}: is no setting; write KEY=VALUE, such as pen.down=90")
        if key.strip() in settings:
            raise InputError(f"--set {text!r}: {key.strip()} is given twice; leave one of them out")
        settings[key.strip()] = value.strip()
    return settings


def _save(path: str, text: str) -> None:
    from sketch_edge.runtime.files import write_atomic
    from sketch_edge.runtime.writers import STANDARD_OUTPUT, write_standard_output

    if path == STANDARD_OUTPUT:
        write_standard_output(text.encode("ascii"))
    else:
        write_atomic(Path(path), text.encode("ascii"))


def _report(path: str, plan: Plan) -> list[str]:
    """What a program will do, in the order in which a maker asks."""
    report = plan.report
    pens = ", ".join(layer.label for layer in plan.layers)
    strokes = counted(report.lifts, "stroke", "strokes")
    lines = [
        f"{path}: {strokes} for {plan.machine.name} with pen {pens}, {_duration(report.time_s)}",
        f"  {_area(plan)}",
        f"  drawn {report.drawn_mm:,.0f} mm, travel {report.travel_mm:,.0f} mm "
        f"({report.travel_before_mm:,.0f} mm in the order of the drawing)",
    ]
    counts = {
        "merged into others": report.merged,
        "drawn by others already": report.duplicates,
        "too short": report.short,
        "cut at the work area": report.clipped,
    }
    changes = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    return [*lines, f"  of {report.lines} lines: {changes}"] if changes else lines


def _gone(plan: Plan) -> str:
    """What became of the lines of a plan that has none left."""
    report = plan.report
    gone = {"out of the work area": report.clipped, "too short": report.short}
    changes = " and ".join(f"{count} {what}" for what, count in gone.items() if count)
    return f" (of {report.lines} lines {changes})" if changes else ""


def _area(plan: Plan) -> str:
    bounds, area = plan.bounds, plan.machine.area
    return (
        f"x {bounds.left:.1f} to {bounds.right:.1f}, y {bounds.top:.1f} to {bounds.bottom:.1f} mm, in a work area of "
        f"x {area.x_min_mm:g} to {area.x_max_mm:g}, y {area.y_min_mm:g} to {area.y_max_mm:g} mm"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"about {hours} h {minutes} min"
    return f"about {minutes} min {rest} s" if minutes else f"about {rest} s"
