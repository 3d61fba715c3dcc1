"""From checkpoint to bundle: what comes out says what it is and draws."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sketch_edge import load
from sketch_edge.export import pack
from sketch_edge.export.compare import TOLERANCE
from sketch_edge.export.pack import export_bundle, keep_classes
from sketch_edge.export.rules import name_of, round_up
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import CheckpointError, InputError, UnfinishedError
from sketch_edge.train.checkpoint import About
from sketch_edge.train.sheet import sample


def test_parity_is_measured_and_written(exported):
    """The largest difference over 250 carried steps at batches 1, 2, 5 stands in the manifest, rounded up."""
    manifest = read_bundle(exported.path).manifest
    largest = max(exported.measured.step.largest, exported.measured.encode.largest)
    assert largest <= manifest.parity.max_abs_error <= min(1.1 * largest, TOLERANCE)
    assert (manifest.parity.steps, manifest.parity.batches) == (250, (1, 2, 5))


def test_manifest_tells_what_the_checkpoint_knew(exported, checkpoint):
    """Classes, scale, data and the checkpoint's hash go along."""
    manifest = read_bundle(exported.path).manifest
    assert manifest.name == exported.path.name.split(".")[0]
    assert manifest.classes == checkpoint.about.classes
    assert manifest.scale == checkpoint.about.scale
    assert manifest.checkpoint.sha256 == checkpoint.sha256
    assert manifest.defaults.temperature == 0.7
    assert "2 of the training drawings" in (manifest.data.synthetic or "")


def test_w8_is_smaller_and_says_what_rounding_costs(whole, rounded):
    """A quarter of the weights' bytes; fp32 reports no rounding."""
    assert whole.rounding is None
    assert sum(rounded.sizes.values()) < 0.5 * rounded.fp32_total
    assert 0 < rounded.rounding.largest < 0.5
    assert rounded.fp32_total == whole.fp32_total == sum(whole.sizes.values())


def test_another_process_exports_the_same_bytes(rounded, checkpoint_file, tmp_path):
    """Nothing of the process is in a bundle: not its hash seed, its threads, its folder, its time."""
    command = [sys.executable, "-m", "sketch_edge.cli.export", str(checkpoint_file), "--temperature", "0.7"]
    environment = {**os.environ, "PYTHONHASHSEED": "77", "OMP_NUM_THREADS": "2", "TZ": "Asia/Tokyo"}
    out = tmp_path / rounded.path.name
    done = subprocess.run(
        [*command, "--out", out.name], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert out.read_bytes() == rounded.path.read_bytes()


def test_a_number_is_rounded_up_to_two_digits():
    """What is written is never less than what was seen."""
    for number, expected in ((3.14159e-7, 3.2e-7), (9.91e-6, 1e-5), (2.0, 2.0), (0.0, 0.0)):
        assert round_up(number) == pytest.approx(expected, rel=1e-12)
        assert round_up(number) >= number


def test_bundle_draws_what_torch_draws(checkpoint, whole):
    """The same noise gives the same sketch in training (torch) and from the float32 bundle (onnxruntime)."""
    expected = sample(checkpoint.model(), checkpoint.about, [2, 0, 1], temperature=0.5)
    artist = load(whole.path)
    for sketch in expected:
        found = artist.draw(sketch.label, seed=sketch.seed, index=sketch.index, temperature=0.5)
        assert len(found.lines) == len(sketch.lines)
        assert all(np.array_equal(a, b) for a, b in zip(found.lines, sketch.lines, strict=True))


def test_chosen_classes_draw_as_in_the_whole_model(checkpoint, whole, tmp_path):
    """A bundle of some classes draws the same sketches of them."""
    part = tmp_path / "part.sketch.zip"
    export_bundle(checkpoint, part, quantize="none", classes=["star", "cat"])
    assert load(part).classes == ("cat", "star")
    one, other = (load(path).draw("star", seed=4, temperature=0.5) for path in (whole.path, part))
    assert all(np.array_equal(a, b) for a, b in zip(one.lines, other.lines, strict=True))


def test_what_is_said_of_single_classes_stands_in_the_manifest(checkpoint, tmp_path, traced_once):
    """Names are found whatever their case; the graphs are those of a bundle without."""
    plain, said = tmp_path / "x.sketch.zip", tmp_path / "y" / "x.sketch.zip"
    said.parent.mkdir()
    export_bundle(checkpoint, plain, quantize="none")
    export_bundle(checkpoint, said, quantize="none", temperatures={"STAR": 1, "cat": 0.05}, hide=["Moon"])
    bundle, other = read_bundle(said), read_bundle(plain)
    assert bundle.manifest.defaults.temperatures == {"cat": 0.05, "star": 1.0}
    assert bundle.manifest.hidden == ("moon",)
    assert bundle.members == other.members
    assert (other.manifest.defaults.temperatures, other.manifest.hidden) == ({}, ())
    assert [load(said).draw(name, seed=1).temperature for name in ("cat", "moon", "star")] == [0.05, 0.2, 1.0]


def test_unknown_class_is_refused(checkpoint):
    """The message names the nearest, or some that there are."""
    with pytest.raises(InputError, match="'dog' is not in this model of 3; it has cat, moon, star"):
        keep_classes(checkpoint, ["dog"])
    with pytest.raises(InputError, match="'stra' is not in this model of 3; the nearest: star"):
        keep_classes(checkpoint, ["cat", "stra"])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"name": ""}, "name '': expected 1 to 100"),
        ({"name": "two\nlines"}, r"name 'two\\nlines': expected"),
        ({"name": "x" * 101}, "name 'xxx"),
        ({"temperature": float("nan")}, "temperature nan"),
        ({"temperature": 11}, "temperature 11"),
        ({"quantize": "int3"}, "quantize 'int3': is unknown"),
        ({"classes": ["dog"]}, "'dog' is not in this model"),
        ({"temperatures": {"dog": 1}}, "temperatures: 'dog' is not in this model of 3; it has cat, moon, star"),
        ({"temperatures": {"star": 11}}, "temperatures: 'star' has 11 .expected a number, 0 to 10"),
        ({"classes": ["cat", "moon"], "hide": ["star"]}, "hide: 'star' is not in this model of 2; it has cat, moon"),
        ({"classes": ["cat", "moon"], "hide": ["moon", "cat"]}, "hide: names all 2 classes"),
    ],
)
def test_what_a_manifest_cannot_say_is_refused_before_the_work(checkpoint, tmp_path, monkeypatch, options, what):
    """Before a graph is traced, and nothing is left behind."""
    monkeypatch.setattr(pack, "trace", None)
    with pytest.raises(InputError, match=what):
        export_bundle(checkpoint, tmp_path / "x.sketch.zip", **options)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "name"),
    [("cat.v2.sketch.zip", "cat"), (".sketch.zip", "model"), ("a\x1b[b.zip", "a[b"), ("x" * 150 + ".zip", "x" * 100)],
)
def test_a_file_name_becomes_a_name_that_a_manifest_takes(file, name):
    """Cut, without control characters, never empty."""
    assert name_of(Path(file)) == name


def test_a_bundle_too_large_to_be_read_is_not_written(checkpoint, tmp_path, monkeypatch, traced_once):
    """The limit is the reader's."""
    monkeypatch.setattr(pack, "MAX_BYTES", 1000)
    with pytest.raises(UnfinishedError, match=r"x\.sketch\.zip: would have up to \d+ bytes \(at most 1000\); nothing"):
        export_bundle(checkpoint, tmp_path / "x.sketch.zip")
    assert list(tmp_path.iterdir()) == []


def test_weights_of_another_size_are_refused_before_anything_is_written(checkpoint, tmp_path):
    """A checkpoint whose classes and embedding disagree leaves no file."""
    about = About(**{**vars(checkpoint.about), "classes": ("cat", "star")})
    with pytest.raises(CheckpointError, match=r"embedding\.weight"):
        export_bundle(dataclasses.replace(checkpoint, about=about), tmp_path / "x.sketch.zip")
    assert list(tmp_path.iterdir()) == []
