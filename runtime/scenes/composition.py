"""The description of a page: which things, how large, where, in front of what. `compose` makes a `Scene` of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple, NoReturn

from sketch_edge.runtime.artist import RANDOM_SEED_BITS
from sketch_edge.runtime.drawings import check_name
from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MAX_TEMPERATURE, fold_name, short
from sketch_edge.runtime.noise import KEY_LIMIT
from sketch_edge.runtime.page import Page
from sketch_edge.runtime.scene import Pen
from sketch_edge.runtime.scenes.sizes import LARGEST_M, METRES, SMALLEST_M
from sketch_edge.runtime.scenes.thing import MOST_OBJECTS, Thing, nearest
from sketch_edge.runtime.typical import MOST_TRIES

__all__ = ["LAYOUTS", "SIZES", "Composition", "Member", "Thing"]

LAYOUTS = ("row", "grid", "scatter", "free")
SIZES = ("natural", "equal")

MOST_SCATTERED = 300
"""Scattering looks at every pair, again and again."""

MOST_PENS = 100
MOST_REFERENCES = 100_000
"""Objects that all relations of a page name together, each copy counted."""


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
    go before the table of `runtime/scenes/sizes.py`."""

    hidden: bool = True
    """Lines that lie behind something are to be removed. `compose` leaves that to its caller."""

    best_of: int | None = None
    """Sketches that are drawn for each object that is not settled (`Thing.settled`), of which the most typical is
    taken, 1 to 100; 1 where not given."""

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

    @property
    def tempered(self) -> bool:
        """Whether a temperature is given anywhere."""
        return self.temperature is not None or any(thing.temperature is not None for thing in self._things)

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
        best_of = self.best_of
        if best_of is not None and (type(best_of) is not int or not 1 <= best_of <= MOST_TRIES):
            self.refuse("best-of", f"is {short(best_of)} (expected a whole number, 1 to {MOST_TRIES})")
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
