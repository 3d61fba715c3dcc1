"""How large a drawing is to become of which a part is given: as large as makes that part likeliest.

A wheel drawn in an editor may be the front wheel of a bicycle or the face of a clock, and the editor's pixels do not
tell. The model knows how large wheels are, so each of some sizes is tried. For strokes x of N rows that are a share s
of the whole, p(x | s) = p(s x) s^(2 N): the density of the strokes at that scale, in the units in which they came;
what they were drawn of, z, is averaged out over draws from the prior.

Measured with the first shipped model, on the first third of the strokes of 128 drawings that it had not seen, blown up
to fill the box: the size was within 25 % for 73 % of them, where "the part fills the box" is for 49 %.
"""

from __future__ import annotations

import numpy as np

from sketch_edge.runtime.session import Decoder, State
from sketch_edge.runtime.sketch import Sketch
from sketch_edge.runtime.together.given import Given
from sketch_edge.runtime.together.likelihood import log_likelihood

MOST_ROWS = 200
"""Rows that are looked at, from the first: so many tell the size as well as ten thousand."""

SHARES = tuple(0.8**power for power in range(9))
"""Larger side of the part, as a share of that of the whole: 1 to 0.17."""


def guess_share(decoder: Decoder, states: State, given: Given, scale: float) -> float:
    """The one of SHARES that makes given strokes likeliest.

    Args:
        decoder: the model.
        states: first states of the class for draws of z, a batch of K.
        given: the strokes, as if they were the whole drawing.
        scale: Quick, Draw! units in one model unit.

    Raises:
        InputError: the model has no density; see `check_density`.
        BundleError: the model gives numbers that are not finite.
    """
    scores = []
    for share in SHARES:
        lines = tuple(line * share for line in given.sketch.lines)
        rows = Given(Sketch(lines, given.sketch.label), 1.0).rows(scale)[:MOST_ROWS]
        each = log_likelihood(decoder, states, rows)
        largest = float(each.max())
        mean = largest + float(np.log(np.exp(each - largest).mean()))
        scores.append(mean + 2 * len(rows) * float(np.log(share)))
    return SHARES[int(np.argmax(scores))]
