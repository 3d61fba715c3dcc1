"""sketch-train: from a data set to a checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from sketch_edge.cli.command import SketchCommand, Stopped, counted, say
from sketch_edge.runtime.errors import InputError, UnfinishedError
from sketch_edge.runtime.files import check_writable, refuse_same
from sketch_edge.runtime.manifest import OFFSET

if TYPE_CHECKING:
    import torch

    from sketch_edge.train.config import Config
    from sketch_edge.train.finetune import Source
    from sketch_edge.train.loop import Trainer


@click.command("sketch-train", cls=SketchCommand)
@click.argument("data", metavar="DATA.NPZ", required=False, type=click.Path(path_type=Path))
@click.option("--out", default="model.pt", type=click.Path(path_type=Path), help="The checkpoint to write.")
@click.option(
    "--from", "source", type=click.Path(path_type=Path), help="Start from this model.pt or bundle, or from 'shipped'."
)
@click.option(
    "--parts",
    multiple=True,
    type=click.Choice(["encoder", "decoder", "embedding"]),
    help="Take only this part over from --from; repeat for two.  [default: all]",
)
@click.option("--preset", help="attention, lstm, lstm-xy, sketch-rnn or vae-gmm.  [default: vae-gmm]")
@click.option("--steps", type=click.IntRange(1, 10**8), help="Mini-batches in all.  [default: the preset's, 20000]")
@click.option("--resume", is_flag=True, help="Go on from --out, bit for bit.")
@click.option("--overwrite", is_flag=True, help="Start anew although --out exists.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]), help="Where to compute.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Processor threads.  [default: all cores]")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Same seed, same model.  [default: 0]")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change one setting; repeat for more.")
@click.option("--settings", "show", is_flag=True, help="Print every setting with its value and meaning, and exit.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
def main(
    data: Path | None,
    out: Path,
    source: Path | None,
    parts: tuple[str, ...],
    preset: str | None,
    steps: int | None,
    resume: bool,
    overwrite: bool,
    device: str,
    threads: int | None,
    seed: int | None,
    settings: tuple[str, ...],
    show: bool,
    quiet: bool,
) -> None:
    """Train a model on DATA.NPZ, which sketch-data prepare makes.

    Beside model.pt a folder model.log/ is kept: loss.png, sheet-STEP.png (drawings by people and by the model so far),
    training.gif (how its drawings changed), drawing.gif and progress.png (how one comes about), the drawings in
    samples.ndjson, and a TensorBoard log. Ctrl-C saves and stops; --resume goes on from there, as after a crash.

    The checkpoint before the newest is previous.pt in that folder: where model.pt is damaged, --resume says so, goes on
    from the one before, and keeps the damaged file there as damaged.pt. While a training runs, .model.pt.lock beside
    model.pt keeps a second one from writing the same file.

    With --from a training starts from another model instead of from nothing: few drawings and few steps will do. Its
    sizes and its scale are kept; classes that both have keep what the model knows of them, and classes that DATA.NPZ
    lacks are left behind. 'shipped' is the bundle that comes with the package. With --parts only its encoder, its
    decoder or the embedding of its classes is taken over, and the rest starts anew, for as many steps as any training.

    \b
    Presets:
        vae-gmm     classes, z and a mixture; cell=lstm, layernorm or hyper
        sketch-rnn  the same for one class, without a label, as first published
        lstm        classes; two layers that give the next offset itself
        lstm-xy     classes; one layer that gives the next place itself
        attention   classes; attends to what an encoder made of the label

    \b
    Examples:
        sketch-train data.npz --out model.pt
        sketch-train data.npz --out model.pt --steps 40000 --set batch=100 --set latent=64
        sketch-train data.npz --out model.pt --resume
        sketch-train mine.npz --from shipped --out mine.pt
        sketch-train mine.npz --from before.pt --parts decoder --parts embedding --set encoder_hidden=128 --out new.pt
        sketch-train --settings
        torchrun --nproc-per-node 4 -m sketch_edge.cli.train data.npz --out model.pt
    """  # noqa: D301 - click wants the control character itself
    changes = _parse_settings(settings)
    changes |= {name: value for name, value in (("steps", steps), ("seed", seed)) if value is not None}
    if source is not None and resume:
        raise InputError("--from: starts a training, --resume goes on with one (and needs no source); leave --from out")
    if parts and source is None:
        raise InputError("--parts: are those of another model; name it with --from")
    start = None if source is None else replace(_load_source(source, preset, data, out, overwrite), parts=parts)
    config = _settings_of(preset, changes) if start is None else start.config(changes)
    if show:
        click.echo(_list_settings(config))
        return
    if data is None:
        raise InputError("DATA.NPZ: missing; give the data set to train on, which sketch-data prepare makes")
    _check_paths(data, out, resume, overwrite)
    with _memory_told(out), _alone(out):
        trainer = _make_trainer(data, out, None if resume else config, preset, changes, device, threads, start)
        try:
            _watch(trainer, quiet, parts)
            with _signals_as_wish() as wish:
                finished = trainer.run(lambda: wish[0] if wish else 0)
        finally:
            for observer in trainer.observers:
                observer.close()
            trainer.workers.leave()
    if trainer.workers.rank == 0:
        say(
            _summary(trainer)
            if finished
            else f"stopped at step {trainer.state.step}; {out} is saved, go on with --resume"
        )
    if not finished:
        raise Stopped(trainer.stopped_by)  # the number of the signal, also where another process had it


def _check_paths(data: Path, out: Path, resume: bool, overwrite: bool) -> None:
    """Refuse what cannot be written, or must not be, before anything is read."""
    if resume and overwrite:
        raise InputError("--resume: goes on from a training, --overwrite starts anew; choose one of them")
    check_writable(out)
    refuse_same(out, data, "the data set")
    if resume and not out.exists():
        raise InputError(f"{out}: does not exist, so there is nothing to go on from; start without --resume")
    if out.exists() and not (resume or overwrite):
        raise InputError(f"{out}: exists; go on with --resume, start anew with --overwrite, or choose another --out")
    log = _log_of(out)
    if log == out:
        raise InputError(f"{out}: is where the log folder would be; choose another --out, such as {out.stem}.pt")
    if (log.is_symlink() or log.exists()) and not log.is_dir():
        raise InputError(f"{log}: is no folder (the log of the training goes there); move it or choose another --out")
    if log.exists() and not os.access(log, os.W_OK | os.X_OK):
        raise InputError(f"{log}: may not be written to (the log of the training goes there); choose another --out")


def _load_source(source: Path, preset: str | None, data: Path | None, out: Path, overwrite: bool) -> Source:
    """Read the model to start from, once it is known that the training can be written."""
    from sketch_edge.train.finetune import load_source

    if data is not None:
        _check_paths(data, out, resume=False, overwrite=overwrite)
        refuse_same(out, source, "the model to start from")
    found = load_source(source)
    if preset not in (None, found.checkpoint.config.preset):
        raise InputError(f"--preset {preset}: {source} was made with {found.checkpoint.config.preset}; leave it out")
    return found


def _log_of(out: Path) -> Path:
    return out.with_suffix(".log")


def _make_trainer(
    data: Path,
    out: Path,
    config: Config | None,
    preset: str | None,
    changes: dict[str, object],
    device: str,
    threads: int | None,
    start: Source | None,
) -> Trainer:
    """Read the data and make a trainer of these settings, or where there are none the one that `out` goes on with."""
    import torch

    from sketch_edge.train.dataset import load_dataset
    from sketch_edge.train.loop import Trainer
    from sketch_edge.train.previous import load_newest, previous_of, restore_previous, sweep

    if threads is not None:
        torch.set_num_threads(threads)
    chosen, damage = _device(device), ""
    if config is not None:
        trainer = Trainer(load_dataset(data), config, out, chosen, data_name=str(data), source=start)
        found = []
    else:
        checkpoint, damage = load_newest(out)
        if preset not in (None, checkpoint.config.preset):
            raise InputError(f"--preset {preset}: {out} was begun with {checkpoint.config.preset}; leave it out")
        trainer = Trainer(load_dataset(data), checkpoint.config.replace(changes), out, chosen, data_name=str(data))
        found = trainer.resume(checkpoint)
    if trainer.workers.rank == 0:
        sweep(out)
        if damage:
            restore_previous(out)
            step = trainer.state.step
            say(f"warning: {damage.split(';')[0]}; goes on from the one before, {previous_of(out)} of step {step}")
        if found:
            say(f"note: other {', '.join(found)} than before; the weights will differ in bits from a straight run's")
        if trainer.state.step >= trainer.settings.steps:
            say(f"note: all {trainer.settings.steps} steps are done already; give more --steps to go on")
    return trainer


def _watch(trainer: Trainer, quiet: bool, parts: tuple[str, ...]) -> None:
    """Say what will be done, and let the first process show and log it."""
    if trainer.workers.rank != 0:
        return
    from sketch_edge.train.watch import LogFolder, ProgressBar

    about, settings, log = trainer.about, trainer.settings, _log_of(trainer.out)
    folder = LogFolder(log, trainer.config, about, trainer.state, trainer.model, trainer.data)
    trainer.observers = (folder,)
    parameters = sum(p.numel() for p in trainer.model.parameters())
    classes = counted(len(about.classes), "class", "classes")
    say(
        f"{classes}, {about.drawings:,} drawings ({about.synthetic:,} synthetic), "
        f"{parameters:,} parameters; {trainer.device.type}, {'bf16' if trainer.autocast else 'fp32'}; log in {log}/"
    )
    if about.source and trainer.state.step == 0:
        taken = f"the {' and '.join(parts)} of " if parts else ""
        say(
            f"starts from {taken}{about.source} (sha256 {about.source_sha256[:12]}), in its scale {about.scale:.3f} "
            f"(the drawings' own is {trainer.data.scale:.3f}); {settings.steps} steps of {settings.batch}, "
            f"learning rate {settings.learning_rate:g}"
        )
    if trainer.mixed:
        say(
            f"note: a model without a class input learns the {trainer.mixed} classes of the data as one, "
            f"{about.classes[0]!r}; with --set class_embedding=64 it is told which is which"
        )
    if not trainer.validates:
        say(
            "note: no drawing is a person's, so there is no validation; the newest weights are kept, look at the sheets"
        )
    trainer.observers = (ProgressBar(settings.steps, trainer.state.step, hidden=quiet), folder)


def _summary(trainer: Trainer) -> str:
    state, losses, out = trainer.state, trainer.about.losses, trainer.out
    early = " (early stopping)" if state.step < trainer.settings.steps else ""
    figures = "no validation"
    if losses and trainer.model.HEAD == OFFSET:
        figures = f"validation loss {losses['total']:.4f} (offsets {losses['offset']:.4f}, pen {losses['pen']:.4f})"
    elif losses:
        figures = f"validation L_R {losses['offset'] + losses['pen']:.4f}, KL {losses['kl']:.4f}"
    return (
        f"{out}: step {state.step}{early}, weights of step {trainer.about.step}, {figures}\n"
        f"look at {_log_of(out)}/ ; then: sketch-export {out}"
    )


def _parse_settings(settings: tuple[str, ...]) -> dict[str, object]:
    """Turn KEY=VALUE texts into a dictionary."""
    changes: dict[str, object] = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set {text}: expected KEY=VALUE; --settings lists the keys")
        changes[key.strip()] = value.strip()
    return changes


def _settings_of(preset: str | None, changes: dict[str, object]) -> Config:
    from sketch_edge.train.config import PRESETS, Config

    if preset is not None and preset not in PRESETS:
        raise InputError(f"--preset {preset}: is unknown; choose one of {', '.join(PRESETS)}")
    return Config.from_dict(changes if preset is None else {"preset": preset, **changes})


def _list_settings(config: Config) -> str:
    """Every setting, its value and its meaning, aligned."""
    from sketch_edge.train.config import explain_settings

    values = config.to_dict()
    return "\n".join(f"{name:20} {values[name]!s:>10}  {meaning}" for name, meaning in explain_settings())


def _device(name: str) -> torch.device:
    import torch

    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise InputError("--device cuda: this torch sees no CUDA device; use --device cpu or install a CUDA build")
    if not available or name == "cpu":
        return torch.device("cpu")
    place = int(os.environ.get("LOCAL_RANK", "0"))  # torchrun gives each process of a machine a GPU of its own
    if place >= torch.cuda.device_count():
        raise InputError(
            f"--device {name}: {torch.cuda.device_count()} CUDA devices are too few for process {place} of a machine; "
            "start as many processes as devices, or use --device cpu"
        )
    torch.cuda.set_device(place)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # else cuDNN's LSTM is not reproducible
    return torch.device("cuda")


def _alone(out: Path) -> contextlib.AbstractContextManager[None]:
    """The lock of a checkpoint; of torchrun's processes the first has it, which alone writes."""
    from sketch_edge.train.alone import only_training
    from sketch_edge.train.distributed import started_by_torchrun

    first = not started_by_torchrun() or os.environ.get("RANK") == "0"
    return only_training(out) if first else contextlib.nullcontext()


@contextlib.contextmanager
def _memory_told(out: Path) -> Iterator[None]:
    """Tell torch's ways of having no memory left from faults of the program."""
    try:
        yield
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError" and "can't allocate memory" not in str(error):
            raise
        raise UnfinishedError(
            f"{out}: not enough memory for this training; lower --set batch, or decoder_hidden and encoder_hidden"
        ) from error


@contextlib.contextmanager
def _signals_as_wish() -> Iterator[list[int]]:
    """Turn the first SIGINT or SIGTERM into a wish that the loop asks for after each step; a second ends at once.

    Not under torchrun: what stops a whole service signals torchrun, which passes it on, and its processes too. Torchrun
    itself ends a process that has not stopped within half a minute.
    """
    from sketch_edge.train.distributed import started_by_torchrun

    wish: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    watched = started_by_torchrun()

    def note(number: int, _: FrameType | None) -> None:
        if wish and not watched:
            raise Stopped(number)
        wish.append(number)

    for number in before:
        signal.signal(number, note)
    try:
        yield wish
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    main()
