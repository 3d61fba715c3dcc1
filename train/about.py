"""What a checkpoint says about its model: classes, scale, data, losses; and the strict reader of that JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn

from sketch_edge.runtime.errors import CheckpointError, InputError
from sketch_edge.runtime.manifest import (
    MAX_CLASSES,
    MAX_NAME_LENGTH,
    MAX_POINTS,
    refuse_constant,
    short,
    without_repeats,
)
from sketch_edge.train.credit import QUICKDRAW

MAX_SCALE = 1000.0
_REQUIRED = {"classes", "scale", "max_points"}
LOSSES = ("offset", "pen", "kl", "total")
LONGEST_TEXT = 1 << 24
"""Characters of JSON; read, it takes some thirty times as many bytes."""

LARGEST = 1e15
"""No count and no loss comes near."""


@dataclass(frozen=True)
class About:
    """What a model was trained on and how far; goes on into the bundle's manifest and the model card."""

    classes: tuple[str, ...]
    """1 to 4096 names, printable, at most 100 letters each, each once."""

    scale: float
    """Quick, Draw! units per model unit; over 0, at most 1000."""

    max_points: int
    """Rows of the longest drawing of the data set, the Nmax of the losses; 1 to 10,000."""

    data_sha256: str = ""
    drawings: int = 0
    """Drawings in the training split."""

    synthetic: int = 0
    """How many of them a model made."""

    counts: dict[str, int] = field(default_factory=dict)
    """Training drawings of each class."""

    step: int = 0
    losses: dict[str, float] = field(default_factory=dict)
    """Of the last validation that gave the weights; LOSSES, or empty where there was none yet."""

    credit: str = QUICKDRAW[0]
    licence: str = QUICKDRAW[1]

    source: str = ""
    """File name of the model that the training started from; empty where it started from nothing."""

    source_sha256: str = ""
    """Hash of that file."""


def check_exportable(about: About) -> None:
    """Refuse what no bundle could carry, so that it shows before a training and not after.

    Raises:
        InputError: the message starts with the name of the field.
    """
    if not 1 <= len(about.classes) <= MAX_CLASSES:
        raise InputError(f"classes: are {len(about.classes)} (expected 1 to {MAX_CLASSES})")
    for number, name in enumerate(about.classes):
        if not 1 <= len(name) <= MAX_NAME_LENGTH or not name.isprintable():
            raise InputError(f"classes[{number}]: is {short(name)} (expected 1 to {MAX_NAME_LENGTH} printable letters)")
    if len(set(about.classes)) < len(about.classes):
        raise InputError("classes: a name stands twice")
    if not 0 < about.scale <= MAX_SCALE:  # false for nan too
        raise InputError(f"scale: is {about.scale} (expected a number over 0, at most {MAX_SCALE:g})")
    if not 1 <= about.max_points <= MAX_POINTS:
        raise InputError(f"max_points: is {about.max_points} (expected 1 to {MAX_POINTS})")


def read_about(text: object, where: str) -> About:
    """Read the JSON that `write_about` gave.

    Raises:
        CheckpointError: no such JSON, or a value that is missing, unknown, of another type or out of range.
    """
    raw = read_json(text, where)
    known = {each.name for each in fields(About)}
    for name in sorted(raw.keys() - known | _REQUIRED - raw.keys()):
        _refuse(where, name, "is missing" if name in known else "is unknown")
    about = About(**{name: _READERS[name](raw[name], f"{where}.{name}") for name in raw})
    try:
        check_exportable(about)
    except InputError as error:
        raise CheckpointError(f"{where}.{error}; train again") from error
    if not set(about.counts) <= set(about.classes):
        _refuse(where, "counts", "names a class that the model does not have")
    return about


def write_about(about: About) -> str:
    """Write JSON text; without what only a fine-tuned model has, so that older versions read the others."""
    told = {name: value for name, value in vars(about).items() if value or not name.startswith("source")}
    return json.dumps(told, allow_nan=False)


def read_json(text: object, where: str) -> dict[str, Any]:
    """Read a JSON object; NaN, infinity and keys that stand twice are refused.

    Raises:
        CheckpointError: it is none.
    """
    try:
        raw = None
        if isinstance(text, str) and len(text) <= LONGEST_TEXT:
            raw = json.loads(text, object_pairs_hook=without_repeats, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: is no proper JSON ({error}); train again") from error
    if not isinstance(raw, dict):
        raise CheckpointError(f"{where}: is no JSON object; train again")
    return raw


def _refuse(where: str, name: str, problem: str) -> NoReturn:
    raise CheckpointError(f"{where}.{name if len(name) < 60 else short(name)}: {problem}; train again")


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or len(value) > 1000 or not value.isprintable():
        raise CheckpointError(f"{where}: is {short(value)} (expected printable text); train again")
    return value


def _credit(value: object, where: str) -> str:
    text = _text(value, where)
    if not text:
        raise CheckpointError(f"{where}: is empty; train again")
    return text


def _count(value: object, where: str) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise CheckpointError(f"{where}: is {short(value)} (expected a whole number); train again")
    return value


def _number(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not -LARGEST <= value <= LARGEST:
        raise CheckpointError(f"{where}: is {short(value)} (expected a finite number); train again")
    return float(value)


def _classes(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        raise CheckpointError(f"{where}: is {short(value)} (expected a list of names); train again")
    return tuple(value)


def _counts(value: object, where: str) -> dict[str, int]:
    return {name: _count(number, where) for name, number in _object(value, where).items()}


def _losses(value: object, where: str) -> dict[str, float]:
    losses = {name: _number(number, where) for name, number in _object(value, where).items()}
    if losses and set(losses) != set(LOSSES):
        raise CheckpointError(f"{where}: has other names than {', '.join(LOSSES)}; train again")
    return losses


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: is {short(value)} (expected an object); train again")
    return value


_READERS: Mapping[str, Callable[[object, str], Any]] = {
    "classes": _classes,
    "scale": _number,
    "max_points": _count,
    "data_sha256": _text,
    "drawings": _count,
    "synthetic": _count,
    "counts": _counts,
    "step": _count,
    "losses": _losses,
    "credit": _credit,
    "licence": _credit,
    "source": _text,
    "source_sha256": _text,
}
