"""One training at a time for each checkpoint: a second one would overwrite what the first saves."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sketch_edge.runtime.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def only_training(out: Path) -> Iterator[None]:
    """Hold the lock of a checkpoint; it ends with the process, however that ends.

    The lock is a file beside `out`, .model.pt.lock, which is deleted in the end. Where the system or the file system
    has no locks, there is none.

    Raises:
        InputError: another process holds it.
    """
    path = out.with_name(f".{out.name[:200]}.lock")
    descriptor = _lock(path, out)
    try:
        yield
    finally:
        if descriptor is not None:
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(descriptor)


def _lock(path: Path, out: Path) -> int | None:
    """Lock the file, made where it is missing; None where there are no locks."""
    if fcntl is None:
        return None
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            who = os.read(descriptor, 20).decode("ascii", "replace").strip()
            os.close(descriptor)
            number = f", process {who}" if who.isdecimal() else ""
            raise InputError(
                f"{out}: another training is writing it{number}; wait for its end, or choose another --out"
            ) from error
        except OSError:
            os.close(descriptor)
            return None
        if _is_still(path, descriptor):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"{os.getpid()}\n".encode())
            return descriptor
        os.close(descriptor)  # its holder deleted it in between: lock the next one


def _is_still(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except OSError:
        return False
