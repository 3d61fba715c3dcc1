"""Writing files so that a crash, a full disk or a pulled plug never leaves half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sketch_edge.runtime.errors import InputError, UnfinishedError

TEMPORARY_SUFFIX = ".sketch-tmp"


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`: either the whole new file stands there afterwards, or the old one untouched.

    Temporary file in the same folder, fsync, rename, fsync of the folder.

    Raises:
        InputError: the folder does not exist, or `path` is no plain file.
        UnfinishedError: the system refused the write (disk full, no permission, read-only).
    """
    path = Path(path)
    check_writable(path)
    temporary: Path | None = None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=TEMPORARY_SUFFIX, dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        _copy_mode(path, temporary)
        temporary.replace(path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        raise UnfinishedError(
            f"{path}: could not be written ({error.strerror or error}); the old file, if any, is untouched"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()


def check_writable(path: Path) -> None:
    """Refuse, before any long work, a path that can never become a plain file.

    Raises:
        InputError: `path` is a folder, a device or a pipe, or its folder does not exist.
    """
    try:
        if path.is_dir():
            raise InputError(f"{path}: is a folder (expected a file name); name a file in it")
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: is no plain file; choose another name, or - for standard output")
        if not path.parent.is_dir():
            raise InputError(f"{path}: the folder {path.parent} does not exist; create it first")
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be used as a file name ({error}); choose another") from error


def sweep_temporaries(folder: Path, stem: str) -> int:
    """Delete temporary files that a killed writer of `folder/stem` left behind; returns how many.

    Call it only where no other process writes the same file.
    """
    count = 0
    for stale in folder.glob(f".{stem}.*{TEMPORARY_SUFFIX}"):
        with contextlib.suppress(OSError):
            stale.unlink()
            count += 1
    return count


def _copy_mode(old: Path, new: Path) -> None:
    """Keep the permissions of the file that is replaced; a new file gets those the umask asks for."""
    if old.exists():
        mode = old.stat().st_mode & 0o777
    else:
        umask = os.umask(0)
        os.umask(umask)
        mode = 0o666 & ~umask
    new.chmod(mode)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
