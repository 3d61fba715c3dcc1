"""sketch-data: fetch the public drawings, make a data set of them, look into a file."""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sketch_edge.cli.command import FiniteRange, SketchGroup, counted, say
from sketch_edge.runtime.errors import InputError, escape

if TYPE_CHECKING:
    from sketch_edge.train.describe import Description
    from sketch_edge.train.prepare import ClassCounts, Prepared
    from sketch_edge.train.sample import Choice, Sampled

FILE = click.Path(path_type=Path)


class Names(click.ParamType):  # type: ignore[type-arg] # generic only from click 8.5 on
    """Names separated by commas."""

    name = "a,b"

    def convert(
        self, value: str | tuple[str, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Cut at the commas; blanks around a name do not count."""
        if isinstance(value, tuple):
            return value
        names = tuple(name.strip() for name in value.split(","))
        if not all(names):
            self.fail(f"{value!r} has an empty name (expected names separated by commas)", param, ctx)
        return names


class Split(click.ParamType):  # type: ignore[type-arg] # generic only from click 8.5 on
    """Three shares, 70:15:15."""

    name = "train:valid:test"

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        """Read three numbers of 0 or more, one of them above 0."""
        if isinstance(value, tuple):
            return value
        try:
            shares = tuple(float(part) for part in value.split(":"))
        except ValueError:
            shares = ()
        if len(shares) != 3 or not all(0 <= share <= 1e9 for share in shares) or sum(shares) == 0:
            self.fail(f"{value!r} is no split (expected three shares of 0 or more, such as 70:15:15)", param, ctx)
        return shares


@click.group("sketch-data", cls=SketchGroup)
def main() -> None:
    """Fetch drawings or let a model make them, make a data set of them, look into a file.

    \b
    Examples:
        sketch-data fetch star "palm tree" --out drawings
        sketch-data prepare drawings --out data.npz
        sketch-data check data.npz
    """  # noqa: D301 - a real \b keeps click from wrapping


@main.command("fetch", short_help="Download official Quick, Draw! files.")
@click.argument("classes", metavar="CLASS...", nargs=-1)
@click.option("--out", type=FILE, help="Folder for the files; made if it does not exist.  [required]")
@click.option(
    "--kind",
    "kinds",
    type=Names(),
    multiple=True,
    default=["simplified"],
    help="simplified, raw or sketchrnn; several separated by commas.",
)
@click.option("--base-url", help="Another http(s) folder laid out like Google's.  [default: Google's public bucket]")
@click.option("--list", "list_classes", is_flag=True, help="Print the 345 official classes and exit.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no report.")
def fetch(
    classes: tuple[str, ...],
    out: Path | None,
    kinds: tuple[tuple[str, ...], ...],
    base_url: str | None,
    list_classes: bool,
    quiet: bool,
) -> None:
    """Download official Quick, Draw! files, one for each CLASS and kind.

    A download that was cut is resumed by the same command; files that are whole already are left alone. The drawings
    are Google's Quick, Draw! data, CC BY 4.0.

    \b
    Files: DIR/CLASS.ndjson (simplified), DIR/CLASS.raw.ndjson (raw), DIR/CLASS.npz (sketchrnn).

    \b
    Examples:
        sketch-data fetch star --out drawings
        sketch-data fetch cat "palm tree" --out drawings --kind simplified,sketchrnn
        sketch-data fetch --list
    """  # noqa: D301 - a real \b keeps click from wrapping
    from sketch_edge.train.classes import OFFICIAL_CLASSES
    from sketch_edge.train.fetch import BASE_URL, KINDS, address, check_names, fetch_class

    if list_classes:
        click.echo("\n".join(OFFICIAL_CLASSES))
        return
    if not classes:
        raise InputError("CLASS: missing (expected one or more class names); try 'sketch-data fetch --help'")
    if out is None:
        raise InputError("--out: missing (expected a folder); try 'sketch-data fetch --help'")
    base_url = BASE_URL if base_url is None else base_url  # an empty one is a mistake, say of a script
    wanted = list(dict.fromkeys(kind for names in kinds for kind in names))
    unknown = [kind for kind in wanted if kind not in KINDS]
    if unknown:
        raise InputError(f"--kind: is {unknown[0]!r} (expected some of {', '.join(KINDS)}); correct it")
    check_names(list(classes), official=base_url.rstrip("/") == BASE_URL)
    address(classes[0], wanted[0], base_url)
    _make_folder(out)
    for name in dict.fromkeys(classes):
        for kind in wanted:
            with _bar(f"{name} ({kind})", None, quiet) as bar:
                done = fetch_class(name, kind, out, base_url, bar.show)
            if not quiet:
                notes = {"complete": "was there already", "kept": "was there already, could not be compared"}
                say(f"{done.path}: {_size(done.size)}, {notes.get(done.outcome, done.outcome)}")


@main.command("prepare")
@click.argument("paths", metavar="[PATH]...", type=FILE, nargs=-1)
@click.option("--out", type=FILE, required=True, help="The data set to write, such as data.npz.")
@click.option("--classes", type=Names(), multiple=True, help="Only these classes; may be repeated.")
@click.option("--limit-per-class", type=click.IntRange(1, 10**9), help="At most so many of a class, real ones first.")
@click.option("--limit-synthetic", type=click.IntRange(0, 10**9), help="At most so many synthetic ones of a class.")
@click.option("--max-points", type=click.IntRange(1, 10_000), default=200, help="Drop drawings of more points.")
@click.option(
    "--split", type=Split(), default="70:15:15", help="Shares of train, valid and test where a file gives no split."
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Of the limits and the split.")
@click.option(
    "--synthetic", type=FILE, multiple=True, help="More files or folders, drawn by a model: only for train; repeatable."
)
@click.option("--svg-class", metavar="NAME", help="Class of the SVG files.  [default: the name of their folder]")
@click.option("--credit", default="", metavar="TEXT", help="Whose the drawings are that are not Google's.")
@click.option("--licence", default="", metavar="TEXT", help="Under which licence those are, such as CC0.")
@click.option("--skip-bad", is_flag=True, help="Count bad records instead of stopping at the first.")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no report.")
def prepare(
    paths: tuple[Path, ...],
    out: Path,
    classes: tuple[tuple[str, ...], ...],
    synthetic: tuple[Path, ...],
    split: tuple[float, float, float],
    quiet: bool,
    **settings: Any,
) -> None:
    """Make a data set for sketch-train of drawings.

    PATH is a file, or a folder of files: simplified or raw ndjson (also .ndjson.gz), sketch-rnn .npz (read without
    unpickling), json as sketch-draw writes it, SVG (one drawing a file; the folder's name is the class, and a folder
    of such folders is read whole). Dropped are drawings that the game did not recognise, those over --max-points, empty
    ones, and all but one of equal ones. The same files, options and seed give the same bytes.

    Credit and licence go on into checkpoint and bundle. Google's files say that they are Google's; --credit and
    --licence are for the others.

    \b
    Examples:
        sketch-data prepare drawings --out data.npz
        sketch-data prepare drawings --out two.npz --classes "star,palm tree" --limit-per-class 3000
        sketch-data prepare drawings --out data.npz --synthetic teacher --limit-synthetic 1500
        sketch-data prepare my-svgs --out mine.npz --credit "drawn by Ada" --licence CC0
    """  # noqa: D301 - a real \b keeps click from wrapping
    from sketch_edge.runtime.files import check_writable
    from sketch_edge.train.prepare import PrepareOptions, total_bytes
    from sketch_edge.train.prepare import prepare as make_dataset
    from sketch_edge.train.readers.search import find_files

    if not paths and not synthetic:
        raise InputError("PATH: missing (expected files or folders of drawings); try 'sketch-data prepare --help'")
    check_writable(out)
    options = PrepareOptions(classes=tuple(name for names in classes for name in names), split=split, **settings)
    if out.exists() and any(path.exists() and out.samefile(path) for path, _ in find_files(paths, synthetic)[0]):
        raise InputError(f"--out: {out} is one of the files to read; name another file")
    start = time.monotonic()
    with _bar("reading", total_bytes(paths, synthetic), quiet) as bar:
        prepared = make_dataset(paths, options, synthetic, bar.add)
    prepared.data.save(out)
    if not quiet:
        _report(prepared, out, time.monotonic() - start)


@main.command("sample", short_help="Write drawings by models as training data.")
@click.argument("bundles", metavar="BUNDLE...", type=FILE, nargs=-1)
@click.option("--out", type=FILE, help="Folder for the files; made if it does not exist.  [required]")
@click.option("--count", type=click.IntRange(1, 10**6), help="Drawings of each class and bundle.  [required]")
@click.option(
    "--classes", type=Names(), multiple=True, help="Only these; may be repeated.  [default: all but hidden ones]"
)
@click.option("--temperature", type=FiniteRange(0, 10), help="0 (tidy) to 10.  [default: the bundle's for the class]")
@click.option("--seed", type=click.IntRange(0, 2**64 - 1), help="Same seed, same drawings.  [default: random]")
@click.option(
    "--recognised-by",
    type=FILE,
    metavar="DATA.NPZ",
    help="Keep only what a judge recognises that learns from the real drawings of this data set (minutes, once).",
)
@click.option("--least", type=FiniteRange(0, 1), help="How surely it has to, 0 to 1.  [default: 0.5]")
@click.option("-q", "--quiet", is_flag=True, help="No progress bar, no report.")
def sample(
    bundles: tuple[Path, ...],
    out: Path | None,
    count: int | None,
    classes: tuple[tuple[str, ...], ...],
    temperature: float | None,
    seed: int | None,
    recognised_by: Path | None,
    least: float | None,
    quiet: bool,
) -> None:
    """Write drawings by models as training data, one file for each class.

    What several BUNDLEs can each draw, one new model can learn to draw: sketch-data prepare and sketch-train take the
    files. Every record says that it is synthetic, whose drawings its model learnt from, and how to have it again.
    Drawings that run into the model's limit of points are left out and replaced. The same command goes on where it
    was cut; a file with other drawings is never replaced.

    With --recognised-by, of a class that is hardly ever recognised there are fewer drawings than asked for.

    \b
    Examples:
        sketch-data sample cat.sketch.zip dog.sketch.zip --count 2000 --seed 1 --out teachers
        sketch-data prepare teachers --out data.npz
        sketch-data sample model.sketch.zip --count 400 --recognised-by data.npz --out good
    """  # noqa: D301 - a real \b keeps click from wrapping
    from sketch_edge.train.sample import plan_samples, sample_class

    if not bundles:
        raise InputError("BUNDLE: missing (expected one or more bundles); try 'sketch-data sample --help'")
    if out is None or count is None:
        raise InputError(f"--{'out' if out is None else 'count'}: missing; try 'sketch-data sample --help'")
    plan = plan_samples(bundles, [name for names in classes for name in names])
    choice = _choice(recognised_by, least, list(plan), quiet)
    if seed is None:
        seed = int.from_bytes(os.urandom(4), "big")
        say(f"--seed {seed}")
    _make_folder(out)
    for name, teachers in plan.items():
        with _bar(name, count * len(teachers), quiet, unit="drawing") as bar:
            done = sample_class(
                name, teachers, out, count=count, seed=seed, temperature=temperature, choice=choice, progress=bar.add
            )
        if not quiet:
            say(_sampled(done))


def _choice(data: Path | None, least: float | None, classes: list[str], quiet: bool) -> Choice | None:
    """Train the judge, or take the one that is kept beside the data set; None where nobody asked for one."""
    if data is None:
        if least is not None:
            raise InputError("--least: says how surely a judge has to recognise; give --recognised-by DATA.NPZ too")
        return None
    from sketch_edge.train.recognise import LEAST, Recogniser
    from sketch_edge.train.sample import Choice

    with _bar("judge", None, quiet, unit="step") as bar:
        judge = Recogniser(data, classes, bar.show)
    return Choice(judge, LEAST if least is None else least)


def _sampled(done: Sampled) -> str:
    """The line about one file."""
    if done.kept:
        return f"{done.path}: {done.drawings} drawings, was there already"
    notes = [f"{done.cut} cut ones left out"] if done.cut else []
    notes += [f"{done.unrecognised} not recognised"] if done.unrecognised else []
    if not done.drawings:
        return f"{done.path}: not written, no drawing was recognised"
    return ", ".join([f"{done.path}: {done.drawings} drawings", *notes])


@main.command("check")
@click.argument("file", type=FILE)
@click.option("--skip-bad", is_flag=True, help="Count bad records instead of stopping at the first.")
def check(file: Path, skip_bad: bool) -> None:
    """Read FILE to its end and print what it holds.

    FILE is a data set, or drawings of any kind that sketch-data prepare reads. Exit code 2 says that it is damaged.

    \b
    Examples:
        sketch-data check drawings/star.ndjson
        sketch-data check data.npz
    """  # noqa: D301 - a real \b keeps click from wrapping
    from sketch_edge.train.describe import describe

    for line in _describe_lines(describe(file, skip_bad)):
        click.echo(escape(line))


def _report(prepared: Prepared, out: Path, seconds: float) -> None:
    """Print the table of counts, and what a reader of it has to know besides."""
    for path in prepared.ignored:
        say(f"{path}: holds no drawings, passed over")
    for name, notes in itertools.islice(prepared.notes.items(), MOST_NOTES):
        say(f"{name}: {', '.join(notes)}")
    if len(prepared.notes) > MOST_NOTES:
        say(f"... and in {len(prepared.notes) - MOST_NOTES} more files; sketch-data check FILE tells of each")
    for name, (records, first) in prepared.bad.items():
        say(f"{name}: {f'{records} bad records' if records else 'bad from here on'}, passed over; the first: {first}")
    click.echo("\n".join(map(escape, format_counts(prepared.counts))))
    data = prepared.data
    classes = counted(len(data.class_names), "class", "classes")
    say(
        f"{out}: {len(data)} drawings of {classes}, {len(data.points)} points, "
        f"scale {data.scale:.3f}, {_size(out.stat().st_size)}, {seconds:.1f} s"
    )
    say(f"credit: {data.credit} ({data.licence})")


MOST_NOTES = 10
"""Files that are told of."""

COLUMNS = (
    ("read", "read"),
    ("train", "train"),
    ("valid", "valid"),
    ("test", "test"),
    ("synthetic", "synthetic"),
    ("unrecognised", "unrecognised"),
    ("too long", "too_long"),
    ("empty", "empty"),
    ("duplicate", "duplicate"),
    ("over limit", "over_limit"),
)
"""Heading and field of each column: read = train + valid + test + all that was dropped; synthetic are part of train."""


def format_counts(counts: dict[str, ClassCounts]) -> list[str]:
    """Lay the counts out as an aligned table, one line a class and one of totals."""
    rows = [(name, [int(getattr(one, key)) for _, key in COLUMNS]) for name, one in counts.items()]
    totals = [sum(row[column] for _, row in rows) for column in range(len(COLUMNS))]
    rows.append((counted(len(counts), "class", "classes"), totals))
    first = max(len("class"), *(len(name) for name, _ in rows))
    widths = [max(len(title), len(str(total))) for (title, _), total in zip(COLUMNS, totals, strict=True)]
    heads = [title.rjust(width) for (title, _), width in zip(COLUMNS, widths, strict=True)]
    lines = ["  ".join(["class".ljust(first), *heads])]
    for name, row in rows:
        cells = [str(value).rjust(width) for value, width in zip(row, widths, strict=True)]
        lines.append("  ".join([name.ljust(first), *cells]))
    return lines


def _describe_lines(found: Description) -> Iterator[str]:
    """Write a description as lines of name and value."""
    yield f"{found.path}: {found.kind}"
    marks = {"unrecognised": found.unrecognised, "synthetic": found.synthetic, "bad": found.bad}
    extra = "".join(f", {count} {name}" for name, count in marks.items() if count)
    yield f"  drawings  {found.drawings}{extra}"
    yield f"  classes   {len(found.classes)}: {_shorten([f'{name} {count}' for name, count in found.classes.items()])}"
    yield "  points    min {}, median {:g}, max {} a drawing".format(*found.points)
    yield "  side      min {:g}, median {:g}, max {:g} in the file's units".format(*found.sides)
    if found.splits:
        yield f"  splits    {', '.join(f'{name} {count}' for name, count in found.splits.items())}"
    else:
        yield "  splits    none (sketch-data prepare makes them)"
    if found.scale is not None:
        yield f"  scale     {found.scale:.6f}"
    yield f"  sha256    {found.sha256}"
    if found.credit:
        yield f"  credit    {found.credit}"
    for note in found.notes:
        yield f"  note      {note}"
    for source in found.sources:
        made = ", synthetic" if source.synthetic else ""
        yield f"  source    {source.name}: {source.drawings} drawings{made}, sha256 {source.sha256[:16]}"
    if found.first_bad:
        yield f"  first bad {found.first_bad}"


def _shorten(items: Sequence[str], most: int = 400) -> str:
    more = f" and {len(items) - most} more" if len(items) > most else ""
    return ", ".join(items[:most]) + more


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise InputError(f"--out: {folder} is a file (expected a folder); name another") from error


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e5 else f"{count} bytes"


class _Bar:
    """Progress on standard error: tqdm's bar where it is installed, else a counter, nothing where nobody looks."""

    def __init__(self, label: str, total: int | None, unit: str) -> None:
        self._label, self._total, self._done, self._shown = label, total, 0, 0.0
        self._count = _size if unit == "B" else str
        self._tqdm = _tqdm(label, total, unit)

    def add(self, count: int) -> None:
        """Count `count` more."""
        self.show(self._done + count, self._total)

    def show(self, done: int, total: int | None) -> None:
        """Show `done` of `total`."""
        if self._tqdm is not None:
            self._tqdm.total = total
            self._tqdm.update(done - self._done)
        elif time.monotonic() - self._shown >= 0.5:
            self._shown = time.monotonic()
            share = f" {100 * done // total}%" if total else ""
            sys.stderr.write(f"\r{escape(self._label)}: {self._count(done)}{share}   ")
            sys.stderr.flush()
        self._done, self._total = done, total

    def close(self) -> None:
        """Remove the bar."""
        if self._tqdm is not None:
            self._tqdm.close()
        elif self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


class _NoBar(_Bar):
    """For --quiet and for a standard error that is no terminal."""

    def __init__(self) -> None:
        pass

    def add(self, count: int) -> None:
        """Do nothing."""

    def show(self, done: int, total: int | None) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _tqdm(label: str, total: int | None, unit: str) -> Any:
    try:
        from tqdm import tqdm
    except ImportError:
        return None  # tqdm comes with the train extra; fetching and preparing work without
    return tqdm(desc=escape(label), total=total, unit=unit, unit_scale=unit == "B", leave=False, file=sys.stderr)


@contextlib.contextmanager
def _bar(label: str, total: int | None, quiet: bool, unit: str = "B") -> Iterator[_Bar]:
    """Show a progress bar while the body runs."""
    bar = _NoBar() if quiet or not sys.stderr.isatty() else _Bar(label, total, unit)
    try:
        yield bar
    finally:
        bar.close()


if __name__ == "__main__":
    main()
