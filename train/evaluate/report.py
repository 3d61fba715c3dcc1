"""The report as one HTML file that opens anywhere: drawings and charts inline, no script, no network."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from sketch_edge.train.evaluate.bootstrap import Estimate
from sketch_edge.train.evaluate.figures import (
    ALL,
    LARGE,
    Bar,
    ClassFigures,
    Comparison,
    ModelFigures,
    RealFigures,
    Report,
    Shown,
)
from sketch_edge.train.evaluate.pictures import drawing_svg, interval_svg, share_bar, strip
from sketch_edge.train.evaluate.statistics import MEASURES

UNCHOSEN = 8
"""Drawings of a class that are shown as they came, without choice."""

EXTREMES = 4
"""Best and worst drawings of a class."""

PAIRS = 24
"""Drawings shown beside the training drawings that they are nearest to."""

STYLE = """
:root{color-scheme:light}
body{font:15px/1.5 system-ui,sans-serif;color:#1d2430;background:#fff;max-width:1120px;margin:0 auto;padding:24px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px;border-bottom:1px solid #d5dae2;padding-bottom:4px}
h3{font-size:16px;margin:0}p{max-width:820px;margin:6px 0}.note{color:#566173}
table{border-collapse:collapse;margin:10px 0}th,td{padding:3px 12px 3px 0;text-align:right;vertical-align:top;
font-variant-numeric:tabular-nums;white-space:nowrap}th{font-weight:600;border-bottom:1px solid #b9c1cd}
th:first-child,td:first-child,.text{text-align:left}tr.group td{border-top:1px solid #e4e8ee}
.ci{color:#566173;font-size:12px}.pass{color:#0b6b3a;font-weight:600}.fail{color:#a3221b;font-weight:600}
.sketch{width:78px;height:78px}.sketch path{fill:none;stroke:#1d2430;stroke-width:4;stroke-linecap:round;
stroke-linejoin:round}.real path{stroke:#1f5fae}.strip{display:flex;flex-wrap:wrap;gap:2px}
.row{display:grid;grid-template-columns:150px 1fr;border-top:1px solid #e4e8ee;padding:6px 0;align-items:start}
.row .ci{display:block}.label{font-size:12px;color:#566173;margin-top:2px}.pairs{display:flex;flex-wrap:wrap;gap:12px}
.pair{border:1px solid #e4e8ee;border-radius:4px;padding:2px 4px;font-size:12px;color:#566173}
.pair.copy{border-color:#a3221b}.bar{width:200px;height:14px;vertical-align:middle}.ground{fill:#eef1f5}
.full{fill:#33414f}.tick{fill:#1f5fae}.span{fill:#9aa7b8}.scroll{overflow-x:auto}
@media print{.row{break-inside:avoid}}
"""


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
        _sheets_note(report),
        *(_sheet(report, real, number) for number, real in enumerate(report.real)),
        "<h2>Copies</h2>",
        _copies(report),
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
    head = _row(["figure", "found", "95 % interval", "bar", "", ""], "th")
    rows = [_bar_row(bar) for bar in model.bars]
    tau = "its own temperature" if model.temperature is None else f"temperature {model.temperature:g}"
    return f"<h3>{escape(model.name)} <span class=ci>{tau}</span></h3><table>{head}{''.join(rows)}</table>"


def _bar_row(bar: Bar) -> str:
    verdict = {None: "not measured", True: '<span class="pass">pass</span>', False: '<span class="fail">fail</span>'}
    what = f"{escape(bar.what)}<br><span class=ci>{escape(bar.on)}</span>"
    sign = "&ge;" if bar.at_least else "&le;"
    if bar.found is None:
        return _row([what, "&ndash;", "", f"{sign} {bar.bar:.2f}", "", verdict[None]])
    high = max(bar.found.high, bar.bar, 0.1) * 1.1
    cells = [f"{bar.found.value:.3f}", f"{bar.found.low:.3f} to {bar.found.high:.3f}", f"{sign} {bar.bar:.2f}"]
    return _row([what, *cells, interval_svg(bar.found, bar.bar, high), verdict[bar.passed]])


def _main_table(report: Report) -> str:
    """Real drawings first, then every model, for the large classes and for all."""
    parts = []
    for name in (LARGE, ALL):
        scope = report.scopes.get(name)
        if scope is None:
            continue
        head = ["", "top-1", "top-5", "Fréchet distance", "precision", "recall"]
        rows = [_row(head, "th")]
        rows.append(_row(["real test drawings (ceiling)", _told(scope.top1), _told(scope.top5), "", "", ""]))
        rows.append(_row(["real training drawings (floor)", "", "", *_compared(scope.floor)]))
        if scope.fresh is not None:
            rows.append(_row(["real validation drawings", "", "", *_compared(scope.fresh)]))
        for model in report.models:
            found = model.scopes[name]
            cells = [_told(found.top1), _told(found.top5), *_compared(found.comparison)]
            rows.append(_row([escape(model.name), *cells]))
        size = "" if scope.floor is None else f" Sets of {scope.floor.drawings} for distance, precision and recall."
        parts.append(
            f"<h3>{escape(scope.title[0].upper() + scope.title[1:])}</h3><p class=note>{len(scope.classes)} classes "
            f"with {scope.held} held-back real drawings; means over classes.{size}</p><table>{''.join(rows)}</table>"
        )
    return "".join(parts)


def _compared(found: Comparison | None) -> list[str]:
    if found is None:
        return ["too few"] * 3
    return [_told(found.frechet, 2), _told(found.precision), _told(found.recall)]


def _class_table(report: Report) -> str:
    """Top-1 beside that of real drawings; worst classes of the first model last."""
    head = ["class", "real drawings", "of them test", "real top-1"]
    for model in report.models:
        head += [f"{escape(model.name)} top-1", "top-5", "", "copies", '<span class="text">mostly taken for</span>']
    rows = [_row(head, "th")]
    for number in sorted(range(len(report.real)), key=lambda i: -report.models[0].classes[i].top1):
        real = report.real[number]
        cells = [f'<a href="#c{number}">{escape(real.name)}</a>', f"{real.real:,}", str(real.held), _percent(real.top1)]
        for model in report.models:
            cells += _class_cells(real, model.classes[number])
        rows.append(_row(cells))
    return (
        "<p class=note>Bar: the model's top-1; blue tick: that of real test drawings. Classes with few test drawings "
        f'have a coarse tick.</p><div class="scroll"><table>{"".join(rows)}</table></div>'
    )


def _class_cells(real: RealFigures, found: ClassFigures) -> list[str]:
    taken = f"{escape(found.taken_for)} {_percent(found.taken_share)}" if found.taken_for else ""
    title = f"{real.name}: {_percent(found.top1)} of generated, {_percent(real.top1)} of real drawings"
    bar = share_bar(found.top1, real.top1, title)
    return [
        _percent(found.top1),
        _percent(found.top5),
        bar,
        _percent(found.copies),
        f'<span class="text">{taken}</span>',
    ]


def _sheets_note(report: Report) -> str:
    return (
        f"<p class=note>Blue: real drawings. Black: the first {UNCHOSEN} that the model drew, as they came; then its "
        f"{EXTREMES} best and {EXTREMES} worst of {report.options.count} by the chance that the classifier gives to "
        "the class.</p>"
    )


def _sheet(report: Report, real: RealFigures, number: int) -> str:
    shown = report.shown[real.name]
    blue = strip([drawing_svg(each, "real", "real") for each in shown.real])
    parts = [f'<div class="label">real ({real.real:,}; recognised {_percent(real.top1)})</div>{blue}']
    for index, model in enumerate(report.models):
        found = model.classes[number]
        parts.append(f'<div class="label">{escape(model.name)}: recognised {_percent(found.top1)}</div>')
        parts.append(strip([drawing_svg(each) for each in shown.drawn[index][:UNCHOSEN]]))
        best, worst = _extremes(shown, index)
        parts.append(f'<div class="label">best, then worst</div>{strip([*best, *worst])}')
    return f'<div class="row" id="c{number}"><h3>{escape(real.name)}</h3><div>{"".join(parts)}</div></div>'


def _extremes(shown: Shown, index: int) -> tuple[list[str], list[str]]:
    likeness = shown.likeness[index]
    order = sorted(range(len(likeness)), key=lambda i: -likeness[i])
    svgs = [drawing_svg(shown.drawn[index][i], f"number {i}: {likeness[i]:.2f}") for i in order]
    return svgs[:EXTREMES], svgs[-EXTREMES:]


def _copies(report: Report) -> str:
    """Shares, and the drawings that are nearest to training drawings beside these."""
    rows = [_row(["", "copies", "near", "copies", "near"], "th")]
    for model in report.models:
        keys = ("copies_many", "near_many", "copies_few", "near_few")
        cells = [_told(model.copies[key]) if key in model.copies else "&ndash;" for key in keys]
        rows.append(_row([escape(model.name), *cells]))
    alone = [each for each in report.real if each.copies is not None]
    real = ["real training drawings among themselves"]
    for many in (True, False):
        members = [each for each in alone if (each.learnt >= report.options.copies_from) == many]
        for name in ("copies", "near"):
            real.append(f"{sum(getattr(e, name) for e in members) / len(members):.3f}" if members else "&ndash;")
    rows.append(_row(real))
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


def _measures(report: Report) -> str:
    """Means over classes of every measure, and how far they are from real ones."""
    head = ["", "real"]
    for model in report.models:
        head += [escape(model.name), "apart by"]
    rows = [_row(head, "th")]
    for name, meaning in MEASURES.items():
        cells = [
            f"{escape(name)} <span class=ci>{escape(meaning)}</span>",
            _number(_mean(e.measures[name] for e in report.real)),
        ]
        for model in report.models:
            cells += [_number(_mean(e.measures[name] for e in model.classes)), _number(model.effects[name])]
        rows.append(_row(cells))
    return (
        "<p class=note>Means over classes. Apart by: the mean over classes of the difference, up or down, in standard "
        f"deviations of the real drawings of the class.</p><table>{''.join(rows)}</table>"
    )


def _losses(report: Report) -> str:
    """Losses of each model, where there are any."""
    rows = [_row(["", "L_s offsets", "L_p pen", "L_R", "KL", "nats a point"], "th")]
    for model in report.models:
        if not model.losses:
            rows.append(_row([escape(model.name), *["&ndash;"] * 5]))
            continue
        cells = [_told(model.losses[name]) for name in ("offset", "pen", "reconstruction", "kl", "per_point")]
        rows.append(_row([escape(model.name), *cells]))
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


def _row(cells: Sequence[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _told(found: Estimate, digits: int = 3) -> str:
    return f"{found.value:.{digits}f} <span class=ci>{found.low:.{digits}f}&ndash;{found.high:.{digits}f}</span>"


def _percent(share: float | None) -> str:
    return "&ndash;" if share is None else f"{100 * share:.0f} %"


def _number(value: float | None) -> str:
    if value is None:
        return "&ndash;"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
