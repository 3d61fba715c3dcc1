"""The parts of the report that show drawings: sheets of every class, and copies beside their originals."""

from __future__ import annotations

from html import escape

from sketch_edge.train.evaluate.figures import (
    RealFigures,
    Report,
    Shown,
)
from sketch_edge.train.evaluate.pictures import drawing_svg, strip
from sketch_edge.train.evaluate.report_parts import percent, row, told

UNCHOSEN = 8
"""Drawings of a class that are shown as they came, without choice."""

EXTREMES = 4
"""Best and worst drawings of a class."""

PAIRS = 24
"""Drawings shown beside the training drawings that they are nearest to."""


def sheets_note(report: Report) -> str:
    """What the sheets show."""
    return (
        f"<p class=note>Blue: real drawings. Black: the first {UNCHOSEN} that the model drew, as they came; then its "
        f"{EXTREMES} best and {EXTREMES} worst of {report.options.count} by the chance that the classifier gives to "
        "the class.</p>"
    )


def sheet(report: Report, real: RealFigures, number: int) -> str:
    """Real drawings of class `number` above those of each model."""
    shown = report.shown[real.name]
    blue = strip([drawing_svg(each, "real", "real") for each in shown.real])
    parts = [f'<div class="label">real ({real.real:,}; recognised {percent(real.top1)})</div>{blue}']
    for index, model in enumerate(report.models):
        found = model.classes[number]
        parts.append(f'<div class="label">{escape(model.name)}: recognised {percent(found.top1)}</div>')
        parts.append(strip([drawing_svg(each) for each in shown.drawn[index][:UNCHOSEN]]))
        best, worst = _extremes(shown, index)
        parts.append(f'<div class="label">best, then worst</div>{strip([*best, *worst])}')
    return f'<div class="row" id="c{number}"><h3>{escape(real.name)}</h3><div>{"".join(parts)}</div></div>'


def _extremes(shown: Shown, index: int) -> tuple[list[str], list[str]]:
    likeness = shown.likeness[index]
    order = sorted(range(len(likeness)), key=lambda i: -likeness[i])
    svgs = [drawing_svg(shown.drawn[index][i], f"number {i}: {likeness[i]:.2f}") for i in order]
    return svgs[:EXTREMES], svgs[-EXTREMES:]


def copies(report: Report) -> str:
    """Shares, and the drawings that are nearest to training drawings beside these."""
    rows = [row(["", "copies", "near", "copies", "near"], "th")]
    for model in report.models:
        keys = ("copies_many", "near_many", "copies_few", "near_few")
        cells = [told(model.copies[key]) if key in model.copies else "&ndash;" for key in keys]
        rows.append(row([escape(model.name), *cells]))
    alone = [each for each in report.real if each.copies is not None]
    real = ["real training drawings among themselves"]
    for many in (True, False):
        members = [each for each in alone if (each.learnt >= report.options.copies_from) == many]
        for name in ("copies", "near"):
            real.append(f"{sum(getattr(e, name) for e in members) / len(members):.3f}" if members else "&ndash;")
    rows.append(row(real))
    most = report.options.copies_from
    return (
        f"<p class=note>Means over classes. Left: classes with at least {most} training drawings; right: with fewer. "
        "Near: nearer to a training drawing than all but one in a hundred real drawings are to each other. Copy: near, "
        "and less than 0.7 times as far from that one drawing as from the next.</p>"
        f"<table>{''.join(rows)}</table>" + "".join(_pairs(report, index) for index in range(len(report.models)))
    )


def _pairs(report: Report, index: int) -> str:
    """What was called a copy, and then what is nearest by the threshold of its class, beside the training drawing."""
    found = []
    for real in report.real:
        nearest = report.shown[real.name].nearest[index]
        pairs = [(not copy, distance / max(real.threshold, 1e-9), i) for i, (distance, _, copy) in enumerate(nearest)]
        found += [(innocent, ratio, real.name, i) for innocent, ratio, i in sorted(pairs)[:2]]
    shown = [_pair(report.shown[name], index, i, name, ratio) for _, ratio, name, i in sorted(found)[:PAIRS]]
    title = escape(report.models[index].name)
    note = f"<p>{title}: copies (framed red) and nearest, at most two of a class, each beside its training drawing</p>"
    return f'{note}<div class="pairs">{"".join(shown)}</div>'


def _pair(shown: Shown, index: int, number: int, name: str, ratio: float) -> str:
    _, original, copy = shown.nearest[index][number]
    left = drawing_svg(shown.learnt[original], "training drawing", "real")
    right = drawing_svg(shown.drawn[index][number], f"number {number}")
    told = f"{escape(name)}, {'copy, ' if copy else ''}{ratio:.2f} of the threshold"
    return f'<div class="pair{" copy" if copy else ""}">{left}{right}<br>{told}</div>'
