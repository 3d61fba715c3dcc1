"""From checkpoint to bundle: the gates hold, and what comes out draws."""

import dataclasses

import numpy as np
import pytest

from sketch_edge import load
from sketch_edge.export.pack import export_bundle, keep_classes
from sketch_edge.export.verify import TOLERANCE, Measured, measure, require_parity, rounding_error
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import CheckpointError, InputError, UnfinishedError
from sketch_edge.runtime.session import Session
from sketch_edge.train.checkpoint import About
from sketch_edge.train.sheet import sample


@pytest.fixture(scope="module", params=["none", "w8"])
def exported(request, checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / f"{request.param}.sketch.zip"
    return export_bundle(checkpoint, path, quantize=request.param, temperature=0.7)


def test_parity_is_measured_and_written(exported):
    """The largest difference over 250 carried steps at batches 1, 2, 5 is small and stands in the manifest."""
    manifest = read_bundle(exported.path).manifest
    assert 0 < exported.measured.step_error <= TOLERANCE
    assert manifest.parity.max_abs_error == max(exported.measured.step_error, exported.measured.encode_error)
    assert (manifest.parity.steps, manifest.parity.batches) == (250, (1, 2, 5))


def test_manifest_tells_what_the_checkpoint_knew(exported, checkpoint):
    """Classes, scale, data and the checkpoint's hash go along."""
    manifest = read_bundle(exported.path).manifest
    assert manifest.classes == checkpoint.about.classes
    assert manifest.scale == checkpoint.about.scale
    assert manifest.checkpoint.sha256 == checkpoint.sha256
    assert manifest.defaults.temperature == 0.7
    assert "2 of the training drawings" in (manifest.data.synthetic or "")


def test_w8_is_smaller_and_says_what_rounding_costs(exported):
    """A quarter of the weights' bytes; fp32 reports no rounding."""
    if exported.variant == "fp32":
        assert exported.rounding is None
    else:
        assert sum(exported.sizes.values()) < 0.5 * exported.fp32_total
        assert 0 < exported.rounding < 0.5


def test_exports_are_byte_identical(exported, checkpoint, tmp_path):
    """The same checkpoint gives the same file again."""
    quantize = "none" if exported.variant == "fp32" else "w8"
    path = tmp_path / exported.path.name
    export_bundle(checkpoint, path, quantize=quantize, temperature=0.7)
    assert path.read_bytes() == exported.path.read_bytes()


def test_bundle_draws_what_torch_draws(checkpoint, tmp_path):
    """The same noise gives the same sketch in training (torch) and from the float32 bundle (onnxruntime)."""
    path = tmp_path / "model.sketch.zip"
    export_bundle(checkpoint, path, quantize="none")
    expected = sample(checkpoint.model(), checkpoint.about, [2, 0, 1], temperature=0.5)
    artist = load(path)
    for sketch in expected:
        found = artist.draw(sketch.label, seed=sketch.seed, index=sketch.index, temperature=0.5)
        assert len(found.lines) == len(sketch.lines)
        assert all(np.array_equal(a, b) for a, b in zip(found.lines, sketch.lines, strict=True))


def test_a_graph_of_other_weights_does_not_pass(exported, checkpoint):
    """Parity is against the weights themselves: a model with one other number is refused."""
    session = Session(read_bundle(exported.path), provider="cpu")
    other = checkpoint.model()
    other.head.bias.data[0] += 0.01
    with pytest.raises(UnfinishedError, match=r"step\.onnx: differs from torch"):
        require_parity(measure(other, session))


def test_nan_never_passes():
    """A comparison that gives NaN is no parity."""
    with pytest.raises(UnfinishedError):
        require_parity(Measured(float("nan"), 0.0, 1.0))


def test_rounding_error_of_a_model_with_itself_is_zero(model):
    """The figure measures the difference, nothing else."""
    assert rounding_error(model, model) == 0.0


def test_chosen_classes_draw_as_in_the_whole_model(checkpoint, tmp_path):
    """A bundle of some classes draws the same sketches of them."""
    whole, part = tmp_path / "whole.sketch.zip", tmp_path / "part.sketch.zip"
    export_bundle(checkpoint, whole, quantize="none")
    export_bundle(checkpoint, part, quantize="none", classes=["star", "cat"])
    assert load(part).classes == ("cat", "star")
    one, other = (load(path).draw("star", seed=4, temperature=0.5) for path in (whole, part))
    assert all(np.array_equal(a, b) for a, b in zip(one.lines, other.lines, strict=True))


def test_unknown_class_is_refused(checkpoint):
    """The message lists the classes there are."""
    with pytest.raises(InputError, match="'dog' is not in this model; it has cat, moon, star"):
        keep_classes(checkpoint, ["dog"])


def test_weights_of_another_size_are_refused_before_anything_is_written(checkpoint, tmp_path):
    """A checkpoint whose classes and embedding disagree leaves no file."""
    about = About(**{**vars(checkpoint.about), "classes": ("cat", "star")})
    with pytest.raises(CheckpointError, match=r"embedding\.weight"):
        export_bundle(dataclasses.replace(checkpoint, about=about), tmp_path / "x.sketch.zip")
    assert list(tmp_path.iterdir()) == []
