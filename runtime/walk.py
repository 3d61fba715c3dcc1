"""The walk through a graph before anything runs it: nothing may be in it that our exporter does not write.

An ONNX file is a program. onnxruntime would load functions, branches, endless loops, other files and random numbers as
readily as a drawing model, and would take 2^40 numbers of memory where it is told to. So every graph is read by our own
reader (`plain/onnx_reader.py`) first and compared with a closed list: the operators of that member, their attributes,
one Loop in draw.onnx that takes its number of steps from us, and shapes that are followed to the end (`shapes.py`).
Only then do the same bytes go to onnxruntime.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import ENCODER, EXPORT_AGAIN, short
from sketch_edge.runtime.plain.onnx_reader import TYPES, Graph, Node, Port
from sketch_edge.runtime.shapes import Shape, ShapeError, Shapes

BATCH = 64
"""Sketches that are drawn at once, at most: what sizes are worked out for."""

DRAW = "draw.onnx"
"""The member that may have a loop."""

ROWS = {DRAW: 64, ENCODER: 10_000}
"""Free sizes other than the batch, at their largest: steps of a block, points of a drawing."""

LONGEST_SIDE = 1 << 16
"""Of any constant; the widest of ours has some thousand."""


class Form(NamedTuple):
    """What a node of one kind may look like."""

    inputs: tuple[int, int]
    """The fewest and the most."""

    outputs: tuple[int, int] = (1, 1)
    attributes: Mapping[str, type] = {}
    """Those that it may have, with what they hold."""


_AXIS: Mapping[str, type] = {"axis": int}
_ONE, _TWO = Form((1, 1)), Form((2, 2))

FORMS: Mapping[str, Form] = {
    "Add": _TWO,
    "ArgMax": Form((1, 1), attributes={"axis": int, "keepdims": int}),
    "Cast": Form((1, 1), attributes={"to": int}),
    "Clip": Form((3, 3)),
    "Concat": Form((1, 16), attributes=_AXIS),
    "ConstantOfShape": Form((1, 1), attributes={"value": np.ndarray}),
    "DequantizeLinear": Form((2, 3), attributes=_AXIS),
    "Div": _TWO,
    "Exp": _ONE,
    "Gather": Form((2, 2), attributes=_AXIS),
    "GatherElements": Form((2, 2), attributes=_AXIS),
    "Identity": _ONE,
    "LayerNormalization": Form((3, 3), attributes={"axis": int, "epsilon": float, "stash_type": int}),
    "LSTM": Form((3, 7), (2, 3), {"direction": str, "hidden_size": int}),
    "Less": _TWO,
    "Log": _ONE,
    "Loop": Form((6, 6), (5, 5), {"body": Graph}),
    "MatMul": _TWO,
    "MatMulInteger": Form((3, 3)),
    "Max": _TWO,
    "Min": _TWO,
    "Mul": _TWO,
    "Pad": _TWO,
    "Pow": _TWO,
    "QuantizeLinear": Form((3, 3)),
    "ReduceMin": Form((1, 1), attributes={"keepdims": int}),
    "Reshape": Form((2, 2), attributes={"allowzero": int}),
    "Round": _ONE,
    "Shape": Form((1, 1), attributes={"start": int, "end": int}),
    "Sigmoid": _ONE,
    "Softmax": Form((1, 1), attributes=_AXIS),
    "Split": Form((1, 2), (1, 16), {"axis": int, "num_outputs": int}),
    "Sqrt": _ONE,
    "Sub": _TWO,
    "Tanh": _ONE,
    "Transpose": Form((1, 1), attributes={"perm": tuple}),
    "Unsqueeze": _TWO,
    "Where": Form((3, 3)),
}
"""Every operator that an exporter of ours writes."""

_START = "Add Concat DequantizeLinear Gather MatMul Reshape Split Sub Tanh"
_CELL = "Add Cast Concat DequantizeLinear LayerNormalization MatMul MatMulInteger Mul QuantizeLinear Sigmoid Split Tanh"
_STEP = f"{_CELL} Clip Log Reshape Softmax Sub Unsqueeze"  # what models without a mixture need besides
_ENCODE = "Add Cast Concat DequantizeLinear Exp Gather LSTM MatMul Mul Reshape Split Tanh Transpose Unsqueeze"
_DRAW = "Cast ConstantOfShape DequantizeLinear Less Loop Mul Pad Pow Shape Split Sqrt Unsqueeze Where"
_BODY = f"{_CELL} ArgMax Clip Div Exp Gather GatherElements Identity Less Max Min ReduceMin Round Sqrt Sub"

OPERATORS: Mapping[str, frozenset[str]] = {
    "start.onnx": frozenset(_START.split()),
    "step.onnx": frozenset(_STEP.split()),
    "encode.onnx": frozenset(_ENCODE.split()),
    DRAW: frozenset(_DRAW.split()),
    "body": frozenset(_BODY.split()),
}
"""By member; "body" is that of the Loop in draw.onnx."""


def walk(graph: Graph, member: str, where: str) -> None:
    """Refuse a graph that does more than one that an exporter of ours writes.

    Args:
        graph: as `read_graph` gave it; with the inputs and outputs that the manifest asks for, as the caller checked.
        member: such as "step.onnx".
        where: names it in an error.

    Raises:
        BundleError: another operator, attribute or form of a node, another loop, or values that do not fit together
            or grow too large.
    """
    try:
        _Walk(member, graph)
    except ShapeError as error:
        raise BundleError(f"{where}: {error}; {EXPORT_AGAIN}") from error


class _Walk:
    """One walk through a graph and the body of its loop."""

    def __init__(self, member: str, graph: Graph) -> None:
        self._rows = ROWS.get(member, 1)
        self._refuse_twins(graph, set())
        rows = BATCH * self._rows if member == ENCODER else BATCH  # a step of the loop is counted once
        self._shapes = Shapes({port.name: self._size(port) for port in graph.inputs}, graph.tensors, rows)
        self._known = {port.name for port in graph.inputs} | set(graph.tensors)
        self._loops = int(member == DRAW)
        self._go(graph, OPERATORS[member])
        if self._loops:
            raise ShapeError("has no Loop")
        for port in graph.outputs:
            if port.name not in self._known:
                raise ShapeError(f"the output {short(port.name)} is made by nothing")
            _check_claim(port, self._shapes[port.name])

    def _go(self, graph: Graph, operators: frozenset[str]) -> None:
        for name, array in graph.tensors.items():
            if max(array.shape, default=0) > LONGEST_SIDE:
                raise ShapeError(f"the tensor {short(name)} has the shape {short(array.shape)}")
        for node in graph.nodes:
            if node.operator not in operators:
                raise ShapeError(f"has the operator {short(node.operator)}, which no such graph of a bundle has")
            try:
                self._check_form(node)
                if node.operator == "Loop":
                    self._enter(node)
                else:
                    self._shapes.follow(node)
            except ShapeError as error:
                raise ShapeError(f"{node.operator} {error}") from error
            self._known.update(filter(None, node.outputs))

    def _check_form(self, node: Node) -> None:
        """Refuse a node with other inputs, outputs or attributes than an operator of its kind has."""
        form = FORMS[node.operator]
        for kind, names, (fewest, most) in (
            ("inputs", node.inputs, form.inputs),
            ("outputs", node.outputs, form.outputs),
        ):
            if not fewest <= len(names) <= most:
                raise ShapeError(f"has {len(names)} {kind} (expected {fewest} to {most})")
        if node.operator not in ("LSTM", "Loop") and not (all(node.inputs) and all(node.outputs)):
            raise ShapeError("leaves out an input or an output")
        for name in node.inputs:
            if name and name not in self._known:
                raise ShapeError(f"reads {short(name)}, which nothing before it makes")
        made = [name for name in node.outputs if name]
        if len(set(made)) < len(made) or not self._known.isdisjoint(made):
            raise ShapeError(f"makes {short(', '.join(made))}, which is there already")
        for name, value in node.attributes.items():
            if type(value) is not form.attributes.get(name):
                raise ShapeError(f"has the attribute {short(name)}, which no graph of a bundle has so")
        if node.operator == "Cast" and node.attributes.get("to") not in TYPES:
            raise ShapeError(f"makes the element type {short(node.attributes.get('to'))}")

    def _enter(self, loop: Node) -> None:
        """Go through the body of the loop; the state must leave a step with the shape that it came with."""
        if not self._loops:
            raise ShapeError("stands there twice")
        self._loops -= 1
        steps, condition, *carried = loop.inputs
        if steps != "steps" or condition or not all(carried):
            raise ShapeError("takes its number of steps from elsewhere than the input 'steps', or has a condition")
        body = loop.attributes.get("body")
        if not isinstance(body, Graph) or len(body.inputs) != 6 or len(body.outputs) != 6:
            raise ShapeError("has no body of 6 inputs and 6 outputs")
        self._refuse_twins(body, self._known)
        shapes = [(), (), *(self._shapes[name] for name in carried)]
        for port, shape in zip(body.inputs, shapes, strict=True):
            _check_claim(port, shape)
            self._shapes.add(port.name, shape)
        self._shapes.add_constants(body.tensors)
        self._known |= {port.name for port in body.inputs} | set(body.tensors)
        self._go(body, OPERATORS["body"])
        left = [self._left_with(port) for port in body.outputs]
        for port, shape, expected in zip(body.outputs, left, [(), *shapes[2:]], strict=False):
            if shape != expected:
                raise ShapeError(f"has a body that leaves {short(port.name)} as {short(shape)} (expected {expected})")
        for port, shape in zip(body.outputs, left, strict=True):
            _check_claim(port, shape)
        for name, shape in zip(loop.outputs, [*shapes[2:], (self._rows, *left[-1])], strict=True):
            if name:
                self._shapes.add(name, shape)

    def _left_with(self, port: Port) -> tuple[int, ...]:
        if port.name not in self._known:
            raise ShapeError(f"has a body whose output {short(port.name)} is made by nothing")
        return self._shapes[port.name]

    def _refuse_twins(self, graph: Graph, known: set[str]) -> None:
        """Refuse an input or a constant that has no name of its own: a constant could stand in for an input."""
        names = [port.name for port in graph.inputs] + list(graph.tensors)
        if len(set(names)) < len(names) or "" in names or not known.isdisjoint(names):
            raise ShapeError("an input or a constant has no name of its own")

    def _size(self, port: Port) -> tuple[int, ...]:
        """The shape of an input at its largest: what is free is the batch, save the first of three, or the second."""
        sizes = [size for size in port.shape if size is not None]
        if max(sizes, default=0) > LONGEST_SIDE:
            raise ShapeError(f"the input {short(port.name)} has the shape {short(port.shape)}")
        free = {"gumbels": (self._rows, BATCH), "normals": (self._rows, BATCH), "strokes": (BATCH, self._rows)}
        largest = iter(free.get(port.name, (BATCH,)))
        return tuple(next(largest, BATCH) if size is None else size for size in port.shape)


def _check_claim(port: Port, shape: Shape) -> None:
    """Refuse a port that claims another shape than it gets: onnxruntime would reckon with it."""
    if len(port.shape) != len(shape) or any(
        size not in (None, own) for size, own in zip(port.shape, shape, strict=True)
    ):
        raise ShapeError(f"claims that {short(port.name)} is {short(port.shape)} (it is {short(shape)})")
