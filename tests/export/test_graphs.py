"""The traced and assembled graphs: what is in them, and what must not be."""

import onnx
import pytest

from sketch_edge.export.compare import IR_VERSION, OPSET, check_graph, to_bytes
from sketch_edge.export.graphs import trace


@pytest.fixture(scope="module")
def graphs(model):
    return {name.removesuffix(".onnx"): graph for name, graph in trace(model).items()}


@pytest.mark.parametrize("name", ["start", "step", "encode"])
def test_graphs_are_valid_and_of_the_promised_versions(graphs, name):
    """Opset 18 of the default domain alone, IR 8, no functions, no external data."""
    graph = graphs[name]
    check_graph(name, graph)
    assert graph.ir_version == IR_VERSION
    assert [(each.domain, each.version) for each in graph.opset_import] == [("", OPSET)]
    assert not graph.functions
    assert all(tensor.data_location == onnx.TensorProto.DEFAULT for tensor in graph.graph.initializer)


@pytest.mark.parametrize("name", ["start", "step", "encode"])
def test_graphs_say_nothing_about_the_machine(graphs, name):
    """No paths, stack traces or exporter notes."""
    graph = graphs[name]
    for part in (graph, graph.graph, *graph.graph.node, *graph.graph.initializer, *graph.graph.input):
        assert not part.doc_string
        assert not getattr(part, "metadata_props", [])
    assert graph.producer_version == ""
    assert b".py" not in to_bytes(graph)


def test_step_is_the_plain_cell(graphs):
    """Nothing but matrix products, sums, gates and splits; three products, one for each matrix."""
    operators = [node.op_type for node in graphs["step"].graph.node]
    assert set(operators) == {"MatMul", "Add", "Mul", "Sigmoid", "Tanh", "Split"}
    assert operators.count("MatMul") == 3


@pytest.mark.parametrize("name", ["start", "step", "encode"])
def test_the_batch_is_free(graphs, name):
    """The first dimension of every input and output has a name, not a number."""
    graph = graphs[name].graph
    for value in (*graph.input, *graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param, value.name
