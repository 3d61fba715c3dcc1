"""data.npz, the data set that training reads: plain arrays only, no pickle, one definition.

========== ======== ======= ==========================================================================
member     dtype    shape   meaning
========== ======== ======= ==========================================================================
format     int64    ()      1
points     int16    (n, 3)  stroke-3 rows of all drawings, one after the other (`runtime/strokes.py`)
offsets    int64    (m+1,)  drawing i is ``points[offsets[i]:offsets[i + 1]]``
class_ids  int32    (m,)    index into class_names
split_ids  uint8    (m,)    0 train, 1 valid, 2 test
synthetic  bool     (m,)    True for drawings that a model made; never in valid or test
class_names unicode (k,)    sorted
scale      float64  ()      standard deviation of all dx and dy of the training split together
sources    unicode  ()      JSON: [{"name": ..., "sha256": ..., "drawings": ..., "synthetic": ...}, ...]
========== ======== ======= ==========================================================================
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.files import write_atomic

FORMAT = 1
SPLITS = ("train", "valid", "test")
TRAIN, VALID, TEST = range(3)
OFFSET_LIMIT = 1000
"""Offsets are clamped to +-1000 before the scale is taken: a slip of the pen must not set the scale."""

MAX_BYTES = 8 << 30
"""No member of a data set may inflate to more than this."""

_MEMBERS = {
    "format": ("i", 0),
    "points": ("i", 2),
    "offsets": ("i", 1),
    "class_ids": ("i", 1),
    "split_ids": ("u", 1),
    "synthetic": ("b", 1),
    "class_names": ("U", 1),
    "scale": ("f", 0),
    "sources": ("U", 0),
}


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
            "format": np.asarray(FORMAT, np.int64),
            "points": self.points.astype("<i2"),
            "offsets": self.offsets.astype("<i8"),
            "class_ids": self.class_ids.astype("<i4"),
            "split_ids": self.split_ids.astype(np.uint8),
            "synthetic": self.synthetic.astype(np.bool_),
            "class_names": np.asarray(self.class_names, np.str_),
            "scale": np.asarray(self.scale, "<f8"),
            "sources": np.asarray(json.dumps([vars(source) for source in self.sources])),
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name, array in arrays.items():
                member = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
                member.compress_type = zipfile.ZIP_DEFLATED
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
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); make it with sketch-data prepare") from error
    arrays = _read_members(path, content)
    number = int(arrays["format"])
    if number != FORMAT:
        raise DataError(f"{path}: data set format {number}, this version reads {FORMAT}; run sketch-data prepare again")
    try:
        sources = tuple(Source(**entry) for entry in json.loads(str(arrays["sources"])))
    except (ValueError, TypeError) as error:
        raise DataError(f"{path}:sources: is not the expected JSON ({error}); run sketch-data prepare again") from error
    data = DataSet(
        points=arrays["points"].astype(np.int16, copy=False),
        offsets=arrays["offsets"].astype(np.int64, copy=False),
        class_ids=arrays["class_ids"].astype(np.int32, copy=False),
        split_ids=arrays["split_ids"].astype(np.uint8, copy=False),
        synthetic=arrays["synthetic"],
        class_names=tuple(str(name) for name in arrays["class_names"]),
        sources=sources,
    )
    _check(path, data)
    return data


def file_sha256(path: str | os.PathLike[str]) -> str:
    """Hex sha256 of a file."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_members(path: Path, content: bytes) -> dict[str, npt.NDArray[Any]]:
    """Read the closed set of members, each with its expected kind and dimensions, and no pickle."""
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {info.filename: info for info in archive.infolist()}
            if len(members) != len(archive.infolist()) or set(members) != {f"{name}.npy" for name in _MEMBERS}:
                raise DataError(
                    f"{path}: holds {', '.join(sorted(members)[:5]) or 'nothing'}, not the members of a data set; "
                    "make one with sketch-data prepare"
                )
            for name, (kind, dimensions) in _MEMBERS.items():
                info = members[f"{name}.npy"]
                if info.file_size > MAX_BYTES:
                    raise DataError(f"{path}:{name}: would take {info.file_size} bytes (at most {MAX_BYTES})")
                with archive.open(info) as file:
                    array = np.lib.format.read_array(file, allow_pickle=False)
                if array.dtype.kind != kind or array.ndim != dimensions:
                    raise DataError(
                        f"{path}:{name}: is {array.dtype} with {array.ndim} dimensions (expected kind {kind!r} "
                        f"with {dimensions}); run sketch-data prepare again"
                    )
                arrays[name] = array
    except DataError:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, OSError, RuntimeError, NotImplementedError, MemoryError) as error:
        raise DataError(f"{path}: is no data set or is damaged ({error}); make one with sketch-data prepare") from error
    return arrays


def _check(path: Path, data: DataSet) -> None:
    """Refuse arrays that disagree with each other."""
    drawings, classes = len(data.class_ids), len(data.class_names)
    sizes_agree = len(data.split_ids) == len(data.synthetic) == drawings == len(data.offsets) - 1
    if not sizes_agree or data.points.shape[1] != 3:
        raise DataError(f"{path}: arrays of different lengths; run sketch-data prepare again")
    if drawings == 0 or classes == 0:
        raise DataError(f"{path}: holds no drawings; give sketch-data prepare more files")
    ascending = data.offsets[0] == 0 and (np.diff(data.offsets) > 0).all() and data.offsets[-1] == len(data.points)
    if not ascending:
        raise DataError(f"{path}:offsets: do not cut points into drawings; run sketch-data prepare again")
    if data.class_ids.min() < 0 or data.class_ids.max() >= classes or data.split_ids.max() >= len(SPLITS):
        raise DataError(f"{path}: a class or split id is out of range; run sketch-data prepare again")
    if len(set(data.class_names)) != classes:
        raise DataError(f"{path}:class_names: a name stands twice; run sketch-data prepare again")
    if not np.isin(data.points[:, 2], (0, 1)).all():
        raise DataError(f"{path}:points: a lift is neither 0 nor 1; run sketch-data prepare again")
