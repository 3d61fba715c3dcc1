"""Settings of the sampler beside the temperature: how the pen and the mixture are chosen from.

With logits y of the model's output and the temperature tau (docs/FORMAT.md, "Sampling"):

* ``pen_temperature``: what the three pen logits are divided by; tau^(1/5) where not given. Ha & Eck 2017
  (arXiv:1704.03477, eq. 8) take tau itself here, and sketch-rnn-js takes 0.5 + 0.5 tau.
* ``top_k``: only the k components of the mixture with the largest logits are drawn from, the first of equals; the
  others have probability 0 (as in top-k sampling of text, Fan et al. 2018, arXiv:1805.04833).
* ``end_bias``: added to the logit of the end before it is divided, so the odds of ending against going on are those
  that the model gives times exp(end_bias / pen temperature). Above 0 sketches end earlier, below 0 later.

Greedy drawing is temperature 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MAX_TEMPERATURE, MIXTURE, Manifest, short

LARGEST_BIAS = 100.0
"""Logits of a trained model are far smaller: a bias of this decides alone."""

MOST_MIXTURES = 128
"""The most components that a bundle can have."""


PLACE_OPTIONS = ("seed", "index", "temperature", "max_points")
"""The options of drawing that are no knobs."""


class KnobOptions(TypedDict, total=False):
    """The settings by name, for functions that pass them on."""

    pen_temperature: float | None
    top_k: int | None
    end_bias: float


@dataclass(frozen=True)
class Knobs:
    """Settings of the sampler; those of `PLAIN` change nothing.

    Raises:
        InputError: a value of the wrong kind or out of range.
    """

    pen_temperature: float | None = None
    """Of the choice between pen down, pen up and end, 0 to 10; the fifth root of the temperature where not given."""

    top_k: int | None = None
    """Components of the mixture that are drawn from, 1 to 128, the likeliest; all where not given."""

    end_bias: float = 0.0
    """Added to the logit of the end, -100 to 100."""

    def __post_init__(self) -> None:
        if self.pen_temperature is not None:
            value = _checked("pen_temperature", self.pen_temperature, 0.0, MAX_TEMPERATURE)
            object.__setattr__(self, "pen_temperature", value)
        object.__setattr__(self, "end_bias", _checked("end_bias", self.end_bias, -LARGEST_BIAS, LARGEST_BIAS))
        top = self.top_k
        if top is not None:
            if isinstance(top, bool) or not isinstance(top, int | np.integer) or not 1 <= top <= MOST_MIXTURES:
                raise InputError(f"top_k {short(top)}: choose a whole number, 1 to {MOST_MIXTURES}")
            object.__setattr__(self, "top_k", int(top))

    @classmethod
    def named(cls, options: Mapping[str, Any]) -> Knobs:
        """Those of a caller, by name.

        Raises:
            TypeError: there is no option of a name, as for any function; says which is nearest.
            InputError: as `Knobs`.
        """
        known = (*PLACE_OPTIONS, *KnobOptions.__annotations__)
        for name in options:
            if name not in KnobOptions.__annotations__:
                import difflib

                near = difflib.get_close_matches(name[:60], known, 1)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise TypeError(f"unknown option {short(name)}; {hint}")
        return cls(**options)

    def fitting(self, manifest: Manifest) -> Knobs:
        """These settings, if a model has what they choose from.

        Raises:
            InputError: `top_k` for a model without a mixture.
        """
        if self.top_k is not None and manifest.head != MIXTURE:
            raise InputError(
                f"top_k {self.top_k}: {manifest.name} has no mixture to choose from (its head is {manifest.head!r}); "
                "leave it out"
            )
        return self

    def describe(self) -> str:
        """What differs from `PLAIN`, such as "pen temperature 0.5, top 3"; empty where nothing does."""
        parts = []
        if self.pen_temperature is not None:
            parts.append(f"pen temperature {self.pen_temperature:.10g}")
        if self.top_k is not None:
            parts.append(f"top {self.top_k}")
        if self.end_bias:
            parts.append(f"end bias {self.end_bias:.10g}")
        return ", ".join(parts)


def _checked(name: str, value: object, low: float, high: float) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if isinstance(value, bool) or not low <= number <= high:  # false for nan too
        raise InputError(f"{name} {short(value)}: choose a number, {low:g} to {high:g}")
    return number


PLAIN = Knobs()
"""Draws as the model learnt it."""
