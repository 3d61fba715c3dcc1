"""The walk: every graph of ours passes, and hostile ones never reach onnxruntime."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketch_edge.runtime.bundle import Bundle, open_bundle, read_bundle
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import MAX_CONSTANT, MAX_STATE
from sketch_edge.runtime.plain.session import PlainSession
from sketch_edge.runtime.session import Session, load_graph
from sketch_edge.runtime.walk import FORMS, OPERATORS

onnx = pytest.importorskip("onnx")
DATA = Path(__file__).parents[1] / "data"
TINY = read_bundle(DATA / "tiny-whole.sketch.zip")
HUGE = 1 << 40
node = onnx.helper.make_node
tensor = onnx.numpy_helper.from_array


def changed(member: str, change: Callable[[Any], None]) -> bytes:
    """A member of the tiny bundle after `change(model)`."""
    model = onnx.load_from_string(TINY.members[member])
    change(model)
    return bytes(model.SerializeToString())


def with_member(member: str, content: bytes) -> Bundle:
    return replace(TINY, members=dict(TINY.members) | {member: content})


def body_of(model: Any) -> Any:
    return next(each for each in model.graph.node if each.op_type == "Loop").attribute[0].g


def constant(graph: Any, name: str, value: Any, dtype: Any) -> str:
    """Store a constant in a graph, or another in its place."""
    kept = [each for each in graph.initializer if each.name != name]
    del graph.initializer[:]
    graph.initializer.extend([*kept, tensor(np.array(value, dtype), name)])
    return name


def first(model: Any, *nodes: Any) -> None:
    """Put nodes before all others."""
    for each in reversed(nodes):
        model.graph.node.insert(0, each)


def function(model: Any) -> None:
    made = onnx.helper.make_function(
        "mine", "f", ["a"], ["b"], [node("Tanh", ["a"], ["b"])], [onnx.helper.make_opsetid("", 18)]
    )
    model.functions.append(made)
    model.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    first(model, node("f", ["z"], ["extra"], domain="mine"))


def default_function(model: Any) -> None:
    """A function in the default domain, which stands in for an operator."""
    made = onnx.helper.make_function(
        "", "Tanh", ["a"], ["b"], [node("Exp", ["a"], ["b"])], [onnx.helper.make_opsetid("", 18)]
    )
    model.functions.append(made)


def external(model: Any) -> None:
    stored = model.graph.initializer[0]
    stored.ClearField("raw_data")
    stored.external_data.add(key="location", value="../../../etc/passwd")
    stored.data_location = onnx.TensorProto.EXTERNAL


def branch(model: Any) -> None:
    inner = onnx.helper.make_graph(
        [node("Identity", ["z"], ["out"])], "inner", [], [onnx.helper.make_empty_tensor_value_info("out")]
    )
    truth = constant(model.graph, "truth", True, np.bool_)
    first(model, node("If", [truth], ["extra"], then_branch=inner, else_branch=inner))


def scan(model: Any) -> None:
    inner = onnx.helper.make_graph(
        [node("Identity", ["a"], ["b"])],
        "inner",
        [onnx.helper.make_tensor_value_info("a", 1, None)],
        [onnx.helper.make_tensor_value_info("b", 1, None)],
    )
    first(model, node("Scan", ["x"], ["extra"], body=inner, num_scan_inputs=1))


def second_loop(model: Any) -> None:
    loop = next(each for each in model.graph.node if each.op_type == "Loop")
    again = onnx.NodeProto()
    again.CopyFrom(loop)
    again.output[:] = [f"{name}_again" for name in again.output]
    model.graph.node.append(again)


def nested_loop(model: Any) -> None:
    loop = next(each for each in model.graph.node if each.op_type == "Loop")
    again = onnx.NodeProto()
    again.CopyFrom(loop)
    body_of(model).node.append(again)


def huge_trips(model: Any) -> None:
    """The number of steps is a constant of the graph's own."""
    loop = next(each for each in model.graph.node if each.op_type == "Loop")
    loop.input[0] = constant(model.graph, "trips", 1 << 62, np.int64)


def huge_default(model: Any) -> None:
    """A constant of an input's name would be its default."""
    constant(model.graph, "steps", 1 << 62, np.int64)


def condition(model: Any) -> None:
    loop = next(each for each in model.graph.node if each.op_type == "Loop")
    loop.input[1] = constant(model.graph, "truth", True, np.bool_)


def growing_state(model: Any) -> None:
    """The state doubles at every step."""
    body = body_of(model)
    body.node.append(node("Concat", ["h_then", "h_then"], ["h_twice"], axis=1))
    body.output[2].name = "h_twice"


def without(name: str, operator: str) -> Callable[[Any], None]:
    """Leave out an attribute of the first node of an operator."""

    def change(model: Any) -> None:
        found = next(each for each in model.graph.node if each.op_type == operator)
        kept = [each for each in found.attribute if each.name != name]
        assert len(kept) < len(found.attribute)
        del found.attribute[:]
        found.attribute.extend(kept)

    return change


def other_value(attribute: str, operator: str, value: Any, *, inside: bool = False) -> Callable[[Any], None]:
    """Give a change that sets or adds an attribute."""

    def change(model: Any) -> None:
        graph = body_of(model) if inside else model.graph
        each = next(each for each in graph.node if each.op_type == operator)
        kept = [found for found in each.attribute if found.name != attribute]
        del each.attribute[:]
        each.attribute.extend([*kept, onnx.helper.make_attribute(attribute, value)])

    return change


def huge_pad(model: Any) -> None:
    constant(model.graph, "widths", [0, 0, 0, 0, 0, HUGE], np.int64)


def huge_zeros(model: Any) -> None:
    each = next(each for each in model.graph.node if each.op_type == "ConstantOfShape")
    each.input[0] = constant(model.graph, "many", [HUGE], np.int64)


def pad_from_inputs(model: Any) -> None:
    next(each for each in model.graph.node if each.op_type == "Pad").input[1] = "steps"


def outer_sum(model: Any) -> None:
    """A row and a column of 60,000 numbers add up to 3.6e9."""
    row = constant(model.graph, "row", np.zeros((1, 60_000)), np.float32)
    column = constant(model.graph, "column", np.zeros((60_000, 1)), np.float32)
    first(model, node("Add", [row, column], ["square"]))


def batched(size: int, others: int = 0) -> Callable[[Any], None]:
    """Give a change that multiplies a column by a row for every sketch, both made of the constant."""

    def change(model: Any) -> None:
        axes = constant(model.graph, "axes", [2], np.int64), constant(model.graph, "axis", [1], np.int64)
        row = constant(model.graph, "long", np.zeros((64, size)), np.float32)
        other = constant(model.graph, "other", np.zeros((64, others or size)), np.float32)
        made = node("Unsqueeze", [row, axes[others > 0]], ["a"]), node("Unsqueeze", [other, axes[1]], ["b"])
        first(model, *made, node("MatMul", ["a", "b"], ["extra"]))

    return change


def costly_product(model: Any) -> None:
    """A square of 2,000 times 2,000 numbers with itself, at every step, out of four thousand."""
    body = body_of(model)
    row = constant(body, "row", np.ones((1, 2_000)), np.float32)
    column = constant(body, "column", np.ones((2_000, 1)), np.float32)
    body.node.insert(0, node("Add", [row, column], ["square"]))
    body.node.insert(1, node("MatMul", ["square", "square"], ["extra"]))


def costly_lstm(model: Any) -> None:
    """Two million weights out of five thousand numbers."""
    sides = {"down": (2, 2_000, 1), "in": (1, 1, 5), "across": (1, 1, 500)}
    down, inward, across = (constant(model.graph, name, np.zeros(sides[name]), np.float32) for name in sides)
    made = [
        node("Transpose", ["strokes"], ["rows"], perm=[1, 0, 2]),
        node("Add", [down, inward], ["w"]),
        node("Add", [down, across], ["r"]),
        node("LSTM", ["rows", "w", "r"], ["", "extra"], hidden_size=500, direction="bidirectional"),
    ]
    first(model, *made)


def costly_powers(model: Any) -> None:
    """Twenty million powers from nine thousand numbers."""
    row = constant(model.graph, "row", np.ones((1, 4_500)), np.float64)
    column = constant(model.graph, "column", np.ones((4_500, 1)), np.float64)
    first(model, node("Pow", [row, column], ["extra"]))


def rows_of_none(model: Any) -> None:
    """A pad could make a side of 2^62 of the other, and still there were no numbers."""
    parts = constant(model.graph, "no_rows", [0, 1], np.int64)
    table = constant(model.graph, "table", [[0.0]], np.float32)
    first(model, node("Split", [table, parts], ["none", "all"], axis=0))


def claimed(name: str, *shape: int) -> Callable[[Any], None]:
    """Give a change that claims the shape of an inner value; onnxruntime would make what a Shape of it gives."""

    def change(model: Any) -> None:
        value = tensor(np.zeros(1, np.float32), "value")
        made = node("Shape", [name], ["shape"]), node("ConstantOfShape", ["shape"], ["extra"], value=value)
        first(model, node("Sqrt", ["temperature"], [name]), *made)
        model.graph.value_info.append(onnx.helper.make_tensor_value_info(name, 11, shape))

    return change


def claimed_port(kind: str, number: int, *shape: int) -> Callable[[Any], None]:
    """Give a change that claims the shape of an input or an output of the body."""

    def change(model: Any) -> None:
        port = getattr(body_of(model), kind)[number]
        port.CopyFrom(onnx.helper.make_tensor_value_info(port.name, port.type.tensor_type.elem_type, shape))

    return change


def longer_start(model: Any) -> None:
    """An output with a number more than it says."""
    last = model.graph.node[-1]
    last.output[0] = "h_old"
    widths = constant(model.graph, "zeros", np.zeros((8, 9)), np.float32)
    model.graph.node.append(node("MatMul", ["h_old", widths], ["h"]))


def whole_division(model: Any) -> None:
    """The smallest whole number by -1 is a trap of the processor, not an error."""
    body = body_of(model)
    smallest, minus = constant(body, "smallest", [-(1 << 63)], np.int64), constant(body, "minus", [-1], np.int64)
    body.node.insert(0, node("Div", [smallest, minus], ["extra"]))


def division_by_input(model: Any) -> None:
    body_of(model).node.insert(0, node("Div", ["x_now", "x_now"], ["extra"]))


def normalized(epsilon: float) -> Callable[[Any], None]:
    """Give a change that normalises the row with that epsilon."""

    def change(model: Any) -> None:
        scale = constant(model.graph, "scale", np.ones(5), np.float32)
        first(model, node("LayerNormalization", ["x", scale, scale], ["extra"], epsilon=epsilon))

    return change


def resized(model: Any) -> None:
    """Numbers that are no whole number of sketches."""
    first(model, node("Reshape", ["gate", constant(model.graph, "shape", [-1, 3, 7], np.int64)], ["extra"]))


def huge_dims(model: Any) -> None:
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend([HUGE, HUGE])


def huge_port(model: Any) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = HUGE


def not_a_number(model: Any) -> None:
    stored = onnx.numpy_helper.to_array(model.graph.initializer[0]).copy()
    stored.flat[-1] = np.nan
    model.graph.initializer[0].raw_data = stored.tobytes()


def not_a_number_inside(model: Any) -> None:
    constant(body_of(model), "unit", np.inf, np.float64)


def port_name(kind: str) -> Callable[[Any], None]:
    return lambda model: setattr(getattr(model.graph, kind)[0], "name", "other")


def adds(*nodes: Any) -> Callable[[Any], None]:
    """Give a change that puts nodes first."""
    return lambda model: first(model, *nodes)


def sets(name: str, value: Any) -> Callable[[Any], None]:
    return lambda model: setattr(model, name, value)


HOSTILE = [
    ("start.onnx", function, "operator sets"),
    ("step.onnx", default_function, "field 25"),
    ("start.onnx", external, "field 13"),
    ("draw.onnx", external, "field 13"),
    ("start.onnx", branch, "kind 5"),
    ("step.onnx", scan, "kind 5"),
    ("draw.onnx", second_loop, "Loop stands there twice"),
    ("draw.onnx", nested_loop, "kind 5"),
    ("draw.onnx", huge_trips, "number of steps from elsewhere"),
    ("draw.onnx", huge_default, "no name of its own"),
    ("draw.onnx", condition, "has a condition"),
    ("draw.onnx", growing_state, r"leaves 'h_twice' as \(64, 16\) \(expected \(64, 8\)\)"),
    ("draw.onnx", huge_pad, "Pad makes too large an array"),
    ("draw.onnx", huge_zeros, "ConstantOfShape makes too large an array"),
    ("draw.onnx", pad_from_inputs, "Pad takes 'steps' from the inputs"),
    ("start.onnx", outer_sum, "Add makes too large an array"),
    ("start.onnx", huge_dims, "has the shape"),
    ("start.onnx", huge_port, "input z is"),
    ("start.onnx", not_a_number, "not finite"),
    ("draw.onnx", not_a_number_inside, "not finite"),
    ("start.onnx", port_name("input"), "has the inputs"),
    ("step.onnx", port_name("output"), "has the outputs"),
    ("draw.onnx", port_name("input"), "has the inputs"),
    ("start.onnx", adds(node("RandomNormal", [], ["extra"], shape=[4])), "operator 'RandomNormal'"),
    ("start.onnx", adds(node("RandomNormalLike", ["z"], ["extra"])), "operator 'RandomNormalLike'"),
    ("step.onnx", adds(node("Dropout", ["x"], ["extra"])), "operator 'Dropout'"),
    ("step.onnx", adds(node("Tanh", ["x"], ["extra"], domain="com.microsoft")), "domain 'com.microsoft'"),
    ("step.onnx", adds(node("Tanh", ["nowhere"], ["extra"])), "reads 'nowhere', which nothing before it makes"),
    ("step.onnx", adds(node("Tanh", ["x"], ["gates"])), "is there already"),
    ("step.onnx", adds(node("Add", ["x"], ["extra"])), "Add has 1 inputs"),
    ("step.onnx", adds(node("MatMul", ["x", "x"], ["extra"])), "do not fit together"),
    ("step.onnx", adds(node("Softmax", ["x"], ["extra"], axis=0)), r"has the axis 0 \(expected the last one\)"),
    ("step.onnx", adds(node("Softmax", ["x"], ["extra"], axis=2)), "has the axis 2 of 2 dimensions"),
    ("step.onnx", adds(node("Softmax", ["x"], ["extra"], other=2)), "attribute 'other'"),
    ("step.onnx", adds(node("LayerNormalization", ["x", "h", "h"], ["extra"])), "do not fit together"),
    ("step.onnx", adds(node("LayerNormalization", ["x", "h", "h"], ["extra", "mean", "deviation"])), "has 3 outputs"),
    ("step.onnx", normalized(-0.5), r"has the epsilon -0\.5 \(expected 0 to 1\)"),
    ("step.onnx", normalized(float("nan")), "an attribute is not finite"),
    ("step.onnx", adds(node("Clip", ["x"], ["extra"])), "Clip has 1 inputs"),
    ("step.onnx", adds(node("Log", ["x", "x"], ["extra"])), "Log has 2 inputs"),
    ("step.onnx", batched(1 << 15), "MatMul takes too many multiplications"),
    ("draw.onnx", costly_product, "MatMul takes too many multiplications"),
    ("encode.onnx", costly_lstm, "LSTM takes too many multiplications"),
    ("draw.onnx", costly_powers, "Pow makes too large an array"),
    ("draw.onnx", claimed("root", 1 << 28), "field 13"),
    ("draw.onnx", claimed_port("input", 2, 1 << 28, 5), r"claims that 'x_now' is \(268435456, 5\) \(it is \(64, 5\)\)"),
    ("draw.onnx", claimed_port("output", 2, 64, 8, 1), r"claims that .* is \(64, 8, 1\) \(it is \(64, 8\)\)"),
    ("start.onnx", longer_start, r"claims that 'h' is \(None, 8\) \(it is \(64, 9\)\)"),
    ("draw.onnx", rows_of_none, r"Split makes an array without numbers, \(0, 1\)"),
    ("draw.onnx", whole_division, "Div divides by whole numbers"),
    ("draw.onnx", division_by_input, "Div takes 'x_now' from the inputs"),
    ("step.onnx", batched(3, others=2), r"MatMul takes .*, which do not fit together"),
    ("step.onnx", resized, "turns"),
    ("start.onnx", adds(node("Sigmoid", ["z"], ["extra"])), "operator 'Sigmoid'"),
    ("draw.onnx", adds(node("ArgMax", ["x"], ["extra"])), "operator 'ArgMax'"),
    ("encode.onnx", other_value("activations", "LSTM", ["Tanh"]), "kind 8"),
    ("encode.onnx", without("hidden_size", "LSTM"), "expected other shapes or attributes"),
    ("encode.onnx", without("direction", "LSTM"), "units, or gives all its states"),
    ("encode.onnx", other_value("clip", "LSTM", 1.0), "attribute 'clip'"),
    ("draw.onnx", other_value("axis", "Gather", 7, inside=True), "has the axis 7"),
    ("draw.onnx", other_value("keepdims", "ArgMax", 7.5, inside=True), "attribute 'keepdims'"),
    ("draw.onnx", other_value("to", "Cast", 8), "element type 8"),
    ("step.onnx", sets("ir_version", 99), "IR version 99"),
    ("step.onnx", lambda model: setattr(model.opset_import[0], "version", 99), "operator sets '' 99"),
]


@pytest.fixture
def untouched(monkeypatch):
    """Fail where onnxruntime is given anything."""

    def refuse(*_args: object, **_settings: object) -> None:
        raise AssertionError("onnxruntime was given the graph")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)


@pytest.mark.parametrize(("member", "change", "problem"), HOSTILE)
def test_hostile_graphs_are_refused(untouched, member, change, problem):
    """With one line that names the member, before onnxruntime sees a byte of it."""
    content = changed(member, change)
    with pytest.raises(BundleError, match=problem) as caught:
        load_graph(content, member, TINY.manifest.sizes, f"a.sketch.zip:{member}")
    assert re.fullmatch(
        rf"a\.sketch\.zip:{re.escape(member)}: .*; export it again with sketch-export", str(caught.value)
    )


@pytest.mark.parametrize(
    "provider", [lambda bundle: Session(bundle, "cpu"), PlainSession], ids=["onnxruntime", "numpy"]
)
def test_both_providers_walk(untouched, provider):
    """Neither is given a graph that was not looked at."""
    with pytest.raises(BundleError, match=r"start\.onnx: has the operator 'Sigmoid'"):
        provider(with_member("start.onnx", changed("start.onnx", adds(node("Sigmoid", ["z"], ["extra"])))))


def test_the_draw_graph_is_walked(untouched, monkeypatch):
    """It is the one that drawing takes; the start graph before it passes."""
    monkeypatch.setattr(Session, "_start", None, raising=False)
    load = Session._load
    monkeypatch.setattr(Session, "_load", lambda self, member: member == "start.onnx" or load(self, member))
    with pytest.raises(BundleError, match=r"draw\.onnx: Loop stands there twice"):
        Session(with_member("draw.onnx", changed("draw.onnx", second_loop)), "cpu")


@pytest.mark.parametrize("bundle", [TINY, open_bundle()], ids=["tiny", "shipped"])
def test_our_own_graphs_pass(bundle):
    """Every member, those that drawing does not load too."""
    for member, content in bundle.members.items():
        graph = load_graph(content, member, bundle.manifest.sizes, member)
        assert len(graph.nodes) == len(onnx.load_from_string(content).graph.node)


def test_the_list_is_closed():
    """Every operator has a form, and every form is used."""
    assert frozenset().union(*OPERATORS.values()) == set(FORMS)


@pytest.mark.parametrize(("state", "constant"), [(None, None), (5, 1), (MAX_STATE, MAX_CONSTANT)])
def test_a_model_without_latent_vector_passes(state, constant):
    """Its z is (B, 0), and its first state a table, as wide as a manifest may say."""
    sizes = replace(TINY.manifest.sizes, latent=0, state=state, constant=constant)
    widths = {"gate": sizes.constant_width, "h": sizes.state_width, "c": sizes.state_width}
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [node("Gather", [f"first_{name}", "class_id"], [name], axis=0) for name in widths],
        "start",
        [info("z", 1, ["B", 0]), info("class_id", 7, ["B"])],
        [info(name, 1, ["B", width]) for name, width in widths.items()],
        [tensor(np.zeros((1, width), np.float32), f"first_{name}") for name, width in widths.items()],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    load_graph(model.SerializeToString(), "start.onnx", sizes, "x")
