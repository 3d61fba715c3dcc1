"""Which kind of file this is, told by its content, and the bytes of it, hashed and counted as they are read."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zipfile
import zlib
from pathlib import Path
from typing import BinaryIO, Literal

from sketch_edge.runtime.drawings import AGAIN, refuse_foreign
from sketch_edge.runtime.errors import DataError
from sketch_edge.runtime.manifest import short_name
from sketch_edge.train.archive import open_archive
from sketch_edge.train.dataset import refuse_models

Kind = Literal["text", "gzip", "sketchrnn", "dataset", "svg"]

GZIP = b"\x1f\x8b"

GZIP_RATIO = 50
"""Drawings as text shrink to a fourth; a file that inflates to more than this many times its size is a trap."""

GZIP_FLOOR = 1 << 20
"""Bytes that any small file may inflate to."""

PIECE = 1 << 20

LONGEST_NAME = 1 << 16
"""Bytes that gzip's reader asks for one by one: a name or a comment in a header, or zeros behind the last member."""


def find_kind(path: Path) -> Kind:
    """Tell the kind of a file by its first bytes, and of a zip by its members.

    Raises:
        DataError: no such file, no plain file, empty, or none of the kinds that hold drawings.
    """
    head = read_head(path)
    if head.startswith(GZIP):
        return "svg" if path.name.lower().endswith(".svgz") else "gzip"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _kind_of_zip(path)
    if _is_svg(path, head):
        return "svg"
    refuse_foreign(path, head)
    return "text"


def _is_svg(path: Path, head: bytes) -> bool:
    """Whether a file is SVG, by its name or its first element; a web page may hold SVG, but is none."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith((b"{", b"[", b"version https://git-lfs")) or b"<html" in text[:512].lower():
        return False
    return path.name.lower().endswith(".svg") or (text.startswith(b"<") and b"<svg" in text)


def read_head(path: Path, size: int = 4096) -> bytes:
    """First bytes of a plain file.

    Raises:
        DataError: it does not exist, is no plain file, cannot be read, or is empty.
    """
    try:
        plain, there = path.is_file(), path.exists()
        with path.open("rb") if plain else io.BytesIO() as file:
            head = file.read(size)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error}); check it") from error
    if not plain:
        what = (
            "is no plain file (expected ndjson, json or npz); name a file"
            if there
            else "does not exist; check the name"
        )
        raise DataError(f"{path}: {what}")
    if not head:
        raise DataError(f"{path}: is empty (expected drawings); {AGAIN}")
    return head


def _kind_of_zip(path: Path) -> Kind:
    try:
        with path.open("rb") as file, open_archive(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"{path}: is a damaged or cut zip ({error}); {AGAIN}") from error
    if any(name in names for name in ("train.npy", "valid.npy", "test.npy")):
        return "sketchrnn"
    if "points.npy" in names and "offsets.npy" in names:
        return "dataset"
    refuse_models(path, names)
    shown = ", ".join(map(short_name, names[:4])) or "nothing"
    raise DataError(f"{path}: is a zip of {shown} (expected train, valid, test of a sketch-rnn file); give drawings")


class HashedFile(io.RawIOBase):
    """A file that is read once from front to back, hashed and counted on the way."""

    def __init__(self, path: Path) -> None:
        self._file: BinaryIO = path.open("rb")
        self._digest = hashlib.sha256()
        self.size = os.fstat(self._file.fileno()).st_size
        self.count = 0
        self._single = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read into `buffer`; the number of bytes, 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        self._single = self._single + 1 if len(view) == 1 else 0
        if self._single > LONGEST_NAME:
            raise gzip.BadGzipFile("a header without end")
        content = self._file.read(len(view))
        view[: len(content)] = content
        self._digest.update(content)
        self.count += len(content)
        return len(content)

    def finish(self) -> str:
        """Read what is left and return the sha256 of the whole file, in hex."""
        while self.read(PIECE):
            pass
        return self._digest.hexdigest()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class Inflated(io.RawIOBase):
    """The content of a gzip file, refused where it outgrows its packed size too far.

    Raises, on reading:
        DataError: damaged, cut, or a trap.
    """

    def __init__(self, source: HashedFile, path: Path) -> None:
        self._gzip = gzip.GzipFile(fileobj=source, mode="rb")
        self._path = path
        self._left = max(GZIP_FLOOR, GZIP_RATIO * source.size)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: object) -> int:
        """Read into `buffer`; the number of bytes, 0 at the end."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        try:
            content = self._gzip.read(len(view))
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise DataError(f"{self._path}: is a damaged or cut gzip file ({error}); {AGAIN}") from error
        self._left -= len(content)
        if self._left < 0:
            raise DataError(f"{self._path}: inflates to over {GZIP_RATIO} times its size; it is no drawing file")
        view[: len(content)] = content
        return len(content)
