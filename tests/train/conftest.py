"""A small data set of real shapes, made here, so that training can be tested without any download."""

import numpy as np
import pytest

from sketch_edge.runtime.strokes import lines_to_stroke3
from sketch_edge.train.dataset import DataSet


def make_shapes(count: int = 40, seed: int = 0) -> DataSet:
    """Circles, squares and crosses of random size and place; 80 % train, 10 % valid, 10 % test, one shape synthetic."""
    rng = np.random.default_rng(seed)
    names = ("circle", "cross", "square")
    pieces, class_ids, split_ids = [], [], []
    for class_id, name in enumerate(names):
        for i in range(count):
            stroke3 = lines_to_stroke3([np.rint(line).astype(np.int64) for line in _shape(name, rng)])
            pieces.append(stroke3.astype(np.int16))
            class_ids.append(class_id)
            split_ids.append(1 if i % 10 == 8 else 2 if i % 10 == 9 else 0)
    lengths = [len(piece) for piece in pieces]
    synthetic = np.zeros(len(pieces), bool)
    synthetic[0] = True
    return DataSet(
        points=np.concatenate(pieces),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        class_ids=np.asarray(class_ids, np.int32),
        split_ids=np.asarray(split_ids, np.uint8),
        synthetic=synthetic,
        class_names=names,
    )


def _shape(name, rng):
    size = rng.uniform(150, 255)
    if name == "circle":
        angle = np.linspace(0, 2 * np.pi, int(rng.integers(10, 16))) + rng.uniform(0, 6)
        return [np.stack([np.cos(angle), np.sin(angle)], axis=1) * size / 2]
    if name == "cross":
        return [np.array([[0, 0], [size, size]]), np.array([[size, 0], [0, size]])]
    return [np.array([[0, 0], [size, 0], [size, size], [0, size], [0, 0]])]


@pytest.fixture(scope="session")
def shapes() -> DataSet:
    return make_shapes()
