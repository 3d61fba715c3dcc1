"""Random scenes in great number on the pen simulator, for every machine: python tests/runtime/plot/soak.py 10000

Prints what went wrong, and a table; ends with 1 if anything did. `--first` begins at another number.
"""

import argparse
import sys
import time

import random_scenes  # type: ignore[import-not-found]
import simulator  # type: ignore[import-not-found]


def main() -> int:
    """Try scenes `first` to `first` + `count` - 1 on all machines; with names, on these only."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--first", type=int, default=0)
    given = parser.parse_args()
    bad = 0
    for name, machine in random_scenes.machines().items():
        if given.names and name not in given.names:
            continue
        began, moves, strokes, wrong = time.monotonic(), 0, 0, 0

        def simulate(text, machine):
            nonlocal moves, strokes
            report = simulator.simulate(text, machine)
            moves, strokes = moves + report.moves, strokes + len(report.strokes)
            return report

        for number in range(given.first, given.first + given.count):
            try:
                found = random_scenes.faults(random_scenes.make(number, machine), simulate)
            except Exception as error:
                found = [f"{type(error).__name__}: {error}"]
            if found:
                wrong += 1
                print(f"scene {number} on {name}: {'; '.join(found)}", flush=True)
        seconds = time.monotonic() - began
        print(
            f"{name}: {given.count} scenes, {strokes} strokes, {moves} moves, {wrong} wrong, {seconds:.0f} s",
            flush=True,
        )
        bad += wrong
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
