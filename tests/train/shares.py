"""What each of two processes under torchrun finds of `train.distributed` and of a `Trainer`; test_distributed.py asks.

Run as ``python -m torch.distributed.run --nproc-per-node 2 -m tests.train.shares FOLDER``; FOLDER/RANK.pt then holds a
dictionary of findings.
"""

import dataclasses
import sys
import time
from datetime import timedelta
from pathlib import Path

import torch
from torch.distributed import distributed_c10d

from sketch_edge.runtime.errors import SketchError
from sketch_edge.train.checkpoint import load_checkpoint
from sketch_edge.train.config import Config, ModelConfig, TrainConfig
from sketch_edge.train.distributed import Workers
from sketch_edge.train.loop import Trainer
from tests.train.conftest import make_shapes

MODEL = ModelConfig(encoder_hidden=8, decoder_hidden=16, latent=4, class_embedding=4, mixtures=3)
FAST = TrainConfig(steps=20, batch=16, warmup=1, valid_every=1, save_every=1000, sheet_every=0, precision="fp32")
COINS = {
    "model": ModelConfig(class_embedding=4, encoder_hidden=8, decoder_hidden=16),
    "preset": "attention",
    "teacher_forcing": 0.5,
    "batch": 15,
    "steps": 5,
}
"""A model without z that is taught by coins: half of its rows are its own."""

CPU = torch.device("cpu")


def make_trainer(folder, model=MODEL, preset="vae-gmm", **changes):
    config = Config(model, dataclasses.replace(FAST, **changes), preset)
    return Trainer(make_shapes(), config, folder / "model.pt", CPU)


def trained(folder, **changes):
    """The history of a whole training, and its weights."""
    trainer = make_trainer(folder, **changes)
    trainer.run()
    return trainer.state.history, trainer.model.state_dict()


def straddling_gradient(folder, weight=3.0):
    """The gradient of a step whose KL floor lies by a hair below the KL of the batch, between those of the shares."""
    kl, gradients = 0.0, {}
    for _ in range(2):  # the first tells the KL, whatever the floor
        trainer = make_trainer(folder, clip="none", kl_start=1.0, kl_weight=weight, kl_min=0.9999 * kl)
        torch.nn.init.normal_(trainer.model.posterior.weight, generator=torch.Generator().manual_seed(1))
        losses, *_ = trainer._step(trainer.batches[0])
        kl, gradients = losses.kl, {name: p.grad.clone() for name, p in trainer.model.named_parameters()}
    return gradients


def gone_on_with(folder, cut):
    """What a checkpoint of one process comes to in two, and what is noted about it."""
    trainer = make_trainer(folder)
    notes = trainer.resume(load_checkpoint(cut))
    trainer.run()
    return notes, trainer.state.history


def refusal(act):
    """Kind and text of the error that something ends with."""
    try:
        act()
    except SketchError as error:
        return type(error).__name__, str(error)
    return None


def random_numbers(folder):
    """What the next mask of dropout would be drawn from, and whether weights stayed equal all the same."""
    trainer = make_trainer(folder, dataclasses.replace(MODEL, dropout=0.3))
    trainer.run(lambda: trainer.state.step == 3)
    return torch.rand(4), trainer.model.state_dict()


def stopped_by_second(folder):
    """Only the second process is told to stop, after its third step."""
    trainer = make_trainer(folder, save_every=1000)
    trainer.run(lambda: 15 * (trainer.workers.rank == 1 and trainer.state.step == 3))
    return trainer.state.step, trainer.stopped_by


def nan_in_second(folder):
    """A weight of one process alone becomes NaN after the second step."""
    trainer = make_trainer(folder)

    def poison():
        if trainer.workers.rank == 1 and trainer.state.step == 2:
            trainer.model.head.weight.data[0, 0] = float("nan")
        return 0

    return refusal(lambda: trainer.run(poison))


def other_seed(folder):
    workers = Workers.join(CPU)
    return refusal(make_trainer(folder, seed=workers.rank).run)


def weights_apart(folder):
    """A weight of one process alone moves by a little, before the save."""
    trainer = make_trainer(folder, save_every=3)

    def nudge():
        if trainer.workers.rank == 1 and trainer.state.step == 2:
            trainer.model.head.bias.data[0] += 1e-6
        return 0

    return refusal(lambda: trainer.run(nudge))


def unwritable(folder):
    """The first process cannot write the checkpoint."""
    return refusal(make_trainer(folder / "nowhere", steps=2).run)


def silence(folder):
    """The second process hangs until the first, whose timeout is now two seconds, has said all it has to say."""
    workers = Workers.join(CPU)
    distributed_c10d._set_pg_timeout(timedelta(seconds=2))  # joining with it would fail on a busy machine
    started = time.monotonic()
    while workers.rank == 1 and not (folder / "0.pt").exists() and time.monotonic() < started + 60:
        time.sleep(0.05)
    return workers.rank == 0 and refusal(lambda: workers.largest(0)), time.monotonic() - started


def main(folder):
    workers = Workers.join(CPU)
    one = folder / "one.pt"
    found = {
        "sizes": [len(workers.mine(torch.arange(n))) for n in (16, 17, 2)],
        "share": workers.mine(torch.arange(10).reshape(2, 5), 1),
        "even": trained(folder, kl_min=0.001),
        "uneven": trained(folder, batch=17, kl_min=0.001),
        "coins": trained(folder, **COINS),
        "straddling": straddling_gradient(folder),
        "gone on": gone_on_with(folder, one),
        "random": random_numbers(folder),
        "stopped": stopped_by_second(folder),
        "nan": nan_in_second(folder),
        "seed": other_seed(folder),
        "apart": weights_apart(folder),
        "unwritable": unwritable(folder),
        "too many": refusal(lambda: make_trainer(folder, batch=1)),
        "silence": silence(folder),
    }
    torch.save(found, folder / f"{workers.rank}.tmp")
    (folder / f"{workers.rank}.tmp").rename(folder / f"{workers.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
