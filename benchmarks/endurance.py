"""Whether memory stays flat: many sketches drawn in one process, its memory after 10^3, 10^4 and 10^5 of them.

    python benchmarks/endurance.py [bundle] [--sketches 100000] [--provider auto]

Sketches are drawn 500 a call, every hundredth call with one class, the others with all in turn; every tenth call also
streams one and writes one as SVG. Linux only: it reads /proc/self/statm.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.writers import render

CALL = 500


def resident_mb() -> float:
    """Megabytes (10^6) of memory that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def draw(artist: Artist, call: int) -> None:
    """Draw the sketches of one call."""
    classes = artist.classes
    names = [classes[0 if call % 100 == 99 else number % len(classes)] for number in range(CALL)]
    sketches = artist.draw_many(names, seed=call)
    if call % 10 == 0:
        assert sum(1 for _ in artist.stream(names[0], seed=call)) > 1
        assert render(sketches[0], "svg").startswith(b"<?xml")


def main() -> None:
    """Draw, look, and print a line at each power of ten."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", nargs="?")
    parser.add_argument("--sketches", type=int, default=100_000)
    parser.add_argument("--provider", default="auto")
    options = parser.parse_args()
    artist = load(options.bundle, provider=options.provider)
    print(f"memory of one process, {artist.source} on {artist.provider}", flush=True)
    found: dict[int, float] = {}
    began, marks = time.perf_counter(), [10**power for power in range(3, 9)]
    for call in range(-(-options.sketches // CALL)):
        draw(artist, call)
        done = (call + 1) * CALL
        if done in marks:
            found[done] = resident_mb()
            print(f"{done:>9,} sketches  {found[done]:7.1f} MB  {time.perf_counter() - began:6.0f} s", flush=True)
    Path(__file__).with_suffix(".json").write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
