"""A judge of drawings for `sketch-data sample`: which of a model's drawings show what they are meant to show.

It is the classifier of sketch-eval (`evaluate/classifier.py`), trained on the real training drawings of a data set and
on nothing else, but from another seed: what a model learns from the drawings that one judge let through is measured
by another. A model that goes on learning from its own recognised drawings beside the real ones draws more of them
recognisably (rejection sampling; Touvron et al. 2023, arXiv:2307.09288, section 3.2.3, do so with texts).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import fold_name, short
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.train.dataset import load_dataset
from sketch_edge.train.evaluate.classifier import ClassifierSettings
from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.keep import keep_or_train
from sketch_edge.train.evaluate.reference import choose_classes, collect

SEED = 1
"""Of the judge; sketch-eval's own has 0 unless another is asked for."""

LEAST = 0.5
"""Probability of the meant class from which on a drawing counts as recognised."""

STEPS = ClassifierSettings.steps
"""Mini-batches that the judge learns."""

LIMIT = 5000
"""Real drawings of a class that the judge learns from, at most."""


class Recogniser:
    """Tells how surely drawings show their class, among all classes of a data set.

    Args:
        data: a data.npz; the trained judge is kept beside it.
        classes: names that `look` will be asked about; each must have real training drawings.
        progress: told how many mini-batches the judge has learnt, and how many there are.
        seed: another seed, another judge.

    Raises:
        DataError: the file cannot be read.
        InputError: one of `classes` has no real training drawings, or fewer than two classes of the data set have.
    """

    def __init__(
        self,
        data: str | os.PathLike[str],
        classes: Sequence[str],
        progress: Callable[[int, int], None] = lambda done, total: None,
        seed: int = SEED,
    ) -> None:
        path = Path(data)
        content = load_dataset(path)
        chosen, _ = choose_classes(content, [("", content.class_names)], ())
        reference = collect(content, chosen, "test", LIMIT, ())
        self._labels = {fold_name(name): number for number, name in enumerate(reference.names)}
        for name in classes:
            if fold_name(name) not in self._labels:
                raise InputError(f"{path}: has no real drawings to recognise {short(name)} by; name other classes")
        self._judge, sha256 = keep_or_train(
            path,
            [each.training for each in reference.classes],
            reference.names,
            ClassifierSettings(steps=STEPS, seed=seed),
            torch.device("cpu"),
            lambda step: progress(step, STEPS),
        )
        self.name = sha256[:12]
        """Of the judge; its weights, data and settings decide it."""

    def look(self, name: str, sketches: Sequence[Sketch]) -> npt.NDArray[np.float64]:
        """Probability of the class `name` for each sketch, (n,)."""
        drawings = [Drawing.from_lines(sketch.lines) for sketch in sketches]
        return self._judge.look(drawings).probabilities[:, self._labels[fold_name(name)]]
