"""What a point and a whole command cost, beside torch, the reading of the weights, and the bare import of onnxruntime.

    python benchmarks/drawing.py [bundle] [--rounds 9]

One thread throughout. Points: microseconds a step and sketch, sampling included, for 1, 8 and 64 sketches side by side,
four times as many in all, each drawn to its end at the bundle's temperature. The step path (step.onnx and the sampler
in Python), the draw path (draw.onnx), each in float32, w8 and int8 made of the bundle's weights; the trained network in
eager torch, sampled with torch's own operations, as sketch-rnn is usually sampled; the exporter's cell, in which z and
the class are folded away, in eager torch with the run-time's sampler; the graphs in numpy alone; and, as the floor,
reading the decoder's weights once. Commands: whole processes.

Everything is measured in turns in one run, and the best of all rounds is given: the ratios are what counts. What needs
torch or onnx is left out where they are not installed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from sketch_edge.runtime import blocks, sampler
from sketch_edge.runtime.blocks import draw_blocks
from sketch_edge.runtime.bundle import Bundle, open_bundle
from sketch_edge.runtime.manifest import Manifest
from sketch_edge.runtime.plain.session import PlainSession
from sketch_edge.runtime.sampler import Job, draw_rows
from sketch_edge.runtime.session import Session

BATCHES = (1, 8, 64)
TORCH_STEPS = 40
TIMES = 4
"""Sketches drawn, in batches: the places of ended ones go to others, as in use."""


def step_us(draw: Callable[..., Any], session: Any, manifest: Manifest, batch: int) -> float:
    """Microseconds a step and sketch, sampling included, over sketches drawn `batch` at a time."""
    jobs = [Job(i % len(manifest.classes), 1, i) for i in range(TIMES * batch)]
    groups: Sequence[Sequence[Job]] = [jobs] if batch > 1 else [[job] for job in jobs]
    for module in (sampler, blocks):
        vars(module)["BATCH"] = batch
    before = time.perf_counter()
    rows = [each for group in groups for each in draw(session, manifest, group, manifest.defaults.temperature, 10_000)]
    return (time.perf_counter() - before) * 1e6 / sum(len(each.rows) for each in rows)


def read_us(array: Any, batch: int) -> float:
    """Microseconds that one of `batch` sketches has to wait for when the numbers are read once."""
    before = time.perf_counter()
    for _ in range(10):
        array.max()
    return (time.perf_counter() - before) * 1e5 / batch


def variants(bundle: Bundle) -> dict[str, Bundle]:
    """Make the bundle in float32, w8 and int8 of its own weights; only itself without onnx."""
    if find_spec("onnx") is None or find_spec("torch") is None or bundle.manifest.variant != "w8":
        return {bundle.manifest.variant: bundle}
    import onnx

    from sketch_edge.export.coarse import multiply_whole_numbers
    from sketch_edge.export.whole import assemble_draw

    say, made = bundle.manifest, {}
    for variant, change in (("fp32", unround), ("w8", None), ("int8", multiply_whole_numbers)):
        step = onnx.load_from_string(bundle.members["step.onnx"])
        if change is not None:
            change(step)
        draw = assemble_draw(step, say.sizes, say.scale, say.grid)
        members = {"step.onnx": step.SerializeToString(), "draw.onnx": draw.SerializeToString()}
        made[variant] = replace(bundle, members=dict(bundle.members) | members, manifest=replace(say, variant=variant))
    return made


def unround(step: Any) -> None:
    """Store the weights of a w8 graph in float32, in place."""
    from onnx import numpy_helper

    weights = float_weights(step)
    for node in [node for node in step.graph.node if node.op_type == "DequantizeLinear"]:
        name = node.input[0].removesuffix("_int8")
        step.graph.initializer.append(numpy_helper.from_array(weights[name], node.output[0]))
        step.graph.node.remove(node)
    for tensor in [each for each in step.graph.initializer if each.name.endswith(("_int8", "_scale", "_zero"))]:
        step.graph.initializer.remove(tensor)


def float_weights(graph: Any) -> dict[str, Any]:
    """Weights of a float32 or w8 graph as the graph computes with them."""
    from onnx import numpy_helper

    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.graph.initializer}
    rounded = {name.removesuffix("_int8") for name in stored if name.endswith("_int8")}
    whole = {name: stored[f"{name}_int8"].astype(np.float32) * stored[f"{name}_scale"] for name in rounded}
    return {name: array for name, array in stored.items() if array.dtype == np.float32} | whole


def torch_decoders(bundle: Bundle) -> tuple[Any, Any] | None:
    """A network of the bundle's sizes in eager torch, and the folded cell with its weights; None without torch."""
    if find_spec("onnx") is None or find_spec("torch") is None:
        return None
    import onnx
    import torch

    from sketch_edge.train.config import ModelConfig
    from sketch_edge.train.models.vae import SketchVAE
    from sketch_edge.train.sheet import TorchDecoder

    torch.set_num_threads(1)
    sizes, count = bundle.manifest.sizes, len(bundle.manifest.classes)
    start, step = (float_weights(onnx.load_from_string(bundle.members[f"{name}.onnx"])) for name in ("start", "step"))
    config = ModelConfig(
        decoder_hidden=sizes.hidden,
        latent=sizes.latent,
        mixtures=sizes.mixtures,
        class_embedding=start["embedding"].shape[1],
    )
    torch.manual_seed(0)
    network = SketchVAE(config, count).eval()
    decoder = TorchDecoder(network)
    for module, weights in ((decoder._start, start), (decoder._step, step)):
        for name, buffer in module.named_buffers():
            buffer.copy_(torch.from_numpy(weights[name].copy()))
    return network, decoder


def torch_us(network: Any, manifest: Manifest, batch: int) -> float:
    """Microseconds a step and sketch of the network in eager torch: `batch` sketches, 40 steps, torch's sampling."""
    import torch

    tau, M = manifest.defaults.temperature, manifest.sizes.mixtures
    before = time.perf_counter()
    with torch.no_grad():
        label = network.embedding(torch.arange(batch) % len(manifest.classes))
        z = torch.randn(batch, manifest.sizes.latent) * tau**0.5
        state, condition = network.start(z, label), torch.cat([z, label], dim=1)
        x = torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]]).repeat(batch, 1)
        ended = torch.zeros(batch, dtype=torch.bool)
        for _ in range(TORCH_STEPS):
            hidden, state = network.decoder(torch.cat([x, condition], dim=1)[None], state)
            pen, mixture, *parameters = network.head(hidden[0]).split([3] + [M] * 6, dim=1)
            pen = torch.multinomial(torch.softmax(pen / tau**0.2, dim=1), 1)
            component = torch.multinomial(torch.softmax(mixture / tau, dim=1), 1)
            mu_x, mu_y, log_x, log_y, rho = (each.gather(1, component) for each in parameters)
            rho, (n1, n2) = torch.tanh(rho), (torch.randn(2, batch, 1) * tau**0.5)
            dx, dy = mu_x + log_x.exp() * n1, mu_y + log_y.exp() * (rho * n1 + torch.sqrt(1 - rho**2) * n2)
            x = torch.cat([dx, dy, torch.nn.functional.one_hot(pen[:, 0], 3).float()], dim=1)
            ended |= pen[:, 0] == 2
            bool(ended.all())  # what a loop has to ask, though this one goes on
    return (time.perf_counter() - before) * 1e6 / TORCH_STEPS / batch


def measures(bundle: Bundle) -> dict[str, dict[int, Callable[[], float]]]:
    """What is measured, by name and batch."""
    manifest, found = bundle.manifest, {}
    torchs = torch_decoders(bundle)
    if torchs is not None:
        found["torch, network"] = partial(torch_us, torchs[0], manifest)
        found["torch, folded cell"] = partial(step_us, draw_rows, torchs[1], manifest)
    found["numpy, steps"] = partial(step_us, draw_rows, PlainSession(bundle), manifest)
    sessions = {name: Session(each, provider="cpu") for name, each in variants(bundle).items()}
    for path, draw in (("steps", draw_rows), ("draw graph", draw_blocks)):
        for name, session in sessions.items():
            if path == "steps" or session.draws:
                found[f"{name}, {path}"] = partial(step_us, draw, session, manifest)
    hidden, outputs = manifest.sizes.hidden, manifest.sizes.outputs
    weights = np.ones(hidden * 4 * hidden + 5 * 4 * hidden + hidden * outputs, np.float32)
    found["reading the weights, fp32"] = partial(read_us, weights)
    found["reading the weights, int8"] = partial(read_us, weights.astype(np.int8))
    return {name: {batch: partial(measure, batch) for batch in BATCHES} for name, measure in found.items()}


def process_ms(command: list[str]) -> float:
    """Milliseconds of a whole process."""
    before = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return (time.perf_counter() - before) * 1e3


def peak_mb(command: list[str]) -> float:
    """Megabytes (10^6) that a process needs at its peak; Linux counts them in KiB.

    It is started by a small process: a child counts what its parent had when it was started.
    """
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / 1e6


def installed_mb(python: str) -> float:
    """Megabytes of the packages that are installed for an interpreter."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    folder = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 1e6


def best(measures: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Run all measures in turns, once to warm up, and give the best of each."""
    found: dict[str, list[float]] = {name: [] for name in measures}
    for turn in range(rounds + 1):
        for name, measure in measures.items():
            value = measure()
            if turn:
                found[name].append(value)
    return {name: min(values) for name, values in found.items()}


def show_points(points: dict[str, dict[int, float]]) -> None:
    """Print a row for each way of drawing, with its ratio to torch at batch 1."""
    print(
        "\nus a step and sketch       "
        + "".join(f"{f'batch {batch}':>10}" for batch in BATCHES)
        + "   of torch, batch 1"
    )
    torchs = points.get("torch, network")
    for name, values in points.items():
        ratio = f"{values[1] / torchs[1]:.3f}" if torchs else "-"
        print(f"{name:27}" + "".join(f"{values[batch]:10.1f}" for batch in BATCHES) + f"   {ratio:>10}")


def main() -> None:
    """Measure, print tables, write benchmarks/drawing.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument(
        "--python", default=sys.executable, help="of the whole processes: one with sketch-edge installed"
    )
    parser.add_argument("--no-commands", action="store_true", help="leave the whole processes out")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    options = parser.parse_args()
    bundle = open_bundle(options.bundle)
    manifest = bundle.manifest
    asked = measures(bundle)
    flat = {f"{name}/{batch}": each for name, row in asked.items() for batch, each in row.items()}
    timed = best(flat, options.rounds)
    points = {name: {batch: round(timed[f"{name}/{batch}"], 2) for batch in BATCHES} for name in asked}
    print(f"{bundle.path.name}, {manifest.variant}, hidden {manifest.sizes.hidden}; one thread")
    show_points(points)
    sizes = {name: len(each.members.get("draw.onnx", b"")) for name, each in variants(bundle).items()}
    total = sum(map(len, bundle.members.values()))
    print(f"\nbundle {total:,} bytes; draw graph " + ", ".join(f"{name} {size:,}" for name, size in sizes.items()))
    result: dict[str, Any] = {"us_a_step_and_sketch": points, "bytes": {"bundle": total, "draw graph": sizes}}
    if not options.no_commands:
        processes, peaks = commands(options.python, options.bundle, manifest.classes[0], options.rounds)
        result |= {"ms_a_process": processes, "peak_mb": peaks, "installed_mb": installed_mb(options.python)}
        print("\nwhole process                          ms   of import onnxruntime   peak MB")
        for name, value in processes.items():
            print(f"{name:28} {value:>12.0f}   {value / processes['import onnxruntime']:>21.2f}   {peaks[name]:>7.1f}")
        print(f"\ninstalled packages {result['installed_mb']:.0f} MB")
    options.out.write_text(json.dumps(result, indent=1) + "\n")


def commands(python: str, bundle: Path | None, name: str, rounds: int) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds of whole processes, and their peak of memory."""
    with tempfile.TemporaryDirectory() as folder:
        draw = [str(Path(python).with_name("sketch-draw")), "--class", name, "--seed", "1"]
        draw += ["--model", str(bundle)] if bundle else []
        processes = {
            "python -c pass": [python, "-c", "pass"],
            "import onnxruntime": [python, "-c", "import onnxruntime"],
            "sketch-draw to svg": [*draw, "--out", f"{folder}/a.svg"],
            "sketch-draw to png": [*draw, "--out", f"{folder}/a.png"],
            "the same with numpy alone": [*draw, "--provider", "numpy", "--out", f"{folder}/b.svg"],
        }
        found = best({key: partial(process_ms, command) for key, command in processes.items()}, rounds)
        peaks = {key: round(peak_mb(command), 1) for key, command in processes.items()}
        assert {path.name for path in Path(folder).iterdir()} == {"a.svg", "a.png", "b.svg"}, "nothing was drawn"
    return {key: round(value, 1) for key, value in found.items()}, peaks


if __name__ == "__main__":
    main()
