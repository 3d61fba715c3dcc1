"""The files of drawings behind a list of files and folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sketch_edge.runtime.errors import DataError
from sketch_edge.train.readers.source import find_kind

SVG_SUFFIXES = (".svg", ".svgz")
"""Names that a folder and the folders in it are searched for: a folder of folders, one for each class."""

SUFFIXES = (".ndjson", ".ndjson.gz", ".npz", ".json", *SVG_SUFFIXES)
"""Names that a folder is searched for."""


def find_files(paths: Sequence[Path], synthetic: Sequence[Path] = ()) -> tuple[list[tuple[Path, bool]], list[Path]]:
    """List the files behind paths, each once, as (file, synthetic), and the files of folders that hold no drawings.

    In a folder, hidden files, other suffixes than `SUFFIXES`, data sets and json files that hold something else are
    passed over; the last two are reported. In the folders in it only SVG files are looked for.

    Raises:
        DataError: a path does not exist, or a folder holds no drawings.
    """
    found: dict[Path, tuple[Path, bool]] = {}
    ignored = []
    for path, is_synthetic in [*((path, False) for path in paths), *((path, True) for path in synthetic)]:
        members = [path]
        if _is_folder(path):
            members, others = _search(path)
            ignored += others
        for member in members:
            try:
                real, there = member.resolve(), member.exists()
            except (OSError, RuntimeError, ValueError) as error:
                raise DataError(f"{member}: cannot be followed ({error}); check the name or the link") from error
            if not there:
                raise DataError(f"{member}: does not exist; check the name")
            found[real] = (member, is_synthetic)
    return list(found.values()), ignored


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except ValueError:  # a NUL in the name, before Python 3.13
        return False


def _search(folder: Path) -> tuple[list[Path], list[Path]]:
    """Files of drawings in a folder, sorted, and files with such a name that hold none."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be listed ({error.strerror}); check its rights") from error
    found: list[Path] = []
    others: list[Path] = []
    for path in entries:
        if path.name.startswith("."):
            continue
        if _is_folder(path):
            found += _search_class(path)
            continue
        if not path.name.lower().endswith(SUFFIXES) or not path.is_file():
            continue
        holds_none = (path.suffix.lower() == ".npz" and _is_dataset(path)) or (
            path.suffix.lower() == ".json" and not _holds_record(path)
        )
        (others if holds_none else found).append(path)
    if not found:
        raise DataError(f"{folder}: holds no drawings (expected {', '.join(SUFFIXES)}); name another folder")
    return found, others


def _search_class(folder: Path) -> list[Path]:
    """SVG files in a folder that stands for a class, sorted."""
    try:
        entries = sorted(folder.iterdir())
    except OSError:
        return []  # a folder that is nobody's business here
    named = (path for path in entries if path.name.lower().endswith(SVG_SUFFIXES) and not path.name.startswith("."))
    return [path for path in named if path.is_file()]


def _is_dataset(path: Path) -> bool:
    try:
        return find_kind(path) == "dataset"
    except DataError:
        return False  # damaged: reading it says how


def _holds_record(path: Path) -> bool:
    """Whether a json file looks like drawings, not like counts or settings."""
    try:
        with path.open("rb") as file:
            return b'"drawing"' in file.read(1 << 16)
    except OSError:
        return True  # reading it says what is wrong
