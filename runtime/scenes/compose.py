"""From the description of a page to the page: objects drawn, sized and placed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sketch_edge.runtime.artist import Artist, Order
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.layout import enlarged, median, pen_width_mm, room_for_points
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.scene import Pen, Placed, Scene
from sketch_edge.runtime.scenes.arranger import OUTSIDE_MM, Arranger
from sketch_edge.runtime.scenes.composition import Composition
from sketch_edge.runtime.scenes.placing import Shape
from sketch_edge.runtime.scenes.relations import find_clusters, find_depths, references
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.typical import typical_of_each

AT_ONCE = 4096
"""Sketches that are drawn side by side."""


def compose(composition: Composition, artist: Artist, *, max_points: int | None = None) -> Scene:
    """Make a scene: draw what is to be drawn, find a size and a place for everything.

    Equal compositions with a seed give equal scenes; without one, a random seed is drawn, which stands in the objects
    (`Composition.seeded` gives one beforehand). Sketch i of the page's seed is object i, or with `best_of` one of the
    sketches from i * best_of on, so that objects at the end change nothing about those before. Lines that lie behind
    something are all still there.

    Args:
        composition: what is on the page.
        artist: draws the classes, all side by side.
        max_points: where sketches are cut; the bundle's own where not given.

    Raises:
        InputError: an unknown class, relations that contradict each other, or an object that ends outside the margins.
        BundleError: the model gives numbers that are not finite.
    """
    composition = composition.seeded()
    refs = references(composition)
    clusters = find_clusters(composition, refs)
    depths = find_depths(composition, refs)
    sketches = _draw(composition, artist, max_points)
    things = [each.thing for each in composition.members]
    shapes = [Shape.of(sketch, each.rotate, each.flip) for sketch, each in zip(sketches, things, strict=True)]
    arranger = Arranger(composition, clusters, shapes)
    pens = tuple(composition.pens) or (_fitting_pen(composition, arranger),)
    room = room_for_points(composition.paper, max(pen.width_mm for pen in pens))
    spots = arranger.arrange(room)
    placed = {pen.name: number for number, pen in enumerate(pens)}
    objects = []
    for member, ((thing, number, _), sketch) in enumerate(zip(composition.members, sketches, strict=True)):
        arranger.placer.check(spots, member, refs[number - 1])
        pen = placed[thing.pen] if thing.pen is not None else 0
        lines = spots[member].lines
        recipe = (sketch.seed, sketch.index, sketch.temperature, sketch.source)
        each = Placed(lines, thing.kind, pen, *recipe, depth=depths[member], how=sketch.how)
        _check_inside(composition, member, each, pens[pen].width_mm)
        objects.append(each)
    return Scene(composition.paper, pens, tuple(objects))


def _draw(composition: Composition, artist: Artist, max_points: int | None) -> list[Sketch]:
    """The sketch of every member: given, or drawn by its own seed or by that of the page."""
    orders, checked = dict[int, list[Order]](), set[str]()
    sketches: dict[int, Sketch] = {}
    for member, (thing, _, copy) in enumerate(composition.members):
        if thing.sketch is not None:
            by_hand = thing.sketch.seed is None  # and so of any units
            sketches[member] = enlarged([thing.sketch])[0] if by_hand else thing.sketch
            continue
        if thing.label not in checked:
            try:
                artist.class_id(thing.label)
            except InputError as error:
                composition.refuse_member(member, "class", str(error).removeprefix("class "))
            checked.add(thing.label)
        index = thing.index if thing.index is not None else 0 if thing.seed is not None else member - copy
        if index + copy >= KEY_LIMIT:
            composition.refuse_member(member, "index", f"{index} leaves no room for copies; choose a smaller one")
        seed = thing.seed if thing.seed is not None else composition.seed
        tau = thing.temperature if thing.temperature is not None else composition.temperature
        assert seed is not None, "composition is seeded"
        tries = 1 if thing.settled else composition.best_of or 1
        first = (index + copy) * tries
        orders[member] = [Order(thing.label, seed, first + number, tau) for number in range(tries)]
    sketches |= zip(orders, _typical(list(orders.values()), artist, max_points), strict=True)
    return [sketches[member] for member in range(len(composition.members))]


def _typical(tries: Sequence[Sequence[Order]], artist: Artist, max_points: int | None) -> Iterator[Sketch]:
    """For each list of orders the most typical of its sketches; so many are drawn side by side as memory is cheap."""
    at_once = max(1, AT_ONCE // max(map(len, tries), default=1))
    for first in range(0, len(tries), at_once):
        groups = tries[first : first + at_once]
        drawn = iter(artist.draw_orders([order for group in groups for order in group], max_points=max_points))
        yield from typical_of_each(drawn, map(len, groups))


def _fitting_pen(composition: Composition, arranger: Arranger) -> Pen:
    """The pen that suits the size of most objects."""
    inside = composition.paper.inside
    sides = [max(box.width, box.height) for box in (spot.box for spot in arranger.arrange(inside).values())]
    return Pen(width_mm=pen_width_mm(min(median(sides), inside.width, inside.height)))


def _check_inside(composition: Composition, member: int, each: Placed, pen_mm: float) -> None:
    """Refuse an object whose ink ends beyond the margins."""
    box, inside, half = each.bounds, composition.paper.inside, pen_mm / 2
    if not each.lines:
        return
    beyond = {
        "left": inside.left - box.left + half,
        "right": box.right + half - inside.right,
        "upper": inside.top - box.top + half,
        "lower": box.bottom + half - inside.bottom,
    }
    side = max(beyond, key=lambda key: beyond[key])
    if beyond[side] > OUTSIDE_MM:
        thing = composition.members[member].thing
        key = "at" if thing.at is not None else "size" if thing.size is not None else ""
        distance = f"{beyond[side]:.1f}" if beyond[side] >= 0.1 else f"{beyond[side]:.1g}"
        composition.refuse_member(
            member, key, f"ends {distance} mm beyond the {side} margin; move it, or make it smaller"
        )
