"""The kinds of model that can be trained, one file each; which one a training makes, its preset says.

A kind is a class that follows `base.SketchModel`. Training, checkpoints and export know no more of it than that.
"""

from __future__ import annotations

from collections.abc import Mapping

from sketch_edge.runtime.errors import InputError
from sketch_edge.train.config import PRESETS, Config
from sketch_edge.train.models.attention import AttentionSeq2Seq
from sketch_edge.train.models.base import SketchModel
from sketch_edge.train.models.lstm import ClassLSTM
from sketch_edge.train.models.lstm_xy import PlaceLSTM
from sketch_edge.train.models.vae import SketchVAE

KINDS: Mapping[str, type[SketchModel]] = {
    "vae": SketchVAE,
    "lstm": ClassLSTM,
    "lstm-xy": PlaceLSTM,
    "attention": AttentionSeq2Seq,
}
"""What a preset's `kind` names."""


def kind_of(config: Config) -> type[SketchModel]:
    """Give the class of the models that these settings make."""
    return KINDS[config.kind]


def weight_shapes(config: Config, classes: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight of such a model, told without making one: lying sizes must not take memory."""
    return kind_of(config).weight_shapes(config.model, classes)


def make_model(config: Config, classes: int) -> SketchModel:
    """Make a model with random weights.

    Args:
        config: all settings; its preset tells the kind.
        classes: number of classes.
    """
    return kind_of(config)(config.model, classes)


def check_settings(config: Config) -> None:
    """Refuse settings that this kind of model does not know, or that do not go together.

    Raises:
        InputError: the message names the setting.
    """
    kind, usual = kind_of(config), PRESETS[config.preset].config.model
    for name, value in vars(config.model).items():
        if name not in kind.SETTINGS and value != getattr(usual, name):
            known = ", ".join(each for each in vars(config.model) if each in kind.SETTINGS)
            raise InputError(f"--set {name}={value}: preset {config.preset} has no such size; it has {known}")
    kind.check(config)
