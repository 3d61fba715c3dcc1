"""Graphs run in numpy alone: for machines that onnxruntime has no wheel for.

`Program` holds a graph whose constant parts are computed: int8 weights become float32 here, once. `Program.bind` ties
it to input arrays, so that every shape is known and every result gets its memory; what is left is a row of numpy calls
without arguments (`operators.py`). `Bound.run` makes them: a step of the decoder costs little more than its
two matrix products.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import EXPORT_AGAIN, short
from sketch_edge.runtime.plain.onnx_reader import DTYPES, Graph, Node, Port, Tensor
from sketch_edge.runtime.plain.operators import OPERATORS, MisfitError, Operator, Room

MOST_NUMBERS = 1 << 27
"""Numbers that constants and results of one graph may take together: half a gigabyte. Ours take some millions."""


class Bound:
    """A graph tied to its input arrays: write into these, call `run`, read `outputs`."""

    def __init__(self, calls: Sequence[Callable[[], object]], outputs: Mapping[str, Tensor]) -> None:
        self._calls = calls
        self.outputs = outputs
        """Each contiguous, and filled by every `run`."""

    def run(self) -> None:
        """Compute the outputs. Numbers that overflow become infinite without a warning; who reads them looks.

        Raises:
            IndexError: a number asks for a row that a table does not have.
        """
        with np.errstate(all="ignore"):
            for call in self._calls:
                call()


class Program:
    """A graph, checked, with everything computed that does not depend on its inputs. Several threads may share one.

    Args:
        graph: as `read_graph` gave it.
        where: names it in errors.

    Raises:
        BundleError: an operator, an attribute or an order of nodes that no graph of a bundle has.
    """

    def __init__(self, graph: Graph, where: str) -> None:
        self._where = where
        self._outputs = graph.outputs
        self._constants: dict[str, Any] = {name: _aligned(array) for name, array in graph.tensors.items()}
        self._nodes: list[Node] = []
        self._left = MOST_NUMBERS
        self._kept: dict[str, Tensor] = {}
        known = {*self._constants, *(port.name for port in graph.inputs)}
        if len(known) < len(self._constants) + len(graph.inputs) or "" in known:
            raise self._error("an input or a constant has no name of its own")
        for node in graph.nodes:
            operator = OPERATORS.get(node.operator)
            if operator is None:
                raise self._error(f"has the operator {short(node.operator)}, which no graph of a bundle has")
            if problem := _problem(node, operator, known, self._constants):
                raise self._error(f"{node.operator} {problem}")
            known.update(name for name in node.outputs if name)
            if all(name in self._constants for name in node.inputs if name):
                self._fold(node)
            else:
                self._nodes.append(node)
        made = {name for node in self._nodes for name in node.outputs}
        for port in graph.outputs:
            if port.name not in made:
                raise self._error(f"the output {short(port.name)} does not come from the inputs")

    def bind(self, inputs: Mapping[str, Tensor]) -> Bound:
        """Tie the graph to its inputs: all that it has, with types and shapes as it says, the batch first.

        Raises:
            BundleError: shapes or types within the graph that do not fit together.
        """
        room = Room(self._left, self._kept)
        values = self._constants | dict(inputs)
        for node in self._nodes:
            self._build(room, node, values)
        batch = next(iter(inputs.values())).shape[0]
        outputs = {port.name: self._output(room, port, values[port.name], batch) for port in self._outputs}
        return Bound(room.calls, outputs)

    def _fold(self, node: Node) -> None:
        """Compute a node that depends on constants alone."""
        room = Room(self._left, self._kept)
        self._build(room, node, self._constants)
        self._left = room.left
        try:
            Bound(room.calls, {}).run()
        except IndexError as error:
            raise self._error(f"{node.operator} {error}") from error

    def _build(self, room: Room, node: Node, values: dict[str, Any]) -> None:
        inputs = [values[name] if name else None for name in node.inputs]
        try:
            results = OPERATORS[node.operator].build(room, node, inputs)
        except (MisfitError, ValueError, IndexError, TypeError, MemoryError) as error:  # the others are numpy's
            raise self._error(f"{node.operator} {error}") from error
        values.update((name, array) for name, array in zip(node.outputs, results, strict=True) if name)

    def _output(self, room: Room, port: Port, array: Tensor, batch: int) -> Tensor:
        """Compare an output with what the graph says of it; views get memory of their own."""
        shape = (batch, *port.shape[1:])
        if array.shape != shape or array.dtype != DTYPES[port.type]:
            raise self._error(f"the output {port.name} is {array.dtype} {array.shape} (expected {port.type} {shape})")
        if array.base is None:
            return array
        own: Tensor = np.empty(array.shape, array.dtype)
        room.later(np.copyto, own, array)
        return own

    def _error(self, problem: str) -> BundleError:
        return BundleError(f"{self._where}: {problem}; {EXPORT_AGAIN}")


def _aligned(array: Tensor) -> Tensor:
    """A constant as numpy is quickest with it: the bytes lie where they happen to lie in the file."""
    own = np.require(array, array.dtype.newbyteorder("="), ["ALIGNED"])
    own.flags.writeable = False
    return own


def _problem(node: Node, operator: Operator, known: set[str], constants: Collection[str]) -> str | None:
    """What is wrong with the form of a node; None if nothing is."""
    for kind, names, (fewest, most) in (
        ("inputs", node.inputs, operator.inputs),
        ("outputs", node.outputs, operator.outputs),
    ):
        if not fewest <= len(names) <= most:
            return f"has {len(names)} {kind} (expected {fewest} to {most})"
    if not all(node.inputs[: operator.inputs[0]]):
        return f"leaves out one of its first {operator.inputs[0]} inputs"
    for name in node.inputs:
        if name and name not in known:
            return f"reads {short(name)}, which nothing before it makes"
    made = [name for name in node.outputs if name]
    if len(set(made)) < len(made) or not known.isdisjoint(made):
        return f"makes {short(', '.join(made))}, which is there already"
    for name in node.attributes:
        if name not in operator.attributes:
            return f"has the attribute {short(name)}, which no graph of a bundle has"
    for place in operator.fixed:
        name = node.inputs[place] if place < len(node.inputs) else ""
        if name and name not in constants:
            return f"takes {short(name)} from the inputs (expected a constant)"
    return None
