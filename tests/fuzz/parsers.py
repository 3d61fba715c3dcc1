"""Every parser of the project behind one face: bytes in; a value, or the project's own error, out.

A `Parser` also knows good inputs to start from, words of its language, and its own modules, whose lines are counted.
Files with a hash are mutated below it: what reaches the parser behind the hash is what a stranger may have written.
"""

from __future__ import annotations

import atexit
import hashlib
import io
import json
import os
import shutil
import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sketch_edge.runtime.bundle import Bundle, open_bundle, pack_bundle, read_bundle, read_manifest
from sketch_edge.runtime.drawings import parse_record, read_record, read_sketches
from sketch_edge.runtime.manifest import Manifest
from sketch_edge.runtime.page import Page, parse_length_mm
from sketch_edge.runtime.plain.onnx_reader import read_graph
from sketch_edge.runtime.plot.check import check_program
from sketch_edge.runtime.plot.machine import MACHINES, Machine, load_machine, machine_names
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.scenes.scene_file import parse_composition
from sketch_edge.runtime.session import load_graph
from tests.fuzz.drawn import drawn_by
from tests.magenta_files import make as make_magenta

TESTS = Path(__file__).parents[1]
TINY = TESTS / "data" / "tiny-whole.sketch.zip"
OFFSET = TESTS / "data" / "tiny-offset.sketch.zip"
"""Two layers, and a head that gives the next offset itself."""

MEMORY = Path("/dev/shm")
FOLDER = MEMORY if os.access(MEMORY, os.W_OK) else Path(tempfile.gettempdir())
"""Where inputs lie that are read as files: in memory, where the system has such a place."""


@dataclass(frozen=True)
class Parser:
    """One parser under test."""

    name: str
    run: Callable[[bytes], object]
    """Parses; raises SketchError for what it refuses."""

    seeds: Callable[[], Sequence[bytes]]
    """Good inputs."""

    modules: tuple[str, ...]
    """Ends of the paths of the files whose lines are counted."""

    words: tuple[bytes, ...] = ()
    """Pieces that a mutation may put in."""


def in_file(read: Callable[[Path], object], suffix: str) -> Callable[[bytes], object]:
    """Make of a reader of files one of bytes."""

    def run(content: bytes) -> object:
        path = _scratch(os.getpid()) / f"thing{suffix}"
        path.write_bytes(content)
        return read(path)

    return run


@cache
def _scratch(process: int) -> Path:
    """A folder of this process's own, deleted with it."""
    folder = Path(tempfile.mkdtemp(prefix="sketch-fuzz-", dir=FOLDER))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda content: read(content.decode("utf-8", "surrogateescape"))


def _drawings(path: Path) -> object:
    from sketch_edge.train.readers import DrawingReader

    return sum(1 for _ in DrawingReader(path))


def _record(content: bytes) -> object:
    return read_record("a.ndjson:1", parse_record("a.ndjson:1", content))


def _dataset(path: Path) -> object:
    from sketch_edge.train.dataset import load_dataset

    return load_dataset(path)


MARK = b"sketch-edge checkpoint 1 sha256:"


def hashed(archive: bytes) -> bytes:
    """Put the right hash behind an archive, as if a stranger's program had written it."""
    comment = MARK + hashlib.sha256(archive).hexdigest().encode()
    return archive[:-2] + struct.pack("<H", len(comment)) + comment


def _checkpoint(archive: bytes) -> object:
    from sketch_edge.train.checkpoint import load_checkpoint

    return in_file(load_checkpoint, ".pt")(hashed(archive))


@cache
def checkpoint_file(units: int = 4) -> bytes:
    """A small checkpoint of ours; `units` is the size of its encoder and decoder."""
    import torch

    from sketch_edge.train.checkpoint import About, Checkpoint, save_checkpoint
    from sketch_edge.train.config import Config, ModelConfig
    from sketch_edge.train.models.vae import SketchVAE

    torch.manual_seed(1)
    sizes = ModelConfig(encoder_hidden=units, decoder_hidden=units, latent=2, class_embedding=2, mixtures=2)
    about = About(classes=("cat", "star"), scale=30.0, max_points=60, drawings=9, synthetic=2, step=5)
    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        path = Path(folder) / "model.pt"
        save_checkpoint(path, Checkpoint(Config(model=sizes), about, SketchVAE(sizes, 2).state_dict()))
        return path.read_bytes()


def _config(text: bytes) -> object:
    """The settings of a checkpoint, as its JSON says them."""
    from sketch_edge.train.about import read_json
    from sketch_edge.train.config import Config

    return Config.from_dict(read_json(text.decode("utf-8", "surrogateescape"), "a.pt:config"), "a.pt:config.")


def _about(text: bytes) -> object:
    from sketch_edge.train.about import read_about

    return read_about(text.decode("utf-8", "surrogateescape"), "a.pt:about")


def _grading(key: bytes) -> object:
    from sketch_edge.train.evaluate.grading import tabulate

    answers = b'{"format":1,"page":"ab","answers":{"0":"real","1":"fake"}}'
    path = _scratch(os.getpid()) / "answers.json"
    path.write_bytes(answers)
    return in_file(lambda path: tabulate([path.with_name("answers.json")], path), ".json")(key)


GRADING = (
    b'{"format":1,"page":"ab","items":[{"source":"real drawings"},{"source":"model.sketch.zip"},{"source":"other.pt"}]}'
)


def _configs() -> list[bytes]:
    from sketch_edge.train.config import PRESETS

    return [json.dumps(preset.config.to_dict()).encode() for preset in PRESETS.values()]


def _abouts() -> list[bytes]:
    from sketch_edge.train.about import About, write_about

    losses = {"offset": 1.0, "pen": 0.5, "kl": 0.25, "total": 1.75}
    about = About(classes=("cat", "star"), scale=30.0, max_points=60, counts={"cat": 3}, losses=losses, source="other")
    return [write_about(about).encode()]


def magenta_file() -> bytes:
    """A decoder of two units as Magenta writes them."""
    dims = [[2, 9], [9], [5, 8], [2, 8], [8]]
    return json.dumps(make_magenta(dims, "gen"), separators=(",", ":")).encode()


def _archive() -> bytes:
    content = checkpoint_file()
    return content[: content.rfind(MARK) - 2] + b"\0\0"


@cache
def dataset_file() -> bytes:
    """A small data set of ours, of two drawings."""
    from sketch_edge.train.prepare import prepare  # the command's own way to make one

    with tempfile.TemporaryDirectory(dir=FOLDER) as folder:
        source = Path(folder) / "cat.ndjson"
        source.write_bytes(b"".join(DRAWINGS))
        out = Path(folder) / "data.npz"
        prepare([source]).data.save(out)
        return out.read_bytes()


def sketchrnn_file() -> bytes:
    """A file as sketch-rnn's own tools write it: pickled arrays in a zip."""
    line = np.array([[255, 0, 0], [0, 90, 1], [-20, -20, 1]], np.int16)
    arrays = np.empty(2, object)
    arrays[:] = [line, line[:2]]
    buffer = io.BytesIO()
    np.savez(buffer, train=arrays, valid=arrays[:1], test=arrays[:1])
    return buffer.getvalue()


DRAWINGS = (
    b'{"word":"cat","recognized":true,"drawing":[[[0,42,85],[85,0,85]],[[170],[85]],[[0,170],[255,255]]]}\n',
    b'{"word":"cat","key_id":"5","drawing":[[[0.5,1e2],[3,255],[0,17]]],"countrycode":"CH"}\n',
)
SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><g transform="scale(2)">'
    b'<path d="M1 1L8 8C1 2 3 4 5 6A1 2 3 0 1 4 4z"/><circle cx="4" cy="4" r="2"/>'
    b'<polyline points="1,1 2,3"/></g></svg>'
)
SVG_WORDS = (b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<g>" * 50, b"1e999", b"NaN", b"A", b"<use href='#a'/>")
JSON_WORDS = (b"null", b"NaN", b"1e999", b"-1", b'"', b"[" * 40, b"{", b"\\u0000", b"18446744073709551616", b"true")
TOML_WORDS = (
    b"[[object]]\n",
    b"best-of = 8\n",
    b"[x.y.z]\n",
    b"= nan\n",
    b"= -1\n",
    b"= inf\n",
    b'"""',
    b"[" * 40,
    b"0x7f",
    b"1979-05-27",
)
ZIP_WORDS = (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"\xff\xff\xff\xff", b"\x08\x00", b"manifest.json", b"../")
WIRE_WORDS = (b"\xff" * 9 + b"\x01", b"\x80\x80\x80\x80\x10", b"\x0a\x00", b"\x3a\x02", b"body", b"Loop", b"\x28\x05")

ENGINES = {
    "cpu": ("runtime/session.py", "blocks.py", "sampler.py"),
    "numpy": ("plain/session.py", "interpreter.py", "operators.py", "arithmetic.py"),
}
"""Providers, and what runs graphs with them."""


def _machines() -> list[bytes]:
    return [(MACHINES / f"{name}.toml").read_bytes() for name in machine_names()]


def _scenes() -> list[bytes]:
    """The examples of docs/SCENES.md."""
    text = (TESTS.parent / "docs" / "SCENES.md").read_bytes()
    return [part.split(b"```")[0] for part in text.split(b"```toml\n")[1:]]


@cache
def _servo() -> Machine:
    return load_machine("grbl-servo")


def _programs() -> list[bytes]:
    return [(TESTS / "data" / "gcode" / "grbl-servo.gcode").read_bytes()]


def _graph(member: str, path: Path = TINY) -> Callable[[bytes], object]:
    sizes = read_bundle(path).manifest.sizes
    return lambda content: load_graph(content, member, sizes, member)


def _manifest(text: bytes) -> object:
    return Manifest.from_json(text.decode("utf-8", "replace"))


@cache
def _tiny() -> Bundle:
    return read_bundle(TINY)


def _repacked(text: bytes) -> object:
    """A bundle of which only the manifest was changed."""
    bundle = _tiny()
    manifest = Manifest.from_json(text.decode("utf-8", "replace"))
    return pack_bundle(replace(manifest, members={}), bundle.members)


def chosen_parsers(names: str) -> list[Parser]:
    """Those of these names, with commas between; all where it is empty.

    Raises:
        SystemExit: there is no parser of that name.
    """
    found = {each.name: each for each in parsers()}
    try:
        return [found[name] for name in names.split(",")] if names else list(found.values())
    except KeyError as error:
        raise SystemExit(f"no parser is called {error}; choose of {', '.join(found)}") from None


@cache
def _sources() -> list[Path]:
    root = TESTS.parent
    return sorted(path for name in ("runtime", "train", "export", "cli") for path in (root / name).rglob("*.py"))


def source_of(parser: Parser) -> str:
    """Twelve digits that tell which state of a parser's modules is tried."""
    digest = hashlib.sha256()
    for path in _sources():
        if path.as_posix().endswith(parser.modules):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def parsers() -> list[Parser]:
    """All of them; those of training only where torch is there."""
    tiny, offset = read_bundle(TINY), read_bundle(OFFSET)
    manifest, offset_manifest = (bundle.manifest.to_json().encode() for bundle in (tiny, offset))
    defaults = replace(tiny.manifest.defaults, temperatures={"star": 0.1})
    choosy = replace(tiny.manifest, defaults=defaults, hidden=("palm tree",)).to_json().encode()
    bundles = [TINY.read_bytes(), OFFSET.read_bytes()]
    graph_modules = ("onnx_reader.py", "protobuf.py", "walk.py", "shapes.py", "runtime/session.py")
    found = [
        Parser("bundle", in_file(read_bundle, ".sketch.zip"), lambda: bundles, ("bundle.py",), ZIP_WORDS),
        Parser("bundle-head", in_file(read_manifest, ".sketch.zip"), lambda: bundles, ("bundle.py",), ZIP_WORDS),
        Parser("manifest", _manifest, lambda: [manifest, offset_manifest, choosy], ("manifest.py",), JSON_WORDS),
        Parser("repacked", _repacked, lambda: [manifest, choosy], ("bundle.py", "manifest.py"), JSON_WORDS),
        Parser(
            "onnx_reader",
            lambda content: read_graph(content, "x", bodies=True),
            lambda: list(tiny.members.values()),
            ("onnx_reader.py", "protobuf.py"),
            WIRE_WORDS,
        ),
        *(
            Parser(
                member.replace(".onnx", "-graph"),
                _graph(member),
                lambda member=member: [tiny.members[member]],  # type: ignore[misc]
                graph_modules,
                WIRE_WORDS,
            )
            for member in tiny.members
        ),
        Parser(
            "step-graph-offset",
            _graph("step.onnx", OFFSET),
            lambda: [offset.members["step.onnx"]],
            graph_modules,
            (*WIRE_WORDS, b"Softmax", b"LayerNormalization", b"MatMul", b"Reshape"),
        ),
        *(
            Parser(
                f"drawn-{provider}{suffix}",
                drawn_by(bundle, provider),
                lambda bundle=bundle: list(bundle.members.values()),  # type: ignore[misc]
                modules,
                WIRE_WORDS,
            )
            for provider, modules in ENGINES.items()
            for suffix, bundle in (("", tiny), ("-offset", offset))
        ),
        Parser("record", _record, lambda: list(DRAWINGS), ("runtime/drawings.py",), JSON_WORDS),
        Parser(
            "sketches",
            in_file(lambda path: read_sketches(path, [0]), ".ndjson"),
            lambda: [b"".join(DRAWINGS), b"[" + DRAWINGS[0] + b"]"],
            ("runtime/drawings.py",),
            JSON_WORDS,
        ),
        Parser(
            "scene",
            parse_composition,
            _scenes,
            ("scene_file.py", "thing.py", "composition.py", "runtime/toml.py"),
            TOML_WORDS,
        ),
        Parser(
            "machine",
            in_file(load_machine, ".toml"),
            _machines,
            ("plot/machine.py", "settings.py", "runtime/toml.py"),
            TOML_WORDS,
        ),
        Parser(
            "gcode",
            lambda content: check_program(content, _servo()),
            _programs,
            ("plot/check.py", "plot/grammar.py"),
            (b"G1 X1\n", b"M3 S90\n", b"G20\n", b"nan", b"X1e9", b"$H\n", b"(", b"%\n", b"!"),
        ),
        Parser("page", _text(Page.parse), lambda: [b"a4-landscape", b"8.5x11in", b"120x80mm"], ("page.py",)),
        Parser("length", _text(parse_length_mm), lambda: [b"1.5 cm", b"5mm", b"0.5in"], ("page.py",)),
        Parser("pen", _text(lambda text: Pen.parse(text, 0.5)), lambda: PENS, ("scene.py",)),
    ]
    return found + _training()


PENS = [b"black", b"#102030", b"fine:#204080:0.3mm"]


def _training() -> list[Parser]:
    if find_spec("torch") is None:
        return []
    found = [
        Parser(
            "ndjson",
            in_file(_drawings, ".ndjson"),
            lambda: [b"".join(DRAWINGS), b"[" + DRAWINGS[0] + b"]"],
            ("runtime/drawings.py", "readers/text.py", "readers/__init__.py", "readers/source.py"),
            JSON_WORDS,
        ),
        Parser(
            "sketchrnn",
            in_file(_drawings, ".npz"),
            lambda: [sketchrnn_file()],
            ("readers/sketchrnn.py", "readers/symbolic.py", "readers/source.py"),
            (*ZIP_WORDS, b"\x80\x04", b"cos\nsystem\n", b"R.", b"\x8e"),
        ),
        Parser("dataset", in_file(_dataset, ".npz"), lambda: [dataset_file()], ("train/dataset.py",), ZIP_WORDS),
        Parser("checkpoint", _checkpoint, lambda: [_archive()], ("train/checkpoint.py", "about.py"), ZIP_WORDS),
        Parser("checkpoint-config", _config, _configs, ("train/config.py", "train/about.py"), JSON_WORDS),
        Parser("checkpoint-about", _about, _abouts, ("train/about.py",), JSON_WORDS),
        Parser("grading", _grading, lambda: [GRADING], ("evaluate/grading.py",), JSON_WORDS),
    ]
    if find_spec("onnx") is not None:
        from sketch_edge.export.magenta_file import read_magenta

        importer = ("export/magenta_file.py",)
        found.append(Parser("magenta", in_file(read_magenta, ".json"), lambda: [magenta_file()], importer, JSON_WORDS))
    if find_spec("svgelements") is not None:
        modules = ("readers/svg.py", "svg_shapes.py", "xml_tree.py")
        found.append(Parser("svg", in_file(_drawings, ".svg"), lambda: [SVG], modules, SVG_WORDS))
    return found


def shipped() -> bytes:
    """The bundle that comes with the package."""
    return open_bundle().path.read_bytes()
