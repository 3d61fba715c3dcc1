"""Five faults of a disk for every writer: the old file stays as it was, nothing is left behind, exit 1, one line.

Full: the disk takes a hundred bytes. Read-only and denied: the system says so when the new file is made. Failing, over
quota: an error at fsync or rename. Vanished: the folder is gone by then. They are injected into the calls to the system
below `write_atomic`; `test_a_limit_of_the_system` and `test_a_real_full_disk` take the system's own.
"""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sketch_edge import load
from sketch_edge.cli.draw import main as draw
from sketch_edge.runtime import files
from sketch_edge.runtime.bundle import read_bundle, write_bundle
from sketch_edge.runtime.errors import SketchError, UnfinishedError
from tests.fuzz.parsers import TINY, checkpoint_file, dataset_file

OLD = b"the old file"
FORMATS = ("svg", "png", "json", "gif", "apng", "webp", "gcode")


def _bundle(path: Path) -> None:
    bundle = read_bundle(TINY)
    write_bundle(path, bundle.manifest, bundle.members)


def _dataset(path: Path) -> None:
    pytest.importorskip("torch")
    from sketch_edge.train.dataset import load_dataset

    source = path.with_name("given.npz")
    source.write_bytes(dataset_file())
    data = load_dataset(source)
    source.unlink()
    data.save(path)


def _checkpoint(path: Path) -> None:
    pytest.importorskip("torch")
    from sketch_edge.train.checkpoint import load_checkpoint, save_checkpoint

    source = path.with_name("given.pt")
    source.write_bytes(checkpoint_file())
    checkpoint = load_checkpoint(source)
    source.unlink()
    save_checkpoint(path, checkpoint)


SKETCH = load(TINY).draw("star", seed=3)


def _picture(format: str) -> Callable[[Path], None]:
    options: dict[str, Any] = {"machine": "grbl-servo"} if format == "gcode" else {}
    return lambda path: SKETCH.save(path, format=format, **options)


WRITERS = {
    **{format: _picture(format) for format in FORMATS},
    "bundle": _bundle,
    "dataset": _dataset,
    "checkpoint": _checkpoint,
}


def fails(number: int) -> Callable[..., Any]:
    def call(*_args: object, **_settings: object) -> None:
        raise OSError(number, os.strerror(number))

    return call


def full(patch: pytest.MonkeyPatch, path: Path) -> None:
    """The disk takes a hundred bytes, then no more."""
    opened = os.fdopen

    def small(descriptor: int, *args: Any, **settings: Any) -> Any:
        file = opened(descriptor, *args, **settings)
        if args[:1] != ("wb",):
            return file

        class Full:
            def __enter__(self) -> "Full":
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def write(self, data: bytes) -> None:
                file.write(data[:100])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return Full()

    patch.setattr(os, "fdopen", small)


def read_only(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.setattr(files, "_open_temporary", fails(errno.EROFS))


def denied(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.setattr(files, "_open_temporary", fails(errno.EACCES))


def failing_write(patch: pytest.MonkeyPatch, path: Path) -> None:
    """The device fails when what was written is to reach it."""
    patch.setattr(os, "fsync", fails(errno.EIO))


def over_quota(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.setattr(os, "fsync", fails(errno.EDQUOT))


def failing_rename(patch: pytest.MonkeyPatch, path: Path) -> None:
    patch.setattr(Path, "replace", fails(errno.EIO))


FAULTS = (full, read_only, denied, failing_write, over_quota, failing_rename)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: each.__name__)
@pytest.mark.parametrize("writer", WRITERS)
def test_the_old_file_stays(tmp_path, monkeypatch, writer, fault):
    """Byte for byte, alone in its folder; the error is the one that means exit 1, of one line."""
    path = tmp_path / "thing.out"
    WRITERS[writer](path)  # without the fault it writes
    path.write_bytes(OLD)
    kept = fault(monkeypatch, path)
    assert kept is None
    with pytest.raises(UnfinishedError) as caught:
        WRITERS[writer](path)
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (OLD, [path])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_vanishes(tmp_path, monkeypatch, writer):
    """Between the look at the path and the first byte, somebody deletes the folder: one error of ours, no folder."""
    folder = tmp_path / "gone"
    folder.mkdir()
    looked = files.check_writable

    def then_vanish(path: Path) -> None:
        looked(path)
        if path.parent.is_dir() and not any(path.parent.iterdir()):
            path.parent.rmdir()

    monkeypatch.setattr(files, "check_writable", then_vanish)
    with pytest.raises(SketchError) as caught:
        WRITERS[writer](folder / "thing.out")
    assert "\n" not in str(caught.value)
    assert not folder.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_the_command_ends_with_1(tmp_path, monkeypatch, format):
    """One line on standard error; the old drawing untouched."""
    out = tmp_path / f"star.{format}"
    out.write_bytes(OLD)
    failing_write(monkeypatch, out)
    machine = ["--machine", "grbl-servo"] if format == "gcode" else []
    result = CliRunner().invoke(draw, ["--class", "star", "--model", str(TINY), "--out", str(out), *machine])
    assert (result.exit_code, result.stdout, out.read_bytes()) == (1, "", OLD)
    assert [line.startswith("error: ") for line in result.stderr.splitlines()] == [True]


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
from sketch_edge.cli.draw import main
main(sys.argv[1:])
"""


def test_a_limit_of_the_system(tmp_path):
    """A file-size limit, which the kernel itself enforces, in a process of its own."""
    out = tmp_path / "star.svg"
    out.write_bytes(OLD)
    command = [sys.executable, "-c", LIMITED, "--class", "star", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, out.read_bytes()) == (1, "", OLD)
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="mounts a small disk: needs root on Linux")
def test_a_real_full_disk(tmp_path):
    """A file system of 64 KiB that is full; skipped where mounting is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", disk], capture_output=True).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        out = disk / "thing.out"
        out.write_bytes(OLD)
        (disk / "filler").write_bytes(b"x" * (48 << 10))
        refused = 0
        for writer in WRITERS.values():
            before = sorted(disk.iterdir())
            with contextlib.suppress(OSError):  # the test's own copy of what is to be saved found no room
                try:
                    writer(out)
                except UnfinishedError as error:
                    refused += "No space left" in str(error) and out.read_bytes() == OLD
            for copy in ("given.npz", "given.pt"):
                (disk / copy).unlink(missing_ok=True)
            assert sorted(disk.iterdir()) == before
            out.write_bytes(OLD)
        assert refused >= 2  # small drawings still fit
    finally:
        subprocess.run(["umount", disk], check=True)
