"""sketch-rnn .npz files: pickled object arrays train, valid and test of stroke-3, read without unpickling.

Units: the Quick, Draw! files hold whole canvas pixels, their larger side 255, and are taken as they are. Other public
files have units of their own (omniglot: sides of 120 to 650; kanji: fractions, sides of 86). So a file is kept as it
is when all its values are whole, no larger side is over 256 and half of them are over 200; else each drawing is
scaled so that its larger side is 255, and rounded.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.drawings import AGAIN, COORDINATE_LIMIT
from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.strokes import BOX
from sketch_edge.train.archive import open_archive
from sketch_edge.train.credit import QUICKDRAW
from sketch_edge.train.npy import read_header
from sketch_edge.train.readers.drawing import Drawing, encode_lines, larger_side
from sketch_edge.train.readers.symbolic import SymbolError, read_arrays

MEMBERS = ("train.npy", "valid.npy", "test.npy")

LARGEST_FILE = 256 << 20
"""Bytes of the file; the largest official one has about 40 MB."""

LARGEST_MEMBER = 128 << 20
"""Bytes of a member once inflated; the largest official one has about 90 MB."""

MOST_MEMBERS = 64

RATIO = 100
"""A member may inflate to so many times its packed size; the public files reach 3."""

MOST_DRAWINGS = 500_000
"""Drawings of a member; the largest official one has about 340,000."""

CANVAS_SIDE = (200.0, 256.0)
"""A file is in canvas pixels if its median larger side is over the first and no side is over the second."""


def read_sketchrnn(path: Path, content: bytes, word: str) -> Iterator[Drawing | DataError]:
    """Yield each drawing of the file, a DataError in place of a bad one.

    Args:
        path: names the file in errors.
        content: its bytes.
        word: the class of all its drawings.

    Raises:
        DataError: the file as a whole is damaged or asks for more than it may.
    """
    members = _read_members(path, content)
    problems = {name: [_problem(array) for array in arrays] for name, arrays in members.items()}
    good = (
        array
        for name, arrays in members.items()
        for array, problem in zip(arrays, problems[name], strict=True)
        if problem is None and len(array)
    )
    canvas = _is_canvas(good)
    for name, arrays in members.items():
        split = MEMBERS.index(f"{name}.npy")
        for number, (array, problem) in enumerate(zip(arrays, problems[name], strict=True)):
            if problem is None:
                points, side = _encode(array, canvas)
                yield Drawing(word, points, side, split=split, credit=QUICKDRAW)
            else:
                yield DataError(f"{path}:{name}[{number}]: {problem}; {AGAIN}")


def _read_members(path: Path, content: bytes) -> dict[str, list[npt.NDArray[Any]]]:
    """Inflate and read those of train, valid and test that are there, after all declared sizes were checked."""
    members = {}
    try:
        with open_archive(io.BytesIO(content)) as archive:
            infos = archive.infolist()
            wanted = [info for name in MEMBERS for info in infos if info.filename == name]
            if len(infos) > MOST_MEMBERS or len({info.filename for info in infos}) != len(infos):
                raise DataError(
                    f"{path}: {len(infos)} members, or one name twice (expected train, valid, test); {AGAIN}"
                )
            for info in wanted:
                _check_size(path, info)
            for info in wanted:
                name = info.filename.removesuffix(".npy")
                with archive.open(info) as file:
                    data = file.read()
                members[name] = _read_member(f"{path}:{name}", data)
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError) as error:
        raise DataError(f"{path}: is a damaged or cut npz file ({error}); {AGAIN}") from error
    return members


def _check_size(path: Path, info: zipfile.ZipInfo) -> None:
    size, packed = info.file_size, info.compress_size
    if size > LARGEST_MEMBER or size > RATIO * max(packed, 1):
        raise DataError(
            f"{path}:{info.filename}: would inflate from {packed} to {size} bytes (at most {LARGEST_MEMBER} and "
            f"{RATIO} times as many); it is no drawing file"
        )


def _read_member(place: str, data: bytes) -> list[npt.NDArray[Any]]:
    """Read the .npy header and the pickle behind it."""
    try:
        header = read_header(data)
    except ValueError as error:
        raise DataError(f"{place}: has no readable .npy header: {error}; {AGAIN}") from error
    shape = header.shape
    if header.dtype not in ("|O", "O") or len(shape) != 1:
        got = f"{header.dtype} with {len(shape)} dimensions"
        raise DataError(f"{place}: is an array of {got} (expected one object a drawing); {AGAIN}")
    if shape[0] > min(MOST_DRAWINGS, len(data)):
        raise DataError(f"{place}: claims {shape[0]} drawings in {len(data)} bytes; {AGAIN}")
    try:
        return read_arrays(memoryview(data)[header.start :], shape[0])
    except SymbolError as error:
        raise DataError(f"{place}: {error}; {AGAIN}") from error


def _problem(array: npt.NDArray[Any]) -> str | None:
    """Say what keeps an array from being stroke-3, or None."""
    if array.ndim != 2 or array.shape[1] != 3:
        return f"has shape {array.shape} (expected (n, 3))"
    if len(array) == 0:
        return None
    if array.dtype != np.int16 and not (np.abs(array.astype(np.float64)) <= COORDINATE_LIMIT).all():
        return f"an offset is no number or beyond +-{COORDINATE_LIMIT:.0f}"
    lift = array[:, 2]
    if not ((lift == 0) | (lift == 1)).all():
        return "a lift is neither 0 nor 1"
    return None


def _is_canvas(arrays: Iterable[npt.NDArray[Any]]) -> bool:
    """Whether drawings, all with rows, are in canvas pixels already; see the module."""
    sides = []
    for array in arrays:
        if array.dtype.kind == "f" and not (array == np.rint(array)).all():
            return False
        sides.append(larger_side(_positions(array)))
        if sides[-1] > CANVAS_SIDE[1]:
            return False
    return bool(sides) and float(np.median(sides)) > CANVAS_SIDE[0]


def _positions(array: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """Points of stroke-3 (n, 3), the origin first: (n + 1, 2)."""
    points = np.zeros((len(array) + 1, 2))
    np.cumsum(array[:, :2], axis=0, dtype=np.float64, out=points[1:])
    return points


def _encode(array: npt.NDArray[Any], canvas: bool) -> tuple[npt.NDArray[np.int16], float]:
    """Write stroke-3 of any units as int16 rows of canvas pixels; also the larger side in the units it had."""
    if len(array) == 0:
        return np.zeros((0, 3), np.int16), 0.0
    points = _positions(array)
    side = larger_side(points)
    if not canvas:
        points = (points - points.min(axis=0)) * (BOX / side if side > 0 else 1.0)
    # The pen is down on the origin: the first line has one point more than it has rows.
    ends = np.flatnonzero(array[:, 2]) + 2
    ends = ends if len(ends) and ends[-1] == len(points) else np.append(ends, len(points))
    return encode_lines(np.rint(points).astype(np.int64), np.diff(ends, prepend=0).tolist()), side
