"""The figures and the picture of a model card, from a checkpoint, its data set and its bundle.

    python benchmarks/model_card.py model.pt data.npz model.sketch.zip --sheet models/sheet.png

Prints Markdown: settings, losses of the validation and test split, and drawings of each class. Draws a sheet of every
class of the bundle with the run-time, at the bundle's own temperature.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.layout import sheet
from sketch_edge.runtime.writers.png import render
from sketch_edge.train.checkpoint import Checkpoint, load_checkpoint
from sketch_edge.train.config import Config
from sketch_edge.train.dataset import SPLITS, TEST, TRAIN, VALID, DataSet, load_dataset
from sketch_edge.train.loop import Trainer

CELL_MM = 16.0


def losses_table(checkpoint: Checkpoint, data: DataSet) -> list[str]:
    """Losses of the exported weights on the splits that training did not learn from, z at its posterior mean."""
    config = replace(checkpoint.config, train=replace(checkpoint.config.train, precision="fp32"))
    trainer = Trainer(data, config, Path("unused.pt"), torch.device("cpu"))
    trainer.running.load_state_dict(checkpoint.weights)
    lines = ["| split | drawings | L_s | L_p | L_R | KL |", "|---|---|---|---|---|---|"]
    for split in (VALID, TEST):
        found = trainer.evaluate(split)
        lines.append(
            f"| {SPLITS[split]} | {len(data.indices(split)):,} | {found.offset:.4f} | {found.pen:.4f} "
            f"| {found.reconstruction:.4f} | {found.kl:.4f} |"
        )
    return lines


def counts_table(data: DataSet, classes: tuple[str, ...]) -> list[str]:
    """Drawings of each class: trained on, made by a model among them, held out."""
    counts = data.counts()
    lines = ["| class | train | of them synthetic | valid | test |", "|---|---|---|---|---|"]
    for name in classes:
        i = data.class_names.index(name)
        made = int((data.synthetic & (data.class_ids == i)).sum())
        lines.append(f"| {name} | {counts[i, TRAIN]} | {made or '-'} | {counts[i, VALID]} | {counts[i, TEST]} |")
    return lines


def settings_line(config: Config) -> str:
    """The settings that differ from the preset's."""
    usual = Config().to_dict()
    changed = {name: value for name, value in config.to_dict().items() if usual[name] != value}
    return " ".join(f"{name}={value}" for name, value in changed.items())


def draw_sheet(artist: Artist, path: Path, classes: list[str], drawings: int, columns: int, seed: int) -> None:
    """Draw every class, `columns` classes beside each other, each with its name at the left."""
    rows = [artist.draw_many([name] * drawings, seed=seed) for name in classes]
    write_atomic(path, render(sheet(rows, classes, cell_mm=CELL_MM, columns=columns), width_px=1800))


def main() -> None:
    """Print the card's tables and draw its sheet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--classes", default="", help="of the sheet; all where not given")
    parser.add_argument("--drawings", type=int, default=6)
    parser.add_argument("--columns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    artist = load(options.bundle)
    classes = [name for name in options.classes.split(",") if name] or list(artist.classes)
    if options.sheet:
        draw_sheet(artist, options.sheet, classes, options.drawings, options.columns, options.seed)
    checkpoint, data = load_checkpoint(options.checkpoint), load_dataset(options.data)
    print(f"`{settings_line(checkpoint.config)}`\n")
    print("\n".join([*losses_table(checkpoint, data), "", *counts_table(data, artist.classes)]))


if __name__ == "__main__":
    main()
