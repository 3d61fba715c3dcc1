"""Writing files so that a crash, a full disk or a pulled plug never leaves half of one."""

from __future__ import annotations

import contextlib
import errno
import functools
import glob
import os
import stat
from pathlib import Path

from sketch_edge.runtime.errors import InputError, UnfinishedError

TEMPORARY_SUFFIX = ".sketch-tmp"

_LONGEST_STEM = 120
"""Bytes of the name that its temporary file shares: names may have 255 bytes, and the rest needs room."""


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write `data` to `path`: either the whole new file stands there afterwards, or the old one untouched.

    Temporary file in the same folder, fsync, rename, fsync of the folder. The permissions of an old file, and where
    the system lets us its owner, are kept; a new one gets those the umask asks for. A symbolic link stays a link: the
    file that it names is replaced. The first file that a process writes to a folder also sweeps that folder.

    Raises:
        InputError: the folder does not exist, or `path` is no plain file that may be written.
        UnfinishedError: the system refused the write (disk full, file too large, disk gone).
    """
    path = Path(path)
    check_writable(path)
    temporary: Path | None = None
    lock: int | None = None
    try:
        target = Path(os.path.realpath(path))
        _sweep_once(target.parent)
        descriptor, temporary, lock = _open_temporary(target)
        with os.fdopen(descriptor, "wb") as file:
            _copy_permissions(target, descriptor)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(target)
        temporary = None
        _sync_folder(target.parent)
    except OSError as error:
        raise UnfinishedError(
            f"{path}: could not be written ({error.strerror or error}); the old file, if any, is untouched"
        ) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink()
        if lock is not None:
            os.close(lock)


def check_writable(path: Path) -> None:
    """Refuse, before any long work, a path that can never become a plain file.

    Raises:
        InputError: `path` is a folder, a device, a pipe or write-protected, or its folder does not exist or may not
            be written to.
    """
    try:
        problem = _obstacle(Path(os.path.realpath(path)))
    except (OSError, ValueError) as error:  # too long, a NUL in it, or not in the file system's encoding
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{path}: cannot be used as a file name ({reason}); choose another") from error
    if problem is not None:
        raise InputError(f"{path}: {problem}")


def read_beginning(path: Path, size: int) -> bytes:
    """Read the first `size` bytes of a plain file; a pipe would be waited for, perhaps without end.

    Raises:
        OSError, ValueError: it does not exist, is no plain file, may not be read, or the name cannot be one.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "no plain file", str(path))
    with path.open("rb") as file:
        return file.read(size)


def refuse_same(out: Path, source: Path, what: str) -> None:
    """Refuse to write over the file that is read, whatever its name or link; `what` says what that is.

    Raises:
        InputError: both names lead to one file.
    """
    with contextlib.suppress(OSError):  # one of the two does not exist, or cannot be a file: said elsewhere
        if out.samefile(source):
            raise InputError(f"{out}: is {what} itself; choose another --out")


def sweep_temporaries(folder: Path, name: str = "") -> int:
    """Delete temporary files that killed writers left in a folder, or only those of the file `folder/name`.

    A writer holds a lock on its temporary file until that has its real name, so whatever is locked is left alone; where
    the file system has no locks, everything is. Returns how many were deleted.
    """
    count, flags = 0, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)
    for path in folder.glob(f"{glob.escape(_stem(name)) if name else '.*.'}{'?' * 16}{TEMPORARY_SUFFIX}"):
        with contextlib.suppress(OSError):
            descriptor = os.open(path, flags)
            try:
                if stat.S_ISREG(os.fstat(descriptor).st_mode) and _take_lock(descriptor, wait=False):
                    path.unlink()
                    count += 1
            finally:
                os.close(descriptor)
    return count


@functools.lru_cache(maxsize=64)
def _sweep_once(folder: Path) -> None:
    """Sweep a folder once a process: a thousand files of one run need no thousand looks at their folder."""
    sweep_temporaries(folder)


def _take_lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file; whether this is the only one to have it locked now. It is unlocked by closing it."""
    try:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except (ImportError, OSError):  # Windows, a file system without locks, or somebody else has it
        return False
    return True


def _obstacle(path: Path) -> str | None:
    """What keeps `path`, links resolved, from being written; None if nothing does."""
    if path.is_symlink():  # what is left of a link after resolving it leads in a circle
        return "is a symbolic link that leads to itself; choose another name"
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            return f"the folder {path.parent} does not exist; create it first"
    else:
        if stat.S_ISDIR(mode):
            return "is a folder (expected a file name); name a file in it"
        if not stat.S_ISREG(mode):
            return "is no plain file; choose another name, or - for standard output"
        # Renaming would replace it all the same, but whoever protects a file does not want that.
        if not os.access(path, os.W_OK):
            return "is write-protected; choose another name"
    if not os.access(path.parent, os.W_OK | os.X_OK):
        return f"the folder {path.parent} may not be written to; choose another"
    return None


def _stem(name: str) -> str:
    """How the temporary files of `name` begin; 16 random digits and TEMPORARY_SUFFIX follow."""
    return f".{os.fsdecode(os.fsencode(name)[:_LONGEST_STEM])}."


def _open_temporary(target: Path) -> tuple[int, Path, int | None]:
    """Create an empty file beside `target`, with the permissions that the umask asks for, and lock it.

    Returns:
        It open for writing, its name, and what keeps the lock until it is closed; None where there are no locks.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    while True:
        temporary = target.with_name(f"{_stem(target.name)}{os.urandom(8).hex()}{TEMPORARY_SUFFIX}")
        try:
            descriptor = os.open(temporary, flags, 0o666)
            if not _take_lock(descriptor, wait=True):
                return descriptor, temporary, None
            if temporary.exists():
                return descriptor, temporary, os.dup(descriptor)
            os.close(descriptor)  # swept before it was locked
        except FileExistsError:
            continue
        except BaseException:  # a signal, just here
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise


def _copy_permissions(old: Path, descriptor: int) -> None:
    """Give an open file the owner, as far as the system lets us, and the permissions of the file it will replace."""
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    if hasattr(os, "fchown"):
        with contextlib.suppress(OSError):
            os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o777)


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where the system can (not on Windows)."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
