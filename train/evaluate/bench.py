"""The real drawings, judged once, and the place where each model is measured beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.manifest import fold_name
from sketch_edge.train.evaluate.bootstrap import Estimate, mean_over_classes, ratio_of_means
from sketch_edge.train.evaluate.classifier import Classifier, Looks
from sketch_edge.train.evaluate.comparing import Compared, Ground
from sketch_edge.train.evaluate.copies import Nearest, Originals, is_copy, is_near, thresholds
from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.figures import (
    ALL,
    COPIES_BAR,
    LARGE,
    RECALL_BAR,
    TOP1_BAR,
    Bar,
    ClassFigures,
    ModelFigures,
    ModelScope,
    Options,
    RealFigures,
    RealScope,
    Shown,
)
from sketch_edge.train.evaluate.likelihood import Likelihoods, likelihoods
from sketch_edge.train.evaluate.reference import RealClass, Reference
from sketch_edge.train.evaluate.statistics import MEASURES, effect, measure
from sketch_edge.train.evaluate.subject import Subject, SyntheticSubject

Floats = npt.NDArray[np.float64]
T = TypeVar("T")
Watch = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

SHOWN_REAL = 12
TOP = 5
LOSSES = ("offset", "pen", "reconstruction", "kl", "per_point")


class Bench:
    """The real drawings, judged once, and the place where each model is measured on them."""

    def __init__(self, reference: Reference, classifier: Classifier, options: Options, watch: Watch) -> None:
        self.reference, self.classifier, self.options, self.watch = reference, classifier, options, watch
        self.notes: tuple[str, ...] = ()
        classes = reference.classes
        self.held = [classifier.look(each.held) for each in self._watched("real drawings", classes)]
        self._training = [self._look_at_training(each, held) for each, held in zip(classes, self.held, strict=True)]
        self._fresh = [classifier.look(each.fresh).features for each in classes]
        self.features = self.held[0].features.shape[1]
        self.originals = [Originals(each.learnt) for each in self._watched("training drawings", classes)]
        among = [
            originals.nearest_among(len(each.training))
            for originals, each in zip(self._watched("distances", self.originals), classes, strict=True)
        ]
        self.thresholds = thresholds(among)
        self.measures = [measure([*each.training, *each.held]) for each in classes]
        self.real = tuple(self._real(number, among[number]) for number in range(len(classes)))
        self.grounds: dict[str, Ground] = {}
        self.floors: dict[str, Compared] = {}
        self.scopes = self._scopes()
        self._drawn: list[list[list[Drawing]]] = []
        self._likeness: list[list[list[float]]] = []
        self._nearest: list[list[list[tuple[float, int, bool]]]] = []

    def measure(self, subject: Subject) -> ModelFigures:
        """Let a model draw, and measure what it drew."""
        options, classes = self.options, self.reference.classes
        names = {fold_name(name): name for name in reversed(subject.classes)}
        called = [names[fold_name(each.name)] for each in classes]
        drawn, taus = [], [options.temperature] * len(called)
        if options.temperature is None:
            taus = [subject.temperature_of(name) for name in called]
        for name in self._watched(f"{subject.name}: drawing", called):
            drawn.append(subject.draw(name, options.count, options.seed, options.temperature))
        looks = [self.classifier.look(each) for each in self._watched(f"{subject.name}: judging", drawn)]
        nearest = self._nearest_originals(subject, drawn)
        losses = self._losses(subject, called)
        measures = [measure(each) for each in drawn]
        scopes = {name: self._model_scope(name, looks) for name in self.scopes}
        copies = self._copies(nearest)
        self._keep(drawn, looks, nearest)
        return ModelFigures(
            name=subject.name,
            about=subject.about,
            temperature=taus[0] if len(set(taus)) == 1 else None,
            bars=self._bars(scopes, copies),
            scopes=scopes,
            copies=copies,
            effects=self._effects(measures),
            losses=None if losses is None else self._mean_losses(losses),
            classes=tuple(
                self._class(number, taus[number], looks[number], nearest[number], measures[number], losses)
                for number in range(len(classes))
            ),
        )

    def _nearest_originals(self, subject: Subject, drawn: Sequence[list[Drawing]]) -> list[Nearest]:
        """For the drawings of each class, the nearest ones that they may have been copied from."""
        watched, found = self._watched(f"{subject.name}: distances", self.originals), []
        for originals, each, real in zip(watched, drawn, self.reference.classes, strict=True):
            if isinstance(subject, SyntheticSubject):
                originals = originals.first(len(real.training))
            found.append(originals.nearest_to(each))
        return found

    def shown(self) -> dict[str, Shown]:
        """Drawings for the pages, once all models are measured."""
        return {
            each.name: Shown(
                real=(each.held + each.training)[:SHOWN_REAL],
                drawn=[drawn[number] for drawn in self._drawn],
                likeness=[likeness[number] for likeness in self._likeness],
                nearest=[nearest[number] for nearest in self._nearest],
                learnt=each.learnt,
            )
            for number, each in enumerate(self.reference.classes)
        }

    def _watched(self, what: str, items: Sequence[T]) -> Iterator[T]:
        """Give items one by one, and tell how far it is."""
        for number, item in enumerate(items):
            yield item
            self.watch(what, number + 1, len(items))

    def _look_at_training(self, real: RealClass, held: Looks) -> Floats:
        """Features of some training drawings of a class: as many times more than held ones as there are repeats."""
        most = self.options.repeats * max(1, len(held.features))
        rng = np.random.default_rng([self.options.seed, 4])
        chosen = rng.permutation(len(real.training))[:most]
        return self.classifier.look([real.training[int(i)] for i in chosen]).features

    def _real(self, number: int, among: Nearest) -> RealFigures:
        each, threshold = self.reference.classes[number], self.thresholds[number]
        rank, alone = self.held[number].rank(number), len(each.training) < 2
        means = self.measures[number].mean(axis=0).tolist()
        return RealFigures(
            name=each.name,
            real=each.real,
            training=len(each.training),
            learnt=len(each.learnt),
            held=len(each.held),
            top1=float((rank < 1).mean()) if len(rank) else None,
            top5=float((rank < TOP).mean()) if len(rank) else None,
            near=None if alone else float(is_near(among, threshold).mean()),
            copies=None if alone else float(is_copy(among, threshold).mean()),
            threshold=threshold,
            measures=dict(zip(MEASURES, means, strict=True)),
        )

    def _members(self, scope: str) -> list[int]:
        """Classes of a scope that have held drawings."""
        least = self.options.large if scope == LARGE else 1
        return [i for i, each in enumerate(self.reference.classes) if each.held and each.real >= least]

    def _scopes(self) -> dict[str, RealScope]:
        """Ceiling and floor of the large classes and of all."""
        titles = {LARGE: f"classes with at least {self.options.large} real drawings", ALL: "all classes"}
        scopes = {}
        for number, (name, title) in enumerate(titles.items()):
            members = self._members(name)
            if not members:
                self.notes += (f"No {title} with held-back drawings: not measured.",)
                continue
            sizes = [min(len(self.held[i].features), len(self._training[i]), self.options.count) for i in members]
            features = [self.held[i].features for i in members]
            ground = Ground(features, sizes, self.options.repeats, self.options.bootstrap, self.options.seed)
            self.grounds[name] = ground
            fresh = None
            if ground.enough:
                self.floors[name] = ground.compare([self._training[i] for i in members])
                if all(len(self._fresh[i]) >= size for i, size in zip(members, sizes, strict=True)):
                    fresh = ground.compare([self._fresh[i] for i in members]).summary
            ranks = [self.held[i].rank(i) for i in members]
            scopes[name] = RealScope(
                title=title,
                classes=tuple(self.reference.names[i] for i in members),
                held=sum(map(len, ranks)),
                top1=self._share([rank < 1 for rank in ranks], 10 + number),
                top5=self._share([rank < TOP for rank in ranks], 10 + number),
                floor=self.floors[name].summary if name in self.floors else None,
                fresh=fresh,
            )
        return scopes

    def _model_scope(self, name: str, looks: Sequence[Looks]) -> ModelScope:
        members = self._members(name)
        ranks = [looks[i].rank(i) for i in members]
        hits = [(rank < 1).astype(np.float64) for rank in ranks]
        real = [(self.held[i].rank(i) < 1).astype(np.float64) for i in members]
        compared = None
        if name in self.floors:
            compared = self.grounds[name].compare([looks[i].features for i in members])
        return ModelScope(
            top1=self._share(hits, 20),
            top5=self._share([rank < TOP for rank in ranks], 20),
            top1_ratio=ratio_of_means(hits, real, self.options.bootstrap, self._rng(21)),
            comparison=None if compared is None else compared.summary,
            recall_ratio=None if compared is None else self.grounds[name].recall_ratio(compared, self.floors[name]),
        )

    def _copies(self, nearest: Sequence[Nearest]) -> dict[str, Estimate]:
        """Shares of copies and near drawings, mean over the classes of many and of few training drawings."""
        found = {}
        for size, many in (("many", True), ("few", False)):
            members = [
                i
                for i, each in enumerate(self.reference.classes)
                if (len(each.learnt) >= self.options.copies_from) == many
            ]
            if members:
                for name, judge in (("copies", is_copy), ("near", is_near)):
                    shares = [judge(nearest[i], self.thresholds[i]) for i in members]
                    found[f"{name}_{size}"] = self._share(shares, 30)
        return found

    def _bars(self, scopes: dict[str, ModelScope], copies: dict[str, Estimate]) -> tuple[Bar, ...]:
        large = scopes.get(LARGE)
        on = f"mean over classes with at least {self.options.large} real drawings"
        top1 = None if large is None else large.top1_ratio
        recall = None if large is None else large.recall_ratio
        asked = (
            ("top-1 of generated drawings over that of real test drawings", top1, TOP1_BAR, True, on),
            ("recall over that of real training against real test drawings", recall, RECALL_BAR, True, on),
            ("copies", copies.get("copies_many"), COPIES_BAR, False, self._title_of_many()),
        )
        return tuple(
            Bar(what, found, bar, least, _passes(found, bar, least), on) for what, found, bar, least, on in asked
        )

    def _title_of_many(self) -> str:
        return f"mean over classes with at least {self.options.copies_from} training drawings"

    def _effects(self, measures: Sequence[Floats]) -> dict[str, float | None]:
        """Mean over classes of how far means are from those of real drawings; None where these nowhere vary."""
        rows = np.abs([effect(real, drawn) for real, drawn in zip(self.measures, measures, strict=True)])
        columns = [column[np.isfinite(column)] for column in rows.T]
        means = [float(column.mean()) if len(column) else None for column in columns]
        return dict(zip(MEASURES, means, strict=True))

    def _class(
        self,
        number: int,
        temperature: float | None,
        looks: Looks,
        nearest: Nearest,
        measures: Floats,
        losses: list[Likelihoods | None] | None,
    ) -> ClassFigures:
        rank, threshold = looks.rank(number), self.thresholds[number]
        seen = np.bincount(looks.probabilities.argmax(axis=1), minlength=len(self.reference.classes))
        seen[number] = 0
        other, mine = int(seen.argmax()), losses[number] if losses is not None else None
        return ClassFigures(
            name=self.reference.names[number],
            drawn=len(rank),
            temperature=temperature,
            top1=float((rank < 1).mean()),
            top5=float((rank < TOP).mean()),
            taken_for=self.reference.names[other] if seen[other] else None,
            taken_share=float(seen[other] / len(rank)),
            near=float(is_near(nearest, threshold).mean()),
            copies=float(is_copy(nearest, threshold).mean()),
            distance=float(np.median(nearest.distance)),
            measures=dict(zip(MEASURES, measures.mean(axis=0).tolist(), strict=True)),
            losses=None if mine is None else {name: float(getattr(mine, name).mean()) for name in LOSSES},
        )

    def _losses(self, subject: Subject, called: Sequence[str]) -> list[Likelihoods | None] | None:
        """Losses of the held drawings of each class; None for a class without, and for a model without a network."""
        network = subject.network
        if network is None or not self.options.losses:
            return None
        drawings = [drawing for each in self.reference.classes for drawing in each.held]
        counts = [len(each.held) for each in self.reference.classes]
        ids = np.repeat([subject.classes.index(name) for name in called], counts).tolist()
        done = 0

        def on_done(count: int) -> None:
            nonlocal done
            done += count
            self.watch(f"{subject.name}: losses", done, len(drawings))

        found, start, parts = likelihoods(network, drawings, ids, on_done), 0, []
        for count in counts:
            parts.append(found.part(slice(start, start + count)) if count else None)
            start += count
        return parts

    def _mean_losses(self, losses: Sequence[Likelihoods | None]) -> dict[str, Estimate]:
        known = [each for each in losses if each is not None]
        if not known:
            return {}
        rng = self._rng(40)
        return {
            name: mean_over_classes([getattr(each, name) for each in known], self.options.bootstrap, rng)
            for name in LOSSES
        }

    def _keep(self, drawn: list[list[Drawing]], looks: Sequence[Looks], nearest: Sequence[Nearest]) -> None:
        """Remember what the pages show."""
        self._drawn.append(drawn)
        self._likeness.append([look.probabilities[:, i].tolist() for i, look in enumerate(looks)])
        self._nearest.append(
            [
                list(zip(each.distance.tolist(), each.index.tolist(), is_copy(each, threshold).tolist(), strict=True))
                for each, threshold in zip(nearest, self.thresholds, strict=True)
            ]
        )

    def _share(self, values: Sequence[npt.NDArray[Any]], purpose: int) -> Estimate:
        return mean_over_classes(
            [np.asarray(each, np.float64) for each in values], self.options.bootstrap, self._rng(purpose)
        )

    def _rng(self, purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.options.seed, purpose])


def _passes(found: Estimate | None, bar: float, at_least: bool) -> bool | None:
    if found is None:
        return None
    return found.value >= bar if at_least else found.value <= bar
