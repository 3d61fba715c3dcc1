"""The torch models that rounded bundles compute: what their graphs are verified against, number for number."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from sketch_edge.export.coarse import LEVELS, SCALE
from sketch_edge.export.quantise import SMALLEST, round_trip
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.models.base import SketchModel, weight_of
from sketch_edge.train.models.vae import SketchVAE


def weights_to_quantise(model: SketchModel) -> dict[str, int]:
    """How many weights of each graph a w8 bundle of this model stores as int8, told from its sizes alone."""
    counts = {name: sum(_is_rounded(each) for each in matrices) for name, matrices in model.matrices().items()}
    if isinstance(model, SketchVAE) and model.latent:
        config = model.config
        E, Z, He = config.class_embedding, config.latent, config.encoder_hidden
        sizes = (E * 4 * He, 2 * 4 * He * STROKE, 2 * 4 * He * He, 2 * He * 2 * Z)
        counts["encode.onnx"] = sum(size >= SMALLEST for size in sizes)
    return counts


def quantised_copy(model: SketchModel) -> SketchModel:
    """Give the torch model that a w8 bundle computes: every stored weight rounded to int8 and back.

    It is the reference that w8 graphs are verified against; what the rounding itself costs is measured apart.
    """
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for matrices in rounded.matrices().values():
            for matrix in matrices:
                matrix.copy_(_rounded(matrix))
        if isinstance(rounded, SketchVAE) and rounded.latent:
            _round_encoder(rounded)
    return rounded


def _round_encoder(model: SketchVAE) -> None:
    """Round the weights of encode.onnx, where both directions lie in one tensor."""
    for linear in (*([model.encoder_start] if model.config.class_embedding else []), model.posterior):
        linear.weight.copy_(_rounded(linear.weight))
    both = (model.encoder_forward, model.encoder_backward)
    for name in ("weight_ih_l0", "weight_hh_l0"):
        stacked = torch.stack([weight_of(lstm, name) for lstm in both])
        for lstm, weight in zip(both, _rounded(stacked, axis=1), strict=True):
            weight_of(lstm, name).copy_(weight)


def _is_rounded(weight: Tensor) -> bool:
    return weight.numel() >= SMALLEST


def _rounded(weight: Tensor, axis: int = 0) -> Tensor:
    if not _is_rounded(weight):
        return weight
    return torch.from_numpy(round_trip(weight.detach().numpy(), axis))


class CoarseVAE(SketchVAE):
    """The torch model that an int8 bundle computes: whatever is multiplied with h sees it rounded."""

    def unroll(
        self, rows: Tensor, z: Tensor, label: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As that of `SketchVAE`; the hidden vectors are given rounded, the state is not."""
        hidden = []
        for row in rows:
            _, state = super().unroll(row[None], z, label, (seen(self, state[0]), state[1]))
            hidden.append(seen(self, state[0][0]))
        return torch.stack(hidden), state


def seen(model: SketchModel, h: Tensor) -> Tensor:
    """What the products of a model see of h: all of it, or, in variant int8, the nearest point of the grid."""
    if not isinstance(model, CoarseVAE):
        return h
    scale = torch.tensor(SCALE)  # in float32, as the graph divides: a tie must fall to the same side
    return (torch.round(h.float() / scale).double() / LEVELS).to(h.dtype)


def coarse_copy(model: SketchModel) -> CoarseVAE:
    """Give the torch model that an int8 bundle computes: weights as in w8, the state rounded too."""
    assert isinstance(model, SketchVAE), "export_bundle refuses variant int8 of other kinds"
    coarse = CoarseVAE(model.config, model.classes)
    coarse.load_state_dict(quantised_copy(model).state_dict())
    return coarse.eval()


def fine_copy(coarse: CoarseVAE) -> SketchVAE:
    """Give the same model, in the same precision, without the rounding of the state."""
    fine = SketchVAE(coarse.config, coarse.classes).to(coarse.head.weight.dtype)
    fine.load_state_dict(coarse.state_dict())
    return fine.eval()
