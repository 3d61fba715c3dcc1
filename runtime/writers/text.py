"""What a file says about the drawing, in text that every reader takes."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from sketch_edge.runtime.scene import Placed

PROGRAM = "sketch-edge"

# What XML 1.0 allows (https://www.w3.org/TR/xml/#charsets), less the control characters, which it discourages, and
# the noncharacters. Tabs and line ends are among them: names and titles are one line.
_UNFIT = "[^\u0020-\u007e\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010fffd]"


def clean_text(text: str) -> str:
    """Make one line of any text: each run of white space, control and other unfit characters becomes one space."""
    if not (text.isascii() and text.isprintable()):
        text = _unfit().sub(" ", text)
    return " ".join(text.split())


@functools.cache
def _unfit() -> re.Pattern[str]:
    """The pattern of what is not allowed. Compiling it takes as long as drawing a sketch, and few texts need it."""
    return re.compile(_UNFIT)


def title_of(objects: Sequence[Placed]) -> str:
    """What is drawn: every label once, in order; "sketch" where none has one."""
    labels = dict.fromkeys(clean_text(each.label) for each in objects)
    return ", ".join(label for label in labels if label) or "sketch"


def description_of(each: Placed) -> str:
    """How to have one object again, such as "star, seed 7, sketch 0, temperature 0.4, drawn by quickdraw"."""
    parts = [clean_text(each.label)]
    if each.seed is not None:
        parts += [f"seed {each.seed}", f"sketch {each.index}"]
    if each.temperature is not None:
        parts.append(f"temperature {each.temperature:g}")
    if each.how:
        parts.append(clean_text(each.how))
    if each.source:
        parts.append(f"drawn by {clean_text(each.source)}")
    return ", ".join(part for part in parts if part)
