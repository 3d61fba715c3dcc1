"""The judge: a small convolutional network that learned from real training drawings only, and nothing else.

It knows the classes it was asked about, no others. How often it recognises real drawings that it has not seen is the
ceiling for every model: a figure for generated drawings means something only beside it. Classes are chosen with chance
count^0.3, so that those of few drawings are learned too; each time, a drawing is turned, leant, stretched, mirrored,
moved and made smaller a little, so that none is learned by heart. The same data, classes, settings and seed give the
same network on the same kind of machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sketch_edge.train.evaluate.drawing import Drawing
from sketch_edge.train.evaluate.raster import SIDE, Change, Pictures, rasterise

FEATURES = 64
CHANNELS = (32, 64, 128)

BALANCE = 0.3
"""A class of n drawings is chosen with a chance of n to this."""

MIRROR_SHARE = 0.3
ROTATION = np.deg2rad(8.0)
STRETCH = 0.12
SHEAR = 0.08
SMALLEST = 0.8
SHIFT_PX = 1.5

LABEL_SMOOTHING = 0.05
DROPOUT = 0.3
WEIGHT_DECAY = 0.02
WARM_SHARE = 0.1
_LOOK = 512

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class ClassifierSettings:
    """How the classifier is trained; part of what a kept one is known by."""

    steps: int = 1500
    """Mini-batches."""

    batch: int = 128
    learning_rate: float = 2e-3
    """The highest; it rises over the first tenth of the steps and falls to 0 as a cosine."""

    seed: int = 0


class Network(nn.Module):
    """Three blocks of convolution, normalisation and pooling; 64 features; one logit a class."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        incoming = 1
        for outgoing in CHANNELS:
            blocks += [nn.Conv2d(incoming, outgoing, 3, padding=1, bias=False), nn.BatchNorm2d(outgoing)]
            blocks += [nn.ReLU(), nn.MaxPool2d(2)]
            incoming = outgoing
        self.blocks = nn.Sequential(*blocks)
        self.features = nn.Linear(incoming * (SIDE // 8) ** 2, FEATURES)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(FEATURES, classes)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Give logits (B, classes) and features (B, 64) of pictures, float32 (B, 1, 28, 28) in [0, 1]."""
        features = F.relu(self.features(self.dropout(self.blocks(pictures).flatten(1))))
        return self.head(features), features


@dataclass(frozen=True)
class Looks:
    """What the classifier makes of n drawings."""

    probabilities: Floats
    """(n, classes)"""

    features: Floats
    """(n, 64)"""

    def rank(self, label: int) -> npt.NDArray[np.int64]:
        """How many classes are thought likelier than `label` for each drawing, (n,); 0 is top-1."""
        return np.asarray((self.probabilities > self.probabilities[:, [label]]).sum(axis=1))


class Classifier:
    """A trained network and the classes it tells apart."""

    def __init__(self, network: Network, classes: Sequence[str], device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.classes = tuple(classes)
        self.device = device

    def look(self, drawings: Sequence[Drawing]) -> Looks:
        """Judge drawings."""
        probabilities = np.zeros((len(drawings), len(self.classes)))
        features = np.zeros((len(drawings), FEATURES))
        with torch.no_grad():
            for start in range(0, len(drawings), _LOOK):
                logits, found = self.network(_tensor(rasterise(drawings[start : start + _LOOK]), self.device))
                probabilities[start : start + _LOOK] = torch.softmax(logits.double(), dim=1).cpu().numpy()
                features[start : start + _LOOK] = found.double().cpu().numpy()
        return Looks(probabilities, features)


def train_classifier(
    drawings: Sequence[Sequence[Drawing]],
    classes: Sequence[str],
    settings: ClassifierSettings,
    device: torch.device | None = None,
    on_step: Callable[[int], None] = lambda step: None,
) -> Classifier:
    """Train the judge on real drawings.

    Args:
        drawings: those of each class, at least one each.
        classes: their names, at least two.
        settings: steps, batch, rate and seed.
        device: the CPU where not given.
        on_step: called after each step with its number, from 1.
    """
    device = device or torch.device("cpu")
    pool = [drawing for group in drawings for drawing in group]
    labels = np.repeat(np.arange(len(drawings)), [len(group) for group in drawings])
    counts = np.bincount(labels)
    chance = (counts.astype(np.float64) ** (BALANCE - 1))[labels]
    cumulative = np.cumsum(chance) / chance.sum()
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(settings.seed)
        network = Network(len(classes)).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=WEIGHT_DECAY)
        for step in range(settings.steps):
            rng = np.random.Generator(np.random.Philox(key=[settings.seed, step]))
            place = np.searchsorted(cumulative, rng.random(settings.batch), side="right")
            chosen = np.minimum(place, len(pool) - 1)
            pictures = rasterise([pool[i] for i in chosen], [_random_change(rng) for _ in chosen])
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _rate(step, settings.steps)
            logits, _ = network(_tensor(pictures, device))
            loss = F.cross_entropy(logits, torch.from_numpy(labels[chosen]).to(device), label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            on_step(step + 1)
    return Classifier(network, classes, device)


def _rate(step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / max(1.0, WARM_SHARE * steps))
    return warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def _random_change(rng: np.random.Generator) -> Change:
    """A slight change of a drawing."""
    turn, lean, wide, high, mirror, size, right, down = rng.uniform(-1, 1, 8).tolist()
    cos, sin = math.cos(ROTATION * turn), math.sin(ROTATION * turn)
    flip = -1.0 if mirror < 2 * MIRROR_SHARE - 1 else 1.0
    sides = np.array([[flip * (1 + STRETCH * wide), 0.0], [SHEAR * lean, 1 + STRETCH * high]])
    matrix = sides @ np.array([[cos, sin], [-sin, cos]])
    return Change(matrix, SMALLEST + (1 - SMALLEST) * (size + 1) / 2, (SHIFT_PX * right, SHIFT_PX * down))


def _tensor(pictures: Pictures, device: torch.device) -> Tensor:
    batch = torch.from_numpy(pictures.astype(np.float32) / 255.0).unsqueeze(1)
    return batch.to(device, memory_format=torch.channels_last)
