"""What of a graph's arithmetic is more than one call of numpy: products by row, the sigmoid, the LSTM. All float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]

_HALF = np.float32(0.5)


def multiply_rows(a: Floats, b: Floats, out: Floats) -> Callable[[], object]:
    """Give the call that writes a @ b, (B, K) times (K, N), to `out`, each row on its own.

    One product of the whole matrices would be up to twice as fast for many rows, but there the last bits of a row
    depend on the number of rows: BLAS cuts its work up by it. A sketch must not depend on those beside it.
    """
    if len(a) == 1:
        return partial(np.matmul, a, b, out)
    return partial(np.matmul, a[:, None], b, out[:, None])


def sigmoid(x: Floats, out: Floats) -> None:
    """1 / (1 + exp(-x)) as (1 + tanh(x / 2)) / 2, in which nothing overflows."""
    np.multiply(x, _HALF, out)
    np.tanh(out, out)
    np.multiply(out, _HALF, out)
    np.add(out, _HALF, out)


def run_lstm(
    x: Floats,
    lengths: npt.NDArray[np.int32] | None,
    weights: tuple[Floats, Floats, Floats | None],
    first: Sequence[Floats | None],
    backward: bool,
    last: Floats,
) -> None:
    """Run one direction of an LSTM over x of shape (T, B, I); the last h and c go to `last`, shape (2, B, H).

    A sketch that is shorter than T keeps its state in the rows behind its end, so running backward it starts there.
    """
    from_x, from_h, bias = weights
    h, c = last[0], last[1]
    for array, start in zip((h, c), first, strict=True):
        array[:] = 0.0 if start is None else start
    rows, (batch, units) = len(x), h.shape
    gates = np.empty((batch, 4 * units), np.float32)
    sums = np.empty((batch, 4 * units), np.float32)
    add_h = multiply_rows(h, from_h, sums)
    for t in reversed(range(rows)) if backward else range(rows):
        multiply_rows(x[t], from_x, gates)()
        add_h()
        gates += sums
        if bias is not None:
            gates += bias
        sigmoid(gates[:, : 3 * units], sums[:, : 3 * units])  # input, output, forget
        candidate = np.tanh(gates[:, 3 * units :])
        i, o, f = sums[:, :units], sums[:, units : 2 * units], sums[:, 2 * units : 3 * units]
        c_next = f * c + i * candidate
        under_way = True if lengths is None else (t < lengths)[:, None]
        np.copyto(c, c_next, where=under_way)
        np.copyto(h, o * np.tanh(c_next), where=under_way)
