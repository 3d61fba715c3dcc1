"""Draw with a trained Sketch-RNN model: a class name in, strokes out.

    from sketch_edge import load

    artist = load()                          # the model that comes with the package
    artist.draw("star", seed=7).save("star.svg")

Importing this package does no work: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from sketch_edge.runtime.version import VERSION

if TYPE_CHECKING:
    from sketch_edge.runtime.artist import Artist, Point, load
    from sketch_edge.runtime.errors import BundleError, InputError, SketchError, UnfinishedError
    from sketch_edge.runtime.scene import Pen, Scene
    from sketch_edge.runtime.scenes.composition import Composition
    from sketch_edge.runtime.scenes.scene_file import read_composition
    from sketch_edge.runtime.scenes.thing import Thing
    from sketch_edge.runtime.sketch import Sketch
    from sketch_edge.runtime.writers import save

__version__ = VERSION
__all__ = [
    "Artist",
    "BundleError",
    "Composition",
    "InputError",
    "Pen",
    "Point",
    "Scene",
    "Sketch",
    "SketchError",
    "Thing",
    "UnfinishedError",
    "load",
    "read_composition",
    "save",
]

_HOMES = {
    "Artist": "artist",
    "BundleError": "errors",
    "Composition": "scenes.composition",
    "InputError": "errors",
    "Pen": "scene",
    "Point": "artist",
    "Scene": "scene",
    "Sketch": "sketch",
    "SketchError": "errors",
    "Thing": "scenes.thing",
    "UnfinishedError": "errors",
    "load": "artist",
    "read_composition": "scenes.scene_file",
    "save": "writers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"sketch_edge.runtime.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
