"""What an export is told of single classes, found among those that the model has: temperatures, and which to hide."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MAX_NAME_LENGTH, MAX_TEMPERATURE, fold_name, short


def find_class(what: str, name: str, known: Sequence[str]) -> str:
    """The class that `name` means, as the model spells it; case, spaces, "_" and "-" do not matter.

    Raises:
        InputError: there is none; the message begins with `what` and names the nearest.
    """
    if name in known:
        return name
    folded = fold_name(name)
    spelt = {fold_name(each): each for each in reversed(known)}
    if folded in spelt:
        return spelt[folded]
    near = [spelt[each] for each in difflib.get_close_matches(folded[:MAX_NAME_LENGTH], list(spelt), n=3)]
    some = ", ".join(known[:5]) + (" ..." if len(known) > 5 else "")
    hint = f"the nearest: {', '.join(near)}" if near else f"it has {some}"
    raise InputError(f"{what}: {short(name)} is not in this model of {len(known)}; {hint}")


def chosen_temperatures(given: Mapping[str, float], known: Sequence[str]) -> dict[str, float]:
    """Temperatures by class, in the order of the classes.

    Raises:
        InputError: a class that is not there, or is named twice, or a temperature that is no number from 0 to 10.
    """
    found: dict[str, float] = {}
    for name, value in given.items():
        class_name = find_class("temperatures", name, known)
        if class_name in found:
            raise InputError(f"temperatures: name {short(class_name)} twice; leave one of them out")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not 0 <= value <= MAX_TEMPERATURE:  # false for nan too
            raise InputError(
                f"temperatures: {short(class_name)} has {short(value)} (expected a number, 0 to {MAX_TEMPERATURE:g})"
            )
        found[class_name] = float(value)
    return {name: found[name] for name in known if name in found}


def chosen_hidden(given: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """The classes to hide, in the order of the classes.

    Raises:
        InputError: a class that is not there, or is named twice, or none would be left.
    """
    found: set[str] = set()
    for name in given:
        class_name = find_class("hide", name, known)
        if class_name in found:
            raise InputError(f"hide: names {short(class_name)} twice; leave one of them out")
        found.add(class_name)
    if len(found) == len(known):
        raise InputError(f"hide: names all {len(known)} classes (expected one left to be listed); leave some out")
    return tuple(name for name in known if name in found)
