"""The torch models that rounded bundles compute: what their graphs are verified against, number for number."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from sketch_edge.export.coarse import LEVELS, SCALE
from sketch_edge.export.quantise import SMALLEST, round_trip
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.model import SketchVAE, weight_of


def weights_to_quantise(model: SketchVAE) -> dict[str, int]:
    """How many weights of each graph a w8 bundle of this model stores as int8, told from its sizes alone."""
    config = model.config
    E, Z, H, He = config.class_embedding, config.latent, config.decoder_hidden, config.encoder_hidden
    sizes = {
        "start.onnx": ((Z + E) * 2 * H, (Z + E) * 4 * H),
        "step.onnx": (STROKE * 4 * H, H * 4 * H, H * model.head.out_features),
        "encode.onnx": (E * 4 * He, 2 * 4 * He * STROKE, 2 * 4 * He * He, 2 * He * 2 * Z),
    }
    return {name: sum(size >= SMALLEST for size in weights) for name, weights in sizes.items()}


def quantised_copy(model: SketchVAE) -> SketchVAE:
    """Give the torch model that a w8 bundle computes: every stored weight rounded to int8 and back.

    It is the reference that w8 graphs are verified against; what the rounding itself costs is measured apart.
    """
    rounded = copy.deepcopy(model)
    with torch.no_grad():
        for linear in (rounded.encoder_start, rounded.posterior, rounded.decoder_start, rounded.head):
            linear.weight.copy_(_rounded(linear.weight))
        both = (rounded.encoder_forward, rounded.encoder_backward)
        for name in ("weight_ih_l0", "weight_hh_l0"):
            stacked = torch.stack([weight_of(lstm, name) for lstm in both])
            for lstm, weight in zip(both, _rounded(stacked, axis=1), strict=True):
                weight_of(lstm, name).copy_(weight)
        decoder = rounded.decoder
        recurrent, incoming = weight_of(decoder, "weight_hh_l0"), weight_of(decoder, "weight_ih_l0")
        recurrent.copy_(_rounded(recurrent))
        # The exported cell keeps the columns of the row apart from those of z and the class.
        columns = torch.split(incoming, [STROKE, decoder.input_size - STROKE], dim=1)
        incoming.copy_(torch.cat([_rounded(part) for part in columns], dim=1))
    return rounded


def _rounded(weight: Tensor, axis: int = 0) -> Tensor:
    if weight.numel() < SMALLEST:
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


def seen(model: SketchVAE, h: Tensor) -> Tensor:
    """What the products of a model see of h: all of it, or, in variant int8, the nearest point of the grid."""
    if not isinstance(model, CoarseVAE):
        return h
    scale = torch.tensor(SCALE)  # in float32, as the graph divides: a tie must fall to the same side
    return (torch.round(h.float() / scale).double() / LEVELS).to(h.dtype)


def coarse_copy(model: SketchVAE) -> CoarseVAE:
    """Give the torch model that an int8 bundle computes: weights as in w8, the state rounded too."""
    coarse = CoarseVAE(model.config, model.classes)
    coarse.load_state_dict(quantised_copy(model).state_dict())
    return coarse.eval()


def fine_copy(coarse: CoarseVAE) -> SketchVAE:
    """Give the same model, in the same precision, without the rounding of the state."""
    fine = SketchVAE(coarse.config, coarse.classes).to(coarse.head.weight.dtype)
    fine.load_state_dict(coarse.state_dict())
    return fine.eval()
