"""Self-check of one of Google Magenta's decoders: the loss L_R over drawings, beside the r_loss that its file states.

    python benchmarks/magenta_loss.py bear.gen.json bear.raw.ndjson --times 2
    python benchmarks/magenta_loss.py bear.gen.json bear.ndjson --side 850

Drawings are simplified with RDP (epsilon 1.0), as those that the models learnt from. Losses of densities compare at
equal units alone: raw drawings are in the pixels of their canvas (--times: how many of the model's pixels one is), the
simplified ones are scaled to the size that the model draws (--side). The last line is the loss over the model's own
drawings at temperature 1.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sketch_edge.export.magenta import import_model
from sketch_edge.export.magenta_file import MagentaModel, read_magenta
from sketch_edge.export.magenta_reading import reconstruction_loss
from sketch_edge.runtime.artist import load
from sketch_edge.runtime.strokes import fit_to_box, lines_to_stroke3, simplified_to_lines, simplify_line

Drawing = npt.NDArray[np.float64]


def read_drawings(path: Path, most: int, side: float | None, times: float, epsilon: float) -> list[Drawing]:
    """Drawings as stroke-3, in the model's pixels."""
    drawings = []
    with path.open(encoding="utf-8") as file:
        for text in file:
            content: dict[str, Any] = json.loads(text)
            lines = [simplify_line(line, epsilon) for line in simplified_to_lines(content["drawing"])]
            lines = fit_to_box(lines, side) if side is not None else [line * times for line in lines]
            drawings.append(np.asarray(lines_to_stroke3(lines), np.float64))
            if len(drawings) == most:
                break
    return drawings


def own_drawings(model: MagentaModel, count: int) -> list[Drawing]:
    """What the model itself draws at temperature 1, in its own pixels."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.sketch.zip"
        import_model(model, path, quantize="none")
        artist = load(path)
    factor = model.scale_factor / artist.manifest.scale
    sketches = artist.draw_many([model.label] * count, seed=1, temperature=1.0)
    return [sketch.stroke3 * (factor, factor, 1.0) for sketch in sketches if sketch.complete]


def report(what: str, model: MagentaModel, drawings: list[Drawing]) -> None:
    """One line: how many, how long, how large, and the loss."""
    kept = [drawing for drawing in drawings if 1 <= len(drawing) <= model.max_points]
    points = np.median([len(drawing) for drawing in kept])
    spread = np.concatenate([drawing[:, :2] for drawing in kept]).std()
    loss = reconstruction_loss(model, kept)
    print(f"{what:24} {len(kept):5} drawings  {points:4.0f} points  offsets spread {spread:6.1f}  L_R {loss:8.4f}")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("drawings", type=Path, nargs="*")
    parser.add_argument("--side", type=float, help="scale the larger side of each drawing to so many pixels")
    parser.add_argument("--times", type=float, default=1.0, help="the model's pixels in one of the drawings")
    parser.add_argument("--epsilon", type=float, default=1.0)
    parser.add_argument("--most", type=int, default=500)
    options = parser.parse_args()
    model = read_magenta(options.model)
    print(f"{model.file}: scale_factor {model.scale_factor:g}, stated {dict(model.stated) or 'nothing'}")
    for path in options.drawings:
        drawings = read_drawings(path, options.most, options.side, options.times, options.epsilon)
        report(path.name, model, drawings)
    report("its own, temperature 1", model, own_drawings(model, 300))


if __name__ == "__main__":
    main()
