"""Ways through the latent space."""

import math

import numpy as np
import pytest

from sketch_edge.runtime.session import State
from sketch_edge.runtime.together.latent import blend, slerp, spread

A, B = (np.array(values, np.float32) for values in ([3, 0, 0, 0], [0, 2, 0, 0]))


def state(*values: float) -> State:
    return State(*(np.array([[value]], np.float32) for value in values))


def test_the_ends_are_exact():
    """Share 0 and 1 are the two themselves, to the last bit, and copies."""
    one, other = (np.random.default_rng(seed).normal(size=64).astype(np.float32) for seed in (1, 2))
    assert slerp(one, other, 0.0).tobytes() == one.tobytes()
    assert slerp(one, other, 1.0).tobytes() == other.tobytes()
    assert slerp(one, other, 0.0) is not one


def test_half_of_a_right_angle():
    """sin(pi/4) / sin(pi/2) of each."""
    np.testing.assert_allclose(slerp(A, B, 0.5), [3 / math.sqrt(2), math.sqrt(2), 0, 0], rtol=1e-6)


def test_the_way_stays_on_the_sphere():
    """Between two of one length every point has that length, and the angle grows evenly."""
    for share in (0.1, 0.3, 0.9):
        point = slerp(A, B * 1.5, share)
        assert np.linalg.norm(point) == pytest.approx(3, rel=1e-6)
        assert math.atan2(point[1], point[0]) == pytest.approx(share * math.pi / 2, rel=1e-6)


@pytest.mark.parametrize(
    ("first", "last", "middle"), [(A, A, [3, 0, 0, 0]), (A, -A, [0, 0, 0, 0]), (0 * A, B, [0, 1, 0, 0])]
)
def test_where_there_is_no_arc_the_way_is_straight(first, last, middle):
    """The same direction, the opposite one, and none at all."""
    np.testing.assert_allclose(slerp(first, last, 0.5), middle, atol=1e-6)


def test_spread_goes_from_a_drawing_to_the_prior():
    """Amount 0 is z, amount 1 the normals, half of it half of both variances."""
    assert spread(A, B, 0).tobytes() == A.tobytes()
    np.testing.assert_allclose(spread(A, B, 1), B, atol=1e-6)
    np.testing.assert_allclose(spread(A, B, 0.5), (A + B) / math.sqrt(2), rtol=1e-6)


def test_spread_keeps_the_variance_of_the_prior():
    """Of two normals it makes a normal."""
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 100_000)).astype(np.float32)
    assert np.var(spread(one, other, 0.3)) == pytest.approx(1, abs=0.02)


def test_blend_is_what_a_mixed_embedding_gives():
    """With a start that is affine in the embedding up to a tanh, as exported ones are."""
    weights = np.random.default_rng(3).normal(size=(3, 5))

    def start(embedding: np.ndarray) -> State:
        gate, h, c = (row @ embedding for row in weights)
        return state(gate, math.tanh(h), math.tanh(c))

    one, other = np.random.default_rng(4).normal(size=(2, 5))
    for mixed, array in zip(start(0.7 * one + 0.3 * other), blend(start(one), start(other), 0.3), strict=True):
        np.testing.assert_allclose(array, mixed, rtol=1e-4)


def test_blend_ends_exactly_and_is_finite_in_between():
    """Also where a tanh has reached 1."""
    one, other = state(0.1, 1.0, -1.0), state(0.3, 0.5, 1.0)
    assert blend(one, other, 0.0) is one
    assert blend(one, other, 1.0) is other
    assert all(np.isfinite(array).all() and array.dtype == np.float32 for array in blend(one, other, 0.5))
