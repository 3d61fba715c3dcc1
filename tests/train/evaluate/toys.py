"""Toy classes whose right answers are known, and toy generators: perfect, copying, scribbling, repeating."""

from __future__ import annotations

import numpy as np

from sketch_edge.runtime.strokes import lines_to_stroke3, round_lines
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.evaluate.drawing import Drawing

CLASSES = ("circle", "ladder", "square", "zigzag")


def toy_lines(name, rng):
    """A wobbly shape: two drawings of a class are never alike."""
    if name == "circle":
        angle = np.linspace(0, 2 * np.pi, 20) + rng.uniform(0, 6)
        radius = 1 + 0.25 * np.sin(2 * angle + rng.uniform(0, 6)) * rng.uniform(0.2, 1)
        lines = [np.stack([np.cos(angle), np.sin(angle)], axis=1) * radius[:, None]]
    elif name == "square":
        lines = [np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) + rng.normal(0, 0.06, (5, 2))]
    elif name == "ladder":
        steps = np.sort(rng.uniform(0.1, 1.9, int(rng.integers(3, 6))))
        lines = [np.array([[x, 0], [x + rng.normal(0, 0.08), 2]]) for x in (0.0, 0.7)]
        lines += [np.array([[0, y], [0.7, y + rng.normal(0, 0.06)]]) for y in steps]
    else:
        count = int(rng.integers(5, 9))
        points = np.stack([np.linspace(0, 2, count), (np.arange(count) % 2) * 0.6], axis=1)
        lines = [points + rng.normal(0, 0.07, points.shape)]
    turn = rng.normal(0, 0.12)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]]) * rng.uniform(80, 120, 2)
    return round_lines([line @ matrix for line in lines])


def toy_drawings(name, count, seed):
    """Drawings that nobody has seen."""
    rng = np.random.default_rng([seed, CLASSES.index(name)])
    return [Drawing.from_lines(toy_lines(name, rng)) for _ in range(count)]


def toy_data(train=120, test=40, classes=CLASSES, seed=0):
    """A data set of so many drawings a class."""
    rows, ids, splits = [], [], []
    for number, name in enumerate(classes):
        for i, drawing in enumerate(toy_drawings(name, train + test, seed)):
            rows.append(lines_to_stroke3(drawing.lines).astype(np.int16))
            ids.append(number)
            splits.append(0 if i < train else 2)
    return DataSet(
        points=np.concatenate(rows),
        offsets=np.concatenate([[0], np.cumsum([len(each) for each in rows])]),
        class_ids=np.asarray(ids, np.int32),
        split_ids=np.asarray(splits, np.uint8),
        synthetic=np.zeros(len(ids), bool),
        class_names=classes,
    )


class Toy:
    """A generator without a network."""

    about = {"kind": "toy"}  # noqa: RUF012
    network = None

    def __init__(self, name, draw, classes=CLASSES):
        self.name, self.classes, self._draw = name, classes, draw

    def temperature_of(self, name):
        return None

    def draw(self, name, count, seed, temperature):
        return self._draw(name, count)


def perfect():
    """Draws as the people of the data set do."""
    return Toy("perfect", lambda name, count: toy_drawings(name, count, seed=99))


def scribbler():
    """Draws the same kind of tangle whatever it is asked for."""

    def draw(name, count):
        rng = np.random.default_rng(CLASSES.index(name))
        return [Drawing.from_lines([rng.uniform(0, 255, (40, 2))]) for _ in range(count)]

    return Toy("scribbler", draw)


def memoriser(data):
    """Draws its training drawings again, moved, made wider, mirrored and a little shaky."""

    def draw(name, count):
        rng = np.random.default_rng(CLASSES.index(name))
        mine = np.flatnonzero((data.class_ids == data.class_names.index(name)) & (data.split_ids == 0))
        found = []
        for index in rng.choice(mine, count):
            original = Drawing.from_stroke3(data.drawing(int(index)))
            points = original.points * rng.uniform(0.9, 1.1, 2) * [rng.choice([-1, 1]), 1] + rng.uniform(-50, 50, 2)
            found.append(Drawing(points + rng.normal(0, 0.8, points.shape), original.ends))
        return found

    return Toy("memoriser", draw)


def one_trick():
    """Draws the same good drawing of each class over and over."""
    return Toy("one-trick", lambda name, count: toy_drawings(name, 1, seed=98) * count)
