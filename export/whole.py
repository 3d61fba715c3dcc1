"""draw.onnx, the whole sketch in one call: a Loop around the step graph, with the sampler inside.

The body holds the nodes and weights of step.onnx as they are, whatever the variant, and behind them the sampling rule
of docs/FORMAT.md in as few nodes as we found. So a sketch of this graph and one drawn step by step are the same, bit
for bit. What does not change from step to step is computed outside the body: the noise is tempered for all steps at
once, and widened with zeros so that one Add in the body reaches the logits of the pen and of the mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from sketch_edge.runtime.manifest import PEN_STATES, Sizes
from sketch_edge.runtime.sampler import LARGEST_LOG_SIGMA, LONGEST_MOVE
from sketch_edge.runtime.strokes import STROKE

FLOAT, DOUBLE, WHOLE, TRUTH = TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.BOOL
PARAMETERS = 5
"""Of one component: mu_x, mu_y, log sigma_x, log sigma_y, rho-hat."""

LARGE = 1 << 16
"""Entries of a matrix from which its place in memory matters."""

NEVER = -1e30
"""Gumbels below this, -inf above all, are left as they are at any temperature: that state cannot be chosen."""


def assemble_draw(step: onnx.ModelProto, sizes: Sizes, scale: float, grid: int) -> onnx.ModelProto:
    """Assemble draw.onnx around a finished step.onnx; docs/FORMAT.md lists its inputs and outputs.

    Args:
        step: in float32 or quantised; its opset and IR version are those of the result.
        sizes: of the model.
        scale: Quick, Draw! units in one model unit.
        grid: offsets are rounded to 1 / grid of such a unit.
    """
    carried = ("x", "h", "c", "last")

    def carried_info(when: str) -> list[ValueInfoProto]:
        kinds = (FLOAT, FLOAT, FLOAT, WHOLE)
        widths = ((STROKE,), (sizes.state_width,), (sizes.state_width,), ())
        return [_info(f"{n}_{when}", kind, "B", *w) for n, kind, w in zip(carried, kinds, widths, strict=True)]

    outer, body = _Part(), _Part()
    _embed(outer, body, step)
    _choose(body, sizes.mixtures)
    _move(body, scale * grid, LONGEST_MOVE * grid)
    _end(body)
    loop = helper.make_graph(
        body.named_nodes(),
        "step",
        [_info("at", WHOLE), _info("going", TRUTH), *carried_info("now")],
        [_info("goes_on", TRUTH), *carried_info("then"), _info("row", FLOAT, "B", STROKE)],
        body.tensors,
    )
    _temper(outer, sizes.mixtures)
    outer.add("Shape", ["x"], ["batch"], end=1)
    outer.add("ConstantOfShape", ["batch"], ["last"], value=_tensor("", [0], np.int64))
    # The second input, a condition before the first step, is left out: the first step is always taken.
    outer.add("Loop", ["steps", "", *carried], [*(f"{name}_next" for name in carried), "rows"], body=loop)
    graph = helper.make_graph(outer.named_nodes(), "draw", _inputs(sizes), _outputs(sizes), outer.tensors)
    model = helper.make_model(graph, opset_imports=step.opset_import, producer_name=step.producer_name)
    model.ir_version = step.ir_version
    return model


class _Part:
    """Nodes and constants of a graph while it is put together."""

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.tensors: list[TensorProto] = []

    def add(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        """Append a node."""
        self.nodes.append(helper.make_node(operator, inputs, outputs, **attributes))

    def constant(self, name: str, value: Any, dtype: Any) -> str:
        """Store a constant; gives its name."""
        self.tensors.append(_tensor(name, value, dtype))
        return name

    def named_nodes(self) -> list[NodeProto]:
        """All nodes, each with a name that says what it is."""
        for number, node in enumerate(self.nodes):
            node.name = f"{node.op_type}_{number}"
        return self.nodes


def _inputs(sizes: Sizes) -> list[ValueInfoProto]:
    return [
        _info("x", FLOAT, "B", STROKE),
        _info("gate", FLOAT, "B", sizes.constant_width),
        _info("h", FLOAT, "B", sizes.state_width),
        _info("c", FLOAT, "B", sizes.state_width),
        _info("gumbels", FLOAT, "T", "B", PEN_STATES + sizes.mixtures),
        _info("normals", FLOAT, "T", "B", 2),
        _info("temperature", DOUBLE, "B"),
        _info("steps", WHOLE),
    ]


def _outputs(sizes: Sizes) -> list[ValueInfoProto]:
    return [
        _info("rows", FLOAT, "N", "B", STROKE),
        _info("h_next", FLOAT, "B", sizes.state_width),
        _info("c_next", FLOAT, "B", sizes.state_width),
    ]


def _temper(outer: _Part, mixtures: int) -> None:
    """Multiply all noise by the powers of the temperature that go with it, before the first step.

    gumbels become noise (T, B, 6M + 3), zero where y has parameters; normals become n1 and n2, float64 (T, B, 1).
    """
    outer.add("Unsqueeze", ["temperature", outer.constant("second_axis", [1], np.int64)], ["tau"])
    outer.add("Cast", ["tau"], ["tau_mixture"], to=FLOAT)
    outer.add("Pow", ["tau", outer.constant("pen_power", 1.0 / 5.0, np.float64)], ["tau_fifth_root"])
    outer.add("Cast", ["tau_fifth_root"], ["tau_pen"], to=FLOAT)
    is_pen = outer.constant("is_pen", [[True] * PEN_STATES + [False] * mixtures], np.bool_)
    outer.add("Where", [is_pen, "tau_pen", "tau_mixture"], ["taus"])
    outer.add("Mul", ["gumbels", "taus"], ["tempered"])
    outer.add("Less", ["gumbels", outer.constant("never", NEVER, np.float32)], ["forbidden"])
    outer.add("Where", ["forbidden", "gumbels", "tempered"], ["chances"])  # at temperature 0, 0 * -inf is no number
    outer.add("Pad", ["chances", outer.constant("widths", [0] * 5 + [PARAMETERS * mixtures], np.int64)], ["noise"])
    outer.add("Cast", ["normals"], ["normals_exact"], to=DOUBLE)
    outer.add("Sqrt", ["tau"], ["tau_root"])
    outer.add("Mul", ["normals_exact", "tau_root"], ["scattered"])
    outer.add("Split", ["scattered"], ["all_n1", "all_n2"], axis=2, num_outputs=2)


def _embed(outer: _Part, body: _Part, step: onnx.ModelProto) -> None:
    """Take over the step graph: x_now, gate, h_now, c_now -> y, h_then, c_then.

    Large matrices that are multiplied in float32 lie outside the body: there onnxruntime frees them once it has packed
    them for the processor, inside it keeps both. Whatever lies outside costs every step a little.
    """
    names = {"x": "x_now", "gate": "gate", "h": "h_now", "c": "c_now", "y": "y", "h_next": "h_then", "c_next": "c_then"}
    names[""] = ""  # an input that is left out

    def renamed(old: Sequence[str]) -> list[str]:
        return [names.get(name, f"cell_{name}") for name in old]

    large = {tensor.name for tensor in step.graph.initializer if np.prod(tensor.dims) >= LARGE}
    integers = {name for node in step.graph.node if node.op_type == "MatMulInteger" for name in node.input}
    outside = large - integers
    for node in step.graph.node:
        is_outside = node.op_type == "DequantizeLinear" and node.input[0] in outside
        outside |= set(node.input) if is_outside else set()
        copied = NodeProto()
        copied.CopyFrom(node)
        copied.input[:], copied.output[:] = renamed(node.input), renamed(node.output)
        (outer if is_outside else body).nodes.append(copied)
    for tensor in step.graph.initializer:
        stored = TensorProto()
        stored.CopyFrom(tensor)
        stored.name = renamed([tensor.name])[0]
        (outer if tensor.name in outside else body).tensors.append(stored)


def _choose(body: _Part, mixtures: int) -> None:
    """Choose the pen state (B,) and the parameters (B, 5) of a component: y, noise -> pen, chosen."""
    body.add("Gather", ["noise", "at"], ["noise_now"], axis=0)
    body.add("Add", ["y", "noise_now"], ["scores"])
    widths = body.constant("score_widths", [PEN_STATES, mixtures, PARAMETERS * mixtures], np.int64)
    body.add("Split", ["scores", widths], ["pen_scores", "mixture_scores", "parameters"], axis=1)
    body.add("ArgMax", ["pen_scores"], ["pen"], axis=1, keepdims=0)
    body.add("ArgMax", ["mixture_scores"], ["component"], axis=1)
    places = body.constant("first_places", np.arange(PARAMETERS) * mixtures, np.int64)
    body.add("Add", ["component", places], ["places"])
    body.add("GatherElements", ["parameters", "places"], ["chosen"], axis=1)


def _move(body: _Part, unit: float, longest: int) -> None:
    """Sample the offset, in float64, and round it: chosen, pen, n1, n2 -> x_then, row (B, 5).

    Args:
        body: what is added to.
        unit: grid steps in one model unit.
        longest: grid steps that no move exceeds.
    """
    body.add("Cast", ["chosen"], ["exact"], to=DOUBLE)
    widths = body.constant("parameter_widths", [2, 2, 1], np.int64)
    body.add("Split", ["exact", widths], ["mu", "log_sigma_any", "rho_hat"], axis=1)
    body.add("Min", ["log_sigma_any", body.constant("largest", LARGEST_LOG_SIGMA, np.float64)], ["log_sigma"])
    body.add("Exp", ["log_sigma"], ["sigma"])
    body.add("Tanh", ["rho_hat"], ["rho"])
    body.add("Mul", ["rho", "rho"], ["rho_squared"])
    body.add("Sub", [body.constant("one", 1.0, np.float64), "rho_squared"], ["rest_squared"])
    body.add("Sqrt", ["rest_squared"], ["rest"])
    body.add("Gather", ["all_n1", "at"], ["n1"], axis=0)
    body.add("Gather", ["all_n2", "at"], ["n2"], axis=0)
    body.add("Mul", ["rho", "n1"], ["shared"])
    body.add("Mul", ["rest", "n2"], ["own"])
    body.add("Add", ["shared", "own"], ["correlated"])
    body.add("Concat", ["n1", "correlated"], ["pair"], axis=1)
    body.add("Mul", ["sigma", "pair"], ["away"])
    body.add("Add", ["mu", "away"], ["offset"])
    body.add("Mul", ["offset", body.constant("unit", unit, np.float64)], ["offset_steps"])
    body.add("Round", ["offset_steps"], ["whole_steps"])
    limits = [body.constant(name, value, np.float64) for name, value in (("least", -longest), ("most", longest))]
    body.add("Clip", ["whole_steps", *limits], ["move_steps"])
    body.add("Div", ["move_steps", "unit"], ["move_exact"])
    body.add("Cast", ["move_exact"], ["move"], to=FLOAT)
    body.add("Gather", [body.constant("states", np.eye(PEN_STATES), np.float32), "pen"], ["pen_state"], axis=0)
    body.add("Concat", ["move", "pen_state"], ["x_then"], axis=1)
    body.add("Identity", ["x_then"], ["row"])  # a value may leave the body only once


def _end(body: _Part) -> None:
    """Go on while there is a sketch whose pen state was never the end, the last one: last_now, pen -> goes_on."""
    body.add("Max", ["last_now", "pen"], ["last_then"])
    body.add("ReduceMin", ["last_then"], ["last_of_all"], keepdims=0)
    body.add("Less", ["last_of_all", body.constant("end", PEN_STATES - 1, np.int64)], ["goes_on"])


def _tensor(name: str, value: Any, dtype: Any) -> TensorProto:
    return numpy_helper.from_array(np.array(value, dtype), name)


def _info(name: str, kind: int, *dims: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, dims)
