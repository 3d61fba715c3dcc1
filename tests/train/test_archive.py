"""Zips of strangers: what they may take before anything in them is read."""

import struct
import zipfile
from pathlib import Path

import pytest

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.archive import MOST_DIRECTORY, open_archive
from sketch_edge.train.dataset import load_dataset
from sketch_edge.train.readers import DrawingReader


def many_members(path: Path, count: int) -> Path:
    """Write a zip of zip64 whose directory has `count` entries, and no members."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0)
    start = b"PK\x03\x04" + bytes(26)
    directory = b"".join(entry + b"%08x" % number for number in range(count))
    end = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), len(start))
    end += struct.pack("<4sIQI", b"PK\x06\x07", 0, len(start) + len(directory), 1)
    end += struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(start + directory + end)
    return path


def damaged_lzma(path: Path, name: str) -> Path:
    """Write a zip of one member that says it is packed by lzma, and is not."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr(name, b"x" * 1000)
    content = bytearray(path.read_bytes())
    start = content.index(name.encode()) + len(name)
    content[start + 9 : start + 19] = b"\xff" * 10
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("read", [load_dataset, lambda path: list(DrawingReader(path))])
def test_a_directory_of_many_members_is_not_read(tmp_path, read):
    """An entry of 46 bytes would take a kilobyte."""
    path = many_members(tmp_path / "cat.npz", MOST_DIRECTORY // 54 + 1)
    with pytest.raises(DataError, match=r"its directory has \d+ bytes"):
        read(path)


def test_a_directory_of_the_largest_size_is_read(tmp_path):
    """The bound is on bytes, and met exactly."""
    count = MOST_DIRECTORY // 54
    with many_members(tmp_path / "cat.npz", count).open("rb") as file, open_archive(file) as archive:
        assert len(archive.infolist()) == count


@pytest.mark.parametrize(
    ("read", "name"), [(load_dataset, "format.npy"), (lambda path: list(DrawingReader(path)), "train.npy")]
)
def test_other_packing_than_deflate_is_refused(tmp_path, read, name):
    """lzma takes as much memory as its header likes, and fails by errors of its own."""
    with pytest.raises(DataError, match="neither stored nor deflated"):
        read(damaged_lzma(tmp_path / "cat.npz", name))
