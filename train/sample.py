"""A bundle's drawings as training data: one ndjson file for each class, every record marked as synthetic.

So what many models know, each of a class or a few, can go into one that draws them all (distillation: Hinton et al.
2015, arXiv:1503.02531, with drawings in place of logits): `sketch-data sample`, `sketch-data prepare`, `sketch-train`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Sampled:
    """One file of drawings."""

    path: Path
    drawings: int
    cut: int
    """Drawings that were left out as they ran into the limit of points, and replaced by others."""

    kept: bool
    """It was there already, with the drawings of the same command."""


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
        for name in artist.classes:
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
        temperature: 0 to 10; that of each bundle where not given.
        progress: called with the number of drawings made since its last call.

    Raises:
        InputError: a number out of range, or the file holds other drawings.
        UnfinishedError: three of four drawings run into the limit of points, or the disk is full.
    """
    if not 1 <= count <= MOST:
        raise InputError(f"count {short(count)}: choose a whole number, 1 to {MOST}")
    path = folder / _file_name(name)
    check_writable(path)
    expected = [
        (teacher.artist.source, seed, _round(teacher, temperature)) for teacher in teachers for _ in range(count)
    ]
    if path.exists():
        if _holds(path, name, expected):
            progress(count * len(teachers))
            return Sampled(path, len(expected), 0, kept=True)
        raise InputError(f"{path}: holds other drawings; name another --out, or delete it")
    lines, cut = [], 0
    for teacher in teachers:
        found, left_out = _draw(teacher, count, seed, temperature, progress)
        lines += [_line(name, sketch, teacher.credit) for sketch in found]
        cut += left_out
    write_atomic(path, b"".join(lines))
    return Sampled(path, len(lines), cut, kept=False)


def _draw(
    teacher: Teacher, count: int, seed: int, temperature: float | None, progress: Callable[[int], None]
) -> tuple[list[Sketch], int]:
    """Draw until `count` sketches have come to their end; returns them and how many had not."""
    sketches: list[Sketch] = []
    index = 0
    while len(sketches) < count:
        wanted = min(AT_ONCE, count - len(sketches), TRIES * count + AT_ONCE - index, KEY_LIMIT - 1 - index)
        if wanted <= 0:
            raise UnfinishedError(
                f"{teacher.name}: of {index} drawings by {teacher.artist.source} only {len(sketches)} come to an end "
                f"within {min(MAX_POINTS, teacher.artist.manifest.sizes.max_points)} points; lower --temperature"
            )
        drawn = teacher.artist.draw_each([teacher.name] * wanted, seed=seed, temperature=temperature, first_index=index)
        for sketch in drawn:
            if sketch.complete:
                sketches.append(sketch)
                progress(1)
        index += wanted
    return sketches, index - len(sketches)


def _line(name: str, sketch: Sketch, credit: tuple[str, str]) -> bytes:
    record = record_of(sketch) | {"word": name, "credit": credit[0], "licence": credit[1]}
    record["drawing"] = record.pop("drawing")  # the long part last
    return json.dumps(record, allow_nan=False).encode("ascii") + b"\n"


def _round(teacher: Teacher, temperature: float | None) -> float:
    """The temperature as a record has it."""
    return round(teacher.artist.manifest.defaults.temperature if temperature is None else float(temperature), 6)


def _holds(path: Path, name: str, expected: Sequence[tuple[str, int, float]]) -> bool:
    """Whether a file holds records of this class, of these sources, seeds and temperatures, one for each."""
    found: list[tuple[object, object, object]] = []
    try:
        with path.open("rb") as file:
            for line in file:
                record = json.loads(line)
                if len(found) == len(expected) or record["word"] != name or record["synthetic"] is not True:
                    return False
                found.append((record["source"], record["seed"], record["temperature"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False
    return found == list(expected)


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
