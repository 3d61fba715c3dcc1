"""sketch-eval: how good models' drawings are beside real ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sketch_edge.cli.command import FiniteRange, SketchCommand, say
from sketch_edge.runtime.errors import InputError, escape
from sketch_edge.runtime.files import check_writable, refuse_same, write_atomic

if TYPE_CHECKING:
    import torch

    from sketch_edge.train.evaluate.figures import Bar, Report
    from sketch_edge.train.evaluate.grading import Graded

PAGE, FIGURES = "report.html", "report.json"


@click.command("sketch-eval", cls=SketchCommand)
@click.argument("files", metavar="MODEL... DATA.NPZ", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", default="report", type=click.Path(path_type=Path), help="The folder to write into.")
@click.option("--classes", default="", show_default="all", metavar="A,B,...", help="Measure these classes only.")
@click.option("--count", default=100, type=click.IntRange(2, 100_000), help="Drawings of each class by each model.")
@click.option("--temperature", type=FiniteRange(0, 10), help="0 to 10.  [default: each model's own]")
@click.option("--seed", default=0, type=click.IntRange(0, 2**63 - 1), help="Same seed, same report.")
@click.option(
    "--limit", default=5000, type=click.IntRange(1, 10**9), help="Drawings of a class and split that are used."
)
@click.option("--synthetic", is_flag=True, help="Measure the data set's synthetic drawings as well, like a model.")
@click.option(
    "--against",
    default="test",
    type=click.Choice(["test", "held-out"]),
    help="Real drawings to compare with: the test split, or valid and test together.",
)
@click.option(
    "--classifier-steps", default=1500, type=click.IntRange(1, 10**6), help="Mini-batches that the classifier learns."
)
@click.option(
    "--classifier-seed", default=0, type=click.IntRange(0, 2**63 - 1), help="Another seed, another classifier."
)
@click.option("--bootstrap", default=1000, type=click.IntRange(20, 100_000), help="Samples behind each interval.")
@click.option("--grading", default=100, type=click.IntRange(0, 10_000), help="Drawings of the blind grading; 0: none.")
@click.option("--device", default="auto", type=click.Choice(["auto", "cpu", "cuda"]), help="Where the judge learns.")
@click.option("--threads", type=click.IntRange(1, 1024), help="Processor threads.  [default: all cores]")
@click.option("--json", "as_json", is_flag=True, help="Print the figures as JSON instead of the summary.")
@click.option("--quiet", is_flag=True, help="No progress bar.")
@click.option(
    "--grades",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Turn answers that the grading page saved into a table; repeat for more graders.",
)
def main(
    files: tuple[Path, ...],
    out: Path,
    classes: str,
    count: int,
    temperature: float | None,
    seed: int,
    limit: int,
    synthetic: bool,
    against: str,
    classifier_steps: int,
    classifier_seed: int,
    bootstrap: int,
    grading: int,
    device: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
    grades: tuple[Path, ...],
) -> None:
    """Measure MODELs, bundles or model.pt, on the real drawings of DATA.NPZ.

    Writes report.html (figures, charts and sheets; opens anywhere), report.json, and grading.html with its key: a page
    to grade real and generated drawings blind. The classifier that judges learns from the real training drawings, which
    takes minutes; it is kept beside DATA.NPZ, so the next report takes seconds. The report names three bars; a model
    that misses one is no error.

    \b
    Examples:
        sketch-eval model.sketch.zip data.npz --out report
        sketch-eval old.pt new.pt data.npz --out report --classes cat,star --count 200
        sketch-eval model.pt data.npz --temperature 0.3 --json
        sketch-eval --grades grades.json --out report
    """  # noqa: D301 - click wants the control character itself
    if grades:
        if files:
            raise InputError("--grades: reads answers and measures nothing; leave out MODEL and DATA.NPZ")
        click.echo(_grades(list(grades), out))
        return
    if len(files) < 2:
        raise InputError("MODEL... DATA.NPZ: missing; give at least one bundle or model.pt, and the data set last")
    *models, data = files
    chosen = tuple(part.strip() for part in classes.split(",") if part.strip())
    if classes and not chosen:
        raise InputError(f"--classes {classes}: names no class; write --classes star,moon or leave it out")
    _check_folder(out, files)
    import torch

    from sketch_edge.train.evaluate.classifier import ClassifierSettings
    from sketch_edge.train.evaluate.evaluation import evaluate
    from sketch_edge.train.evaluate.figures import Options

    if threads is not None:
        torch.set_num_threads(threads)
    options = Options(
        classes=chosen,
        count=count,
        temperature=temperature,
        seed=seed,
        limit=limit,
        synthetic=synthetic,
        against=against,
        bootstrap=bootstrap,
        classifier=ClassifierSettings(steps=classifier_steps, seed=classifier_seed),
    )
    with _bars(quiet) as watch:
        report = evaluate(models, data, options, device=_device(device), watch=watch)
    _write(out, report, grading)
    click.echo(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) if as_json else _summary(report))
    say(f"look at {out / PAGE}")


def _check_folder(out: Path, files: tuple[Path, ...]) -> None:
    """Make the folder, and refuse what cannot be written, before minutes of work."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out}: is no folder (expected one to write the report into); choose another --out")
    names = _names()
    for name in names:
        if out.is_dir():
            check_writable(out / name)
            for file in files:
                refuse_same(out / name, file, "a file that is read")
    if not out.exists() and not (out.parent.is_dir() and os.access(out.parent, os.W_OK | os.X_OK)):
        raise InputError(f"{out}: cannot be made (no folder {out.parent} to write to); choose another --out")


def _names() -> tuple[str, ...]:
    return (PAGE, FIGURES, "grading.html", "grading-key.json")


def _write(out: Path, report: Report, grading: int) -> None:
    """Write all files of the report."""
    from sketch_edge.train.evaluate.grading import KEY_NAME, PAGE_NAME, make_grading
    from sketch_edge.train.evaluate.report import render

    out.mkdir(exist_ok=True)
    write_atomic(out / FIGURES, (json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n").encode())
    write_atomic(out / PAGE, render(report).encode())
    if grading:
        page, key = make_grading(report, grading)
        write_atomic(out / PAGE_NAME, page.encode())
        write_atomic(out / KEY_NAME, key.encode())


def _summary(report: Report) -> str:
    """The bars of every model, and what else is asked first."""
    lines = []
    for model in report.models:
        lines.append(f"{escape(model.name)}:")
        lines += [_bar(bar) for bar in model.bars]
        for name, found in model.scopes.items():
            real = report.scopes[name]
            lines.append(f"  {'':5} top-1 {found.top1}, real {real.top1}: {real.title}")
        few = model.copies.get("copies_few")
        if few is not None:
            lines.append(f"  {'':5} copies {few}: classes with fewer than {report.options.copies_from} drawings")
    return "\n".join(lines + [f"note: {escape(note)}" for note in report.notes])


def _bar(bar: Bar) -> str:
    verdict = {None: "-", True: "pass", False: "FAIL"}[bar.passed]
    sign = ">=" if bar.at_least else "<="
    found = "not measured" if bar.found is None else str(bar.found)
    return f"  {verdict:5} {found} ({sign} {bar.bar:g}): {bar.what}, {bar.on}"


def _grades(answers: list[Path], out: Path) -> str:
    """The table of a blind grading; the key is in the report's folder, or beside the answers."""
    from sketch_edge.train.evaluate.grading import KEY_NAME, tabulate

    key = out / KEY_NAME
    if not key.exists() and (answers[0].parent / KEY_NAME).exists():
        key = answers[0].parent / KEY_NAME
    return _grade_table(tabulate(answers, key))


def _grade_table(rows: list[Graded]) -> str:
    width = max(len(escape(row.source)) for row in rows)
    lines = [f"{'':{width}}  {'real':>6} {'possibly':>9} {'fake':>6} {'answers':>8}   not fake, 95 % interval"]
    for row in rows:
        real, possibly, fake = row.counts
        lines.append(
            f"{escape(row.source):{width}}  {real:>6} {possibly:>9} {fake:>6} {row.total:>8}   "
            f"{row.passed:.2f} [{row.low:.2f}, {row.high:.2f}]"
        )
    return "\n".join(lines)


@contextmanager
def _bars(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    """One progress bar after the other, on standard error."""
    from tqdm import tqdm

    bar, shown = None, ""

    def watch(what: str, done: int, total: int) -> None:
        nonlocal bar, shown
        if bar is None or shown != what:
            if bar is not None:
                bar.close()
            bar, shown = tqdm(total=total, desc=escape(what), disable=quiet, dynamic_ncols=True, mininterval=0.5), what
        bar.update(done - bar.n)

    try:
        yield watch
    finally:
        if bar is not None:
            bar.close()


def _device(name: str) -> torch.device:
    import torch

    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: this torch sees no CUDA device; use --device cpu or install a CUDA build")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


if __name__ == "__main__":
    main()
