"""Everything that is measured, as it stands in report.json."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from sketch_edge.train.evaluate.bootstrap import Estimate
from sketch_edge.train.evaluate.classifier import ClassifierSettings
from sketch_edge.train.evaluate.drawing import Drawing

FORMAT = 1

LARGE, ALL = "large", "all"

TOP1_BAR = 0.95
RECALL_BAR = 0.8
COPIES_BAR = 0.05


@dataclass(frozen=True)
class Options:
    """What is measured and how."""

    classes: tuple[str, ...] = ()
    """Names; none for all that every model draws and the data set has real training drawings of."""

    count: int = 100
    """Drawings that each model makes of each class."""

    temperature: float | None = None
    """0 to 10; each model's own where not given."""

    seed: int = 0
    """Of the drawings, of the bootstrap and of what is shown."""

    limit: int = 5000
    """At most so many drawings of a class and split are used, real and synthetic ones each, chosen by chance."""

    synthetic: bool = False
    """Whether the data set's synthetic drawings are measured beside the models, as if one of them had drawn them."""

    against: str = "test"
    """What generated drawings are compared with: "test", or "held-out" for valid and test together."""

    large: int = 100
    """Classes of at least so many real drawings make up the first two bars."""

    copies_from: int = 250
    """Classes of at least so many training drawings make up the third."""

    bootstrap: int = 1000
    """Samples behind each interval."""

    repeats: int = 10
    """Sets of generated drawings, as large as the real ones, that distances are taken of and averaged."""

    losses: bool = True
    """Whether losses are taken."""

    classifier: ClassifierSettings = field(default_factory=ClassifierSettings)


@dataclass(frozen=True)
class RealFigures:
    """Real drawings of one class."""

    name: str
    real: int
    """Real drawings in all splits."""

    training: int
    """Real drawings that the classifier learned from."""

    learnt: int
    """Drawings of the train split, those that models made included."""

    held: int
    """Real drawings that models are compared with."""

    top1: float | None
    """Share of the held drawings that the classifier recognises; None where there are none."""

    top5: float | None
    near: float | None
    """Share of real training drawings that are as near to another as a copy; None where there is one alone."""

    copies: float | None
    """Share of them that would be called copies."""

    threshold: float
    """Distance below which a drawing is near."""

    measures: dict[str, float]
    """Means over real training and held drawings (`train/evaluate/statistics.py`)."""


@dataclass(frozen=True)
class ClassFigures:
    """Drawings that a model made of one class."""

    name: str
    drawn: int
    temperature: float | None
    """That it was drawn with; None where it is not known."""

    top1: float
    top5: float
    taken_for: str | None
    """The other class that the classifier most often sees instead."""

    taken_share: float
    """How often it does."""

    near: float
    copies: float
    distance: float
    """Median distance from the nearest training drawing."""

    measures: dict[str, float]
    losses: dict[str, float] | None
    """Means over held drawings: offset, pen, reconstruction, kl, per_point; None where there are none."""


@dataclass(frozen=True)
class Comparison:
    """A set of drawings beside held-back real ones, class by class as many."""

    drawings: int
    """In each of the two sets."""

    frechet: Estimate
    precision: Estimate
    recall: Estimate


@dataclass(frozen=True)
class RealScope:
    """Real drawings of some classes: the ceiling and the floor."""

    title: str
    classes: tuple[str, ...]
    """Those with held drawings."""

    held: int
    top1: Estimate
    top5: Estimate
    floor: Comparison | None
    """Real training drawings beside held ones; None where there are too few."""

    fresh: Comparison | None
    """Real drawings of the valid split beside held ones; None where there are fewer than of these."""


@dataclass(frozen=True)
class ModelScope:
    """A model's drawings of the same classes."""

    top1: Estimate
    top5: Estimate
    top1_ratio: Estimate | None
    """Over the real drawings' top-1."""

    comparison: Comparison | None
    recall_ratio: Estimate | None
    """Recall over that of real training drawings."""


@dataclass(frozen=True)
class Bar:
    """A figure that a model has to reach."""

    what: str
    found: Estimate | None
    bar: float
    at_least: bool
    """Else at most."""

    passed: bool | None
    """None where it could not be measured."""

    on: str
    """Which classes."""


@dataclass(frozen=True)
class ModelFigures:
    """One model."""

    name: str
    about: Mapping[str, str | int]
    temperature: float | None
    """Of all classes; None where it is not known, or classes have their own."""

    bars: tuple[Bar, ...]
    scopes: dict[str, ModelScope]
    copies: dict[str, Estimate]
    """Mean share over classes: copies and near, of many and of few training drawings."""

    effects: dict[str, float | None]
    """Mean over classes of the differences from real drawings, in standard deviations; None where these do not vary."""

    losses: dict[str, Estimate] | None
    """Means over classes."""

    classes: tuple[ClassFigures, ...]


@dataclass(frozen=True, eq=False)
class Shown:
    """Drawings of one class for the pages of the report."""

    real: list[Drawing]
    """Held ones first."""

    drawn: list[list[Drawing]]
    """Of each model, as they came."""

    likeness: list[list[float]]
    """What chance the classifier gives to the class, of each of these."""

    nearest: list[list[tuple[float, int, bool]]]
    """Distance from the nearest training drawing, its number, and whether it was copied, of each of these."""

    learnt: list[Drawing]


@dataclass(frozen=True)
class Report:
    """What `evaluate` gives."""

    options: Options
    data: dict[str, Any]
    classifier: dict[str, Any]
    notes: tuple[str, ...]
    real: tuple[RealFigures, ...]
    scopes: dict[str, RealScope]
    models: tuple[ModelFigures, ...]
    shown: dict[str, Shown] = field(repr=False)
    """By class name; not in the JSON."""

    def to_dict(self) -> dict[str, Any]:
        """Every figure as plain numbers, texts, lists and dictionaries; what could not be measured is None."""
        names = ("options", "data", "classifier", "notes", "real", "scopes", "models")
        return {"format": FORMAT, **{name: _plain(getattr(self, name)) for name in names}}


def _plain(value: Any) -> Any:
    """Turn dataclasses into dictionaries, and round: digits beyond the sixth tell nothing."""
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value
