"""A small strict reader of ONNX files: nodes, weights, inputs and outputs, in numpy, without the onnx package.

What is read is what a bundle may hold (docs/FORMAT.md): one graph in the default domain, weights as raw bytes within
the file, attributes that are numbers, text, lists of numbers, a tensor, or, where it is asked for, the body of a loop.
Whatever could make a graph more than that (functions, other subgraphs, external data, sparse or text tensors, custom
domains, shapes that are claimed of inner values) is refused, and so is a field that is unknown. Notes that change
nothing (doc strings, producer, names of nodes) are skipped. Nothing is copied: weights are views of the file's bytes.

The field numbers are those of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.manifest import EXPORT_AGAIN, short
from sketch_edge.runtime.plain.protobuf import FIXED32, VARINT, Message, WireError

OPSETS = range(13, 24)
"""Opsets in which the operators of our graphs mean the same; exporters write 18."""

IR_VERSIONS = range(7, 14)
"""Versions of the file format that we know; exporters write 8."""

MOST_NODES = 512
"""Our largest graph has some thirty; the limit bounds what a hostile one can cost."""

MOST_TENSORS = 512
MOST_DIMENSIONS = 8

TYPES: Mapping[int, type[np.generic]] = {
    1: np.float32,
    2: np.uint8,
    3: np.int8,
    6: np.int32,
    7: np.int64,
    9: np.bool_,
    11: np.float64,
}
"""ONNX's numbers for the element types that our graphs use."""

REALS = (1, 11)
"""Those that can be other than finite."""

DTYPES: Mapping[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(int64)": np.int64,
    "tensor(double)": np.float64,
    "tensor(bool)": np.bool_,
}
"""The element types that inputs and outputs may have, as onnxruntime writes them."""

Tensor: TypeAlias = npt.NDArray[Any]
Attribute: TypeAlias = "int | float | str | tuple[int, ...] | tuple[float, ...] | Tensor | Graph"


class Node(NamedTuple):
    """One operator of a graph."""

    operator: str
    inputs: tuple[str, ...]
    """Names of values; "" stands for one that is left out."""

    outputs: tuple[str, ...]
    """Likewise."""

    attributes: Mapping[str, Attribute]


class Port(NamedTuple):
    """An input or output of a graph, with the attributes that onnxruntime's own have."""

    name: str
    type: str
    """Such as "tensor(float)"."""

    shape: tuple[int | None, ...]
    """None where a dimension is free."""


class Graph(NamedTuple):
    """What an ONNX file holds."""

    nodes: tuple[Node, ...]
    tensors: Mapping[str, Tensor]
    """Weights and constants by name; read-only views of the file, wherever in memory their bytes happen to lie."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def read_graph(content: bytes, where: str, *, bodies: bool = False) -> Graph:
    """Read an ONNX file.

    Args:
        content: of the file.
        where: names it in an error.
        bodies: whether its nodes, but not those of a body, may hold a body.

    Raises:
        BundleError: no protobuf, not what is described above, or weights that are not finite.
    """
    try:
        return _read_model(Message(memoryview(content), "model"), bodies)
    except WireError as error:
        raise BundleError(f"{where}: is no graph of a bundle ({error}); {EXPORT_AGAIN}") from error


def _read_model(model: Message, bodies: bool) -> Graph:
    """ModelProto: the versions and the graph."""
    version = model.whole(1)
    model.skip(2, 3, 4, 5, 6, 14)  # producer, its version, domain, version of the model, doc string, properties
    versions = []
    for entry in model.inner(8, "opset", 8):
        versions.append((entry.text(1), entry.whole(2)))
        entry.done()
    if [domain for domain, _ in versions] != [""] or versions[0][1] not in OPSETS:
        got = ", ".join(f"{short(domain)} {version}" for domain, version in versions)
        raise model.refuse(
            f"has the operator sets {got or 'none'} (expected '' {OPSETS[0]} to {OPSETS[-1]} and no other)"
        )
    if version not in IR_VERSIONS:
        raise model.refuse(f"is of IR version {version} (expected {IR_VERSIONS[0]} to {IR_VERSIONS[-1]})")
    graph = model.only(7, "graph")
    model.done()
    return _read_graph(graph, bodies)


def _read_graph(graph: Message, bodies: bool) -> Graph:
    """GraphProto."""
    # Not 13, shapes of inner values: onnxruntime takes them as true, and computes a Shape from them.
    graph.skip(2, 10, 16)  # name, doc string, properties
    nodes = tuple(_read_node(node, bodies) for node in graph.inner(1, "node", MOST_NODES))
    tensors: dict[str, Tensor] = {}
    for message in graph.inner(5, "tensor", MOST_TENSORS):
        name, array = _read_tensor(message)
        if name in tensors:
            raise graph.refuse(f"holds the tensor {short(name)} twice")
        tensors[name] = array
    inputs = tuple(_read_port(port) for port in graph.inner(11, "input", 64))
    outputs = tuple(_read_port(port) for port in graph.inner(12, "output", 64))
    graph.done()
    return Graph(nodes, tensors, inputs, outputs)


def _read_node(node: Message, bodies: bool) -> Node:
    """NodeProto."""
    operator = node.text(4)
    node.place = f"node {short(operator)}"
    node.skip(3, 6, 9)  # name, doc string, properties
    if domain := node.text(7):
        raise node.refuse(f"is of the domain {short(domain)} (expected the default one)")
    inputs, outputs = node.texts(1, 64), node.texts(2, 64)
    attributes: dict[str, Attribute] = {}
    for message in node.inner(5, f"{node.place}, attribute", 64):
        name, value = _read_attribute(message, bodies)
        if name in attributes:
            raise node.refuse(f"has the attribute {short(name)} twice")
        attributes[name] = value
    node.done()
    return Node(operator, inputs, outputs, attributes)


def _read_attribute(attribute: Message, bodies: bool) -> tuple[str, Attribute]:
    """AttributeProto of the kinds 1 float, 2 whole number, 3 text, 4 tensor, 5 graph, 6 floats, 7 whole numbers."""
    name, kind = attribute.text(1), attribute.whole(20)
    readers: dict[int, Callable[[], Attribute]] = {
        1: lambda: (attribute.numbers(2, FIXED32) or [0.0])[-1],
        2: lambda: attribute.whole(3),
        3: lambda: attribute.text(4),
        4: lambda: _read_tensor(attribute.only(5, "tensor"))[1],
        6: lambda: tuple(attribute.numbers(7, FIXED32)),
        7: lambda: tuple(attribute.numbers(8, VARINT)),
    }
    if bodies:
        readers[5] = lambda: _read_graph(attribute.only(6, "body"), bodies=False)
    if kind not in readers:
        raise attribute.refuse(f"{short(name)} is of kind {kind} (expected a number, text or numbers)")
    value = readers[kind]()
    attribute.skip(13)  # doc string
    attribute.done()
    return name, value


def _read_tensor(tensor: Message) -> tuple[str, Tensor]:
    """TensorProto with raw data: exactly as many bytes as its shape asks for."""
    name = tensor.text(8)
    tensor.place = f"tensor {short(name)}"
    shape, kind = tuple(tensor.numbers(1, VARINT)), tensor.whole(2)
    tensor.skip(12, 16)  # doc string, properties
    raw = tensor.raw(9)
    tensor.done()
    if kind not in TYPES:
        raise tensor.refuse(f"is of element type {kind} (expected one of {', '.join(map(str, TYPES))})")
    if raw is None:
        raise tensor.refuse("has no raw data")
    if len(shape) > MOST_DIMENSIONS or not all(1 <= size <= 1 << 31 for size in shape):
        raise tensor.refuse(f"has the shape {short(shape)} (expected at most {MOST_DIMENSIONS} sizes, each over 0)")
    stored = np.dtype(TYPES[kind]).newbyteorder("<")
    if len(raw) != math.prod(shape) * stored.itemsize:
        raise tensor.refuse(f"has {len(raw)} bytes (its shape asks for {short(math.prod(shape) * stored.itemsize)})")
    array = np.frombuffer(raw, stored).reshape(shape)
    if kind in REALS and not np.isfinite(array).all():
        raise tensor.refuse("holds numbers that are not finite")
    if stored.kind == "b" and raw.nbytes and max(raw) > 1:
        raise tensor.refuse("holds truth values that are neither 0 nor 1")
    return name, array


def _read_port(port: Message) -> Port:
    """ValueInfoProto of a plain tensor."""
    name = port.text(1)
    port.place = f"{port.place} {short(name)}"
    port.skip(3, 4)  # doc string, properties
    kind = port.only(2, "type")
    port.done()
    tensor = kind.only(1, "tensor type")
    kind.skip(6)  # denotation
    kind.done()
    element, shape = tensor.whole(1), tensor.only(2, "shape")
    tensor.done()
    names = [name for name, dtype in DTYPES.items() if TYPES.get(element) is dtype]
    if not names:
        raise port.refuse(f"is of element type {element} (expected {', '.join(DTYPES)})")
    sizes = tuple(_read_size(size) for size in shape.inner(1, f"{port.place}, dimension", MOST_DIMENSIONS))
    shape.done()
    return Port(name, names[0], sizes)


def _read_size(dimension: Message) -> int | None:
    """TensorShapeProto.Dimension: a number from 0 on, or free where it has a name or nothing."""
    size = dimension.whole(1, default=-1)
    dimension.text(2)
    dimension.skip(3)  # denotation
    dimension.done()
    return size if size >= 0 else None
