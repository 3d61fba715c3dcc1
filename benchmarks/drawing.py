"""What a step and a whole command cost, beside torch and beside the bare import of onnxruntime.

    python benchmarks/drawing.py [bundle] [--rounds 5]

One thread throughout. Steps: the step graph with the run-time's sampler, against the same sampler on the same cell in
eager torch (random weights of the bundle's sizes; left out where torch is not installed), for 1, 8 and 64 sketches at
once. Commands: whole processes. Everything is measured in turns in one run; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

from sketch_edge.runtime.bundle import open_bundle
from sketch_edge.runtime.manifest import Manifest
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.session import Session

BATCHES = (1, 8, 64)
POINTS = 60


def step_us(session: Any, manifest: Manifest, batch: int) -> float:
    """Microseconds a step and sketch, sampling included, over sketches drawn `batch` at a time."""
    jobs = [Job(i % len(manifest.classes), 1, i) for i in range(batch)]
    before = time.perf_counter()
    rows = list(islice(draw_rows(session, manifest, jobs, 0.5, POINTS), batch))
    return (time.perf_counter() - before) * 1e6 / sum(len(each.rows) for each in rows)


def torch_session(manifest: Manifest) -> Any | None:
    """The same decoder in eager torch, with random weights; None without torch."""
    try:
        import torch
    except ImportError:
        return None
    from sketch_edge.train.config import ModelConfig
    from sketch_edge.train.model import SketchVAE
    from sketch_edge.train.sheet import TorchDecoder

    torch.set_num_threads(1)
    torch.manual_seed(0)
    sizes = manifest.sizes
    config = ModelConfig(decoder_hidden=sizes.hidden, latent=sizes.latent, mixtures=sizes.mixtures)
    return TorchDecoder(SketchVAE(config, len(manifest.classes)))


def process_ms(command: list[str]) -> float:
    """Milliseconds of a whole process."""
    before = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - before) * 1e3


def medians(measures: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run all measures in turns, once to warm up, and give the median of each."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if turn:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> None:
    """Measure, print a table, write benchmarks/drawing.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    manifest = bundle.manifest
    session, eager = Session(bundle, provider="cpu"), torch_session(manifest)
    measures: dict[str, Callable[[], float]] = {}
    for batch in BATCHES:
        measures[f"bundle, batch {batch}"] = lambda batch=batch: step_us(session, manifest, batch)  # type: ignore[misc]
        if eager is not None:
            measures[f"torch, batch {batch}"] = lambda batch=batch: step_us(eager, manifest, batch)  # type: ignore[misc]
    steps = medians(measures, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        command = "from sketch_edge.cli.draw import main; main()"
        draw = [sys.executable, "-c", command, "--class", manifest.classes[0], "--seed", "1", "--out"]
        more = ["--model", str(options.bundle)] if options.bundle else []
        processes = medians(
            {
                "python -c pass": lambda: process_ms([sys.executable, "-c", "pass"]),
                "import onnxruntime": lambda: process_ms([sys.executable, "-c", "import onnxruntime"]),
                "sketch-draw to svg": lambda: process_ms([*draw, f"{folder}/a.svg", *more]),
                "sketch-draw to png": lambda: process_ms([*draw, f"{folder}/a.png", *more]),
            },
            options.rounds,
        )
        assert {path.name for path in Path(folder).iterdir()} == {"a.svg", "a.png"}, "nothing was drawn"
    print(f"{bundle.path.name}, {manifest.variant}, hidden {manifest.sizes.hidden}; one thread")
    print("\nstep with sampling       us a step a sketch   of torch")
    for batch in BATCHES:
        ours, torchs = steps[f"bundle, batch {batch}"], steps.get(f"torch, batch {batch}")
        print(f"batch {batch:<18} {ours:>18.1f}   {f'{ours / torchs:.2f}' if torchs else '-':>8}")
    print("\nwhole process                          ms   of import onnxruntime")
    for name, value in processes.items():
        print(f"{name:28} {value:>12.0f}   {value / processes['import onnxruntime']:>8.2f}")
    print(f"\nbundle {sum(map(len, bundle.members.values())):,} bytes")
    options.out.write_text(json.dumps({"us_a_step": steps, "ms_a_process": processes}, indent=1) + "\n")


if __name__ == "__main__":
    main()
