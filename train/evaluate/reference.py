"""The real drawings that models are held against: which classes, which drawings, and what each is used for.

============ ====================================================================================================
training     real drawings of the train split: the classifier learns from them, and from nothing else
learnt       all drawings of the train split, also those that models made: what a model may have copied
held back    real drawings of the test split (or of test and valid): what a model's drawings are compared with
============ ====================================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import fold_name, short
from sketch_edge.train.dataset import TEST, TRAIN, VALID, DataSet
from sketch_edge.train.evaluate.drawing import Drawing

AGAINST = {"test": (TEST,), "held-out": (VALID, TEST)}


@dataclass(frozen=True)
class RealClass:
    """The drawings of one class."""

    name: str
    """As the data set writes it."""

    training: list[Drawing]
    learnt: list[Drawing]
    """`training` and then the drawings that models made."""

    held: list[Drawing]
    """May be empty where a class has few drawings."""

    fresh: list[Drawing]
    """Real drawings of the valid split, where that is not held against models: a floor that no classifier saw."""

    real: int
    """Real drawings of all splits together: what tells large classes from small ones."""


@dataclass(frozen=True)
class Reference:
    """Real drawings, class by class."""

    classes: tuple[RealClass, ...]
    notes: tuple[str, ...]
    """What was left out, and why: a sentence each."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the classes, as the data set writes them."""
        return tuple(each.name for each in self.classes)


def choose_classes(
    data: DataSet, models: Sequence[tuple[str, Sequence[str]]], asked: Sequence[str]
) -> tuple[list[int], list[str]]:
    """Which classes of the data set are measured, by number, and notes on what is left out.

    Args:
        data: the data set.
        models: name and classes of each model; only what all of them can draw is measured.
        asked: names, or none for all that can be.

    Raises:
        InputError: a class that was asked for cannot be measured, or fewer than two are left.
    """
    known = {fold_name(name): number for number, name in enumerate(data.class_names)}
    real = np.bincount(data.class_ids[(data.split_ids == TRAIN) & ~data.synthetic], minlength=len(data.class_names))
    for name in asked:
        for model, classes in models:
            if fold_name(name) not in set(map(fold_name, classes)):
                raise InputError(f"--classes {short(name)}: is not among the {len(classes)} classes of {model}")
        if fold_name(name) not in known:
            raise InputError(f"--classes {short(name)}: is not among the {len(known)} classes of the data set")
        if real[known[fold_name(name)]] == 0:
            raise InputError(f"--classes {short(name)}: has no real drawing in the train split; leave it out")
    if asked:
        chosen = sorted({known[fold_name(name)] for name in asked})
        notes: list[str] = []
    else:
        chosen, notes = _shared_classes(data, models, known, real.tolist())
    if len(chosen) < 2:
        raise InputError(
            f"classes: {len(chosen)} can be measured (expected at least 2, for a classifier to tell apart); "
            "give models and a data set that share classes"
        )
    return chosen, notes


def _shared_classes(
    data: DataSet, models: Sequence[tuple[str, Sequence[str]]], known: dict[str, int], real: list[int]
) -> tuple[list[int], list[str]]:
    """All classes that every model draws and the data set has real training drawings of."""
    folded = [{fold_name(name) for name in classes} for _, classes in models]
    common = set.intersection(*folded)
    notes = []
    for what, names in (
        ("not all models draw", set.union(*folded) - common),
        ("the data set does not have", common - set(known)),
        ("no real training drawing is of", {name for name in common & set(known) if real[known[name]] == 0}),
    ):
        if names:
            notes.append(f"Left out because {what} it: {', '.join(sorted(names))}.")
    return sorted(known[name] for name in common & set(known) if real[known[name]] > 0), notes


def collect(data: DataSet, chosen: Sequence[int], against: str, limit: int, notes: Sequence[str]) -> Reference:
    """Take the drawings of the chosen classes out of a data set.

    Args:
        data: the data set.
        chosen: class numbers.
        against: "test" or "held-out".
        limit: at most so many drawings of a class and kind are used.
        notes: carried over; one is added where the limit leaves drawings out.
    """
    train, held = data.split_ids == TRAIN, np.isin(data.split_ids, AGAINST[against])
    fresh = np.zeros(len(data), bool) if VALID in AGAINST[against] else data.split_ids == VALID
    classes, cut = [], []
    for number in chosen:
        mine = data.class_ids == number
        kinds = (mine & train & ~data.synthetic, mine & train & data.synthetic, mine & held, mine & fresh)
        if max(kind.sum() for kind in kinds) > limit:
            cut.append(data.class_names[number])
        training, made, kept, other = (_drawings(data, np.flatnonzero(kind), limit) for kind in kinds)
        real = int((mine & ~data.synthetic).sum())
        classes.append(RealClass(data.class_names[number], training, training + made, kept, other, real))
    added = f"{limit} drawings of each split were used of: {', '.join(cut)}. Copies of others are not seen."
    return Reference(tuple(classes), (*notes, *([added] if cut else [])))


def _drawings(data: DataSet, indices: npt.NDArray[np.intp], limit: int) -> list[Drawing]:
    """At most `limit` of the drawings, by chance but always the same ones, in the order of the data set."""
    if len(indices) > limit:
        indices = np.sort(np.random.default_rng(0).permutation(indices)[:limit])
    return [Drawing.from_stroke3(data.drawing(int(index))) for index in indices]
