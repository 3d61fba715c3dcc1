"""How likely a model finds strokes, against numbers worked out another way."""

import math
from pathlib import Path

import numpy as np
import pytest

from sketch_edge.runtime.artist import load
from sketch_edge.runtime.errors import BundleError
from sketch_edge.runtime.session import State
from sketch_edge.runtime.together.likelihood import log_likelihood

TINY = Path(__file__).parents[2] / "data" / "tiny.sketch.zip"
M = 3


def density(y: np.ndarray, row: np.ndarray) -> float:
    """Ha & Eck 2017, eqs. 4 to 9, component by component, as written in the paper."""
    pen = np.exp(y[:3]) / np.exp(y[:3]).sum()
    weights = np.exp(y[3 : 3 + M]) / np.exp(y[3 : 3 + M]).sum()
    total = 0.0
    for k in range(M):
        mu = y[[3 + M + k, 3 + 2 * M + k]]
        sigma = np.exp(y[[3 + 3 * M + k, 3 + 4 * M + k]])
        cross = math.tanh(y[3 + 5 * M + k]) * sigma[0] * sigma[1]
        covariance = np.array([[sigma[0] ** 2, cross], [cross, sigma[1] ** 2]])
        away = row[:2] - mu
        exponent = -away @ np.linalg.inv(covariance) @ away / 2
        total += weights[k] * math.exp(exponent) / (2 * math.pi * math.sqrt(np.linalg.det(covariance)))
    return math.log(total) + math.log(pen[row[2:].argmax()])


def test_it_is_the_density_of_the_paper():
    """Row by row through the step graph, for two first states at once."""
    artist = load(TINY, provider="cpu")
    rows = np.array([[0.5, -0.25, 1, 0, 0], [0.125, 1, 0, 1, 0], [-1, 0.5, 1, 0, 0]], np.float32)
    states = artist.session.start(np.array([[0.5, 1, -1, 0], [0, 0, 2, 1]], np.float32), [0, 2])
    expected = []
    for number in range(2):
        steps = artist.session.steps(State(*(array[number : number + 1] for array in states)))
        steps.x[:] = (0, 0, 1, 0, 0)
        total = 0.0
        for row in rows:
            steps.run()
            total += density(steps.y[0].astype(np.float64), row.astype(np.float64))
            steps.x[:] = row
        expected.append(total)
    np.testing.assert_allclose(log_likelihood(artist.session, states, rows), expected, rtol=1e-6)


def test_numbers_that_are_not_finite_are_an_error():
    """A model that gives them is refused, with its name."""

    class Broken:
        where = "broken.zip:step.onnx"

        def start(self, z, class_ids):
            raise NotImplementedError

        def steps(self, state):
            self.x = np.zeros((1, 5), np.float32)
            self.y = np.full((1, 6 * M + 3), np.nan, np.float32)
            return self

        def run(self) -> None:
            pass

    state = State(*(np.zeros((1, 1), np.float32),) * 3)
    with pytest.raises(BundleError, match=r"^broken.zip:step.onnx: gives numbers that are not finite"):
        log_likelihood(Broken(), state, np.array([[0, 0, 1, 0, 0]], np.float32))
