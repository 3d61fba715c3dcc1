"""What exporters write passes the walk; what they write is all that passes."""

import numpy as np
import onnx
import pytest

from sketch_edge.export.graphs import trace
from sketch_edge.runtime.bundle import open_bundle, read_bundle
from sketch_edge.runtime.session import load_graph
from sketch_edge.runtime.walk import OPERATORS
from sketch_edge.train.config import PRESETS
from sketch_edge.train.models import make_model

SMALL: dict[str, object] = {"decoder_hidden": 16, "class_embedding": 4}
OTHERS: list[tuple[str, dict[str, object]]] = [
    ("vae-gmm", {**SMALL, "encoder_hidden": 4, "latent": 4, "cell": "hyper", "hyper_hidden": 8, "hyper_embedding": 4}),
    ("attention", {**SMALL, "encoder_hidden": 4}),
    ("lstm-xy", SMALL),
]
"""Kinds that write operators of their own, with their sizes made small; layernorm and lstm write none besides."""


def operators(graph) -> set[str]:
    return {node.op_type for node in graph.node}


@pytest.fixture(scope="module")
def bundles(whole, rounded, coarse):
    return {"fp32": read_bundle(whole.path), "w8": read_bundle(rounded.path), "int8": read_bundle(coarse.path)}


@pytest.mark.parametrize("variant", ["fp32", "w8", "int8"])
@pytest.mark.parametrize("member", ["start.onnx", "step.onnx", "encode.onnx", "draw.onnx"])
def test_every_graph_of_every_variant_passes(bundles, variant, member):
    """And is read with the weights that the onnx package reads."""
    bundle = bundles[variant]
    assert bundle.manifest.variant == variant
    graph = load_graph(bundle.members[member], member, bundle.manifest.sizes, member)
    expected = onnx.load_from_string(bundle.members[member]).graph
    assert list(graph.tensors) == [tensor.name for tensor in expected.initializer]
    for tensor in expected.initializer:
        np.testing.assert_array_equal(graph.tensors[tensor.name], onnx.numpy_helper.to_array(tensor))


@pytest.fixture(scope="module")
def others():
    """The graphs of untrained models of these kinds."""
    models = [make_model(PRESETS[preset].config.replace(sizes), 3).eval() for preset, sizes in OTHERS]
    return [trace(model) for model in models]


def test_no_operator_is_allowed_that_nobody_writes(bundles, others):
    """Member by member, all kinds and variants together use the whole list; the shipped model has large matrices."""
    for member in ("start.onnx", "step.onnx", "encode.onnx", "draw.onnx"):
        graphs = [onnx.load_from_string(bundle.members[member]).graph for bundle in (open_bundle(), *bundles.values())]
        traced = [made[member].graph for made in others if member in made]
        assert frozenset().union(*map(operators, [*graphs, *traced])) == OPERATORS[member]
        if member == "draw.onnx":
            loops = [next(node for node in graph.node if node.op_type == "Loop") for graph in graphs]
            written = frozenset().union(*(operators(loop.attribute[0].g) for loop in loops))
            assert written | {"LayerNormalization"} == OPERATORS["body"] | {"LayerNormalization"}
