"""Weight-only int8 (variant w8): weights stored in a quarter of the bytes, arithmetic in float32 as before.

Each output channel of a matrix has its own scale, symmetric about zero: q = round(w / s), s = max |w| / 127, and a
DequantizeLinear gives q * s back when the session starts. The result does not depend on the batch.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from torch import Tensor

from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.train.model import STROKE, SketchVAE, weight_of

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


def weights_to_quantise(model: SketchVAE) -> dict[str, int]:
    """How many weights of each graph a w8 bundle of this model stores as int8, told from its sizes alone."""
    config = model.config
    E, Z, H, He = config.class_embedding, config.latent, config.decoder_hidden, config.encoder_hidden
    sizes = {
        "start.onnx": ((Z + E) * 2 * H, (Z + E) * 4 * H),
        "step.onnx": (STROKE * 4 * H, H * 4 * H, H * model.head.out_features),
        "encode.onnx": (E * 4 * He, 2 * 4 * He * STROKE, 2 * 4 * He * He, 2 * He * 2 * Z),
    }
    return {name: sum(size >= SMALLEST for size in weights) for name, weights in sizes.items()}


def round_trip(weight: npt.NDArray[np.float32], axis: int = 1) -> npt.NDArray[np.float32]:
    """What a weight is after quantisation and back, the value that the graph computes with."""
    quantised, scale = _quantise(weight, axis)
    return np.asarray(quantised.astype(np.float32) * _along(scale, axis, weight.ndim), np.float32)


def check_quantised(model: onnx.ModelProto, expected: int, name: str) -> None:
    """Fail loudly where quantisation silently did nothing.

    Raises:
        UnfinishedError: fewer int8 weights than expected, or a large float32 matrix is left.
    """
    found = sum(node.op_type == "DequantizeLinear" for node in model.graph.node)
    left = [
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) >= 2 and np.prod(tensor.dims) > 64 * SMALLEST
    ]
    if found != expected or left:
        raise UnfinishedError(
            f"{name}: {found} of {expected} weights became int8, still float32: {', '.join(left) or 'none'}; "
            "please report this with the versions of torch and onnx"
        )


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


def quantised_copy(model: SketchVAE) -> SketchVAE:
    """Give the torch model that a w8 bundle computes: every stored weight rounded to int8 and back.

    It is the reference that w8 graphs are verified against; what the rounding itself costs is measured apart.
    """
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for linear in (rounded.encoder_start, rounded.posterior, rounded.decoder_start, rounded.head):
            linear.weight.copy_(_rounded(linear.weight))
        both = (rounded.encoder_forward, rounded.encoder_backward)
        for name in ("weight_ih_l0", "weight_hh_l0"):
            stacked = torch.stack([weight_of(lstm, name) for lstm in both])
            for lstm, weight in zip(both, _rounded(stacked, axis=1), strict=True):
                weight_of(lstm, name).copy_(weight)
        decoder = rounded.decoder
        recurrent, incoming = weight_of(decoder, "weight_hh_l0"), weight_of(decoder, "weight_ih_l0")
        recurrent.copy_(_rounded(recurrent))
        # The exported cell keeps the columns of the row apart from those of z and the class.
        columns = torch.split(incoming, [STROKE, decoder.input_size - STROKE], dim=1)
        incoming.copy_(torch.cat([_rounded(part) for part in columns], dim=1))
    return rounded


def _rounded(weight: Tensor, axis: int = 0) -> Tensor:
    if weight.numel() < SMALLEST:
        return weight
    return torch.from_numpy(round_trip(weight.detach().numpy(), axis))
