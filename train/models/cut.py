"""The decoder cut up for drawing: what runs once a sketch, and what runs once a step.

z and the class do not change while a sketch is drawn. Their share of the gates is computed once (`Start`), so a step
(`Step`) costs the same as that of an unconditional model. Both hold their weights as plain, pre-transposed buffers:
exported, they are MatMul, Add, Sigmoid, Tanh and Mul, nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.models.base import weight_of

if TYPE_CHECKING:
    from sketch_edge.train.models.vae import SketchVAE


class Start(nn.Module):
    """(z, class) -> gate constant and first state.

    The gates are in the order input, forget, output, candidate, so that one Sigmoid serves three of them.
    """

    embedding: Tensor
    state_weight: Tensor
    state_bias: Tensor
    gate_weight: Tensor
    gate_bias: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        decoder = model.decoder
        self.register_buffer("embedding", model.embedding.weight.detach().clone())
        self.register_buffer("state_weight", model.decoder_start.weight.detach().t().contiguous())
        self.register_buffer("state_bias", model.decoder_start.bias.detach().clone())
        condition = weight_of(decoder, "weight_ih_l0")[:, STROKE:]  # the columns of z and the class
        self.register_buffer("gate_weight", _reorder(condition).t().contiguous())
        self.register_buffer("gate_bias", _reorder(weight_of(decoder, "bias_ih_l0") + weight_of(decoder, "bias_hh_l0")))

    def forward(self, z: Tensor, class_id: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give gate (B, 4H), h (B, H) and c (B, H) from z (B, Z) and class_id, int64 (B,)."""
        condition = torch.cat([z, torch.index_select(self.embedding, 0, class_id)], dim=1)
        state = torch.tanh(condition @ self.state_weight + self.state_bias)
        h, c = state.chunk(2, dim=1)
        return condition @ self.gate_weight + self.gate_bias, h, c


class Step(nn.Module):
    """One step of the decoder: a stroke-5 row and the state in, the raw output y and the next state out."""

    row_weight: Tensor
    hidden_weight: Tensor
    output_weight: Tensor
    output_bias: Tensor

    def __init__(self, model: SketchVAE) -> None:
        super().__init__()
        decoder = model.decoder
        self.hidden = decoder.hidden_size
        self.register_buffer("row_weight", _reorder(weight_of(decoder, "weight_ih_l0")[:, :STROKE]).t().contiguous())
        self.register_buffer("hidden_weight", _reorder(weight_of(decoder, "weight_hh_l0")).t().contiguous())
        self.register_buffer("output_weight", model.head.weight.detach().t().contiguous())
        self.register_buffer("output_bias", model.head.bias.detach().clone())

    def forward(self, x: Tensor, gate: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Give y (B, 6M + 3), h_next and c_next (B, H) from x (B, 5), gate (B, 4H), h and c (B, H)."""
        gates = h @ self.hidden_weight + x @ self.row_weight + gate
        to_open, to_write = torch.split(gates, [3 * self.hidden, self.hidden], dim=1)
        i, f, o = torch.sigmoid(to_open).chunk(3, dim=1)
        c_next = f * c + i * torch.tanh(to_write)
        h_next = o * torch.tanh(c_next)
        return h_next @ self.output_weight + self.output_bias, h_next, c_next


def _reorder(weight: Tensor) -> Tensor:
    """Bring the four blocks of rows from torch's order (i, f, candidate, o) to (i, f, o, candidate)."""
    i, f, candidate, o = weight.chunk(4, dim=0)
    return torch.cat([i, f, o, candidate], dim=0).contiguous()
