"""A bundle's drawings as training data: one ndjson file for each class, every record marked as synthetic.

So what many models know, each of a class or a few, can go into one that draws them all (distillation: Hinton et al.
2015, arXiv:1503.02531, with drawings in place of logits): `sketch-data sample`, `sketch-data prepare`, `sketch-train`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.drawings import check_name
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, write_atomic
from sketch_edge.runtime.manifest import MAX_POINTS, fold_name, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.writers.json import record_of

AT_ONCE = 256
"""Drawings that are asked for together."""

MOST = 1_000_000
"""Drawings of a class from one bundle."""

TRIES = 4
"""Times the drawings wanted; a model of which three in four run into its limit of points has nothing to teach."""

TRIES_TO_BE_RECOGNISED = 12
"""The same where a judge chooses: a class of which one drawing in twelve is recognised can still be learnt better."""


class Judge(Protocol):
    """Who chooses among drawings: `train/recognise.py` has one."""

    name: str
    """Which one it is."""

    def look(self, name: str, sketches: Sequence[Sketch]) -> npt.NDArray[np.float64]:
        """Probability of the class `name` for each sketch, (n,)."""


@dataclass(frozen=True)
class Choice:
    """What a drawing has to be for being kept, beside coming to its end."""

    judge: Judge
    least: float
    """Probability of its class from which on a drawing is kept, 0 to 1."""


@dataclass(frozen=True)
class Sampled:
    """One file of drawings."""

    path: Path
    drawings: int
    cut: int
    """Drawings that were left out as they ran into the limit of points, and replaced by others."""

    kept: bool
    """It was there already, with the drawings of the same command."""

    unrecognised: int = 0
    """Drawings that the judge did not recognise. `drawings` may be fewer than were asked for then, even none; no file
    is written for none."""


@dataclass(frozen=True)
class Teacher:
    """A bundle that drawings are taken from, and which class of it is meant."""

    artist: Artist
    name: str
    """The class, as the bundle spells it."""

    @property
    def credit(self) -> tuple[str, str]:
        """Whose drawings the bundle learnt from, and under which licence."""
        data = self.artist.manifest.data
        return data.credit, data.licence


def plan_samples(bundles: Sequence[Path], classes: Collection[str] = ()) -> dict[str, list[Teacher]]:
    """Open bundles and list who teaches which class, by class name; a class that several have is learnt from all.

    A hidden class, which its bundle draws poorly, is taught only where `classes` names it.

    Raises:
        BundleError: as `load`.
        InputError: a class is in none of the bundles, or its name cannot be that of a file.
    """
    teachers: dict[str, list[Teacher]] = {}
    names: dict[str, str] = {}
    sources: set[str] = set()
    for path in bundles:
        artist = load(path)
        if artist.source in sources:
            continue  # the same file under another name
        sources.add(artist.source)
        for name in artist.classes if classes else artist.listed_classes:
            teachers.setdefault(names.setdefault(fold_name(name), name), []).append(Teacher(artist, name))
    if classes:
        for wanted in classes:
            if fold_name(wanted) not in names:
                some = ", ".join(sorted(teachers)[:5])
                raise InputError(f"classes: {short(wanted)} is in none of the bundles (they have {some}); correct it")
        teachers = {names[fold_name(wanted)]: teachers[names[fold_name(wanted)]] for wanted in classes}
    for name in teachers:
        _file_name(name)
    return dict(sorted(teachers.items()))


def sample_class(
    name: str,
    teachers: Sequence[Teacher],
    folder: Path,
    *,
    count: int,
    seed: int,
    temperature: float | None = None,
    choice: Choice | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> Sampled:
    """Write FOLDER/NAME.ndjson: `count` drawings of each teacher, in order; equal arguments give equal bytes.

    A file that holds the drawings of the same arguments already is kept, so a command that was cut goes on where it
    was. Each record has "synthetic": true, seed, index, temperature and source, so that the drawing can be had again,
    and the credit and licence of the bundle.

    Args:
        name: the class, as `plan_samples` names it.
        teachers: of this class.
        folder: exists.
        count: 1 to 1,000,000.
        seed: 0 .. 2**64 - 1.
        temperature: 0 to 10; where not given, that which each bundle has for the class.
        choice: keeps only drawings that a judge recognises, and each record tells how surely and which judge; of a
            class that is hardly ever recognised there are fewer than `count`.
        progress: called with the number of drawings made since its last call.

    Raises:
        InputError: a number out of range, or the file holds other drawings.
        UnfinishedError: three of four drawings run into the limit of points, or the disk is full.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"count {short(count)}: choose a whole number, 1 to {MOST}")
    path = folder / _file_name(name)
    check_writable(path)
    made = _Made(seed, temperature, choice)
    if path.exists():
        held = _held(path, name, teachers, count, made)
        if held:
            progress(count * len(teachers))
            return Sampled(path, held, 0, kept=True)
        raise InputError(f"{path}: holds other drawings; name another --out, or delete it")
    drawn = [_draw(teacher, count, made, progress) for teacher in teachers]
    lines = [
        _line(name, sketch, teacher.credit, made, certainty)
        for teacher, each in zip(teachers, drawn, strict=True)
        for sketch, certainty in each.sketches
    ]
    if lines:
        write_atomic(path, b"".join(lines))
    cut, unrecognised = sum(each.cut for each in drawn), sum(each.unrecognised for each in drawn)
    return Sampled(path, len(lines), cut, kept=False, unrecognised=unrecognised)


class _Made(NamedTuple):
    """How the drawings of a file are made, beside their number."""

    seed: int
    temperature: float | None
    choice: Choice | None

    def key(self, teacher: Teacher) -> tuple[object, ...]:
        """What every record of a teacher says of it."""
        judged = () if self.choice is None else (self.choice.judge.name, self.choice.least)
        return (teacher.artist.source, self.seed, _round(teacher, self.temperature), *judged)


@dataclass
class _Drawn:
    """What one teacher drew."""

    sketches: list[tuple[Sketch, float | None]] = field(default_factory=list)
    """With how surely the judge recognised them; None where there is no judge."""

    cut: int = 0
    unrecognised: int = 0


def _draw(teacher: Teacher, count: int, made: _Made, progress: Callable[[int], None]) -> _Drawn:
    """Draw until `count` sketches have come to their end and are recognised, if a judge chooses."""
    found, index, choice = _Drawn(), 0, made.choice
    tries = (TRIES if choice is None else TRIES_TO_BE_RECOGNISED) * count + AT_ONCE
    while len(found.sketches) < count:
        missing = count - len(found.sketches)
        wanted = min(AT_ONCE, missing if choice is None else AT_ONCE, tries - index, KEY_LIMIT - 1 - index)
        if wanted <= 0:
            if choice is not None and found.cut < index / 2:
                break
            raise UnfinishedError(
                f"{teacher.name}: of {index} drawings by {teacher.artist.source} only {index - found.cut} come to an "
                f"end within {min(MAX_POINTS, teacher.artist.manifest.sizes.max_points)} points; lower --temperature"
            )
        drawn = teacher.artist.draw_each(
            [teacher.name] * wanted, seed=made.seed, temperature=made.temperature, first_index=index
        )
        ended = [sketch for sketch in drawn if sketch.complete]
        kept = _choose(teacher.name, ended, choice)[:missing]
        found.sketches += kept
        found.cut += wanted - len(ended)
        found.unrecognised += len(ended) - len(kept)
        progress(len(kept))
        index += wanted
    return found


def _choose(name: str, sketches: list[Sketch], choice: Choice | None) -> list[tuple[Sketch, float | None]]:
    """Those that the judge lets through."""
    if choice is None:
        return [(sketch, None) for sketch in sketches]
    certainties = choice.judge.look(name, sketches).tolist() if sketches else []
    pairs = zip(sketches, certainties, strict=True)
    return [(sketch, certainty) for sketch, certainty in pairs if certainty >= choice.least]


def _line(name: str, sketch: Sketch, credit: tuple[str, str], made: _Made, certainty: float | None) -> bytes:
    record = record_of(sketch) | {"word": name, "credit": credit[0], "licence": credit[1]}
    if made.choice is not None and certainty is not None:
        record |= {"judge": made.choice.judge.name, "least": made.choice.least, "certainty": round(certainty, 4)}
    record["drawing"] = record.pop("drawing")  # the long part last
    return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"


def _round(teacher: Teacher, temperature: float | None) -> float:
    """The temperature as a record has it."""
    return round(teacher.artist.temperature_of(teacher.name) if temperature is None else float(temperature), 6)


def _held(path: Path, name: str, teachers: Sequence[Teacher], count: int, made: _Made) -> int:
    """How many drawings a file has of this class, if they were all made so and there are as many as can be; else 0."""
    found: list[tuple[object, ...]] = []
    judged = () if made.choice is None else ("judge", "least")
    try:
        with path.open("rb") as file:
            for line in file:
                record = json.loads(line)
                if len(found) == count * len(teachers) or record["word"] != name or record["synthetic"] is not True:
                    return 0
                if ("judge" in record) != bool(judged):
                    return 0
                found.append(tuple(record[key] for key in ("source", "seed", "temperature", *judged)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0
    expected = [made.key(teacher) for teacher in teachers]
    if made.choice is None:
        return len(found) if found == [key for key in expected for _ in range(count)] else 0
    runs = [key for key, _ in itertools.groupby(found)]
    return len(found) if set(runs) <= set(expected) and len(runs) == len(set(runs)) else 0


def _file_name(name: str) -> str:
    """The file of a class.

    Raises:
        InputError: no file can have that name everywhere.
    """
    problem = check_name(name)
    if problem is None and (name.startswith(".") or any(char in '/\\:*?"<>|' for char in name)):
        problem = f"{name!r} cannot be the name of a file"
    if problem is None and len(name.encode("utf-8", "surrogatepass")) > 200:
        problem = "is too long for the name of a file"
    if problem is not None:
        raise InputError(f"classes: {problem}; choose others with --classes")
    return f"{name}.ndjson"
