"""What training, checkpoints and export ask of a model, whatever its kind.

A model is trained as its kind wants (`loss`), and drawn as every other: cut into a start, which runs once a sketch, and
a step (`cut`), in the units and with the state of docs/FORMAT.md. What the cutting has to give is asked of the network
itself (`first_state`, `advance`), which sketch-export holds the graphs against.

Letters: B sketches, T rows, Z latent, S width of the state, K width of the constant, O width of the output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import MIXTURE, Sizes
from sketch_edge.train.batches import Batch
from sketch_edge.train.config import Config, ModelConfig, TrainConfig
from sketch_edge.train.dataset import DataSet
from sketch_edge.train.distributed import Workers
from sketch_edge.train.losses import Losses

EMBEDDING = "embedding.weight"
"""The weight that has a row for each class, in every kind that has one: choosing classes and fine-tuning change it."""

State = tuple[Tensor, Tensor]
"""h and c, each (B, S): all layers side by side, and whatever else is carried from step to step."""


@dataclass(frozen=True)
class Task:
    """What a loss depends on beside the batch."""

    settings: TrainConfig
    max_points: int
    """Nmax: rows of the longest drawing."""

    kl_weight: float = 0.0
    step: int = 0
    """Mini-batches done."""

    epoch: int = 0
    """How many times as many drawings as the training split has were seen, rounded down."""

    bf16: bool = False
    """Whether matrix products run in bfloat16; losses never do."""

    training: bool = True
    """False for a validation: no random numbers are drawn, z is at its posterior mean, the teacher gives every row."""

    sketches: int = 0
    """Sketches of the whole mini-batch, of which the batch at hand may be one process's share."""

    workers: Workers = field(default_factory=Workers)
    """The processes that a mini-batch is dealt out to; this one alone, where nothing else is said."""

    random: torch.Generator | None = None
    """Random numbers of the whole mini-batch, the same in every process. Dropout takes torch's own, which are not."""

    def normals(self, width: int, device: torch.device) -> Tensor:
        """Standard normals for the sketches at hand, (B, width): this process's share of those of the mini-batch.

        Every process draws those of the whole mini-batch, so that the numbers do not depend on how many there are.
        """
        return self.workers.mine(torch.randn(self.sketches, width, device=device, generator=self.random))

    def uniforms(self, width: int, device: torch.device) -> Tensor:
        """Uniform numbers in [0, 1) for the sketches at hand, (B, width), shared in the same way."""
        return self.workers.mine(torch.rand(self.sketches, width, device=device, generator=self.random))


class SketchModel(nn.Module, ABC):
    """A network that learns to draw classes.

    Args:
        config: the sizes.
        classes: number of classes.
    """

    HEAD: ClassVar[str] = MIXTURE
    """What a step's output holds: one of `runtime.manifest.HEADS`."""

    SETTINGS: ClassVar[frozenset[str]]
    """Names of the sizes (`ModelConfig`) that this kind uses; the others are refused when they are set."""

    def __init__(self, config: ModelConfig, classes: int) -> None:
        super().__init__()
        self.config, self.classes = config, classes

    # --- before there is a model

    @staticmethod
    @abstractmethod
    def weight_shapes(config: ModelConfig, classes: int) -> dict[str, tuple[int, ...]]:
        """Name and shape of every entry of the state dict, buffers too, told without making a model."""

    @classmethod
    def check(cls, config: Config) -> None:
        """Refuse settings that do not go together.

        Raises:
            InputError: the message starts with the name of the setting.
        """

    @classmethod
    def adapt(cls, data: DataSet, config: Config) -> DataSet:
        """Give the data as this kind sees it: what has no class input sees one class."""
        return data

    # --- training

    def fit(self, data: DataSet, scale: float) -> None:
        """Take from the training split what the network works in, such as means and deviations; into buffers.

        Called once, before the first step of a training that starts from nothing; afterwards they travel as weights
        do. `scale` is the number of Quick, Draw! units in one model unit.
        """

    def loss(self, batch: Batch, task: Task) -> tuple[Tensor, Losses]:
        """The loss of the whole mini-batch to minimise, a scalar in float32, and its parts."""
        parts = task.workers.sum(self.parts(batch, task))
        total = self.total(parts, task.settings, task.kl_weight)
        return total, Losses(*torch.cat([parts, total.unsqueeze(0)]).tolist())

    @abstractmethod
    def parts(self, batch: Batch, task: Task) -> Tensor:
        """The losses of offsets, pen and KL, float32 (3,): sums over the sketches at hand divided by `task.sketches`.

        So the shares of several processes add up to the mean. What has no KL term gives it as 0.
        """

    def total(self, parts: Tensor, settings: TrainConfig, kl_weight: float) -> Tensor:
        """What is minimised and what validations are compared by, a scalar, from the three parts."""
        return parts[0] + parts[1]

    def figures(self, batch: Batch, task: Task) -> dict[str, float]:
        """Further figures of a batch for validations, means over its sketches, such as a share of right pen states."""
        return {}

    # --- drawing

    @property
    def latent(self) -> int:
        """Z, size of the latent vector; 0 where there is none, and no encoder."""
        return 0

    @property
    def mixtures(self) -> int:
        """M; 0 with the head "offset"."""
        return self.config.mixtures if self.HEAD == MIXTURE else 0

    @property
    def hidden(self) -> int:
        """H, units of the decoder's layer, or of each of its layers."""
        return self.config.decoder_hidden

    @property
    def state(self) -> int:
        """S, width of h and of c: the layer's own, or all layers and what else a step hands on to the next."""
        return self.hidden

    @property
    def constant(self) -> int:
        """K, width of `gate`: what the start computes once for all steps; here a share of the four gates' sums."""
        return 4 * self.hidden

    def sizes(self, max_points: int) -> Sizes:
        """The sizes for the manifest of a bundle."""
        return Sizes(self.latent, self.hidden, self.mixtures, max_points, self.state, self.constant)

    @abstractmethod
    def cut(self) -> tuple[nn.Module, nn.Module]:
        """Cut the decoder up for drawing; the weights are copied.

        Returns:
            The start: z (B, Z), class_id int64 (B,) -> gate (B, K), h, c (B, S); and the step: x (B, 5), gate, h, c ->
            y (B, O), h_next, c_next. Traced, they are start.onnx and step.onnx of docs/FORMAT.md.
        """

    @abstractmethod
    def first_state(self, z: Tensor, class_ids: Tensor) -> State:
        """The state before the first step, by the network itself, from z (B, Z) and class_ids, int64 (B,)."""

    @abstractmethod
    def advance(self, rows: Tensor, z: Tensor, class_ids: Tensor, state: State) -> tuple[Tensor, State]:
        """Take the network itself, not its cut-up parts, over given rows, in the precision of its weights.

        Args:
            rows: stroke-5 in model units from the start token on, (T, B, 5).
            z: (B, Z).
            class_ids: int64 (B,).
            state: before the first row.

        Returns:
            y of every row, (T, B, O), as the step gives it, and the state after the last.
        """

    def output(self, h: Tensor) -> Tensor | None:
        """Give y (N, O) of steps that end in the states h (N, S); None where y cannot be told from h alone.

        sketch-export compares an exported step's y with that of the step's own h, so that an error of the state is not
        counted a second time.
        """
        return None

    @abstractmethod
    def matrices(self) -> dict[str, list[Tensor]]:
        """The matrices that the graphs multiply with, by graph: what variant w8 rounds.

        Each is a view of a parameter with one row for each output channel, (outputs, inputs), so that rounding it in
        place changes the network. Everything that is folded into another number while cutting has no place here.
        """

    def label(self, class_ids: Tensor) -> Tensor:
        """Class embeddings (B, E); E is 0 where the model has no class input."""
        embedding = getattr(self, EMBEDDING.partition(".")[0], None)
        if embedding is None:
            return next(self.parameters()).new_zeros(len(class_ids), 0)
        found = embedding(class_ids)
        assert isinstance(found, Tensor)
        return found

    def encode(self, sketch: Tensor, lengths: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
        """Give mu and log variance of the posterior of z, each (B, Z).

        Raises:
            InputError: this kind has no encoder.
        """
        raise InputError("model: has no encoder (it was trained without a latent vector); give one that has")


def weight_of(lstm: nn.LSTM, name: str) -> Tensor:
    """Give a parameter of an nn.LSTM, such as "weight_hh_l0", without its gradient."""
    parameter = getattr(lstm, name)
    assert isinstance(parameter, Tensor)
    return parameter.detach()


def at_least_float32(values: Tensor) -> Tensor:
    """Leave bfloat16 behind: the losses need the digits. float64 stays."""
    return values if values.dtype == torch.float64 else values.float()
