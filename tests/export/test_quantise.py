"""Weight-only int8: small error, the promised number of weights, and no silent failure."""

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

from sketch_edge.export.compare import to_bytes
from sketch_edge.export.graphs import assemble_encode, trace
from sketch_edge.export.quantise import check_quantised, quantise_weights, round_trip
from sketch_edge.export.rounded import weights_to_quantise
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.train.config import ModelConfig
from sketch_edge.train.models.vae import SketchVAE


@pytest.mark.parametrize(("shape", "axis"), [((30, 20), 1), ((2, 8, 5), 1)])
def test_rounding_is_at_most_half_a_step_of_its_channel(shape, axis):
    """Each weight moves by at most half of max |w| / 127 of its own channel; zeros and extremes stay."""
    weight = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weight[0, 0] = 0.0
    found = round_trip(weight, axis)
    others = tuple(i for i in range(weight.ndim) if i != axis)
    step = np.abs(weight).max(axis=others, keepdims=True) / 127
    assert (np.abs(found - weight) <= step * 0.5001).all()
    assert (found[0, 0] == 0.0).all()


def test_a_channel_of_zeros_stays_zero():
    """No division by zero."""
    weight = np.zeros((4, 3), np.float32)
    weight[:, 1] = 2.0
    assert np.array_equal(round_trip(weight), weight)


@pytest.fixture(scope="module")
def step(model):
    """The traced step graph in float32."""
    return trace(model)["step.onnx"]


def _quantised(graph):
    copied = onnx.ModelProto()
    copied.CopyFrom(graph)
    return copied, quantise_weights(copied)


def test_stored_weights_are_int8_and_a_quarter_of_the_size(model, step):
    """All matrices of the step become int8, with one DequantizeLinear each."""
    graph, count = _quantised(step)
    check_quantised(step, graph, weights_to_quantise(model)["step.onnx"], "step.onnx")
    kinds = [tensor.data_type for tensor in graph.graph.initializer if tensor.name.endswith("_int8")]
    assert kinds == [onnx.TensorProto.INT8] * count
    assert len(to_bytes(graph)) < 0.45 * len(to_bytes(step))  # small matrices: names and scales weigh more


def test_a_graph_that_was_not_quantised_is_noticed(model, step):
    """The gate counts what became int8; a graph left in float32 does not pass."""
    with pytest.raises(UnfinishedError, match=r"step\.onnx: 0 of \d weights became int8, still float32: \w"):
        check_quantised(step, step, weights_to_quantise(model)["step.onnx"], "step.onnx")


def test_an_operator_that_reads_a_float32_matrix_is_noticed(step):
    """Even where the count is right."""
    graph, count = _quantised(step)
    node = next(node for node in graph.graph.node if node.op_type == "MatMul")
    weight = next(t for t in step.graph.initializer if t.name == node.input[1].removesuffix("_float"))
    node.input[1] = weight.name
    graph.graph.initializer.append(weight)
    with pytest.raises(UnfinishedError, match=rf"still float32: {weight.name}, "):
        check_quantised(step, graph, count, "step.onnx")


@pytest.mark.parametrize("part", ["_int8", "_scale", "_zero"])
def test_a_weight_that_is_not_the_rounded_one_is_noticed(step, part):
    """One number of 127 that is off by one, a scale by a hundredth, a zero point that is none."""
    graph, count = _quantised(step)
    tensor = next(t for t in graph.graph.initializer if t.name.endswith(part))
    values = numpy_helper.to_array(tensor).copy()
    values.flat[3] = values.flat[3] * 1.01 if part == "_scale" else values.flat[3] - np.sign(values.flat[3] - 0.5)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(UnfinishedError, match=r"wrongly rounded: \w+_int8;"):
        check_quantised(step, graph, count, "step.onnx")


def test_a_large_table_of_classes_stays_float32_and_passes():
    """It is looked up, not multiplied: 700 classes of 100 numbers do not look like a matrix left behind."""
    torch.manual_seed(0)
    sizes = ModelConfig(encoder_hidden=4, decoder_hidden=8, latent=4, class_embedding=100, mixtures=2)
    model = SketchVAE(sizes, 700)
    graph = assemble_encode(model)
    rounded, _ = _quantised(graph)
    check_quantised(graph, rounded, weights_to_quantise(model)["encode.onnx"], "encode.onnx")
    table = next(tensor for tensor in rounded.graph.initializer if tensor.name == "embedding")
    assert table.data_type == onnx.TensorProto.FLOAT
