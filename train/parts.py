"""The parts of a model that can be taken over alone: its encoder, its decoder, and what it knows of the classes.

Every weight belongs to one of them. A decoder has learnt to be told by the vectors of certain classes what to draw, and
an encoder too: without the embedding both meet new ones, and have to learn what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor

from sketch_edge.runtime.errors import InputError

ENCODER, DECODER, EMBEDDING = "encoder", "decoder", "embedding"
PARTS = (ENCODER, DECODER, EMBEDDING)

_OF_ENCODER = ("posterior", "positions")
"""Layers of encoders whose names do not say so."""


def part_of(name: str) -> str:
    """The part that a weight belongs to, by its name in the state dict: one of PARTS.

    What is neither encoder nor embedding draws: the decoder, the layer that gives its first state, its output layer,
    and the numbers that turn its output into offsets.
    """
    layer = name.split(".")[0]
    if layer == EMBEDDING:
        return EMBEDDING
    return ENCODER if layer.startswith(ENCODER) or layer in _OF_ENCODER else DECODER


def take_parts(weights: Mapping[str, Tensor], parts: Sequence[str]) -> dict[str, Tensor]:
    """The weights of some parts, or of all where `parts` is empty; copies."""
    return {name: weight.clone() for name, weight in weights.items() if not parts or part_of(name) in parts}


def check_parts(
    name: str,
    weights: Mapping[str, Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    parts: Sequence[str],
) -> None:
    """Refuse parts that a model does not have, or that fit no model of the shapes wanted.

    Args:
        name: of the model that they come from, for the message.
        weights: all of that model.
        shapes: of the weights of the new model; the number of classes is that of the old one.
        parts: of PARTS.

    Raises:
        InputError: the message names the part, the weight, and both shapes.
    """
    for part in parts:
        taken = {each: tuple(weight.shape) for each, weight in weights.items() if part_of(each) == part}
        wanted = {each: shape for each, shape in shapes.items() if part_of(each) == part}
        if not taken:
            raise InputError(f"--parts {part}: {name} has no {part}; leave it out")
        for each in sorted(taken.keys() | wanted.keys()):
            if taken.get(each) != wanted.get(each):
                raise InputError(
                    f"--parts {part}: {each} is {_shape(taken.get(each))} in {name} (these settings ask for "
                    f"{_shape(wanted.get(each))}); leave out the --set that changes it, or the part"
                )


def _shape(shape: tuple[int, ...] | None) -> str:
    return "missing" if shape is None else "x".join(map(str, shape))
