"""The report of the shipped model, in models/: its figures, its sheets and the tables of its card.

    python benchmarks/report.py simplified --teachers magenta-samples

`simplified` is a folder of Quick, Draw! drawings in their simplified form, `magenta-samples` one of drawings that other
models made of some classes. The data set is prepared as for the training (RECIPE), so that drawings which are held back
are those that the model never learnt from. Writes into --out:

    report.json            sketch-eval of the listed classes
    report-all.json        of all classes, the hidden ones too
    report-teachers.json   of the classes that have teachers: the model's drawings and the teachers' own
    sheet.png              drawings of each listed class, nothing picked

and into --work the tables of the card, tables.md, and the data set with its judges.

A judge is trained for each of the three; it is kept beside the data set. All on one thread: with more, sums are added
up in another order, and another judge comes out.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from sketch_edge.runtime.artist import Artist, load
from sketch_edge.runtime.files import write_atomic
from sketch_edge.runtime.layout import sheet
from sketch_edge.runtime.writers.png import render
from sketch_edge.train.dataset import DataSet, load_dataset
from sketch_edge.train.evaluate.bootstrap import Estimate
from sketch_edge.train.evaluate.evaluation import evaluate
from sketch_edge.train.evaluate.figures import ClassFigures, Comparison, ModelFigures, Options, RealFigures, Report
from sketch_edge.train.prepare import PrepareOptions, prepare

SHIPPED = Path(__file__).parents[1] / "models" / "quickdraw.sketch.zip"
RECIPE = PrepareOptions(limit_per_class=3000, limit_synthetic=2000, split=(90.0, 5.0, 5.0))
"""What the shipped model was trained on."""

SHEET_SEED = 1
SHEET_DRAWINGS = 6
SHEET_COLUMNS = 4
CELL_MM = 16.0
SHEET_WIDTH_PX = 2000


def data_set(folder: Path, simplified: Path, teachers: Path | None, classes: Sequence[str]) -> Path:
    """Prepare the data set, unless it is there from an earlier run with the same arguments."""
    path = folder / "data.npz"
    told = folder / "data.txt"
    asked = json.dumps([str(simplified.resolve()), teachers and str(teachers.resolve()), list(classes)], default=str)
    if path.exists() and told.exists() and told.read_text() == asked:
        return path
    options = PrepareOptions(**{**vars(RECIPE), "classes": tuple(classes)})
    made = prepare([simplified], options, synthetic=[] if teachers is None else [teachers])
    made.data.save(path)
    told.write_text(asked)
    return path


def taught(data: DataSet) -> list[str]:
    """Classes of which the data set has drawings that models made."""
    return [
        name
        for number, name in enumerate(data.class_names)
        if bool((data.synthetic & (data.class_ids == number)).any())
    ]


def draw_sheet(artist: Artist, path: Path) -> None:
    """Draw every listed class, several classes beside each other, each with its name at the left."""
    names = list(artist.listed_classes)
    rows = [artist.draw_many([name] * SHEET_DRAWINGS, seed=SHEET_SEED) for name in names]
    drawn = sheet(rows, names, cell_mm=CELL_MM, columns=SHEET_COLUMNS)
    write_atomic(path, render(drawn, width_px=SHEET_WIDTH_PX))


def bars_table(report: Report) -> list[str]:
    """The three bars and what stands beside them."""
    model = report.models[0]
    lines = ["| figure | found | 95 % | bar | |", "|---|---|---|---|---|"]
    for bar in model.bars:
        found = "not measured | -" if bar.found is None else _told(bar.found)
        verdict = {None: "-", True: "reached", False: "**not reached**"}[bar.passed]
        sign = "at least" if bar.at_least else "at most"
        lines.append(f"| {bar.what}; {bar.on} | {found} | {sign} {bar.bar:g} | {verdict} |")
    return lines


def _told(found: Estimate) -> str:
    return f"{found.value:.3f} | {found.low:.3f} to {found.high:.3f}"


def scopes_table(report: Report) -> list[str]:
    """Recognised shares and distances, of every model and of real drawings."""
    lines = [
        "| classes | drawings by | top-1 | top-5 | Fréchet | precision | recall |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, real in report.scopes.items():
        title = f"{real.title} ({len(real.classes)})"
        lines.append(f"| {title} | people | {real.top1.value:.3f} | {real.top5.value:.3f} | {_compared(real.floor)} |")
        for model in report.models:
            found = model.scopes[name]
            compared = _compared(found.comparison)
            lines.append(f"| | {model.name} | {found.top1.value:.3f} | {found.top5.value:.3f} | {compared} |")
    return lines


def _compared(found: Comparison | None) -> str:
    if found is None:
        return "few | few | few"
    return f"{found.frechet.value:.1f} | {found.precision.value:.3f} | {found.recall.value:.3f}"


def classes_table(report: Report) -> list[str]:
    """Every class: how many drawings it was learnt from, and how often each model's are recognised."""
    names = [model.name for model in report.models]
    heads = [f"top-1 {name}" for name in names] + [f"copies {name}" for name in names]
    lines = [f"| class | real | learnt from | top-1 real (of) | {' | '.join(heads)} |", "|---" * (4 + len(heads)) + "|"]
    for number, real in enumerate(report.real):
        found = [model.classes[number] for model in report.models]
        lines.append(f"| {real.name} | {real.real} | {real.learnt} | {_ceiling(real)} | {_shares(found)} |")
    return lines


def _ceiling(real: RealFigures) -> str:
    return "-" if real.top1 is None else f"{real.top1:.2f} ({real.held})"


def _shares(found: Sequence[ClassFigures]) -> str:
    return " | ".join([*(f"{each.top1:.2f}" for each in found), *(f"{each.copies:.2f}" for each in found)])


def copies_lines(model: ModelFigures) -> list[str]:
    """Shares of copies among classes of many and of few drawings."""
    names = {"copies_many": "many", "copies_few": "few"}
    return [f"copies, classes of {names[key]} drawings: {found}" for key, found in model.copies.items() if key in names]


def main() -> None:
    """Prepare, measure, draw, and write everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("simplified", type=Path, help="folder of <class>.ndjson")
    parser.add_argument("--teachers", type=Path, help="folder of synthetic <class>.ndjson")
    parser.add_argument("--bundle", type=Path, default=SHIPPED)
    parser.add_argument("--out", type=Path, default=SHIPPED.parent)
    parser.add_argument("--work", type=Path, default=Path(".report"), help="for the data set and the judges")
    parser.add_argument("--count", type=int, default=100, help="drawings of each class")
    options = parser.parse_args()
    torch.set_num_threads(1)
    artist = load(options.bundle)
    options.work.mkdir(exist_ok=True)
    data = data_set(options.work, options.simplified, options.teachers, artist.classes)
    tables = []
    for name, classes, synthetic in (
        ("report", tuple(artist.listed_classes), False),
        ("report-all", (), False),
        ("report-teachers", tuple(taught(load_dataset(data))), True),
    ):
        if name == "report-all" and len(artist.listed_classes) == len(artist.classes):
            continue
        if synthetic and not classes:
            continue
        asked = Options(classes=classes, count=options.count, synthetic=synthetic, losses=not synthetic)
        report = evaluate([options.bundle], data, asked, watch=_tell)
        text = json.dumps(report.to_dict(), indent=1, ensure_ascii=False)
        write_atomic(options.out / f"{name}.json", (text + "\n").encode())
        parts = [bars_table(report), scopes_table(report), classes_table(report), copies_lines(report.models[0])]
        tables += [f"## {name}", "", *(line for part in parts for line in [*part, ""])]
    draw_sheet(artist, options.out / "sheet.png")
    write_atomic(options.work / "tables.md", "\n".join(tables).encode())
    print("\n".join(tables))


def _tell(what: str, done: int, total: int) -> None:
    """Say on standard error what has been done."""
    if done == total:
        print(f"{what}: {total} of {total}", file=sys.stderr)


if __name__ == "__main__":
    main()
