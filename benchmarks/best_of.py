"""What choosing the most typical of several drawings brings, and what it costs in variety and time.

    python benchmarks/best_of.py model.sketch.zip data.npz [--count 100] [--factor 1]

For each number of drawings to choose from: how often a judge that learnt from real drawings alone names the chosen one
as meant (top-1, top-5; over the listed classes, and over those with at least 100 real drawings), how much of the
variety of real drawings is there (recall, beside that of real training drawings), copies, and the time of one drawing
beside that of a drawing without a choice. Prints a table in Markdown. Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.evaluation import evaluate
from sketch_edge.train.evaluate.figures import ALL, LARGE, Options

NUMBERS = (1, 4, 8, 16)
"""To choose from; the first is no choice, which the times are compared with."""

ROUNDS = 5


class Choosing:
    """A bundle whose drawings are each the most typical of several; what `evaluate` takes for a model."""

    network = None

    def __init__(self, artist: Artist, best_of: int, factor: float) -> None:
        self._artist, self.best_of, self._factor = artist, best_of, factor
        self.name = f"best of {best_of}"

    @property
    def classes(self) -> tuple[str, ...]:
        """Those listed."""
        return self._artist.listed_classes

    @property
    def about(self) -> Mapping[str, str | int]:
        """Nothing that the report needs."""
        return {"kind": "choice", "best_of": self.best_of}

    def temperature_of(self, name: str) -> float:
        """That of the class, times the factor."""
        return self._artist.temperature_of(name) * self._factor

    def draw(self, name: str, count: int, seed: int, temperature: float | None) -> list[Drawing]:
        """Draw `count` sketches, each chosen from `best_of`."""
        tau = self.temperature_of(name) if temperature is None else temperature
        drawn = self._artist.draw_each([name] * count, seed=seed, temperature=tau, best_of=self.best_of)
        return [Drawing.from_lines(sketch.lines) for sketch in drawn]


def seconds_of(artist: Artist, best_of: int) -> float:
    """Seconds of one drawing of every listed class, the least of some rounds."""
    least = float("inf")
    for _ in range(ROUNDS):
        began = perf_counter()
        for name in artist.listed_classes:
            artist.draw(name, seed=1, best_of=best_of)
        least = min(least, perf_counter() - began)
    return least


def main() -> None:
    """Measure all numbers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=100, help="drawings of each class and number")
    parser.add_argument("--factor", type=float, default=1.0, help="what the classes' temperatures are multiplied by")
    options = parser.parse_args()
    artist = load(options.bundle)
    subjects = [Choosing(artist, number, options.factor) for number in NUMBERS]
    report = evaluate(
        subjects,
        options.data,
        Options(count=options.count, losses=False, classes=artist.listed_classes),
        watch=lambda what, done, total: print(f"\r{what} {done}/{total}   ", end="", file=sys.stderr),
    )
    print(file=sys.stderr)
    seconds = [seconds_of(artist, number) for number in NUMBERS]
    print("| best of | top-1 | top-5 | top-1, many drawings | recall over real's | copies, many | few | time |")
    print("|---|---|---|---|---|---|---|---|")
    for number, model, time in zip(NUMBERS, report.models, seconds, strict=True):
        scope, large = model.scopes[ALL], model.scopes[LARGE]
        estimates = [scope.top1, scope.top5, large.top1, large.recall_ratio]
        estimates += [model.copies.get(which) for which in ("copies_many", "copies_few")]
        cells = ["" if each is None else f"{each.value:.3f}" for each in estimates]
        cells.append(f"{time / seconds[0]:.1f}")
        print(f"| {number} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
