"""The official Quick, Draw! simplified form: one JSON object a line, one line a sketch."""

from __future__ import annotations

import json
from collections.abc import Sequence

from sketch_edge.runtime.sketch import Sketch


def render(sketches: Sequence[Sketch]) -> bytes:
    """Write sketches as ndjson, ASCII, in the form of the official simplified files; equal sketches give equal bytes.

    Each record has the official keys "word" and "drawing": whole numbers, larger side 255. It has no "key_id",
    "countrycode", "timestamp" and "recognized", which say what a player and the game did. A sketch with a seed, that
    is, one that a model drew, also has "synthetic": true, "seed", "index", and where known "temperature",
    "how" and "source", so that nobody takes it for a person's.
    """
    return b"".join(json.dumps(record_of(sketch), allow_nan=False).encode("ascii") + b"\n" for sketch in sketches)


def record_of(sketch: Sketch) -> dict[str, object]:
    """The record of one sketch, as `render` writes it."""
    record: dict[str, object] = {"word": sketch.label}
    if sketch.seed is not None:
        record |= {"synthetic": True, "seed": sketch.seed, "index": sketch.index}
        if sketch.temperature is not None:
            record["temperature"] = round(sketch.temperature, 6)
        if sketch.how:
            record["how"] = sketch.how
        if sketch.source:
            record["source"] = sketch.source
    record["drawing"] = sketch.to_simplified()
    return record
