"""The class-conditioned VAE with a Gaussian-mixture decoder (VAE-GMM), whole.

Ha & Eck 2017, "A Neural Representation of Sketch Drawings", arXiv:1704.03477, section 3.2; the class embedding
beside z is ours: without a label one model over many classes mixes them up.

Shapes: B sketches, T rows, H decoder units, He encoder units a direction, M normals, Z latent, E class embedding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import PEN_STATES
from sketch_edge.runtime.strokes import STROKE
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import Config, ModelConfig, TrainConfig
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.losses import kl_divergence, offset_nll, pen_nll
from sketch_edge.train.mixture import split_output
from sketch_edge.train.models.base import SketchModel, State, Task, at_least_float32, weight_of
from sketch_edge.train.models.cells import CELLS, HyperLSTM, LayerNormLSTM
from sketch_edge.train.models.cut import ConstantStart, HyperStep, NormedStep, Start, Step
from sketch_edge.train.models.layers import linear_shapes, lstm_shapes

MIXED = "sketch"
"""The one class of a model that learnt several without being told which is which."""


class Forward(NamedTuple):
    """What one pass over a batch of sketches gives."""

    output: Tensor
    """Raw outputs y of the rows that count, (N, 6M + 3); see `split_output`."""

    mu: Tensor
    """Posterior means, (B, Z)."""

    log_variance: Tensor
    """Posterior log variances sigma-hat, (B, Z)."""


class SketchVAE(SketchModel):
    """Encoder, latent vector and decoder.

    Args:
        config: the sizes.
        classes: number of classes.
    """

    SETTINGS = frozenset(
        {
            *("encoder_hidden", "decoder_hidden", "latent", "class_embedding", "mixtures"),
            *("cell", "hyper_hidden", "hyper_embedding", "dropout", "recurrent_dropout", "input_dropout"),
        }
    )

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__(config, classes)
        E, Z, H, He = config.class_embedding, config.latent, config.decoder_hidden, config.encoder_hidden
        if E:
            self.embedding = nn.Embedding(classes, E)
        if Z:
            if E:
                self.encoder_start = nn.Linear(E, 4 * He)
            # Two one-directional LSTMs: the backward one reads a copy reversed within each length, so padding is
            # always at the end and no packing is needed (packing halves the throughput on a CPU).
            self.encoder_forward = nn.LSTM(STROKE, He)
            self.encoder_backward = nn.LSTM(STROKE, He)
            self.posterior = nn.Linear(2 * He, 2 * Z)
        if Z + E:
            self.decoder_start = nn.Linear(Z + E, 2 * self.state)
        self.decoder: nn.LSTM | LayerNormLSTM | HyperLSTM = (
            nn.LSTM(STROKE + Z + E, H) if config.cell == "lstm" else CELLS[config.cell](config, Z + E)
        )
        self.dropout = nn.Dropout(config.dropout)
        self.head = nn.Linear(H, 6 * config.mixtures + PEN_STATES)
        self._initialise()

    def _initialise(self) -> None:
        """Orthogonal recurrent weights and a forget gate that starts open, as is usual for long sequences."""
        encoders = [self.encoder_forward, self.encoder_backward] if self.latent else []
        for lstm in (*encoders, self.decoder):
            if not isinstance(lstm, nn.LSTM):
                continue  # cells of our own begin so by themselves
            hidden = lstm.hidden_size
            for gate in weight_of(lstm, "weight_hh_l0").chunk(4):
                nn.init.orthogonal_(gate)
            nn.init.xavier_uniform_(weight_of(lstm, "weight_ih_l0"))
            weight_of(lstm, "bias_hh_l0").zero_()
            weight_of(lstm, "bias_ih_l0").zero_()[hidden : 2 * hidden] = 1.0
        if self.config.class_embedding:
            nn.init.normal_(self.embedding.weight, std=0.5)
        if self.latent:
            nn.init.normal_(self.posterior.weight, std=0.01)
            nn.init.zeros_(self.posterior.bias)

    def forward(self, rows: Tensor, lengths: Tensor, class_ids: Tensor, noise: Tensor, counted: Tensor) -> Forward:
        """Encode a batch, draw z and decode it with teacher forcing.

        Args:
            rows: stroke-5, start token first, then the sketch, then end rows; (T + 1, B, 5), in model units.
            lengths: rows of each sketch before its end row, int64 (B,).
            class_ids: int64 (B,).
            noise: standard normals for z, (B, Z).
            counted: which of the T outputs are wanted, bool (T, B).
        """
        label = self.label(class_ids)  # (B, E)
        if not self.latent:
            nothing = noise.new_zeros(len(label), 0)
            return Forward(self.decode(rows[:-1], nothing, label, counted), nothing, nothing)
        mu, log_variance = self.encode(rows[1:], lengths, label)
        z = mu + torch.exp(0.5 * log_variance) * noise  # sigma = exp(sigma-hat / 2), eq. 2
        return Forward(self.decode(rows[:-1], z, label, counted), mu, log_variance)

    def encode(self, sketch: Tensor, lengths: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Give mu and sigma-hat of the posterior, each (B, Z), in float32 (eq. 1-2).

        Args:
            sketch: stroke-5 without the start token, (T, B, 5).
            lengths: rows before the end row, int64 (B,), each at least 1.
            label: class embeddings, (B, E).
        """
        ahead_from = back_from = None
        if self.config.class_embedding:  # the class sets the states both LSTMs start from
            start = torch.tanh(self.encoder_start(label)).unsqueeze(0)
            h_forward, c_forward, h_backward, c_backward = (part.contiguous() for part in start.chunk(4, dim=2))
            ahead_from, back_from = (h_forward, c_forward), (h_backward, c_backward)
        ahead, _ = self.encoder_forward(sketch, ahead_from)
        back, _ = self.encoder_backward(_reverse_within(sketch, lengths), back_from)
        last = (lengths - 1).view(1, -1, 1).expand(1, -1, self.config.encoder_hidden)
        ends = torch.cat([ahead.gather(0, last)[0], back.gather(0, last)[0]], dim=1)  # (B, 2He)
        mu, log_variance = at_least_float32(self.posterior(ends)).chunk(2, dim=1)
        return mu, log_variance

    def decode(self, rows: Tensor, z: Tensor, label: Tensor, counted: Tensor) -> Tensor:
        """Give the raw outputs of the rows in `counted`, (N, 6M + 3), in row-major order, float32.

        Args:
            rows: stroke-5 from the start token on, (T, B, 5).
            z: (B, Z).
            label: class embeddings, (B, E).
            counted: bool (T, B).
        """
        hidden, _ = self.unroll(rows, z, label, self.start(z, label))
        return at_least_float32(self.head(self.dropout(hidden[counted])))

    def start(self, z: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Give the decoder's first state h and c, each (1, B, S): tanh(W [z, label] + b), zeros without both."""
        if not self.latent + self.config.class_embedding:
            zeros = self.head.weight.new_zeros(1, len(label), self.state)
            return zeros, zeros
        state = torch.tanh(self.decoder_start(_condition(z, label))).unsqueeze(0)
        h, c = (part.contiguous() for part in state.chunk(2, dim=2))
        return h, c

    def unroll(
        self, rows: Tensor, z: Tensor, label: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Take the decoder over rows from a state: hidden vectors (T, B, H) and the state after the last row.

        Args:
            rows: stroke-5, (T, B, 5).
            z: (B, Z).
            label: (B, E).
            state: h and c, each (1, B, S).
        """
        condition = _condition(z, label)
        if self.config.input_dropout:
            rows = F.dropout(rows, self.config.input_dropout, self.training)
        if isinstance(self.decoder, nn.LSTM):
            spread = condition.unsqueeze(0).expand(len(rows), -1, -1)
            hidden, state = self.decoder(torch.cat([rows, spread.to(rows.dtype)], dim=2), state)
            return hidden, state
        hidden, (h, c) = self.decoder(rows, self.decoder.gate(condition), (state[0][0], state[1][0]))
        return hidden, (h.unsqueeze(0), c.unsqueeze(0))

    def parts(self, batch: Batch, task: Task) -> Tensor:
        """L_s, L_p and KL (eq. 9-10); z at its posterior mean when validating."""
        device = batch.rows.device
        width = self.config.latent
        noise = task.normals(width, device) if task.training else torch.zeros(len(batch.lengths), width, device=device)
        counted = batch.counted
        with torch.autocast(device.type, torch.bfloat16, enabled=task.bf16):
            forward: Forward = self(batch.rows, batch.lengths, batch.class_ids, noise, counted)
        offset, pen = reconstruction(forward, batch, counted, task.max_points * task.sketches)
        if not width:
            return torch.stack([offset, pen, torch.zeros_like(pen)])
        kl = kl_divergence(forward.mu, forward.log_variance) * (len(batch.lengths) / task.sketches)
        return torch.stack([offset, pen, kl])

    def total(self, parts: Tensor, settings: TrainConfig, kl_weight: float) -> Tensor:
        """L_s + L_p + w * max(KL, KL_min) (eq. 11); without a latent vector L_s + L_p."""
        if not self.latent:
            return parts[0] + parts[1]
        return parts[0] + parts[1] + kl_weight * torch.clamp(parts[2], min=settings.kl_min)

    @property
    def latent(self) -> int:
        """Nz."""
        return self.config.latent

    @property
    def state(self) -> int:
        """Width of the decoder's state."""
        return self.hidden + self.config.hyper_hidden if self.config.cell == "hyper" else self.hidden

    @property
    def constant(self) -> int:
        """Width of what z and the class tell every step."""
        return 4 * self.state

    def cut(self) -> tuple[nn.Module, nn.Module]:
        """See `SketchModel`."""
        steps: dict[str, type[nn.Module]] = {"lstm": Step, "layernorm": NormedStep, "hyper": HyperStep}
        start = Start(self) if self.latent + self.config.class_embedding else ConstantStart(self)
        return start, steps[self.config.cell](self)

    def first_state(self, z: Tensor, class_ids: Tensor) -> State:
        """See `SketchModel`."""
        h, c = self.start(z, self.label(class_ids))
        return h[0], c[0]

    def advance(self, rows: Tensor, z: Tensor, class_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """See `SketchModel`."""
        h, c = (part.unsqueeze(0).contiguous() for part in state)
        hidden, (h, c) = self.unroll(rows, z, self.label(class_ids), (h, c))
        return self.head(hidden), (h[0], c[0])

    def output(self, h: Tensor) -> Tensor:
        """See `SketchModel`."""
        y = self.head(h[:, : self.hidden])
        assert isinstance(y, Tensor)
        return y

    def matrices(self) -> dict[str, list[Tensor]]:
        """See `SketchModel`; the columns of the row stand apart from those of z and the class."""
        if isinstance(self.decoder, nn.LSTM):
            incoming = weight_of(self.decoder, "weight_ih_l0")
            start, step = [incoming[:, STROKE:]], [incoming[:, :STROKE], weight_of(self.decoder, "weight_hh_l0")]
        else:
            start, step = self.decoder.matrices()
        first = [self.decoder_start.weight.detach()] if self.latent + self.config.class_embedding else []
        return {"start.onnx": [*first, *start], "step.onnx": [*step, self.head.weight.detach()]}

    @staticmethod
    def weight_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
        """See `SketchModel`."""
        E, Z, H, He = config.class_embedding, config.latent, config.decoder_hidden, config.encoder_hidden
        C = Z + E
        S = H + config.hyper_hidden if config.cell == "hyper" else H
        shapes: dict[str, tuple[int, ...]] = {"embedding.weight": (classes, E)} if E else {}
        if Z:
            shapes |= linear_shapes("encoder_start", E, 4 * He) if E else {}
            shapes |= lstm_shapes("encoder_forward", STROKE, He) | lstm_shapes("encoder_backward", STROKE, He)
            shapes |= linear_shapes("posterior", 2 * He, 2 * Z)
        shapes |= linear_shapes("decoder_start", C, 2 * S) if C else {}
        if config.cell == "lstm":
            shapes |= lstm_shapes("decoder", STROKE + C, H)
        else:
            shapes |= {f"decoder.{name}": shape for name, shape in CELLS[config.cell].shapes(config, C).items()}
        return shapes | linear_shapes("head", H, 6 * config.mixtures + PEN_STATES)

    @classmethod
    def check(cls, config: Config) -> None:
        """Refuse settings of a cell that is not chosen."""
        model, usual = config.model, ModelConfig()
        if model.cell == "lstm" and model.recurrent_dropout:
            raise InputError(
                f"--set recurrent_dropout={model.recurrent_dropout:g}: cell lstm is torch's own, which drops nothing "
                "inside; choose --set cell=layernorm or cell=hyper, or leave it out"
            )
        for name in ("hyper_hidden", "hyper_embedding"):
            if model.cell != "hyper" and getattr(model, name) != getattr(usual, name):
                raise InputError(f"--set {name}={getattr(model, name)}: is for --set cell=hyper alone; leave it out")

    @classmethod
    def adapt(cls, data: DataSet, config: Config) -> DataSet:
        """Without a class input, all classes are learnt as one; it is called `MIXED` where there are several."""
        if config.model.class_embedding or len(data.class_names) == 1:
            return data
        return replace(data, class_names=(MIXED,), class_ids=np.zeros_like(data.class_ids))


def _condition(z: Tensor, label: Tensor) -> Tensor:
    """What stays the same while a sketch is decoded, (B, Z + E)."""
    return torch.cat([z.to(label.dtype), label], dim=1)


def _reverse_within(sketch: Tensor, lengths: Tensor) -> Tensor:
    """Reverse the first `lengths` rows of each sketch (T, B, 5); the padding after them stays where it is."""
    row = torch.arange(len(sketch), device=sketch.device).unsqueeze(1)  # (T, 1)
    source = torch.where(row < lengths, lengths - 1 - row, row)  # (T, B)
    return sketch.gather(0, source.unsqueeze(2).expand(-1, -1, sketch.shape[2]))


def reconstruction(forward: Forward, batch: Batch, counted: Tensor, norm: float) -> tuple[Tensor, Tensor]:
    """L_s over the points, L_p over all counted rows, each summed and divided by `norm`, Nmax * sketches (eq. 9).

    Counted are the points and one end row; in training with `pen_rows` = "all", every row up to Nmax as in the paper.
    (Magenta's evaluation leaves the end row out of L_p as well: its figure for the same model is a little lower.)
    """
    target = batch.rows[1:][counted]  # (N, 5)
    state = target[:, 2:].argmax(dim=1)
    is_point = state != 2  # an end row has no offset
    offset = offset_nll(split_output(forward.output[is_point]), target[is_point, :2]).sum() / norm
    return offset, pen_nll(split_output(forward.output).pen, state).sum() / norm
