"""A picture of what benchmarks/drawing.py measured.

Call: python benchmarks/picture.py [drawing.json] [docs/speed.svg]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROWS = {
    "torch, network": "torch, eager",
    "fp32, steps": "step by step, float32",
    "w8, steps": "step by step, w8 (shipped)",
    "w8, draw graph": "whole sketch, w8 (shipped)",
    "int8, draw graph": "whole sketch, int8",
    "numpy, steps": "numpy alone, w8",
    "reading the weights, fp32": "reading float32 weights once",
    "reading the weights, int8": "reading int8 weights once",
}


def main() -> None:
    """Draw bars for one sketch at a time and for 64."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams |= {"svg.hashsalt": "sketch-edge", "svg.fonttype": "none"}  # else ids are random, letters paths
    import matplotlib.pyplot as plt

    source = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("drawing.json")
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).parents[1] / "docs" / "speed.svg"
    points = json.loads(source.read_text())["us_a_step_and_sketch"]
    rows = [name for name in ROWS if name in points]
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
    for axis, batch, title in zip(axes, ("1", "64"), ("one sketch at a time", "64 at once"), strict=True):
        values = [points[name][batch] for name in rows]
        colors = ["#b0b0b0" if name.startswith(("torch", "reading")) else "#1f5fb4" for name in rows]
        bars = axis.barh([ROWS[name] for name in rows], values, color=colors)
        axis.bar_label(bars, [f"{value:.3g}" for value in values], padding=3, fontsize=8)
        axis.set_title(f"µs a step and sketch, {title}", fontsize=9)
        axis.set_xscale("log")
        axis.set_xlim(right=max(values) * 2.5)
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=8)
    axes[0].invert_yaxis()
    figure.tight_layout()
    figure.savefig(target, format="svg", metadata={"Date": None})
    print(target)


if __name__ == "__main__":
    main()
