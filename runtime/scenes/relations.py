"""What relations say: who is meant, who is in front, and in which order objects find their places."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sketch_edge.runtime.manifest import short
from sketch_edge.runtime.scenes.composition import MOST_REFERENCES, Composition
from sketch_edge.runtime.scenes.sizes import is_sky
from sketch_edge.runtime.scenes.thing import nearest

PLACING = ("left_of", "right_of", "above", "below", "on", "inside")
"""Relations that give a place."""

DEPTHS = ("in_front_of", "behind")
"""Relations that give a depth, and a place to what has none."""

OPPOSITE = {"left_of": "right_of", "right_of": "left_of", "above": "below", "below": "above"}

References = Mapping[str, tuple[int, ...]]
"""For each relation of an object, the members it names."""


@dataclass(frozen=True)
class Step:
    """Members that find their places together, beside each other, by members that have theirs."""

    members: tuple[int, ...]
    by: References


@dataclass(frozen=True)
class Cluster:
    """Members that relations tie together, in the order in which they find their places."""

    first: tuple[int, ...]
    """The one that the others are placed by, or all that have a place of their own (`at`)."""

    steps: tuple[Step, ...]

    anchored: bool
    """Whether `first` have places on the page; else the layout places the cluster as a whole."""

    @property
    def members(self) -> tuple[int, ...]:
        """All of them."""
        return (*self.first, *(member for step in self.steps for member in step.members))


def references(composition: Composition) -> list[References]:
    """Whom the relations of each thing name, thing after thing; copies of a thing share them.

    Raises:
        InputError: an unknown name, an object related to itself, or too many of all that.
    """
    result: list[References] = []
    first, total = 0, 0
    for thing in composition.members:
        if thing.copy:
            continue
        found: dict[str, tuple[int, ...]] = {}
        for key, names in thing.thing.relations():
            met: dict[int, None] = {}
            for name in names:
                if name not in composition.names:
                    hint = nearest(name, list(composition.names))
                    composition.refuse_member(first, key, f"there is no object called {short(name)}{hint}")
                met |= dict.fromkeys(composition.names[name])
            if not met.keys().isdisjoint(range(first, first + thing.thing.count)):
                composition.refuse_member(first, key, "names the object itself; name another")
            found[key] = tuple(met)
            total += len(met) * thing.thing.count
            if total > MOST_REFERENCES:
                composition.refuse_member(first, key, f"over {MOST_REFERENCES} objects are named in all; name fewer")
        result.append(found)
        first += thing.thing.count
    return result


def placed_by(composition: Composition, refs: Sequence[References], member: int) -> References:
    """The relations that give a member its place: none if it has one of its own."""
    thing, number, _ = composition.members[member]
    if thing.at is not None:
        return {}
    own = refs[number - 1]
    placing = {key: names for key, names in own.items() if key in PLACING}
    return placing or own


def find_clusters(composition: Composition, refs: Sequence[References]) -> list[Cluster]:
    """Sort all members into clusters, by the first of each.

    Raises:
        InputError: objects are placed by each other in a circle, or nothing places one of them.
    """
    count = len(composition.members)
    by = [placed_by(composition, refs, member) for member in range(count)]
    _refuse_circles(composition, by)
    ties = _Ties(count)
    for member, relations in enumerate(by):
        for names in relations.values():
            for other in names:
                ties.tie(member, other)
    groups: dict[int, list[int]] = {}
    for member in range(count):
        groups.setdefault(ties.end(member), []).append(member)
    return [_cluster(composition, members, by) for members in groups.values()]


def find_depths(composition: Composition, refs: Sequence[References]) -> list[float]:
    """A depth for every member: those given, and for the others such that every relation holds; else 0.

    What is on or inside another and has no depth by other means has that other's.

    Raises:
        InputError: relations and given depths contradict each other.
    """
    members = composition.members
    same = [_same_depth_as(composition, refs, member) for member in range(len(members))]
    fars: list[dict[int, str]] = [{} for _ in members]
    subjects = set()
    for member, each in enumerate(members):
        for key in DEPTHS:
            for other in refs[each.number - 1].get(key, ()):
                near, far = (member, same[other]) if key == "in_front_of" else (same[other], member)
                if near == far:
                    composition.refuse_member(member, key, "it is on or inside the same object; leave out one relation")
                fars[near][far] = key
                subjects.add(member)
    order = _sorted_by_depth(composition, fars, subjects)
    given = {member: float(each.thing.depth) for member, each in enumerate(members) if each.thing.depth is not None}
    depths = _solve(composition, order, fars, given, subjects)
    return [depths[same[member]] for member in range(len(members))]


def _same_depth_as(composition: Composition, refs: Sequence[References], member: int) -> int:
    """The member whose depth this one shares, itself if it has its own; relations go in no circle here."""
    while True:
        thing, number, _ = composition.members[member]
        own = refs[number - 1]
        carriers = own.get("on", ()) or own.get("inside", ())
        if thing.depth is not None or not carriers or any(key in own for key in DEPTHS):
            return member
        member = carriers[0]


def _circle(following: Mapping[int, int]) -> set[int]:
    """The members of one circle, where each that is followed leads to another of the mapping."""
    member = next(iter(following))
    for _ in following:
        member = following[member]
    circle = {member}
    while (member := following[member]) not in circle:
        circle.add(member)
    return circle


def _sorted_by_depth(composition: Composition, fars: Sequence[Mapping[int, str]], subjects: set[int]) -> list[int]:
    """All members so that each comes before those that are behind it."""
    before = [0] * len(fars)
    for others in fars:
        for far in others:
            before[far] += 1
    ready = deque(member for member, number in enumerate(before) if number == 0)
    order = []
    while ready:
        near = ready.popleft()
        order.append(near)
        for far in fars[near]:
            before[far] -= 1
            if before[far] == 0:
                ready.append(far)
    nearer = {far: near for near, others in enumerate(fars) if before[near] > 0 for far in others if before[far] > 0}
    if nearer:
        circle = _circle(nearer)
        member = min(circle & subjects or circle)
        composition.refuse_member(member, "", "is before and behind the same object, in a circle; correct one")
    return order


def _solve(
    composition: Composition,
    order: Sequence[int],
    fars: Sequence[Mapping[int, str]],
    given: Mapping[int, float],
    subjects: set[int],
) -> list[float]:
    """Depths along `order`: whole steps from what is given, or from the objects that relations only refer to."""
    ties = _Ties(len(order))
    most: list[float | None] = [None] * len(order)
    free: list[int] = [0] * len(order)  # members without a depth between this one and the next given depth behind it
    for near in reversed(order):
        for far in fars[near]:
            ties.tie(near, far)
            limit, between = (given[far], 0) if far in given else (most[far], free[far] + 1)
            if limit is not None and (most[near] is None or (limit, -between) < (most[near], -free[near])):
                most[near], free[near] = limit, between
    with_given = {ties.end(member) for member in given}
    depths, least = [0.0] * len(order), dict[int, float]()
    for near in order:
        low, limit = least.get(near), most[near]
        if near in given:
            depths[near] = given[near]
            if low is not None and low >= given[near]:
                composition.refuse_member(near, "depth", f"is {given[near]:g}, but it is behind one of {low:g}")
        elif ties.end(near) in with_given and limit is not None:
            if low is not None and low >= limit:
                composition.refuse_member(near, "", f"is behind one of depth {low:g} and before one of {limit:g}")
            # The whole step nearest to what is behind it, or else even parts of what room there is.
            step = limit - 1 - free[near]
            depths[near] = step if low is None or step > low else low + (limit - low) / (free[near] + 2)
        else:
            depths[near] = 0.0 if low is None else low + 1
        for far in fars[near]:
            least[far] = max(least.get(far, depths[near]), depths[near])
    _anchor(depths, ties, with_given, subjects)
    return depths


def _anchor(depths: list[float], ties: _Ties, with_given: set[int], subjects: set[int]) -> None:
    """Shift each group without given depths so that the nearest object that has no depth relation itself is at 0."""
    shift: dict[int, float] = {}
    for member, depth in enumerate(depths):
        if member not in subjects:
            end = ties.end(member)
            shift[end] = min(shift.get(end, depth), depth)
    for member in range(len(depths)):
        if (end := ties.end(member)) not in with_given:
            depths[member] -= shift.get(end, 0.0)


def _refuse_circles(composition: Composition, by: Sequence[References]) -> None:
    """Refuse objects that are placed by each other."""
    waiting = [len({other for names in relations.values() for other in names}) for relations in by]
    followers: list[list[int]] = [[] for _ in by]
    for member, relations in enumerate(by):
        for other in {other for names in relations.values() for other in names}:
            followers[other].append(member)
    ready = [member for member, number in enumerate(waiting) if number == 0]
    while ready:
        for follower in followers[ready.pop()]:
            waiting[follower] -= 1
            if waiting[follower] == 0:
                ready.append(follower)
    left = {member for member, number in enumerate(waiting) if number > 0}
    if left:
        following = {m: next(o for names in by[m].values() for o in names if o in left) for m in left}
        member = min(_circle(following))
        key = next(key for key, names in by[member].items() if following[member] in names)
        composition.refuse_member(member, key, "is placed by itself, in a circle; leave out one relation")


def _cluster(composition: Composition, members: Sequence[int], by: Sequence[References]) -> Cluster:
    """Find the order in which the members of one cluster are placed."""
    anchored = tuple(member for member in members if composition.members[member].thing.at is not None)
    first = anchored or (next(member for member in members if not by[member]),)
    groups: dict[object, list[int]] = {}
    for member in members:
        if by[member]:
            thing = composition.members[member].thing
            like = (tuple(by[member].items()), thing.gap, composition.natural and is_sky(thing.kind))
            groups.setdefault(like, []).append(member)
    steps = _Order(first, [(tuple(group), by[group[0]]) for group in groups.values()]).steps()
    placed = {member for step in steps for member in step.members} | set(first)
    for member in members:
        if member not in placed:
            start = composition.members[first[0]].thing.title
            composition.refuse_member(
                member,
                "",
                f"nothing says where it is beside {start}, to which others tie it; relate the two, or give at",
            )
    return Cluster(first, tuple(steps), bool(anchored))


class _Order:
    """Who is placed after whom in a cluster.

    A group is placed once all that it names have their places. Where that leads nowhere, as in "right of the house
    and left of the tree" with neither placed by anything else, it is placed by those that have, and then the others
    by it, the other way round.
    """

    def __init__(self, first: Sequence[int], groups: Sequence[tuple[tuple[int, ...], References]]) -> None:
        self._groups = groups
        self._placed: set[int] = set()
        self._waiting = [{other for names in by.values() for other in names} for _, by in groups]
        self._followers: dict[int, list[int]] = {}
        for number, others in enumerate(self._waiting):
            for other in others:
                self._followers.setdefault(other, []).append(number)
        self._led = {member for members, _ in groups for member in members}
        self._ready: deque[int] = deque()
        self._partly: deque[int] = deque()
        self._backwards: deque[tuple[int, str, int]] = deque()
        for member in first:
            self._place(member)

    def steps(self) -> list[Step]:
        steps = []
        while True:
            if self._ready or self._partly:
                number = self._ready.popleft() if self._ready else self._partly.popleft()
                members, by = self._groups[number]
                if members[0] in self._placed:
                    continue
                known = {key: tuple(o for o in names if o in self._placed) for key, names in by.items()}
                steps.append(Step(members, {key: names for key, names in known.items() if names}))
                for member in members:
                    self._place(member)
                missing = [(o, key) for key, names in by.items() for o in names if o not in self._placed]
                self._backwards += [(other, key, number) for other, key in missing if key in OPPOSITE]
            elif self._backwards:
                other, key, number = self._backwards.popleft()
                if other not in self._placed and other not in self._led:
                    steps.append(Step((other,), {OPPOSITE[key]: self._groups[number][0]}))
                    self._place(other)
            else:
                return steps

    def _place(self, member: int) -> None:
        self._placed.add(member)
        for number in self._followers.get(member, ()):
            self._waiting[number].discard(member)
            (self._partly if self._waiting[number] else self._ready).append(number)


class _Ties:
    """Which members belong together (union-find); the end of each group is its smallest member."""

    def __init__(self, count: int) -> None:
        self._next = list(range(count))

    def end(self, member: int) -> int:
        while self._next[member] != member:
            self._next[member] = self._next[self._next[member]]
            member = self._next[member]
        return member

    def tie(self, one: int, other: int) -> None:
        first, second = sorted((self.end(one), self.end(other)))
        self._next[second] = first
