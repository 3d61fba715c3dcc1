"""Find out whether importing onnxruntime would kill this process, before doing it.

Some builds of onnxruntime hold instructions that an older processor does not have (1.21 on a Raspberry Pi 4): their
import ends the process with "Illegal instruction", which no `except` catches. So on Linux on anything but x86-64 a
child process tries first. That takes as long as the import itself, so what came out is kept in a small file, under a
name made of the build and the processor: another build, or a card that was moved to another board, is tried anew.
Where no file can be kept, the child tries every time; the environment variable SKETCH_PROVIDER=cpu or =numpy saves it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from sketch_edge.runtime.errors import SketchError
from sketch_edge.runtime.files import write_atomic

TRUSTED_MACHINES = ("x86_64",)
"""Where no build of onnxruntime is known to die: nothing is tried, and nothing kept."""

LONGEST_TRY = 120.0
"""Seconds; a small computer takes some two for the import."""

_CODE = "import sys; sys.path[:] = sys.argv[1:]; import onnxruntime"
_WORKS = "works"
_PROCESSOR_KEYS = {"CPU implementer", "CPU architecture", "CPU variant", "CPU part", "Features", "isa", "uarch", "cpu"}


def deadly_import() -> str | None:
    """What happens to a process that imports onnxruntime, if it does not survive it; None where it does."""
    if sys.platform != "linux" or os.uname().machine in TRUSTED_MACHINES or "onnxruntime" in sys.modules:
        return None
    origin = _origin()
    # A frozen program has no interpreter of its own that could be asked.
    if origin is None or not sys.executable or getattr(sys, "frozen", False):
        return None
    name = f"onnxruntime-{_identity(origin)}"
    for folder in _folders():
        with contextlib.suppress(OSError, UnicodeDecodeError):
            known = (folder / name).read_text("utf-8").strip()
            return None if known == _WORKS else known[:200]
    found = _try_import()
    if found is not None:
        _remember(name, found)
    return None if found in (None, _WORKS) else found


def _origin() -> Path | None:
    """The file that an import of onnxruntime would read first."""
    import importlib.util

    try:
        spec = importlib.util.find_spec("onnxruntime")
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec is not None and spec.origin is not None else None


def _identity(origin: Path) -> str:
    """A name for this build of onnxruntime on this processor."""
    parts = [str(origin), sys.version, os.uname().machine]
    with contextlib.suppress(OSError):
        status = origin.stat()
        parts += [str(status.st_mtime_ns), str(status.st_size)]
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
        parts += sorted({line for line in lines if line.partition(":")[0].strip() in _PROCESSOR_KEYS})
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _folders() -> Iterator[Path]:
    """Where the result may be kept: the user's cache, or what is there until the next start."""
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - Path.home may raise
    for folder in (cache, os.environ.get("XDG_RUNTIME_DIR", "")):
        if os.path.isabs(folder):  # noqa: PTH117
            yield Path(folder) / "sketch-edge"


def _try_import() -> str | None:
    """Import onnxruntime in a child: "works", how the child died, or None where it ended with an error of Python's."""
    import signal
    import subprocess

    command = [sys.executable, "-P", "-c", _CODE, *sys.path]
    null = subprocess.DEVNULL
    try:
        code = subprocess.run(  # noqa: S603 - this interpreter, and nothing that a user wrote
            command, check=False, timeout=LONGEST_TRY, stdin=null, stdout=null, stderr=null
        ).returncode
    except subprocess.TimeoutExpired:
        return f"its import takes over {LONGEST_TRY:g} s"
    except OSError:
        return None
    if code == 0:
        return _WORKS
    if code > 0:
        return None
    with contextlib.suppress(ValueError):
        return f"its import ends the process: {signal.strsignal(-code)}"
    return f"its import ends the process with signal {-code}"


def _remember(name: str, found: str) -> None:
    """Keep a result for the next time, where there is a folder that lets us."""
    for folder in _folders():
        with contextlib.suppress(OSError, SketchError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(folder / name, f"{found}\n".encode())
            return
