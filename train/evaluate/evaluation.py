"""From models and a data set to a report: the order in which everything is measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from sketch_edge.runtime.errors import InputError
from sketch_edge.train.dataset import DataSet, load_dataset
from sketch_edge.train.evaluate.bench import Bench, Watch
from sketch_edge.train.evaluate.figures import (
    Options,
    Report,
)
from sketch_edge.train.evaluate.keep import keep_or_train
from sketch_edge.train.evaluate.reference import AGAINST, choose_classes, collect
from sketch_edge.train.evaluate.subject import Subject, SyntheticSubject, check_temperature, open_subject


def evaluate(
    models: Sequence[str | os.PathLike[str] | Subject],
    data: str | os.PathLike[str] | DataSet,
    options: Options | None = None,
    *,
    device: torch.device | None = None,
    watch: Watch = lambda what, done, total: None,
) -> Report:
    """Measure models on the real drawings of a data set.

    Args:
        models: paths of bundles and checkpoints, or anything that draws; side by side in one report.
        data: path of a data.npz, beside which the trained classifier is kept, or a data set.
        options: what is measured.
        device: of the classifier; the CPU where not given.
        watch: told of progress.

    Raises:
        InputError: a class or a number that cannot be, or fewer than two classes in common.
        DataError, BundleError, CheckpointError: a file cannot be read.
    """
    options = options or Options()
    _check(options)
    subjects = _subjects(models)
    dataset = data if isinstance(data, DataSet) else load_dataset(data)
    path = None if isinstance(data, DataSet) else Path(data)
    if options.synthetic:
        subjects.append(_synthetic(dataset))
    _tell_apart(subjects)
    chosen, notes = choose_classes(dataset, [(each.name, each.classes) for each in subjects], options.classes)
    reference = collect(dataset, chosen, options.against, options.limit, notes)
    classifier, sha256 = keep_or_train(
        path,
        [each.training for each in reference.classes],
        reference.names,
        options.classifier,
        device or torch.device("cpu"),
        lambda step: watch("classifier", step, options.classifier.steps),
    )
    bench = Bench(reference, classifier, options, watch)
    figures = tuple(bench.measure(subject) for subject in subjects)
    return Report(
        options=options,
        data={"sha256": dataset.sha256, "drawings": len(dataset), "synthetic": int(dataset.synthetic.sum())},
        classifier={"sha256": sha256, "features": bench.features},
        notes=reference.notes + bench.notes,
        real=bench.real,
        scopes=bench.scopes,
        models=figures,
        shown=bench.shown(),
    )


def _check(options: Options) -> None:
    """Refuse options that nothing can be measured with."""
    for name, value, low in (
        ("--count", options.count, 2),
        ("--limit", options.limit, 1),
        ("--bootstrap", options.bootstrap, 20),
        ("--classifier-steps", options.classifier.steps, 1),
    ):
        if value < low:
            raise InputError(f"{name} {value}: choose a whole number from {low} on")
    if options.against not in AGAINST:
        raise InputError(f"--against {options.against}: choose one of {', '.join(AGAINST)}")
    check_temperature(options.temperature)


def _subjects(models: Sequence[str | os.PathLike[str] | Subject]) -> list[Subject]:
    """Open what is a path."""
    if not models:
        raise InputError("MODEL: missing; give at least one bundle or model.pt")
    return [open_subject(each) if isinstance(each, str | os.PathLike) else each for each in models]


def _tell_apart(subjects: Sequence[Subject]) -> None:
    """Give equal names a number."""
    seen: dict[str, int] = {}
    for subject in subjects:
        seen[subject.name] = seen.get(subject.name, 0) + 1
        if seen[subject.name] > 1:
            subject.name = f"{subject.name} ({seen[subject.name]})"


def _synthetic(data: DataSet) -> SyntheticSubject:
    subject = SyntheticSubject(data)
    if not subject.classes:
        raise InputError("--synthetic: no class of the data set has synthetic drawings; leave it out")
    return subject
