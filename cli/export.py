"""sketch-export: from a checkpoint to a bundle, and a look into either."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketch_edge.cli.command import FiniteRange, SketchCommand, escape, say
from sketch_edge.runtime.errors import CheckpointError, InputError
from sketch_edge.runtime.files import check_writable, refuse_same
from sketch_edge.runtime.manifest import TEMPERATURE

if TYPE_CHECKING:
    from sketch_edge.export.pack import ExportReport


@click.command("sketch-export", cls=SketchCommand)
@click.argument("model", metavar="MODEL.PT", required=False, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="The bundle to write.  [default: MODEL.sketch.zip]")
@click.option(
    "--quantize",
    default="w8",
    type=click.Choice(["none", "w8", "int8"]),
    help="w8: weights in int8, a quarter of the size, the same arithmetic; int8: products in int8 too, twice as fast; "
    "none: float32.",
)
@click.option("--classes", default="", show_default="all", metavar="A,B,...", help="Keep these classes only.")
@click.option(
    "--temperature", default=TEMPERATURE, type=FiniteRange(0, 10), help="What drawing uses where nobody says another."
)
@click.option("--name", help="Name of the model.  [default: the file's name]")
@click.option(
    "--inspect", type=click.Path(path_type=Path), metavar="FILE", help="Show what a bundle or model.pt holds."
)
def main(
    model: Path | None,
    out: Path | None,
    quantize: str,
    classes: str,
    temperature: float,
    name: str | None,
    inspect: Path | None,
) -> None:
    """Export MODEL.PT, which sketch-train writes, to one file that draws without torch.

    Before the file is kept its graphs are checked, loaded and carried over 250 steps beside torch; a bundle that
    differs is not written.

    \b
    Examples:
        sketch-export model.pt
        sketch-export model.pt --out star.sketch.zip --classes star,moon --temperature 0.2
        sketch-export model.pt --quantize none
        sketch-export --inspect model.sketch.zip
    """  # noqa: D301 - click wants the control character itself
    if inspect is not None:
        if model is not None or out is not None:
            raise InputError("--inspect: writes nothing and takes one file; leave out MODEL.PT and --out")
        click.echo(_inspect(inspect))
        return
    if model is None:
        raise InputError("MODEL.PT: missing; give the checkpoint to export, or --inspect FILE")
    chosen = [part.strip() for part in classes.split(",") if part.strip()]
    if classes and not chosen:
        raise InputError(f"--classes {classes}: names no class; write --classes star,moon or leave it out")
    if out is not None:
        check_writable(out)
        refuse_same(out, model, "the checkpoint")
    from sketch_edge.export.pack import export_bundle
    from sketch_edge.train.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(model)
    target = out or model.with_name(model.name.removesuffix(".pt") + ".sketch.zip")
    _check_replaced(target)
    say(f"{model}: {len(checkpoint.about.classes)} classes, step {checkpoint.about.step}; exporting and verifying ...")
    try:
        report = export_bundle(
            checkpoint, target, quantize=quantize, name=name, classes=chosen, temperature=temperature
        )
    except CheckpointError as error:
        raise CheckpointError(f"{model}:{error}") from error
    click.echo(_table(report))


def _check_replaced(target: Path) -> None:
    """Refuse to replace a file that is no bundle, such as the data set: somebody's slip, not their wish."""
    with contextlib.suppress(OSError):  # not there, or not readable: said elsewhere
        with target.open("rb") as file:
            start = file.read(64)
        if start and not (start.startswith(b"PK") and b"manifest.json" in start):
            raise InputError(f"{target}: exists and is no bundle; choose another --out, or delete it first")


def _table(report: ExportReport) -> str:
    """Size, parity and time, one line each."""
    measured, name = report.measured, escape(report.path.name)
    lines = [f"{member:14} {size:>12,} bytes" for member, size in report.sizes.items()]
    ratio = sum(report.sizes.values()) / report.fp32_total
    lines.append(f"{name:14} {report.total:>12,} bytes   {report.variant}, {ratio:.2f} of float32")
    for what, found, meaning in (
        ("step parity", measured.step, "from torch in any of 250 carried steps"),
        ("drift", measured.drift, "from torch that carried its own state as far"),
        ("encode parity", measured.encode, "from torch in mu and sigma"),
    ):
        lines.append(f"{what:14} {found.largest:>12.1e}         {meaning}; {found.share:.2f} of what is allowed")
    if report.rounding is not None and report.likeness is not None:
        (largest, share), like = report.rounding, report.likeness
        lines.append(
            f"{'rounding':14} {largest:>12.1e}         what int8 changes in a step's output at most; "
            f"in the mean {share:.3f} of its spread"
        )
        lines.append(
            f"{'drawings':14} {like.offset:>12.3f}         apart in offsets from float32; lengths {like.length:.3f}, "
            f"pen {like.pen:.3f}, ended {like.ended:.3f}"
        )
    lines.append(f"{'time a step':14} {measured.step_us:>12.0f} us      batch 1, one thread, this machine")
    return "\n".join(lines)


def _inspect(path: Path) -> str:
    """Tell what a bundle or a checkpoint holds."""
    if _is_checkpoint(path):
        return _inspect_checkpoint(path)
    from sketch_edge.runtime.bundle import read_bundle

    bundle = read_bundle(path)
    manifest = bundle.manifest
    sizes, data, parity = manifest.sizes, manifest.data, manifest.parity
    lines = {
        "bundle": f"{escape(path.name)}, format 1, made by {manifest.producer}",
        "model": f"{manifest.name}, head {manifest.head}, variant {manifest.variant}",
        "sizes": f"hidden {sizes.hidden}, latent {sizes.latent}, {sizes.mixtures} normals, {sizes.max_points} points",
        "temperature": f"{manifest.defaults.temperature:g}",
        "scale": f"{manifest.scale:.4f} units, grid 1/{manifest.grid}",
        "parity": f"{parity.max_abs_error:.1e} in {parity.steps} steps of {parity.reference}",
        "data": f"{data.drawings:,} drawings; {data.credit}, {data.licence}",
        "synthetic": data.synthetic or "no",
        "checkpoint": f"step {manifest.checkpoint.step}, sha256 {manifest.checkpoint.sha256}",
        "sha256": bundle.sha256,
    }
    for name, member in manifest.members.items():
        lines[name] = f"{member.size:>10,} bytes, sha256 {member.sha256[:16]}..."
    lines[f"{len(manifest.classes)} classes"] = ", ".join(manifest.classes)
    return _aligned(lines)


def _is_checkpoint(path: Path) -> bool:
    """Whether a file, damaged or not, begins as torch writes it; a bundle is shown without torch."""
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(4096)
    except (OSError, ValueError):
        return False
    return start.startswith(b"PK") and b"data.pkl" in start


def _inspect_checkpoint(path: Path) -> str:
    from sketch_edge.train.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(path)
    about = checkpoint.about
    losses = ", ".join(f"{name} {value:.4f}" for name, value in about.losses.items()) or "not validated yet"
    settings = checkpoint.config.to_dict()
    return _aligned(
        {
            "checkpoint": f"{escape(path.name)}, weights of step {about.step}",
            "validation": losses,
            "data": f"{about.drawings:,} drawings, {about.synthetic:,} of them synthetic; {about.credit}",
            "scale": f"{about.scale:.4f} units, at most {about.max_points} points",
            "settings": ", ".join(f"{name}={value}" for name, value in settings.items()),
            "sha256": checkpoint.sha256,
            f"{len(about.classes)} classes": ", ".join(f"{n} {c}" for n, c in about.counts.items()),
        }
    )


def _aligned(lines: dict[str, str]) -> str:
    width = max(map(len, lines))
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines.items())


if __name__ == "__main__":
    main()
