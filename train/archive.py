"""Zips of strangers, opened so that neither their directory nor their packing takes more than a file of ours does."""

from __future__ import annotations

import zipfile
from typing import BinaryIO, cast

MOST_DIRECTORY = 1 << 20
"""Bytes of a directory; each of its entries takes a hundred times as much once it is read."""

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class _Opening:
    """A file of which zipfile reads no more at once, while it opens it, than a directory may have."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._file = file
        self.opened = False

    def read(self, size: int = -1, /) -> bytes:
        """Read, as files do."""
        if not self.opened and size > MOST_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory has {size} bytes (at most {MOST_DIRECTORY})")
        return self._file.read(size)


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip for reading; `file` has to stay open as long as it is.

    Raises:
        BadZipFile: damaged, of too many members, or one is neither stored nor deflated (lzma asks for memory by its
            own header, and fails in ways of its own).
        OSError, ValueError, NotImplementedError: as `zipfile` does.
    """
    reader = _Opening(file)
    archive = zipfile.ZipFile(cast("BinaryIO", reader))
    reader.opened = True
    if any(info.compress_type not in _METHODS for info in archive.infolist()):
        raise zipfile.BadZipFile("a member is neither stored nor deflated")
    return archive
