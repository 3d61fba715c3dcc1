"""The gates that look at drawings: the draw graph draws what the step graph draws, and rounding does not show.

* `require_same_drawings`: sketches of draw.onnx, side by side and alone, are those of step.onnx, row for row.
* `require_like_drawings`: over hundreds of sketches of the same seeds, a rounded bundle and its float32 original agree
  in the distribution of offsets and lengths (two-sample Kolmogorov-Smirnov statistic, the largest gap between two
  cumulative shares) and in the shares of pen states and of sketches that ended by themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sketch_edge.runtime.blocks import draw_blocks, draw_sketches
from sketch_edge.runtime.errors import UnfinishedError
from sketch_edge.runtime.manifest import OFFSET, Manifest
from sketch_edge.runtime.sampler import Job, Rows, draw_rows
from sketch_edge.runtime.session import Session

SAME = 80
"""Sketches that are drawn by both graphs; more than fit into a batch."""

ALONE = 8
"""Of these, drawn alone too."""

TEMPERATURES = (0.0, 0.1, 1.0)
LIKE = 512
"""Sketches of which the distributions are compared, at temperature 1: as the model learnt them."""

BOUNDS = {"offset": 0.03, "length": 0.12, "pen": 0.02, "ended": 0.05}
"""What is allowed. Float32 drawings of other seeds differ by up to 0.011, 0.072, 0.007 and 0.004 (shipped model, six
pairs of seeds); int8 from float32 with the same seeds by 0.007, 0.023, 0.004 and 0.004, w8 by no less."""

SLACK = 2.0
"""Quick, Draw! units that the offsets of a model without a mixture may move: it gives one offset whatever the seed,
so where one moves they all do. Nobody sees 2 of the 255 that a drawing is large."""


@dataclass(frozen=True)
class Likeness:
    """How far the drawings of two bundles are apart, each 0 (alike) to 1."""

    offset: float
    """Kolmogorov-Smirnov statistic of dx or dy, the larger."""

    length: float
    """Kolmogorov-Smirnov statistic of the number of points."""

    pen: float
    """Difference in the share of points at which the pen lifts."""

    ended: float
    """Difference in the share of sketches that the model ended by itself."""


def require_same_drawings(session: Session, manifest: Manifest, *, same: int = SAME, alone: int = ALONE) -> None:
    """Refuse a draw graph that draws anything else than the step graph.

    Args:
        session: of the graphs.
        manifest: of their bundle.
        same: sketches that are drawn by both.
        alone: of these, drawn alone too.

    Raises:
        UnfinishedError: a sketch differs.
    """
    most = manifest.sizes.max_points
    for tau in TEMPERATURES:
        jobs = _jobs(manifest, same, seed=1)
        expected = list(draw_rows(session, manifest, jobs, tau, most))
        together = list(draw_blocks(session, manifest, jobs, tau, most))
        single = [next(draw_blocks(session, manifest, [job], tau, most)) for job in jobs[:alone]]
        pairs = zip(together, single + together[alone:], strict=True)
        for job, rows, others in zip(jobs, expected, pairs, strict=True):
            if any(rows.complete != o.complete or not np.array_equal(rows.rows, o.rows) for o in others):
                raise UnfinishedError(
                    f"draw.onnx: sketch {job.index} of seed {job.seed} at temperature {tau:g} differs from that of "
                    "step.onnx; nothing was written; report this with the versions of onnx and onnxruntime"
                )


def require_like_drawings(session: Session, original: Session, manifest: Manifest) -> Likeness:
    """Refuse a rounded bundle whose drawings are distributed otherwise than those of its float32 original.

    Raises:
        UnfinishedError: a difference over its bound.
    """
    most, jobs = manifest.sizes.max_points, _jobs(manifest, LIKE, seed=2)
    found, expected = (list(draw_sketches(each, manifest, jobs, 1.0, most)) for each in (session, original))
    likeness = compare(found, expected, slack=round(SLACK * manifest.grid) if manifest.head == OFFSET else 0)
    for name, bound in BOUNDS.items():
        value = getattr(likeness, name)
        if not value <= bound:
            raise UnfinishedError(
                f"draw.onnx: rounding changes the drawings: {name} is {value:.3f} apart from float32 (at most "
                f"{bound}); nothing was written; choose --quantize w8 or none"
            )
    return likeness


def compare(found: Sequence[Rows], expected: Sequence[Rows], slack: int = 0) -> Likeness:
    """Compare the distributions of two sets of sketches; offsets may move by `slack` steps of the grid."""
    points, wanted = (np.concatenate([each.rows for each in drawn]) for drawn in (found, expected))
    lengths, wanted_lengths = (np.array([len(each.rows) for each in drawn]) for drawn in (found, expected))
    ends = [float(np.mean([each.complete for each in drawn])) for drawn in (found, expected)]
    return Likeness(
        offset=max(largest_gap(points[:, axis], wanted[:, axis], slack) for axis in (0, 1)),
        length=largest_gap(lengths, wanted_lengths),
        pen=abs(float(points[:, 2].mean() - wanted[:, 2].mean())),
        ended=abs(ends[0] - ends[1]),
    )


def largest_gap(one: npt.NDArray[np.int64], other: npt.NDArray[np.int64], slack: int = 0) -> float:
    """Give the two-sample Kolmogorov-Smirnov statistic: the largest gap between the two cumulative shares F and G.

    With slack s, that which no move of the numbers by up to s explains: the largest F(x - s) - G(x) or G(x - s) - F(x).
    """
    places = np.concatenate([one, other])
    at, later = (
        [np.searchsorted(np.sort(each), places + move, side="right") / len(each) for each in (one, other)]
        for move in (0, slack)
    )
    return max(0.0, float((at[0] - later[1]).max()), float((at[1] - later[0]).max()))


def _jobs(manifest: Manifest, count: int, seed: int) -> list[Job]:
    """Sketches of all classes in turn."""
    return [Job(number % len(manifest.classes), seed, number) for number in range(count)]
