"""Weight-only int8 (variant w8): weights stored in a quarter of the bytes, arithmetic in float32 as before.

Each output channel of a matrix has its own scale, symmetric about zero: q = round(w / s), s = max |w| / 127, and a
DequantizeLinear gives q * s back when the session starts. The result does not depend on the batch.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from sketch_edge.runtime.errors import UnfinishedError

SMALLEST = 1024
"""Matrices with fewer entries stay float32: they cost nothing and their rounding would."""

# Which inputs of an operator are weights, and along which axis their output channels lie.
_WEIGHT_INPUTS = {"MatMul": {1: 1}, "LSTM": {1: 1, 2: 1}}


def quantise_weights(model: onnx.ModelProto) -> int:
    """Replace the weights of MatMul and LSTM nodes by int8 with DequantizeLinear, in place; returns how many."""
    graph = model.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    replaced: dict[str, str] = {}
    new_nodes = []
    for node in graph.node:
        for place, axis in _WEIGHT_INPUTS.get(node.op_type, {}).items():
            name = node.input[place]
            if name not in stored or np.prod(stored[name].dims) < SMALLEST:
                continue
            if name not in replaced:
                weight = numpy_helper.to_array(stored[name])
                new_nodes.append(_store(graph, name, weight, axis))
                graph.initializer.remove(stored[name])
                replaced[name] = f"{name}_float"
            node.input[place] = replaced[name]
    for node in reversed(new_nodes):
        graph.node.insert(0, node)
    return len(replaced)


def round_trip(weight: npt.NDArray[np.float32], axis: int = 1) -> npt.NDArray[np.float32]:
    """What a weight is after quantisation and back, the value that the graph computes with."""
    quantised, scale = _quantise(weight, axis)
    return np.asarray(quantised.astype(np.float32) * _along(scale, axis, weight.ndim), np.float32)


def check_quantised(before: onnx.ModelProto, model: onnx.ModelProto, expected: int, name: str) -> None:
    """Fail loudly where quantisation silently did nothing, or something else than rounding.

    Args:
        before: the graph in float32.
        model: the same graph after `quantise_weights`.
        expected: how many weights should have become int8.
        name: of the graph, for the error.

    Raises:
        UnfinishedError: another number of int8 weights, an operator that still reads a large float32 matrix, or a
            weight that moved by more than half a step of its channel.
    """
    stored = stored_arrays(model)
    kept = [node for node in model.graph.node if node.op_type == "DequantizeLinear"]
    left = [
        node.input[place]
        for node in model.graph.node
        for place in _WEIGHT_INPUTS.get(node.op_type, {})
        if node.input[place] in stored and stored[node.input[place]].size >= SMALLEST
    ]
    moved = [node.input[0] for node in kept if not _is_rounding(stored_arrays(before), stored, node)]
    if len(kept) != expected or left or moved:
        raise UnfinishedError(
            f"{name}: {len(kept)} of {expected} weights became int8, still float32: {', '.join(left) or 'none'}, "
            f"wrongly rounded: {', '.join(moved) or 'none'}; report this with the versions of torch and onnx"
        )


def stored_arrays(model: onnx.ModelProto) -> dict[str, npt.NDArray[Any]]:
    """Weights and constants of a graph by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def _is_rounding(
    before: dict[str, npt.NDArray[Any]], stored: dict[str, npt.NDArray[Any]], node: onnx.NodeProto
) -> bool:
    """Whether what a DequantizeLinear gives is the weight of before to half a step, max |w| / 127 of its channel."""
    weight = before[node.input[0].removesuffix("_int8")].astype(np.float64)
    quantised, scale, zero = (stored[name] for name in node.input)
    axis = next(attribute.i for attribute in node.attribute if attribute.name == "axis")
    step = np.abs(weight).max(axis=tuple(i for i in range(weight.ndim) if i != axis), keepdims=True) / 127
    found = quantised.astype(np.float64) * scale.astype(np.float64).reshape(step.shape)
    return not zero.any() and bool((np.abs(found - weight) <= 0.5001 * step).all())


def _store(graph: onnx.GraphProto, name: str, weight: npt.NDArray[np.float32], axis: int) -> onnx.NodeProto:
    quantised, scale = _quantise(weight, axis)
    graph.initializer.extend(
        [
            numpy_helper.from_array(quantised, f"{name}_int8"),
            numpy_helper.from_array(scale, f"{name}_scale"),
            numpy_helper.from_array(np.zeros(len(scale), np.int8), f"{name}_zero"),
        ]
    )
    inputs = [f"{name}_int8", f"{name}_scale", f"{name}_zero"]
    return helper.make_node("DequantizeLinear", inputs, [f"{name}_float"], name=f"DequantizeLinear_{name}", axis=axis)


def _quantise(weight: npt.NDArray[np.float32], axis: int) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    others = tuple(i for i in range(weight.ndim) if i != axis)
    largest = np.abs(weight).max(axis=others)
    scale = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    quantised = np.clip(np.rint(weight / _along(scale, axis, weight.ndim)), -127, 127).astype(np.int8)
    return quantised, scale


def _along(scale: npt.NDArray[np.float32], axis: int, dimensions: int) -> npt.NDArray[np.float32]:
    shape = [1] * dimensions
    shape[axis] = -1
    return scale.reshape(shape)
