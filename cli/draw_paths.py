"""The files that sketch-draw writes: each for one drawing alone, and none of them one that it reads."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from sketch_edge.runtime.errors import InputError

Reads = Sequence[tuple[Path, str]]
"""Files that a command reads, and what each is, such as "the scene file"."""


def check_paths(paths: Sequence[str], reads: Reads = ()) -> None:
    """Check that every drawing has a file of its own, which can be written and is none of those that are read.

    Raises:
        InputError: two have the same, one cannot be written, or one is read, whatever its name or link.
    """
    from sketch_edge.runtime.files import check_writable

    if len(set(paths)) < len(paths):
        raise InputError(f"--out: several sketches would be written to {max(paths, key=paths.count)}; put {{i}} in it")
    for path in paths:
        check_writable(Path(path))
    read = dict(zip(_identities(source for source, _ in reads), (what for _, what in reads), strict=True))
    for path, identity in zip(paths, _identities(paths), strict=True):
        if identity is not None and identity in read:
            raise InputError(f"{path}: is {read[identity]} itself; choose another --out")


def check_preview(preview: str, paths: Iterable[str]) -> None:
    """Check that a preview is none of the programs that are written beside it.

    Raises:
        InputError: it is, whatever its name; neither need be there yet.
    """
    if os.path.realpath(preview) in map(os.path.realpath, paths):
        raise InputError(f"--preview: {preview} is the program itself; choose another name")


def _identities(paths: Iterable[Path | str]) -> list[tuple[int, int] | None]:
    """Device and number of each file; None where there is none."""
    found: list[tuple[int, int] | None] = []
    for path in paths:
        found.append(None)
        with contextlib.suppress(OSError, ValueError):  # cannot be a file: said elsewhere
            status = Path(path).stat()
            found[-1] = status.st_dev, status.st_ino
    return found
