"""Weight-only int8: small error, the promised number of weights, and no silent failure."""

import numpy as np
import onnx
import pytest

from sketch_edge.export.graphs import to_bytes, trace_step
from sketch_edge.export.quantise import check_quantised, quantise_weights, round_trip, weights_to_quantise
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.train.cell import Step


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


def test_stored_weights_are_int8_and_a_quarter_of_the_size(model):
    """All matrices of the step become int8, with one DequantizeLinear each."""
    graph = trace_step(Step(model))
    before = len(to_bytes(graph))
    count = quantise_weights(graph)
    check_quantised(graph, weights_to_quantise(model)["step.onnx"], "step.onnx")
    kinds = [tensor.data_type for tensor in graph.graph.initializer if tensor.name.endswith("_int8")]
    assert kinds == [onnx.TensorProto.INT8] * count
    assert len(to_bytes(graph)) < 0.45 * before  # small matrices: names and scales weigh more than in a real model


def test_a_graph_that_was_not_quantised_is_noticed(model):
    """The gate counts what became int8; a graph left in float32 does not pass."""
    with pytest.raises(UnfinishedError, match=r"step\.onnx: 0 of \d weights became int8"):
        check_quantised(trace_step(Step(model)), weights_to_quantise(model)["step.onnx"], "step.onnx")
