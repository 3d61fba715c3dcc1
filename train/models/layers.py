"""How torch lays out a linear layer and an LSTM, and an LSTM's step as the exported graphs have it."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def lstm_gates(weight: Tensor) -> Tensor:
    """Bring four blocks of rows from torch's order (i, f, candidate, o) to (i, f, o, candidate), matrices turned.

    In this order one sigmoid serves three gates; turned, a matrix is multiplied from the left.
    """
    i, f, candidate, o = weight.detach().chunk(4, dim=0)
    ordered = torch.cat([i, f, o, candidate], dim=0)
    return ordered.t().contiguous() if ordered.dim() == 2 else ordered.contiguous()


def lstm_step(gates: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Give h and c of an LSTM after a step, each (B, H), from its gates (B, 4H) in the order of `lstm_gates`."""
    hidden = c.shape[1]
    to_open, to_write = torch.split(gates, [3 * hidden, hidden], dim=1)
    i, f, o = torch.sigmoid(to_open).chunk(3, dim=1)
    c_next = f * c + i * torch.tanh(to_write)
    return o * torch.tanh(c_next), c_next


def xavier(lstm: nn.LSTM) -> None:
    """Xavier's weights (Glorot & Bengio 2010, eq. 16), the matrix of each gate by itself, and biases of 0."""
    for name, parameter in lstm.named_parameters():
        if "bias" in name:
            nn.init.zeros_(parameter)
        else:
            for gate in parameter.detach().chunk(4):
                nn.init.xavier_uniform_(gate)


def linear_shapes(name: str, incoming: int, outgoing: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of the weights of an nn.Linear."""
    return {f"{name}.weight": (outgoing, incoming), f"{name}.bias": (outgoing,)}


def lstm_shapes(name: str, incoming: int, units: int, suffix: str = "_l0") -> dict[str, tuple[int, ...]]:
    """Name and shape of the weights of one layer and direction of an nn.LSTM; suffix "" for an nn.LSTMCell."""
    gates = 4 * units
    return {
        f"{name}.weight_ih{suffix}": (gates, incoming),
        f"{name}.weight_hh{suffix}": (gates, units),
        f"{name}.bias_ih{suffix}": (gates,),
        f"{name}.bias_hh{suffix}": (gates,),
    }
