"""The description of a page: which things, how large, where, in front of what. `compose` makes a `Scene` of it."""

from __future__ import annotations

import difflib
import math
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

from sketch_edge.runtime.artist import RANDOM_SEED_BITS
from sketch_edge.runtime.drawings import check_name
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MAX_TEMPERATURE, fold_name, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.page import LARGEST_MM, Page, parse_length_mm
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.sizes import LARGEST_M, METRES, SMALLEST_M
from sketch_edge.runtime.sketch import Sketch

LAYOUTS = ("row", "grid", "scatter", "free")
SIZES = ("natural", "equal")
RELATIONS = ("left_of", "right_of", "above", "below", "on", "inside", "in_front_of", "behind")
"""What one object may be to another; in files with hyphens."""

MOST_OBJECTS = 10_000
MOST_SCATTERED = 300
"""Scattering looks at every pair, again and again."""

MOST_PENS = 100
MOST_REFERENCES = 100_000
"""Objects that all relations of a page name together, each copy counted."""

LARGEST_DEPTH = 1e6
SCALES = (1e-3, 1e3)
MOST_DEGREES = 1e6

Length = float | str
"""Millimetres, or text: "5mm", "1cm", "0.5in", or a share of the page such as "30%"."""


@dataclass(frozen=True)
class Thing:
    """One object of a page, or `count` of them: a class to draw, or given strokes.

    Raises:
        InputError: a value is of the wrong type or out of range.
    """

    label: str = ""
    """Class, such as "cat". With `sketch` it only says what that shows; its own label where not given."""

    sketch: Sketch | None = None
    """Given strokes; a model draws the class where there are none."""

    name: str = ""
    """What relations call it; the class where not given, with a number from the second of a class on ("cat 2")."""

    seed: int | None = None
    """Its own seed; the page's where not given."""

    index: int | None = None
    """Which sketch of the seed. Where not given: 0 with a seed of its own, else its place among all objects."""

    temperature: float | None = None
    """0 to 10; the page's where not given."""

    at: tuple[Length, Length] | None = None
    """Its middle, x from the left and y from the top of the page; a share is one of the page's width and height."""

    size: Length | None = None
    """Larger side; a share is one of the page's shorter side. By the rule of the page where not given."""

    scale: float = 1.0
    """Times larger than the rule of the page says."""

    rotate: float = 0.0
    """Degrees, clockwise."""

    flip: bool = False
    """Mirrored, left to right, before it is turned."""

    pen: str | None = None
    """Name of a pen of the page; the first where not given."""

    depth: float | None = None
    """How far behind; what has a smaller depth hides it. By the relations, or 0, where not given."""

    count: int = 1
    """So many of the same."""

    gap: Length | None = None
    """Free space between it and what left_of, right_of, above, below, on or inside name; a share is one of the page's
    shorter side."""

    left_of: str | Sequence[str] = ()
    right_of: str | Sequence[str] = ()
    above: str | Sequence[str] = ()
    below: str | Sequence[str] = ()
    on: str | Sequence[str] = ()
    inside: str | Sequence[str] = ()
    in_front_of: str | Sequence[str] = ()
    behind: str | Sequence[str] = ()
    """Names of other objects; all of them where there are several."""

    def __post_init__(self) -> None:
        self._check_what()
        self._number("temperature", self.temperature, 0, MAX_TEMPERATURE)
        self._number("scale", self.scale, *SCALES)
        self._number("rotate", self.rotate, -MOST_DEGREES, MOST_DEGREES)
        self._number("depth", self.depth, -LARGEST_DEPTH, LARGEST_DEPTH)
        self._whole("seed", self.seed, 0, KEY_LIMIT - 1)
        self._whole("index", self.index, 0, KEY_LIMIT - 1)
        self._whole("count", self.count, 1, MOST_OBJECTS)
        if not isinstance(self.flip, bool):
            self.refuse("flip", f"is {short(self.flip)} (expected true or false)")
        if self.pen is not None and not isinstance(self.pen, str):
            self.refuse("pen", f"is {short(self.pen)} (expected the name of a pen)")
        self._check_lengths()
        for key in RELATIONS:
            object.__setattr__(self, key, self._names(key, getattr(self, key)))
        self._check_together()

    @property
    def kind(self) -> str:
        """What it is: its class, or what its strokes show, or "drawing"."""
        return self.label or (self.sketch.label if self.sketch else "") or self.name or "drawing"

    @property
    def title(self) -> str:
        """What relations call the first of its kind."""
        return self.name or self.kind

    def relations(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each relation that it has, as (its name in RELATIONS, names of the others)."""
        for key in RELATIONS:
            if names := getattr(self, key):
                yield key, names

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise an error about one key.

        Raises:
            InputError: always.
        """
        raise InputError(f"object {self.title}:{key.replace('_', '-')}: {problem}")

    def _check_what(self) -> None:
        if self.sketch is not None and not isinstance(self.sketch, Sketch):
            raise InputError(f"object:sketch: is {type(self.sketch).__name__} (expected a Sketch)")
        for key, value in (("class", self.label), ("name", self.name)):
            if value != "" and (problem := check_name(value)):
                raise InputError(f"object:{key}: {problem}; write another")
        if self.sketch is None and not self.label:
            self.refuse("class", "is missing; name what to draw, or give strokes")

    def _number(self, key: str, value: object, low: float, high: float) -> None:
        if value is None:
            return
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:  # nan too
            self.refuse(key, f"is {short(value)} (expected a number, {low:g} to {high:g})")

    def _whole(self, key: str, value: object, low: int, high: int) -> None:
        if value is not None and (type(value) is not int or not low <= value <= high):
            self.refuse(key, f"is {short(value)} (expected a whole number, {low} to {high})")

    def _check_lengths(self) -> None:
        at = self.at
        if at is not None:
            if not isinstance(at, tuple | list) or len(at) != 2:
                self.refuse("at", f'is {short(at)} (expected two lengths, such as ["50%", "30mm"])')
            object.__setattr__(self, "at", tuple(at))
        for key, value in (("at", at and at[0]), ("at", at and at[1]), ("size", self.size), ("gap", self.gap)):
            if value is not None:
                try:
                    length = length_mm(value, 100.0)
                except InputError as error:
                    self.refuse(key, str(error))
                if key == "size" and length <= 0:
                    self.refuse(key, "is 0; choose a length over 0")

    def _names(self, key: str, value: object) -> tuple[str, ...]:
        names = (value,) if isinstance(value, str) else value
        if not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
            self.refuse(key, f"is {short(value)} (expected the name of an object, or a list of names)")
        for name in names:
            if problem := check_name(name):
                self.refuse(key, f"{problem}; name an object")
        return tuple(dict.fromkeys(names))

    def _check_together(self) -> None:
        if self.at is not None and self.count > 1:
            self.refuse("at", f"is one place for {self.count} objects; leave out at or count")
        if self.at is not None and self.on:
            self.refuse("on", "goes with no at, as it gives a place itself; leave out one of the two")
        if self.size is not None and self.scale != 1.0:
            self.refuse("scale", "goes with no size; leave out one of the two")
        if self.gap is not None and (self.at is not None or not any(getattr(self, key) for key in RELATIONS[:6])):
            self.refuse("gap", "belongs to left-of, right-of, above, below, on or inside; leave it out")


class Member(NamedTuple):
    """One object of a page, each copy of a thing counted."""

    thing: Thing
    number: int
    """Which thing of the page, from 1."""

    copy: int
    """Which of the thing's `count`, from 0."""


@dataclass(frozen=True)
class Composition:
    """A page and what is on it.

    `Composition(["house", "tree", "sun"])` is a whole one.

    Raises:
        InputError: a value is of the wrong type or out of range, or two objects have one name.
    """

    things: Sequence[Thing | str]
    """Objects, the first drawn first; a text is a class."""

    page: Page | str = field(default_factory=Page)
    """A Page, or its text, such as "a5-landscape"."""

    pens: Sequence[Pen] = ()
    """Where there are none, one black pen that suits the size of the objects."""

    seed: int | None = None
    """Same seed, same page; `seeded` chooses one where none is given."""

    temperature: float | None = None
    """0 to 10; the bundle's own where not given."""

    layout: str = "row"
    """How objects that have no place, neither by `at` nor by a relation, are laid out: a name of LAYOUTS."""

    sizes: str | Mapping[str, float] = "natural"
    """"equal", or "natural": a cat is smaller than a house. Sizes in metres by class, {"cat": 0.5}, are natural and
    go before the table of `runtime/sizes.py`."""

    hidden: bool = True
    """Lines that lie behind something are to be removed. `compose` leaves that to its caller."""

    file: str = ""
    """Where it was read from; stands before errors."""

    def __post_init__(self) -> None:
        if isinstance(self.things, str | Thing) or not isinstance(self.things, Sequence):
            self.refuse("object", f"is {type(self.things).__name__} (expected a list of things)")
        things = tuple(Thing(each) if isinstance(each, str) else each for each in self.things)
        object.__setattr__(self, "things", things)
        object.__setattr__(self, "pens", tuple(self.pens))
        if isinstance(self.page, str):
            object.__setattr__(self, "page", Page.parse(self.page))
        if isinstance(self.sizes, Mapping):
            object.__setattr__(self, "sizes", self._own_sizes(self.sizes))
        self._check_choices()
        self._check_counts()
        self._check_pens()

    @property
    def paper(self) -> Page:
        """The page."""
        assert isinstance(self.page, Page)
        return self.page

    @property
    def natural(self) -> bool:
        """Whether things have the sizes and the places that they have in nature."""
        return self.sizes != "equal"

    @property
    def metres(self) -> Mapping[str, float]:
        """Sizes that go before those of the table, in metres by folded name."""
        return self.sizes if isinstance(self.sizes, Mapping) else {}

    def seeded(self) -> Composition:
        """The same with a seed: a random one, short enough to type, if there was none."""
        return self if self.seed is not None else replace(self, seed=secrets.randbits(RANDOM_SEED_BITS))

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """All objects, copies counted, in order."""
        return tuple(
            Member(thing, number, copy) for number, thing in enumerate(self._things, 1) for copy in range(thing.count)
        )

    @cached_property
    def names(self) -> Mapping[str, tuple[int, ...]]:
        """Which members each name means: a thing's name all its copies, "NAME 2" the second one."""
        return _name_members(self)

    def refuse(self, key: str, problem: str) -> NoReturn:
        """Raise an error about one key of the page.

        Raises:
            InputError: always.
        """
        raise InputError(f"{self.file}:{key}: {problem}" if self.file else f"{key}: {problem}")

    def refuse_member(self, member: int, key: str, problem: str) -> NoReturn:
        """Raise an error about one key of an object, a number of `members`.

        Raises:
            InputError: always.
        """
        each = self.members[member]
        title = each.thing.title + (f" (copy {each.copy + 1})" if each.thing.count > 1 else "")
        self.refuse(f"object {each.number} {title}" + f":{key.replace('_', '-')}" * bool(key), problem)

    @property
    def _things(self) -> tuple[Thing, ...]:
        return tuple(self.things)  # type: ignore[arg-type]  # texts became things at once

    def _own_sizes(self, sizes: Mapping[str, Any]) -> dict[str, float]:
        own: dict[str, float] = {}
        known = {fold_name(name) for thing in self._things for name in (thing.label, thing.kind)}
        for name, metres in sizes.items():
            key = f"sizes.{short(name)}"
            if not isinstance(name, str) or check_name(name):
                self.refuse(key, "is no class name; correct it")
            if isinstance(metres, bool) or not isinstance(metres, int | float) or not SMALLEST_M <= metres <= LARGEST_M:
                self.refuse(key, f"is {short(metres)} (expected metres, {SMALLEST_M:g} to {LARGEST_M:g})")
            if (folded := fold_name(name)) not in known and folded not in METRES:
                self.refuse(key, f"is no class that is known or drawn here{nearest(folded, [*known, *METRES])}")
            if folded in own:
                self.refuse(key, "is given twice; leave out one")
            own[folded] = float(metres)
        return own

    def _check_choices(self) -> None:
        for key, value, choices in (("layout", self.layout, LAYOUTS), ("sizes", self.sizes, SIZES)):
            if not isinstance(value, Mapping) and value not in choices:
                self.refuse(key, f"is {short(value)}; choose one of {', '.join(choices)}{nearest(value, choices)}")
        if not isinstance(self.hidden, bool):
            self.refuse("hidden", f"is {short(self.hidden)} (expected true or false)")
        if self.seed is not None and (type(self.seed) is not int or not 0 <= self.seed < KEY_LIMIT):
            self.refuse("seed", f"is {short(self.seed)} (expected a whole number, 0 to {KEY_LIMIT - 1})")
        tau = self.temperature
        if tau is not None and (isinstance(tau, bool) or not isinstance(tau, int | float) or not 0 <= tau <= 10):
            self.refuse("temperature", f"is {short(tau)} (expected a number, 0 to {MAX_TEMPERATURE:g})")
        if not isinstance(self.page, Page):
            self.refuse("page", f"is {type(self.page).__name__} (expected a page)")

    def _check_counts(self) -> None:
        if not self.things:
            self.refuse("object", "there are none (expected at least one); name something to draw")
        for number, thing in enumerate(self.things, 1):
            if not isinstance(thing, Thing):
                self.refuse(f"object {number}", f"is {type(thing).__name__} (expected a Thing)")
        total = sum(thing.count for thing in self._things)
        if total > MOST_OBJECTS:
            self.refuse("object", f"there are {total} (at most {MOST_OBJECTS}); draw them on several pages")
        if self.layout == "scatter" and total > MOST_SCATTERED:
            self.refuse("layout", f"scatter is for at most {MOST_SCATTERED} objects (got {total}); choose grid")

    def _check_pens(self) -> None:
        names = [pen.name for pen in self.pens]
        if len(set(names)) < len(names) or len(names) > MOST_PENS:
            self.refuse(
                "pen", f"there are {len(names)}, or two of one name (expected at most {MOST_PENS}, all different)"
            )
        for member, (thing, _, _) in enumerate(self.members):
            if thing.pen is not None and thing.pen not in (names or [Pen().name]):
                shown = ", ".join(map(short, names[:6])) or repr(Pen().name)
                self.refuse_member(member, "pen", f"{short(thing.pen)} is no pen of this page; choose one of {shown}")


def length_mm(value: object, side_mm: float) -> float:
    """A length in millimetres: a number, or text with a unit, or a share of `side_mm` such as "30%".

    Raises:
        InputError: none of these, negative, or over 10 m.
    """
    if isinstance(value, str):
        share = value.strip().removesuffix("%")
        if share != value.strip():
            try:
                length = float(share) / 100 * side_mm
            except ValueError:
                length = math.nan
        else:
            length = parse_length_mm(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        length = float(value) if abs(value) <= LARGEST_MM else math.inf
    else:
        length = math.nan
    if not 0 <= length <= LARGEST_MM:
        raise InputError(f'is {short(value)} (expected 0 to {LARGEST_MM:g} mm, such as 5, "5mm", "1cm" or "30%")')
    return length


def nearest(word: object, known: Sequence[str]) -> str:
    """A hint at what a word may have meant, to stand at the end of an error: "; the nearest is ...", or nothing."""
    if not isinstance(word, str) or len(word) > 100:
        return ""
    found = difflib.get_close_matches(word, known, n=1)
    return f"; the nearest is {found[0]!r}" if found else ""


def _name_members(composition: Composition) -> dict[str, tuple[int, ...]]:
    names: dict[str, tuple[int, ...]] = {}
    places: list[tuple[Thing, range]] = []
    first = 0
    for number, thing in enumerate(composition._things, 1):
        members = range(first, first + thing.count)
        first += thing.count
        places.append((thing, members))
        if thing.name and thing.name in names:
            composition.refuse(f"object {number} {thing.name}:name", "another object has it; choose another")
        if thing.name:
            names[thing.name] = tuple(members)
    used: dict[str, int] = {}
    for thing, members in places:
        title = thing.name
        if not title:
            title = _free_name(thing.kind, names, used)
            names[title] = tuple(members)
        if thing.count > 1:
            for copy, member in enumerate(members, 1):
                names.setdefault(f"{title} {copy}", (member,))
    return names


def _free_name(kind: str, names: Mapping[str, tuple[int, ...]], used: dict[str, int]) -> str:
    """`kind`, or with the first free number from 2 on; `used` remembers where to look on."""
    number = used.get(kind, 0) + 1
    while (name := kind if number == 1 else f"{kind} {number}") in names:
        number += 1
    used[kind] = number
    return name
