"""How much the training loop loses to a bare nn.LSTM forward and backward on the same batches.

    python benchmarks/training.py [data.npz] [--steps 20] [--threads N] [--set key=value ...]

The bare loop runs three LSTMs of the model's sizes over tensors of the batches' shapes, in the same precision: no
data, no losses, no clipping, no optimiser. Both are run in turns, in one process, and the ratio is what counts; the
machine's own speed cancels out.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import Config
from sketch_edge.train.dataset import DataSet, load_dataset
from sketch_edge.train.loop import Trainer


def random_walks(drawings: int = 3000, seed: int = 0) -> DataSet:
    """Drawings of the lengths that real ones have (median about 33 points), with random offsets."""
    rng = np.random.default_rng(seed)
    lengths = np.clip(rng.lognormal(3.5, 0.5, drawings), 3, 200).astype(np.int64)
    points = rng.normal(0, 30, (lengths.sum(), 3)).round()
    points[:, 2] = rng.random(len(points)) < 0.1
    return DataSet(
        points=points.astype(np.int16),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        class_ids=rng.integers(0, 8, drawings).astype(np.int32),
        split_ids=(rng.random(drawings) < 0.05).astype(np.uint8),
        synthetic=np.zeros(drawings, bool),
        class_names=tuple(f"class {i}" for i in range(8)),
    )


class BareLoop:
    """Three LSTMs of the model's sizes, forward and backward, and nothing else."""

    def __init__(self, config: Config, autocast: bool) -> None:
        model = config.model
        self.encoders = [torch.nn.LSTM(STROKE, model.encoder_hidden) for _ in range(2)]
        width = STROKE + model.latent + model.class_embedding
        self.decoder = torch.nn.LSTM(width, model.decoder_hidden)
        self.width, self.autocast = width, autocast

    def step(self, batch: Batch) -> None:
        """One forward and backward over inputs of the batch's shape."""
        rows = batch.rows[1:]
        wide = torch.zeros(*rows.shape[:2], self.width)
        wide[:, :, :STROKE] = rows
        with torch.autocast("cpu", torch.bfloat16, enabled=self.autocast):
            outputs = [lstm(rows)[0] for lstm in self.encoders] + [self.decoder(wide)[0]]
        torch.autograd.backward([output.float().mean() for output in outputs])


def points_per_second(step: Callable[[Batch], object], batches: list[Batch]) -> float:
    """Rows learnt from in a second."""
    before = time.perf_counter()
    for batch in batches:
        step(batch)
    return sum(batch.points for batch in batches) / (time.perf_counter() - before)


def main() -> None:
    """Measure, print a table, write benchmarks/training.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    data = load_dataset(options.data) if options.data else random_walks()
    config = Config().replace(dict(text.split("=", 1) for text in options.settings))
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(data, config, Path(folder) / "model.pt", torch.device("cpu"))
    bare = BareLoop(config, trainer.autocast)

    def ours(number: int) -> Callable[[Batch], object]:
        numbers = iter(range(number, number + options.steps))
        # Making the batch is part of the loop's work, so it is made again inside the measured time.
        return lambda _: trainer._step(trainer.batches[next(numbers)])

    rates: dict[str, list[float]] = {"bare": [], "loop": []}
    for turn in range(options.rounds + 1):
        start = turn * options.steps
        batches = [trainer.batches[start + i] for i in range(options.steps)]
        found = {"bare": points_per_second(bare.step, batches), "loop": points_per_second(ours(start), batches)}
        if turn:  # the first turn warms up
            for name, rate in found.items():
                rates[name].append(rate)
    median = {name: statistics.median(values) for name, values in rates.items()}
    ratio = statistics.median(loop / bare for loop, bare in zip(rates["loop"], rates["bare"], strict=True))
    result = {
        "loop_over_bare": round(ratio, 3),
        "loop_points_per_second": round(median["loop"]),
        "bare_points_per_second": round(median["bare"]),
        "precision": "bf16" if trainer.autocast else "fp32",
        "threads": torch.get_num_threads(),
        "batch": config.train.batch,
        "torch": torch.__version__,
    }
    print("\n".join(f"{name:24} {value}" for name, value in result.items()))
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
