"""Variant int8: products of whole numbers, and a state that is rounded for them.

Weights are those of w8. The two products with the state h, nearly all that a step computes, are taken between int8 and
int8: h, which is within -1 and 1, is rounded to a fixed grid of 1 / 63. So nothing has to be measured, and a sketch
does not depend on those beside it; nor on the processor, for sums of whole numbers are exact in any order.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from sketch_edge.export.quantise import stored_arrays
from sketch_edge.runtime.errors import UnfinishedError

LEVELS = 63
"""Points of the grid from 0, without it, to 1. Stored as 1 to 127, for processors without VNNI or dot-product
instructions add up pairs of products in 16 bits: 2 * 127 * 127 fits, 2 * 255 * 127 would be cut."""

SCALE = np.float32(1 / LEVELS)
ZERO = 64

STATES = ("h", "h_next")
"""Names of the state in a step graph: each is read by one product, that of the gates and that of the output."""


def multiply_whole_numbers(step: onnx.ModelProto) -> int:
    """Turn the products of a w8 step graph that read h into whole-number products, in place; returns how many."""
    graph = step.graph
    stored = {tensor.name: tensor for tensor in graph.initializer}
    weights = {node.output[0]: node for node in graph.node if node.op_type == "DequantizeLinear"}
    products = [n for n in graph.node if n.op_type == "MatMul" and n.input[0] in STATES and n.input[1] in weights]
    nodes = list(graph.node)
    for product in products:
        weight = weights[product.input[1]]
        place = nodes.index(product)
        nodes[place : place + 1] = _whole_product(product.input[0], weight.input[0], weight.input[1], product.output[0])
        nodes.remove(weight)
        scale = numpy_helper.to_array(stored[weight.input[1]]) * SCALE
        stored[weight.input[1]].CopyFrom(numpy_helper.from_array(scale, weight.input[1]))
        graph.initializer.remove(stored[weight.input[2]])
    if products:
        graph.initializer.append(numpy_helper.from_array(np.array(SCALE), "state_scale"))
        graph.initializer.append(numpy_helper.from_array(np.array(ZERO, np.uint8), "state_zero"))
    del graph.node[:]
    graph.node.extend(nodes)
    return len(products)


def check_whole_products(before: onnx.ModelProto, step: onnx.ModelProto) -> None:
    """Fail loudly where variant int8 would not be what it says.

    Args:
        before: the step graph as w8.
        step: the same after `multiply_whole_numbers`.

    Raises:
        UnfinishedError: not exactly the two products of the state are whole-number products, or one has another weight
            or scale than before.
    """
    stored, stored_before = stored_arrays(step), stored_arrays(before)
    products = [node for node in step.graph.node if node.op_type == "MatMulInteger"]
    operators = [node.op_type for node in step.graph.node]
    faults = [] if len(products) == len(STATES) else [f"{len(products)} of {len(STATES)} products are of whole numbers"]
    if operators.count("MatMul") != 1 or operators.count("QuantizeLinear") != len(STATES):
        faults.append(f"operators are {', '.join(operators)}")
    for node in products:
        weight, scale = node.input[1], node.input[1].removesuffix("_int8") + "_scale"
        same = weight in stored_before and np.array_equal(stored[weight], stored_before[weight])
        if not same or not np.allclose(stored[scale] * LEVELS, stored_before[scale], rtol=1e-6, atol=0):
            faults.append(f"{weight} is not the weight of w8")
    if faults:
        raise UnfinishedError(f"step.onnx: {'; '.join(faults)}; report this with the versions of torch and onnx")


def _whole_product(state: str, weight: str, scale: str, product: str) -> list[onnx.NodeProto]:
    """Multiply the rounded state and a weight; `scale` holds the product of their scales."""
    node = helper.make_node
    coarse, whole, real = (f"{state}_{suffix}" for suffix in ("coarse", "whole", "real"))
    return [
        node("QuantizeLinear", [state, "state_scale", "state_zero"], [coarse], name=f"QuantizeLinear_{state}"),
        node("MatMulInteger", [coarse, weight, "state_zero"], [whole], name=f"MatMulInteger_{state}"),
        node("Cast", [whole], [real], name=f"Cast_{state}", to=onnx.TensorProto.FLOAT),
        node("Mul", [real, scale], [product], name=f"Mul_{state}"),
    ]
