"""Graphs of strangers that pass the walk, run with either provider: a drawing comes, or the project's own error.

A warning counts as wrong too: on the command line it would stand beside the one line that was promised.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from itertools import islice

import numpy as np

from sketch_edge.runtime.artist import Artist
from sketch_edge.runtime.bundle import Bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import ENCODER
from sketch_edge.runtime.session import load_graph
from sketch_edge.runtime.sketch import Sketch

POINTS = 6
"""Of a drawing; what goes wrong at a step goes wrong at one of the first."""

LINES = [np.array([[0.0, 0.0], [40.0, 10.0], [20.0, 50.0]]), np.array([[5.0, 60.0], [70.0, 60.0]])]


def drawn_by(bundle: Bundle, provider: str) -> Callable[[bytes], object]:
    """Give a function that draws with a graph in place of the member of `bundle` whose inputs and outputs it has."""
    sketch = Sketch(tuple(LINES), "given")

    def run(content: bytes) -> object:
        member = _member_of(content, bundle)
        changed = replace(bundle, members={**bundle.members, member: content})
        with warnings.catch_warnings(action="error"):
            artist = Artist(changed, provider=provider)
            name = artist.classes[0]
            if member == ENCODER:
                return artist.encode(sketch, name)
            if member == "step.onnx":
                return list(islice(artist.stream(name, seed=1), POINTS))
            return artist.draw_many([name, artist.classes[-1]], seed=1, max_points=POINTS)

    return run


def _member_of(content: bytes, bundle: Bundle) -> str:
    """The member that a graph can stand for."""
    problem: BundleError | None = None
    for member in bundle.members:
        try:
            load_graph(content, member, bundle.manifest.sizes, member)
        except BundleError as error:
            problem = error
        else:
            return member
    raise problem or BundleError("no member")
