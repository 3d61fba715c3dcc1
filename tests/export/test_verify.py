"""The gates: what has to pass does, and each kind of mistake is seen."""

import copy
from pathlib import Path
from typing import cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from sketch_edge.export.compare import TOLERANCE, Difference  # noqa: E402
from sketch_edge.export.graphs import trace  # noqa: E402
from sketch_edge.export.members import make_members  # noqa: E402
from sketch_edge.export.pack import _manifest  # noqa: E402
from sketch_edge.export.rounded import quantised_copy  # noqa: E402
from sketch_edge.export.verify import Measured, measure, require_parity, rounding_error  # noqa: E402
from sketch_edge.runtime.bundle import Bundle, read_bundle  # noqa: E402
from sketch_edge.runtime.errors import CheckpointError, UnfinishedError  # noqa: E402
from sketch_edge.runtime.manifest import Defaults  # noqa: E402
from sketch_edge.runtime.session import Session  # noqa: E402
from sketch_edge.train.checkpoint import About, Checkpoint  # noqa: E402
from sketch_edge.train.config import Config  # noqa: E402


@pytest.fixture(scope="module")
def bundle(whole):
    return read_bundle(whole.path)


@pytest.fixture(scope="module")
def session(bundle):
    return Session(bundle, provider="cpu")


def test_the_rule_is_absolute_up_to_one_and_relative_beyond():
    """1e-5 of 1 for small numbers, of the number itself for large ones."""
    expected = np.array([0.0, -0.5, 1.0, -200.0])
    just = Difference.of(expected + np.array([1e-5, -1e-5, 1e-5, 2e-3]) * 0.999, expected)
    assert just.share == pytest.approx(0.999)
    assert just.largest == pytest.approx(0.999e-5)
    for place, away in enumerate((1.1e-5, 1.1e-5, 1.1e-5, 2.2e-3)):
        assert Difference.of(expected + away * np.eye(4)[place], expected).share == pytest.approx(1.1)
    assert Difference.of(expected + 1e-5, expected, tolerance=1e-4).share == pytest.approx(0.1)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_never_passes(bad):
    """On either side."""
    good = np.ones(3)
    for found, expected in ((good * [1, bad, 1], good), (good, good * [1, bad, 1])):
        assert Difference.of(found, expected).share == np.inf


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("share", [1.001, float("nan")])
def test_each_of_the_three_can_refuse(place, share):
    """Whatever the other two say; a share of exactly 1 passes."""
    good = Difference(1e-6, 1.0)
    require_parity(Measured(good, good, good, 1.0))
    parts = [good] * 3
    parts[place] = Difference(1e-3, share)
    with pytest.raises(UnfinishedError, match=r"^(step|encode)\.onnx: .* times what is allowed; nothing was written"):
        require_parity(Measured(parts[0], parts[1], parts[2], 1.0))


def test_bundles_pass_with_room_to_spare(exported):
    """Float32 rounding of a small network is far from the tolerance, in steps, over steps and in the encoder."""
    measured = exported.measured
    for found in (measured.step, measured.drift, measured.encode):
        assert 0 < found.largest <= TOLERANCE
        assert found.share < 0.5


def _nudge(weight, place=(0,), by=1e-3):
    weight.data[place] += by


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda model: _nudge(model.head.bias, (32,)), "step"),
        (lambda model: _nudge(model.head.weight, (3, 47)), "step"),
        (lambda model: _nudge(model.decoder.weight_hh_l0, (100, 7)), "step"),
        (lambda model: _nudge(model.decoder.weight_ih_l0, (50, 4)), "step"),
        (lambda model: _nudge(model.decoder.weight_ih_l0, (150, 20)), "step"),
        (lambda model: _nudge(model.decoder.bias_hh_l0, (191,)), "step"),
        (lambda model: _nudge(model.decoder_start.weight, (95, 21)), "step"),
        *((lambda model, row=row: _nudge(model.embedding.weight, (row, 5)), "step") for row in range(3)),
        (lambda model: _nudge(model.encoder_start.bias, (95,)), "encode"),
        (lambda model: _nudge(model.encoder_forward.weight_hh_l0, (30, 7), 1e-2), "encode"),
        (lambda model: _nudge(model.encoder_backward.weight_ih_l0, (70, 0)), "encode"),
        (lambda model: _nudge(model.posterior.weight, (19, 47)), "encode"),
    ],
)
def test_one_weight_that_differs_a_little_is_seen(session, bundle, model, change, what):
    """Any matrix, any class: a graph of other weights than the model's does not pass."""
    other = copy.deepcopy(model)
    change(other)
    with pytest.raises(UnfinishedError, match=rf"^{what}\.onnx: differs from torch"):
        require_parity(measure(other, session, bundle.manifest))


def test_a_rounded_graph_does_not_pass_for_the_whole_model(rounded, model):
    """Int8 weights are compared with themselves; against the float32 ones the same gate refuses."""
    bundle = read_bundle(rounded.path)
    session = Session(bundle, provider="cpu")
    require_parity(measure(quantised_copy(model), session, bundle.manifest))
    with pytest.raises(UnfinishedError, match=r"^step\.onnx: differs from torch"):
        require_parity(measure(model, session, bundle.manifest))


class Forgetful:
    """A session whose graphs lose a little of their state, once, late."""

    def __init__(self, session, after):
        self._session, self._after = session, after
        self.start, self.encode = session.start, session.encode

    def steps(self, state):
        steps = self._session.steps(state)
        return ForgetfulSteps(steps, self._after)


class ForgetfulSteps:
    where = "a test"

    def __init__(self, steps, after):
        self._steps, self._left = steps, after
        self.x, self.y = steps.x, steps.y

    @property
    def state(self):
        return self._steps.state

    def run(self):
        if self._left == 0:
            self._steps.state.c[0, 3] += 1e-3
        self._left -= 1
        self._steps.run()


def test_a_state_that_is_not_handed_on_is_seen_at_any_step(session, bundle, model):
    """At the last of the 250 too."""
    require_parity(measure(model, cast(Session, Forgetful(session, 1000)), bundle.manifest))
    for after in (1, 249):
        with pytest.raises(UnfinishedError, match=r"^step\.onnx: differs from torch in a step"):
            require_parity(measure(model, cast(Session, Forgetful(session, after)), bundle.manifest))


@pytest.mark.parametrize(("factor", "drift"), [(2.0, 100 * TOLERANCE), (6.0, 0.1)])
def test_a_network_that_enlarges_rounding_passes_and_an_error_in_its_graph_does_not(model, factor, drift):
    """With larger recurrent weights both float32 ways drift, in the end at random; each step is as exact as ever."""
    wild = copy.deepcopy(model)
    with torch.no_grad():
        wild.decoder.weight_hh_l0.mul_(factor)
    about = About(("cat", "moon", "star"), 30.0, 60)
    manifest = _manifest(
        Checkpoint(Config(model=wild.config), about, {}, sha256="0" * 64), wild, "wild", "fp32", Defaults(0.3)
    )
    session = Session(
        Bundle(Path("wild"), manifest, make_members(trace(wild), {}, "none", manifest), ""), provider="cpu"
    )
    measured = measure(wild, session, manifest)
    assert measured.drift.largest > drift
    assert measured.step.largest < 0.5 * TOLERANCE
    require_parity(measured)
    _nudge(wild.head.bias)
    with pytest.raises(UnfinishedError, match=r"^step\.onnx: differs from torch in a step"):
        require_parity(measure(wild, session, manifest))


def test_weights_that_overflow_are_the_checkpoints_fault(session, bundle, model):
    """Finite numbers that give none: said as such, not as a fault of the export."""
    huge = copy.deepcopy(model)
    huge.head.weight.data.mul_(1e38).add_(3e38)
    with pytest.raises(CheckpointError, match=r"^weights: give numbers that are not finite; train again"):
        measure(huge, session, bundle.manifest)


def test_rounding_error_of_a_model_with_itself_is_zero(model):
    """The figure measures the difference, nothing else."""
    assert rounding_error(model, model) == (0.0, 0.0)
    assert 0.0 < rounding_error(model, quantised_copy(model)).largest < 0.5
