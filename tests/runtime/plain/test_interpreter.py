"""Graphs in numpy: order, constants, memory, bounds."""

import contextlib
import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.plain import interpreter
from sketch_edge.runtime.plain.interpreter import Program
from sketch_edge.runtime.plain.onnx_reader import Graph, Node, Port, read_graph
from sketch_edge.runtime.plain.operators import OPERATORS

TINY = read_bundle(Path(__file__).parents[2] / "data" / "tiny.sketch.zip")
ROW = Port("x", "tensor(float)", (None, 4))
Y = Port("y", "tensor(float)", (None, 4))
X = np.arange(8, dtype=np.float32).reshape(2, 4)


def graph_of(*nodes: Node, tensors=None, outputs=(Y,), inputs=(ROW,)) -> Graph:
    return Graph(nodes, tensors or {}, inputs, outputs)


def node(operator: str, inputs: str, outputs: str = "y", **attributes) -> Node:
    return Node(operator, tuple(inputs.split(",")), tuple(outputs.split(",")), attributes)


def test_bound_arrays_are_read_at_every_run():
    """Write, run, read, again and again: nothing is copied when the graph is tied."""
    x = X.copy()
    bound = Program(graph_of(node("Tanh", "x", "t"), node("Add", "t,x")), "f").bind({"x": x})
    for value in (0.5, -2.0, 7.0):
        x[:] = value
        bound.run()
        np.testing.assert_allclose(bound.outputs["y"], np.full((2, 4), np.tanh(value) + value), rtol=1e-6)


def test_outputs_that_are_views_get_memory_of_their_own():
    """Halves of one array come out contiguous, and are filled at every run."""
    halves = tuple(Port(name, "tensor(float)", (None, 2)) for name in ("a", "b"))
    cut = node("Split", "x", "a,b", axis=1, num_outputs=2)
    x = X.copy()
    bound = Program(graph_of(cut, outputs=halves), "f").bind({"x": x})
    for shift in (0, 10):
        x[:] = X + shift
        bound.run()
        np.testing.assert_array_equal(bound.outputs["b"], X[:, 2:] + shift)
        assert all(array.flags.c_contiguous and array.base is None for array in bound.outputs.values())


def test_constant_parts_are_computed_once():
    """Weights in int8 are float32 before the first run, and cost nothing in it."""
    tensors = {"q": np.array([[1, -2, 3, 4]], np.int8), "s": np.array([0.5, 1, 2, 0.25], np.float32)}
    program = Program(graph_of(node("DequantizeLinear", "q,s", "w", axis=1), node("Mul", "x,w"), tensors=tensors), "f")
    bound = program.bind({"x": X})
    bound.run()
    np.testing.assert_array_equal(bound.outputs["y"], X * np.array([0.5, -2, 6, 1], np.float32))
    assert len(bound._calls) == 1


def test_overflow_gives_infinity_without_a_warning():
    """Who reads the numbers looks at them; warnings are errors in these tests."""
    bound = Program(graph_of(node("Exp", "x")), "f").bind({"x": X * 1000})
    bound.run()
    assert np.isinf(bound.outputs["y"]).any()


@pytest.mark.parametrize(
    ("graph", "problem"),
    [
        (graph_of(node("Tanh", "z")), "Tanh reads 'z', which nothing before it makes"),
        (graph_of(node("Tanh", "t"), node("Exp", "x", "t")), "Tanh reads 't'"),
        (graph_of(node("Tanh", "x", "x")), "makes 'x', which is there already"),
        (graph_of(node("Split", "x", "y,y", num_outputs=2)), "makes 'y, y'"),
        (graph_of(node("Add", "x,")), "leaves out one of its first 2 inputs"),
        (graph_of(node("Tanh", "x", "z")), "the output 'y' does not come from the inputs"),
        (graph_of(outputs=(ROW,)), "the output 'x' does not come"),
        (graph_of(node("Tanh", "w"), tensors={"w": X}), "the output 'y' does not come"),
        (graph_of(tensors={"x": X}), "no name of its own"),
        (graph_of(inputs=(ROW, ROW)), "no name of its own"),
        (
            graph_of(node("Reshape", "x,n"), inputs=(ROW, Port("n", "tensor(int64)", (None,)))),
            "takes 'n' from the inputs",
        ),
        (
            graph_of(node("Gather", "w,i", "t", axis=0), tensors={"w": X, "i": np.array([5])}),
            "Gather index 5 is out of bounds",
        ),
    ],
)
def test_graphs_without_sense_are_refused(graph, problem):
    """When they are loaded, with one line."""
    with pytest.raises(BundleError, match=f"^f: .*{problem}"):
        Program(graph, "f")


def test_outputs_must_be_as_they_say():
    """Shape and type, and the batch of the inputs."""
    for change in ("tensor(int64)", (None, 5), (None,)):
        port = Port("y", *((change, (None, 4)) if isinstance(change, str) else ("tensor(float)", change)))
        with pytest.raises(BundleError, match="the output y is float32 "):
            Program(graph_of(node("Tanh", "x"), outputs=(port,)), "f").bind({"x": X})
    turned = graph_of(node("Transpose", "x", "y", perm=(1, 0)), outputs=(Port("y", "tensor(float)", (None, 2)),))
    with pytest.raises(BundleError, match=r"\(4, 2\) \(expected tensor\(float\) \(2, 2\)\)"):
        Program(turned, "f").bind({"x": X})


def test_memory_is_bounded(monkeypatch):
    """Doubling again and again is refused before the memory is taken, for constants and for results."""
    monkeypatch.setattr(interpreter, "MOST_NUMBERS", 1 << 20)
    names = ["x", *(f"t{number}" for number in range(40))]
    nodes = [node("Concat", f"{one},{one}", two, axis=1) for one, two in itertools.pairwise(names)]
    tracemalloc.start()
    with pytest.raises(BundleError, match="Concat makes too large an array"):
        Program(graph_of(*nodes, node("Tanh", "x")), "f").bind({"x": X})
    with pytest.raises(BundleError, match="Concat makes too large an array"):
        Program(graph_of(*nodes, tensors={"x": X}, inputs=()), "f")
    assert tracemalloc.get_traced_memory()[1] < 40 << 20
    tracemalloc.stop()


MEMBERS = {name: read_graph(TINY.members[name], name) for name in ("start.onnx", "step.onnx", "encode.onnx")}
ARRAYS = {"tensor(float)": np.float32, "tensor(int64)": np.int64}


@st.composite
def changed_graphs(draw) -> Graph:
    """A graph of the tiny bundle with nodes, attributes or weights changed, swapped or gone."""
    graph = MEMBERS[draw(st.sampled_from(sorted(MEMBERS)))]
    nodes, tensors = list(graph.nodes), dict(graph.tensors)
    values = [*tensors, *(port.name for port in graph.inputs), *(name for each in nodes for name in each.outputs), ""]
    numbers = st.one_of(st.integers(-3, 9), st.sampled_from([1 << 40, -(1 << 63)]))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(nodes) - 1))
        each = nodes[place]
        kind = draw(
            st.sampled_from(["operator", "inputs", "outputs", "attribute", "swap", "drop", "tensor", "numbers"])
        )
        if kind == "operator":
            nodes[place] = each._replace(operator=draw(st.sampled_from([*OPERATORS, "If"])))
        elif kind in ("inputs", "outputs"):
            names = draw(st.lists(st.sampled_from(values), max_size=7))
            nodes[place] = each._replace(**{kind: tuple(names)})
        elif kind == "attribute":
            names = ["axis", "num_outputs", "perm", "to", "hidden_size", "direction", "allowzero", "epsilon"]
            name = draw(st.sampled_from(names))
            value = draw(st.one_of(numbers, st.tuples(numbers, numbers), st.sampled_from(["reverse", 0.5])))
            nodes[place] = each._replace(attributes={**each.attributes, name: value})
        elif kind == "swap":
            other = draw(st.integers(0, len(nodes) - 1))
            nodes[place], nodes[other] = nodes[other], nodes[place]
        elif kind == "drop" and len(nodes) > 1:
            nodes.pop(place)
        elif kind == "tensor":
            name = draw(st.sampled_from(sorted(tensors)))
            tensors[name] = tensors[draw(st.sampled_from(sorted(tensors)))]
        elif kind == "numbers":
            name = draw(st.sampled_from(sorted(tensors)))
            tensors[name] = np.array(draw(st.lists(numbers, min_size=1, max_size=4)), np.int64)
    return graph._replace(nodes=tuple(nodes), tensors=tensors)


@settings(max_examples=400, deadline=None)
@given(changed_graphs(), st.integers(1, 3))
def test_changed_graphs_are_run_or_refused(graph, batch):
    """Whatever a graph asks for, it is computed, or refused with the one error."""
    sizes = {None: 2}
    inputs = {
        port.name: np.ones((batch, *(sizes.get(size, size) for size in port.shape[1:])), ARRAYS[port.type])
        for port in graph.inputs
    }
    with contextlib.suppress(BundleError):
        bound = Program(graph, "f").bind(inputs)
        with contextlib.suppress(IndexError):  # a table without that row: the session turns it into a BundleError
            bound.run()
        assert all(array.flags.c_contiguous for array in bound.outputs.values())
