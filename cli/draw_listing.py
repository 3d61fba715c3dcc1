"""sketch-draw --list, --list-machines and --show; and what is said of a class that lists leave out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from sketch_edge.cli.command import say
from sketch_edge.cli.draw_options import Engine, Plotter

if TYPE_CHECKING:  # numpy is not needed to print the help
    from sketch_edge.runtime.artist import Artist

MOST_NAMED = 5
"""Hidden classes that a note names."""


def print_classes(engine: Engine, everything: bool) -> None:
    """Print the names of the classes, one a line; hidden ones, marked, only where everything is asked for.

    That there are some is said on standard error: standard output is names alone, for a program to read.
    """
    classes, listed = _classes(engine)
    shown = classes if everything else listed
    known = frozenset(listed)
    click.echo("\n".join(name if name in known else f"{name} (hidden)" for name in shown))
    hidden = len(classes) - len(listed)
    if hidden and not everything:
        more = "1 more class is drawn poorly" if hidden == 1 else f"{hidden} more classes are drawn poorly"
        say(f"note: {more} and hidden; --list --all shows {'it' if hidden == 1 else 'them'}")


def print_machines(plotter: Plotter) -> None:
    """Print the names of the shipped profiles, or the profile of --machine."""
    from sketch_edge.cli.draw_plot import list_machines, read_machine

    if plotter.machines:
        click.echo(list_machines())
        return
    from sketch_edge.runtime.plot.machine import describe_machine

    click.echo(describe_machine(read_machine(plotter)).rstrip("\n"))


def say_hidden(artist: Artist, names: Iterable[str]) -> None:
    """Say which of the classes `names`, all of the model, it draws poorly; one line, or none."""
    found = list(dict.fromkeys(artist.classes[artist.class_id(name)] for name in names if artist.is_hidden(name)))
    if not found:
        return
    some = ", ".join(found[:MOST_NAMED]) + (f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else "")
    say(f"note: {artist.source} draws {some} poorly; --list names what it draws well")


def _classes(engine: Engine) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All classes of the model, and those of them that are listed."""
    if engine.model is not None and engine.model.is_dir():
        from sketch_edge.runtime.shelf import Shelf

        shelf = Shelf(engine.model, provider="numpy")  # which is not started
        return shelf.classes, shelf.listed_classes
    from sketch_edge.runtime.bundle import open_bundle

    manifest = open_bundle(engine.model).manifest
    return manifest.classes, manifest.listed
