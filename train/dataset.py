"""data.npz, the data set that training reads: plain arrays only, no pickle, one definition.

========== ======== ======= ==========================================================================
member     dtype    shape   meaning
========== ======== ======= ==========================================================================
format     int64    ()      2
points     int16    (n, 3)  stroke-3 rows of all drawings, one after the other (`runtime/strokes.py`)
offsets    int64    (m+1,)  drawing i is ``points[offsets[i]:offsets[i + 1]]``
class_ids  int32    (m,)    index into class_names
split_ids  uint8    (m,)    0 train, 1 valid, 2 test
synthetic  bool     (m,)    True for drawings that a model made; never in valid or test
class_names unicode (k,)    printable, each once; sketch-data sorts them
scale      float64  ()      standard deviation of all dx and dy of the training split together
sources    unicode  ()      JSON: [{"name": ..., "sha256": ..., "drawings": ..., "synthetic": ...}, ...]
credit     unicode  ()      whose drawings these are; from format 2 on
licence    unicode  ()      under which licence; from format 2 on
========== ======== ======= ==========================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import sys
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.files import read_beginning, write_atomic
from sketch_edge.runtime.manifest import refuse_constant, short, short_name, without_repeats
from sketch_edge.train.archive import open_archive
from sketch_edge.train.credit import QUICKDRAW, check_credit
from sketch_edge.train.npy import Header, read_header

FORMAT = 2
OLDEST_FORMAT = 1
"""Without credit and licence: all its drawings count as Quick, Draw!'s."""

SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)
OFFSET_LIMIT = 1000
"""Offsets are clamped to +-1000 before the scale is taken: a slip of the pen must not set the scale."""

MAX_BYTES = 8 << 30
"""No member of a data set may inflate to more than this."""

RATIO = 100
"""Points may inflate to so many times their packed size; real ones reach 3."""

SPARE_BYTES = 1 << 20
"""What any member may take, however small the data set."""

SOURCES_BYTES = 64 << 20
"""The list of files is text: 4 bytes a character."""

AGAIN = "run sketch-data prepare again"
MAKE = "make one with sketch-data prepare"

_MEMBERS = {
    "format": ("<i8", 0),
    "points": ("<i2", 2),
    "offsets": ("<i8", 1),
    "class_ids": ("<i4", 1),
    "split_ids": ("|u1", 1),
    "synthetic": ("|b1", 1),
    "class_names": ("U", 1),
    "scale": ("<f8", 0),
    "sources": ("U", 0),
    "credit": ("U", 0),
    "licence": ("U", 0),
}
"""Element type (any length of text for U) and dimensions of each member."""

_SINCE_2 = ("credit", "licence")


@dataclass(frozen=True)
class Source:
    """One file that drawings came from."""

    name: str
    """File name, without folders."""

    sha256: str
    """Hash of the file as it was read."""

    drawings: int
    """How many of its drawings are in the data set."""

    synthetic: bool = False
    """Whether a model made them."""


@dataclass(frozen=True)
class DataSet:
    """Drawings of several classes, split into train, valid and test; see the table of the module."""

    points: npt.NDArray[np.int16]
    offsets: npt.NDArray[np.int64]
    class_ids: npt.NDArray[np.int32]
    split_ids: npt.NDArray[np.uint8]
    synthetic: npt.NDArray[np.bool_]
    class_names: tuple[str, ...]
    sources: tuple[Source, ...] = field(default=())
    credit: str = QUICKDRAW[0]
    """Whose drawings these are, 1 to 1000 printable letters."""

    licence: str = QUICKDRAW[1]
    """Under which licence, likewise."""

    @property
    def sha256(self) -> str:
        """Hash of the drawings, their classes and splits; two data sets that train alike have the same."""
        digest = hashlib.sha256("\0".join(self.class_names).encode())
        for array in (self.points, self.offsets, self.class_ids, self.split_ids, self.synthetic):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def __len__(self) -> int:
        """Count the drawings."""
        return len(self.class_ids)

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Rows of each drawing, shape (m,)."""
        return np.diff(self.offsets)

    def drawing(self, index: int) -> npt.NDArray[np.int16]:
        """Drawing `index` as stroke-3, a view of shape (n, 3)."""
        return self.points[self.offsets[index] : self.offsets[index + 1]]

    def indices(self, split: int) -> npt.NDArray[np.int64]:
        """The drawings of a split (TRAIN, VALID or TEST)."""
        return np.flatnonzero(self.split_ids == split)

    @property
    def scale(self) -> float:
        """Standard deviation of all dx and dy of the training split together, after clamping to +-1000.

        One factor, no mean shift: the normalisation of Ha & Eck 2017, section 3.1. Falls back to all drawings
        where no drawing is in the training split.
        """
        row_split = np.repeat(self.split_ids, self.lengths)
        rows = self.points[row_split == TRAIN] if (row_split == TRAIN).any() else self.points
        offsets = np.clip(rows[:, :2].astype(np.float64), -OFFSET_LIMIT, OFFSET_LIMIT)
        return float(offsets.std()) if len(offsets) else 1.0

    def counts(self) -> npt.NDArray[np.int64]:
        """Drawings of each class and split, shape (k, 3)."""
        table = np.zeros((len(self.class_names), len(SPLITS)), np.int64)
        np.add.at(table, (self.class_ids, self.split_ids), 1)
        return table

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write data.npz atomically; the same data set gives the same bytes."""
        arrays = {
            "format": np.asarray(FORMAT, "<i8"),
            "points": self.points.astype("<i2"),
            "offsets": self.offsets.astype("<i8"),
            "class_ids": self.class_ids.astype("<i4"),
            "split_ids": self.split_ids.astype(np.uint8),
            "synthetic": self.synthetic.astype(np.bool_),
            "class_names": np.asarray(self.class_names, "<U"),
            "scale": np.asarray(self.scale, "<f8"),
            "sources": np.asarray(json.dumps([vars(source) for source in self.sources]), "<U"),
            "credit": np.asarray(self.credit, "<U"),
            "licence": np.asarray(self.licence, "<U"),
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, array in arrays.items():
                member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED
                member.create_system = 3  # else the bytes tell the system that wrote them
                content = io.BytesIO()
                np.lib.format.write_array(content, np.asanyarray(array), allow_pickle=False)
                archive.writestr(member, content.getvalue())
        write_atomic(path, buffer.getvalue())


def load_dataset(path: str | os.PathLike[str]) -> DataSet:
    """Read and check a data.npz.

    Raises:
        DataError: no such file, not a data set of this format, damaged, or its arrays disagree.
    """
    path = Path(path)
    _check_start(path)
    arrays = _read_members(path)
    data = DataSet(
        points=arrays["points"].astype(np.int16, copy=False),
        offsets=arrays["offsets"].astype(np.int64, copy=False),
        class_ids=arrays["class_ids"].astype(np.int32, copy=False),
        split_ids=arrays["split_ids"].astype(np.uint8, copy=False),
        synthetic=arrays["synthetic"],
        class_names=_read_names(path, arrays["class_names"]),
        sources=_read_sources(path, arrays["sources"]),
        **{name: _read_credit(path, name, arrays[name]) for name in _SINCE_2 if name in arrays},
    )
    _check(path, data)
    if not math.isclose(float(arrays["scale"]), data.scale, rel_tol=1e-9):
        raise DataError(f"{path}:scale: is {float(arrays['scale'])}, not that of its points ({data.scale}); {AGAIN}")
    return data


def _check_start(path: Path) -> None:
    """Refuse a file that does not even begin as a data set does."""
    try:
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is no plain file (expected a data set); {MAKE}")
        start = read_beginning(path, 4096)
        if not start:
            raise DataError(f"{path}: is empty (expected a data set); {MAKE}")
        if start.startswith(b"version https://git-lfs"):
            raise DataError(f"{path}: is a Git LFS pointer, not the data set itself; run git lfs pull")
        if start.lstrip().startswith(b"<"):
            raise DataError(f"{path}: is a web page or XML, not a data set; {MAKE}")
        if not start.startswith(b"PK"):
            raise DataError(f"{path}: is no data set (expected a zip of arrays); {MAKE}")
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{path}: cannot be read ({reason}); make it with sketch-data prepare") from error


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hex sha256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def refuse_models(path: Path, members: Iterable[str]) -> None:
    """Say so where a zip of these members is a model and no drawings.

    Raises:
        DataError: the zip is a bundle or a checkpoint.
    """
    kinds = {"manifest.json": "bundle", "data.pkl": "checkpoint"}
    for name in members:
        kind = kinds.get(name.rsplit("/", 1)[-1])
        if kind is not None:
            raise DataError(f"{path}: is a {kind}, not drawings; sketch-export --inspect {path} shows what it holds")


def _read_members(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Read the closed set of members, each with its expected type and dimensions, and no pickle."""
    try:
        with path.open("rb") as file, open_archive(file) as archive:
            infos = archive.infolist()
            members = {info.filename.removesuffix(".npy"): info for info in infos}
            refuse_models(path, members)
            if "points" not in members or "format" not in members or len(members) != len(infos):
                shown = ", ".join(map(short_name, sorted(members)[:5])) or "nothing"
                raise DataError(f"{path}: is a zip of {shown} (expected the members of a data set); {AGAIN}")
            number = int(_read_member(path, archive, members["format"], 1024))
            if not OLDEST_FORMAT <= number <= FORMAT:
                expected = f"this version reads {OLDEST_FORMAT} to {FORMAT}"
                raise DataError(f"{path}: data set format {number} ({expected}); {AGAIN}, or update sketch-edge")
            wanted = {name for name in _MEMBERS if number >= 2 or name not in _SINCE_2}
            if set(members) != wanted:
                odd = ", ".join(map(short_name, sorted(set(members) ^ wanted)[:5]))
                raise DataError(f"{path}: has too many or too few members ({odd}); {AGAIN}")
            return _read_all(path, archive, members)
    except DataError:
        raise
    except (
        *(zipfile.BadZipFile, zlib.error, ValueError, TypeError, EOFError, OSError),
        *(RuntimeError, NotImplementedError, MemoryError, OverflowError),
    ) as error:
        raise DataError(f"{path}: is no data set or is damaged ({error}); {AGAIN}") from error


def _read_all(path: Path, archive: zipfile.ZipFile, members: dict[str, zipfile.ZipInfo]) -> dict[str, npt.NDArray[Any]]:
    """Read points first: how large the others may be follows from how many rows there are.

    A drawing has at least one row and a class at least one drawing. Ids compress a thousand times, so their packed
    size says nothing; points do not.
    """
    packed = members["points"].compress_size
    points = _read_member(path, archive, members["points"], min(MAX_BYTES, SPARE_BYTES + RATIO * packed))
    most = SPARE_BYTES + 8 * (len(points) + 1)
    arrays = {"points": points}
    for name in _MEMBERS:
        if name != "points" and name in members:
            arrays[name] = _read_member(path, archive, members[name], most if name != "sources" else SOURCES_BYTES)
    return arrays


def _read_member(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> npt.NDArray[Any]:
    """Read one array of at most `most` bytes, its header included; its size has to be what the header says."""
    name = info.filename.removesuffix(".npy")
    kind, dimensions = _MEMBERS[name]
    if info.file_size > most:
        raise DataError(f"{path}:{name}: would inflate to {info.file_size} bytes (at most {most}); {AGAIN}")
    with archive.open(info) as member:
        content = member.read()
    header = _read_header(f"{path}:{name}", content, kind, dimensions)
    dtype, there = np.dtype(header.dtype), len(content) - header.start
    expected = math.prod(header.shape) * dtype.itemsize
    if there != expected:
        raise DataError(f"{path}:{name}: has {there} bytes (expected {expected}); {AGAIN}")
    if expected == 0:
        return np.zeros(header.shape, dtype)
    if kind == "U" and np.frombuffer(content, "<u4", offset=header.start).max() > sys.maxunicode:
        raise DataError(f"{path}:{name}: holds numbers that are no characters; {AGAIN}")
    return np.frombuffer(content, dtype, offset=header.start).reshape(header.shape)


def _read_header(place: str, content: bytes, kind: str, dimensions: int) -> Header:
    """Read the header of an array that has to be of a kind, and of so many dimensions."""
    try:
        header = read_header(content)
    except ValueError as error:
        raise DataError(f"{place}: has no header of a .npy file: {error}; {AGAIN}") from error
    if header.version != 1:
        raise DataError(f"{place}: is written in another .npy version than 1.0; {AGAIN}")
    is_kind = header.dtype.startswith("<U") if kind == "U" else header.dtype == kind
    if not is_kind or len(header.shape) != dimensions or header.fortran_order:
        got = f"{header.dtype} with {len(header.shape)} dimensions"
        raise DataError(f"{place}: is {got} (expected {kind} with {dimensions}); {AGAIN}")
    return header


def _read_names(path: Path, names: npt.NDArray[Any]) -> tuple[str, ...]:
    """Read class names: printable, each once."""
    found = tuple(str(name) for name in names)
    if not all(name and name.isprintable() for name in found) or len(set(found)) != len(found):
        raise DataError(f"{path}:class_names: are not printable and different; {AGAIN}")
    return found


def _read_sources(path: Path, text: npt.NDArray[Any]) -> tuple[Source, ...]:
    """Read the JSON of sources."""
    try:
        entries = json.loads(str(text), object_pairs_hook=without_repeats, parse_constant=refuse_constant)
        sources = tuple(Source(**entry) for entry in entries)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{path}:sources: is not the expected JSON ({error}); {AGAIN}") from error
    for source in sources:
        texts = isinstance(source.name, str) and isinstance(source.sha256, str)
        if not texts or type(source.drawings) is not int or not isinstance(source.synthetic, bool):
            raise DataError(f"{path}:sources: has a value of another type than expected; {AGAIN}")
        if not 0 <= source.drawings < 1 << 63:
            raise DataError(f"{path}:sources: has {short(source.drawings)} drawings of a file; {AGAIN}")
    return sources


def _read_credit(path: Path, name: str, text: npt.NDArray[Any]) -> str:
    """Read the credit or the licence."""
    problem = check_credit(str(text))
    if problem is not None:
        raise DataError(f"{path}:{name}: {problem}; {AGAIN}")
    return str(text)


def _check(path: Path, data: DataSet) -> None:
    """Refuse arrays that disagree with each other."""
    drawings, classes = len(data.class_ids), len(data.class_names)
    sizes_agree = len(data.split_ids) == len(data.synthetic) == drawings == len(data.offsets) - 1
    if not sizes_agree or data.points.shape[1] != 3:
        raise DataError(f"{path}: has arrays of different lengths; {AGAIN}")
    if drawings == 0 or classes == 0:
        raise DataError(f"{path}: holds no drawings; give sketch-data prepare more files")
    starts, ends = data.offsets[:-1], data.offsets[1:]  # compared, as differences of such numbers may wrap around
    if starts[0] != 0 or not (ends > starts).all() or ends[-1] != len(data.points):
        raise DataError(f"{path}:offsets: do not cut points into drawings; {AGAIN}")
    if data.class_ids.min() < 0 or data.class_ids.max() >= classes or data.split_ids.max() >= len(SPLITS):
        raise DataError(f"{path}: a class or split id is out of range; {AGAIN}")
    if data.split_ids[data.synthetic].any():
        raise DataError(f"{path}:synthetic: a drawing that a model made is in valid or test; {AGAIN}")
    if not np.isin(data.points[:, 2], (0, 1)).all():
        raise DataError(f"{path}:points: a lift is neither 0 nor 1; {AGAIN}")
