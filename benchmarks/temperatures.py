"""A temperature for each class of a bundle: the freest at which its drawings are still recognised.

    python benchmarks/temperatures.py model.sketch.zip data.npz > temperatures.json
    sketch-export model.pt --temperatures temperatures.json

Freer drawings are more varied and less often recognised. For each class some temperatures are tried, and the largest is
taken at which a judge recognises enough of what it recognises at the best of them (KEPT). The judge learnt from
the real training drawings of data.npz; it is not the one of sketch-eval, and no held-back drawing is looked at.
Progress goes to standard error.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.manifest import fold_name
from sketch_edge.train.dataset import load_dataset
from sketch_edge.train.recognise import Recogniser

TRIED = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
KEPT, KEPT_OF_FEW = 0.8, 0.9
"""Share of the best recognised share that is enough. What was learnt from few drawings has little variety to show, so
neatness goes first there."""

MANY = 100
"""Real drawings from which on a class is not one of few."""

JUDGE_SEED = 2
"""sketch-eval's judge has 0, that of sketch-data sample 1."""

DRAWING_SEED = 2
"""Other drawings than sketch-eval's, which have seed 0."""


def recognised(artist: Artist, judge: Recogniser, name: str, temperature: float, count: int) -> float:
    """Mean probability that the judge gives to the class, over drawings of a temperature."""
    drawn = list(artist.draw_each([name] * count, seed=DRAWING_SEED, temperature=temperature))
    return float(np.mean(judge.look(name, drawn)))


def choose(shares: list[float], kept: float) -> float:
    """The temperature, from the recognised shares of those TRIED; neighbours are averaged, as each is noisy."""
    padded = [shares[0], *shares, shares[-1]]
    smooth = [sum(padded[i : i + 3]) / 3 for i in range(len(shares))]
    enough = [tau for tau, share in zip(TRIED, smooth, strict=True) if share >= kept * max(smooth)]
    return max(enough)


def main() -> None:
    """Try all temperatures on all classes and print the choice."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--count", type=int, default=80, help="drawings of each class and temperature")
    options = parser.parse_args()
    artist = load(options.bundle)
    judge = Recogniser(options.data, artist.classes, seed=JUDGE_SEED)
    data = load_dataset(options.data)
    real = np.bincount(data.class_ids[~data.synthetic], minlength=len(data.class_names))
    counts = {fold_name(name): int(count) for name, count in zip(data.class_names, real, strict=True)}
    chosen = {}
    for name in artist.classes:
        shares = [recognised(artist, judge, name, tau, options.count) for tau in TRIED]
        chosen[name] = choose(shares, KEPT if counts[fold_name(name)] >= MANY else KEPT_OF_FEW)
        print(f"{name}: {chosen[name]:g} of {' '.join(f'{share:.2f}' for share in shares)}", file=sys.stderr)
    print(json.dumps(chosen, indent=1))


if __name__ == "__main__":
    main()
