"""A model read back from its bundle is the model that was exported."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.export.pack import export_bundle  # noqa: E402
from sketch_edge.export.rounded import coarse_copy, quantised_copy  # noqa: E402
from sketch_edge.runtime.bundle import open_bundle, read_bundle, write_bundle  # noqa: E402
from sketch_edge.runtime.errors import BundleError  # noqa: E402
from sketch_edge.runtime.plain.onnx_reader import read_graph  # noqa: E402
from sketch_edge.train.checkpoint import save_checkpoint  # noqa: E402
from sketch_edge.train.finetune import SHIPPED, load_source  # noqa: E402
from sketch_edge.train.from_bundle import read_weights  # noqa: E402

TINY = Path(__file__).parents[1] / "data" / "tiny.sketch.zip"

SPLIT_BIAS = {f"{name}.bias_{part}_l0" for name in ("decoder",) for part in ("ih", "hh")}


def _same(weights, expected):
    """Equal bit for bit, but for the decoder's two biases, of which only the sum is known."""
    for name, tensor in expected.items():
        if name not in SPLIT_BIAS:
            assert torch.equal(weights[name], tensor), name
    assert torch.equal(
        weights["decoder.bias_ih_l0"] + weights["decoder.bias_hh_l0"],
        expected["decoder.bias_ih_l0"] + expected["decoder.bias_hh_l0"],
    )


def test_float32_comes_back_exactly(whole, checkpoint):
    """Every weight, the sizes and what the model says about itself."""
    found = read_weights(read_bundle(whole.path))
    _same(found.weights, checkpoint.weights)
    assert found.config.model == checkpoint.config.model
    for name in ("classes", "scale", "max_points", "credit", "licence", "step"):
        assert getattr(found.about, name) == getattr(checkpoint.about, name)
    found.model()


def test_w8_comes_back_as_it_computes(rounded, model):
    """The rounded weights, bit for bit."""
    _same(read_weights(read_bundle(rounded.path)).weights, quantised_copy(model).state_dict())


def test_int8_comes_back_as_it_computes(coarse, model):
    """The scales of the two products with the state are undone, to a rounding of the scale itself."""
    weights = read_weights(read_bundle(coarse.path)).weights
    for name, tensor in coarse_copy(model).state_dict().items():
        if name not in SPLIT_BIAS:
            assert torch.allclose(weights[name], tensor, rtol=1e-6, atol=0), name


def test_exported_again_it_is_the_same_bundle_but_for_its_origin(rounded, tmp_path):
    """Rounding what is rounded changes nothing: the graphs of w8 have the same weights."""
    found = read_weights(read_bundle(rounded.path))
    path = tmp_path / "again.pt"
    save_checkpoint(path, found)
    again = export_bundle(dataclasses.replace(found), tmp_path / "again.sketch.zip", quantize="w8", temperature=0.7)
    old, new = read_bundle(rounded.path), read_bundle(again.path)
    for member in ("start.onnx", "step.onnx", "encode.onnx"):
        before, after = (read_graph(bundle.members[member], member).tensors for bundle in (old, new))
        for name, tensor in before.items():
            if tensor.dtype == np.int8:
                assert np.array_equal(tensor, after[name]), name


def test_the_shipped_bundle_can_be_gone_on_from():
    """By its word, as an installed package hides its path."""
    source = load_source(Path(SHIPPED))
    assert source.name == "quickdraw.sketch.zip"
    assert source.checkpoint.sha256 == open_bundle().sha256
    assert source.about.classes == open_bundle().manifest.classes
    source.checkpoint.model()


def test_a_bundle_of_another_making_is_refused():
    """One whose encoder is none of ours: named, with the way there is for it."""
    with pytest.raises(BundleError, match=r"tiny.* cannot be trained on: it has no weight .*sketch-data sample"):
        load_source(TINY)


def test_lying_sizes_are_refused(rounded, tmp_path):
    """A manifest that says other sizes than the weights have."""
    bundle = read_bundle(rounded.path)
    sizes = dataclasses.replace(bundle.manifest.sizes, latent=bundle.manifest.sizes.latent + 1)
    path = tmp_path / "lie.sketch.zip"
    write_bundle(path, dataclasses.replace(bundle.manifest, sizes=sizes), dict(bundle.members))
    with pytest.raises(BundleError, match="do not fit together"):
        load_source(path)


def test_a_bundle_without_an_encoder_is_refused(rounded):
    """As those of models that only draw."""
    bundle = read_bundle(rounded.path)
    members = {name: content for name, content in bundle.members.items() if name != "encode.onnx"}
    with pytest.raises(BundleError, match=r"cannot be trained on: it has no encode\.onnx; .*sketch-data sample"):
        read_weights(dataclasses.replace(bundle, members=members))
