"""sketch-train: from a data set to a checkpoint."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from sketch_edge.cli.command import SketchCommand, Stopped, say
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.files import check_writable, sweep_temporaries

if TYPE_CHECKING:
    import torch

    from sketch_edge.train.config import Config
    from sketch_edge.train.loop import Trainer


@click.command("sketch-train", cls=SketchCommand)
@click.argument("data", metavar="DATA.NPZ", type=click.Path(path_type=Path))
@click.option("--out", default="model.pt", type=click.Path(path_type=Path), help="The checkpoint to write.")
@click.option("--preset", default="vae-gmm", help="Named settings to start from: vae-gmm.")
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
    data: Path,
    out: Path,
    preset: str,
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

    Beside model.pt a folder model.log/ is kept: loss.png, sheet-STEP.png (drawings of the model so far) and a
    TensorBoard log. Ctrl-C saves and stops; --resume goes on from there, as it does after a crash.

    \b
    Examples:
        sketch-train data.npz --out model.pt
        sketch-train data.npz --out model.pt --steps 40000 --set batch=100 --set latent=64
        sketch-train data.npz --out model.pt --resume
        sketch-train data.npz --settings
        torchrun --nproc-per-node 4 -m sketch_edge.cli.train data.npz --out model.pt
    """  # noqa: D301 - click wants the control character itself
    changes = _parse_settings(settings)
    changes |= {name: value for name, value in (("steps", steps), ("seed", seed)) if value is not None}
    if show:
        click.echo(_list_settings(_settings_of(preset, changes)))
        return
    check_writable(out)
    trainer, bar = _make_trainer(data, out, preset, changes, resume, overwrite, device, threads, quiet)
    try:
        with _signals_as_wish() as wish:
            finished = trainer.run(lambda: bool(wish))
    finally:
        for observer in trainer.observers:
            observer.close()  # type: ignore[attr-defined]
    state = trainer.state
    if not finished:
        say(f"stopped at step {state.step}; {out} is saved, go on with --resume")
        raise Stopped(wish[0])
    if trainer.workers.rank == 0:
        say(_summary(trainer, out, bar))


def _make_trainer(
    data: Path,
    out: Path,
    preset: str,
    changes: dict[str, object],
    resume: bool,
    overwrite: bool,
    device: str,
    threads: int | None,
    quiet: bool,
) -> tuple[Trainer, Path]:
    """Read the data, build or resume the trainer, and say what it will do."""
    import torch

    from sketch_edge.train.checkpoint import load_checkpoint
    from sketch_edge.train.dataset import load_dataset
    from sketch_edge.train.loop import Trainer

    if out.exists() and not (resume or overwrite):
        raise InputError(f"{out}: exists; go on with --resume, start anew with --overwrite, or choose another --out")
    if threads is not None:
        torch.set_num_threads(threads)
    chosen = _device(device)
    checkpoint = load_checkpoint(out) if resume else None
    config = _settings_of(preset, changes) if checkpoint is None else checkpoint.config.replace(changes)
    trainer = Trainer(load_dataset(data), config, out, chosen)
    sweep_temporaries(out.parent, out.name)
    if checkpoint is not None:
        trainer.resume(checkpoint)
        if checkpoint.resume.get("threads") != torch.get_num_threads():
            say("note: another number of threads than before; the weights will not be bit-identical to a straight run")
    log = out.with_suffix(".log")
    if trainer.workers.rank == 0:
        _watch(trainer, log, quiet)
    return trainer, log


def _watch(trainer: Trainer, log: Path, quiet: bool) -> None:
    from sketch_edge.train.watch import LogFolder, ProgressBar

    about, settings = trainer.about, trainer.settings
    parameters = sum(p.numel() for p in trainer.model.parameters())
    say(
        f"{len(about.classes)} classes, {about.drawings:,} drawings ({about.synthetic:,} synthetic), "
        f"{parameters:,} parameters; {trainer.device.type}, {'bf16' if trainer.autocast else 'fp32'}; log in {log}/"
    )
    trainer.observers = (
        ProgressBar(settings.steps, trainer.state.step, hidden=quiet),
        LogFolder(log, trainer.config, about, trainer.state),
    )


def _summary(trainer: Trainer, out: Path, log: Path) -> str:
    state, losses = trainer.state, trainer.about.losses
    early = " (early stopping)" if state.step < trainer.settings.steps else ""
    figures = (
        f"validation L_R {losses['offset'] + losses['pen']:.4f}, KL {losses['kl']:.4f}" if losses else "no validation"
    )
    return (
        f"{out}: step {state.step}{early}, weights of step {trainer.about.step}, {figures}\n"
        f"look at {log}/ ; then: sketch-export {out}"
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


def _settings_of(preset: str, changes: dict[str, object]) -> Config:
    from sketch_edge.train.config import Config

    return Config.from_dict({"preset": preset, **changes})


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
    torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))  # torchrun gives each process a GPU of its own
    return torch.device("cuda")


@contextlib.contextmanager
def _signals_as_wish() -> Iterator[list[int]]:
    """Turn the first SIGINT or SIGTERM into a wish that the loop asks for after each step; a second ends at once."""
    wish: list[int] = []
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, _: FrameType | None) -> None:
        if wish:
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
