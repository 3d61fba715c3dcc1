"""Whose drawings a data set holds and under which licence: the text that goes on into checkpoint and bundle."""

from __future__ import annotations

from collections.abc import Iterable

from sketch_edge.runtime.errors import InputError

QUICKDRAW = ("Quick, Draw! drawings by Google's Quick, Draw! players", "CC BY 4.0")
"""Credit and licence of the public drawings."""

NOT_STATED = "not stated"
"""The licence where nobody named one."""

OWN_DRAWINGS = ("own drawings", NOT_STATED)
"""Credit and licence of own drawings where their user gave none."""

LONGEST = 1000
"""Characters that a manifest can say."""

LONGEST_GIVEN = 400
"""Characters of a text that a user gives: there is room for that of a model beside it."""


def check_credit(text: object, longest: int = LONGEST) -> str | None:
    """Say what is wrong with a credit or licence, or None when nothing is."""
    if not isinstance(text, str):
        return f"is {type(text).__name__} (expected text)"
    if not 1 <= len(text) <= longest or not text.isprintable() or not text.strip():
        return f"has {len(text)} characters or some that do not print (expected 1 to {longest} on one line)"
    return None


def join_credits(credits: Iterable[tuple[str, str]]) -> tuple[str, str]:
    """Make one credit and one licence of several, each said once, in the order given: "A; B" and "CC BY 4.0; MIT".

    Raises:
        InputError: together they are longer than a manifest can say.
    """
    pairs = list(dict.fromkeys(credits))
    credit, licence = (
        "; ".join(dict.fromkeys(part for text in texts for part in text.split("; ")))
        for texts in zip(*pairs, strict=True)
    )
    for name, text in (("credit", credit), ("licence", licence)):
        if len(text) > LONGEST:
            raise InputError(
                f"{name}: is {len(text)} characters of all drawings together (at most {LONGEST}); make them shorter"
            )
    return credit, licence
