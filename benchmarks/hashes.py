"""Print a hash of every sketch of some seeds, drawn in every way: equal lines on two machines are equal drawings.

Needs nothing but an installed sketch-edge. usage: python hashes.py [COUNT] [WAY...]     e.g.  python hashes.py 100
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from sketch_edge import Sketch, load
from sketch_edge.runtime.artist import Artist

COUNT = 100
BATCH = 64


def digest(points: Iterable[tuple[float, float, bool]]) -> str:
    """A hash of points: x, y, and whether the move to the point leaves ink."""
    return hashlib.sha256(np.array(list(points), np.float64).tobytes()).hexdigest()[:16]


def streamed(artist: Artist, names: Sequence[str]) -> list[str]:
    """Point by point."""
    streams = (artist.stream(name, seed=seed) for seed, name in enumerate(names))
    return [digest((point.x, point.y, point.drawn) for point in stream) for stream in streams]


def alone(artist: Artist, names: Sequence[str]) -> list[str]:
    """One after the other."""
    return [hash_of(artist.draw(name, seed=seed)) for seed, name in enumerate(names)]


def together(artist: Artist, names: Sequence[str]) -> list[str]:
    """Each at the head of a batch of others, drawn until it is done."""
    others = [artist.classes[place % len(artist.classes)] for place in range(1, BATCH)]
    return [hash_of(next(artist.draw_each([name, *others], seed=seed))) for seed, name in enumerate(names)]


def chosen(artist: Artist, names: Sequence[str]) -> list[str]:
    """Each the most typical of eight."""
    return [hash_of(artist.draw(name, seed=seed, best_of=8)) for seed, name in enumerate(names)]


def hash_of(sketch: Sketch) -> str:
    """The hash of a sketch's points."""
    return digest((x, y, place > 0) for line in sketch.lines for place, (x, y) in enumerate(line.tolist()))


WAYS: dict[str, tuple[str, int, Callable[[Artist, Sequence[str]], list[str]]]] = {
    "cpu-alone": ("cpu", 1, alone),
    "cpu-together": ("cpu", 1, together),
    "cpu-two-threads": ("cpu", 2, alone),
    "cpu-streamed": ("cpu", 1, streamed),
    "cpu-chosen": ("cpu", 1, chosen),
    "numpy-alone": ("numpy", 1, alone),
    "numpy-together": ("numpy", 1, together),
    "numpy-streamed": ("numpy", 1, streamed),
}
"""Provider, threads, and how the sketches are drawn."""


def main() -> None:
    """Print a line for each way and seed."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    for way in sys.argv[2:] or WAYS:
        provider, threads, draw = WAYS[way]
        artist = load(provider=provider, threads=threads)
        names = [artist.classes[seed % len(artist.classes)] for seed in range(count)]
        for seed, (name, value) in enumerate(zip(names, draw(artist, names), strict=True)):
            print(f"{way}\t{seed}\t{name}\t{value}", flush=True)


if __name__ == "__main__":
    main()
