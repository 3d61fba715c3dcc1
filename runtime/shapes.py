"""How large every value of a graph becomes, worked out before anything runs it.

An operator that is harmless by name can still fill a computer's memory: two vectors added as a row and a column, a
Pad of 2^40, a state that doubles at every step of a loop. So shapes are followed from the inputs on, at the largest
batch that is ever run, by the rules of https://onnx.ai/onnx/operators/ as far as our graphs use them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.plain.onnx_reader import MOST_DIMENSIONS, Node, Tensor

MOST_NUMBERS = 1 << 27
"""Numbers that all values of one graph may have together. Ours take some millions."""

FREE_NUMBERS, FREE_PRODUCTS = 1 << 24, 1 << 26
"""Numbers, and multiplications of matrix products, that any graph may take, however small it is."""

MORE_NUMBERS, MORE_PRODUCTS = 8, 4
"""How many more for each number of its constants, the products for each row of a batch besides: what a graph costs
is in proportion to what it holds. Ours take two numbers, and one product a row."""

Shape: TypeAlias = tuple[int, ...]


class ShapeError(Exception):
    """What is wrong with the shapes of a node."""


class Shapes:
    """The shapes of the values of a graph, and the numbers of those that shapes depend on.

    Args:
        shapes: of the inputs.
        tensors: the constants.
        rows: that a product by a constant has, at most.
    """

    def __init__(self, shapes: Mapping[str, Shape], tensors: Mapping[str, Tensor], rows: int) -> None:
        self._shapes: dict[str, Shape] = dict(shapes)
        self._numbers: dict[str, Sequence[int] | Tensor] = {}
        self._rows = rows
        self._constants = self._made = self._products = 0
        self.add_constants(tensors)

    def __getitem__(self, name: str) -> Shape:
        return self._shapes[name]

    def add(self, name: str, shape: Shape) -> None:
        """Note the shape of a value; raises ShapeError where there is no room left for it."""
        if 0 in shape:  # sides of 2^40 would cost nothing beside one of none, and reductions have nothing to give
            raise ShapeError(f"makes an array without numbers, {short(shape)}")
        self._made += math.prod(shape)
        most = min(MOST_NUMBERS, FREE_NUMBERS + MORE_NUMBERS * self._constants)
        if self._made > most or len(shape) > MOST_DIMENSIONS:
            raise ShapeError(f"makes too large an array, {short(shape)}")
        self._shapes[name] = shape

    def add_constants(self, tensors: Mapping[str, Tensor]) -> None:
        """Note constants; those of a body join those around it."""
        for name, array in tensors.items():
            self._shapes[name] = array.shape
            self._constants += array.size
        self._numbers.update(tensors)

    def multiply(self, count: int) -> None:
        """Count multiplications; raises ShapeError where they take longer than the size of the graph tells."""
        self._products += count
        if self._products > FREE_PRODUCTS + MORE_PRODUCTS * self._rows * self._constants:
            raise ShapeError(
                f"takes too many multiplications ({short(count)}) for a graph of {self._constants} numbers"
            )

    def follow(self, node: Node) -> None:
        """Work out the shapes of what a node makes; raises ShapeError where they do not fit."""
        shapes = [self._shapes[name] if name else None for name in node.inputs]
        try:
            found = RULES[node.operator](self, node, shapes)
        except (LookupError, TypeError, ValueError, AttributeError) as error:  # a rank or an attribute is amiss
            raise ShapeError(f"takes {short(shapes)} (expected other shapes or attributes)") from error
        for name, shape in zip(node.outputs, found, strict=False):
            if name:
                self.add(name, shape)
        if len(found) < len(node.outputs):
            raise ShapeError(f"has {len(node.outputs)} outputs (expected {len(found)})")

    def numbers(self, node: Node, place: int) -> list[int]:
        """The whole numbers of an input that must be a constant."""
        name = node.inputs[place]
        if name not in self._numbers:
            raise ShapeError(f"takes {short(name)} from the inputs (expected a constant)")
        numbers = self._numbers[name]
        if not isinstance(numbers, Sequence):
            if numbers.dtype.kind != "i" or numbers.ndim > 1 or numbers.size > MOST_DIMENSIONS * 2 + 16:
                raise ShapeError(f"takes {short(name)} (expected a short list of whole numbers)")
            return [int(number) for number in numbers.reshape(-1)]
        return list(numbers)

    def constant(self, node: Node, place: int) -> Tensor:
        """An input that must be a constant of the file."""
        found = self._numbers.get(node.inputs[place])
        if not isinstance(found, np.ndarray):
            raise ShapeError(f"takes {short(node.inputs[place])} from the inputs (expected a constant)")
        return found

    def remember(self, name: str, numbers: Sequence[int]) -> None:
        """Note the numbers of a value that is as good as a constant."""
        self._numbers[name] = numbers


Given: TypeAlias = Sequence[Any]
Rule: TypeAlias = Callable[[Shapes, Node, Given], Sequence[Shape]]


def _broadcast(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """Operators that take numbers of the same place: sizes are equal, or 1."""
    result: Shape = ()
    for shape in shapes:
        if shape is None or shape == result:
            continue
        size = max(len(shape), len(result))
        pairs = zip((1,) * (size - len(shape)) + shape, (1,) * (size - len(result)) + result, strict=True)
        widened = []
        for a, b in pairs:
            if a != b and a != 1 and b != 1:
                raise ShapeError(f"takes {short(shapes)}, which do not fit together")
            widened.append(b if a == 1 else a)
        result = tuple(widened)
    return [result]


def _first(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    return [shapes[0]]


def _matmul(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """(M, K) times (K, N); or for every sketch of a batch a product of its own, (B, M, K) times (B, K, N)."""
    (*batch, rows, inner), (*other_batch, other, columns) = shapes[:2]
    most = 0 if node.operator == "MatMulInteger" else 1
    if inner != other or batch != other_batch or len(batch) > most:
        raise ShapeError(f"takes {short(shapes)}, which do not fit together")
    room.multiply(math.prod((*batch, rows, inner, columns)))
    return [(*batch, rows, columns)]


def _divide(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """By a constant of real numbers: whole ones can end the process (the smallest by -1)."""
    if room.constant(node, 1).dtype.kind != "f":
        raise ShapeError("divides by whole numbers (expected real ones)")
    return _broadcast(room, node, shapes)


def _softmax(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """Over the last axis."""
    if _axis(node, len(shapes[0]), -1) != len(shapes[0]) - 1:
        raise ShapeError(f"has the axis {short(node.attributes['axis'])} (expected the last one)")
    return [shapes[0]]


def _layer_normalization(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """Over the last axis, with a scale and a bias for each place along it."""
    epsilon: Any = node.attributes.get("epsilon", 1e-5)
    if any(shape != shapes[0][-1:] for shape in shapes[1:]):
        raise ShapeError(f"takes {short(shapes)}, which do not fit together")
    if not 0 <= epsilon < 1:
        raise ShapeError(f"has the epsilon {short(epsilon)} (expected 0 to 1)")
    return _softmax(room, node, shapes)


def _axis(node: Node, dimensions: int, default: int = 0) -> int:
    axis = node.attributes.get("axis", default)
    if not isinstance(axis, int) or not -dimensions <= axis < dimensions:
        raise ShapeError(f"has the axis {short(axis)} of {dimensions} dimensions")
    return axis % dimensions


def _gather(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    table, places = shapes
    axis = _axis(node, len(table))
    return [(*table[:axis], *places, *table[axis + 1 :])]


def _gather_elements(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    if len(shapes[0]) != len(shapes[1]):
        raise ShapeError(f"takes {short(shapes)}, which do not fit together")
    return [shapes[1]]


def _concat(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    axis = _axis(node, len(shapes[0]))
    rests = {(*shape[:axis], *shape[axis + 1 :]) for shape in shapes}
    if len(rests) != 1 or len({len(shape) for shape in shapes}) != 1:
        raise ShapeError(f"takes {short(shapes)}, which do not fit together")
    return [(*shapes[0][:axis], sum(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])]


def _split(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    whole = shapes[0]
    axis = _axis(node, len(whole))
    if len(node.inputs) > 1:
        sizes = room.numbers(node, 1)
    else:
        count = len(node.outputs)
        if node.attributes.get("num_outputs", count) != count:
            raise ShapeError("splits into another number of parts than it has outputs")
        size = -(-whole[axis] // count)
        sizes = [*[size] * (count - 1), whole[axis] - size * (count - 1)]
    if sum(sizes) != whole[axis] or min(sizes) < 0 or len(sizes) != len(node.outputs):
        raise ShapeError(f"splits {whole[axis]} into {short(tuple(sizes))}")
    return [(*whole[:axis], size, *whole[axis + 1 :]) for size in sizes]


def _transpose(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    order: Any = node.attributes["perm"] if "perm" in node.attributes else tuple(reversed(range(len(shapes[0]))))
    if sorted(order) != list(range(len(shapes[0]))):
        raise ShapeError(f"has the order {short(order)} of {len(shapes[0])} dimensions")
    return [tuple(shapes[0][place] for place in order)]


def _unsqueeze(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    (axis,) = room.numbers(node, 1)
    size = len(shapes[0])
    if not -size - 1 <= axis <= size:
        raise ShapeError(f"has the axis {axis} of {size + 1} dimensions")
    axis %= size + 1
    return [(*shapes[0][:axis], 1, *shapes[0][axis:])]


def _reshape(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    wanted, count = room.numbers(node, 1), math.prod(shapes[0])
    if not node.attributes.get("allowzero", 0):
        wanted = [shapes[0][place] if size == 0 else size for place, size in enumerate(wanted)]
    rest = math.prod(size for size in wanted if size != -1)
    if wanted.count(-1) == 1 and rest > 0:
        wanted[wanted.index(-1)] = count // rest
    if min(wanted, default=0) < 0 or math.prod(wanted) != count:
        raise ShapeError(f"turns {short(shapes[0])} into {short(tuple(wanted))}")
    return [tuple(wanted)]


def _pad(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    widths, size = room.numbers(node, 1), len(shapes[0])
    if len(widths) != 2 * size or min(widths, default=0) < 0:
        raise ShapeError(f"has the widths {short(tuple(widths))}")
    return [tuple(n + a + b for n, a, b in zip(shapes[0], widths[:size], widths[size:], strict=True))]


def _reduce(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """ArgMax over its axis, ReduceMin over all."""
    every = range(len(shapes[0]))
    gone = [_axis(node, len(shapes[0]))] if node.operator == "ArgMax" else every
    keep = node.attributes.get("keepdims", 1)
    return [tuple(1 if place in gone else shapes[0][place] for place in every if keep or place not in gone)]


def _shape(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    part = shapes[0][node.attributes.get("start", 0) : node.attributes.get("end", len(shapes[0]))]
    room.remember(node.outputs[0], part)
    return [(len(part),)]


def _constant_of_shape(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    value: Any = node.attributes.get("value")
    numbers = tuple(room.numbers(node, 0))
    if value is None or value.shape != (1,) or min(numbers, default=0) < 0:
        raise ShapeError(f"makes {short(numbers)} (expected sizes from 0 on, and one value)")
    return [numbers]


def _lstm(room: Shapes, node: Node, shapes: Given) -> Sequence[Shape]:
    """The last states alone."""
    rows, batch, width = shapes[0]
    units: Any = node.attributes["hidden_size"]
    count = 2 if node.attributes.get("direction") == "bidirectional" else 1
    state = (count, batch, units)
    expected = [(count, 4 * units, width), (count, 4 * units, units), (count, 8 * units), (batch,), state, state]
    given = list(shapes[1:])
    if node.outputs[0] or any(got not in (None, want) for got, want in zip(given, expected, strict=False)):
        raise ShapeError(f"takes {short(tuple(shapes))} with {short(units)} units, or gives all its states")
    room.multiply(rows * batch * count * 4 * units * (width + units))
    return [(), state, state][: len(node.outputs)]


_PAIRWISE = ("Add", "Clip", "Less", "Max", "Min", "Mul", "Pow", "Sub", "Where")
_EACH = ("Cast", "DequantizeLinear", "Exp", "Identity", "Log", "QuantizeLinear", "Round", "Sigmoid", "Sqrt", "Tanh")

RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_PAIRWISE, _broadcast),
    **dict.fromkeys(_EACH, _first),
    "ArgMax": _reduce,
    "Concat": _concat,
    "ConstantOfShape": _constant_of_shape,
    "Div": _divide,
    "Gather": _gather,
    "GatherElements": _gather_elements,
    "LSTM": _lstm,
    "LayerNormalization": _layer_normalization,
    "MatMul": _matmul,
    "MatMulInteger": _matmul,
    "Pad": _pad,
    "ReduceMin": _reduce,
    "Reshape": _reshape,
    "Shape": _shape,
    "Softmax": _softmax,
    "Split": _split,
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
}
"""By operator; what has no rule is not allowed anywhere."""
