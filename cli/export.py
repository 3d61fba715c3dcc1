"""sketch-export: from a checkpoint to a bundle, and a look into either."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketch_edge.cli.command import FiniteRange, SketchCommand, counted, say
from sketch_edge.cli.export_classes import read_names, read_temperatures
from sketch_edge.runtime.errors import BundleError, CheckpointError, InputError, UnfinishedError, escape
from sketch_edge.runtime.files import check_writable, read_beginning, refuse_same
from sketch_edge.runtime.manifest import TEMPERATURE, Defaults, Sizes

if TYPE_CHECKING:
    from sketch_edge.export.magenta import ImportReport
    from sketch_edge.export.magenta_file import MagentaModel
    from sketch_edge.export.pack import ExportReport
    from sketch_edge.train.fetch import Progress

ADDRESSES = ("https://", "http://")


@click.command("sketch-export", cls=SketchCommand)
@click.argument("model", metavar="MODEL", required=False)
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
    "--temperature",
    type=FiniteRange(0, 10),
    show_default=f"{TEMPERATURE:g}; 0.25 for one of Magenta's",
    help="What drawing uses where nobody says another.",
)
@click.option(
    "--temperatures",
    metavar="A=T,B=T,...|FILE",
    help='The same for single classes: star=0.1,cat=0.3, or a .json file such as {"star": 0.1}.',
)
@click.option(
    "--hide",
    default="",
    show_default="none",
    metavar="A,B,...",
    help="Classes that are drawn poorly: sketch-draw --list leaves them out.",
)
@click.option("--name", help="Name of the model.  [default: the file's name]")
@click.option(
    "--inspect",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Show what a bundle, a model.pt or one of Magenta's files holds.",
)
def main(
    model: str | None,
    out: Path | None,
    quantize: str,
    classes: str,
    temperature: float | None,
    temperatures: str | None,
    hide: str,
    name: str | None,
    inspect: Path | None,
) -> None:
    """Export MODEL, a model.pt that sketch-train wrote, to one file that draws without torch.

    MODEL may also be one of Google Magenta's published Sketch-RNN models, NAME.gen.json or NAME.vae.json, on this
    machine or at an https address; that needs no torch (docs/MAGENTA.md).

    Before the file is kept its graphs are checked, loaded and carried over 250 steps beside the original; a bundle
    that differs is not written.

    \b
    Examples:
        sketch-export model.pt
        sketch-export model.pt --out star.sketch.zip --classes star,moon --temperature 0.2
        sketch-export model.pt --temperature 0.2 --temperatures star=0.1,cat=0.3 --hide face,dog
        sketch-export model.pt --quantize none
        sketch-export cat.gen.json --out cat.sketch.zip
        sketch-export --inspect model.sketch.zip
    """  # noqa: D301 - click wants the control character itself
    if inspect is not None:
        if model is not None or out is not None:
            raise InputError("--inspect: writes nothing and takes one file; leave out MODEL and --out")
        click.echo(_inspect(inspect))
        return
    if model is None:
        raise InputError("MODEL: missing; give the model to export, or --inspect FILE")
    chosen, hidden = read_names("--classes", classes), read_names("--hide", hide)
    own = {} if temperatures is None else read_temperatures(temperatures)
    if "://" in model and not model.startswith(ADDRESSES):
        raise InputError(f"{model}: is no address that can be fetched (expected https://...); correct it")
    if out is not None:
        check_writable(out)
        if not model.startswith(ADDRESSES):
            refuse_same(out, Path(model), "the model")
    from sketch_edge.export.magenta_file import looks_like_magenta

    if model.startswith(ADDRESSES) or looks_like_magenta(Path(model)):
        for option, given in (("--classes", chosen), ("--temperatures", own), ("--hide", hidden)):
            if given:
                raise InputError(f"{option}: one of Magenta's models has a single class; leave it out")
        click.echo(_import_table(_import(model, out, quantize, name, temperature)))
        return
    tau = TEMPERATURE if temperature is None else temperature
    options = {"quantize": quantize, "name": name, "classes": chosen, "temperature": tau}
    click.echo(_table(_export(Path(model), out, {**options, "temperatures": own, "hide": hidden})))


def _export(model: Path, out: Path | None, options: dict[str, Any]) -> ExportReport:
    """From a model.pt to a bundle; `options` are those of `export_bundle`."""
    from sketch_edge.export.pack import export_bundle
    from sketch_edge.train.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(model)
    target = out or model.with_name(model.name.removesuffix(".pt") + ".sketch.zip")
    _check_replaced(target)
    classes = counted(len(checkpoint.about.classes), "class", "classes")
    say(f"{model}: {classes}, step {checkpoint.about.step}; exporting and verifying ...")
    try:
        return export_bundle(checkpoint, target, **options)
    except CheckpointError as error:
        raise CheckpointError(f"{model}:{error}") from error


def _import(model: str, out: Path | None, quantize: str, name: str | None, temperature: float | None) -> ImportReport:
    """From one of Magenta's files, here or at an address, to a bundle."""
    try:
        from sketch_edge.export import magenta
    except ModuleNotFoundError as error:
        if error.name != "onnx":
            raise
        raise UnfinishedError("sketch-export: needs onnx for one of Magenta's models; pip install onnx") from error
    from sketch_edge.export.magenta_file import read_magenta

    file = _file_of(model)
    folder = Path() if model.startswith(ADDRESSES) else Path(model).parent
    target = out or folder / f"{_stem(file)}.sketch.zip"
    check_writable(target)
    _check_replaced(target)
    found = _download(model, target, file) if model.startswith(ADDRESSES) else read_magenta(Path(model))
    say(f"{model}: {_what(found)}; importing and verifying ...")
    tau = magenta.TEMPERATURE if temperature is None else temperature
    try:
        return magenta.import_model(found, target, quantize=quantize, name=name, temperature=tau)
    except BundleError as error:  # its numbers overflow: the fault of the file
        raise InputError(f"{model}: gives no numbers that can be drawn ({error})") from error


def _file_of(model: str) -> str:
    """The name of the file at a path or an address."""
    if not model.startswith(ADDRESSES):
        return Path(model).name
    import urllib.parse

    try:
        file = urllib.parse.unquote(urllib.parse.urlsplit(model).path).rpartition("/")[2]
    except ValueError:
        file = ""
    if not file or not file.isprintable() or file in (".", "..") or len(file) > 200:
        raise InputError(f"{model}: names no file (expected an address such as https://.../cat.gen.json); correct it")
    return file


def _stem(file: str) -> str:
    """Cat for cat.gen.json."""
    stem = file[: -len(".json")] if file.lower().endswith(".json") else file
    return stem[:-4] if stem.lower().endswith((".gen", ".vae")) else stem


def _download(address: str, target: Path, file: str) -> MagentaModel:
    """Fetch a file and read it. It lies hidden beside the bundle meanwhile, so that a cut link can be resumed."""
    from sketch_edge.export.magenta_file import MAX_BYTES, read_magenta
    from sketch_edge.train.fetch import fetch

    kept = target.with_name(f".{file}.download")
    done = False
    try:
        with _bar(file) as progress:
            fetch(address, kept, b"[", progress, most=MAX_BYTES)
        done = True
        return read_magenta(kept, file)
    except InputError:
        done = True
        raise
    finally:
        if done:
            for left in (kept, *(kept.with_name(f"{kept.name}{suffix}") for suffix in (".part", ".part.json"))):
                left.unlink(missing_ok=True)


@contextlib.contextmanager
def _bar(file: str) -> Iterator[Progress | None]:
    """A progress bar where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    with click.progressbar(length=1, label=file, file=sys.stderr) as bar:

        def progress(done: int, whole: int | None) -> None:
            bar.length = whole or max(done, 1)
            bar.update(done - bar.pos)

        yield progress


def _what(model: MagentaModel) -> str:
    kind = "a decoder" if model.kind == "gen" else "encoder and decoder"
    return f"{kind} of {model.hidden} units that draws {model.label!r}"


def _import_table(report: ImportReport) -> str:
    """Size and parity, one line each."""
    lines = [f"{member:14} {size:>12,} bytes" for member, size in report.sizes.items()]
    lines.append(f"{escape(report.path.name):14} {report.total:>12,} bytes   {report.variant}, draws {report.label!r}")
    measured = {
        "step parity": (report.step, "from the file, read in float64, in any of 250 carried steps"),
        "drift": (report.drift, "from a reading that carried its own state as far"),
        "encode parity": (report.encode, "from the file in mu and sigma"),
    }
    for what, (found, meaning) in measured.items():
        if found is not None:
            lines.append(f"{what:14} {found.largest:>12.1e}         {meaning}; {found.share:.2f} of what is allowed")
    if report.rounding:
        lines.append(f"{'rounding':14} {report.rounding:>12.3f}         of the spread of a step's output")
    lines.append(f"{'licence':14} {'not stated':>12}         for the weights: keep this bundle to yourself")
    return "\n".join(lines)


def _check_replaced(target: Path) -> None:
    """Refuse to replace a file that is no bundle, such as the data set: somebody's slip, not their wish."""
    with contextlib.suppress(OSError):  # not there, or not readable: said elsewhere
        start = read_beginning(target, 64)
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
        if found is not None:
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
    """Tell what a bundle, a checkpoint or one of Magenta's files holds."""
    if _is_checkpoint(path):
        return _inspect_checkpoint(path)
    from sketch_edge.export.magenta_file import looks_like_magenta

    if looks_like_magenta(path):
        return _inspect_magenta(path)
    from sketch_edge.runtime.bundle import read_bundle

    bundle = read_bundle(path)
    manifest = bundle.manifest
    sizes, data, parity = manifest.sizes, manifest.data, manifest.parity
    lines = {
        "bundle": f"{escape(path.name)}, format 1, made by {manifest.producer}",
        "model": f"{manifest.name}, head {manifest.head}, variant {manifest.variant}",
        "sizes": _sizes(sizes),
        "temperature": _temperatures(manifest.defaults),
        "scale": f"{manifest.scale:.4f} units, grid 1/{manifest.grid}",
        "parity": f"{parity.max_abs_error:.1e} in {parity.steps} steps of {parity.reference}",
        "data": f"{data.drawings:,} drawings; {data.credit}; {data.licence}",
        "synthetic": data.synthetic or "no",
        "checkpoint": f"step {manifest.checkpoint.step}, sha256 {manifest.checkpoint.sha256}",
        "sha256": bundle.sha256,
    }
    if manifest.imported is not None:
        imported = manifest.imported
        lines |= {"data": f"{data.credit}; {data.licence}", "synthetic": "not stated"}
        lines["imported"] = f"{imported.file} ({imported.model}) of {imported.source}"
        lines["note"] = imported.note
    for name, member in manifest.members.items():
        lines[name] = f"{member.size:>10,} bytes, sha256 {member.sha256[:16]}..."
    lines[f"{len(manifest.classes)} classes"] = ", ".join(manifest.classes)
    if manifest.hidden:
        lines["hidden"] = f"{len(manifest.hidden)} of them: {', '.join(manifest.hidden)}"
    return _aligned(lines)


def _temperatures(defaults: Defaults) -> str:
    """That of the bundle, and those of classes that have their own."""
    own = [f"{name} {tau:g}" for name, tau in sorted(defaults.temperatures.items())]
    return f"{defaults.temperature:g}" + (f"; {', '.join(own)}" if own else "")


def _sizes(sizes: Sizes) -> str:
    """The sizes of a model in words; widths that follow from the others are left out."""
    parts = [f"hidden {sizes.hidden}"]
    if sizes.state is not None:
        parts.append(f"state {sizes.state}")
    if sizes.constant is not None:
        parts.append(f"constant {sizes.constant}")
    parts += [f"latent {sizes.latent}", f"{sizes.mixtures} normals" if sizes.mixtures else "no mixture"]
    return ", ".join([*parts, f"{sizes.max_points} points"])


def _inspect_magenta(path: Path) -> str:
    from sketch_edge.export.magenta_file import read_magenta

    model = read_magenta(path)
    sizes = f"hidden {model.hidden}, latent {model.latent}, {model.mixtures} normals, {model.max_points} points"
    weights = sum(tensor.size for tensor in model.tensors.values())
    lines = {
        "magenta": f"{escape(model.file)}, {_what(model)}",
        "model": f"{model.name or 'without a name'}, version {model.version or 'not stated'}",
        "sizes": sizes + (f", encoder 2 x {model.encoder_hidden}" if model.encoder_hidden else ""),
        "scale": f"{model.scale_factor:g} canvas pixels",
        "stated": ", ".join(f"{name} {value:g}" for name, value in model.stated.items()) or "nothing",
        "weights": f"{weights:,} in {len(model.tensors)} tensors; licence not stated",
        "sha256": model.sha256,
    }
    lines |= {name: "x".join(map(str, tensor.shape)) for name, tensor in model.tensors.items()}
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
