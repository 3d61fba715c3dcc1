"""Commands that are stopped while they write: the old file whole, the exit code right, nothing left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("onnx")

from tests.fuzz.parsers import TINY
from tests.magenta_files import GEN, make, write

COMMANDS = {
    "picture": ("draw", "run", ["--class", "star", "--model", "tiny.sketch.zip", "--seed", "3"], "star.svg"),
    "program": (
        "draw",
        "run",
        ["--class", "star", "--model", "tiny.sketch.zip", "--seed", "3", "--machine", "grbl-servo"],
        "star.gcode",
    ),
    "bundle": ("export", "main", ["cat.gen.json"], "cat.sketch.zip"),
    "data": ("data", "main", ["prepare", "cat.ndjson", "--quiet"], "cat.npz"),
}
OLD = {"bundle": TINY.read_bytes()}
"""What stood there before; a bundle replaces nothing but bundles."""

HALF_WAY = """
import os, time
def fsync(descriptor):
    os.write(1, b"half way\\n")
    time.sleep(60)
os.fsync = fsync
"""
"""All bytes of the new file are written, to its temporary name, and not yet on the disk."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("inputs")
    drawing = '{"word": "cat", "recognized": true, "drawing": [[[0, %d], [0, 9]]]}\n'
    return {
        "tiny.sketch.zip": TINY.read_bytes(),
        "cat.gen.json": write(folder / "cat.gen.json", make(GEN, 2)).read_bytes(),
        "cat.ndjson": "".join(drawing % number for number in range(1, 40)).encode(),
    }


@pytest.fixture
def folder(tmp_path, inputs):
    for name, content in inputs.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def start(folder: Path, kind: str, before: str = "") -> "subprocess.Popen[bytes]":
    module, function, arguments, out = COMMANDS[kind]
    code = f"{before}\nfrom sketch_edge.cli.{module} import {function}\n{function}()"
    command = [sys.executable, "-c", code, *arguments, "--out", out]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def names(folder: Path, inputs: dict[str, bytes]) -> list[str]:
    """What is there beside the inputs."""
    return sorted(path.name for path in folder.iterdir() if path.name not in inputs)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("kind", COMMANDS)
def test_stopped_in_the_middle_of_a_write(folder, inputs, kind, number, code):
    """SIGTERM and Ctrl-C: 143 and 130, no traceback, the folder as it was."""
    out = folder / COMMANDS[kind][3]
    out.write_bytes(OLD.get(kind, b"old"))
    with start(folder, kind, HALF_WAY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        assert len(names(folder, inputs)) == 2
        process.send_signal(number)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == code, errors
    assert b"Traceback" not in errors
    assert (names(folder, inputs), out.read_bytes()) == ([out.name], OLD.get(kind, b"old"))


@pytest.mark.parametrize("kind", COMMANDS)
def test_killed_in_the_middle_of_a_write(folder, inputs, kind):
    """SIGKILL: the old file is whole, and the same command, given again, sweeps what the killed one left."""
    out = folder / COMMANDS[kind][3]
    out.write_bytes(OLD.get(kind, b"old"))
    with start(folder, kind, HALF_WAY) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        process.kill()
    assert len(names(folder, inputs)) == 2
    assert out.read_bytes() == OLD.get(kind, b"old")
    with start(folder, kind) as process:
        assert process.communicate(timeout=60)[1].count(b"error:") == 0
    assert process.returncode == 0
    assert names(folder, inputs) == [out.name]
    assert out.read_bytes() != OLD.get(kind, b"old")


def test_stopped_at_any_moment(folder, inputs):
    """Whenever the signal comes, the old file stands there or the whole new one, and nothing else."""
    out = folder / "star.svg"
    with start(folder, "picture") as process:
        process.communicate(timeout=60)
    whole = out.read_bytes()
    rng = random.Random(8)
    for number in (signal.SIGTERM, signal.SIGINT) * 4:
        out.write_bytes(b"old")
        with start(folder, "picture") as process:
            time.sleep(rng.uniform(0.02, 0.4))
            os.kill(process.pid, number)
            process.communicate(timeout=60)
        assert process.returncode in (0, 1, 128 + number, -number)  # 1: a Python that does not run its program yet
        assert out.read_bytes() in (b"old", whole)
        assert names(folder, inputs) == ["star.svg"]
