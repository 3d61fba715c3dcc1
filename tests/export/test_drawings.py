"""Gates on drawings: what differs is seen, what is alike passes."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from sketch_edge.export.compare import to_bytes
from sketch_edge.export.drawings import BOUNDS, LIKE, compare, largest_gap, require_like_drawings
from sketch_edge.export.whole import assemble_draw
from sketch_edge.runtime.bundle import read_bundle
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.sampler import Rows
from sketch_edge.runtime.session import Session


def drawn(seed: int, sketches: int = 300, spread: float = 100.0, lifts: float = 0.2, points: int = 40) -> list[Rows]:
    """Sketches of random numbers."""
    random = np.random.default_rng(seed)
    made = []
    for _ in range(sketches):
        count = random.poisson(points) + 1
        moves = np.rint(random.normal(0, spread, (count, 2)))
        rows = np.column_stack([moves, random.random(count) < lifts]).astype(np.int64)
        made.append(Rows(rows, bool(random.random() < 0.98)))
    return made


def test_the_largest_gap_is_that_of_the_cumulative_shares():
    """By hand: after 2 all of the first and half of the second were seen."""
    assert largest_gap(np.array([1, 2]), np.array([2, 3, 1, 4])) == 0.5
    assert largest_gap(np.array([5, 5]), np.array([5])) == 0.0
    assert largest_gap(np.array([1]), np.array([2])) == 1.0


def test_slack_forgives_what_moved_a_little():
    """Numbers that all moved by the slack are alike, either way; by more, or some of them far, they are not."""
    some = np.array([10, 20, 20, 30])
    assert largest_gap(some, some + 3, 3) == largest_gap(some, some - 3, 3) == 0.0
    assert largest_gap(some, some + 4, 3) == largest_gap(some - 4, some, 3) == 0.5
    assert largest_gap(some, np.array([10, 20, 50, 30]), 3) == 0.25


def test_equal_drawings_are_not_apart():
    """All four are zero."""
    assert set(vars(compare(drawn(1), drawn(1))).values()) == {0.0}


def test_drawings_of_one_law_pass():
    """Other seeds, the same distribution: within the bounds."""
    likeness = compare(drawn(1), drawn(2))
    assert all(getattr(likeness, name) <= bound for name, bound in BOUNDS.items())


@pytest.mark.parametrize(
    ("name", "other"),
    [("offset", {"spread": 115.0}), ("pen", {"lifts": 0.23}), ("length", {"points": 42})],
)
def test_each_kind_of_departure_is_over_its_bound(name, other):
    """Moves a seventh longer, three lifts more in a hundred points, two points more in forty."""
    assert getattr(compare(drawn(1), drawn(2, **other)), name) > BOUNDS[name]


def test_sketches_that_do_not_end_are_noticed():
    """One in ten that runs on."""
    cut = [Rows(each.rows, each.complete and number % 10 > 0) for number, each in enumerate(drawn(2))]
    assert compare(drawn(1), cut).ended > BOUNDS["ended"]


def test_enough_sketches_are_compared():
    """Fewer could not tell."""
    assert LIKE >= 256


@pytest.mark.parametrize(("first", "count", "by", "what"), [(18, 10, 0.5, "offset"), (1, 1, 0.4, "pen|length")])
def test_a_model_that_draws_otherwise_is_refused(whole, rounded, first, count, by, what):
    """Wider sigmas, a pen that lifts more: the error names what is apart; the rounded model passes."""
    original, bundle = Session(read_bundle(whole.path), "cpu"), read_bundle(rounded.path)
    say = bundle.manifest
    require_like_drawings(Session(bundle, "cpu"), original, say)
    step = onnx.load_from_string(bundle.members["step.onnx"])
    (bias,) = (tensor for tensor in step.graph.initializer if tensor.name == "output_bias")
    values = onnx.numpy_helper.to_array(bias).copy()
    values[first : first + count] += by
    bias.CopyFrom(onnx.numpy_helper.from_array(values, bias.name))
    draw = assemble_draw(step, say.sizes, say.scale, say.grid)
    other = replace(bundle, members=dict(bundle.members) | {"draw.onnx": to_bytes(draw)})
    with pytest.raises(UnfinishedError, match=rf"^draw\.onnx: rounding changes the drawings: ({what}) is 0\.\d+ apart"):
        require_like_drawings(Session(other, "cpu"), original, say)
