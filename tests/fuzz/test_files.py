"""Every option and argument that names a file, to read or to write, given what it cannot be: exit 2, nothing made."""

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

pytest.importorskip("torch")
pytest.importorskip("onnx")

from sketch_edge.cli import data, draw, evaluate, export, train
from tests.fuzz.parsers import TINY, checkpoint_file, dataset_file

OUT = ["--out", "OUT.svg"]
GCODE = ["--class", "star", "--out", "OUT.gcode"]
MODEL = ["--model", "good.sketch.zip"]

PLACES = {
    "draw --model": (draw.main, ["--class", "star", *OUT, "--model", "FILE"]),
    "draw --scene": (draw.main, [*MODEL, *OUT, "--scene", "FILE"]),
    "draw --reconstruct": (draw.main, [*MODEL, *OUT, "--class", "star", "--reconstruct", "FILE"]),
    "draw --between": (draw.main, [*MODEL, *OUT, "--class", "star", "--between", "good.svg", "FILE"]),
    "draw --finish": (draw.main, [*MODEL, *OUT, "--class", "star", "--finish", "FILE"]),
    "draw --vary": (draw.main, [*MODEL, *OUT, "--class", "star", "--vary", "FILE"]),
    "draw --machine": (draw.main, [*MODEL, *GCODE, "--machine", "FILE"]),
    "train DATA": (train.main, ["FILE", "--out", "OUT.pt", "--steps", "1"]),
    "train --from": (train.main, ["good.npz", "--from", "FILE", "--out", "OUT.pt", "--steps", "1"]),
    "train --resume": (train.main, ["good.npz", "--resume", "--out", "FILE", "--steps", "1"]),
    "eval MODEL": (evaluate.main, ["FILE", "good.npz", "--out", "OUT"]),
    "eval DATA": (evaluate.main, ["good.sketch.zip", "FILE", "--out", "OUT"]),
    "eval --against": (evaluate.main, ["good.sketch.zip", "good.npz", "--against", "FILE", "--out", "OUT"]),
    "eval --grades": (evaluate.main, ["--grades", "FILE", "--out", "OUT"]),
    "export MODEL": (export.main, ["FILE", "--out", "OUT.sketch.zip"]),
    "export --out": (export.main, ["good.pt", "--out", "FILE"]),
    "export --inspect": (export.main, ["--inspect", "FILE"]),
    "export --temperatures": (export.main, ["good.pt", "--out", "OUT.sketch.zip", "--temperatures", "FILE"]),
    "data prepare": (data.main, ["prepare", "FILE", "--out", "OUT.npz"]),
    "data prepare --synthetic": (data.main, ["prepare", "good.ndjson", "--synthetic", "FILE", "--out", "OUT.npz"]),
    "data check": (data.main, ["check", "FILE"]),
    "data sample": (data.main, ["sample", "FILE", "--count", "1", "--out", "OUT"]),
    "data sample --recognised-by": (
        data.main,
        ["sample", "good.sketch.zip", "--count", "1", "--recognised-by", "FILE", "--out", "OUT"],
    ),
}

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 3453645\n"
PAGE = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _sparse(path: Path) -> None:
    """64 GiB of zeros, which take no place."""
    path.touch()
    os.truncate(path, 1 << 36)


FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "empty": _bytes(b""),
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "circle": lambda path: path.symlink_to(path),
    "page": _bytes(PAGE),
    "pointer": _bytes(LFS),
    "noise": _bytes(bytes(range(256)) * 40),
    "zeros": _bytes(bytes(5000)),
    "huge": _sparse,
    "zip without members": _bytes(b"PK\5\6" + bytes(18)),
    "zip cut short": _bytes(b"PK\3\4" + bytes(60)),
    "gzip cut short": _bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\3\xab\x56"),
    "brackets": _bytes(b"[" * 100_000),
    "bundle cut short": lambda path: path.write_bytes(TINY.read_bytes()[:-300]),
    "checkpoint cut short": lambda path: path.write_bytes(checkpoint_file()[:-300]),
    "data cut short": lambda path: path.write_bytes(dataset_file()[:-300]),
}

SAYING = {"empty": "empty", "page": "page", "pointer": "LFS"}
"""What a refusal of a model or a data set says of it."""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The present folder, with one good file of each kind, and half a minute until a wait counts as a hang."""
    monkeypatch.chdir(tmp_path)
    Path("good.sketch.zip").write_bytes(TINY.read_bytes())
    Path("good.pt").write_bytes(checkpoint_file())
    Path("good.npz").write_bytes(dataset_file())
    Path("good.svg").write_bytes(b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9"/></svg>')
    Path("good.ndjson").write_bytes(b'{"word": "cat", "recognized": true, "drawing": [[[0, 9], [0, 9]]]}\n')

    def hang(*_: object) -> None:
        raise AssertionError("waits for something")

    before = signal.signal(signal.SIGALRM, hang)
    signal.alarm(30)
    yield tmp_path
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_such_file(folder, place, kind):
    """Refused in one line; of a model or data set it says what an empty file, a web page and a pointer are."""
    command, arguments = PLACES[place]
    if place == "export --out" and kind in ("missing", "empty", "bundle cut short"):
        pytest.skip("may be written")
    suffix = {"eval": ".npz", "export": ".pt", "train": ".pt"}.get(place.split()[0], "") * (kind != "folder")
    name = "thing.toml" if place == "draw --machine" else f"thing{suffix}"
    FILES[kind](folder / name)
    before = sorted(path.name for path in folder.iterdir())
    result = CliRunner().invoke(command, [name if each == "FILE" else each for each in arguments])
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines), result.stdout) == (2, 1, ""), result.stderr
    assert lines[0].startswith("error: ")
    assert lines[0].isprintable()
    assert sorted(path.name for path in folder.iterdir()) == before
    if place in ("draw --model", "train DATA", "train --from", "train --resume", "eval DATA", "data prepare"):
        assert SAYING.get(kind, "") in lines[0]


OUTPUTS = {
    "draw --out": (draw.main, [*MODEL, "--class", "star", "--format", "svg", "--out", "FILE"], "good.sketch.zip"),
    "draw --preview": (draw.main, [*MODEL, *GCODE, "--machine", "grbl-servo", "--preview", "FILE"], ""),
    "draw --vary": (
        draw.main,
        [*MODEL, "--class", "star", "--vary", "good.svg", "--format", "svg", "--out", "FILE"],
        "good.svg",
    ),
    "train --out": (train.main, ["good.npz", "--steps", "1", "--overwrite", "--out", "FILE"], "good.npz"),
    "export --out": (export.main, ["good.pt", "--out", "FILE"], "good.pt"),
    "data prepare --out": (data.main, ["prepare", "good.ndjson", "--out", "FILE"], "good.ndjson"),
    "data sample --out": (
        data.main,
        ["sample", "good.sketch.zip", "--count", "1", "--seed", "1", "--out", "FILE"],
        "good.sketch.zip",
    ),
    "eval --out": (evaluate.main, ["good.sketch.zip", "good.npz", "--out", "FILE"], "good.npz"),
}
"""With the input that must not be written over."""

PATHS: dict[str, Callable[[Path], object]] = {
    "folder": Path.mkdir,
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/null"),
    "circle": lambda path: path.symlink_to(path),
    "input": lambda path: None,
    "link to the input": lambda path: None,
    "no folder": lambda path: None,
    "name of 300 letters": lambda path: None,
}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("place", OUTPUTS)
def test_where_nothing_can_be_written(folder, place, kind):
    """Refused before any work; what stands there, the input above all, stays as it was."""
    command, arguments, source = OUTPUTS[place]
    if kind in ("folder", "no folder") and place in ("data sample --out", "eval --out"):
        pytest.skip("writes into a folder, and may make one")
    if "input" in kind and not source:
        pytest.skip("reads no file")
    name = {"input": source, "no folder": "nowhere/at/all.svg", "name of 300 letters": "a" * 300 + ".svg"}.get(
        kind, "thing.svg"
    )
    if kind == "link to the input":
        os.link(source, name)
    PATHS[kind](folder / name)
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.name.startswith("good")}
    before = sorted(path.name for path in folder.iterdir())
    result = CliRunner().invoke(command, [name if each == "FILE" else each for each in arguments])
    lines = result.stderr.splitlines()
    assert (result.exit_code, len(lines), result.stdout) == (2, 1, ""), result.stderr
    assert lines[0].startswith("error: ")
    assert sorted(path.name for path in folder.iterdir()) == before
    assert {name: (folder / name).read_bytes() for name in kept} == kept
