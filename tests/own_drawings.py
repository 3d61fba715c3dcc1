"""Thirty hand-made looking rockets as SVG, each different: what a user's folder of drawings may hold.

Run as a script it writes them into a folder, whose name is the class:

    python tests/own_drawings.py rocket
"""

from __future__ import annotations

import math
import random
import sys
from pathlib import Path

COUNT = 30
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
SPACE = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
LOOK = 'fill="none" stroke="black" stroke-width="1.5"'


def write_rockets(folder: Path, count: int = COUNT, seed: int = 0) -> list[Path]:
    """Write rocket-00.svg and so on; the same for the same seed."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for number in range(count):
        path = folder / f"rocket-{number:02d}.svg"
        path.write_text(rocket(random.Random(1000 * seed + number), number))
        paths.append(path)
    return paths


def rocket(rng: random.Random, number: int) -> str:
    """One rocket, 100 high, nose up, in one of five ways of writing SVG."""
    half, waist, base = rng.uniform(12, 18), rng.uniform(28, 40), rng.uniform(68, 76)
    parts = [
        _hull(rng, half, waist, base),
        _fin(rng, half, base, -1),
        _fin(rng, half, base, 1),
        _window(rng, half, waist),
        _flame(rng, half, base),
    ]
    if rng.random() < 0.4:
        parts.insert(1, f'<line x1="{-half:.1f}" y1="{waist:.1f}" x2="{half:.1f}" y2="{waist:.1f}"/>')
    lean = rng.uniform(-14, 14)
    writers = (_plain, _grouped, _inkscape, _used, _styled)
    return HEAD + writers[number % len(writers)]("\n".join(parts), lean, rng)


def _hull(rng: random.Random, half: float, waist: float, base: float) -> str:
    """The body, its nose of cubic curves, quadratic curves, arcs or straight lines."""
    nose = rng.choice(["cubic", "quadratic", "arc", "straight"])
    sides = f"L{half:.2f} {base:.2f} L{-half:.2f} {base:.2f} L{-half:.2f} {waist:.2f}"
    if nose == "cubic":
        left = f"C{-half:.2f} {waist * 0.4:.2f} -3 4 0 0"
        right = f"c3 4 {half:.2f} {waist * 0.4:.2f} {half:.2f} {waist:.2f}"
        return f'<path d="M{-half:.2f} {waist:.2f} {left} {right} {sides} Z"/>'
    if nose == "quadratic":
        left, right = f"Q{-half:.2f} {waist * 0.35:.2f} 0 0", f"Q{half:.2f} {waist * 0.35:.2f} {half:.2f} {waist:.2f}"
        return f'<path d="M{-half:.2f},{waist:.2f} {left} {right} V{base:.2f} H{-half:.2f} z"/>'
    if nose == "arc":
        radius = waist * 1.15
        arcs = f"A{radius:.1f} {radius:.1f} 0 0 1 0 0 A{radius:.1f} {radius:.1f} 0 0 1 {half:.2f} {waist:.2f}"
        return f'<path d="M{-half:.2f} {waist:.2f} {arcs} {sides}"/>'
    corners = [(0, 0), (half, waist), (half, base), (-half, base), (-half, waist)]
    return f'<polygon points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in corners)}"/>'


def _fin(rng: random.Random, half: float, base: float, side: int) -> str:
    out, up, down = rng.uniform(8, 13), rng.uniform(14, 22), rng.uniform(2, 8)
    points = [(half, base - up), (half + out, base + down), (half, base)]
    if rng.random() < 0.5:
        return f'<polyline points="{" ".join(f"{side * x:.2f} {y:.2f}" for x, y in points)}"/>'
    (x1, y1), (x2, y2), (x3, y3) = points
    bend = f"q{side * out * 0.9:.2f} {up * 0.3:.2f} {side * (x2 - x1):.2f} {y2 - y1:.2f}"
    return f'<path d="M{side * x1:.2f} {y1:.2f} {bend} L{side * x3:.2f} {y3:.2f}"/>'


def _window(rng: random.Random, half: float, waist: float) -> str:
    size, y = half * rng.uniform(0.35, 0.5), waist + rng.uniform(7, 12)
    return rng.choice(
        [
            f'<circle cx="0" cy="{y:.2f}" r="{size:.2f}"/>',
            f'<ellipse cx="0" cy="{y:.2f}" rx="{size:.2f}" ry="{size * 1.2:.2f}"/>',
            f'<rect x="{-size:.2f}" y="{y - size:.2f}" width="{2 * size:.2f}" height="{2 * size:.2f}" rx="2"/>',
        ]
    )


def _flame(rng: random.Random, half: float, base: float) -> str:
    teeth, deep = rng.choice([2, 3]), rng.uniform(12, 20)
    step = 1.4 * half / teeth
    path = f"M{-0.7 * half:.2f} {base + 1:.2f}"
    for _ in range(teeth):
        path += f" l{step / 2:.2f} {deep:.2f} l{step / 2:.2f} {-deep:.2f}"
    return f'<path d="{path}"/>'


def _plain(parts: str, lean: float, _: random.Random) -> str:
    return f'<svg {SPACE} viewBox="-40 -5 80 105"><g {LOOK} transform="rotate({lean:.1f} 0 50)">\n{parts}\n</g></svg>\n'


def _grouped(parts: str, lean: float, rng: random.Random) -> str:
    """Nested groups with transforms of every kind, that together are a lean and a size."""
    angle, size = math.radians(lean), rng.uniform(2, 4)
    turn = f"matrix({math.cos(angle):.5f} {math.sin(angle):.5f} {-math.sin(angle):.5f} {math.cos(angle):.5f} 0 0)"
    return (
        f'<svg {SPACE} width="400" height="500"><rect width="100%" height="100%" fill="white"/>\n'
        f'<g transform="translate(200,40)"><g transform="scale({size:.2f})"><g {LOOK} transform="{turn} skewX(3)">\n'
        f"{parts}\n</g></g></g></svg>\n"
    )


def _inkscape(parts: str, lean: float, _: random.Random) -> str:
    """As Inkscape saves it: millimetres, a doctype, its own namespace, a hidden layer."""
    return (
        '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">\n'
        f'<svg {SPACE} xmlns:inkscape="http://www.inkscape.org/namespaces/inkscape" width="80mm" height="105mm" '
        'viewBox="-40 -5 80 105"><inkscape:page x="0"/>\n'
        '<g inkscape:groupmode="layer" style="display:none"><rect width="90" height="90" stroke="red"/></g>\n'
        f'<g inkscape:groupmode="layer" style="fill:none;stroke:#000" transform="rotate({lean:.1f})">\n{parts}\n'
        "</g></svg>\n"
    )


def _used(parts: str, lean: float, _: random.Random) -> str:
    return (
        f'<svg {SPACE} width="8cm" height="10.5cm" viewBox="0 0 80 105"><defs><g id="rocket" {LOOK}>\n{parts}\n'
        f'</g></defs><use xlink:href="#rocket" x="40" y="5" transform="rotate({lean:.1f} 40 50)"/></svg>\n'
    )


def _styled(parts: str, lean: float, _: random.Random) -> str:
    """A style sheet, a symbol-like inner drawing, and a text that is no drawing."""
    return (
        f"<svg {SPACE} viewBox='0 0 200 200'>"
        "<style>.ink { fill: none; stroke: black } .off { display: none }</style>\n"
        f"<svg x='20' y='10' width='160' height='180' viewBox='-40 -5 80 105'><g class='ink'>"
        f"<g transform='rotate({lean:.1f} 0 50)'>\n{parts}\n</g></g></svg>\n"
        "<circle class='off' cx='100' cy='100' r='90'/><text x='5' y='195'>rocket</text></svg>\n"
    )


if __name__ == "__main__":
    print(f"{len(write_rockets(Path(sys.argv[1])))} drawings in {sys.argv[1]}")
