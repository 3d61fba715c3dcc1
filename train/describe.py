"""What a file of drawings or a data set holds, in figures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.dataset import SPLITS, DataSet, Source, file_sha256, load_dataset
from sketch_edge.train.readers import DrawingReader, find_kind

Number = TypeVar("Number", int, float)


@dataclass(frozen=True)
class Description:
    """What one file holds."""

    path: Path
    kind: str
    """"data set", or the kinds of `readers`, joined by commas."""

    sha256: str
    drawings: int
    classes: dict[str, int]
    """Drawings of each class, sorted by name."""

    points: tuple[int, float, int]
    """Smallest, median and largest number of stroke-3 rows of a drawing."""

    sides: tuple[float, float, float]
    """Smallest, median and largest larger side of a drawing, in the units of the file."""

    splits: dict[str, int]
    """Drawings of train, valid and test; empty where the file does not split."""

    unrecognised: int = 0
    synthetic: int = 0
    scale: float | None = None
    """Of a data set: standard deviation of its training offsets."""

    sources: tuple[Source, ...] = ()
    """Of a data set: the files that it was made of."""

    credit: str = ""
    """Of a data set: whose drawings, and under which licence."""

    notes: tuple[str, ...] = ()
    """What was passed over in the file."""

    bad: int = 0
    """Records that could not be read and were passed over."""

    first_bad: str = ""
    """What was wrong with the first of them."""


def describe(path: Path, skip_bad: bool = False) -> Description:
    """Read a file of drawings or a data set to its end.

    Raises:
        DataError: it is damaged, foreign or empty; with `skip_bad` not for single records.
    """
    return _describe_dataset(path) if find_kind(path) == "dataset" else _describe_drawings(path, skip_bad)


@dataclass
class _Tally:
    classes: Counter[str] = field(default_factory=Counter)
    splits: Counter[str] = field(default_factory=Counter)
    points: list[int] = field(default_factory=list)
    sides: list[float] = field(default_factory=list)
    unrecognised: int = 0
    synthetic: int = 0


def _describe_drawings(path: Path, skip_bad: bool) -> Description:
    bad: list[str] = []
    reader = DrawingReader(path, on_bad=(lambda error: bad.append(str(error))) if skip_bad else None)
    tally = _Tally()
    for drawing in reader:
        tally.classes[drawing.word] += 1
        tally.points.append(len(drawing.points))
        tally.sides.append(drawing.side)
        tally.unrecognised += not drawing.recognized
        tally.synthetic += drawing.synthetic
        if drawing.split is not None:
            tally.splits[SPLITS[drawing.split]] += 1
    if not tally.points:
        why = f"; the first bad record: {bad[0]}" if bad else ""
        raise DataError(f"{path}: holds no drawings (expected one or more){why}; give another file")
    return Description(
        path=path,
        kind=", ".join(sorted(reader.kinds)),
        sha256=reader.sha256,
        drawings=len(tally.points),
        classes=dict(sorted(tally.classes.items())),
        points=_range(tally.points),
        sides=_range(tally.sides),
        splits={name: tally.splits[name] for name in SPLITS if tally.splits},
        unrecognised=tally.unrecognised,
        synthetic=tally.synthetic,
        notes=tuple(reader.notes),
        bad=len(bad),
        first_bad=bad[0] if bad else "",
    )


def _describe_dataset(path: Path) -> Description:
    data = load_dataset(path)
    counts = data.counts()
    return Description(
        path=path,
        kind="data set",
        sha256=file_sha256(path),
        drawings=len(data),
        classes=dict(zip(data.class_names, counts.sum(axis=1).tolist(), strict=True)),
        points=_range(data.lengths.tolist()),
        sides=_range(_sides(data)),
        splits=dict(zip(SPLITS, counts.sum(axis=0).tolist(), strict=True)),
        synthetic=int(data.synthetic.sum()),
        scale=data.scale,
        sources=data.sources,
        credit=f"{data.credit} ({data.licence})",
    )


def _sides(data: DataSet) -> list[float]:
    """Larger side of each drawing of a data set."""
    sides = []
    for index in range(len(data)):
        points = np.cumsum(data.drawing(index)[:, :2], axis=0, dtype=np.int64)
        low, high = points.min(axis=0, initial=0), points.max(axis=0, initial=0)  # the origin is a point too
        sides.append(float((high - low).max()))
    return sides


def _range(values: list[Number]) -> tuple[Number, float, Number]:
    return min(values), float(np.median(values)), max(values)
