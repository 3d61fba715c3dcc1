"""The operators of our graphs in numpy: how each turns inputs into memory for its results and calls that fill it.

Their meaning is that of https://onnx.ai/onnx/operators/, opset 18, as far as our graphs use it. Shapes are known when
a node is built, so what only looks at numbers in another way (Split, Transpose, Unsqueeze) becomes a view and costs
nothing when the graph is run.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.plain.arithmetic import Floats, multiply_rows, run_lstm, sigmoid
from sketch_edge.runtime.plain.onnx_reader import TYPES, Attribute, Node, Tensor


class MisfitError(Exception):
    """What is wrong with a node."""


class Room:
    """Where nodes put their results, and the calls that fill these."""

    def __init__(self, left: int, kept: dict[str, Tensor]) -> None:
        self.left = left
        """Numbers that may still be made."""

        self._kept = kept
        self.calls: list[Callable[[], object]] = []

    def empty(self, shape: Sequence[int], dtype: type[np.generic] = np.float32) -> Tensor:
        """Memory for a result."""
        self._take(shape)
        return np.empty(shape, dtype)

    def converted(self, name: str, array: Tensor, dtype: type[np.generic]) -> Tensor:
        """A constant as another type: made once for a graph, not whenever it is tied to inputs; `name` is its own."""
        self._take(array.shape)
        if name not in self._kept:
            self._kept[name] = array.astype(dtype)
        return self._kept[name]

    def _take(self, shape: Sequence[int]) -> None:
        self.left -= math.prod(shape)
        if self.left < 0:
            raise MisfitError(f"makes too large an array, {short(tuple(shape))}")

    def later(self, function: Callable[..., object], *arguments: Any) -> None:
        """Call `function` when the graph is run."""
        self.calls.append(partial(function, *arguments))


@dataclass(frozen=True)
class Operator:
    """What a node of one kind may look like, and how it is built."""

    build: Callable[[Room, Node, Sequence[Any]], Sequence[Tensor | None]]
    """Takes room, node and inputs; gives the results. None stands for one that is left out."""

    inputs: tuple[int, int]
    """The fewest and the most."""

    outputs: tuple[int, int] = (1, 1)
    attributes: Collection[str] = ()
    """Those that it may have."""

    fixed: tuple[int, ...] = ()
    """The inputs that must be constants: what is built depends on their numbers."""


def _real(values: Sequence[Any]) -> Sequence[Floats]:
    """Inputs that must be float32."""
    for value in values:
        if value.dtype != np.float32:
            raise MisfitError(f"takes {value.dtype} (expected float32)")
    return values


def _whole(attribute: Attribute | None, what: str) -> int:
    if not isinstance(attribute, int):
        raise MisfitError(f"has the {what} {short(attribute)} (expected a whole number)")
    return attribute


def _axis(node: Node, default: int | None, dimensions: int) -> int:
    axis = _whole(node.attributes.get("axis", default), "axis")
    if not -dimensions <= axis < dimensions:
        raise MisfitError(f"has the axis {short(axis)} of {dimensions} dimensions")
    return axis % dimensions


def _matmul(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    a, b = _real(values)
    if a.ndim not in (2, 3) or a.ndim != b.ndim or a.shape[-1] != b.shape[-2] or a.shape[:-2] != b.shape[:-2]:
        raise MisfitError(f"takes {a.shape} and {b.shape} (expected (B, K) and (K, N), or (B, M, K) and (B, K, N))")
    out = room.empty((*a.shape[:-1], b.shape[-1]))
    room.later(multiply_rows(a, b, out) if a.ndim == 2 else partial(np.matmul, a, b, out))
    return [out]


def _pairwise(
    function: Callable[..., object], *, whole: bool = False
) -> Callable[[Room, Node, Sequence[Any]], Sequence[Tensor | None]]:
    """Of two float32 arrays; or, where that is so of the operator, of two of int64."""

    def build(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
        integers = whole and all(value.dtype == np.int64 for value in values)
        a, b = values if integers else _real(values)
        out = room.empty(np.broadcast_shapes(a.shape, b.shape), a.dtype.type)
        room.later(function, a, b, out)
        return [out]

    return build


def _each(function: Callable[..., object]) -> Callable[[Room, Node, Sequence[Any]], Sequence[Tensor | None]]:
    def build(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
        (a,) = _real(values)
        out = room.empty(a.shape)
        room.later(function, a, out)
        return [out]

    return build


def _clip(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    x, low, high = _real(values)
    if low.ndim or high.ndim:
        raise MisfitError(f"has the limits {low.shape} and {high.shape} (expected one number each)")
    out = room.empty(x.shape)
    room.later(np.clip, x, low, high, out)
    return [out]


def _check_last_axis(node: Node, array: Tensor) -> None:
    if _axis(node, -1, array.ndim) != array.ndim - 1 or 0 in array.shape:
        raise MisfitError(
            f"goes along the axis {short(node.attributes.get('axis', -1))} of {array.shape}, not the last"
        )


def _softmax(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    """exp(x) / sum(exp(x)) along the last axis, the largest taken off before so that nothing overflows."""
    (x,) = _real(values)
    _check_last_axis(node, x)
    out, one = room.empty(x.shape), room.empty((*x.shape[:-1], 1))
    room.later(partial(np.max, x, axis=-1, out=one, keepdims=True))
    room.later(np.subtract, x, one, out)
    room.later(np.exp, out, out)
    room.later(partial(np.sum, out, axis=-1, out=one, keepdims=True))
    room.later(np.divide, out, one, out)
    return [out]


def _layer_normalization(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias along the last axis (Ba et al. 2016, arXiv:1607.06450)."""
    x, scale, bias = _real(values)
    _check_last_axis(node, x)
    epsilon: Any = node.attributes.get("epsilon", 1e-5)
    if scale.shape != x.shape[-1:] or bias.shape != x.shape[-1:] or not 0 <= epsilon < 1:
        raise MisfitError(f"takes {x.shape}, {scale.shape} and {bias.shape}, epsilon {short(epsilon)}")
    out, square, one = room.empty(x.shape), room.empty(x.shape), room.empty((*x.shape[:-1], 1))
    room.later(partial(np.mean, x, axis=-1, out=one, keepdims=True))
    room.later(np.subtract, x, one, out)
    room.later(np.multiply, out, out, square)
    room.later(partial(np.mean, square, axis=-1, out=one, keepdims=True))
    room.later(np.add, one, np.float32(epsilon), one)
    room.later(np.sqrt, one, one)
    room.later(np.divide, out, one, out)
    room.later(np.multiply, out, scale, out)
    room.later(np.add, out, bias, out)
    return [out]


def _split(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    array, axis = values[0], _axis(node, 0, values[0].ndim)
    count, width = len(node.outputs), array.shape[axis]
    if len(values) == 2 and values[1] is not None:
        sizes = [int(size) for size in values[1].reshape(-1)]
    else:
        if node.attributes.get("num_outputs", count) != count or width % count:
            raise MisfitError(
                f"cuts {width} into {short(node.attributes.get('num_outputs', count))} for {count} outputs"
            )
        sizes = [width // count] * count
    if len(sizes) != count or min(sizes) < 1 or sum(sizes) != width:
        raise MisfitError(f"cuts {width} into {short(tuple(sizes))} for {count} outputs")
    ends = np.cumsum(sizes).tolist()
    before = (slice(None),) * axis
    return [array[(*before, slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)]


def _concat(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    first = _real(values)[0]
    axis = _axis(node, None, first.ndim)
    for array in values:
        if array.ndim != first.ndim or any(
            one != other
            for place, (one, other) in enumerate(zip(array.shape, first.shape, strict=True))
            if place != axis
        ):
            raise MisfitError(f"takes {first.shape} and {array.shape} along axis {axis}")
    out = room.empty((*first.shape[:axis], sum(array.shape[axis] for array in values), *first.shape[axis + 1 :]))
    room.later(np.concatenate, tuple(values), axis, out)
    return [out]


def _gather(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    table, numbers = values
    if numbers.dtype not in (np.int64, np.int32) or numbers.ndim != 1 or _axis(node, 0, table.ndim) != 0:
        raise MisfitError(f"takes {numbers.dtype} {numbers.shape} (expected whole numbers in one row, axis 0)")
    out = room.empty((len(numbers), *table.shape[1:]), table.dtype.type)
    room.later(np.take, table, numbers, 0, out)
    return [out]


def _reshape(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    array, target = values
    if target.dtype != np.int64 or target.ndim != 1:
        raise MisfitError(f"has the shape {target.dtype} {target.shape} (expected int64 in one row)")
    sizes = target.tolist()
    if 0 in (sizes if node.attributes.get("allowzero", 0) else sizes[array.ndim :]):
        raise MisfitError(f"turns {array.shape} into {short(tuple(sizes))}")
    sizes = [array.shape[place] if size == 0 else size for place, size in enumerate(sizes)]
    out = room.empty(_filled(array, sizes), array.dtype.type)
    room.later(np.copyto, out.reshape(array.shape), array)
    return [out]


def _filled(array: Tensor, sizes: list[int]) -> tuple[int, ...]:
    """Sizes with the one that is -1 worked out."""
    known = math.prod(size for size in sizes if size != -1)
    fits = sizes.count(-1) <= 1 and min(sizes, default=1) >= -1 and known > 0
    if -1 in sizes and fits:
        sizes = [array.size // known if size == -1 else size for size in sizes]
    if not fits or math.prod(sizes) != array.size:
        raise MisfitError(f"turns {array.shape} into {short(tuple(sizes))}")
    return tuple(sizes)


def _transpose(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    array = values[0]
    order: Any = node.attributes.get("perm")
    if type(order) is not tuple or sorted(order) != list(range(array.ndim)):
        raise MisfitError(f"has the order {short(order)} of {array.ndim} dimensions")
    return [array.transpose(order)]


def _unsqueeze(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    array, axes = values
    if axes.dtype != np.int64 or axes.size > 2:
        raise MisfitError(f"has the axes {axes.dtype} {axes.shape} (expected one or two, int64)")
    return [np.expand_dims(array, tuple(axes.reshape(-1).tolist()))]


def _cast(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    array, kind = values[0], TYPES.get(_whole(node.attributes.get("to"), "type"))
    if kind not in (np.float32, np.int32, np.int64) or array.dtype not in (np.int32, np.int64):
        raise MisfitError(f"turns {array.dtype} into the type {short(node.attributes['to'])} (expected 32 or 64 bits)")
    out = room.empty(array.shape, kind)
    room.later(partial(np.copyto, casting="same_kind"), out, array)
    return [out]


def _quantize(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    """round(x / scale) + zero, ties to even, cut to 0 .. 255; one scale for all."""
    x, scale, zero = values
    _real([x, scale])
    if scale.ndim or zero.ndim or zero.dtype != np.uint8:
        raise MisfitError(f"has scales {scale.shape} and zeros {zero.dtype} {zero.shape} (expected one each, uint8)")
    real, out = room.empty(x.shape), room.empty(x.shape, np.uint8)
    room.later(np.divide, x, scale, real)
    room.later(np.rint, real, real)
    room.later(np.add, real, np.float32(zero), real)
    room.later(np.clip, real, np.float32(0), np.float32(255), real)
    room.later(partial(np.copyto, casting="unsafe"), out, real)
    return [out]


def _matmul_integer(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    """(a - zero) @ b, (B, K) times (K, N), uint8 and int8 to int32.

    BLAS has no such product, but that of floats is exact, in any order and number of rows, as long as every sum has
    room in the mantissa.
    """
    a, b, zero = values
    if (a.ndim, a.dtype) != (2, np.uint8) or (b.ndim, b.dtype) != (2, np.int8) or a.shape[1] != b.shape[0]:
        raise MisfitError(f"takes {a.dtype} {a.shape} and {b.dtype} {b.shape} (expected uint8 (B, K) and int8 (K, N))")
    if zero.ndim or zero.dtype != np.uint8:
        raise MisfitError(f"has zeros {zero.dtype} {zero.shape} (expected one, uint8)")
    largest = max(int(zero), 255 - int(zero)) * 128 * len(b)
    exact = np.float32 if largest < 1 << 24 else np.float64
    weight = room.converted(node.outputs[0], b, exact)
    shifted, product = room.empty(a.shape, exact), room.empty((len(a), b.shape[1]), exact)
    out = room.empty(product.shape, np.int32)
    room.later(partial(np.subtract, dtype=exact), a, exact(zero), shifted)
    room.later(np.matmul, shifted, weight, product)
    room.later(partial(np.copyto, casting="unsafe"), out, product)
    return [out]


def _dequantize(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor]:
    """(stored - zero) * scale, with a scale for each place along the axis."""
    stored, scale = values[:2]
    zero = values[2] if len(values) == 3 else None
    axis = _axis(node, 1, stored.ndim)
    _real([scale])
    if stored.dtype.itemsize != 1 or scale.shape != (stored.shape[axis],):
        raise MisfitError(f"takes {stored.dtype} {stored.shape} and {scale.shape} scales along axis {axis}")
    if zero is not None and (zero.dtype, zero.shape) != (stored.dtype, scale.shape):
        raise MisfitError(f"takes {stored.dtype} {stored.shape} and {zero.dtype} {zero.shape} zeros")
    out = room.empty(stored.shape)
    along = [1] * stored.ndim
    along[axis] = -1
    if zero is None:
        room.later(np.copyto, out, stored)
    else:
        room.later(partial(np.subtract, dtype=np.float32), stored, zero.reshape(along), out)
    room.later(np.multiply, out, scale.reshape(along), out)
    return [out]


def _lstm(room: Room, node: Node, values: Sequence[Any]) -> Sequence[Tensor | None]:
    """The LSTM of ONNX without peepholes, with its own activations; it gives the last states, not all of them."""
    x, w, r, bias, lengths, h_start, c_start = [*values, None, None, None, None][:7]
    directions = _DIRECTIONS.get(str(node.attributes.get("direction", "forward")), ())
    units = _whole(node.attributes.get("hidden_size"), "hidden_size")
    if node.outputs[0] or x.ndim != 3 or not 1 <= units <= 1 << 16:
        raise MisfitError(f"takes {x.shape} and gives all states (expected 3 dimensions, and the last states alone)")
    _, batch, width = x.shape
    shapes = {
        "W": (w, (len(directions), 4 * units, width)),
        "R": (r, (len(directions), 4 * units, units)),
        "B": (bias, (len(directions), 8 * units)),
        "initial_h": (h_start, (len(directions), batch, units)),
        "initial_c": (c_start, (len(directions), batch, units)),
    }
    for name, (array, shape) in shapes.items():
        if array is not None and (array.shape != shape or array.dtype != np.float32):
            raise MisfitError(f"has {name} {array.dtype} {array.shape} (expected float32 {shape})")
    _real([x])
    if lengths is not None and (lengths.dtype, lengths.shape) != (np.dtype(np.int32), (batch,)):
        raise MisfitError(f"has lengths {lengths.dtype} {lengths.shape} (expected int32 {(batch,)})")
    last = room.empty((2, len(directions), batch, units))
    for place, backward in enumerate(directions):
        added = None if bias is None else bias[place, : 4 * units] + bias[place, 4 * units :]
        weights = (w[place].T, r[place].T, added)
        first = tuple(None if array is None else array[place] for array in (h_start, c_start))
        room.later(run_lstm, x, lengths, weights, first, backward, last[:, place])
    return [None, last[0], last[1]][: len(node.outputs)]


_DIRECTIONS: dict[str, tuple[bool, ...]] = {"forward": (False,), "reverse": (True,), "bidirectional": (False, True)}
"""Whether each direction runs backward."""

OPERATORS = {
    "Add": Operator(_pairwise(np.add), (2, 2)),
    "Cast": Operator(_cast, (1, 1), attributes=("to",)),
    "Clip": Operator(_clip, (3, 3), fixed=(1, 2)),
    "Concat": Operator(_concat, (1, 16), attributes=("axis",)),
    "DequantizeLinear": Operator(_dequantize, (2, 3), attributes=("axis",)),
    "Exp": Operator(_each(np.exp), (1, 1)),
    "Gather": Operator(_gather, (2, 2), attributes=("axis",)),
    "LSTM": Operator(_lstm, (3, 7), (2, 3), attributes=("direction", "hidden_size"), fixed=(1, 2, 3)),
    "LayerNormalization": Operator(_layer_normalization, (3, 3), attributes=("axis", "epsilon", "stash_type")),
    "Log": Operator(_each(np.log), (1, 1)),
    "MatMul": Operator(_matmul, (2, 2)),
    "MatMulInteger": Operator(_matmul_integer, (3, 3), fixed=(1, 2)),
    "Mul": Operator(_pairwise(np.multiply), (2, 2)),
    "QuantizeLinear": Operator(_quantize, (3, 3), fixed=(1, 2)),
    "Reshape": Operator(_reshape, (2, 2), attributes=("allowzero",), fixed=(1,)),
    "Sigmoid": Operator(_each(sigmoid), (1, 1)),
    "Softmax": Operator(_softmax, (1, 1), attributes=("axis",)),
    "Split": Operator(_split, (1, 2), (1, 16), attributes=("axis", "num_outputs"), fixed=(1,)),
    "Sub": Operator(_pairwise(np.subtract, whole=True), (2, 2)),
    "Tanh": Operator(_each(np.tanh), (1, 1)),
    "Transpose": Operator(_transpose, (1, 1), attributes=("perm",)),
    "Unsqueeze": Operator(_unsqueeze, (2, 2), fixed=(1,)),
}
"""By their ONNX names: those that our exporter writes, and no other."""
