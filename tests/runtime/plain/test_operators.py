"""Every operator in numpy against onnxruntime, and what is refused."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
import pytest

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.plain.interpreter import Program
from sketch_edge.runtime.plain.onnx_reader import read_graph
from sketch_edge.runtime.plain.operators import OPERATORS

onnx = pytest.importorskip("onnx")
RNG = np.random.default_rng(5)


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def whole(*numbers: int, dtype: type = np.int64) -> np.ndarray:
    return np.array(numbers, dtype)


def model_of(
    operator: str, inputs: Mapping[str, Any], constants: Mapping[str, Any], outputs: list[str], settings: dict[str, Any]
) -> bytes:
    """A graph of one node; `order` among the settings names its inputs, the free first dimension is the batch."""
    settings = dict(settings)
    order = settings.pop("order", [*inputs, *constants])
    shape_of = settings.pop("shapes", {})
    node = onnx.helper.make_node(operator, order, outputs, **settings)
    kind = onnx.helper.np_dtype_to_tensor_dtype
    ports = [
        onnx.helper.make_tensor_value_info(name, kind(array.dtype), ["batch", *array.shape[1:]])
        for name, array in inputs.items()
    ]
    made = [
        onnx.helper.make_tensor_value_info(name, *shape_of.get(name, (onnx.TensorProto.FLOAT, None)))
        for name in outputs
        if name
    ]
    weights = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = onnx.helper.make_graph([node], "one", ports, made, weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 8
    return bytes(model.SerializeToString())


def expected_of(content: bytes, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(content)
    names = [port.name for port in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def with_shapes(content: bytes, arrays: Mapping[str, np.ndarray]) -> bytes:
    """The same graph with the shapes of its outputs, which a bundle's graphs tell."""
    model = onnx.load_from_string(content)
    for port in model.graph.output:
        array = arrays[port.name]
        port.CopyFrom(
            onnx.helper.make_tensor_value_info(
                port.name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), [None, *array.shape[1:]]
            )
        )
    return bytes(model.SerializeToString())


X = real(3, 8)
LSTM = {"w": real(2, 16, 5) / 2, "r": real(2, 16, 4) / 2}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], list[str], dict[str, Any]]] = [
    ("Add", {"a": X, "b": real(3, 8)}, {}, ["y"], {}),
    ("Add", {"a": X}, {"b": real(8)}, ["y"], {}),
    ("Mul", {"a": X}, {"b": np.array(0.5, np.float32)}, ["y"], {}),
    ("MatMul", {"a": X}, {"b": real(8, 5)}, ["y"], {}),
    ("MatMul", {"a": real(1, 8)}, {"b": real(8, 5)}, ["y"], {}),
    ("MatMul", {"a": real(3, 1, 8), "b": real(3, 8, 5)}, {}, ["y"], {}),
    ("MatMul", {"a": real(3, 7, 8), "b": real(3, 8, 1)}, {}, ["y"], {}),
    ("Sub", {"a": X, "b": real(3, 8)}, {}, ["y"], {}),
    ("Sub", {"a": whole(3, 5)}, {"b": whole(1, 9)}, ["y"], {"shapes": {"y": (7, [None])}}),
    ("Sigmoid", {"a": X * 50}, {}, ["y"], {}),
    ("Tanh", {"a": X * 9}, {}, ["y"], {}),
    ("Exp", {"a": X}, {}, ["y"], {}),
    ("Log", {"a": np.abs(real(3, 16)) + np.float32(1e-3)}, {}, ["y"], {}),
    ("Clip", {"a": X}, {"low": np.float32(-0.5), "high": np.float32(0.7)}, ["y"], {}),
    ("Softmax", {"a": X * 30}, {}, ["y"], {"axis": 1}),
    ("Softmax", {"a": real(3, 2, 4)}, {}, ["y"], {}),
    ("LayerNormalization", {"a": X * 9 + 4}, {"s": real(8), "b": real(8)}, ["y"], {"axis": -1, "epsilon": 0.5}),
    ("LayerNormalization", {"a": real(3, 4, 7)}, {"s": real(7), "b": real(7)}, ["y"], {"stash_type": 1}),
    ("Split", {"a": X}, {}, ["y", "z"], {"axis": 1, "num_outputs": 2}),
    ("Split", {"a": X}, {"sizes": whole(6, 2)}, ["y", "z"], {"axis": -1}),
    ("Concat", {"a": X, "b": real(3, 2)}, {}, ["y"], {"axis": 1}),
    ("Gather", {"ids": whole(2, 0, 3, -1)}, {"table": real(4, 6)}, ["y"], {"order": ["table", "ids"], "axis": 0}),
    ("Reshape", {"a": real(3, 2, 4)}, {"shape": whole(-1, 8)}, ["y"], {}),
    ("Reshape", {"a": real(3, 2, 4)}, {"shape": whole(0, 4, 2)}, ["y"], {"allowzero": 0}),
    ("Reshape", {"a": real(3, 8)}, {"shape": whole(-1, 4, 2)}, ["y"], {"allowzero": 1}),
    ("Transpose", {"a": real(3, 2, 4)}, {}, ["y"], {"perm": [0, 2, 1]}),
    ("Unsqueeze", {"a": X}, {"axes": whole(1)}, ["y"], {}),
    ("Cast", {"a": whole(3, 5)}, {}, ["y"], {"to": 6, "shapes": {"y": (6, [None])}}),
    ("Cast", {"a": whole(3, 5, dtype=np.int32)}, {}, ["y"], {"to": 1}),
    (
        "QuantizeLinear",
        {"a": np.array([[-9, -1, -1.5 / 63, -0.5 / 63, 0, 0.5 / 63, 1.5 / 63, 1, 9]], np.float32)},
        {"s": np.float32(1 / 63), "zero": np.uint8(64)},
        ["y"],
        {"shapes": {"y": (2, [None, 9])}},
    ),
    *(
        (
            "MatMulInteger",
            {"a": RNG.integers(0, 256, (3, width)).astype(np.uint8)},
            {"b": RNG.integers(-127, 128, (width, 8)).astype(np.int8), "zero": np.uint8(64)},
            ["y"],
            {"shapes": {"y": (6, [None, 8])}},
        )
        for width in (8, 700, 2048)  # the last two have sums that float32 has no room for
    ),
    ("DequantizeLinear", {"q": RNG.integers(-127, 127, (3, 8)).astype(np.int8)}, {"s": real(8)}, ["y"], {"axis": 1}),
    (
        "DequantizeLinear",
        {"q": RNG.integers(0, 255, (3, 8)).astype(np.uint8)},
        {"s": real(8), "zero": RNG.integers(0, 255, 8).astype(np.uint8)},
        ["y"],
        {"axis": 1},
    ),
]


def run(content: bytes, inputs: Mapping[str, Any]) -> Mapping[str, np.ndarray]:
    bound = Program(read_graph(content, "x"), "x").bind(inputs)
    bound.run()
    return bound.outputs


@pytest.mark.parametrize("case", CASES, ids=[f"{case[0]}-{number}" for number, case in enumerate(CASES)])
def test_as_onnxruntime(case, monkeypatch):
    """The same numbers to a few last bits, for each operator and way of using it."""
    from sketch_edge.runtime.plain import onnx_reader

    names = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8, "tensor(int32)": np.int32}
    monkeypatch.setattr(onnx_reader, "DTYPES", {**onnx_reader.DTYPES, **names})  # inputs of any type, for once
    monkeypatch.setattr("sketch_edge.runtime.plain.interpreter.DTYPES", onnx_reader.DTYPES)
    inputs = case[1]
    content = model_of(*case)
    expected = expected_of(content, inputs)
    found = run(with_shapes(content, expected), inputs)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.c_contiguous
        np.testing.assert_allclose(found[name], array, rtol=2e-6, atol=3e-7)


def test_every_operator_is_tested():
    """A new operator needs a case here; that of the LSTM stands below."""
    assert {case[0] for case in CASES} | {"LSTM"} == set(OPERATORS)


def lstm(direction: str, *, states: bool, lengths: bool) -> tuple[bytes, dict[str, Any]]:
    """A graph with an LSTM whose batch comes first, as a bundle's encoder has it."""
    count = 2 if direction == "bidirectional" else 1
    inputs: dict[str, Any] = {"rows": real(3, 7, 5)}
    constants = {name: array[:count] for name, array in LSTM.items()}
    names = ["by_row", "w", "r", "", "", "", ""]
    if lengths:
        inputs["lengths"] = whole(7, 2, 5)
        names[4] = "lengths_32"
    if states:
        constants |= {"bias": real(count, 32), "h": real(count, 3, 4), "c": real(count, 3, 4)}
        names[3], names[5], names[6] = "bias", "h", "c"
    node = onnx.helper.make_node
    nodes = [node("Transpose", ["rows"], ["by_row"], perm=[1, 0, 2])]
    if lengths:
        nodes.append(node("Cast", ["lengths"], ["lengths_32"], to=6))
    nodes += [
        node("LSTM", names, ["", "h_last", "c_last"], hidden_size=4, direction=direction),
        node("Transpose", ["h_last"], ["y"], perm=[1, 0, 2]),
        node("Transpose", ["c_last"], ["z"], perm=[1, 0, 2]),
    ]
    info = onnx.helper.make_tensor_value_info
    ports = [info("rows", onnx.TensorProto.FLOAT, [None, None, 5])]
    ports += [info("lengths", onnx.TensorProto.INT64, [None])] * lengths
    outputs = [info(name, onnx.TensorProto.FLOAT, [None, count, 4]) for name in ("y", "z")]
    weights = [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = onnx.helper.make_graph(nodes, "lstm", ports, outputs, weights)
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    model.ir_version = 8
    return bytes(model.SerializeToString()), inputs


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize("states", [False, True])
@pytest.mark.parametrize("lengths", [False, True])
def test_lstm_as_onnxruntime(direction, states, lengths):
    """Last h and c in each direction, with and without biases, first states and lengths."""
    content, inputs = lstm(direction, states=states, lengths=lengths)
    found = run(content, inputs)
    for name, array in expected_of(content, inputs).items():
        np.testing.assert_allclose(found[name], array, rtol=2e-6, atol=3e-7)


@pytest.mark.parametrize("provider", ["onnxruntime", "numpy"])
@pytest.mark.parametrize(
    ("operator", "inputs", "constants"),
    [
        ("MatMul", {"a": real(19, 1, 50), "b": real(19, 50, 33)}, {}),
        ("MatMul", {"a": real(19, 50, 33), "b": real(19, 33, 1)}, {}),
        ("Softmax", {"a": real(19, 50)}, {}),
        ("LayerNormalization", {"a": real(19, 257)}, {"scale": real(257), "bias": real(257)}),
        ("Exp", {"a": real(19, 7)}, {}),
        ("Log", {"a": np.abs(real(19, 16))}, {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_sketches_do_not_depend_on_each_other(operator, inputs, constants, provider):
    """Bit for bit: why a step sums by MatMul and LayerNormalization, and takes its logarithms sixteen abreast."""
    content = model_of(operator, inputs, constants, ["y"], {})
    (y,) = expected_of(content, inputs).values()
    content = with_shapes(content, {"y": y})
    calculate = run if provider == "numpy" else expected_of
    together = calculate(content, inputs)["y"]
    for place in range(19):
        alone = {name: array[place : place + 1].copy() for name, array in inputs.items()}
        np.testing.assert_array_equal(calculate(content, alone)["y"][0], together[place])


def test_rows_of_a_product_do_not_depend_on_each_other():
    """Bit for bit, whatever the number of rows and the sizes."""
    for width, out in ((512, 2048), (512, 123), (8, 32), (5, 7)):
        weight = real(width, out)
        rows = real(19, width)
        inputs = {"a": rows}
        content = with_shapes(
            model_of("MatMul", inputs, {"b": weight}, ["y"], {}), {"y": np.empty((19, out), np.float32)}
        )
        together = run(content, inputs)["y"]
        for place in range(19):
            np.testing.assert_array_equal(run(content, {"a": rows[place : place + 1]})["y"][0], together[place])


@pytest.mark.parametrize(
    ("operator", "inputs", "constants", "outputs", "settings", "problem"),
    [
        ("Add", {"a": X}, {"b": real(7)}, ["y"], {}, "broadcast"),
        ("Add", {"a": X}, {"b": whole(7)}, ["y"], {}, "takes int64"),
        ("MatMul", {"a": X}, {"b": real(7, 2)}, ["y"], {}, r"takes \(3, 8\) and \(7, 2\)"),
        ("MatMul", {"a": X}, {"b": real(8)}, ["y"], {}, "expected .B, K. and"),
        ("MatMul", {"a": real(3, 2, 8)}, {"b": real(2, 8, 2)}, ["y"], {}, r"takes \(3, 2, 8\) and \(2, 8, 2\)"),
        ("MatMul", {"a": real(3, 2, 8)}, {"b": real(8, 2)}, ["y"], {}, r"takes \(3, 2, 8\) and \(8, 2\)"),
        ("Sub", {"a": X}, {"b": whole(7)}, ["y"], {}, "takes int64"),
        ("Clip", {"a": X}, {"low": real(8), "high": np.float32(1)}, ["y"], {}, r"has the limits \(8,\)"),
        ("Softmax", {"a": X}, {}, ["y"], {"axis": 0}, "along the axis 0"),
        ("Softmax", {"a": X}, {}, ["y"], {"axis": 7}, "has the axis 7"),
        ("LayerNormalization", {"a": X}, {"s": real(7), "b": real(8)}, ["y"], {}, "LayerNormalization takes"),
        ("LayerNormalization", {"a": X}, {"s": real(8), "b": real(8)}, ["y"], {"axis": 0}, "along the axis 0"),
        ("Split", {"a": X}, {}, ["y", "z", "w"], {"axis": 1, "num_outputs": 3}, "cuts 8 into 3"),
        ("Split", {"a": X}, {"s": whole(9, -1)}, ["y", "z"], {"axis": 1}, "cuts 8 into"),
        ("Split", {"a": X}, {}, ["y", "z"], {"axis": 5, "num_outputs": 2}, "has the axis 5"),
        ("Concat", {"a": X, "b": real(3, 2, 2)}, {}, ["y"], {"axis": 1}, "takes"),
        ("Concat", {"a": X}, {}, ["y"], {}, "has the axis None"),
        ("Gather", {"a": X}, {"t": real(4, 2)}, ["y"], {"order": ["t", "a"]}, "takes float32"),
        ("Reshape", {"a": X}, {"s": whole(-1, -1)}, ["y"], {}, "turns"),
        ("Reshape", {"a": X}, {"s": whole(5, -1)}, ["y"], {}, "turns"),
        ("Reshape", {"a": X}, {"s": whole(-1, 8, 0)}, ["y"], {}, "turns"),
        ("Reshape", {"a": X}, {"s": whole(1 << 40, 1 << 40)}, ["y"], {}, "turns"),
        ("Reshape", {"a": X}, {"s": whole(-1, 0)}, ["y"], {"allowzero": 1}, "turns"),
        ("Transpose", {"a": X}, {}, ["y"], {"perm": [0, 0]}, "has the order"),
        ("Transpose", {"a": X}, {}, ["y"], {}, "has the order None"),
        ("Unsqueeze", {"a": X}, {"s": whole(9)}, ["y"], {}, "axis 9"),
        ("Cast", {"a": X}, {}, ["y"], {"to": 6}, "turns float32"),
        ("Cast", {"a": whole(3)}, {}, ["y"], {"to": 2}, "into the type 2"),
        ("QuantizeLinear", {"a": X}, {"s": real(8), "z": np.uint8(1)}, ["y"], {}, r"has scales \(8,\)"),
        ("MatMulInteger", {"a": X}, {"b": real(8, 2), "z": np.uint8(1)}, ["y"], {}, "takes float32"),
        ("DequantizeLinear", {"a": X}, {"s": real(8)}, ["y"], {"axis": 1}, "takes float32"),
        ("LSTM", {"a": real(3, 2, 5)}, LSTM, ["y"], {"hidden_size": 4}, "has 1 outputs"),
        ("LSTM", {"a": real(3, 2, 5)}, LSTM, ["y", "z"], {"hidden_size": 4}, "all states"),
        ("LSTM", {"a": real(3, 2, 5)}, LSTM, ["", "y"], {"hidden_size": 4, "direction": "up"}, "expected float32 .0, "),
        ("LSTM", {"a": real(3, 2, 5)}, LSTM, ["", "y"], {}, "hidden_size None"),
        ("Tanh", {"a": X}, {}, ["y"], {"speed": 3}, "attribute 'speed'"),
        ("Tanh", {"a": X, "b": X}, {}, ["y"], {}, "has 2 inputs"),
        ("Erf", {"a": X}, {}, ["y"], {}, "operator 'Erf'"),
        ("Loop", {"a": X}, {}, ["y"], {}, "operator 'Loop'"),
    ],
)
def test_what_does_not_fit_is_refused(operator, inputs, constants, outputs, settings, problem):
    """One error that names the file and the operator, before anything is run."""
    shapes = {name: (onnx.TensorProto.FLOAT, [None, 8]) for name in outputs}
    content = model_of(operator, inputs, constants, outputs, settings | {"shapes": shapes})
    with pytest.raises(BundleError, match=f"^f: .*{problem}.*; export it again"):
        Program(read_graph(content, "f"), "f").bind(inputs)
