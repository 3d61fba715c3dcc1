"""Every setting of a training, each with its default and its meaning; a checkpoint carries them whole."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from sketch_edge.runtime.errors import InputError
from sketch_edge.runtime.manifest import short

DEFAULT_PRESET = "vae-gmm"
DROPOUTS = frozenset({"dropout", "recurrent_dropout", "input_dropout"})
"""Fields of `ModelConfig` that no weight depends on: they may change in a training under way."""


@dataclass(frozen=True)
class ModelConfig:
    """What a network is made of; the defaults are the preset `vae-gmm` (Ha & Eck 2017, section 3.2).

    A kind of model uses those that it has a place for.
    """

    encoder_hidden: int = 256
    """Units of the encoder LSTM in each direction."""

    decoder_hidden: int = 512
    """Units of the decoder LSTM."""

    latent: int = 128
    """Size Nz of the latent vector z; 0 is a decoder alone, without encoder and KL."""

    class_embedding: int = 64
    """Size of the vector that stands for a class; 0 is no class input: all drawings are learnt as one class."""

    mixtures: int = 20
    """Normals M in the mixture over the next offset."""

    dropout: float = 0.0
    """Share of the decoder's outputs that is dropped before the output layer, in training only."""

    cell: str = "lstm"
    """Of the decoder: lstm, layernorm (Ba et al. 2016) or hyper (a smaller LSTM steers it; Ha et al. 2016)."""

    hyper_hidden: int = 256
    """Units of the smaller LSTM of the cell hyper."""

    hyper_embedding: int = 32
    """Numbers by which it steers each gate of the cell hyper."""

    recurrent_dropout: float = 0.0
    """Share of the candidate g that is dropped in each step, in training only; for the cells layernorm and hyper."""

    input_dropout: float = 0.0
    """Share of the numbers of the decoder's input rows that is dropped, in training only."""


@dataclass(frozen=True)
class TrainConfig:
    """How a training runs."""

    steps: int = 20_000
    """Mini-batches in all; 10-20 thousand give recognisable drawings."""

    epochs: int = 0
    """Where over 0, what counts instead of `steps`: an epoch is as many mini-batches as the training split fills. There
    is a validation after each, and `plateau_patience` and `patience` count epochs."""

    batch: int = 128
    """Sketches in a mini-batch."""

    seed: int = 0
    """Drives everything random: the weights, the batches, the augmentation and the noise."""

    optimizer: str = "adam"
    """adam, adamw or rmsprop."""

    learning_rate: float = 1e-3
    """At the first step after the warm-up."""

    learning_rate_end: float = 1e-5
    """What the schedule comes down to."""

    warmup: int = 200
    """Steps over which the learning rate rises from 0."""

    schedule: str = "cosine"
    """cosine (falls with the share of steps done), exponential, plateau or constant."""

    learning_rate_decay: float = 0.9999
    """Factor per step of the exponential schedule."""

    plateau_patience: int = 3
    """Validations without progress before the plateau schedule halves the learning rate."""

    weight_decay: float = 0.0
    """Decoupled weight decay, for adamw."""

    clip: str = "value"
    """How gradients are clipped: value (each entry), norm (all together) or none."""

    clip_at: float = 1.0
    """The bound of the clipping."""

    kl_weight: float = 1.0
    """Weight w_KL of the KL term once annealing is over; the paper has 0.5 and 1.0."""

    kl_start: float = 0.01
    """Share of kl_weight at step 0."""

    kl_rate: float = 0.9995
    """R: the weight at step s is kl_weight * (1 - (1 - kl_start) * R**s)."""

    kl_min: float = 0.05
    """Free bits: a KL (mean over Nz) below this costs nothing more. The paper's 0.2 reconstructs better and draws worse
    from a z that nobody encoded."""

    balance: float = 0.25
    """A class is chosen with probability ~ count**balance: 0 is all classes alike, 1 is as the data has them."""

    synthetic_share: float = 1.0
    """Weight of a drawing made by a model against a drawn one, in classes that have both."""

    teacher_forcing: float = 1.0
    """Chance that a row is the right one and not what the network just gave; the preset attention has it."""

    teacher_decay: float = 0.9
    """Factor of teacher_forcing from epoch to epoch."""

    scale_jitter: float = 0.15
    """x and y are scaled by independent factors in 1 +- this."""

    point_drop: float = 0.10
    """Chance that a point inside a line is left out."""

    pen_rows: str = "sketch"
    """Rows whose pen state is learnt: sketch (up to its end row) or all (Nmax rows, as Ha & Eck; slower)."""

    few_shot: float = 1.0
    """Strength of the further augmentation of small classes: mirror, rotation, shear, bend, loose lines; 0 is none."""

    ema: float = 0.999
    """Decay of the running mean of the weights, which is what gets exported; 0 exports the last weights."""

    keep: str = "best"
    """Which weights are exported: best (lowest validation total) or last (few drawings validate badly)."""

    precision: str = "auto"
    """auto, fp32 or bf16; auto takes bf16 where the processor computes it (losses are always fp32)."""

    valid_every: int = 500
    """Steps between validations (and looks at the early stopping)."""

    save_every: int = 250
    """Steps between checkpoints."""

    sheet_every: int = 1000
    """Steps between sample sheets; 0 for none."""

    sheet_classes: int = 24
    """Classes on a sample sheet, at most."""

    patience: int = 0
    """Early stopping after this many validations without progress; 0 never stops early."""


def count_steps(settings: TrainConfig, drawings: int) -> TrainConfig:
    """Give the settings in steps, where they count in epochs of so many training drawings."""
    if settings.epochs == 0:
        return settings
    epoch = -(-drawings // settings.batch)
    return replace(settings, steps=settings.epochs * epoch, valid_every=epoch)


@dataclass(frozen=True)
class Config:
    """The settings of a training as one flat set of names, for `--set` and for the checkpoint."""

    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    preset: str = DEFAULT_PRESET
    """The name of what it started from, a key of PRESETS."""

    @property
    def kind(self) -> str:
        """The kind of model, a key of `train.models.KINDS`."""
        return PRESETS[self.preset].kind

    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "cell": ("lstm", "layernorm", "hyper"),
        "optimizer": ("adam", "adamw", "rmsprop"),
        "schedule": ("cosine", "exponential", "plateau", "constant"),
        "clip": ("value", "norm", "none"),
        "pen_rows": ("sketch", "all"),
        "keep": ("best", "last"),
        "precision": ("auto", "fp32", "bf16"),
    }
    RANGES: ClassVar[Mapping[str, tuple[float, float]]] = {
        "encoder_hidden": (1, 4096),
        "decoder_hidden": (1, 2048),
        "latent": (0, 1024),
        "class_embedding": (0, 1024),
        "mixtures": (1, 100),
        "dropout": (0, 0.95),
        "hyper_hidden": (1, 2048),
        "hyper_embedding": (1, 256),
        "recurrent_dropout": (0, 0.95),
        "input_dropout": (0, 0.95),
        "steps": (1, 10**8),
        "epochs": (0, 10**6),
        "batch": (1, 65_536),
        "seed": (0, 2**63 - 1),
        "learning_rate": (0, 10),
        "learning_rate_end": (0, 10),
        "warmup": (0, 10**7),
        "learning_rate_decay": (0, 1),
        "plateau_patience": (1, 10**6),
        "weight_decay": (0, 10),
        "clip_at": (1e-9, 1e9),
        "kl_weight": (0, 1e4),
        "kl_start": (0, 1),
        "kl_rate": (0, 1),
        "kl_min": (0, 1e4),
        "balance": (0, 2),
        "synthetic_share": (0, 1e3),
        "teacher_forcing": (0, 1),
        "teacher_decay": (0, 1),
        "scale_jitter": (0, 0.9),
        "point_drop": (0, 0.9),
        "few_shot": (0, 3),
        "ema": (0, 0.999999),
        "valid_every": (1, 10**8),
        "save_every": (1, 10**8),
        "sheet_every": (0, 10**8),
        "sheet_classes": (1, 1000),
        "patience": (0, 10**6),
    }

    def to_dict(self) -> dict[str, Any]:
        """Give all settings as one flat dictionary of plain values."""
        return {"preset": self.preset, **dataclasses.asdict(self.model), **dataclasses.asdict(self.train)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "--set ") -> Config:
        """Read what `to_dict` wrote; every name and value is checked. Settings that are not there keep their defaults.

        Raises:
            InputError: an unknown name or a value out of its range; the message starts with `where`.
        """
        preset = values.get("preset", DEFAULT_PRESET)
        if not isinstance(preset, str) or preset not in PRESETS:
            raise InputError(f"{where}preset={short(preset)}: is unknown; choose one of {', '.join(PRESETS)}")
        return PRESETS[preset].config.replace(
            {name: value for name, value in values.items() if name != "preset"}, where
        )

    def replace(self, values: Mapping[str, Any], where: str = "--set ") -> Config:
        """Give a copy with some settings changed; values may be text, as from a command line.

        Raises:
            InputError: an unknown name or a value out of its range; the message starts with `where`.
        """
        if "steps" in values and "epochs" not in values:  # who counts in steps does not count in epochs
            values = {**values, "epochs": 0}
        parts: dict[str, dict[str, Any]] = {"model": {}, "train": {}}
        homes = {f.name: part for part in parts for f in dataclasses.fields(getattr(self, part))}
        for name, value in values.items():
            if name not in homes:
                raise InputError(f"{where}{name}: no such setting; {_nearest(name, homes)}")
            default = getattr(getattr(self, homes[name]), name)
            parts[homes[name]][name] = _checked(f"{where}{name}={_shown(value)}", name, value, type(default))
        return dataclasses.replace(
            self,
            model=dataclasses.replace(self.model, **parts["model"]),
            train=dataclasses.replace(self.train, **parts["train"]),
        )


def _checked(where: str, name: str, value: Any, kind: type) -> Any:
    """Turn one value into the kind of its default and refuse what is out of range."""
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            raise TypeError(value)
        if kind is int and isinstance(value, float) and not value.is_integer():
            raise ValueError(value)
        number = kind(value)
    except (TypeError, ValueError, OverflowError) as error:
        expected = {int: "a whole number", float: "a number", str: "a word"}[kind]
        raise InputError(f"{where}: expected {expected}") from error
    if name in Config.CHOICES and number not in Config.CHOICES[name]:
        raise InputError(f"{where}: choose one of {', '.join(Config.CHOICES[name])}")
    if name in Config.RANGES:
        low, high = Config.RANGES[name]
        if not low <= number <= high:
            raise InputError(f"{where}: expected a value from {low:g} to {high:g}")
    return number


def _shown(value: Any) -> str:
    """A value as the user typed it, cut where it is long."""
    return value if isinstance(value, str) and len(value) <= 60 else short(value)


def _nearest(name: str, homes: Mapping[str, str]) -> str:
    near = difflib.get_close_matches(name[:60], list(homes), n=3)
    return f"the nearest: {', '.join(near)}" if near else f"the settings are {', '.join(sorted(homes))}"


@dataclass(frozen=True)
class Preset:
    """A named starting point."""

    summary: str
    """What it is, for a list of presets: a line."""

    kind: str
    """Of the model, a key of `train.models.KINDS`."""

    config: Config


def _presets(*entries: tuple[str, str, str, ModelConfig, TrainConfig]) -> dict[str, Preset]:
    """A table of name, kind, summary and settings."""
    return {name: Preset(summary, kind, Config(model, train, name)) for name, kind, summary, model, train in entries}


_SQUARES = TrainConfig(
    batch=64, warmup=0, clip="norm", scale_jitter=0.0, point_drop=0.0, few_shot=0.0, ema=0.0, precision="fp32"
)
"""What the presets have in common that learn offsets by squared error: as it was done then, in float32, in which alone
a place is exact enough to give an offset."""

PRESETS: Mapping[str, Preset] = _presets(
    (
        DEFAULT_PRESET,
        "vae",
        "class-conditioned VAE with a mixture decoder (Ha & Eck 2017), all classes in one model",
        ModelConfig(),
        TrainConfig(),
    ),
    (
        "sketch-rnn",
        "vae",
        "the VAE as Ha & Eck 2017 trained it: one class, no class input, fixed KL weight, every row's pen learnt",
        ModelConfig(encoder_hidden=256, decoder_hidden=512, latent=128, class_embedding=0, mixtures=20),
        TrainConfig(
            batch=100,
            learning_rate=1e-3,
            learning_rate_end=1e-5,
            warmup=0,
            schedule="exponential",
            learning_rate_decay=0.9999,
            clip="value",
            clip_at=1.0,
            kl_weight=0.5,
            kl_start=1.0,
            kl_min=0.2,
            scale_jitter=0.15,
            point_drop=0.10,
            pen_rows="all",
            few_shot=0.0,
            ema=0.0,
            balance=1.0,
        ),
    ),
    (
        "lstm",
        "lstm",
        "class-conditioned LSTM of two layers that gives offsets, and a pen by cross-entropy; standardised data",
        ModelConfig(class_embedding=64, decoder_hidden=512, dropout=0.3),
        replace(_SQUARES, epochs=30, schedule="plateau", plateau_patience=3, patience=5),
    ),
    (
        "lstm-xy",
        "lstm-xy",
        "class-conditioned LSTM on absolute places; place and pen by squared error",
        ModelConfig(class_embedding=128, decoder_hidden=256, dropout=0.3),
        replace(_SQUARES, epochs=30, schedule="plateau", plateau_patience=2, patience=3),
    ),
    (
        "attention",
        "attention",
        "the label read by an encoder, a decoder that attends to it; offset and pen by squared error",
        ModelConfig(class_embedding=128, encoder_hidden=128, decoder_hidden=256),
        replace(
            _SQUARES,
            epochs=10,
            batch=32,
            optimizer="adamw",
            weight_decay=1e-5,
            schedule="constant",
            teacher_forcing=0.9,
        ),
    ),
)
"""The named starting points of `sketch-train --preset`."""


def explain_settings() -> list[tuple[str, str]]:
    """Name and meaning of every setting, in the order of the classes above; the meanings are their docstrings."""
    import ast
    import inspect

    found = []
    for part in (ModelConfig, TrainConfig):
        body = ast.parse(inspect.getsource(part)).body[0].body  # type: ignore[attr-defined]
        for entry, after in itertools.pairwise(body):
            if (
                isinstance(entry, ast.AnnAssign)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found.append((ast.unparse(entry.target), " ".join(str(after.value.value).split())))
    return found
