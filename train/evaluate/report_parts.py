"""What all parts of the report are written with: style, table rows and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sketch_edge.train.evaluate.bootstrap import Estimate

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


def row(cells: Sequence[str], tag: str = "td") -> str:
    """A row of a table; cells are HTML."""
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def told(found: Estimate, digits: int = 3) -> str:
    """A figure and its interval."""
    return f"{found.value:.{digits}f} <span class=ci>{found.low:.{digits}f}&ndash;{found.high:.{digits}f}</span>"


def percent(share: float | None) -> str:
    """A share in whole per cent, a dash where there is none."""
    return "&ndash;" if share is None else f"{100 * share:.0f} %"


def decimal(value: float | None) -> str:
    """A number with three digits, a dash where there is none."""
    if value is None:
        return "&ndash;"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def mean(values: Iterable[float]) -> float:
    """The mean of at least one number."""
    found = list(values)
    return sum(found) / len(found)
