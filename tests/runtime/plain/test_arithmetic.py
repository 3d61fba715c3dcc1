"""Arithmetic of the graphs in float32: against float64, and without warnings."""

import numpy as np
import pytest

from sketch_edge.runtime.plain.arithmetic import multiply_rows, run_lstm, sigmoid

RNG = np.random.default_rng(8)


def real(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def logistic(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(x.astype(np.float64), -700, 700)))


def test_sigmoid_is_right_everywhere():
    """To the last bit or so, with no overflow at the ends; warnings are errors in these tests."""
    x = np.concatenate([np.linspace(-30, 30, 100_001), [-1e30, 1e30, -3e38, 3e38, 0]]).astype(np.float32)
    out = np.empty_like(x)
    sigmoid(x, out)
    np.testing.assert_allclose(out, logistic(x), rtol=0, atol=1.5e-7)
    assert out.min() >= 0
    assert out.max() <= 1


@pytest.mark.parametrize("rows", [1, 2, 7, 64])
def test_products_are_those_of_numpy(rows):
    """Written to where they shall go."""
    a, b = real(rows, 40), real(40, 30)
    out = np.empty((rows, 30), np.float32)
    multiply_rows(a, b, out)()
    np.testing.assert_allclose(out, a.astype(np.float64) @ b, atol=2e-5)


def test_lstm_written_out():
    """The equations, one sketch and one row after the other, in float64."""
    x, w, r, bias, start = real(6, 2, 3), real(12, 3), real(12, 3), real(12), real(2, 2, 3)
    lengths = np.array([6, 4], np.int32)
    last = np.empty((2, 2, 3), np.float32)
    for backward in (False, True):
        run_lstm(x, lengths, (w.T, r.T, bias), tuple(start), backward, last)
        for sketch, length in enumerate(lengths):
            h, c = start[0, sketch].astype(np.float64), start[1, sketch].astype(np.float64)
            for t in range(length)[:: -1 if backward else 1]:
                i, o, f, candidate = np.split(w @ x[t, sketch].astype(np.float64) + r @ h + bias, 4)
                c = logistic(f) * c + logistic(i) * np.tanh(candidate)
                h = logistic(o) * np.tanh(c)
            np.testing.assert_allclose(last[:, sketch], [h, c], atol=2e-6)
