"""The report as one HTML file that opens anywhere: drawings and charts inline, no script, no network."""

from __future__ import annotations

from html import escape

from sketch_edge.train.evaluate.figures import (
    ALL,
    LARGE,
    Bar,
    ClassFigures,
    Comparison,
    ModelFigures,
    RealFigures,
    Report,
)
from sketch_edge.train.evaluate.pictures import interval_svg, share_bar
from sketch_edge.train.evaluate.report_drawings import copies, sheet, sheets_note
from sketch_edge.train.evaluate.report_parts import STYLE, decimal, mean, percent, row, told
from sketch_edge.train.evaluate.statistics import MEASURES


def render(report: Report) -> str:
    """Write the report as HTML; the same report gives the same text."""
    names = ", ".join(model.name for model in report.models)
    parts = [
        f"<h1>How good are the drawings of {escape(names)}?</h1>",
        _introduction(report),
        "<h2>Summary</h2>",
        *(_summary(model) for model in report.models),
        "<h2>Main figures</h2>",
        _main_table(report),
        "<h2>Recognised, class by class</h2>",
        _class_table(report),
        "<h2>Drawings</h2>",
        sheets_note(report),
        *(sheet(report, real, number) for number, real in enumerate(report.real)),
        "<h2>Copies</h2>",
        copies(report),
        "<h2>How drawings are made</h2>",
        _measures(report),
        "<h2>Losses</h2>",
        _losses(report),
        "<h2>How it was measured</h2>",
        _method(report),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width"><title>sketch-eval: {escape(names)}</title><style>{STYLE}</style></head>\n'
        "<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _introduction(report: Report) -> str:
    held = sum(each.held for each in report.real)
    split = "test split" if report.options.against == "test" else "valid and test splits"
    first = (
        f"{len(report.real)} classes; {report.options.count} drawings of each by each model, seed "
        f"{report.options.seed}; {held:,} real drawings of the {split} to compare with, which no model learned from."
    )
    few = sum(each.held < 5 for each in report.real)
    if few:
        first += f" {few} classes have fewer than 5 of these: single figures of them mean little."
    return f"<p>{first}</p>" + "".join(f'<p class="note">{escape(note)}</p>' for note in report.notes)


def _summary(model: ModelFigures) -> str:
    head = row(["figure", "found", "95 % interval", "bar", "", ""], "th")
    rows = [_bar_row(bar) for bar in model.bars]
    return (
        f"<h3>{escape(model.name)} <span class=ci>{_temperature(model)}</span></h3><table>{head}{''.join(rows)}</table>"
    )


def _temperature(model: ModelFigures) -> str:
    """What the drawings were made with: one temperature, or from the lowest to the highest of the classes."""
    if model.temperature is not None:
        return f"temperature {model.temperature:g}"
    own = [each.temperature for each in model.classes if each.temperature is not None]
    return f"temperature {min(own):g} to {max(own):g}, by class" if own else "its own temperature"


def _bar_row(bar: Bar) -> str:
    verdict = {None: "not measured", True: '<span class="pass">pass</span>', False: '<span class="fail">fail</span>'}
    what = f"{escape(bar.what)}<br><span class=ci>{escape(bar.on)}</span>"
    sign = "&ge;" if bar.at_least else "&le;"
    if bar.found is None:
        return row([what, "&ndash;", "", f"{sign} {bar.bar:.2f}", "", verdict[None]])
    high = max(bar.found.high, bar.bar, 0.1) * 1.1
    cells = [f"{bar.found.value:.3f}", f"{bar.found.low:.3f} to {bar.found.high:.3f}", f"{sign} {bar.bar:.2f}"]
    return row([what, *cells, interval_svg(bar.found, bar.bar, high), verdict[bar.passed]])


def _main_table(report: Report) -> str:
    """Real drawings first, then every model, for the large classes and for all."""
    parts = []
    for name in (LARGE, ALL):
        scope = report.scopes.get(name)
        if scope is None:
            continue
        head = ["", "top-1", "top-5", "Fréchet distance", "precision", "recall"]
        rows = [row(head, "th")]
        rows.append(row(["real test drawings (ceiling)", told(scope.top1), told(scope.top5), "", "", ""]))
        rows.append(row(["real training drawings (floor)", "", "", *_compared(scope.floor)]))
        if scope.fresh is not None:
            rows.append(row(["real validation drawings", "", "", *_compared(scope.fresh)]))
        for model in report.models:
            found = model.scopes[name]
            cells = [told(found.top1), told(found.top5), *_compared(found.comparison)]
            rows.append(row([escape(model.name), *cells]))
        size = "" if scope.floor is None else f" Sets of {scope.floor.drawings} for distance, precision and recall."
        parts.append(
            f"<h3>{escape(scope.title[0].upper() + scope.title[1:])}</h3><p class=note>{len(scope.classes)} classes "
            f"with {scope.held} held-back real drawings; means over classes.{size}</p><table>{''.join(rows)}</table>"
        )
    return "".join(parts)


def _compared(found: Comparison | None) -> list[str]:
    if found is None:
        return ["too few"] * 3
    return [told(found.frechet, 2), told(found.precision), told(found.recall)]


def _class_table(report: Report) -> str:
    """Top-1 beside that of real drawings; worst classes of the first model last."""
    head = ["class", "real drawings", "of them test", "real top-1"]
    alone = len(report.models) == 1
    for model in report.models:
        head += [f"{escape(model.name)} top-1", "", "copies"]
        head += ["top-5", '<span class="text">mostly taken for</span>'] if alone else []
    rows = [row(head, "th")]
    for number in sorted(range(len(report.real)), key=lambda i: -report.models[0].classes[i].top1):
        real = report.real[number]
        cells = [f'<a href="#c{number}">{escape(real.name)}</a>', f"{real.real:,}", str(real.held), percent(real.top1)]
        for model in report.models:
            cells += _class_cells(real, model.classes[number], alone)
        rows.append(row(cells))
    return (
        "<p class=note>Bar: the model's top-1; blue tick: that of real test drawings. Classes with few test drawings "
        f'have a coarse tick.</p><div class="scroll"><table>{"".join(rows)}</table></div>'
    )


def _class_cells(real: RealFigures, found: ClassFigures, alone: bool) -> list[str]:
    """What a model's drawings of a class are, at more length where it stands alone."""
    taken = f"{escape(found.taken_for)} {percent(found.taken_share)}" if found.taken_for else ""
    title = f"{real.name}: {percent(found.top1)} of generated, {percent(real.top1)} of real drawings"
    cells = [percent(found.top1), share_bar(found.top1, real.top1, title), percent(found.copies)]
    return [*cells, percent(found.top5), f'<span class="text">{taken}</span>'] if alone else cells


def _measures(report: Report) -> str:
    """Means over classes of every measure, and how far they are from real ones."""
    head = ["", "real"]
    for model in report.models:
        head += [escape(model.name), "apart by"]
    rows = [row(head, "th")]
    for name, meaning in MEASURES.items():
        cells = [
            f"{escape(name)} <span class=ci>{escape(meaning)}</span>",
            decimal(mean(e.measures[name] for e in report.real)),
        ]
        for model in report.models:
            cells += [decimal(mean(e.measures[name] for e in model.classes)), decimal(model.effects[name])]
        rows.append(row(cells))
    return (
        "<p class=note>Means over classes. Apart by: the mean over classes of the difference, up or down, in standard "
        f"deviations of the real drawings of the class.</p><table>{''.join(rows)}</table>"
    )


def _losses(report: Report) -> str:
    """Losses of each model, where there are any."""
    rows = [row(["", "L_s offsets", "L_p pen", "L_R", "KL", "nats a point"], "th")]
    for model in report.models:
        if not model.losses:
            rows.append(row([escape(model.name), *["&ndash;"] * 5]))
            continue
        cells = [told(model.losses[name]) for name in ("offset", "pen", "reconstruction", "kl", "per_point")]
        rows.append(row([escape(model.name), *cells]))
    return (
        "<p class=note>Of held-back real drawings, z at its posterior mean, taken through encoder and "
        "single-step decoder "
        "for bundles and checkpoints alike; means over classes, so classes with few drawings count as much as others. "
        "The first three are divided by the most points of the model, as in training; only the last, in "
        "Quick, Draw! units, "
        f"compares models of different data sets. Each class is in the JSON.</p><table>{''.join(rows)}</table>"
    )


def _method(report: Report) -> str:
    settings = report.options.classifier
    floor = report.scopes.get(ALL)
    sizes = f", here {floor.floor.drawings} for all classes" if floor is not None and floor.floor is not None else ""
    return "".join(
        f"<p>{text}</p>"
        for text in (  # each a paragraph
            "Pictures have 28 x 28 pixels: the drawing fitted to 24, both axes alike, centred, lines 1.5 wide.",
            f"The classifier is a convolutional network with {report.classifier['features']} features that learned "
            f"from {sum(each.training for each in report.real):,} real training drawings of these classes and "
            f"from nothing "
            f"else ({settings.steps} steps of {settings.batch}, seed {settings.seed}). What it recognises of real test "
            "drawings is the ceiling.",
            "Fréchet distance, precision and recall (3 nearest neighbours, Kynkäänniemi et al. 2019) are taken in "
            f"these features between sets of equal size, as many of each class in both{sizes}; the same for real "
            f"training "
            "against real test drawings is the floor that a perfect model reaches.",
            "Intervals hold 95 %: drawings drawn anew within their class. They do not cover the training of the "
            "classifier or of the model.",
            f"Data {report.data['sha256'][:16]}, classifier {report.classifier['sha256'][:16]}.",
            *(
                f"{escape(model.name)}: "
                + ", ".join(f"{escape(k)} {escape(str(v))}" for k, v in model.about.items())
                + "."
                for model in report.models
            ),
        )
    )
