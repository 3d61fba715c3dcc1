"""How far the pen travels while it is up, and what ordering costs, beside vpype's `linesort --two-opt`.

    python benchmarks/travel.py [FILE.svg ...] [--vpype PYTHON] [--rounds 3] [--effort 1]

Without files: four drawings made here, each of 2,000 and 20,000 polylines of 8 points on an A4 page, "random" (short
lines anywhere) and "sketch" (5 to 12 lines near each other, as objects on a grid have them). Files are read for their
polylines. PYTHON (or the environment variable VPYPE_PYTHON) is the interpreter of an environment with vpype 1.15; it
sorts in a child process that times the sort alone, in turns with ours. vpype does not count the way to the first line,
so here nobody does. Times are those of the processor, of one thread, so that other work beside does not count; still
the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.plot.order import order_lines

Lines = list[npt.NDArray[np.float64]]

PAGE_MM = (210.0, 297.0)
MARGIN_MM = 10.0
POINTS = 8

VPYPE_SORT = """
import sys, time
import numpy, vpype, vpype_cli
with numpy.load(sys.argv[1]) as data:
    parts = numpy.split(data["points"], data["cuts"])
document = vpype.Document()
document.add(vpype.LineCollection([part[:, 0] + 1j * part[:, 1] for part in parts]), 1)
before = time.process_time()
done = vpype_cli.execute("linesort --two-opt", document)
print(vpype.__version__, time.process_time() - before, done.pen_up_length())
"""


def polyline(rng: random.Random, x: float, y: float, step: float) -> npt.NDArray[np.float64]:
    """A short wiggly line that stays within the margins."""
    way, points = rng.uniform(0, 2 * math.pi), []
    for _ in range(POINTS):
        points.append((x, y))
        way += rng.gauss(0, 0.5)
        x = min(max(x + step * math.cos(way), MARGIN_MM), PAGE_MM[0] - MARGIN_MM)
        y = min(max(y + step * math.sin(way), MARGIN_MM), PAGE_MM[1] - MARGIN_MM)
    return np.array(points)


def random_lines(count: int, seed: int = 1) -> Lines:
    """Short lines anywhere on the page."""
    rng = random.Random(seed)
    step = (10.0 if count <= 5000 else 4.0) / (POINTS - 1)
    low, (width, height) = MARGIN_MM, PAGE_MM
    return [polyline(rng, rng.uniform(low, width - low), rng.uniform(low, height - low), step) for _ in range(count)]


def sketch_lines(count: int, seed: int = 1) -> Lines:
    """Objects of 5 to 12 lines in the cells of a grid, drawn one after the other in a random order."""
    rng = random.Random(seed)
    sizes: list[int] = []
    while sum(sizes) < count:
        sizes.append(min(rng.randint(5, 12), count - sum(sizes)))
    width, height = PAGE_MM[0] - 2 * MARGIN_MM, PAGE_MM[1] - 2 * MARGIN_MM
    columns = max(1, int(math.sqrt(len(sizes) * width / height)))
    cell_width, cell_height = width / columns, height / -(-len(sizes) // columns)
    cells = list(range(len(sizes)))
    rng.shuffle(cells)
    lines: Lines = []
    for size, cell in zip(sizes, cells, strict=True):
        left = MARGIN_MM + (cell % columns) * cell_width
        top = MARGIN_MM + (cell // columns) * cell_height
        for _ in range(size):
            x, y = left + rng.uniform(0.1, 0.9) * cell_width, top + rng.uniform(0.1, 0.9) * cell_height
            lines.append(polyline(rng, x, y, min(cell_width, cell_height) / 10))
    return lines


def read_polylines(path: Path) -> Lines:
    """The polylines of an SVG file, in its units."""
    found = re.findall(r'<polyline[^>]*\bpoints="([^"]+)"', path.read_text(encoding="utf-8"))
    lines = [np.array([float(number) for number in re.split(r"[\s,]+", text.strip())]).reshape(-1, 2) for text in found]
    if not lines:
        sys.exit(f"{path}: holds no polylines")
    return lines


def inputs(paths: list[Path]) -> Iterator[tuple[str, Lines]]:
    """Name and lines of each drawing that is measured."""
    for path in paths:
        yield path.stem, read_polylines(path)
    if not paths:
        for count in (2000, 20000):
            yield f"random_{count}", random_lines(count)
            yield f"sketch_{count}", sketch_lines(count)


def ours(lines: Lines, how: str, effort: float) -> tuple[float, float]:
    """Seconds of the processor and travel of our order."""
    before = time.process_time()
    order = order_lines(lines, how, start=None, effort=effort)
    return time.process_time() - before, order.travel_mm


def vpypes(lines: Lines, python: str) -> tuple[float, float]:
    """Seconds and travel of `vpype linesort --two-opt`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.npz"
        np.savez(path, points=np.concatenate(lines), cuts=np.cumsum([len(line) for line in lines])[:-1])
        run = subprocess.run([python, "-c", VPYPE_SORT, str(path)], capture_output=True, text=True, check=False)
    if run.returncode:
        sys.exit(f"{python}: cannot run vpype\n{run.stderr}")
    version, seconds, travel = run.stdout.split()
    if not version.startswith("1.15"):
        sys.exit(f"{python}: has vpype {version} (expected 1.15); pip install 'vpype==1.15.*'")
    return float(seconds), float(travel)


def measure(lines: Lines, options: argparse.Namespace) -> dict[str, float]:
    """Travel of every order, and the medians of the times, taken in turns."""
    times: dict[str, list[float]] = {}
    travel: dict[str, float] = {"given": order_lines(lines, "keep", start=None).travel_mm}
    for turn in range(options.rounds):
        for name in ("nearest", "best"):
            seconds, travel[name] = ours(lines, name, options.effort)
            times.setdefault(name, []).append(seconds)
        # vpype takes half a minute for the large drawings: there one round is exact enough.
        if options.vpype and (turn == 0 or len(lines) <= 5000):
            seconds, travel["vpype"] = vpypes(lines, options.vpype)
            times.setdefault("vpype", []).append(seconds)
    found: dict[str, float] = {f"{name} mm": value for name, value in travel.items()}
    found |= {f"{name} s": statistics.median(values) for name, values in times.items()}
    return found


def row(name: str, found: dict[str, Any]) -> str:
    """One drawing's line of the table."""
    cells = [f"{name:14} {found['given mm']:>11,.0f}"]
    cells += [f"{found[f'{how} mm']:>9,.0f} {found[f'{how} s']:>7.3f}" for how in ("nearest", "best")]
    if "vpype mm" in found:
        shares = found["best mm"] / found["vpype mm"], found["best s"] / found["vpype s"]
        cells += [f"{found['vpype mm']:>9,.0f} {found['vpype s']:>7.3f}", f"{shares[0]:>6.3f} {shares[1]:>6.3f}"]
    return " | ".join(cells)


def main() -> None:
    """Measure, print a table, write benchmarks/travel.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--vpype", default=os.environ.get("VPYPE_PYTHON"), metavar="PYTHON")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    order_lines(random_lines(100))  # numpy's first calls are slow
    print("travel with the pen up in mm, and seconds of the processor for ordering\n")
    head = f"{'':14} {'given':>11} | {'nearest':^17} | {'best':^17}"
    print(head + (f" | {'vpype --two-opt':^17} | {'of vpype':^13}" if options.vpype else ""))
    results: dict[str, Any] = {}
    for name, lines in inputs(options.files):
        results[name] = measure(lines, options)
        print(row(name, results[name]), flush=True)
    if not options.vpype:
        print("\nfor the comparison: python -m venv V && V/bin/pip install 'vpype==1.15.*', then --vpype V/bin/python")
    options.out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
